"""Months and periods: every length of month, the 29th of February, starts on the 31st."""

import datetime
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.subscriptions.months import months_after, words
from billing.subscriptions.periods import BillingPeriod, ChargeDay, Rhythm
from tests.billing.subscriptions.contracts import day

days = st.dates(datetime.date(2019, 1, 1), datetime.date(2060, 12, 31))
rhythms = st.builds(Rhythm, days, st.sampled_from(BillingPeriod), st.sampled_from(ChargeDay))

MONTHS = """
2026-01-31   1 -> 2026-02-28
2026-01-31   2 -> 2026-03-31
2028-01-31   1 -> 2028-02-29
2028-02-29  12 -> 2029-02-28
2028-02-29  48 -> 2032-02-29
2026-03-31   1 -> 2026-04-30
2026-08-31   6 -> 2027-02-28
2026-12-15   1 -> 2027-01-15
2026-03-31  -1 -> 2026-02-28
2026-01-15 -12 -> 2025-01-15
2026-10-25   0 -> 2026-10-25
"""

PERIODS = """
# starts      period  day          -> the first days of the first five
2026-01-31    month   anniversary  -> 2026-01-31 2026-02-28 2026-03-31 2026-04-30 2026-05-31
2028-01-29    month   anniversary  -> 2028-01-29 2028-02-29 2028-03-29 2028-04-29 2028-05-29
2028-02-29    year    anniversary  -> 2028-02-29 2029-02-28 2030-02-28 2031-02-28 2032-02-29
2026-11-30    quarter anniversary  -> 2026-11-30 2027-02-28 2027-05-30 2027-08-30 2027-11-30
2026-01-15    month   first        -> 2026-01-15 2026-02-01 2026-03-01 2026-04-01 2026-05-01
2026-01-01    month   first        -> 2026-01-01 2026-02-01 2026-03-01 2026-04-01 2026-05-01
2026-01-31    quarter first        -> 2026-01-31 2026-02-01 2026-05-01 2026-08-01 2026-11-01
2028-02-29    year    first        -> 2028-02-29 2028-03-01 2029-03-01 2030-03-01 2031-03-01
"""


def table(text: str) -> list[list[str]]:
    lines = [line for line in text.strip().split("\n") if not line.startswith("#")]
    return [line.replace("->", " ").split() for line in lines]


@pytest.mark.parametrize("row", table(MONTHS), ids=" ".join)
def test_a_month_later_is_the_same_day_or_the_last_one(row: list[str]) -> None:
    assert months_after(day(row[0]), int(row[1])) == day(row[2])


@pytest.mark.parametrize("row", table(PERIODS), ids=" ".join)
def test_periods_begin_on_the_anniversary_of_the_start_or_on_the_first(row: list[str]) -> None:
    rhythm = Rhythm(day(row[0]), BillingPeriod(row[1]), ChargeDay(row[2]))
    assert [period.first.isoformat() for period in islice(rhythm.since(day(row[0])), 5)] == row[3:]


def test_a_part_period_is_counted_by_the_whole_one_that_ends_there() -> None:
    rhythm = Rhythm(day("2026-02-10"), BillingPeriod.MONTH, ChargeDay.FIRST)
    first = rhythm.at(day("2026-02-10"))
    assert (first.first, first.end, first.whole_first) == (
        day("2026-02-10"),
        day("2026-03-01"),
        day("2026-02-01"),
    )
    assert first.days == 28


@given(rhythms, st.integers(0, 2000))
def test_every_day_lies_in_one_period_and_they_follow_without_a_gap(rhythm: Rhythm, later: int) -> None:
    when = rhythm.starts_on + datetime.timedelta(days=later)
    period = rhythm.at(when)
    assert period.first <= when < period.end
    assert period.whole_first <= period.first
    for one, following in pairwise(islice(rhythm.since(when), 14)):
        assert one.end == following.first


@given(days, st.integers(-500, 500))
def test_months_never_skip_into_another_month(since: datetime.date, months: int) -> None:
    later = months_after(since, months)
    assert later.year * 12 + later.month == since.year * 12 + since.month + months
    assert later.day == since.day or (later + datetime.timedelta(days=1)).day == 1


def test_dates_are_written_as_people_read_them() -> None:
    assert words(day("2026-04-01")) == "1 April 2026"
