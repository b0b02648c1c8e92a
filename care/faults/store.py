"""Faults written into the books. Whatever happens to one is an event, in the transaction that also changes where it
stands; what is recorded together stands together.
"""

from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec

from care.faults.entry import Entry
from care.faults.record import (
    RESTORED,
    EventKind,
    FaultDetails,
    FaultEvent,
    FaultKind,
    FaultState,
    Priority,
    allowed,
    is_answer,
)
from care.faults.reference import new_reference, read_reference
from care.faults.rows import details_of, event_of
from provisioning.problems import InvalidValue, Refused, shown
from provisioning.typed_text import checked_staff, one_line, written

EVENTS_MAX: Final = 1_000  # a fault with more is several
TRIES: Final = 8  # of a reference that is taken: with a million faults one in 24 is


class NewFault(msgspec.Struct, frozen=True, kw_only=True):
    """What the reporter says. `account` may be left out where `line` has one."""

    reporter: str = ""
    contact: str = ""
    account: str = ""
    line: str = ""
    time_code: str = ""
    cli: str = ""
    ddi: str = ""
    kind: FaultKind = FaultKind.OTHER
    words: str = ""
    is_urgent: bool = False


async def open_fault(
    db: asyncpg.Pool, new: NewFault, *, staff: str, now: datetime | None = None
) -> FaultDetails:
    """A customer with needs on record comes first, whatever he says. Raises InvalidValue, Refused."""
    at, who = now or datetime.now(UTC), checked_staff(staff)
    for what in ("reporter", "contact", "account", "line", "time_code", "cli", "ddi"):
        one_line(what.replace("_", " "), getattr(new, what))
    words = written(new.words)
    if not (words.strip() or new.cli or new.ddi or new.line or new.account):
        raise InvalidValue("fault", "", "what is wrong, or a number, a line or an account")
    async with db.acquire() as connection, connection.transaction():
        account_id = await _account_of(connection, new)
        priority = await _priority(connection, account_id, is_urgent=new.is_urgent)
        for _ in range(TRIES):
            reference = await connection.fetchval(
                "INSERT INTO faults (reference, opened_at, opened_by, account_id, reporter, contact, line, time_code,"
                " cli, ddi, kind, words, priority, state, place)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'open', '')"
                " ON CONFLICT (reference) DO NOTHING RETURNING reference",
                new_reference(), at, who, account_id, new.reporter, new.contact, new.line, new.time_code, new.cli,
                new.ddi, new.kind, words, priority,
            )  # fmt: skip
            if reference is not None:
                return await details_of(connection, reference)
    raise Refused("no free reference was found: try again")


async def add(
    db: asyncpg.Pool, reference: str, *entries: Entry, staff: str, now: datetime | None = None
) -> FaultDetails:
    """All of these or none, in order. Raises InvalidValue for the reference or the staff; Refused for a state that it
    has already, for closing a fault of which nobody has said where it lies, for a check that was not asked for or is
    answered, and for a call that is not on record or is attached.
    """
    who, told, at = checked_staff(staff), read_reference(reference), now or datetime.now(UTC)
    async with db.acquire() as connection, connection.transaction():
        fault_id = await connection.fetchval("SELECT id FROM faults WHERE reference = $1 FOR UPDATE", told)
        if fault_id is None:
            raise Refused(f"there is no fault {told}")
        count = await connection.fetchval("SELECT count(*) FROM fault_events WHERE fault_id = $1", fault_id)
        if count + len(entries) > EVENTS_MAX:
            raise Refused(f"{told} has {count} entries, of at most {EVENTS_MAX}: open another fault")
        for entry in entries:
            problem = await _problem(connection, fault_id, entry)
            if problem:
                raise Refused(f"{told}: {problem}")
            made = await connection.fetchrow(
                "INSERT INTO fault_events (fault_id, at, staff, event, value, words, about)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *",
                fault_id, at, who, entry.event.value, entry.value, entry.words, entry.about,
            )  # fmt: skip
            await _carry_out(connection, fault_id, event_of(made), at)
        return await details_of(connection, told)


