"""Invoices paid by Direct Debit: announced, collected, presented again when the bank did not pay.

A collection is announced in the same transaction as its row is made (reference, amount, date and frequency, as the
scheme wants it), ten working days ahead. It is handed in some days before its date with the row's id as the key, so
that it happens once. One that fails is presented again within three working days; later than that wants a new notice.
"""

import datetime
from typing import Final

import asyncpg
import msgspec

from billing.border import alone
from billing.conf import BillingConf
from billing.customers import find_customer
from billing.mail import queue_mail
from billing.open_items import OpenInvoice, open_invoices
from billing.payments.methods import PaymentMethod, usable_method
from billing.payments.payment import GOCARDLESS, MICROS_PER_PENNY
from billing.payments.provider import (
    Provider,
    ProviderRefused,
    ProviderUnreachable,
    ViewState,
    Wanted,
    problem_text,
)
from billing.payments.settling import lock_reference, settle
from billing.payments.texts import long_date, rendered
from billing.payments.working_days import add_working_days, take_working_days
from provisioning.ledger import lock_account
from provisioning.problems import ProvisioningProblem
from rating.money import format_pounds
from switch.conf_voicemail import is_mail_address

FREQUENCY: Final = "once for each invoice"
BATCH_MAX: Final = 10_000


class Collection(msgspec.Struct, frozen=True):
    """One row of `collections`, with the names of what it points at."""

    id: int
    account_id: int
    invoice_id: int
    invoice: str
    method_id: int
    amount_micros: int
    charge_on: datetime.date
    state: str
    presented: int
    reference: str
    failed_on: datetime.date | None


_OPEN: Final = """
    SELECT c.*, i.number AS invoice FROM collections c JOIN invoices i ON i.id = c.invoice_id
    WHERE c.state = ANY($1::text[]) ORDER BY c.id LIMIT $2
"""


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
        said += (
            await alone(_announce_for(db, conf, number, today), what="Direct Debit of account", number=number)
            or []
        )
    return said


async def _announce_for(
    db: asyncpg.Pool, conf: BillingConf, account_id: int, today: datetime.date
) -> list[str]:
    said = []
    terms = conf.payments.direct_debit.at(today)
    async with db.acquire() as connection, connection.transaction():
        await lock_account(connection, account_id)
        method = await usable_method(connection, account_id, GOCARDLESS)
        customer = await find_customer(connection, account_id)
        if method is None or customer is None or not is_mail_address(customer.email):
            return [f"account {account_id}: no Direct Debit without an e-mail address for the notice"]
        known = await _invoices_under_way(connection, account_id)
        for invoice in await open_invoices(connection, account_id):
            amount_micros = invoice.open_micros - invoice.open_micros % MICROS_PER_PENNY
            if invoice.invoice_id in known or not amount_micros:
                continue
            earliest = add_working_days(today, terms.notice_days)
            charge_on = max(earliest, add_working_days(invoice.due_on or earliest, 0))
            row = await connection.fetchrow(
                "INSERT INTO collections (account_id, invoice_id, method_id, amount_micros, noticed_on, charge_on,"
                " state) VALUES ($1, $2, $3, $4, $5, $6, 'noticed') RETURNING id",
                account_id,
                invoice.invoice_id,
                method.id,
                amount_micros,
                today,
                charge_on,
            )
            await _mail_notice(connection, conf, row["id"], customer.email, customer.name, invoice, method,
                               amount_micros, charge_on)  # fmt: skip
            said.append(
                f"Direct Debit of {format_pounds(amount_micros)} for {invoice.number} announced for {charge_on}"
            )
    return said


async def _invoices_under_way(connection: asyncpg.Connection, account_id: int) -> set[int]:
    """Those announced or handed in, and those whose Direct Debit has just failed: they are presented again, or a
    person decides (another notice would only fail again)."""
    rows = await connection.fetch(
        "SELECT invoice_id FROM collections WHERE account_id = $1 AND state IN ('noticed', 'asked', 'failed')",
        account_id,
    )
    return {row["invoice_id"] for row in rows}


async def _mail_notice(
    connection: asyncpg.Connection,
    conf: BillingConf,
    collection_id: int,
    to: str,
    name: str,
    invoice: OpenInvoice,
    method: PaymentMethod,
    amount_micros: int,
    charge_on: datetime.date,
) -> None:
    text = rendered(
        "direct_debit_notice.txt",
        name=name,
        amount=format_pounds(amount_micros),
        date=long_date(charge_on),
        invoice=invoice.number,
        reference=method.label,
        frequency=FREQUENCY,
        seller=conf.seller.name,
    )
    await queue_mail(
        connection,
        key=f"direct-debit-notice/{collection_id}",
        to=to,
        subject=f"Direct Debit of {format_pounds(amount_micros)} on {long_date(charge_on)}",
        text=text,
    )


