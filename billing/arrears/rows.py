"""The rows of arrears: what is overdue, where an account stands, what holds it. All under the account's lock."""

import datetime
from typing import Final

import asyncpg
import msgspec

from billing.arrears.ladder import Debt, Rung, State
from billing.open_items import OpenInvoice, open_invoices
from provisioning.settings import Restriction

_STATE = """
SELECT a.*, coalesce((m.sent_at AT TIME ZONE 'Europe/London')::date, l.posted_on + $2::integer) AS sent_on,
    m.gave_up_at IS NOT NULL AS is_lost
FROM arrears a LEFT JOIN mails m ON m.key = a.notice_key AND a.notice_key <> ''
LEFT JOIN arrears_letters l ON l.key = a.notice_key AND a.notice_key <> ''
WHERE a.account_id = $1
"""
_HELD = """
SELECT h.is_for_all, coalesce(array_agg(i.invoice_id) FILTER (WHERE i.invoice_id IS NOT NULL), '{}') AS invoice_ids
FROM arrears_holds h LEFT JOIN arrears_held_invoices i ON i.hold_id = h.id
WHERE h.account_id = $1 AND h.ended_on IS NULL AND h.since <= $2 AND h.until >= $2
GROUP BY h.id
"""


# A letter by first class post is taken to arrive on the second working day; one more, and a weekend costs none.
POST_DAYS: Final = 4


class Standing(msgspec.Struct, frozen=True):
    """A row of `arrears`. `is_lost`: the warning could not be delivered."""

    state: State = State()
    episode: int = 1
    minimum_micros: int = 0
    is_lost: bool = False


class Held(msgspec.Struct, frozen=True):
    """What stands still: these invoices, or all."""

    is_all: bool
    invoice_ids: frozenset[int]

    def covers(self, invoice_id: int) -> bool:
        return self.is_all or invoice_id in self.invoice_ids


class Overdue(msgspec.Struct, frozen=True):
    """The unpaid invoices whose day has passed, the oldest first; and those among them that are held."""

    invoices: tuple[OpenInvoice, ...]
    held: tuple[OpenInvoice, ...]

    @property
    def debt(self) -> Debt:
        due = [invoice.due_on for invoice in self.invoices if invoice.due_on is not None]
        micros = sum(invoice.open_micros for invoice in self.invoices)
        return Debt(micros, sum(invoice.open_micros for invoice in self.held), min(due) if due else None)


async def load_overdue(connection: asyncpg.Connection, account_id: int, today: datetime.date) -> Overdue:
    held = await load_held(connection, account_id, today)
    late = [
        invoice
        for invoice in await open_invoices(connection, account_id)
        if invoice.due_on is not None and invoice.due_on < today
    ]
    return Overdue(
        tuple(invoice for invoice in late if not held.covers(invoice.invoice_id)),
        tuple(invoice for invoice in late if held.covers(invoice.invoice_id)),
    )


async def load_held(connection: asyncpg.Connection, account_id: int, today: datetime.date) -> Held:
    rows = await connection.fetch(_HELD, account_id, today)
    ids = frozenset(invoice_id for row in rows for invoice_id in row["invoice_ids"])
    return Held(any(row["is_for_all"] for row in rows), ids)


async def load_standing(connection: asyncpg.Connection, account_id: int) -> Standing:
    row = await connection.fetchrow(_STATE, account_id, POST_DAYS)
    if row is None:
        return Standing()
    state = State(
        rung=Rung(row["rung"]),
        since=row["since"],
        notice_for=Rung(row["notice_for"]),
        effective_on=row["effective_on"],
        notice_sent_on=row["sent_on"],
    )
    return Standing(state, row["episode"], row["minimum_micros"], row["is_lost"])


async def save_state(
    connection: asyncpg.Connection,
    account_id: int,
    state: State,
    *,
    notice_key: str = "",
    minimum_micros: int | None = None,
    is_new_episode: bool = False,
) -> None:
    """`minimum_micros` None leaves it."""
    await connection.execute(
        "INSERT INTO arrears (account_id, rung, since, notice_for, effective_on, notice_key, minimum_micros)"
        " VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, 0))"
        " ON CONFLICT (account_id) DO UPDATE SET rung = $2, since = $3, notice_for = $4, effective_on = $5,"
        " notice_key = $6, minimum_micros = coalesce($7, arrears.minimum_micros),"
        " episode = arrears.episode + $8::boolean::integer",
        account_id,
        state.rung.value,
        state.since,
        state.notice_for.value,
        state.effective_on,
        notice_key,
        minimum_micros,
        is_new_episode,
    )


async def note_history(
    connection: asyncpg.Connection, account_id: int, day: datetime.date, what: str, debt: Debt, note: str = ""
) -> None:
    await connection.execute(
        "INSERT INTO arrears_history (account_id, day, what, overdue_micros, note) VALUES ($1, $2, $3, $4, $5)",
        account_id,
        day,
        what,
        debt.overdue_micros,
        note,
    )


async def set_restriction(
    connection: asyncpg.Connection, account_id: int, *, was: Restriction, now: Restriction
) -> None:
    """The switch hears of it by the change table. What an operator has set meanwhile is his, and stays."""
    if was is now:
        return
    await connection.execute(
        "UPDATE accounts SET settings = CASE $3::text WHEN '' THEN settings - 'restriction'"
        " ELSE settings || jsonb_build_object('restriction', $3::text) END"
        " WHERE id = $1 AND coalesce(settings->>'restriction', '') = $2::text",
        account_id,
        was.value,
        now.value,
    )
