"""Everything known of one call, gathered once: records, sound, trace, registrations and alarms (story.py).

Reads only. What is not there leaves its place empty, and says so: support sees an older call without its trace, and a
call whose trace lies in a damaged file with that file's name.
"""

# ruff: noqa: S608 - statements are put together from constants of this file; values are always parameters

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import asyncpg

from care.live import LiveSource, account_names, views_of
from care.story import CallStory
from care.switch_asking import SwitchSilentError, ask_switch_for
from provisioning.cdr_search import find_cdrs
from provisioning.registration_row import REGISTRATION_COLUMNS, registration_from_row
from provisioning.utc import ms_from_time, time_from_ms
from provisioning.views import CdrQuery, CdrView
from rating.records import Alarm, RegistrationEvent
from traces.call_trace import CallTrace
from traces.store import TraceStore
from traces.withholding import without_caller

# A call can have so many legs: forks, backups, diverts and transfers of one call stay far below.
LEGS_MAX: Final = 500
HOUR_MS: Final = 3_600_000
BEFORE_MS: Final = 24 * HOUR_MS
AFTER_MS: Final = HOUR_MS
# What a person reads of a line's day; a phone that flaps more often is understood from these.
REGISTRATIONS_MAX: Final = 1_000
ALARMS_MAX: Final = 100

NOT_KEPT: Final = "no trace of this call was kept"

# A number that leads to a line which nobody has registered has no leg of its own: the line is found by the number.
_LINES_OF_NUMBERS: Final = "SELECT DISTINCT line FROM numbers WHERE e164 = ANY($1)"
_NUMBERS_OF_CALLER: Final = (
    "SELECT network_number, presentation_number FROM cdrs WHERE call_id = $1 AND privacy <> ''"
)
_REGISTRATIONS: Final = (
    f"SELECT {', '.join(REGISTRATION_COLUMNS)} FROM registration_events"
    f" WHERE line = ANY($1) AND at >= $2 AND at <= $3 ORDER BY at DESC, id LIMIT {REGISTRATIONS_MAX}"
)
# What changed a line last before that says where its phone has been since: since Tuesday, mostly nothing new.
_BEFORE: Final = (
    f"SELECT e.* FROM unnest($1::text[]) AS l (line) CROSS JOIN LATERAL (SELECT {', '.join(REGISTRATION_COLUMNS)}"
    " FROM registration_events r WHERE r.line = l.line AND r.at < $2"
    " AND r.event NOT IN ('refused', 'offline', 'online', 'flapping') ORDER BY r.at DESC, r.id DESC LIMIT 1) e"
    " ORDER BY e.at, e.id"
)
_ALARMS: Final = (
    "SELECT id, account_id, rule, at, words, bar_until FROM alarms"
    f" WHERE account_id = ANY($1) AND at >= $2 AND at <= $3 ORDER BY at DESC, id LIMIT {ALARMS_MAX}"
)


class TraceSource(Protocol):
    """Where the traces of calls are."""

    async def find(self, call_id: str) -> tuple[CallTrace | None, str]:
        """The trace, or None and why there is none, in words."""


class StoredTraces:
    """The files that the process `traces` has written (traces/store.py)."""

    def __init__(self, folder: Path) -> None:
        self._store = TraceStore(folder)

    async def find(self, call_id: str) -> tuple[CallTrace | None, str]:
        found = await asyncio.to_thread(self._store.find, call_id)
        if found.trace is not None:
            return found.trace, ""
        return None, "; ".join([NOT_KEPT, *found.problems])


class HouseTraces:
    """The files first, then the running switch, which has calls that are up and those that ended lately."""

    def __init__(self, folder: Path, control_socket: Path) -> None:
        self._stored = StoredTraces(folder)
        self._control = control_socket

    async def find(self, call_id: str) -> tuple[CallTrace | None, str]:
        trace, words = await self._stored.find(call_id)
        if trace is not None:
            return trace, ""
        try:
            live: CallTrace | None = await ask_switch_for(
                CallTrace | None,  # type: ignore[arg-type]
                self._control,
                "call_trace",
                call_id=call_id,
            )
        except SwitchSilentError as silent:
            return None, f"{words}; {silent}"
        return live, words


