"""What a subscription is made of from which day on, and what a period of it costs.

A step holds until the next one: the product, how many, the price of each. A rise in price, a change of product and a
change of quantity are all steps, so one sum prices a period whatever happened in it, each day at that day's price.

Rounding: the exact shares of the days are added up from the first day that is charged, and the sum is cut down to a
whole micro at the end of every piece (GC C3: never more than the true extent of the service). So pieces add up to the
whole, and a whole period at one price costs that price to the micro.
"""

import datetime
import itertools
from collections.abc import Sequence

import msgspec

from billing.subscriptions.periods import Period, Rhythm
from billing.subscriptions.terms import Included


class Step(msgspec.Struct, frozen=True):
    """`product` is its title, `price_micros` of one, for a whole period, in the account's own VAT mode. Nothing is due
    before the first step."""

    first: datetime.date
    product: str
    quantity: int
    price_micros: int
    included: tuple[Included, ...] = ()
    product_id: int = 0

    @property
    def fee_micros(self) -> int:
        """Of a whole period."""
        return self.quantity * self.price_micros


class Piece(msgspec.Struct, frozen=True):
    """Some days of a period at one price: a line on an invoice. `end` is the day after the last."""

    first: datetime.date
    end: datetime.date
    product: str
    quantity: int
    price_micros: int
    amount_micros: int


class Stretch(msgspec.Struct, frozen=True):
    """Some days of a period with one product and one quantity, whatever their prices: what bundles are granted for."""

    first: datetime.date
    end: datetime.date
    step: Step


def step_at(steps: Sequence[Step], day: datetime.date) -> Step:
    """The one that holds on a day; the first one before its time. `steps` are in order, at least one."""
    found = steps[0]
    for step in steps[1:]:
        if step.first > day:
            break
        found = step
    return found


def pieces_of(
    period: Period,
    steps: Sequence[Step],
    *,
    since: datetime.date = datetime.date.min,
    until: datetime.date = datetime.date.max,
) -> list[Piece]:
    """What the days of a period from `since` up to, without, `until` cost."""
    first, end = max(period.first, since), min(period.end, until)
    cuts = [first, *(step.first for step in steps if first < step.first < end), end]
    pieces: list[Piece] = []
    exact = charged = 0  # exact: micros times days of the whole period
    for cut, following in itertools.pairwise(cuts):
        if following <= cut:
            continue
        step = step_at(steps, cut)
        exact += step.fee_micros * (following - cut).days
        amount = exact // period.days - charged
        charged += amount
        pieces.append(Piece(cut, following, step.product, step.quantity, step.price_micros, amount))
    return pieces


def stretches_of(
    period: Period, steps: Sequence[Step], *, since: datetime.date, until: datetime.date
) -> list[Stretch]:
    """The days of a period from `since` up to, without, `until`."""
    found: list[Stretch] = []
    for piece in pieces_of(period, steps, since=since, until=until):
        step = step_at(steps, piece.first)
        if found and is_same_service(found[-1].step, step):
            found[-1] = Stretch(found[-1].first, piece.end, found[-1].step)
        else:
            found.append(Stretch(piece.first, piece.end, step))
    return found


def is_same_service(one: Step, other: Step) -> bool:
    return (one.product_id, one.product, one.quantity, one.included) == (
        other.product_id,
        other.product,
        other.quantity,
        other.included,
    )


def cost_of(pieces: Sequence[Piece]) -> int:
    return sum(piece.amount_micros for piece in pieces)


def cost_between(rhythm: Rhythm, steps: Sequence[Step], since: datetime.date, until: datetime.date) -> int:
    """Micros of all days from `since` up to, without, `until`: 0 where there are none."""
    total = 0
    if until <= since:
        return total
    for period in rhythm.since(since):
        if period.first >= until:
            break
        total += cost_of(pieces_of(period, steps, since=since, until=until))
    return total
