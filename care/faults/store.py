"""Faults in the books. Whatever happens to one is an event, in the transaction that also changes where it stands."""

from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec

from care.faults.record import (
    RESTORED,
    EventKind,
    Fault,
    FaultDetails,
    FaultEvent,
    FaultKind,
    FaultState,
    Place,
    Priority,
    allowed,
    is_answer,
)
from care.faults.reference import new_reference, read_reference
from care.looks import checked_staff
from provisioning.problems import InvalidValue, Refused, shown
from provisioning.utc import ms_from_time

WORDS_CHARS_MAX: Final = 4_000  # a page of what somebody said
NAME_CHARS_MAX: Final = 200
EVENTS_MAX: Final = 1_000  # a fault with more is several
LIST_MAX: Final = 1_000
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
        _line(what.replace("_", " "), getattr(new, what))
    words = _words(new.words)
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
                return await _details(connection, reference)
    raise Refused("no free reference was found: try again")


async def find_fault(db: asyncpg.Pool, reference: str) -> FaultDetails:
    """Raises InvalidValue for what is no reference, Refused where there is no such fault."""
    async with db.acquire() as connection:
        return await _details(connection, read_reference(reference))


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
            _line("account", account),
            limit,
        )
        events: dict[int, list[FaultEvent]] = {row["id"]: [] for row in rows}
        for row in await connection.fetch(
            "SELECT * FROM fault_events WHERE fault_id = ANY($1) ORDER BY id", list(events)
        ):
            events[row["fault_id"]].append(_event(row))
    return [FaultDetails(_fault(row), events[row["id"]]) for row in rows]


async def note(
    db: asyncpg.Pool,
    reference: str,
    words: str,
    *,
    staff: str,
    to_customer: bool = False,
    now: datetime | None = None,
) -> FaultDetails:
    """A note for staff, or what the customer was told. Raises InvalidValue, Refused."""
    kind = EventKind.ANSWER if to_customer else EventKind.NOTE
    return await _add(db, reference, kind, staff=staff, words=_said(words), now=now)


async def ask_check(
    db: asyncpg.Pool, reference: str, words: str, *, staff: str, now: datetime | None = None
) -> FaultDetails:
    """Ask the customer for a simple check. Its id is the event's."""
    return await _add(db, reference, EventKind.CHECK, staff=staff, words=_said(words), now=now)


async def answer_check(
    db: asyncpg.Pool, reference: str, check_id: int, words: str, *, staff: str, now: datetime | None = None
) -> FaultDetails:
    """What came of a check. Raises Refused for one that was not asked for, or is answered."""
    found = await find_fault(db, reference)
    check = next((each for each in found.checks if each.id == check_id), None)
    if check is None or check.answer is not None:
        no = "was not asked for" if check is None else "is answered"
        raise Refused(f"check {check_id} of {found.fault.reference} {no}")
    return await _add(
        db, reference, EventKind.CHECKED, staff=staff, words=_said(words), about=check_id, now=now
    )


async def attach_call(
    db: asyncpg.Pool,
    reference: str,
    call_id: str,
    *,
    staff: str,
    explanation: str = "",
    now: datetime | None = None,
) -> FaultDetails:
    """With the explanation that was given of it now. Raises Refused for a call that is not on record, or is there."""
    if not call_id.isprintable() or not await db.fetchval(
        "SELECT EXISTS (SELECT FROM cdrs WHERE call_id = $1)", call_id
    ):
        raise Refused(f"there is no call {shown(call_id)} on record")
    words = _words(explanation)
    return await _add(db, reference, EventKind.CALL, staff=staff, value=call_id, words=words, now=now)


async def set_state(
    db: asyncpg.Pool,
    reference: str,
    state: FaultState,
    *,
    staff: str,
    words: str = "",
    now: datetime | None = None,
) -> FaultDetails:
    """Raises Refused for the state it is in, and for closing a fault of which nobody has said where it lies."""
    return await _add(
        db, reference, EventKind.STATE, staff=staff, value=state.value, words=_words(words), now=now
    )


async def set_place(
    db: asyncpg.Pool,
    reference: str,
    place: Place,
    *,
    staff: str,
    words: str = "",
    now: datetime | None = None,
) -> FaultDetails:
    """Where the fault lies, and what was found."""
    return await _add(
        db, reference, EventKind.PLACE, staff=staff, value=place.value, words=_words(words), now=now
    )


