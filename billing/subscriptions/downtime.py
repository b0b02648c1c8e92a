"""What a subscription is worth for the time in which it did not work: fee x downtime / period. Pure, in UTC
milliseconds.

A period has the milliseconds that London's clocks give it: 23 hours on one day of spring, 25 on one of autumn.
Rounding: once, at the end, up to a whole micro - what is given back is never less than what was not supplied.
"""

import datetime
from collections.abc import Iterable
from fractions import Fraction
from typing import Final

import msgspec

from billing.subscriptions.steps import pieces_of
from billing.subscriptions.subscription import Subscription
from rating.london_day import day_start_ms, london_day
from rating.money import format_pounds

Interval = tuple[int, int]  # UTC milliseconds, half open
_MS_PER_S: Final = 1000


class Credit(msgspec.Struct, frozen=True):
    """`computation`: a sentence for each price that held in the time."""

    amount_micros: int
    computation: tuple[str, ...]


def downtime_credit(subscription: Subscription, down: Interval, given: Iterable[Interval] = ()) -> Credit:
    """`given`: times for which the subscription has a credit already; a minute is given back once."""
    left = without(down, given)
    first = datetime.date.fromordinal(london_day(down[0]))
    total = Fraction(0)
    lines: list[str] = []
    for period in subscription.rhythm.since(max(first, subscription.starts_on)):
        if period.first >= subscription.charged_until or _midnight(period.first) >= down[1]:
            break
        length = _midnight(period.end) - _midnight(period.whole_first)
        for piece in pieces_of(period, subscription.steps, until=_served_to(subscription, period.end)):
            served = (_midnight(piece.first), _midnight(piece.end))
            lost = sum(_overlap(interval, served) for interval in left)
            if lost and piece.amount_micros:
                fee = piece.quantity * piece.price_micros
                total += Fraction(fee * lost, length)
                lines.append(
                    f"{piece.product}: {format_pounds(fee)} x {lost // _MS_PER_S} s / {length // _MS_PER_S} s"
                )
    return Credit(-(-total.numerator // total.denominator), tuple(lines))


def without(interval: Interval, given: Iterable[Interval]) -> list[Interval]:
    """The parts of an interval that none of the others covers."""
    left: list[Interval] = []
    at, end = interval
    for first, last in sorted(given):
        if first > at:
            left.append((at, min(first, end)))
        at = max(at, last)
        if at >= end:
            break
    if at < end:
        left.append((at, end))
    return [(first, last) for first, last in left if first < last]


def _served_to(subscription: Subscription, end: datetime.date) -> datetime.date:
    ending = subscription.ending
    return end if ending is None else min(end, ending.ceases_on)


def _overlap(one: Interval, other: Interval) -> int:
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def _midnight(day: datetime.date) -> int:
    return day_start_ms(day.toordinal())