async def gather(
    db: asyncpg.Pool | asyncpg.Connection,
    call_id: str,
    *,
    traces: TraceSource,
    live: LiveSource | None = None,
) -> CallStory | None:
    """None where no record of the call is in the books, and `live` does not know it as one that is up.

    Raises InvalidValue for a call id that cannot be one.
    """
    legs = await find_cdrs(db, CdrQuery(call_id=call_id, limit=LEGS_MAX), None)
    callers_numbers: set[str] = set()
    if legs:
        if _is_withheld(legs):
            callers_numbers = await _callers_numbers(db, call_id)
    elif live is not None:
        legs, callers_numbers = await _live(db, call_id, live)
    if not legs:
        return None
    since = time_from_ms(min(view.cdr.setup_at_ms for view in legs) - BEFORE_MS)
    until = time_from_ms(max(view.cdr.ended_at_ms for view in legs) + AFTER_MS)
    trace, no_trace = await traces.find(call_id)
    if trace is not None and _is_withheld(legs):
        trace = without_caller(trace, callers_numbers)
    return CallStory(
        legs=sorted(legs, key=lambda view: view.cdr.leg),
        trace=trace,
        no_trace=no_trace,
        registrations=await _registrations(db, legs, since, until),
        alarms=await _alarms(db, legs, since, until),
    )


async def _live(
    db: asyncpg.Pool | asyncpg.Connection, call_id: str, live: LiveSource
) -> tuple[list[CdrView], set[str]]:
    """Of a call that is up, and its caller's numbers, for taking them out."""
    try:
        records = await live.records(call_id=call_id)
        media = await live.media(call_id) if records else []
    except SwitchSilentError:
        return [], set()
    names = await account_names(db, records)
    rows = [row for rows in records for row in rows]
    numbers = {number for row in rows for number in (row.network_number, row.presentation_number) if number}
    return views_of(rows, names, media), numbers


def _is_withheld(legs: list[CdrView]) -> bool:
    """As provisioning/cdr_search.py, without_withheld."""
    return any(view.cdr.privacy and not view.cdr.is_emergency for view in legs)


async def _callers_numbers(db: asyncpg.Pool | asyncpg.Connection, call_id: str) -> set[str]:
    """For taking them out, and nothing else."""
    rows = await db.fetch(_NUMBERS_OF_CALLER, call_id)
    return {
        number for row in rows for number in (row["network_number"], row["presentation_number"]) if number
    }


async def _registrations(
    db: asyncpg.Pool | asyncpg.Connection, legs: list[CdrView], since: datetime, until: datetime
) -> list[RegistrationEvent]:
    """Of every line that has a leg, or whose number was called; the latest ones where there are too many. And of
    each line its last change before that time, however old."""
    numbers = {number for view in legs for number in (view.cdr.destination, view.cdr.ddi) if number}
    lines = {row["line"] for row in await db.fetch(_LINES_OF_NUMBERS, sorted(numbers))}
    # A call inside the house has the called line's name as its destination.
    lines |= {view.cdr.line for view in legs if view.cdr.line} | numbers
    before = await db.fetch(_BEFORE, sorted(lines), since)
    rows = await db.fetch(_REGISTRATIONS, sorted(lines), since, until)
    return [registration_from_row(row) for row in (*before, *reversed(rows))]


async def _alarms(
    db: asyncpg.Pool | asyncpg.Connection, legs: list[CdrView], since: datetime, until: datetime
) -> list[Alarm]:
    """Of the accounts that called, were called or paid; the earliest first."""
    accounts = {
        account for view in legs for account in (view.cdr.account_id, view.cdr.payer_account_id) if account
    }
    return [
        Alarm(
            id=row["id"],
            account_id=row["account_id"],
            rule=row["rule"],
            at_ms=ms_from_time(row["at"]),
            words=row["words"],
            bar_until_ms=None if row["bar_until"] is None else ms_from_time(row["bar_until"]),
        )
        for row in reversed(await db.fetch(_ALARMS, sorted(accounts), since, until))
    ]
