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
from provisioning.ledger import MovementKind, post
from provisioning.model import AccountKind
from rating.money import VatMode

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
