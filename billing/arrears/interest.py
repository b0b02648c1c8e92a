"""Interest on an invoice that is paid late, to the micro: simple, by the day, on what was open on each day.

Statutory: 8 % over the Bank Rate that was in force on 31 December or 30 June before the first day of interest, for as
long as that debt lasts (Late Payment of Commercial Debts (Rate of Interest) (No. 3) Order 2002, art. 4), and once a
fixed sum by the size of the debt (section 5A of the Act of 1998). Days count from the day after the invoice was due
to the day before the one on which it was paid; a year has 365.

What is charged is the whole since the first day, less what was charged before, down to a whole penny: rounding never
adds up, whatever periods are charged. The example of gov.uk rounds the daily amount instead (1,000 pounds at 8.5 %
for 50 days: 23p a day, 11.50 pounds); exactly it is 11.64. A credit note counts from the first day: what was never
owed bore no interest, and what was charged for it is given back. Interest bears no interest
(billing/arrears/charges.py).
"""

import datetime
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from billing.conf_arrears import STATUTORY, ArrearsConf, Ladder, LatePayment

PENNY_MICROS: Final = 10_000
BASIS_POINTS: Final = 10_000
DAYS_A_YEAR: Final = 365


class Change(msgspec.Struct, frozen=True):
    """So much less was open from that day on (negative: more, as a payment came back)."""

    day: datetime.date
    paid_micros: int


class Owed(msgspec.Struct, frozen=True):
    """An invoice, without what a credit note took from it and without the interest that stands on it."""

    due_on: datetime.date
    principal_micros: int
    changes: Sequence[Change] = ()

    def open_at_end_of(self, day: datetime.date) -> int:
        return max(
            0, self.principal_micros - sum(each.paid_micros for each in self.changes if each.day <= day)
        )


def reference_day(due_on: datetime.date) -> datetime.date:
    """The day whose Bank Rate counts for a debt whose interest begins on the day after `due_on`."""
    first = due_on + datetime.timedelta(1)
    return datetime.date(first.year, 6, 30) if first.month > 6 else datetime.date(first.year - 1, 12, 31)


def rate_of(ladder: Ladder, due_on: datetime.date, conf: ArrearsConf) -> int:
    """Basis points a year; 0 is none. Raises NothingYet where the Bank Rate of that day is not known."""
    if ladder.interest != STATUTORY:
        return ladder.interest
    base = conf.bank_rate.at(reference_day(due_on))
    return base.percent + conf.late_payment.at(due_on).over_base


def interest_through(owed: Owed, basis_points: int, last: datetime.date) -> int:
    """Micros for all days up to and including the last, down to a whole penny."""
    return whole_pennies(micro_days(owed, last) * basis_points, BASIS_POINTS * DAYS_A_YEAR)


def micro_days(owed: Owed, last: datetime.date) -> int:
    """The open micros of each day, added up. By the stretches between changes: an old debt has thousands of days."""
    day, end = owed.due_on + datetime.timedelta(1), last + datetime.timedelta(1)
    borders = sorted({change.day for change in owed.changes if day < change.day < end})
    total = 0
    for border in (*borders, end):
        total += owed.open_at_end_of(day) * max(0, (border - day).days)
        day = border
    return total


def whole_pennies(product: int, divisor: int) -> int:
    """Down: nobody pays more than he owes."""
    return product // (divisor * PENNY_MICROS) * PENNY_MICROS


def fixed_sum(owed: Owed, act: LatePayment) -> int:
    """What section 5A adds for the debt as it was when it became overdue."""
    debt = owed.open_at_end_of(owed.due_on)
    if debt <= 0:
        return 0
    if debt < act.middle_from:
        return act.small_sum
    return act.middle_sum if debt < act.large_from else act.large_sum


def closed_on(owed: Owed) -> datetime.date | None:
    """The day since which nothing is open; None: something is."""
    days = sorted({owed.due_on, *(change.day for change in owed.changes)})
    if owed.open_at_end_of(days[-1]) > 0:
        return None
    closed = days[-1]
    for day in reversed(days):
        if owed.open_at_end_of(day) > 0:
            break
        closed = day
    return closed


def end_of_month_before(day: datetime.date) -> datetime.date:
    return day.replace(day=1) - datetime.timedelta(1)


def total(changes: Iterable[Change]) -> int:
    return sum(change.paid_micros for change in changes)
