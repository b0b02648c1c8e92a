"""Calendar days of London, through both clock changes."""

import datetime

import pytest

from rating.london_day import day_start_ms, first_day_of, london_day, month_of


def utc_ms(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-01-31T23:59:59.999+00:00", "2026-01-31"),
        ("2026-02-01T00:00:00+00:00", "2026-02-01"),
        ("2026-06-30T22:59:59.999+00:00", "2026-06-30"),
        ("2026-06-30T23:00:00+00:00", "2026-07-01"),  # summer: midnight is 23:00 UTC
        ("2026-03-29T00:00:00+00:00", "2026-03-29"),  # the day with 23 hours begins in winter time
        ("2026-03-29T22:59:59.999+00:00", "2026-03-29"),
        ("2026-03-29T23:00:00+00:00", "2026-03-30"),
        ("2026-10-24T23:00:00+00:00", "2026-10-25"),  # the day with 25 hours
        ("2026-10-25T23:59:59.999+00:00", "2026-10-25"),
        ("2026-10-26T00:00:00+00:00", "2026-10-26"),
    ],
)
def test_the_day_is_londons(at: str, day: str) -> None:
    assert london_day(utc_ms(at)) == datetime.date.fromisoformat(day).toordinal()


def test_every_day_of_some_years_begins_where_the_one_before_ends() -> None:
    first = datetime.date(2024, 1, 1).toordinal()
    for day in range(first, first + 3 * 366):
        start = day_start_ms(day)
        assert (london_day(start), london_day(start - 1)) == (day, day - 1)
        assert day_start_ms(day + 1) - start in (23 * 3_600_000, 24 * 3_600_000, 25 * 3_600_000)
        assert first_day_of(month_of(day)) == datetime.date.fromordinal(day).replace(day=1).toordinal()
