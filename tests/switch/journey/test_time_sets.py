"""Time sets as conf/time-sets.toml writes them: the hours round a change of the clocks, bank holidays, sets of sets."""

import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.conf_files import ConfFile
from switch.conf_time_sets import read_time_sets
from switch.journey.time_sets import MINUTES_PER_DAY, Period, TimeSet, TimeSets, way_back
from tests.switch.conf_folder import ConfFolder
from tests.tables import cases

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(text: str) -> TimeSets:
    file = ConfFile("time-sets.toml", text, tomllib.loads(text))
    sets = read_time_sets(file)
    assert file.problems == []
    return sets


def ms(text: str) -> int:
    """UTC, as 2026-03-29T00:59."""
    return round((datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) / timedelta(milliseconds=1))


CLOCKS = read("""
[night]
hours = ["Mon-Sun 01:00-02:00"]
[late]
hours = ["Mon-Sun 01:30-02:30"]
[sunday]
hours = ["Sun"]
[bar]
hours = ["Sat 22:00-02:00"]
[not-night]
not = ["night"]
""")


@pytest.mark.parametrize(
    ("utc", "night", "late", "sunday", "bar"),
    cases("""
    # utc                night late sunday bar
    # 2026-03-29: from 00:59:59 GMT to 02:00 BST. The hour from 01:00 to 02:00 does not come.
    2026-03-28T23:59:59  ->  n    n    n      y
    2026-03-29T00:00:00  ->  n    n    y      y
    2026-03-29T00:59:59  ->  n    n    y      y
    2026-03-29T01:00:00  ->  n    y    y      n
    2026-03-29T01:29:59  ->  n    y    y      n
    2026-03-29T01:30:00  ->  n    n    y      n
    2026-03-29T22:59:59  ->  n    n    y      n
    2026-03-29T23:00:00  ->  n    n    n      n
    # 2026-10-25: from 01:59:59 BST to 01:00 GMT. The hour comes twice.
    2026-10-24T22:59:59  ->  n    n    n      y
    2026-10-24T23:00:00  ->  n    n    y      y
    2026-10-25T00:00:00  ->  y    n    y      y
    2026-10-25T00:30:00  ->  y    y    y      y
    2026-10-25T00:59:59  ->  y    y    y      y
    2026-10-25T01:00:00  ->  y    n    y      y
    2026-10-25T01:29:59  ->  y    n    y      y
    2026-10-25T01:30:00  ->  y    y    y      y
    2026-10-25T02:00:00  ->  n    y    y      n
    2026-10-25T02:30:00  ->  n    n    y      n
    2026-10-26T00:00:00  ->  n    n    n      n
    # 2027-03-28 and 2027-10-31
    2027-03-28T00:59:59  ->  n    n    y      y
    2027-03-28T01:00:00  ->  n    y    y      n
    2027-03-28T01:30:00  ->  n    n    y      n
    2027-03-28T23:00:00  ->  n    n    n      n
    2027-10-31T00:00:00  ->  y    n    y      y
    2027-10-31T00:59:59  ->  y    y    y      y
    2027-10-31T01:00:00  ->  y    n    y      y
    2027-10-31T01:59:59  ->  y    y    y      y
    2027-10-31T02:00:00  ->  n    y    y      n
    """),
)
def test_the_hours_round_a_change_of_the_clocks(
    utc: str, night: str, late: str, sunday: str, bar: str
) -> None:
    at = ms(utc)
    found = ["y" if CLOCKS.is_in(name, at) else "n" for name in ("night", "late", "sunday", "bar")]
    assert found == [night, late, sunday, bar]
    assert CLOCKS.is_in("not-night", at) is not CLOCKS.is_in("night", at)


