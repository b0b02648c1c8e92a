"""Days on which somebody may lose service: on which a bank is open to pay at, and somebody is there to be called."""

import datetime
import functools
from collections.abc import Callable
from typing import Final

from billing.conf_arrears import ArrearsSettings, Region

SATURDAY: Final = 5
_SUBDIVISIONS: Final = {Region.ENGLAND: "ENG", Region.SCOTLAND: "SCT", Region.NORTHERN_IRELAND: "NIR"}


def open_days(settings: ArrearsSettings) -> Callable[[datetime.date], bool]:
    """Weekdays that are no bank holiday; with `not_before_days_off` no day before a day off either, so no Friday."""
    tomorrow = datetime.timedelta(1)

    def is_open(day: datetime.date) -> bool:
        if not is_working_day(day, settings.region):
            return False
        return not settings.not_before_days_off or is_working_day(day + tomorrow, settings.region)

    return is_open


def is_working_day(day: datetime.date, region: Region) -> bool:
    """Neither a weekend's nor a bank holiday."""
    return day.weekday() < SATURDAY and day not in _bank_holidays(region, day.year)


@functools.cache
def _bank_holidays(region: Region, year: int) -> frozenset[datetime.date]:
    # Here, so that a command which asks for none does not load the library.
    from holidays import country_holidays  # noqa: PLC0415

    return frozenset(country_holidays("GB", subdiv=_SUBDIVISIONS[region], years=year))
