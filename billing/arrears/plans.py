"""Holds and payment plans: why the ladder stands still, and until when.

A hold is for an account or for one invoice (a dispute is mostly about one), a plan for all invoices that are open
when it is made; what is billed later is due when it is due. Both lift a restriction at once. A plan is kept as long
as what is left of its invoices is no more than its later instalments, each some days of grace after its day: however
the money comes, and credit notes count. One that is missed ends it, and the ladder goes on from the warning, with due
warning.
"""

import calendar
import datetime

import asyncpg
import msgspec

from billing.arrears.easing import clear, relent
from billing.arrears.ladder import Rung
from billing.arrears.letters import letter, sum_of, write
from billing.arrears.rows import load_overdue, load_standing, note_history
from billing.conf import BillingConf
from billing.customers import find_customer
from billing.open_items import OpenInvoice, open_invoices
from provisioning.ledger import lock_account
from provisioning.problems import InvalidValue, Refused, shown
from rating.money import format_pounds

# Longer is no plan but a loan, and a consumer's loan is regulated.
INSTALMENTS_MAX = 12
# A dispute goes to an ombudsman after six weeks and is decided within some more.
HOLD_DAYS_MAX = 183
NOTE_CHARS_MAX = 500
REASONS = ("difficulty", "dispute", "other")
PENNY_MICROS = 10_000

_LIVE = """
SELECT h.*, a.name FROM arrears_holds h JOIN accounts a ON a.id = h.account_id WHERE h.ended_on IS NULL ORDER BY h.id
"""
_LEFT_OF_PLAN = """
SELECT coalesce(sum(i.total_micros
    - coalesce((SELECT sum(x.amount_micros) FROM allocations x WHERE x.invoice_id = i.id), 0)), 0)::bigint
FROM arrears_held_invoices h JOIN invoices i ON i.id = h.invoice_id WHERE h.hold_id = $1
"""


class Instalment(msgspec.Struct, frozen=True):
    due_on: datetime.date
    amount_micros: int


class Hold(msgspec.Struct, frozen=True):
    """A hold or a plan. `invoices` are numbers; none is the whole account."""

    id: int
    account: str
    is_plan: bool
    reason: str
    note: str
    since: datetime.date
    until: datetime.date
    invoices: tuple[str, ...] = ()
    instalments: tuple[Instalment, ...] = ()