async def set_priority(
    db: asyncpg.Pool,
    reference: str,
    priority: Priority,
    *,
    staff: str,
    words: str = "",
    now: datetime | None = None,
) -> FaultDetails:
    return await _add(
        db, reference, EventKind.PRIORITY, staff=staff, value=priority.value, words=_words(words), now=now
    )


async def close_fault(
    db: asyncpg.Pool,
    reference: str,
    place: Place,
    *,
    staff: str,
    words: str = "",
    now: datetime | None = None,
) -> FaultDetails:
    """Closed, with where it lay and what was found."""
    if place is Place.UNKNOWN:
        raise InvalidValue("where", "", "where the fault lay, not-found if nobody can say")
    at = now or datetime.now(UTC)
    await set_place(db, reference, place, staff=staff, words=words, now=at)
    return await set_state(db, reference, FaultState.CLOSED, staff=staff, now=at)


# --- one event and what it changes


async def _add(
    db: asyncpg.Pool,
    reference: str,
    event: EventKind,
    *,
    staff: str,
    now: datetime | None,
    value: str = "",
    words: str = "",
    about: int | None = None,
) -> FaultDetails:
    who, written = checked_staff(staff), read_reference(reference)
    async with db.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            "SELECT id, state, place FROM faults WHERE reference = $1 FOR UPDATE", written
        )
        if row is None:
            raise Refused(f"there is no fault {written}")
        _check_allowed(written, row, event, value)
        if (
            await connection.fetchval("SELECT count(*) FROM fault_events WHERE fault_id = $1", row["id"])
            >= EVENTS_MAX
        ):
            raise Refused(f"{written} has {EVENTS_MAX} entries, and takes no more: open another fault")
        try:
            made = await connection.fetchrow(
                "INSERT INTO fault_events (fault_id, at, staff, event, value, words, about)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *",
                row["id"], now or datetime.now(UTC), who, event.value, value, words, about,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            text = (
                "the call is attached already" if event is EventKind.CALL else "the check is answered already"
            )
            raise Refused(f"{written}: {text}") from None
        await _carry_out(connection, row["id"], _event(made), made["at"])
        return await _details(connection, written)


def _check_allowed(reference: str, row: asyncpg.Record, event: EventKind, value: str) -> None:
    if event is not EventKind.STATE:
        return
    before, after = FaultState(row["state"]), FaultState(value)
    if not allowed(before, after):
        raise Refused(f"{reference} is {before.value} already")
    if after is FaultState.CLOSED and not row["place"]:
        raise Refused(f"{reference} is not closed before somebody has said where the fault lay")


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


_SELECT: Final = "SELECT f.*, a.name AS account FROM faults f LEFT JOIN accounts a ON a.id = f.account_id"


async def _details(connection: asyncpg.Connection, reference: str) -> FaultDetails:
    row = await connection.fetchrow(f"{_SELECT} WHERE f.reference = $1", reference)
    if row is None:
        raise Refused(f"there is no fault {reference}")
    events = await connection.fetch("SELECT * FROM fault_events WHERE fault_id = $1 ORDER BY id", row["id"])
    return FaultDetails(_fault(row), [_event(each) for each in events])


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


def _event(row: asyncpg.Record) -> FaultEvent:
    return FaultEvent(
        row["id"],
        ms_from_time(row["at"]),
        row["staff"],
        EventKind(row["event"]),
        row["value"],
        row["words"],
        row["about"] or 0,
    )


def _ms(at: datetime | None) -> int | None:
    return None if at is None else ms_from_time(at)


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


def _line(what: str, text: str) -> str:
    if not text.isprintable() or len(text) > NAME_CHARS_MAX:
        raise InvalidValue(what, text, f"at most {NAME_CHARS_MAX} printable characters")
    return text


def _words(text: str) -> str:
    """Several lines may be typed on a page; nothing else that does not print."""
    lines = text.replace("\r\n", "\n").split("\n")
    if len(text) > WORDS_CHARS_MAX or not all(line.isprintable() for line in lines):
        raise InvalidValue("words", text, f"at most {WORDS_CHARS_MAX} printable characters")
    return "\n".join(lines)


def _said(text: str) -> str:
    if not text.strip():
        raise InvalidValue("words", text, "what was said or done")
    return _words(text)
