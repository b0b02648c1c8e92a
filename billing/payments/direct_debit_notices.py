"""What is to be collected by Direct Debit is announced first: amount, date, reference and frequency, by mail.

The notice and the row of the collection are one transaction: nothing is collected that was not announced, nothing is
announced twice, and without an address for the notice nothing is collected.
"""

import datetime
from typing import Final

import asyncpg
import msgspec

from billing.border import alone
from billing.conf import BillingConf
from billing.customers import Customer, find_customer
from billing.mail import queue_mail
from billing.open_items import open_invoices
from billing.payments.direct_debit import TOP_UP
from billing.payments.methods import PaymentMethod, usable_method
from billing.payments.payment import GOCARDLESS, MICROS_PER_PENNY, check_amount
from billing.payments.texts import long_date, rendered
from billing.payments.working_days import add_working_days
from provisioning.ledger import lock_account
from provisioning.problems import Refused
from rating.money import format_pounds
from switch.conf_voicemail import is_mail_address

FREQUENCY_OF_INVOICES: Final = "once for each invoice"
FREQUENCY_OF_TOP_UPS: Final = "once"


class Payer(msgspec.Struct, frozen=True):
    """Who can be announced to and collected from."""

    account_id: int
    customer: Customer
    method: PaymentMethod


class Announced(msgspec.Struct, frozen=True):
    """The row of a collection. `invoice_id` None: a top-up. `what` as the customer reads it."""

    collection_id: int
    amount_micros: int
    charge_on: datetime.date
    what: str

    def __str__(self) -> str:
        amount = format_pounds(self.amount_micros)
        return f"Direct Debit of {amount} for {self.what} announced for {self.charge_on}"


async def announce(db: asyncpg.Pool, conf: BillingConf, today: datetime.date) -> list[str]:
    """A notice for each open invoice of an account with a mandate that has none yet."""
    rows = await db.fetch(
        "SELECT DISTINCT account_id FROM payment_methods WHERE provider = $1 AND state = 'active'"
        " ORDER BY account_id",
        GOCARDLESS,
    )
    said = []
    for row in rows:
        number = row["account_id"]
        work = _announce_invoices(db, conf, number, today)
        said += await alone(work, what="Direct Debit of account", number=number) or []
    return said


async def announce_top_up(
    db: asyncpg.Pool, conf: BillingConf, account_id: int, amount_micros: int, today: datetime.date
) -> Announced:
    """Credit that a customer wants to buy by his mandate. Raises Refused without a mandate or an address."""
    check_amount(amount_micros)
    async with db.acquire() as connection, connection.transaction():
        await lock_account(connection, account_id)
        payer = await _payer(connection, account_id)
        if payer is None:
            raise Refused("a Direct Debit needs an active mandate, and an e-mail address for the notice")
        charge_on = add_working_days(today, conf.payments.direct_debit.at(today).notice_days)
        return await _announce(
            connection,
            conf,
            payer,
            invoice_id=None,
            what=TOP_UP,
            frequency=FREQUENCY_OF_TOP_UPS,
            amount_micros=amount_micros,
            today=today,
            charge_on=charge_on,
        )


async def _announce_invoices(
    db: asyncpg.Pool, conf: BillingConf, account_id: int, today: datetime.date
) -> list[str]:
    said = []
    async with db.acquire() as connection, connection.transaction():
        await lock_account(connection, account_id)
        payer = await _payer(connection, account_id)
        if payer is None:
            return [f"account {account_id}: no Direct Debit without an e-mail address for the notice"]
        known = await _invoices_under_way(connection, account_id)
        earliest = add_working_days(today, conf.payments.direct_debit.at(today).notice_days)
        for invoice in await open_invoices(connection, account_id):
            amount_micros = invoice.open_micros - invoice.open_micros % MICROS_PER_PENNY
            if invoice.invoice_id in known or not amount_micros:
                continue
            announced = await _announce(
                connection,
                conf,
                payer,
                invoice_id=invoice.invoice_id,
                what=f"invoice {invoice.number}",
                frequency=FREQUENCY_OF_INVOICES,
                amount_micros=amount_micros,
                today=today,
                charge_on=max(earliest, add_working_days(invoice.due_on or earliest, 0)),
            )
            said.append(str(announced))
    return said


async def _payer(connection: asyncpg.Connection, account_id: int) -> Payer | None:
    method = await usable_method(connection, account_id, GOCARDLESS)
    customer = await find_customer(connection, account_id)
    if method is None or customer is None or not is_mail_address(customer.email):
        return None
    return Payer(account_id, customer, method)


async def _invoices_under_way(connection: asyncpg.Connection, account_id: int) -> set[int]:
    """Those announced or handed in, and those whose Direct Debit has just failed: they are presented again, or a
    person decides (another notice would only fail again)."""
    rows = await connection.fetch(
        "SELECT invoice_id FROM collections WHERE account_id = $1 AND invoice_id IS NOT NULL"
        " AND state IN ('noticed', 'asked', 'failed')",
        account_id,
    )
    return {row["invoice_id"] for row in rows}


async def _announce(
    connection: asyncpg.Connection,
    conf: BillingConf,
    payer: Payer,
    *,
    invoice_id: int | None,
    what: str,
    frequency: str,
    amount_micros: int,
    today: datetime.date,
    charge_on: datetime.date,
) -> Announced:
    """The row and its notice."""
    collection_id = await connection.fetchval(
        "INSERT INTO collections (account_id, invoice_id, method_id, amount_micros, noticed_on, charge_on, state)"
        " VALUES ($1, $2, $3, $4, $5, $6, 'noticed') RETURNING id",
        payer.account_id,
        invoice_id,
        payer.method.id,
        amount_micros,
        today,
        charge_on,
    )
    text = rendered(
        "direct_debit_notice.txt",
        name=payer.customer.name,
        amount=format_pounds(amount_micros),
        date=long_date(charge_on),
        what=what,
        reference=payer.method.label,
        frequency=frequency,
        seller=conf.seller.name,
    )
    await queue_mail(
        connection,
        key=f"direct-debit-notice/{collection_id}",
        to=payer.customer.email,
        subject=f"Direct Debit of {format_pounds(amount_micros)} on {long_date(charge_on)}",
        text=text,
    )
    return Announced(collection_id, amount_micros, charge_on, what)
