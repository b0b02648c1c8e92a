"""A supplier's deck: what calls to each prefix cost us, in the supplier's currency, by date.

Immutable, as a tariff is: a new price list is a new Deck with another version, and a leg keeps the price it began
with. The prices stay in the block that another process has packed (price_table.py); one is decoded when a call goes
there, and becomes a Rate in pounds, ex VAT, at the exchange rate of that moment. How a text becomes one: deck_csv.py.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from rating.currency import ExchangeRates, micros_up
from rating.money import VatMode
from rating.price_table import NOTHING, PriceTable, pack_table
from rating.rate import PRICE_MICROS_MAX, Rate

VERSION_HEX_DIGITS: Final = 16

# Prefixes whose prices are kept decoded, and rates whose pounds are known: beyond it all are forgotten and begin anew.
# Calls of an hour go to fewer; each is some 300 bytes.
KEPT_MAX: Final = 50_000


class DeckPrice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One price of a prefix: nanos of the deck's currency, seconds, and from when until before when (UTC ms)."""

    prefix: str
    destination: str
    connect_nanos: int
    per_minute_nanos: int
    initial_s: int
    next_s: int
    from_ms: int
    until_ms: int | None

    def is_valid_at(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms and (self.until_ms is None or at_ms < self.until_ms)

    def call_nanos(self, seconds: int) -> int:
        """What a call of so many seconds costs, in the deck's currency: for comparisons; a Rate is what is charged."""
        beyond_s = max(0, seconds - self.initial_s)
        billed_s = self.initial_s - (-beyond_s // self.next_s) * self.next_s
        return self.connect_nanos - (-billed_s * self.per_minute_nanos // 60)

    def costs_as(self, other: "DeckPrice") -> bool:
        return (self.connect_nanos, self.per_minute_nanos, self.initial_s, self.next_s) == (
            other.connect_nanos, other.per_minute_nanos, other.initial_s, other.next_s
        )  # fmt: skip


class DeckHead(msgspec.Struct, frozen=True):
    """What a packed deck says of itself."""

    prices: int
    destinations: int = 0


_decode_prices: Final = msgspec.msgpack.Decoder(list[DeckPrice]).decode
_encode: Final = msgspec.msgpack.Encoder().encode


class Deck:
    """The prices of one supplier. `version` is 16 hex digits of the SHA-256 of its currency and its file's text."""

    __slots__ = ("_kept", "_rates", "_table", "_to_pounds", "currency", "head", "name", "version")

    def __init__(
        self, name: str, *, version: str, currency: str, table: PriceTable, exchange_rates: ExchangeRates
    ) -> None:
        self.name = name
        self.version = version
        self.currency = currency
        self.head = msgspec.msgpack.decode(table.head, type=DeckHead)
        self._table = table
        self._to_pounds = exchange_rates.of(currency)
        self._kept: dict[int, list[DeckPrice]] = {}
        self._rates: dict[tuple[str, int, int], Rate] = {}

    def __len__(self) -> int:
        """Prefixes."""
        return len(self._table)

    def price_for(self, number: str, at_ms: int) -> DeckPrice | None:
        """Of the longest prefix that has a price at that instant. `number` is E.164, or a short code."""
        table = self._table
        prefix = table.find(number)
        while prefix != NOTHING:
            prices = self._kept.get(prefix)
            if prices is None:
                prices = self._keep(prefix)
            for price in prices:
                if price.is_valid_at(at_ms):
                    return price
            prefix = table.shorter(prefix)
        return None

    def rate_for(self, number: str, at_ms: int) -> Rate | None:
        """The same in pounds, ex VAT, rounded up; None also where no exchange rate is known for that instant."""
        price = self.price_for(number, at_ms)
        return None if price is None else self.in_pounds(price, at_ms)

    def in_pounds(self, price: DeckPrice, at_ms: int) -> Rate | None:
        pound_nanos = self._to_pounds.at(at_ms)
        if pound_nanos is None:
            return None
        key = (price.prefix, price.from_ms, pound_nanos)
        rate = self._rates.get(key)
        if rate is None:
            if len(self._rates) >= KEPT_MAX:
                self._rates.clear()
            rate = self._rates[key] = _rate(price, pound_nanos)
        return rate

    def prices(self) -> Iterator[DeckPrice]:
        """All, by prefix; of one prefix the newest first."""
        for value in self._table.values():
            yield from _decode_prices(value)

    def _keep(self, prefix: int) -> list[DeckPrice]:
        if len(self._kept) >= KEPT_MAX:
            self._kept.clear()
        prices = self._kept[prefix] = _decode_prices(self._table.value(prefix))
        return prices


def _rate(price: DeckPrice, pound_nanos: int) -> Rate:
    return Rate(
        prefix=price.prefix,
        destination=price.destination,
        connect_fee_micros=min(PRICE_MICROS_MAX, micros_up(price.connect_nanos, pound_nanos)),
        per_minute_micros=min(PRICE_MICROS_MAX, micros_up(price.per_minute_nanos, pound_nanos)),
        initial_s=price.initial_s,
        next_s=price.next_s,
        valid_from_ms=price.from_ms,
        valid_until_ms=price.until_ms,
        vat=VatMode.EX_VAT,
    )


def pack_deck(prices: Iterable[DeckPrice]) -> bytes:
    """The block that a Deck is made of, in this process or in another."""
    by_prefix: dict[str, list[DeckPrice]] = {}
    count = 0
    destinations = set()
    for price in prices:
        by_prefix.setdefault(price.prefix, []).append(price)
        destinations.add(price.destination)
        count += 1
    for dated in by_prefix.values():
        dated.sort(key=_newest_first)
    head = _encode(DeckHead(count, len(destinations)))
    return pack_table({prefix: _encode(dated) for prefix, dated in by_prefix.items()}, head)


def deck_of(
    name: str,
    prices: Iterable[DeckPrice],
    *,
    currency: str,
    exchange_rates: ExchangeRates,
    version: str = "",
) -> Deck:
    """A deck that was never a file: for comparisons and tests."""
    table = PriceTable(pack_deck(prices))
    return Deck(name, version=version, currency=currency, table=table, exchange_rates=exchange_rates)


def deck_version(currency: str, text: str) -> str:
    """The first 16 hex digits of the SHA-256 of both: a price in another currency is another price."""
    whole = f"{currency}\n{text}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(whole).hexdigest()[:VERSION_HEX_DIGITS]


def _newest_first(price: DeckPrice) -> int:
    return -price.from_ms
