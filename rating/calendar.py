"""Dates and times as a UK operator writes them: Europe/London on paper, UTC milliseconds in memory.

An ISO date, or a date and time to the minute or second, in London's local time; with a Z behind it, in UTC.
A time that the clock change skips or repeats is refused, because nobody can say which instant was meant:
write it with Z. Time bands and bank holidays are not here yet.
"""

import datetime
import re
import zoneinfo

from rating.problem import TextProblem

YEAR_MIN = 2000  # London kept summer time all winter from 1968 to 1971, and no tariff is that old
YEAR_MAX = 2199  # beyond it a slip of the finger is likelier than a price

_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?(Z?))?")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND = datetime.timedelta(milliseconds=1)
_DAY = datetime.timedelta(days=1)

TIME_EXPECTED = f"a date such as 2026-01-31, or 2026-01-31T07:00, of the years {YEAR_MIN} to {YEAR_MAX}"
ONCE_EXPECTED = (
    "a time that London's clocks show exactly once on that day; or write it in UTC with a Z behind it"
)


class CalendarProblem(TextProblem):
    """The text is not a date or time, or not one certain instant."""


def parse_start_ms(text: str) -> int:
    """UTC milliseconds of the instant from which something holds: a date alone means its first midnight."""
    when, _ = _parse(text)
    return _utc_ms(text, when)


def parse_end_ms(text: str) -> int:
    """UTC milliseconds of the instant at which something no longer holds.

    A date alone is the last day on which it still holds, as people mean it: the instant is the midnight
    after it. A date with a time is that instant.
    """
    when, is_date = _parse(text)
    return _utc_ms(text, when + _DAY if is_date else when)


def day_in_london(utc_ms: int) -> str:
    """The ISO date of an instant where the customers are."""
    when = _EPOCH + utc_ms * _MILLISECOND
    return when.astimezone(zoneinfo.ZoneInfo("Europe/London")).date().isoformat()


def start_text(utc_ms: int) -> str:
    """The shortest text that `parse_start_ms` reads as this instant: London's date at midnight, else UTC with a Z."""
    when = _EPOCH + utc_ms * _MILLISECOND
    local = when.astimezone(zoneinfo.ZoneInfo("Europe/London"))
    if (local.hour, local.minute, local.second) == (0, 0, 0):
        return local.date().isoformat()
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse(text: str) -> tuple[datetime.datetime, bool]:
    """The time, aware only when it was given in UTC, and whether it was a date alone."""
    match = _TIME.fullmatch(text.strip(" \t"))
    if match is None:
        raise CalendarProblem(text, TIME_EXPECTED)
    year, month, day, hour, minute, second, zone = match.groups()
    if not YEAR_MIN <= int(year) <= YEAR_MAX:
        raise CalendarProblem(text, TIME_EXPECTED)
    try:
        when = datetime.datetime(  # noqa: DTZ001 - local time until _utc_ms has looked at the clock changes
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        )
    except ValueError:
        raise CalendarProblem(text, TIME_EXPECTED) from None
    return (when.replace(tzinfo=datetime.UTC) if zone else when), hour is None


def _utc_ms(text: str, when: datetime.datetime) -> int:
    if when.tzinfo is None:
        london = zoneinfo.ZoneInfo("Europe/London")
        first, second = (when.replace(tzinfo=london, fold=fold).astimezone(datetime.UTC) for fold in (0, 1))
        if first != second:  # repeated in autumn, skipped in spring: the two readings differ in both cases
            raise CalendarProblem(text, ONCE_EXPECTED)
        when = first
    return (when - _EPOCH) // _MILLISECOND
