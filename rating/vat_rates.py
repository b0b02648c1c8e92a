"""The percentages of VAT by date, and the net of a price that contains it.

For comparisons of selling and buying prices; what is on an invoice is billing's. A net price is rounded down, against
us: a margin is never shown better than it is.
"""

from collections.abc import Mapping
from typing import Final

from rating.dated_values import DatedValues
from rating.money import Micros

HUNDREDTHS: Final = 100  # of a percent: 17.5 % is 1750
_WHOLE: Final = 100 * HUNDREDTHS


class VatRates:
    """UTC milliseconds -> hundredths of a percent that hold from then on. Before the first there is no VAT."""

    __slots__ = ("_rates",)

    def __init__(self, rates: Mapping[int, int]) -> None:
        self._rates = DatedValues(rates)

    def hundredths_at(self, at_ms: int) -> int:
        return self._rates.at(at_ms) or 0

    def net_of(self, gross_micros: Micros, at_ms: int) -> Micros:
        """Of an amount that contains VAT."""
        return gross_micros * _WHOLE // (_WHOLE + self.hundredths_at(at_ms))


# The standard rate since the Finance Act 1991 (s. 13) and the changes after it; starts are midnights of London.
UK_VAT: Final = VatRates(
    {
        670_460_400_000: 1750,  # 1991-04-01, of which nothing here is older
        1_228_089_600_000: 1500,  # 2008-12-01
        1_262_304_000_000: 1750,  # 2010-01-01
        1_294_099_200_000: 2000,  # 2011-01-04
    }
)
