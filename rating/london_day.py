"""Calendar days and months of Europe/London as integers: what a spending cap counts by.

A day is its proleptic ordinal (`datetime.date.toordinal`), a month is twelve times the year and the month, from 0. The
days of the clock changes have 23 and 25 hours. London's clocks change at 01:00 UTC, so its midnights are unambiguous.
"""

import datetime
import zoneinfo
from typing import Final

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND: Final = datetime.timedelta(milliseconds=1)
_LONDON: Final = zoneinfo.ZoneInfo("Europe/London")


def london_day(utc_ms: int) -> int:
    """The day that London's calendars show at this instant."""
    return (_EPOCH + utc_ms * _MILLISECOND).astimezone(_LONDON).toordinal()


def day_start_ms(day: int) -> int:
    """UTC milliseconds of the day's first instant in London."""
    midnight = datetime.datetime.combine(datetime.date.fromordinal(day), datetime.time(), _LONDON)
    return (midnight.astimezone(datetime.UTC) - _EPOCH) // _MILLISECOND


def month_of(day: int) -> int:
    """The month that a day lies in."""
    date = datetime.date.fromordinal(day)
    return date.year * 12 + date.month - 1


def first_day_of(month: int) -> int:
    """The first day of a month."""
    return datetime.date(month // 12, month % 12 + 1, 1).toordinal()