@pytest.mark.parametrize(
    ("day", "england", "scotland", "ireland"),
    cases("""
    # day          england scotland ireland
    2026-01-01  ->  y       y        y
    2026-01-02  ->  n       y        n
    2026-03-17  ->  n       n        y
    2026-04-03  ->  y       y        y
    2026-04-06  ->  y       n        y
    2026-05-04  ->  y       y        y
    2026-05-25  ->  y       y        y
    2026-07-13  ->  n       n        y
    2026-08-03  ->  n       y        n
    2026-08-31  ->  y       n        y
    2026-11-30  ->  n       y        n
    2026-12-24  ->  n       n        n
    2026-12-25  ->  y       y        y
    # Boxing Day is a Saturday, so the Monday is free
    2026-12-28  ->  y       y        y
    2026-12-29  ->  n       n        n
    # Christmas is a Saturday and Boxing Day a Sunday, so Monday and Tuesday are free
    2027-12-27  ->  y       y        y
    2027-12-28  ->  y       y        y
    2027-12-29  ->  n       n        n
    # New Year's Day is a Saturday
    2028-01-03  ->  y       y        y
    2028-01-04  ->  n       y        n
    """),
)
def test_bank_holidays_and_the_days_in_their_stead(
    day: str, england: str, scotland: str, ireland: str
) -> None:
    pytest.importorskip("holidays", reason="the library is not installed here")
    sets = read("""
    [england]
    bank_holidays = "england"
    [scotland]
    bank_holidays = "scotland"
    [ireland]
    bank_holidays = ["northern-ireland"]
    """)
    found = ["y" if sets.is_in(name, ms(f"{day}T12:00")) else "n" for name in sets.names]
    assert found == [england, scotland, ireland]


def test_a_holiday_begins_and_ends_at_londons_midnight() -> None:
    pytest.importorskip("holidays", reason="the library is not installed here")
    sets = read('[free]\nbank_holidays = "england"')
    edges = ["2026-05-24T22:59:59", "2026-05-24T23:00:00", "2026-05-25T22:59:59", "2026-05-25T23:00:00"]
    assert [sets.is_in("free", ms(edge)) for edge in edges] == [False, True, True, False]


OFFICE = read("""
[office]
hours = ["Mon-Fri 09:00-17:30", "Sat 10:00-13:00"]
dates = ["2026-11-29 10:00-16:00"]
not = ["closed"]
[closed]
dates = [2026-11-23, "2026-12-28 to 2026-12-31", "Dec 24 12:00-24:00", "Dec 25 to Jan 1"]
[summer]
dates = ["Jul 20 to Aug 31"]
[summer-office]
sets = ["office"]
within = ["summer"]
[round-the-clock]
hours = ["Fri-Mon"]
""")


@pytest.mark.parametrize(
    ("name", "utc", "answer"),
    cases("""
    # set            utc                answer
    office           2026-11-27T08:59:59  ->  n
    office           2026-11-27T09:00:00  ->  y
    office           2026-11-27T17:29:59  ->  y
    office           2026-11-27T17:30:00  ->  n
    office           2026-11-28T12:59:59  ->  y
    office           2026-11-28T13:00:00  ->  n
    office           2026-11-29T12:00:00  ->  y
    office           2026-12-06T12:00:00  ->  n
    # a day as TOML writes it
    office           2026-11-23T12:00:00  ->  n
    office           2026-12-24T11:59:59  ->  y
    office           2026-12-24T12:00:00  ->  n
    office           2026-12-29T12:00:00  ->  n
    # over the year's end, every year
    closed           2030-12-25T00:00:00  ->  y
    closed           2031-01-01T23:59:59  ->  y
    closed           2031-01-02T00:00:00  ->  n
    # summer time
    office           2026-07-20T07:59:59  ->  n
    office           2026-07-20T08:00:00  ->  y
    summer-office    2026-07-20T08:00:00  ->  y
    summer-office    2026-07-17T08:00:00  ->  n
    summer-office    2026-07-20T20:00:00  ->  n
    round-the-clock  2026-11-26T23:59:59  ->  n
    round-the-clock  2026-11-27T00:00:00  ->  y
    round-the-clock  2026-11-30T23:59:59  ->  y
    round-the-clock  2026-12-01T00:00:00  ->  n
    nobody-knows-it  2026-11-27T12:00:00  ->  n
    """),
)
def test_a_set_of_sets(name: str, utc: str, answer: str) -> None:
    assert OFFICE.is_in(name, ms(utc)) is (answer == "y")


def _last_sunday(year: int, month: int) -> datetime:
    last = date(year, month, 31)
    return datetime.combine(last - timedelta(days=last.isoweekday() % 7), datetime.min.time(), UTC)


