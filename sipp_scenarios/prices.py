"""The price list that exchanges under test run with, and what a call costs by it.

The arithmetic is written a second time on purpose, in decimals and from the rules on paper (seconds begun count in
full, the initial interval, then steps, usage rounded down once to a micro): it judges the rating engine and so may not
be the rating engine.
"""

import math
from decimal import ROUND_FLOOR, Decimal

import msgspec

MICROS = 1_000_000
HEAD = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until"
ON_NET = "on-net"


class Price(msgspec.Struct, frozen=True):
    """One row, with the pounds as text, as an operator writes them."""

    prefix: str
    destination: str
    connect_fee: str
    per_minute: str
    initial_s: int
    next_s: int

    def billed_s(self, duration_ms: int) -> int:
        """The seconds that a call of so many milliseconds is billed for."""
        seconds = math.ceil(Decimal(duration_ms) / 1000)
        if seconds == 0:
            return 0
        steps = math.ceil(Decimal(max(0, seconds - self.initial_s)) / self.next_s)
        return self.initial_s + steps * self.next_s

    def cost_micros(self, billed_s: int) -> int:
        if billed_s == 0:
            return 0
        usage = Decimal(self.per_minute) * MICROS * billed_s / 60
        return micros_of(self.connect_fee) + int(usage.to_integral_value(ROUND_FLOOR))


PRICES = (
    Price(ON_NET, "Our own lines", "0.01", "0.06", 6, 6),
    Price("+44", "UK", "0.002", "0.0071", 1, 1),  # per second no whole number of micros: the rounding shows
    Price("+441632", "UK drama", "0", "0.60", 1, 1),
    Price("+447700", "UK drama mobile", "0.05", "0.90", 60, 30),
)


def micros_of(pounds: str) -> int:
    """What was typed, "" for nothing, in micros."""
    return int(Decimal(pounds or "0") * MICROS)


def price_of(rate_prefix: str) -> Price:
    """The row with this prefix. LookupError when a record names one that is not in the list."""
    return next(price for price in PRICES if price.prefix == rate_prefix)


def tariff_text() -> str:
    """tariffs/retail.csv."""
    rows = [
        f"{price.prefix},{price.destination},{price.connect_fee},{price.per_minute},"
        f"{price.initial_s},{price.next_s},2020-01-01,"
        for price in PRICES
    ]
    return "\n".join([HEAD, *rows, ""])
