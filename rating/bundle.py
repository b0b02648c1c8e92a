"""An account's bundles while calls run on them: what is used, what is set aside, what is left.

Seconds go in two phases as money does: set aside for a call, lengthened ahead of it, used or given back when it ends,
each to the bundle that it came from. What is set aside counts as used for every other call, so however many draw on one
bundle at once, it is never overdrawn, and granted = used + set aside + left at every moment.

A bundle pays for the seconds of a call that begin while it holds; one that spans its end goes on with the next bundle.
Bundles are drawn on in this order: the soonest to expire, then the greater priority, then the one granted first. Of
several discounts the greatest holds; they are not added up. Nothing here reads a clock: second n of a call is
at_ms + n * 1000.
"""

from collections import Counter
from typing import Final

import msgspec

from rating.bundle_terms import BundleTerms, Piece, Used
from rating.cover import (
    PERCENT,
    Cover,
    covered_s,
    discounted,
    is_discountable,
    whole_steps_s,
    with_connect_fee,
)
from rating.money import Micros
from rating.rate import Rate

NEVER_MS: Final = 1 << 62

# A call that finds so many scraps of bundles goes on on money: the record of each stands in its open call.
PIECES_PER_CALL_MAX: Final = 50

# How long after its end a bundle is kept in memory, so that a clock that was set back finds it still.
KEPT_AFTER_MS: Final = 86_400_000


