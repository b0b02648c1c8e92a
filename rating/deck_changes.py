"""A new file of a supplier and the deck that is in force: what the deck is with it, and what that changes.

A file may be the whole list or changes alone. Prices begin on their own dates: what holds until then stays, so a deck
carries its past and its future, and a row with a later date takes effect by itself.
"""

import enum
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from rating.deck import Deck, DeckPrice
from rating.margin import COMPARED_S


class ChangeKind(enum.Enum):
    INCREASE = "increase"
    DECREASE = "decrease"
    NEW = "new"
    GONE = "gone"


class DeckChange(msgspec.Struct, frozen=True):
    """What becomes of one prefix from an instant on.

    For a prefix that is new, `before` is what such a number cost by a shorter one, for one that is gone `after` is what
    it costs by a shorter one from then on; None: it had, or has, no price at all.
    """

    kind: ChangeKind
    prefix: str
    destination: str
    from_ms: int
    before: DeckPrice | None
    after: DeckPrice | None

    @property
    def difference_nanos(self) -> int | None:
        """Of a call of COMPARED_S, in the deck's currency."""
        if self.before is None or self.after is None:
            return None
        return self.after.call_nanos(COMPARED_S) - self.before.call_nanos(COMPARED_S)


def merged(
    present: Iterable[DeckPrice], incoming: Sequence[DeckPrice], *, covers_all: bool
) -> list[DeckPrice]:
    """The deck with the file in it.

    A prefix's prices of the file replace all that it had from the first of their dates on. With `covers_all` a prefix
    that the file does not name has no price any more from the file's earliest date on.
    """
    before = _by_prefix(present)
    after = _by_prefix(incoming)
    found: list[DeckPrice] = []
    for prefix, fresh in after.items():
        found += _followed_by(before.get(prefix, []), fresh)
    gone_ms = min((price.from_ms for price in incoming), default=None)
    for prefix, old in before.items():
        if prefix not in after:
            found += _until(old, gone_ms) if covers_all and gone_ms is not None else old
    return found


def changes(present: Deck, then: Deck) -> Iterator[DeckChange]:
    """Every instant at which what a prefix costs becomes something else, by prefix and date."""
    old, new = _by_prefix(present.prices()), _by_prefix(then.prices())
    for prefix in sorted(old.keys() | new.keys()):
        rows, earlier = new.get(prefix, []), old.get(prefix, [])
        if rows == earlier:
            continue
        for at_ms in sorted(_borders(rows).symmetric_difference(_borders(earlier)) | _changed(rows, earlier)):
            if (change := _change(prefix, at_ms, earlier, rows, present, then)) is not None:
                yield change


def _change(
    prefix: str, at_ms: int, earlier: list[DeckPrice], rows: list[DeckPrice], present: Deck, then: Deck
) -> DeckChange | None:
    before, after = _held(earlier, at_ms), _held(rows, at_ms)
    if before is None and after is None:
        return None
    if before is None or after is None:
        kind = ChangeKind.NEW if before is None else ChangeKind.GONE
        named = after or before
        before, after = present.price_for(prefix, at_ms), then.price_for(prefix, at_ms)
        return DeckChange(kind, prefix, named.destination if named is not None else "", at_ms, before, after)
    was, will_be = before.call_nanos(COMPARED_S), after.call_nanos(COMPARED_S)
    if before.costs_as(after):
        return None
    kind = ChangeKind.DECREASE if will_be < was else ChangeKind.INCREASE
    return DeckChange(kind, prefix, after.destination, at_ms, before, after)


def _held(rows: list[DeckPrice], at_ms: int) -> DeckPrice | None:
    return next((price for price in rows if price.is_valid_at(at_ms)), None)


def _borders(rows: list[DeckPrice]) -> set[int]:
    return {price.from_ms for price in rows} | {
        price.until_ms for price in rows if price.until_ms is not None
    }


def _changed(rows: list[DeckPrice], earlier: list[DeckPrice]) -> set[int]:
    """Where rows of one date say another price."""
    was = {price.from_ms: price for price in earlier}
    return {
        price.from_ms for price in rows if price.from_ms in was and not price.costs_as(was[price.from_ms])
    }


def _followed_by(old: list[DeckPrice], fresh: list[DeckPrice]) -> list[DeckPrice]:
    fresh = sorted(fresh, key=_from_ms)
    first_ms = fresh[0].from_ms
    kept = _until(old, first_ms)
    last = kept[-1] if kept else None
    if last is not None and last.until_ms == first_ms and last.costs_as(fresh[0]):
        # The supplier says again what holds already: one row, from when it really began.
        kept[-1] = msgspec.structs.replace(last, until_ms=fresh[0].until_ms, destination=fresh[0].destination)
        return [*kept, *fresh[1:]]
    return [*kept, *fresh]


def _until(old: list[DeckPrice], at_ms: int) -> list[DeckPrice]:
    """What held before that instant, cut there; in the order of dates."""
    kept = []
    for price in sorted(old, key=_from_ms):
        if price.from_ms >= at_ms:
            break
        is_cut = price.until_ms is None or price.until_ms > at_ms
        kept.append(msgspec.structs.replace(price, until_ms=at_ms) if is_cut else price)
    return kept


def _by_prefix(prices: Iterable[DeckPrice]) -> dict[str, list[DeckPrice]]:
    found: dict[str, list[DeckPrice]] = {}
    for price in prices:
        found.setdefault(price.prefix, []).append(price)
    return found


def _from_ms(price: DeckPrice) -> int:
    return price.from_ms
