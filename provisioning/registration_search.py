"""A line's registrations over days: the events of the table, the spans in which phones were registered, and the gaps.

`spans` and `gaps` are pure. Times are UTC milliseconds, so that a clock that goes forward or back in Europe/London
makes no gap. An event may be missing (the exchange leaves some out rather than fall behind): nothing relies on pairs.
"""

# ruff: noqa: S608 - statements are put together from constants of this file; values are always parameters

from collections.abc import Iterable, Sequence
from typing import Final

import asyncpg
import msgspec

from provisioning.problems import InvalidValue
from provisioning.registration_row import REGISTRATION_COLUMNS, registration_from_row
from provisioning.utc import time_from_ms
from rating.records import RegistrationEvent

# In one look: a line that flaps has at most 160 changes an hour, most have one a day.
EVENTS_MAX: Final = 5_000
# What came before the time asked for tells where its phones were at its beginning: ten phones, and their last changes.
EARLIER_MAX: Final = 200
DAYS_MAX: Final = 3_650
DAY_MS: Final = 86_400_000

BEGINS: Final = frozenset({"registered", "moved", "back"})
ENDS: Final = frozenset({"left", "expired", "lost", "silent", "removed"})

_COLUMNS: Final = ", ".join(REGISTRATION_COLUMNS)
_WITHIN: Final = f"""
    SELECT {_COLUMNS} FROM registration_events WHERE line = $1 AND at >= $2 AND at < $3
    ORDER BY at DESC, id DESC LIMIT {EVENTS_MAX}
"""
_EARLIER: Final = f"""
    SELECT {_COLUMNS} FROM registration_events
    WHERE line = $1 AND at < $2 AND event NOT IN ('refused', 'offline', 'online', 'flapping')
    ORDER BY at DESC, id DESC LIMIT {EARLIER_MAX}
"""
_STRANGERS: Final = f"""
    SELECT {_COLUMNS} FROM registration_events
    WHERE line = '' AND claimed = $1 AND at >= $2 AND at < $3 ORDER BY at DESC, id DESC LIMIT {EVENTS_MAX}
"""
# The last change of a phone is kept however old it is: it says where the phone has been since.
_FORGET: Final = """
    WITH gone AS (
        DELETE FROM registration_events WHERE id IN (
            SELECT id FROM registration_events old
            WHERE old.at < now() - make_interval(days => $1)
              AND (old.event IN ('refused', 'offline', 'online', 'flapping') OR EXISTS (
                  SELECT FROM registration_events later
                  WHERE later.line = old.line AND later.at > old.at AND later.user_agent = old.user_agent
                    AND later.event NOT IN ('refused', 'offline', 'online', 'flapping')))
            LIMIT $2
        ) RETURNING 1
    )
    SELECT count(*) FROM gone
"""


class Span(msgspec.Struct, frozen=True):
    """A phone was registered from one place. `from_ms` None: since before the first event that is known; `until_ms`
    None: it still is. `ended_by` is the event that ended it, "" while it lasts."""

    from_ms: int | None
    until_ms: int | None
    source: str
    user_agent: str
    ended_by: str = ""
    transport: str = ""
    contact: str = ""


class Gap(msgspec.Struct, frozen=True):
    """No phone of the line was registered. `after` is the event that ended the last one, "" if none was known."""

    from_ms: int
    until_ms: int
    after: str


class LineHistory(msgspec.Struct, frozen=True):
    """`events` are those of the time asked for, oldest first. `is_cut`: there were more, and the older are left out."""

    line: str
    since_ms: int
    until_ms: int
    spans: list[Span]
    gaps: list[Gap]
    events: list[RegistrationEvent]
    is_cut: bool

    @property
    def refused(self) -> list[RegistrationEvent]:
        return [event for event in self.events if event.event == "refused"]


async def line_history(
    db: asyncpg.Pool | asyncpg.Connection, line: str, *, since_ms: int, until_ms: int
) -> LineHistory:
    """Raises InvalidValue for a time that is none."""
    if not 0 <= since_ms < until_ms or until_ms - since_ms > DAYS_MAX * DAY_MS:
        raise InvalidValue(
            "time", f"{since_ms} to {until_ms}", f"up to {DAYS_MAX} days, the earlier time first"
        )
    since = time_from_ms(since_ms)
    rows = await db.fetch(_WITHIN, line, since, time_from_ms(until_ms))
    earlier = await db.fetch(_EARLIER, line, since)
    events = [registration_from_row(row) for row in reversed(rows)]
    known = [registration_from_row(row) for row in reversed(earlier)] + events
    found = [span for span in spans(known) if span.until_ms is None or span.until_ms >= since_ms]
    return LineHistory(
        line=line,
        since_ms=since_ms,
        until_ms=until_ms,
        spans=found,
        gaps=gaps(found, since_ms, until_ms),
        events=events,
        is_cut=len(rows) == EVENTS_MAX,
    )


