"""What happens next to who has not paid, as a table and as properties; nothing here knows of a database."""

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.arrears.ladder import (
    IN_ORDER,
    STALE_DAYS,
    Announce,
    Clear,
    Climb,
    Debt,
    Relent,
    Rung,
    State,
    decide,
)
from billing.arrears.open_days import open_days
from billing.conf_arrears import ArrearsSettings, Ladder, Region
from tests.tables import cases

POUND = 1_000_000
DUE = datetime.date(2026, 3, 2)  # a Monday
LADDER = Ladder(ceased=120)
EVERY_DAY = lambda day: True  # noqa: E731


def day(after: int) -> datetime.date:
    return DUE + datetime.timedelta(after)


def owing(pounds: int = 50, *, held: int = 0, due_on: datetime.date = DUE) -> Debt:
    return Debt(pounds * POUND, held * POUND, due_on if pounds else None)


# rung the account is on, days since it is there, days after due, pounds overdue -> what happens
TABLE = """
# rung                       for  after  owed  -> next
  -                          -    1      50    -> -
  -                          -    3      50    -> reminder
  -                          -    3      1     -> reminder
  -                          -    60     50    -> reminder
  reminder                   6    9      50    -> -
  reminder                   7    10     50    -> warning
  reminder                   1    60     50    -> -
  warning                    3    13     50    -> -
  warning                    4    14     50    -> announce:premium_and_international
  warning                    1    60     50    -> -
  warning                    4    14     19    -> -
  premium_and_international  4    28     50    -> announce:outgoing
  premium_and_international  4    28     19    -> relent
  outgoing                   18   56     50    -> announce:suspended
  outgoing                   5    43     0     -> clear
  suspended                  44   110    50    -> announce:ceased
  ceased                     400  520    50    -> -
  ceased                     400  520    0     -> -
  -                          -    9      0     -> -
"""


@pytest.mark.parametrize(("rung", "for_", "after", "owed", "expected"), cases(TABLE))
def test_what_comes_next(rung: str, for_: str, after: str, owed: str, expected: str) -> None:
    today = day(int(after))
    since = today - datetime.timedelta(int(for_)) if for_ else None
    action = decide(State(Rung(rung), since), owing(int(owed)), LADDER, today, EVERY_DAY)
    match action:
        case None:
            told = ""
        case Announce(rung=found):
            told = f"announce:{found.value}"
        case Climb(rung=found):
            told = found.value
        case _:
            told = type(action).__name__.lower()
    assert told == expected


def warned(effective: int, sent: int | None, rung: Rung = Rung.OUTGOING) -> State:
    return State(
        Rung.PREMIUM_AND_INTERNATIONAL,
        day(20),
        rung,
        day(effective),
        None if sent is None else day(sent),
    )


def test_a_restriction_waits_for_the_day_that_was_announced() -> None:
    assert decide(warned(40, 28), owing(), LADDER, day(39), EVERY_DAY) is None
    assert decide(warned(40, 28), owing(), LADDER, day(40), EVERY_DAY) == Climb(Rung.OUTGOING)


def test_a_warning_that_has_not_left_or_left_late_moves_the_day() -> None:
    assert decide(warned(40, None), owing(), LADDER, day(50), EVERY_DAY) is None
    assert decide(warned(40, 38), owing(), LADDER, day(47), EVERY_DAY) is None
    assert decide(warned(40, 38), owing(), LADDER, day(48), EVERY_DAY) == Climb(Rung.OUTGOING)


def test_a_warning_that_nobody_followed_is_given_again() -> None:
    late = day(40 + STALE_DAYS + 1)
    assert decide(warned(40, 28), owing(), LADDER, late, EVERY_DAY) == Announce(
        Rung.OUTGOING, late + datetime.timedelta(LADDER.notice)
    )


def test_what_was_paid_below_the_minimum_withdraws_a_warning() -> None:
    assert decide(warned(40, 28), owing(19), LADDER, day(40), EVERY_DAY) == Relent()


