"""The periods of a subscription: from its first day, one after the other without a gap, half open [first, end).

On the anniversary they are whole. On the first of the month the first one is a part: from the first day up to the next
first of a month, charged by its days out of those of the whole period that would end there.
"""

import datetime
import enum
from collections.abc import Iterator
from typing import Final

import msgspec

from billing.subscriptions.months import months_after


class BillingPeriod(enum.StrEnum):
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    @property
    def months(self) -> int:
        return _MONTHS[self]


_MONTHS: Final = {BillingPeriod.MONTH: 1, BillingPeriod.QUARTER: 3, BillingPeriod.YEAR: 12}


class ChargeDay(enum.StrEnum):
    """When a period begins: on the day of the month on which the service began, or on the first of a month."""

    ANNIVERSARY = "anniversary"
    FIRST = "first"


class Period(msgspec.Struct, frozen=True):
    """`first` is its first day, `end` the day after its last. In a part period `whole_first` is before `first`."""

    first: datetime.date
    end: datetime.date
    whole_first: datetime.date

    @property
    def days(self) -> int:
        """Of the whole period: what the share of a day is counted by."""
        return (self.end - self.whole_first).days


class Rhythm(msgspec.Struct, frozen=True):
    """How a subscription's time is divided: all of its periods follow from these three."""

    starts_on: datetime.date
    billing_period: BillingPeriod
    charge_day: ChargeDay

    def at(self, day: datetime.date) -> Period:
        """The period that a day lies in; days before the first one lie in the first."""
        return self._period(self._number(day))

    def since(self, day: datetime.date) -> Iterator[Period]:
        """The period that a day lies in and all that follow, without an end."""
        number = self._number(day)
        while True:
            yield self._period(number)
            number += 1

    def _number(self, day: datetime.date) -> int:
        passed = (day.year - self.starts_on.year) * 12 + day.month - self.starts_on.month
        number = max(0, passed // self.billing_period.months - 1)
        while self._border(number + 1) <= day:
            number += 1
        return number

    def _period(self, number: int) -> Period:
        first, end = self._border(number), self._border(number + 1)
        is_part = number == 0 and self._has_part
        return Period(first, end, months_after(end, -self.billing_period.months) if is_part else first)

    def _border(self, number: int) -> datetime.date:
        months = self.billing_period.months
        if not self._has_part:
            return months_after(self.starts_on, months * number)
        if number == 0:
            return self.starts_on
        return months_after(self.starts_on.replace(day=1), 1 + months * (number - 1))

    @property
    def _has_part(self) -> bool:
        return self.charge_day is ChargeDay.FIRST and self.starts_on.day > 1