# --- one event and what it changes


async def _problem(connection: asyncpg.Connection, fault_id: int, entry: Entry) -> str:
    """Why it cannot be written; "" where it can. The fault's row is locked."""
    match entry.event:
        case EventKind.STATE:
            return await _state_problem(connection, fault_id, FaultState(entry.value))
        case EventKind.CALL:
            return await _call_problem(connection, fault_id, entry.value, is_known=bool(entry.words))
        case EventKind.CHECKED:
            return await _check_problem(connection, fault_id, entry.about)
        case _:
            return ""


async def _state_problem(connection: asyncpg.Connection, fault_id: int, after: FaultState) -> str:
    row = await connection.fetchrow("SELECT state, place FROM faults WHERE id = $1", fault_id)
    before = FaultState(row["state"])
    if not allowed(before, after):
        return f"it is {before.value} already"
    if after is FaultState.CLOSED and not row["place"]:
        return "it is not closed before somebody has said where the fault lay"
    return ""


async def _call_problem(
    connection: asyncpg.Connection, fault_id: int, call_id: str, *, is_known: bool
) -> str:
    """`is_known`: something is said of it, so it is a call that is up, if it is not on record."""
    if not call_id.isprintable() or not (
        is_known or await connection.fetchval("SELECT EXISTS (SELECT FROM cdrs WHERE call_id = $1)", call_id)
    ):
        return f"there is no call {shown(call_id)} on record"
    attached = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM fault_events WHERE fault_id = $1 AND event = 'call' AND value = $2)",
        fault_id,
        call_id,
    )
    return f"the call {shown(call_id)} is attached already" if attached else ""


async def _check_problem(connection: asyncpg.Connection, fault_id: int, check_id: int | None) -> str:
    if not await connection.fetchval(
        "SELECT EXISTS (SELECT FROM fault_events WHERE fault_id = $1 AND event = 'check' AND id = $2)",
        fault_id,
        check_id,
    ):
        return f"check {check_id} was not asked for"
    answered = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM fault_events WHERE about = $1)", check_id
    )
    return f"check {check_id} is answered already" if answered else ""


async def _carry_out(connection: asyncpg.Connection, fault_id: int, event: FaultEvent, at: datetime) -> None:
    if is_answer(event):
        await connection.execute(
            "UPDATE faults SET answered_at = coalesce(answered_at, $2) WHERE id = $1", fault_id, at
        )
    match event.event:
        case EventKind.STATE:
            state = FaultState(event.value)
            await connection.execute(
                "UPDATE faults SET state = $2, restored_at = CASE WHEN $3 THEN coalesce(restored_at, $5) END,"
                " closed_at = CASE WHEN $4 THEN $5 END WHERE id = $1",
                fault_id, state.value, state in RESTORED, state is FaultState.CLOSED, at,
            )  # fmt: skip
        case EventKind.PLACE:
            await connection.execute("UPDATE faults SET place = $2 WHERE id = $1", fault_id, event.value)
        case EventKind.PRIORITY:
            await connection.execute("UPDATE faults SET priority = $2 WHERE id = $1", fault_id, event.value)
        case _:
            pass


async def _account_of(connection: asyncpg.Connection, new: NewFault) -> int | None:
    if new.account:
        account_id: int | None = await connection.fetchval(
            "SELECT id FROM accounts WHERE lower(name) = lower($1)", new.account
        )
        if account_id is None:
            raise Refused(f"there is no account {shown(new.account)}")
        return account_id
    if not new.line:
        return None
    account_id = await connection.fetchval("SELECT account_id FROM lines WHERE user_part = $1", new.line)
    if account_id is None:
        raise Refused(f"there is no line {shown(new.line)}")
    return account_id


async def _priority(connection: asyncpg.Connection, account_id: int | None, *, is_urgent: bool) -> Priority:
    if account_id is not None and await connection.fetchval(
        "SELECT has_priority_repair FROM customers WHERE account_id = $1", account_id
    ):
        return Priority.NEEDS
    return Priority.URGENT if is_urgent else Priority.NORMAL
