"""Spans and gaps of a line's registrations, as tables and for any events; and what the books answer."""

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.problems import InvalidValue
from provisioning.registration_row import REGISTRATION_COLUMNS, row_from_registration
from provisioning.registration_search import (
    BEGINS,
    DAY_MS,
    ENDS,
    EVENTS_MAX,
    forget_old,
    gaps,
    line_history,
    spans,
    strangers_logins,
)
from rating.records import RegistrationEvent
from tests.provisioning.databases import in_database

A, B, C = "192.0.2.1:5060", "192.0.2.1:40000", "198.51.100.7:5060"


def event(
    at_ms: int,
    name: str,
    source: str = A,
    *,
    was: str = "",
    agent: str = "Phone",
    line: str = "alice",
    claimed: str = "",
    number: int = 0,
) -> RegistrationEvent:
    return RegistrationEvent(
        id=f"{at_ms:012x}{number:08x}{line}{name}{source}",
        at_ms=at_ms,
        event=name,
        line=line,
        account_id=1 if line else None,
        reason=f"from {was}" if was else "",
        source=source,
        transport="UDP",
        contact=f"sip:alice@{source}",
        via="",
        user_agent=agent,
        claimed=claimed,
    )


def in_short(found: list) -> list[tuple[object, ...]]:
    return [(span.from_ms, span.until_ms, span.source, span.ended_by) for span in found]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        ([event(10, "registered")], [(10, None, A, "")]),
        ([event(10, "registered"), event(50, "left")], [(10, 50, A, "left")]),
        (
            [event(10, "registered"), event(50, "expired"), event(70, "registered")],
            [(10, 50, A, "expired"), (70, None, A, "")],
        ),
        ([event(10, "registered"), event(50, "moved", B, was=A)], [(10, 50, A, "moved"), (50, None, B, "")]),
        (
            [event(10, "registered"), event(50, "lost"), event(60, "back", B, was=A)],
            [(10, 50, A, "lost"), (60, None, B, "")],
        ),
        # two phones
        (
            [event(10, "registered"), event(20, "registered", C, agent="Other"), event(30, "left")],
            [(10, 30, A, "left"), (20, None, C, "")],
        ),
        # what had begun before anything is known
        ([event(50, "lost")], [(None, 50, A, "lost")]),
        ([event(50, "moved", B, was=A)], [(None, 50, A, "moved"), (50, None, B, "")]),
        # events that are missing: an end, a move in between, a beginning told twice
        (
            [event(10, "registered"), event(50, "registered")],
            [(10, None, A, "")],
        ),
        (
            [event(10, "registered"), event(50, "moved", C, was=B)],
            [(10, 50, A, "moved"), (50, None, C, "")],
        ),
        ([event(10, "registered"), event(50, "back")], [(10, None, A, "")]),
        # refusals and the line as a whole are no spans
        ([event(10, "refused"), event(20, "offline"), event(30, "online"), event(40, "flapping")], []),
        # in the order in which they happened, within one millisecond, too
        (
            [event(10, "left", number=2), event(10, "registered", number=1)],
            [(10, 10, A, "left")],
        ),
    ],
)
def test_spans(events: list[RegistrationEvent], expected: list[tuple[object, ...]]) -> None:
    assert in_short(spans(events)) == expected
    assert in_short(spans(reversed(events))) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], [(0, 100, "")]),
        ([event(10, "registered")], [(0, 10, "")]),
        ([event(10, "registered"), event(50, "expired")], [(0, 10, ""), (50, 100, "expired")]),
        ([event(10, "registered"), event(50, "lost"), event(60, "back")], [(0, 10, ""), (50, 60, "lost")]),
        ([event(30, "left")], [(30, 100, "left")]),
        # the other phone is there
        ([event(10, "registered"), event(20, "registered", C), event(30, "left")], [(0, 10, "")]),
        ([event(10, "registered"), event(50, "moved", B, was=A)], [(0, 10, "")]),
    ],
)
def test_gaps(events: list[RegistrationEvent], expected: list[tuple[object, ...]]) -> None:
    found = gaps(spans(events), 0, 100)
    assert [(gap.from_ms, gap.until_ms, gap.after) for gap in found] == expected


EVENTS = st.lists(
    st.builds(
        event,
        st.integers(0, 200),
        st.sampled_from([*sorted(BEGINS | ENDS), "refused", "offline"]),
        st.sampled_from([A, B, C]),
        was=st.sampled_from(["", A, B, C]),
        agent=st.sampled_from(["Phone", "Other", ""]),
        number=st.integers(0, 50),
    ),
    max_size=30,
)


