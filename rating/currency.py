"""What a carrier's price is in pounds: decimal text to billionths of a currency unit, and those to micros, rounded up.

A supplier's price has up to nine decimals and is kept as it came, in billionths ("nanos") of its currency. It becomes
micros of a pound when a call is priced, at the exchange rate of that moment, and the rounding is against us, up: what a
call is said to cost us is never less than what the supplier takes for it, and a margin never better than it is.
"""

import re
from collections.abc import Mapping
from typing import Final

from rating.dated_values import DatedValues
from rating.money import Micros
from rating.problem import TextProblem

POUND: Final = "GBP"
NANOS: Final = 1_000_000_000
NANO_DIGITS: Final = 9
UNITS_DIGITS_MAX: Final = 6
# Above it stands a slip of the decimal point. 10,000 pounds a minute are less than this in every currency but a few.
PRICE_NANOS_MAX: Final = 10**UNITS_DIGITS_MAX * NANOS

_NANOS_OF_POUNDS_PER_MICRO: Final = 10**12  # a price in nanos times a rate in nanos, over a micro
_DECIMAL = re.compile(rf"[£$€]?([0-9]{{1,{UNITS_DIGITS_MAX}}})?(?:\.([0-9]{{1,15}}))?")

DECIMAL_EXPECTED = (
    f"a price such as 0.0125: at most {UNITS_DIGITS_MAX} digits before the point, {NANO_DIGITS} after it"
)


def parse_nanos(text: str, *, decimal: str = ".") -> int:
    """ "0.0125" -> 12_500_000. Zeros beyond the ninth decimal are let pass. Raises TextProblem."""
    plain = text.strip(" \t")
    if decimal != ".":
        plain = plain.replace(".", "x").replace(decimal, ".")
    match = _DECIMAL.fullmatch(plain)
    if match is None or (match[1] is None and match[2] is None):
        raise TextProblem(text, DECIMAL_EXPECTED.replace(".0", decimal + "0"))
    decimals = (match[2] or "").rstrip("0")
    if len(decimals) > NANO_DIGITS:
        raise TextProblem(text, DECIMAL_EXPECTED)
    return int(match[1] or "0") * NANOS + int(decimals.ljust(NANO_DIGITS, "0"))


def format_nanos(nanos: int) -> str:
    """As few decimals as say it, and not fewer than two: "0.0125", "1.50". Inverse of `parse_nanos`."""
    units, rest = divmod(nanos, NANOS)
    return f"{units}.{f'{rest:0{NANO_DIGITS}d}'.rstrip('0').ljust(2, '0')}"


def micros_up(nanos: int, pound_nanos: int) -> Micros:
    """Micros of a pound for a price in nanos of a currency, one unit of which is `pound_nanos` of a pound. Up."""
    return -(-nanos * pound_nanos // _NANOS_OF_POUNDS_PER_MICRO)


class ExchangeRates:
    """Dated: nanos of a pound for one unit of a currency. A pound is a pound."""

    __slots__ = ("_rates",)

    def __init__(self, rates: Mapping[str, Mapping[int, int]]) -> None:
        self._rates = {currency: DatedValues(dated) for currency, dated in rates.items()}
        self._rates[POUND] = DatedValues({-(2**62): NANOS})

    def __contains__(self, currency: str) -> bool:
        return currency in self._rates

    def of(self, currency: str) -> DatedValues[int]:
        """KeyError for a currency that has none."""
        return self._rates[currency]
