"""What bundles do to the price of a call: its first seconds are covered, the usage of the others may be discounted.

A call is covered from its first second for as long as bundles reach; then money begins. Its connect fee is that of
where the first second comes from: the bundle's own, else the rate's, less the discount. A covered call is measured in
the bundle's steps, and what a bundle has less than a step of left is a step of its own. Seconds after the covered ones
are billed in the rate's intervals, counted from the beginning of the call, as charge.py does. Calls to 084, 087, 09
and 118 are never covered, nor discounted: the service charge is another company's. Pure: a call that is up
and one that only the journal remembers come to the same.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from rating.bundle_terms import Piece, Used
from rating.charge import NOTHING_CHARGED, Charge, affordable_s, charge_billed, whole_intervals_s
from rating.money import Micros
from rating.rate import Rate

PERCENT: Final = 100


class Cover(msgspec.Struct, frozen=True):
    """What an account's bundles do for one call. `rate` is the one of the tariff, `number` what is called."""

    rate: Rate
    number: str
    pieces: tuple[Piece, ...]
    percent: int

    @property
    def seconds(self) -> int:
        return covered_s(self.pieces)


def covered_s(pieces: Sequence[Piece]) -> int:
    return sum(piece.seconds for piece in pieces)


def discounted(micros: Micros, percent: int) -> Micros:
    """Rounded once, down: the odd micro is the customer's."""
    return micros * (PERCENT - percent) // PERCENT


def with_connect_fee(rate: Rate, fee_micros: Micros) -> Rate:
    """The rate with the connect fee that the call really costs."""
    if rate.connect_fee_micros == fee_micros and not rate.depends_on_time:
        return rate
    return rate.with_connect_fee(fee_micros)


def is_discountable(rate: Rate) -> bool:
    """A service charge is another's money: a discount leaves such rates alone."""
    charged = charge_billed(rate, rate.initial_s)
    return charged.total_micros == charged.connect_fee_micros + charged.usage_micros


def charge_covered(rate: Rate, billed_s: int, *, pieces: Sequence[Piece], percent: int, at_ms: int) -> Charge:
    """The price of `billed_s` seconds of which the first ones are covered: whole steps, then whole intervals."""
    if billed_s == 0:
        return NOTHING_CHARGED
    reach_s = covered_s(pieces)
    if billed_s <= reach_s:
        return Charge(billed_s, rate.connect_fee_micros, 0)
    charged = charge_billed(rate, billed_s, at_ms=at_ms, covered_s=reach_s)
    if not percent:
        return charged
    return msgspec.structs.replace(charged, usage_micros=discounted(charged.usage_micros, percent))


def grantable_covered_s(
    rate: Rate, wanted_s: int, *, pieces: Sequence[Piece], percent: int, at_ms: int, budget_micros: Micros
) -> int:
    """Seconds from the call's first on that cover `wanted_s`, or as many as bundles and budget reach for."""
    reach_s = covered_s(pieces)
    if reach_s >= wanted_s:
        return reach_s
    budget_micros = _before_discount(rate, budget_micros, percent)
    paid_s = affordable_s(rate, budget_micros, at_ms=at_ms, covered_s=reach_s)
    return max(reach_s, min(whole_intervals_s(rate, wanted_s), paid_s))


def settle_covered(
    rate: Rate, duration_ms: int, *, granted_s: int, pieces: Sequence[Piece], percent: int, at_ms: int
) -> tuple[Charge, tuple[Used, ...]]:
    """What a call of this duration costs and uses up, never more than was set aside for it."""
    talked_s = min(-(-duration_ms // 1000), granted_s)
    reach_s = covered_s(pieces)
    used = _used(pieces, talked_s)
    if talked_s <= reach_s:
        billed_s = sum(one.seconds for one in used)
    else:
        billed_s = min(whole_intervals_s(rate, talked_s), granted_s)
    return charge_covered(rate, billed_s, pieces=pieces, percent=percent, at_ms=at_ms), used


def _used(pieces: Sequence[Piece], talked_s: int) -> tuple[Used, ...]:
    """By bundle, in the order in which they were drawn on."""
    found: dict[int, Used] = {}
    for piece in pieces:
        if talked_s <= 0:
            break
        drawn_s = min(whole_steps_s(talked_s, piece.increment_s), piece.seconds)
        talked_s -= piece.seconds
        before = found.get(piece.bundle_id, Used(piece.bundle_id, 0, 0))
        carried_s = before.carried_s + (drawn_s if piece.is_carried else 0)
        found[piece.bundle_id] = Used(piece.bundle_id, before.seconds + drawn_s, carried_s, piece.number)
    return tuple(found.values())


def whole_steps_s(seconds: int, increment_s: int) -> int:
    return -(-seconds // increment_s) * increment_s


def _before_discount(rate: Rate, budget_micros: Micros, percent: int) -> Micros:
    """The most that calls may come to before the discount so that they are within the budget after it."""
    if not percent or budget_micros < rate.connect_fee_micros:
        return budget_micros
    if percent == PERCENT:
        return _MORE_THAN_ANY_CALL
    usage_micros = (PERCENT * (budget_micros - rate.connect_fee_micros + 1) - 1) // (PERCENT - percent)
    return rate.connect_fee_micros + usage_micros


# CALL_S_MAX at the dearest price there may be is a tenth of it.
_MORE_THAN_ANY_CALL: Final = 10**16
