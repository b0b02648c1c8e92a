"""Whether a call is sold for more than it costs: net with net, at a call of one stated length.

Prices with connect fees and long intervals compare differently for a short call and for a long one. So there is one
length by which trunks are put in order, the guard decides and a deck's margins are told: three minutes, about what a
call between people lasts. The selling price is without VAT, rounded down; the buying price is without VAT, rounded up.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from rating.charge import charge
from rating.deck import Deck
from rating.money import Micros, VatMode
from rating.rate import Rate
from rating.tariff import Tariff
from rating.vat_rates import VatRates

COMPARED_S: Final = 180


class Margin(msgspec.Struct, frozen=True):
    """Micros of pounds for a call of COMPARED_S, without VAT. None: no price there."""

    prefix: str
    destination: str
    selling_micros: Micros | None
    buying_micros: Micros | None

    @property
    def micros(self) -> Micros | None:
        if self.selling_micros is None or self.buying_micros is None:
            return None
        return self.selling_micros - self.buying_micros

    @property
    def is_below_cost(self) -> bool:
        return self.micros is not None and self.micros < 0


def selling_micros(rate: Rate, vat_rates: VatRates, at_ms: int) -> Micros:
    """Net, of a call of COMPARED_S at that instant."""
    gross = charge(rate, COMPARED_S * 1000, at_ms=at_ms).total_micros
    return gross if rate.vat is VatMode.EX_VAT else vat_rates.net_of(gross, at_ms)


def buying_micros(rate: Rate, at_ms: int) -> Micros:
    """Of a call of COMPARED_S at that instant; a deck's rate is ex VAT."""
    return charge(rate, COMPARED_S * 1000, at_ms=at_ms).total_micros


def margin_at(prefix: str, tariff: Tariff, deck: Deck, vat_rates: VatRates, at_ms: int) -> Margin:
    """Of a call to a number that begins so and with no longer prefix of either."""
    sold, bought = tariff.rate_for(prefix, at_ms), deck.rate_for(prefix, at_ms)
    destination = sold.destination if sold is not None else bought.destination if bought is not None else ""
    return Margin(
        prefix,
        destination,
        None if sold is None else selling_micros(sold, vat_rates, at_ms),
        None if bought is None else buying_micros(bought, at_ms),
    )


def margins(tariff: Tariff, deck: Deck, vat_rates: VatRates, at_ms: int) -> Iterator[Margin]:
    """Of each prefix that either has: where one of them has a longer one, its price counts from there on."""
    for prefix in sorted(_prefixes_of(tariff, deck)):
        yield margin_at(prefix, tariff, deck, vat_rates, at_ms)


def _prefixes_of(tariff: Tariff, deck: Deck) -> set[str]:
    """Of calls outside: no texts, no calls between lines."""
    prefixes = {*tariff.call_prefixes, *(price.prefix for price in deck.prices())}
    return {prefix for prefix in prefixes if prefix[:1] == "+" or prefix.isdigit()}
