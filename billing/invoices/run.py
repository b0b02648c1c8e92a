"""The monthly run: one invoice for each postpaid account that has anything to bill.

Each account is a transaction of its own, under its lock: its invoice, what that posts to the ledger, which rows are on
it, which payments pay it, and the mail that takes it to the customer. So a run that was killed anywhere, or is given
twice, or at once by two people, makes each invoice once; given again it goes on where it stopped. The policy of
rounding is written down with the run and stays.

An account whose credits are as large as its charges gets no invoice: its rows wait for the next one.
"""

import asyncio
import datetime
from typing import Final

import asyncpg
import msgspec

from billing.conf import BillingConf, InvoiceSettings
from billing.customers import Customer, find_customer
from billing.dated import NothingYet
from billing.invoices.document import CALLS_MAX, Document, DocumentKind, Form, OpenBefore
from billing.invoices.issue import (
    addressee,
    check_seller,
    form_for,
    insert_document,
    mark_invoiced,
    midnight,
    post_own,
)
from billing.invoices.ledger_rows import accounts_with_charges, bundle_names, bundled_calls, charged_rows
from billing.invoices.mailing import queue_document
from billing.invoices.monthly import Billed, bill_rows
from billing.invoices.numbers import take_number
from billing.open_items import allocate, free_micros, open_invoices
from billing.payments.payment import GOCARDLESS
from billing.vat import VatRounding
from provisioning.ledger import MovementKind, lock_account
from provisioning.problems import Refused
from rating.money import VatMode

# Two cores' worth of work; the database's other clients keep connections of the same pool.
ACCOUNTS_AT_ONCE: Final = 2


class Period(msgspec.Struct, frozen=True):
    """Days of London; `end` is the first that is not of it."""

    first: datetime.date
    end: datetime.date

    @property
    def last(self) -> datetime.date:
        return self.end - datetime.timedelta(days=1)


class Made(msgspec.Struct, frozen=True):
    """What the run did for one account: an invoice, or why there is none. `number` is "" in a rehearsal."""

    account_id: int
    account: str
    number: str
    total_micros: int
    problem: str = ""


class Run(msgspec.Struct, frozen=True):
    """A run and its policy, as they are in the books."""

    id: int
    period: Period
    policy: VatRounding


def month_period(year: int, month: int) -> Period:
    first = datetime.date(year, month, 1)
    return Period(first, datetime.date(year + month // 12, month % 12 + 1, 1))


async def run_month(
    db: asyncpg.Pool, conf: BillingConf, period: Period, *, today: datetime.date, is_dry: bool = False
) -> list[Made]:
    """Every account that got an invoice now, or would have and cannot; in a dry run nothing is written.

    Raises Refused for a period that is not over, CannotIssue for a seller without particulars.
    """
    check_seller(conf.seller)
    if period.end > today:
        raise Refused(f"the period lasts until {period.last.isoformat()}: it can be invoiced when it is over")
    run = Run(0, period, conf.invoice.vat_rounding) if is_dry else await _open_run(db, conf.invoice, period)
    async with db.acquire() as connection:
        accounts = await accounts_with_charges(connection, midnight(period.end))
    made: list[Made] = []
    waiting = iter(accounts)

    async def work() -> None:
        for account_id in waiting:
            async with db.acquire() as connection:
                done = await _invoice_account(connection, conf, run, account_id, today=today, is_dry=is_dry)
            if done is not None:
                made.append(done)

    async with asyncio.TaskGroup() as group:
        for _ in range(ACCOUNTS_AT_ONCE):
            group.create_task(work())
    if not is_dry:
        await db.execute(
            "UPDATE invoice_runs SET finished_at = now() WHERE id = $1 AND finished_at IS NULL", run.id
        )
    return sorted(made, key=lambda done: (done.number, done.account_id))


async def _open_run(db: asyncpg.Pool, settings: InvoiceSettings, period: Period) -> Run:
    """The period's run: the one that was begun before, with its policy, or a new one."""
    policy = msgspec.json.encode({"vat_rounding": settings.vat_rounding.value}).decode()
    await db.execute(
        "INSERT INTO invoice_runs (period_from, period_to, policy) VALUES ($1, $2, $3)"
        " ON CONFLICT (period_from, period_to) DO NOTHING",
        period.first,
        period.end,
        policy,
    )
    row = await db.fetchrow(
        "SELECT id, policy ->> 'vat_rounding' AS rounding FROM invoice_runs WHERE period_from = $1 AND period_to = $2",
        period.first,
        period.end,
    )
    return Run(row["id"], period, VatRounding(row["rounding"]))


async def _invoice_account(
    connection: asyncpg.Connection,
    conf: BillingConf,
    run: Run,
    account_id: int,
    *,
    today: datetime.date,
    is_dry: bool,
) -> Made | None:
    """None: it has its invoice of this run, or nothing that would make one."""
    async with connection.transaction():
        await lock_account(connection, account_id)
        account = await connection.fetchrow("SELECT name, vat FROM accounts WHERE id = $1", account_id)
        if await _has_invoice(connection, run, account_id):
            return None
        customer = await find_customer(connection, account_id)
        try:
            billed = await _bill(connection, conf, run, account_id, VatMode(account["vat"]))
            total = billed.reckoning.total_micros
            if total <= 0:
                return None
            document = await _document(connection, conf, run, account, account_id, customer, billed, today)
        except (Refused, NothingYet) as problem:
            return Made(account_id, account["name"], "", 0, str(problem))
        if is_dry:
            return Made(account_id, account["name"], "", total)
        number = await take_number(connection, conf.invoice, DocumentKind.INVOICE)
        await _issue(
            connection, msgspec.structs.replace(document, number=number), run, account_id, customer, billed
        )
        return Made(account_id, account["name"], number, total)


async def _has_invoice(connection: asyncpg.Connection, run: Run, account_id: int) -> bool:
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM invoices WHERE run_id = $1 AND account_id = $2)", run.id, account_id
    )
    return bool(found)