def _london(utc: datetime) -> datetime:
    """By the rule of the law: summer time is from 01:00 GMT on the last Sunday of March to that of October."""
    hour = timedelta(hours=1)
    begins, ends = _last_sunday(utc.year, 3) + hour, _last_sunday(utc.year, 10) + hour
    return utc + hour if begins <= utc < ends else utc


MINUTES = st.integers(0, MINUTES_PER_DAY)
PERIODS = st.tuples(MINUTES, MINUTES).map(lambda ends: Period(min(ends), max(ends)))
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 17 * 365 * 86_400).map(
    lambda seconds: FIRST + timedelta(seconds=seconds)
) | st.sampled_from(
    [
        _last_sunday(year, month) + timedelta(minutes=minute)
        for year in (2026, 2027)
        for month in (3, 10)
        for minute in range(-120, 240, 30)
    ]
)


@given(MOMENTS, st.integers(0, 6), PERIODS)
def test_a_time_of_day_is_what_londons_clocks_show(utc: datetime, weekday: int, period: Period) -> None:
    hours = tuple((period,) if day == weekday else () for day in range(7))
    sets = TimeSets({"it": TimeSet(hours=hours, within=()), "other": TimeSet(excluded=("it",))})
    wall = _london(utc)
    is_in = wall.weekday() == weekday and period.start <= wall.hour * 60 + wall.minute < period.end
    at = round((utc - EPOCH) / timedelta(milliseconds=1))
    assert sets.is_in("it", at) is is_in
    # a set whose one period is empty has no time of its own
    assert sets.is_in("other", at) is not is_in


@given(st.integers(-(2**70), 2**70))
def test_no_clock_is_too_broken(utc_ms: int) -> None:
    assert OFFICE.is_in("office", utc_ms) in (True, False)


def test_many_sets_that_name_each_other_are_looked_at_once() -> None:
    sets = {f"s{n}": TimeSet(within=(f"s{n + 1}", f"s{n + 2}")) for n in range(190)}
    sets["s190"] = sets["s191"] = TimeSet()
    assert TimeSets(sets).is_in("s0", 0)


def test_a_circle_is_found() -> None:
    sets = {"a": TimeSet(sets=("b",)), "b": TimeSet(excluded=("c",)), "c": TimeSet(within=("a",))}
    assert way_back(sets, "a") == ("a", "b", "c")
    assert way_back({"a": TimeSet(sets=("b",)), "b": TimeSet(sets=("b",))}, "a") == ()


MISTAKES = """
[office]
hours = ["Mon-Fri 09:00-25:00"]
hour = ["Mon"]
not = ["holiday"]
[holidays]
bank_holidays = "france"
dates = ["2026-02-29"]
[x]
sets = ["y"]
[y]
not = ["x"]
[empty]
["Bad Name"]
[z]
dates = ["2026-12-31 to 2026-12-01", 3]
excluded = ["x"]
"""


def test_every_mistake_is_named_with_file_line_and_key(tmp_path: Path) -> None:
    folder = ConfFolder(tmp_path)
    folder.write("time-sets.toml", MISTAKES)
    problems = folder.problems()
    assert [problem.partition(", expected")[0] for problem in problems] == [
        'time-sets.toml:3: office.hours: found "Mon-Fri 09:00-25:00"',
        "time-sets.toml:4: office.hour: found an unknown key",
        'time-sets.toml:5: office.not: found "holiday"',
        'time-sets.toml:7: holidays.bank_holidays: found "france"',
        'time-sets.toml:8: holidays.dates: found "2026-02-29"',
        "time-sets.toml:9: x: found a set that leads back to itself: x to y to x",
        "time-sets.toml:11: y: found a set that leads back to itself: y to x to y",
        "time-sets.toml:13: empty: found an empty set",
        'time-sets.toml:14: "Bad Name": found "Bad Name"',
        'time-sets.toml:16: z.dates: found "2026-12-31 to 2026-12-01"',
        "time-sets.toml:17: z.excluded: found an unknown key",
    ]
    assert "perhaps holidays" in problems[2]


def test_a_folder_of_an_earlier_release_has_none(tmp_path: Path) -> None:
    folder = ConfFolder(tmp_path)
    (folder.path / "time-sets.toml").unlink()
    assert list(folder.load().time_sets.names) == []
