"""What a call would be charged, by the engine that charges live ones: on an account of its own, with all the credit.

The account has the bundles that it is given, as they are at the moment; nothing of them is used up anywhere else.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from rating.account import AccountTerms
from rating.bundle_terms import BundleTerms, Used
from rating.charge import NOTHING_CHARGED, Charge
from rating.engine import Engine, Reservation
from rating.money import MICROS_PER_POUND, VatMode
from rating.rate import Rate

_CALL: Final = "rehearsed"
# More than the longest call at the dearest price costs.
_CREDIT_MICROS: Final = 10**9 * MICROS_PER_POUND


class BundleNow(NamedTuple):
    """A bundle, and what of it has been used."""

    terms: BundleTerms
    used_s: int = 0
    carried_s: int = 0
    destinations: tuple[str, ...] = ()


class Rehearsed(msgspec.Struct, frozen=True):
    """`rate` is the one that was charged by: a bundle may have its own connect fee. `percent` is the discount's.
    `granted_s`: the call ends there (at its cap), if it has not ended before."""

    charge: Charge
    rate: Rate
    used: tuple[Used, ...] = ()
    percent: int = 0
    granted_s: int = 0

    @property
    def covered_s(self) -> int:
        return sum(one.seconds for one in self.used)


def rehearse(
    rate: Rate, duration_ms: int, *, at_ms: int, number: str, account_id: int = 1, bundles: Iterable[BundleNow] = ()
) -> Rehearsed:
    """A call that is set up and answered at `at_ms` and lasts so long."""
    if rate.is_free or duration_ms == 0:
        return Rehearsed(NOTHING_CHARGED, rate)
    engine = Engine()
    vat = VatMode.INC_VAT if rate.vat is None else rate.vat
    engine.set_account(AccountTerms(id=account_id, vat=vat, floor_micros=-_CREDIT_MICROS, is_suspended=False))
    for bundle in bundles:
        engine.bundles.load(
            bundle.terms, used_s=bundle.used_s, carried_s=bundle.carried_s, destinations=bundle.destinations
        )
    ahead_s = -(-duration_ms // 1000)
    held = engine.reserve(_CALL, account_id, rate, initial_ahead_s=ahead_s, at_ms=at_ms, number=number)
    assert isinstance(held, Reservation), "a call that all the credit does not pay"
    engine.start(_CALL, at_ms)
    engine.extend(_CALL, until_s=ahead_s)
    begun = engine.reservation(_CALL)
    assert begun is not None
    settlement = engine.settle(_CALL, duration_ms)
    percent = 0 if begun.cover is None else begun.cover.percent
    return Rehearsed(settlement.charge, begun.rate, settlement.used, percent, begun.granted_s)