async def _has_mandate(connection: asyncpg.Connection, account_id: int) -> bool:
    """Whether billing/payments/direct_debit.py will collect what is open."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM payment_methods WHERE account_id = $1 AND provider = $2 AND state = 'active')",
        account_id,
        GOCARDLESS,
    )
    return bool(found)


async def _bill(
    connection: asyncpg.Connection, conf: BillingConf, run: Run, account_id: int, mode: VatMode
) -> Billed:
    since, before = midnight(run.period.first), midnight(run.period.end)
    rows = await charged_rows(connection, account_id, before)
    rows += await bundled_calls(connection, account_id, since, before)
    names = await bundle_names(connection, account_id)
    return bill_rows(rows, conf, mode, run.policy, since=since, bundle_names=names)


async def _document(
    connection: asyncpg.Connection,
    conf: BillingConf,
    run: Run,
    account: asyncpg.Record,
    account_id: int,
    customer: Customer | None,
    billed: Billed,
    today: datetime.date,
) -> Document:
    """Everything but its number. Raises CannotIssue, NothingYet."""
    reckoning = billed.reckoning
    form = form_for(reckoning.total_micros, customer, conf.simplified_invoice.at(today).up_to)
    count = sum(len(line.calls) for line in billed.calls)
    is_itemised = (customer is None or customer.wants_itemised) and count <= CALLS_MAX
    return Document(
        kind=DocumentKind.INVOICE,
        form=form,
        number="",
        issued_on=today.isoformat(),
        tax_point=today.isoformat(),
        due_on=(today + datetime.timedelta(days=conf.invoice.payment_days)).isoformat(),
        period_from=run.period.first.isoformat(),
        period_to=run.period.last.isoformat(),
        seller=conf.seller,
        # A bill for nobody could not be sent, nor altered afterwards.
        customer=addressee(account["name"], customer, form if customer is not None else Form.FULL),
        mode=VatMode(account["vat"]),
        policy=run.policy.value,
        lines=billed.lines,
        rates=reckoning.rates,
        net_micros=reckoning.net_micros,
        vat_micros=reckoning.vat_micros,
        total_micros=reckoning.total_micros,
        residue_micros=reckoning.residue_micros,
        groups=billed.groups,
        calls=billed.calls if is_itemised else (),
        bundles=billed.bundles,
        open_before=tuple(
            OpenBefore(item.number, item.due_on.isoformat() if item.due_on else "", item.open_micros)
            for item in await open_invoices(connection, account_id)
        ),
        credit_micros=await free_micros(connection, account_id),
        is_collected=await _has_mandate(connection, account_id),
    )


async def _issue(
    connection: asyncpg.Connection,
    document: Document,
    run: Run,
    account_id: int,
    customer: Customer | None,
    billed: Billed,
) -> None:
    """The ledger ends up lower by exactly the total: a paid account returns to zero."""
    invoice_id = await insert_document(connection, document, account_id, run_id=run.id)
    number = document.number
    own = await post_own(connection, account_id, MovementKind.ROUNDING, document.residue_micros, number)
    if document.mode is VatMode.EX_VAT:
        own += await post_own(connection, account_id, MovementKind.VAT, -document.vat_micros, number)
    await mark_invoiced(connection, account_id, invoice_id, [*billed.ledger_ids, *own])
    await allocate(connection, account_id)
    await queue_document(connection, document, customer)