def test_what_is_held_stops_the_ladder_and_does_not_end_it() -> None:
    on_hold = owing(0, held=50)
    assert decide(State(Rung.WARNING, day(10)), on_hold, LADDER, day(60), EVERY_DAY) is None
    assert decide(State(Rung.OUTGOING, day(40)), on_hold, LADDER, day(60), EVERY_DAY) == Relent()
    assert decide(State(Rung.WARNING, day(10)), owing(0), LADDER, day(60), EVERY_DAY) == Clear()


def test_rungs_that_a_ladder_has_not_are_left_out() -> None:
    ladder = Ladder(premium_and_international=0, outgoing=0)
    found = decide(State(Rung.WARNING, day(10)), owing(), ladder, day(60), EVERY_DAY)
    assert isinstance(found, Announce) and found.rung is Rung.SUSPENDED
    no_more = Ladder(premium_and_international=0, outgoing=0, suspended=0)
    assert decide(State(Rung.WARNING, day(10)), owing(), no_more, day(600), EVERY_DAY) is None


@pytest.mark.parametrize(
    ("date", "is_open"),
    [
        ("2026-11-23", True),  # Monday
        ("2026-11-26", True),
        ("2026-11-27", False),  # Friday
        ("2026-11-28", False),
        ("2026-12-24", False),  # Christmas Eve
        ("2026-12-25", False),
        ("2026-12-28", False),  # for Boxing Day, a Saturday
        ("2026-12-29", True),
        ("2027-01-01", False),
        ("2026-04-02", False),  # the day before Good Friday
        ("2026-04-07", True),
    ],
)
def test_nobody_is_restricted_before_or_on_a_day_off(date: str, is_open: bool) -> None:
    assert open_days(ArrearsSettings())(datetime.date.fromisoformat(date)) is is_open


def test_a_friday_and_another_regions_holiday_are_open_where_the_operator_says_so() -> None:
    is_open = open_days(ArrearsSettings(not_before_days_off=False))
    assert is_open(datetime.date(2026, 11, 27)) and not is_open(datetime.date(2026, 11, 28))
    st_andrew = datetime.date(2026, 11, 30)
    assert not open_days(ArrearsSettings(region=Region.SCOTLAND))(st_andrew) and is_open(st_andrew)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=60),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_whenever_the_ladder_is_asked_no_restriction_comes_without_due_warning(
    steps: list[tuple[int, int]], sends_at_once: bool
) -> None:
    """Days pass between the runs as they like, debts change as they like; the mail leaves at once or a run later."""
    is_open = open_days(ArrearsSettings())
    state, today = State(), DUE
    announced: dict[Rung, datetime.date] = {}
    climbed: list[Rung] = []
    for gap, pounds in steps:
        today += datetime.timedelta(gap)
        if state.notice_for and state.notice_sent_on is None:
            state = State(state.rung, state.since, state.notice_for, state.effective_on, today)
            announced[state.notice_for] = today
        action = decide(state, owing(pounds), LADDER, today, is_open)
        again = decide(state, owing(pounds), LADDER, today, is_open)
        assert action == again
        match action:
            case Climb(rung=rung):
                if rung.restricts:
                    assert (today - announced.pop(rung)).days >= LADDER.notice
                    assert pounds * POUND >= LADDER.minimum
                    assert is_open(today)
                assert IN_ORDER.index(rung) == IN_ORDER.index(state.rung) + 1
                climbed.append(rung)
                state = State(rung, today)
            case Announce(rung=rung, effective_on=effective_on):
                assert is_open(effective_on) and (effective_on - today).days >= LADDER.notice
                state = State(state.rung, state.since, rung, effective_on, today if sends_at_once else None)
                announced.pop(rung, None)
                if sends_at_once:
                    announced[rung] = today
            case Relent():
                state = State(
                    Rung.WARNING if state.rung.restricts else state.rung, today if state.rung else None
                )
                announced.clear()
            case Clear():
                state = State()
                announced.clear()
        # Asked again on the same day nothing more is due: each step once.
        after = decide(state, owing(pounds), LADDER, today, is_open)
        assert (
            after is None
            or (isinstance(action, Relent | Clear) and not isinstance(after, Climb))
            or isinstance(after, Announce)
        ), (action, after)