def instalments_of(total_micros: int, count: int, first: datetime.date) -> tuple[Instalment, ...]:
    """Monthly and equal, to the penny; the pennies that are left over are in the first ones."""
    each, rest = divmod(total_micros // PENNY_MICROS, count)
    return tuple(
        Instalment(_months_later(first, place), (each + (place < rest)) * PENNY_MICROS)
        for place in range(count)
    )


def _months_later(day: datetime.date, months: int) -> datetime.date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return datetime.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def missed(
    instalments: tuple[Instalment, ...], left_micros: int, today: datetime.date, grace_days: int
) -> Instalment | None:
    """The first instalment whose day and grace have passed and that is not paid. `left_micros` is open of the plan's
    invoices."""
    paid = sum(each.amount_micros for each in instalments) - left_micros
    for each in instalments:
        if today <= each.due_on + datetime.timedelta(grace_days):
            return None
        paid -= each.amount_micros
        if paid < 0:
            return each
    return None


async def add_hold(
    connection: asyncpg.Connection,
    name: str,
    *,
    until: datetime.date,
    reason: str,
    note: str = "",
    invoice: str = "",
    today: datetime.date,
) -> Hold:
    """In the caller's transaction. A restriction is lifted at once."""
    if reason not in REASONS:
        raise InvalidValue("reason", reason, f"one of {', '.join(REASONS)}")
    if not today <= until <= today + datetime.timedelta(HOLD_DAYS_MAX):
        raise InvalidValue(
            "last day", until.isoformat(), f"a day from today on, {HOLD_DAYS_MAX} days ahead at most"
        )
    account_id, name = await _lock_by_name(connection, name)
    held = []
    if invoice:
        held = [each for each in await open_invoices(connection, account_id) if each.number == invoice]
        if not held:
            raise Refused(f"account {shown(name)} has no open invoice {shown(invoice)}")
    hold = Hold(0, name, False, reason, _note(note), today, until, tuple(each.number for each in held))
    return await _insert(connection, account_id, hold, held, today)


async def add_plan(
    connection: asyncpg.Connection,
    conf: BillingConf,
    name: str,
    *,
    instalments: int,
    first: datetime.date,
    note: str = "",
    today: datetime.date,
) -> Hold:
    """In the caller's transaction; the customer is sent the plan. A restriction is lifted at once."""
    if not 1 <= instalments <= INSTALMENTS_MAX:
        raise InvalidValue("instalments", str(instalments), f"1 to {INSTALMENTS_MAX}")
    if not today <= first <= today + datetime.timedelta(HOLD_DAYS_MAX):
        raise InvalidValue("first instalment", first.isoformat(), f"a day within the next {HOLD_DAYS_MAX}")
    account_id, name = await _lock_by_name(connection, name)
    if await connection.fetchval(
        "SELECT true FROM arrears_holds WHERE account_id = $1 AND is_plan AND ended_on IS NULL", account_id
    ):
        raise Refused(f"account {shown(name)} has a payment plan: `offhook arrears release` ends it")
    held = await open_invoices(connection, account_id)
    if not held:
        raise Refused(f"account {shown(name)} has no open invoice")
    parts = instalments_of(sum_of(held), instalments, first)
    if not parts[-1].amount_micros:
        raise InvalidValue("instalments", str(instalments), "fewer: there is less than a penny for each")
    until = parts[-1].due_on + datetime.timedelta(conf.arrears.settings.instalment_grace)
    numbers = tuple(each.number for each in held)
    hold = Hold(0, name, True, "difficulty", _note(note), today, until, numbers, parts)
    made = await _insert(connection, account_id, hold, held, today)
    await _write(connection, conf, account_id, made, "plan", held, today, instalments=parts)
    return made


async def release(
    connection: asyncpg.Connection, name: str, *, has_service: bool, today: datetime.date
) -> str:
    """End what holds the ladder; with `has_service` lift a restriction, also that of a service that has ceased."""
    account_id, name = await _lock_by_name(connection, name)
    ended = await connection.fetch(
        "UPDATE arrears_holds SET ended_on = $2, ended_by = 'released' WHERE account_id = $1 AND ended_on IS NULL"
        " RETURNING id",
        account_id,
        today,
    )
    standing = await load_standing(connection, account_id)
    debt = (await load_overdue(connection, account_id, today)).debt
    if ended:
        await note_history(connection, account_id, today, "released", debt)
    said = [f"{len(ended)} of its holds and plans ended"] if ended else []
    if has_service and standing.state.rung.restricts:
        if debt.overdue_micros > 0:
            await relent(connection, account_id, standing, today, why="lifted by a person")
        else:
            await clear(connection, account_id, standing, today)
        said.append("no restriction any more")
    if not said:
        raise Refused(f"there is nothing to release for account {shown(name)}")
    return f"{name}: {', '.join(said)}"


async def end_holds(db: asyncpg.Pool, conf: BillingConf, today: datetime.date) -> list[str]:
    """Holds whose last day has passed, plans that are paid or missed. A line each."""
    lines = []
    for row in await db.fetch(_LIVE):
        async with db.acquire() as connection, connection.transaction():
            await lock_account(connection, row["account_id"])
            if (
                await connection.fetchval("SELECT ended_on FROM arrears_holds WHERE id = $1", row["id"])
                is None
            ):
                line = await _end(connection, conf, row, today)
                lines += [f"{row['name']}: {line}"] if line else []
    return lines


async def _end(
    connection: asyncpg.Connection, conf: BillingConf, row: asyncpg.Record, today: datetime.date
) -> str:
    if not row["is_plan"]:
        return (
            await _close(connection, row, "over", "the hold is over", today) if row["until"] < today else ""
        )
    left: int = await connection.fetchval(_LEFT_OF_PLAN, row["id"])
    if left <= 0:
        return await _close(connection, row, "kept", "the payment plan is paid", today)
    hold = (await load_holds(connection, row["account_id"]))[row["id"]]
    late = missed(hold.instalments, left, today, conf.arrears.settings.instalment_grace)
    if late is None:
        return ""
    invoices = [
        each for each in await open_invoices(connection, row["account_id"]) if each.number in hold.invoices
    ]
    await _write(connection, conf, row["account_id"], hold, "missed", invoices, today, missed_on=late.due_on)
    words = f"the instalment of {late.due_on.isoformat()} was missed, {format_pounds(left)} is left"
    return await _close(connection, row, "missed", words, today)


async def _close(
    connection: asyncpg.Connection, row: asyncpg.Record, why: str, words: str, today: datetime.date
) -> str:
    await connection.execute(
        "UPDATE arrears_holds SET ended_on = $2, ended_by = $3 WHERE id = $1", row["id"], today, why
    )
    debt = (await load_overdue(connection, row["account_id"], today)).debt
    what = f"{'plan' if row['is_plan'] else 'hold'} {why}"
    await note_history(connection, row["account_id"], today, what, debt, words)
    return words


async def load_holds(connection: asyncpg.Connection, account_id: int) -> dict[int, Hold]:
    """Those that have not ended, by id."""
    rows = await connection.fetch(
        "SELECT h.*, a.name, ARRAY(SELECT i.number FROM arrears_held_invoices x JOIN invoices i ON i.id = x.invoice_id"
        " WHERE x.hold_id = h.id ORDER BY i.id) AS invoices FROM arrears_holds h JOIN accounts a ON a.id = h.account_id"
        " WHERE h.account_id = $1 AND h.ended_on IS NULL ORDER BY h.id",
        account_id,
    )
    parts = await connection.fetch(
        "SELECT p.* FROM arrears_instalments p JOIN arrears_holds h ON h.id = p.hold_id WHERE h.account_id = $1"
        " ORDER BY p.hold_id, p.position",
        account_id,
    )
    return {
        row["id"]: Hold(
            row["id"],
            row["name"],
            row["is_plan"],
            row["reason"],
            row["note"],
            row["since"],
            row["until"],
            tuple(row["invoices"]),
            tuple(
                Instalment(part["due_on"], part["amount_micros"])
                for part in parts
                if part["hold_id"] == row["id"]
            ),
        )
        for row in rows
    }


async def _insert(
    connection: asyncpg.Connection, account_id: int, hold: Hold, held: list[OpenInvoice], today: datetime.date
) -> Hold:
    hold_id: int = await connection.fetchval(
        "INSERT INTO arrears_holds (account_id, is_plan, reason, note, since, until, is_for_all)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        account_id,
        hold.is_plan,
        hold.reason,
        hold.note,
        hold.since,
        hold.until,
        not held,
    )
    await connection.executemany(
        "INSERT INTO arrears_held_invoices (hold_id, invoice_id) VALUES ($1, $2)",
        [(hold_id, each.invoice_id) for each in held],
    )
    await connection.executemany(
        "INSERT INTO arrears_instalments (hold_id, position, due_on, amount_micros) VALUES ($1, $2, $3, $4)",
        [(hold_id, place, each.due_on, each.amount_micros) for place, each in enumerate(hold.instalments)],
    )
    await _ease(connection, account_id, today)
    debt = (await load_overdue(connection, account_id, today)).debt
    what = "plan" if hold.is_plan else f"hold for {hold.reason}"
    await note_history(
        connection, account_id, today, what, debt, f"until {hold.until.isoformat()} {hold.note}".strip()
    )
    return msgspec.structs.replace(hold, id=hold_id)


async def _ease(connection: asyncpg.Connection, account_id: int, today: datetime.date) -> None:
    """With what is left unheld below the ladder's minimum nobody is restricted."""
    standing = await load_standing(connection, account_id)
    state = standing.state
    if state.rung is Rung.CEASED or not (state.rung.restricts or state.notice_for):
        return
    debt = (await load_overdue(connection, account_id, today)).debt
    if debt.overdue_micros < max(standing.minimum_micros, 1):
        await relent(connection, account_id, standing, today, why="on hold")


async def _lock_by_name(connection: asyncpg.Connection, name: str) -> tuple[int, str]:
    row = await connection.fetchrow("SELECT id, name FROM accounts WHERE lower(name) = lower($1)", name)
    if row is None:
        raise Refused(f"there is no account {shown(name)}")
    await lock_account(connection, row["id"])
    return row["id"], row["name"]


def _note(text: str) -> str:
    if len(text) > NOTE_CHARS_MAX or not text.isprintable():
        raise InvalidValue("note", text, f"one line of at most {NOTE_CHARS_MAX} characters")
    return text


async def _write(
    connection: asyncpg.Connection,
    conf: BillingConf,
    account_id: int,
    hold: Hold,
    what: str,
    invoices: list[OpenInvoice],
    today: datetime.date,
    **facts: object,
) -> None:
    customer = await find_customer(connection, account_id)
    name = (customer.name if customer is not None else "") or hold.account
    subject, text = letter(what, conf, name=name, invoices=invoices, total=sum_of(invoices), **facts)
    key = f"arrears/{account_id}/hold/{hold.id}/{what}"
    await write(connection, customer, account_id, key=key, subject=subject, text=text, today=today)
