"""What tests of billing put into the books: accounts, customers, money, calls, invoices.

Use with `tests.provisioning.databases.in_database`, which makes a test of a coroutine with a pool.
"""

import datetime
import itertools

import asyncpg

from billing.conf import BillingConf, InvoiceSettings, MailSettings, Seller, SimplifiedInvoice, VatRate
from billing.customers import Customer, find_customer
from billing.dated import Dated
from provisioning import service
from provisioning.cdr_row import CDR_COLUMNS, row_from_cdr
from provisioning.ledger import MovementKind, post
from provisioning.model import AccountKind
from rating.money import VatMode
from tests.provisioning.records import cdr

SELLER = Seller(
    name="Example Telephones Ltd",
    address=("1 Example Street", "Exampletown", "EX1 1EX"),
    vat_number="GB123456789",
    company_number="01234567",
    email="billing@example.co.uk",
    phone="020 7946 0100",
    website="www.example.co.uk",
    bank_name="Example Bank",
    account_name="Example Telephones Ltd",
    sort_code="12-34-56",
    account_number="12345678",
)
CONF = BillingConf(
    seller=SELLER,
    vat=Dated(
        "vat", [(datetime.date(2010, 1, 1), VatRate(1750)), (datetime.date(2011, 1, 4), VatRate(2000))]
    ),
    simplified_invoice=Dated("simplified_invoice", [(datetime.date(2013, 1, 1), SimplifiedInvoice())]),
    invoice=InvoiceSettings(),
    mail=MailSettings(),
)
POUND = 1_000_000

_numbers = itertools.count(1)


async def add_account(
    db: asyncpg.Pool, *, name: str = "", is_postpaid: bool = True, vat: VatMode = VatMode.EX_VAT
) -> int:
    """The account's id."""
    view = await service.add_account(
        db,
        name or f"Account {next(_numbers)}",
        kind=AccountKind.POSTPAID if is_postpaid else AccountKind.PREPAID,
        vat=vat,
        tariff="retail",
        credit_limit_micros=1000 * POUND if is_postpaid else 0,
    )
    return view.account.id


async def add_customer(db: asyncpg.Pool, account_id: int, **facts: object) -> Customer:
    """A business with an address, but for the columns named."""
    columns: dict[str, object] = {
        "kind": "business",
        "company": "Sample Bakery Ltd",
        "contact": "The Manager",
        "address": ["2 Sample Road", "Sampleford", "SA1 1PL"],
        "email": "accounts@example.com",
        **facts,
    }
    names = ", ".join(columns)
    places = ", ".join(f"${place}" for place in range(2, len(columns) + 2))
    await db.execute(
        f"INSERT INTO customers (account_id, {names}) VALUES ($1, {places})", account_id, *columns.values()
    )
    customer = await find_customer(db, account_id)
    assert customer is not None
    return customer


async def add_payment(
    db: asyncpg.Pool,
    account_id: int,
    amount_micros: int,
    *,
    quoted: str = "",
    received_at: datetime.datetime = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC),
) -> int:
    """Received, and in the ledger; nothing is allocated. The payment's id."""
    async with db.acquire() as connection, connection.transaction():
        payment_id: int = await connection.fetchval(
            "INSERT INTO payments (account_id, method, provider, reference, amount_micros, state, quoted, received_at)"
            " VALUES ($1, 'bank_transfer', 'statement', $2, $3, 'received', $4, $5) RETURNING id",
            account_id,
            f"reference-{next(_numbers)}",
            amount_micros,
            quoted,
            received_at,
        )
        await post(connection, account_id, MovementKind.PAYMENT, amount_micros, key=f"payment/{payment_id}")
    return payment_id


async def add_bare_invoice(
    db: asyncpg.Pool, account_id: int, total_micros: int, *, issued_on: datetime.date, number: str = ""
) -> str:
    """An invoice without VAT and without a document, for tests of who owes what. Its number."""
    number = number or f"BARE{next(_numbers)}"
    await db.execute(
        "INSERT INTO invoices (number, kind, account_id, issued_on, tax_point, due_on, net_micros, vat_micros,"
        " total_micros, document) VALUES ($1, 'invoice', $2, $3::date, $3::date, $3::date + 14, $4, 0, $4, '{}')",
        number,
        account_id,
        issued_on,
        total_micros,
    )
    return number


async def add_call(
    db: asyncpg.Pool,
    account_id: int,
    cost_micros: int,
    *,
    ended_at: datetime.datetime = datetime.datetime(2026, 10, 15, 12, tzinfo=datetime.UTC),
    **facts: object,
) -> str:
    """A call of a minute that ended then, with its record and, if it cost anything, its row in the ledger."""
    call_id = f"call-{next(_numbers)}"
    end_ms = int(ended_at.timestamp() * 1000)
    record = cdr(
        call_id,
        **{
            "account_id": account_id,
            "payer_account_id": account_id,
            "setup_at_ms": end_ms - 65_000,
            "ringing_at_ms": end_ms - 64_000,
            "answered_at_ms": end_ms - 60_000,
            "ended_at_ms": end_ms,
            "duration_ms": 60_000,
            "billed_s": 60,
            "usage_micros": cost_micros,
            "cost_micros": cost_micros,
            "destination_name": "UK landline",
            **facts,
        },
    )
    row = row_from_cdr(record)
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    await db.execute(f"INSERT INTO cdrs ({', '.join(CDR_COLUMNS)}) VALUES ({places})", *row)
    if cost_micros:
        await add_usage(db, account_id, cost_micros, call_id, ended_at)
    return call_id


async def add_usage(
    db: asyncpg.Pool, account_id: int, cost_micros: int, call_id: str, at: datetime.datetime
) -> None:
    await db.execute(
        "INSERT INTO ledger (account_id, kind, amount_micros, at, call_id, leg) VALUES ($1, 'usage', $2, $3, $4, 0)",
        account_id,
        -cost_micros,
        at,
        call_id,
    )


async def move(
    db: asyncpg.Pool,
    account_id: int,
    kind: MovementKind,
    amount_micros: int,
    memo: str = "",
    *,
    at: datetime.datetime = datetime.datetime(2026, 10, 1, 6, tzinfo=datetime.UTC),
) -> None:
    """A movement as it would have been posted at that time."""
    await db.execute(
        "INSERT INTO ledger (account_id, kind, amount_micros, at, credit_seq, memo)"
        " SELECT account_id, $2, $3, $4, credit_seq + 1, $5 FROM account_balances WHERE account_id = $1",
        account_id,
        kind.value,
        amount_micros,
        at,
        memo,
    )


async def balance(db: asyncpg.Pool, account_id: int) -> int:
    found: int = await db.fetchval(
        "SELECT balance_micros FROM account_balances WHERE account_id = $1", account_id
    )
    return found
