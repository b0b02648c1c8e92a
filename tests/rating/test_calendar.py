"""Dates of London on paper, UTC milliseconds in memory, both clock changes included."""

import datetime

import pytest

from rating.calendar import CalendarProblem, parse_end_ms, parse_start_ms
from tests.tables import cases


def utc(text: str) -> int:
    when = datetime.datetime.fromisoformat(text)
    assert when.tzinfo is not None
    return int(when.timestamp()) * 1000


@pytest.mark.parametrize(
    ("text", "start", "end"),
    cases("""
        # text               -> start                      end
        2026-01-31           -> 2026-01-31T00:00:00+00:00  2026-02-01T00:00:00+00:00
        2026-07-01           -> 2026-06-30T23:00:00+00:00  2026-07-01T23:00:00+00:00
        # the days of the clock changes have 23 and 25 hours
        2026-03-29           -> 2026-03-29T00:00:00+00:00  2026-03-29T23:00:00+00:00
        2026-10-25           -> 2026-10-24T23:00:00+00:00  2026-10-26T00:00:00+00:00
        2026-07-01T07:00     -> 2026-07-01T06:00:00+00:00  2026-07-01T06:00:00+00:00
        2026-07-01T07:00:30  -> 2026-07-01T06:00:30+00:00  2026-07-01T06:00:30+00:00
        2026-07-01T07:00Z    -> 2026-07-01T07:00:00+00:00  2026-07-01T07:00:00+00:00
        2026-10-25T00:59:59  -> 2026-10-24T23:59:59+00:00  2026-10-24T23:59:59+00:00
        2026-10-25T01:30Z    -> 2026-10-25T01:30:00+00:00  2026-10-25T01:30:00+00:00
        2026-10-25T02:00     -> 2026-10-25T02:00:00+00:00  2026-10-25T02:00:00+00:00
        2028-02-29           -> 2028-02-29T00:00:00+00:00  2028-03-01T00:00:00+00:00
        2026-12-31           -> 2026-12-31T00:00:00+00:00  2027-01-01T00:00:00+00:00
    """),
)
def test_a_date_begins_at_londons_midnight_and_ends_with_the_day(text: str, start: str, end: str) -> None:
    assert parse_start_ms(text) == utc(start)
    assert parse_end_ms(text) == utc(end)


def test_a_space_may_stand_for_the_t() -> None:
    assert parse_start_ms("2026-07-01 07:00") == parse_start_ms("2026-07-01T07:00")


@pytest.mark.parametrize(
    "text", ["2026-10-25T01:00", "2026-10-25T01:59:59", "2026-03-29T01:00", "2026-03-29T01:30"]
)
def test_a_time_that_the_clock_change_repeats_or_skips_is_refused(text: str) -> None:
    with pytest.raises(CalendarProblem, match="exactly once"):
        parse_start_ms(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "31/01/2026",
        "2026-1-1",
        "20260101",
        "2026-02-30",
        "2026-13-01",
        "2026-01-01T24:00",
        "2026-01-01T7:00",
        "2026-01-01T07:00+01:00",
        "2026-01-01T07:00:00.5",
        "2026-W01-1",
        "1999-12-31",
        "2200-01-01",
        "\uff12026-01-01",
        "2026-01-01\n",
    ],
)
def test_what_is_not_a_date_is_refused(text: str) -> None:
    with pytest.raises(CalendarProblem) as caught:
        parse_start_ms(text)
    assert caught.value.found == text
    assert "such as 2026-01-31" in caught.value.expected