async def hand_in(db: asyncpg.Pool, conf: BillingConf, provider: Provider, today: datetime.date) -> list[str]:
    """What was announced and comes due: never more than was announced, and never more than is still open."""
    terms = conf.payments.direct_debit.at(today)
    said = []
    for row in await db.fetch(_OPEN, ["noticed"], BATCH_MAX):
        collection = _collection(row)
        if take_working_days(collection.charge_on, terms.lead_days) <= today:
            done = _guarded(db, conf, provider, collection, today)
            said.append(await alone(done, what="Direct Debit", number=collection.id) or "")
    return [line for line in said if line]


async def _guarded(
    db: asyncpg.Pool, conf: BillingConf, provider: Provider, collection: Collection, today: datetime.date
) -> str:
    """One that cannot be handed in does not stop the others."""
    try:
        return await _hand_in_one(db, conf, provider, collection, today)
    except ProviderRefused as problem:
        await _end(db, collection.id, "failed", str(problem), today)
        return f"Direct Debit for {collection.invoice} refused: {problem}"
    except (ProviderUnreachable, ProvisioningProblem) as problem:
        return f"Direct Debit for {collection.invoice}: later: {problem}"


async def _hand_in_one(
    db: asyncpg.Pool, conf: BillingConf, provider: Provider, collection: Collection, today: datetime.date
) -> str:
    async with db.acquire() as connection, connection.transaction():
        await lock_reference(connection, "collection", str(collection.id))
        now = await connection.fetchrow(
            "SELECT c.state, m.state AS method_state, m.provider, m.customer, m.reference, m.label FROM collections c"
            " JOIN payment_methods m ON m.id = c.method_id WHERE c.id = $1",
            collection.id,
        )
        if now["state"] != "noticed":
            return f"Direct Debit for {collection.invoice}: handed in by somebody else"
        open_micros = await _still_open(connection, collection)
        if open_micros == 0 or now["method_state"] != "active":
            why = "it is paid" if open_micros == 0 else "the mandate has ended"
            await _end(connection, collection.id, "stopped", why, today)
            return f"Direct Debit for {collection.invoice} stopped: {why}"
        pending = await connection.fetchval(
            "SELECT reference FROM payments WHERE provider = $1 AND account_id = $2 AND quoted = $3"
            " AND state = 'pending'",
            provider.name,
            collection.account_id,
            collection.invoice,
        )
        if pending is not None:  # it was handed in, and who did so was killed before he could write it down
            await _note_asked(connection, collection.id, pending)
            return f"Direct Debit for {collection.invoice}: it had been handed in"
        method = PaymentMethod(
            collection.method_id, collection.account_id, now["provider"], now["customer"], now["reference"],
            now["method_state"], now["label"],
        )  # fmt: skip
        wanted = Wanted(
            account_id=collection.account_id,
            amount_micros=min(collection.amount_micros, open_micros),
            key=f"offhook-collection-{collection.id}",
            description=f"Invoice {collection.invoice}",
            quoted=collection.invoice,
        )
        charge_on = max(collection.charge_on, add_working_days(today, 0))
        view = await provider.charge(method.view, wanted, charge_on=charge_on)
        await lock_reference(connection, provider.name, view.reference)
        await _note_asked(connection, collection.id, view.reference)
        await settle(connection, conf, view)
    return f"Direct Debit of {format_pounds(wanted.amount_micros)} for {collection.invoice} handed in for {charge_on}"


async def _note_asked(connection: asyncpg.Connection, collection_id: int, reference: str) -> None:
    await connection.execute(
        "UPDATE collections SET state = 'asked', presented = 1, reference = $2 WHERE id = $1",
        collection_id,
        reference,
    )


async def _still_open(connection: asyncpg.Connection, collection: Collection) -> int:
    invoices = await open_invoices(connection, collection.account_id)
    found = next((each for each in invoices if each.invoice_id == collection.invoice_id), None)
    return 0 if found is None else found.open_micros - found.open_micros % MICROS_PER_PENNY


async def follow(db: asyncpg.Pool, conf: BillingConf, provider: Provider, today: datetime.date) -> list[str]:
    """What became of those handed in: collected, failed, presented again."""
    rows = await db.fetch(
        "SELECT c.*, i.number AS invoice, p.state AS payment_state, p.amount_micros - p.returned_micros AS left_micros"
        " FROM collections c JOIN invoices i ON i.id = c.invoice_id"
        " JOIN payments p ON p.provider = $1 AND p.reference = c.reference"
        " WHERE c.state IN ('asked', 'collected') ORDER BY c.id LIMIT $2",
        GOCARDLESS,
        BATCH_MAX,
    )
    said = []
    for row in rows:
        is_back = row["payment_state"] == "received" and row["left_micros"] == 0
        if row["payment_state"] in ("failed", "cancelled") or is_back:
            done = _failed(db, conf, provider, _collection(row), today)
            said.append(await alone(done, what="Direct Debit", number=row["id"]) or "")
        elif row["payment_state"] == "received" and row["state"] == "asked":
            await db.execute(
                "UPDATE collections SET state = 'collected' WHERE id = $1 AND state = 'asked'", row["id"]
            )
            said.append(f"Direct Debit for {row['invoice']} collected")
    return [line for line in said if line]