@given(EVENTS)
def test_any_events_give_spans_that_end_after_they_begin_and_gaps_without_them(
    events: list[RegistrationEvent],
) -> None:
    found = spans(events)
    for span in found:
        assert span.until_ms is None or (span.from_ms or 0) <= span.until_ms
        assert bool(span.ended_by) is (span.until_ms is not None)
    open_sources = [span.source for span in found if span.until_ms is None]
    assert len(set(open_sources)) == len(open_sources)
    holes = gaps(found, 50, 150)
    for moment in range(50, 150):
        is_there = any(
            (span.from_ms or 0) <= moment and (span.until_ms is None or moment < span.until_ms)
            for span in found
        )
        assert is_there is not any(gap.from_ms <= moment < gap.until_ms for gap in holes)


@given(EVENTS)
def test_the_order_in_which_events_come_does_not_matter(events: list[RegistrationEvent]) -> None:
    unique = list({each.id: each for each in events}.values())
    assert spans(unique) == spans(reversed(unique))


# The books


async def fill(db: asyncpg.Pool, events: list[RegistrationEvent]) -> None:
    marks = ", ".join(f"${number + 1}" for number in range(len(REGISTRATION_COLUMNS)))
    await db.executemany(
        f"INSERT INTO registration_events ({', '.join(REGISTRATION_COLUMNS)}) VALUES ({marks})",
        [row_from_registration(each) for each in events],
    )


NOW = 1_790_000_000_000


@pytest.mark.wire
@in_database
async def test_a_lines_history_knows_where_its_phone_was_before(db: asyncpg.Pool) -> None:
    await fill(
        db,
        [
            event(NOW - 20 * DAY_MS, "registered"),
            event(NOW - 2 * DAY_MS, "lost"),
            event(NOW - DAY_MS, "back", B, was=A),
            event(NOW - DAY_MS + 5, "refused", C),
            event(NOW - DAY_MS, "registered", line="bob"),
            event(NOW - DAY_MS, "refused", C, line="", claimed="alicia"),
        ],
    )
    history = await line_history(db, "alice", since_ms=NOW - 7 * DAY_MS, until_ms=NOW)
    assert in_short(history.spans) == [
        (NOW - 20 * DAY_MS, NOW - 2 * DAY_MS, A, "lost"),
        (NOW - DAY_MS, None, B, ""),
    ]
    assert [(gap.from_ms, gap.until_ms) for gap in history.gaps] == [(NOW - 2 * DAY_MS, NOW - DAY_MS)]
    assert [each.event for each in history.events] == ["lost", "back", "refused"]
    assert [each.source for each in history.refused] == [C] and not history.is_cut
    (stranger,) = await strangers_logins(db, "alicia", since_ms=NOW - 7 * DAY_MS, until_ms=NOW)
    assert stranger.claimed == "alicia"
    quiet = await line_history(db, "alice", since_ms=NOW - DAY_MS // 2, until_ms=NOW)
    assert quiet.events == [] and quiet.gaps == []


@pytest.mark.wire
@in_database
async def test_a_history_is_bounded_and_says_so(db: asyncpg.Pool) -> None:
    await fill(db, [event(NOW - DAY_MS + turn, "refused") for turn in range(EVENTS_MAX + 10)])
    history = await line_history(db, "alice", since_ms=NOW - 2 * DAY_MS, until_ms=NOW)
    assert history.is_cut and len(history.events) == EVENTS_MAX
    with pytest.raises(InvalidValue):
        await line_history(db, "alice", since_ms=NOW, until_ms=NOW)


@pytest.mark.wire
@in_database
async def test_old_events_go_but_for_the_last_change_of_a_phone(db: asyncpg.Pool) -> None:
    at_ms = await db.fetchval("SELECT (extract(epoch FROM now()) * 1000)::bigint")
    old = at_ms - 100 * DAY_MS
    await fill(
        db,
        [
            event(old, "registered"),
            event(old + 1, "left"),
            event(old + 2, "registered"),  # and there it has been ever since
            event(old + 3, "refused"),
            event(old + 4, "refused", line="", claimed="x"),
            event(at_ms - DAY_MS, "refused"),
        ],
    )
    assert await forget_old(db, 90, 3) == 3
    assert await forget_old(db, 90, 100) == 1
    assert await forget_old(db, 90, 100) == 0
    left = await db.fetch("SELECT event FROM registration_events ORDER BY at")
    assert [row["event"] for row in left] == ["registered", "refused"]
