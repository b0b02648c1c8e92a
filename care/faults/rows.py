"""Faults as the books have them, read with their events."""

from datetime import datetime
from typing import Final

import asyncpg

from care.faults.record import (
    EventKind,
    Fault,
    FaultDetails,
    FaultEvent,
    FaultKind,
    FaultState,
    Place,
    Priority,
)
from care.faults.reference import read_reference
from provisioning.problems import InvalidValue, Refused
from provisioning.typed_text import one_line
from provisioning.utc import ms_from_time

LIST_MAX: Final = 1_000

_SELECT: Final = "SELECT f.*, a.name AS account FROM faults f LEFT JOIN accounts a ON a.id = f.account_id"


async def find_fault(db: asyncpg.Pool, reference: str) -> FaultDetails:
    """Raises InvalidValue for what is no reference, Refused where there is no such fault."""
    async with db.acquire() as connection:
        return await details_of(connection, read_reference(reference))


async def list_faults(
    db: asyncpg.Pool,
    *,
    states: frozenset[FaultState] = frozenset(FaultState) - {FaultState.CLOSED},
    account: str = "",
    limit: int = 100,
) -> list[FaultDetails]:
    """With their events, for the clock: by priority, then the oldest first. Raises InvalidValue for a limit."""
    if not 1 <= limit <= LIST_MAX:
        raise InvalidValue("limit", str(limit), f"1 to {LIST_MAX}")
    async with db.acquire() as connection:
        rows = await connection.fetch(
            f"{_SELECT} WHERE f.state = ANY($1) AND ($2 = '' OR lower(a.name) = lower($2))"
            " ORDER BY array_position(ARRAY['needs', 'urgent', 'normal'], f.priority), f.opened_at LIMIT $3",
            [state.value for state in sorted(states)],
            one_line("account", account),
            limit,
        )
        events: dict[int, list[FaultEvent]] = {row["id"]: [] for row in rows}
        for row in await connection.fetch(
            "SELECT * FROM fault_events WHERE fault_id = ANY($1) ORDER BY id", list(events)
        ):
            events[row["fault_id"]].append(event_of(row))
    return [FaultDetails(_fault(row), events[row["id"]]) for row in rows]


async def details_of(connection: asyncpg.Connection, reference: str) -> FaultDetails:
    """Raises Refused where there is no such fault."""
    row = await connection.fetchrow(f"{_SELECT} WHERE f.reference = $1", reference)
    if row is None:
        raise Refused(f"there is no fault {reference}")
    events = await connection.fetch("SELECT * FROM fault_events WHERE fault_id = $1 ORDER BY id", row["id"])
    return FaultDetails(_fault(row), [event_of(each) for each in events])


def event_of(row: asyncpg.Record) -> FaultEvent:
    return FaultEvent(
        row["id"],
        ms_from_time(row["at"]),
        row["staff"],
        EventKind(row["event"]),
        row["value"],
        row["words"],
        row["about"] or 0,
    )


def _fault(row: asyncpg.Record) -> Fault:
    return Fault(
        reference=row["reference"],
        opened_at_ms=ms_from_time(row["opened_at"]),
        opened_by=row["opened_by"],
        account=row["account"] or "",
        account_id=row["account_id"],
        reporter=row["reporter"],
        contact=row["contact"],
        line=row["line"],
        time_code=row["time_code"],
        cli=row["cli"],
        ddi=row["ddi"],
        kind=FaultKind(row["kind"]),
        words=row["words"],
        priority=Priority(row["priority"]),
        state=FaultState(row["state"]),
        place=Place(row["place"]),
        answered_at_ms=_ms(row["answered_at"]),
        restored_at_ms=_ms(row["restored_at"]),
        closed_at_ms=_ms(row["closed_at"]),
    )


def _ms(at: datetime | None) -> int | None:
    return None if at is None else ms_from_time(at)