async def _failed(
    db: asyncpg.Pool, conf: BillingConf, provider: Provider, collection: Collection, today: datetime.date
) -> str:
    """Presented again within the days that the first notice covers; else it is over."""
    terms = conf.payments.direct_debit.at(today)
    failed_on = collection.failed_on or today
    last_day = add_working_days(failed_on, terms.representation_days)
    if collection.presented <= terms.representations and today <= last_day:
        try:
            return await _present_again(db, conf, provider, collection, failed_on, today)
        except ProviderUnreachable as problem:
            await db.execute("UPDATE collections SET failed_on = $2 WHERE id = $1", collection.id, failed_on)
            return f"Direct Debit for {collection.invoice} failed, to be presented again: later: {problem}"
        except (ProviderRefused, ProvisioningProblem) as problem:
            await _over(db, conf, collection, str(problem), today)
            return f"Direct Debit for {collection.invoice} failed and cannot be presented again: {problem}"
    await _over(db, conf, collection, "the bank did not pay", today)
    return f"Direct Debit for {collection.invoice} failed"


async def _present_again(
    db: asyncpg.Pool,
    conf: BillingConf,
    provider: Provider,
    collection: Collection,
    failed_on: datetime.date,
    today: datetime.date,
) -> str:
    again_on = add_working_days(today, 1)
    async with db.acquire() as connection, connection.transaction():
        await lock_reference(connection, provider.name, collection.reference)
        presented = await connection.fetchval(
            "SELECT presented FROM collections WHERE id = $1 FOR UPDATE", collection.id
        )
        if presented != collection.presented:
            return f"Direct Debit for {collection.invoice}: presented again by somebody else"
        key = f"offhook-collection-{collection.id}-{presented}"
        view = await provider.look(collection.reference)
        if view.state is ViewState.FAILED:
            view = await provider.retry(collection.reference, key=key, charge_on=again_on)
        await connection.execute(
            "UPDATE collections SET state = 'asked', presented = presented + 1, failed_on = NULL WHERE id = $1",
            collection.id,
        )
        await settle(connection, conf, view)
        await _mail_failed(connection, conf, collection, again_on=again_on, number=presented)
    return f"Direct Debit for {collection.invoice} failed on {failed_on} and is presented again on {again_on}"


async def _over(
    db: asyncpg.Pool, conf: BillingConf, collection: Collection, problem: str, today: datetime.date
) -> None:
    async with db.acquire() as connection, connection.transaction():
        await _end(connection, collection.id, "failed", problem, today)
        await _mail_failed(connection, conf, collection, again_on=None, number=collection.presented)


async def _mail_failed(
    connection: asyncpg.Connection,
    conf: BillingConf,
    collection: Collection,
    *,
    again_on: datetime.date | None,
    number: int,
) -> None:
    customer = await find_customer(connection, collection.account_id)
    if customer is None or not is_mail_address(customer.email):
        return
    label = await connection.fetchval("SELECT label FROM payment_methods WHERE id = $1", collection.method_id)
    text = rendered(
        "direct_debit_failed.txt",
        name=customer.name,
        amount=format_pounds(collection.amount_micros),
        invoice=collection.invoice,
        reference=label,
        again_on=long_date(again_on) if again_on else "",
        seller=conf.seller.name,
    )
    await queue_mail(
        connection,
        key=f"direct-debit-failed/{collection.id}/{number}",
        to=customer.email,
        subject=f"Your Direct Debit for invoice {collection.invoice} was not paid",
        text=text,
    )


async def _end(
    db: asyncpg.Pool | asyncpg.Connection, collection_id: int, state: str, problem: str, today: datetime.date
) -> None:
    await db.execute(
        "UPDATE collections SET state = $2, problem = $3, failed_on = CASE WHEN $2 = 'failed' THEN $4::date END"
        " WHERE id = $1",
        collection_id,
        state,
        problem_text(problem),
        today,
    )


def _collection(row: asyncpg.Record) -> Collection:
    return Collection(
        id=row["id"],
        account_id=row["account_id"],
        invoice_id=row["invoice_id"],
        invoice=row["invoice"],
        method_id=row["method_id"],
        amount_micros=row["amount_micros"],
        charge_on=row["charge_on"],
        state=row["state"],
        presented=row["presented"],
        reference=row["reference"],
        failed_on=row["failed_on"],
    )
