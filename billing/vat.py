"""VAT, and how exact micros become the whole pennies of a document.

Two ways, by how an account's prices are (HMRC, VATREC12010 and VATREC12030):

- *ex_vat*: lines are net. The VAT of each rate is added by the policy of the run: of the total to the nearest penny or
  down to a penny, or of each line down to a tenth of a penny and the sum down to a penny.
- *inc_vat*: lines contain VAT. The VAT is the fraction rate / (100 + rate) of each rate's gross total, to the nearest
  penny, whatever the policy: retailers may not round down.

What is charged at a rate comes down to a whole penny first, so nobody pays a fraction that he did not use (GC C3); the
fraction is the residue, which the ledger gets back as `rounding`. Pure; amounts are micros.
"""

import enum
from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from rating.money import Micros, VatMode

MICROS_PER_PENNY: Final = 10_000
MICROS_PER_TENTH: Final = 1_000
BASIS_POINTS: Final = 10_000

# Basis points, 2000 being 20 %; None is outside the scope of VAT (interest, compensation), which is not 0 %.
Rate: TypeAlias = int | None


class VatRounding(enum.Enum):
    """How VAT that is added becomes whole pennies."""

    LINE_DOWN = "line_0.1p_down"
    TOTAL_DOWN = "total_down"
    HALF_UP = "half_up"


class Charge(msgspec.Struct, frozen=True):
    """One line before VAT is thought of: exact micros in the account's own mode, negative for what is given back."""

    micros: Micros
    rate: Rate


class RateTotal(msgspec.Struct, frozen=True):
    """All that is at one rate, in whole pennies."""

    rate: Rate
    net_micros: Micros
    vat_micros: Micros

    @property
    def gross_micros(self) -> Micros:
        return self.net_micros + self.vat_micros


class Reckoning(msgspec.Struct, frozen=True):
    """A document's figures. `shown_micros` has each line in whole pennies of its own mode; they add up to its rates'.

    `residue_micros`: what the exact lines had above the pennies that are asked for, 0 or more.
    """

    rates: tuple[RateTotal, ...]
    shown_micros: tuple[Micros, ...]
    residue_micros: Micros

    @property
    def net_micros(self) -> Micros:
        return sum(total.net_micros for total in self.rates)

    @property
    def vat_micros(self) -> Micros:
        return sum(total.vat_micros for total in self.rates)

    @property
    def total_micros(self) -> Micros:
        return self.net_micros + self.vat_micros


def reckon(charges: Sequence[Charge], mode: VatMode, policy: VatRounding) -> Reckoning:
    """The higher rate first, what is outside the scope last."""
    shown = [0] * len(charges)
    rates, residue = [], 0
    for rate in sorted({charge.rate for charge in charges}, key=_order):
        places = [place for place, charge in enumerate(charges) if charge.rate == rate]
        lines = in_pennies([charges[place].micros for place in places])
        for place, micros in zip(places, lines, strict=True):
            shown[place] = micros
        residue += sum(charges[place].micros for place in places) - sum(lines)
        rates.append(rate_total(lines, rate, mode, policy))
    return Reckoning(tuple(rates), tuple(shown), residue)


def in_pennies(exact: Sequence[Micros]) -> list[Micros]:
    """Whole pennies that add up to the exact sum, down to a penny; each less than a penny from its own exact amount."""
    whole: list[Micros] = []
    before = done = 0
    for micros in exact:
        before += micros
        up_to = before // MICROS_PER_PENNY * MICROS_PER_PENNY
        whole.append(up_to - done)
        done = up_to
    return whole


def rate_total(lines: Sequence[Micros], rate: Rate, mode: VatMode, policy: VatRounding) -> RateTotal:
    """From lines in whole pennies that are all at one rate."""
    amount = sum(lines)
    if rate is None:
        return RateTotal(None, amount, 0)
    if mode is VatMode.INC_VAT:
        vat = vat_within(amount, rate)
        return RateTotal(rate, amount - vat, vat)
    return RateTotal(rate, amount, vat_on(lines, rate, policy))


def vat_on(lines: Sequence[Micros], rate: int, policy: VatRounding) -> Micros:
    """The VAT that is added to net lines, in whole pennies."""
    match policy:
        case VatRounding.HALF_UP:
            return _half_up(sum(lines) * rate, BASIS_POINTS * MICROS_PER_PENNY) * MICROS_PER_PENNY
        case VatRounding.TOTAL_DOWN:
            return _towards_zero(sum(lines) * rate, BASIS_POINTS * MICROS_PER_PENNY) * MICROS_PER_PENNY
        case VatRounding.LINE_DOWN:
            tenths = sum(_towards_zero(line * rate, BASIS_POINTS * MICROS_PER_TENTH) for line in lines)
            return _towards_zero(tenths * MICROS_PER_TENTH, MICROS_PER_PENNY) * MICROS_PER_PENNY


def vat_within(gross: Micros, rate: int) -> Micros:
    """The VAT that a gross amount contains, to the nearest penny."""
    return _half_up(gross * rate, (BASIS_POINTS + rate) * MICROS_PER_PENNY) * MICROS_PER_PENNY


def _order(rate: Rate) -> tuple[bool, int]:
    return rate is None, -(rate or 0)


def _half_up(amount: int, divisor: int) -> int:
    """To the nearest, halves away from zero: what is given back is rounded as what was taken."""
    rounded = (2 * abs(amount) + divisor) // (2 * divisor)
    return rounded if amount >= 0 else -rounded


def _towards_zero(amount: int, divisor: int) -> int:
    down = abs(amount) // divisor
    return down if amount >= 0 else -down