async def lines_wanting_mail(db: asyncpg.Pool) -> list[str]:
    """Whose customers want a mail when the line is offline."""
    rows = await db.fetch("SELECT user_part FROM lines WHERE settings ? 'offline_mail' ORDER BY user_part")
    return [row["user_part"] for row in rows]


async def strangers_logins(
    db: asyncpg.Pool | asyncpg.Connection, claimed: str, *, since_ms: int, until_ms: int
) -> list[RegistrationEvent]:
    """Refused logins under a name that no line has, oldest first: a misspelt user name."""
    rows = await db.fetch(_STRANGERS, claimed, time_from_ms(since_ms), time_from_ms(until_ms))
    return [registration_from_row(row) for row in reversed(rows)]


async def forget_old(connection: asyncpg.Connection, days: int, rows_max: int) -> int:
    """Delete at most so many rows that are older; how many it were."""
    count: int = await connection.fetchval(_FORGET, days, rows_max)
    return count


def spans(events: Iterable[RegistrationEvent]) -> list[Span]:
    """In the order of their beginnings. The events may come in any order."""
    done: list[Span] = []
    open_: list[Span] = []
    for event in sorted(events, key=lambda each: (each.at_ms, each.id)):
        if event.event in BEGINS:
            _begin(event, open_, done)
        elif event.event in ENDS:
            _end(event, open_, done)
    return sorted([*done, *open_], key=lambda span: (span.from_ms or 0, span.until_ms or 0))


def gaps(found: Sequence[Span], since_ms: int, until_ms: int) -> list[Gap]:
    """The times between the two in which no span is, each with what had ended the one before it."""
    holes: list[Gap] = []
    reached_ms, after = since_ms, ""
    for span in sorted(found, key=lambda each: each.from_ms or 0):
        from_ms = span.from_ms or 0
        if from_ms >= until_ms:
            break
        if from_ms > reached_ms:
            holes.append(Gap(reached_ms, from_ms, after))
        end_ms = until_ms if span.until_ms is None else span.until_ms
        if end_ms >= reached_ms:
            reached_ms, after = end_ms, span.ended_by
    if reached_ms < until_ms:
        holes.append(Gap(reached_ms, until_ms, after))
    return holes


def _begin(event: RegistrationEvent, open_: list[Span], done: list[Span]) -> None:
    _, _, before = event.reason.partition("from ")
    same = _first(open_, source=event.source, contact=event.contact)
    if same is not None and not before:
        return  # it never ended, as far as anybody knows
    earlier = (
        (_first(open_, source=before, contact=event.contact) or _first(open_, source=before))
        if before
        else None
    ) or _first(open_, source=event.source)
    if earlier is None and event.event == "moved":
        earlier = _first(open_, contact=event.contact) or _only(open_, event.user_agent)
    if earlier is not None:
        open_.remove(earlier)
        done.append(_ended(earlier, event.at_ms, event.event))
    elif event.event == "moved" and before:
        # It was there before anything that is known.
        done.append(Span(None, event.at_ms, before, event.user_agent, event.event, event.transport))
    there = _first(open_, source=event.source)
    if there is not None:  # a phone has come to where another one was
        open_.remove(there)
        done.append(_ended(there, event.at_ms, event.event))
    open_.append(
        Span(
            event.at_ms,
            None,
            event.source,
            event.user_agent,
            transport=event.transport,
            contact=event.contact,
        )
    )


def _end(event: RegistrationEvent, open_: list[Span], done: list[Span]) -> None:
    ending = (
        _first(open_, source=event.source, contact=event.contact)
        or _first(open_, source=event.source)
        or _first(open_, contact=event.contact)
    )
    if ending is not None:
        open_.remove(ending)
        done.append(_ended(ending, event.at_ms, event.event))
    elif not open_ and not done:
        done.append(
            Span(
                None,
                event.at_ms,
                event.source,
                event.user_agent,
                event.event,
                event.transport,
                event.contact,
            )
        )


def _ended(span: Span, at_ms: int, by: str) -> Span:
    return msgspec.structs.replace(span, until_ms=at_ms, ended_by=by)


def _first(open_: Sequence[Span], *, source: str = "", contact: str = "") -> Span | None:
    for span in open_:
        if (not source or span.source == source) and (not contact or span.contact == contact):
            return span
    return None


def _only(open_: Sequence[Span], user_agent: str) -> Span | None:
    """The one phone that calls itself so."""
    found = [span for span in open_ if span.user_agent == user_agent]
    return found[0] if len(found) == 1 else None
