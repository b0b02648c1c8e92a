"""What people are shown of arrears: `offhook arrears list` and `show`."""

import datetime

import asyncpg
import msgspec

from billing.arrears.plans import Hold, load_holds
from billing.arrears.rows import load_overdue, load_standing
from billing.open_items import OpenInvoice, open_invoices
from provisioning.problems import Refused, shown
from provisioning.utc import ms_from_time

HISTORY_SHOWN = 50

_SOME = """
SELECT a.id FROM accounts a
WHERE EXISTS (
    SELECT FROM invoices i WHERE i.account_id = a.id AND i.kind = 'invoice' AND i.due_on < $1 AND i.total_micros >
        coalesce((SELECT sum(x.amount_micros) FROM allocations x WHERE x.invoice_id = i.id), 0)
) OR EXISTS (SELECT FROM arrears s WHERE s.account_id = a.id AND s.rung <> '')
OR EXISTS (SELECT FROM arrears_holds h WHERE h.account_id = a.id AND h.ended_on IS NULL)
ORDER BY lower(a.name)
"""


class ArrearsView(msgspec.Struct, frozen=True):
    """Where an account stands. Money is micros."""

    account: str
    overdue_micros: int
    held_micros: int
    oldest_due_on: datetime.date | None
    rung: str
    since: datetime.date | None
    notice_for: str
    effective_on: datetime.date | None
    warned_on: datetime.date | None
    restriction: str
    held_by: str


class Event(msgspec.Struct, frozen=True):
    at_ms: int
    day: datetime.date
    what: str
    overdue_micros: int
    note: str


class ArrearsDetails(msgspec.Struct, frozen=True):
    """The latest events last."""

    view: ArrearsView
    invoices: list[OpenInvoice]
    holds: list[Hold]
    history: list[Event]
    interest_micros: int


async def list_arrears(db: asyncpg.Pool, today: datetime.date) -> list[ArrearsView]:
    """By name."""
    async with db.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await connection.fetch(_SOME, today)
        return [await _view(connection, row["id"], today) for row in rows]


async def show_arrears(db: asyncpg.Pool, name: str, today: datetime.date) -> ArrearsDetails:
    async with db.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        account_id = await connection.fetchval("SELECT id FROM accounts WHERE lower(name) = lower($1)", name)
        if account_id is None:
            raise Refused(f"there is no account {shown(name)}")
        events = await connection.fetch(
            "SELECT * FROM (SELECT * FROM arrears_history WHERE account_id = $1 ORDER BY id DESC LIMIT $2) h"
            " ORDER BY id",
            account_id,
            HISTORY_SHOWN,
        )
        interest = await connection.fetchval(
            "SELECT coalesce(-sum(amount_micros), 0)::bigint FROM ledger WHERE account_id = $1 AND kind = 'interest'",
            account_id,
        )
        return ArrearsDetails(
            await _view(connection, account_id, today),
            await open_invoices(connection, account_id),
            list((await load_holds(connection, account_id)).values()),
            [
                Event(ms_from_time(row["at"]), row["day"], row["what"], row["overdue_micros"], row["note"])
                for row in events
            ],
            interest,
        )


async def _view(connection: asyncpg.Connection, account_id: int, today: datetime.date) -> ArrearsView:
    row = await connection.fetchrow(
        "SELECT name, coalesce(settings->>'restriction', '') AS restriction FROM accounts WHERE id = $1",
        account_id,
    )
    state = (await load_standing(connection, account_id)).state
    debt = (await load_overdue(connection, account_id, today)).debt
    holds = (await load_holds(connection, account_id)).values()
    return ArrearsView(
        account=row["name"],
        overdue_micros=debt.overdue_micros,
        held_micros=debt.held_micros,
        oldest_due_on=debt.oldest_due_on,
        rung=state.rung.value,
        since=state.since,
        notice_for=state.notice_for.value,
        effective_on=state.effective_on,
        warned_on=state.notice_sent_on,
        restriction=row["restriction"],
        held_by=", ".join(f"{'plan' if hold.is_plan else hold.reason} until {hold.until}" for hold in holds),
    )