class BundleTotals(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle at one moment. `left_s` is what further calls may draw; for a discount all three are 0."""

    terms: BundleTerms
    used_s: int
    reserved_s: int
    left_s: int
    destinations: int


class FairUseWarning(msgspec.Struct, frozen=True):
    """A bundle that was sold as unlimited has come to its limit; further calls cost money. Said once a bundle."""

    account_id: int
    bundle_id: int
    name: str
    what: str


class LiveBundle:
    """One bundle. Of its seconds `carried_s` and `carried_reserved_s` belong to the time after it has expired."""

    __slots__ = (
        "carried_reserved_s",
        "carried_s",
        "destinations",
        "dialling",
        "is_warned",
        "reserved_s",
        "terms",
        "used_s",
    )

    def __init__(self, terms: BundleTerms) -> None:
        self.terms = terms
        self.used_s = 0
        self.carried_s = 0
        self.reserved_s = 0
        self.carried_reserved_s = 0
        self.destinations: set[str] = set()  # kept only where they are limited
        self.dialling: Counter[str] = Counter()  # of calls that are not settled yet
        self.is_warned = False

    def copy(self) -> "LiveBundle":
        other = LiveBundle(self.terms)
        other.used_s, other.carried_s = self.used_s, self.carried_s
        other.reserved_s, other.carried_reserved_s = self.reserved_s, self.carried_reserved_s
        other.destinations, other.dialling = self.destinations.copy(), self.dialling.copy()
        return other

    def is_carried_at(self, at_ms: int) -> bool:
        return self.terms.expires_at_ms is not None and at_ms >= self.terms.expires_at_ms

    def ends_at_ms(self, at_ms: int) -> int:
        """The end of the time, the first or that of the carry-over, in which this instant lies."""
        ends_at_ms = self.terms.over_at_ms if self.is_carried_at(at_ms) else self.terms.expires_at_ms
        return NEVER_MS if ends_at_ms is None else ends_at_ms

    def holds_at(self, at_ms: int) -> bool:
        return self.terms.valid_from_ms <= at_ms < self.ends_at_ms(at_ms)

    def left_s(self, at_ms: int) -> int:
        """What may still be set aside at this instant; negative after the grant was lowered below what is in use."""
        left_s = self.terms.granted_s - self.used_s - self.reserved_s
        if self.is_carried_at(at_ms):
            left_s = min(left_s, self.terms.carry_max_s - self.carried_s - self.carried_reserved_s)
        return left_s

    def takes_number(self, number: str) -> bool:
        """Whether fair use allows one more call there."""
        limit = self.terms.destinations_max
        if not limit or number in self.destinations or number in self.dialling:
            return True
        return len(self.destinations | self.dialling.keys()) < limit

    def reserve(self, piece: Piece) -> None:
        assert 0 < piece.seconds <= self.terms.granted_s - self.used_s - self.reserved_s, (
            "a bundle is overdrawn"
        )
        self.reserved_s += piece.seconds
        if piece.is_carried:
            self.carried_reserved_s += piece.seconds

    def release(self, piece: Piece) -> None:
        assert piece.seconds <= self.reserved_s, "more given back to a bundle than it had set aside"
        self.reserved_s -= piece.seconds
        if piece.is_carried:
            self.carried_reserved_s -= piece.seconds

    def use(self, used: Used) -> None:
        """Seconds are gone."""
        self.used_s += used.seconds
        self.carried_s += used.carried_s
        if used.number:
            self.destinations.add(used.number)

    def totals(self, at_ms: int) -> BundleTotals:
        left_s = max(0, self.left_s(at_ms)) if self.holds_at(at_ms) else 0
        return BundleTotals(
            terms=self.terms,
            used_s=self.used_s,
            reserved_s=self.reserved_s,
            left_s=left_s,
            destinations=len(self.destinations),
        )


class AccountBundles:
    """All of one account. `warnings` is the list that fair-use limits are said to."""

    __slots__ = ("live", "warnings")

    def __init__(self, warnings: list[FairUseWarning]) -> None:
        self.live: dict[int, LiveBundle] = {}
        self.warnings = warnings

    def copy(self) -> "AccountBundles":
        other = AccountBundles([])
        other.live = {bundle_id: bundle.copy() for bundle_id, bundle in self.live.items()}
        return other

    def cover(
        self, rate: Rate, number: str, at_ms: int, wanted_s: int, *, budget_micros: Micros
    ) -> Cover | None:
        """Set aside what covers the call's first `wanted_s` seconds; None where no bundle is for it.

        A bundle whose connect fee the budget does not pay is passed over.
        """
        if rate.special is not None and rate.special.service is not None:
            return None  # a service charge is another's money, and no part of such a call is inclusive
        pieces = self._lengthened((), rate, number, at_ms, wanted_s, budget_micros=budget_micros)
        percent = self._percent(rate, number, at_ms)
        if not pieces and not percent:
            return None
        self._note_dialling(pieces)
        return Cover(rate, number, pieces, percent)

    def lengthen(self, cover: Cover, at_ms: int, wanted_s: int) -> Cover:
        """Set more aside for a call of which every second until now is covered."""
        pieces = self._lengthened(cover.pieces, cover.rate, cover.number, at_ms, wanted_s, budget_micros=0)
        if pieces == cover.pieces:
            return cover
        self._forget_dialling(cover.pieces)
        self._note_dialling(pieces)
        return Cover(cover.rate, cover.number, pieces, cover.percent)

    def give_back(self, cover: Cover) -> None:
        """The call never was, or is settled: nothing of it is set aside any more."""
        for piece in cover.pieces:
            self.live[piece.bundle_id].release(piece)
        self._forget_dialling(cover.pieces)

    def settle(self, cover: Cover, used: tuple[Used, ...]) -> None:
        self.give_back(cover)
        for one in used:
            self.live[one.bundle_id].use(one)

    def connect_fee_micros(self, cover: Cover, at_ms: int) -> Micros:
        """That of the first second's source, at that instant."""
        if cover.pieces:
            return self.live[cover.pieces[0].bundle_id].terms.connect_fee_micros
        return discounted(cover.rate.connect_fee_at(at_ms), cover.percent)

    def rate_of(self, cover: Cover, at_ms: int) -> Rate:
        return with_connect_fee(cover.rate, self.connect_fee_micros(cover, at_ms))

    def forget_old(self, before_ms: int) -> list[int]:
        """Lets go of bundles that were over by then and are not drawn on; their ids."""
        old = [
            bundle.terms.id
            for bundle in self.live.values()
            if bundle.terms.over_at_ms is not None
            and bundle.terms.over_at_ms + KEPT_AFTER_MS < before_ms
            and not bundle.reserved_s
        ]
        for bundle_id in old:
            del self.live[bundle_id]
        return old

    def _lengthened(
        self,
        pieces: tuple[Piece, ...],
        rate: Rate,
        number: str,
        at_ms: int,
        wanted_s: int,
        *,
        budget_micros: Micros,
    ) -> tuple[Piece, ...]:
        """With what was missing until `wanted_s`, as far as bundles reach; it is set aside."""
        found = list(pieces)
        reach_s = covered_s(pieces)
        while reach_s < wanted_s and len(found) < PIECES_PER_CALL_MAX:
            from_ms = at_ms + reach_s * 1000
            fee_max_micros = NEVER_MS if found else max(budget_micros, 0)
            bundle = self._next(rate, number, from_ms, fee_max_micros)
            if bundle is None:
                break
            last = found[-1] if found else None
            more = _piece(bundle, number, from_ms, wanted_s - reach_s, last)
            bundle.reserve(more)
            reach_s += more.seconds
            if last is not None and _is_same_source(last, more):
                found[-1] = msgspec.structs.replace(last, seconds=last.seconds + more.seconds)
            else:
                found.append(more)
        return tuple(found)

    def _next(self, rate: Rate, number: str, at_ms: int, fee_max_micros: Micros) -> LiveBundle | None:
        """The one to draw on at this instant."""
        best: LiveBundle | None = None
        best_key = (0, 0, 0)
        for bundle in self.live.values():
            terms = bundle.terms
            if terms.is_discount or not bundle.holds_at(at_ms) or terms.connect_fee_micros > fee_max_micros:
                continue
            if not terms.is_for(rate, number):
                continue
            if bundle.left_s(at_ms) <= 0:
                self._warn(bundle, f"all of its {terms.granted_s} s are used or set aside")
                continue
            if not bundle.takes_number(number):
                self._warn(bundle, f"{terms.destinations_max} different numbers have been called")
                continue
            key = (bundle.ends_at_ms(at_ms), -terms.priority, terms.id)
            if best is None or key < best_key:
                best, best_key = bundle, key
        return best

    def _percent(self, rate: Rate, number: str, at_ms: int) -> int:
        best = 0
        for bundle in self.live.values():
            terms = bundle.terms
            if terms.percent > best and bundle.holds_at(at_ms) and terms.is_for(rate, number):
                best = min(terms.percent, PERCENT)
        return best if best and is_discountable(rate) else 0

    def _note_dialling(self, pieces: tuple[Piece, ...]) -> None:
        for piece in pieces:
            if piece.number:
                self.live[piece.bundle_id].dialling[piece.number] += 1

    def _forget_dialling(self, pieces: tuple[Piece, ...]) -> None:
        for piece in pieces:
            if piece.number:
                dialling = self.live[piece.bundle_id].dialling
                dialling[piece.number] -= 1
                if not dialling[piece.number]:
                    del dialling[piece.number]

    def _warn(self, bundle: LiveBundle, what: str) -> None:
        terms = bundle.terms
        if terms.is_fair_use and not bundle.is_warned:
            bundle.is_warned = True
            self.warnings.append(FairUseWarning(terms.account_id, terms.id, terms.name, what))


def _is_same_source(last: Piece, more: Piece) -> bool:
    return last.bundle_id == more.bundle_id and last.is_carried == more.is_carried


def _piece(bundle: LiveBundle, number: str, from_ms: int, needed_s: int, last: Piece | None) -> Piece:
    """The next seconds of this bundle: whole steps, counted on from those that the call has of it just before."""
    terms = bundle.terms
    is_carried = bundle.is_carried_at(from_ms)
    piece = Piece(terms.id, 0, terms.increment_s, is_carried, number if terms.destinations_max else "")
    had_s = last.seconds if last is not None and _is_same_source(last, piece) else 0
    seconds = whole_steps_s(had_s + needed_s, terms.increment_s) - had_s
    until_end_s = -(-(bundle.ends_at_ms(from_ms) - from_ms) // 1000)
    return msgspec.structs.replace(piece, seconds=min(seconds, bundle.left_s(from_ms), until_end_s))
