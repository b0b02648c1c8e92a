"""The voluntary scheme of automatic compensation for residential landline and broadband: days, and what they give.
Pure.

Delayed repair: not repaired by the midnight that ends the second full working day after the report, a sum for that
day and for each calendar day after it, without the day of the repair. Delayed start: a sum for each calendar day from
the one that was promised to the one before the start. A missed appointment: a sum.
"""

import datetime
from collections.abc import Callable
from functools import cache
from typing import Final

import holidays

_DAY: Final = datetime.timedelta(days=1)
FULL_WORKING_DAYS: Final = 2
_SATURDAY: Final = 5


def repair_days(
    reported_on: datetime.date, repaired_on: datetime.date, is_working: Callable[[datetime.date], bool]
) -> int:
    """How many days are compensated. The day of the report is not a full one."""
    day, left = reported_on, FULL_WORKING_DAYS
    while left:
        day += _DAY
        left -= is_working(day)
    return max(0, (repaired_on - day).days)


def start_days(promised_on: datetime.date, started_on: datetime.date) -> int:
    return max(0, (started_on - promised_on).days)


def is_working_day(day: datetime.date) -> bool:
    """Monday to Friday, but for the bank holidays of England."""
    return day.weekday() < _SATURDAY and day not in _bank_holidays(day.year)


@cache
def _bank_holidays(year: int) -> frozenset[datetime.date]:
    return frozenset(holidays.country_holidays("GB", subdiv="ENG", years=year))
