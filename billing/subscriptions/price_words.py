"""Prices and their changes in words: in pounds and pence, with dates, as Ofcom asks for since 17 January 2025."""

import datetime
from collections.abc import Sequence
from typing import Final

from billing.conf_fields import MICROS_PER_PENNY
from billing.subscriptions.months import words
from billing.subscriptions.periods import BillingPeriod
from rating.money import VatMode, format_pounds

_ADJECTIVE: Final = {
    BillingPeriod.MONTH: "Monthly",
    BillingPeriod.QUARTER: "Quarterly",
    BillingPeriod.YEAR: "Yearly",
}
VAT_WORDS: Final = {VatMode.INC_VAT: "including VAT", VatMode.EX_VAT: "excluding VAT"}
_DAY: Final = datetime.timedelta(days=1)


def price_lines(
    current_micros: int, following: Sequence[tuple[datetime.date, int]], period: BillingPeriod
) -> list[str]:
    """ "Monthly price: £30.00 until 31 March 2026", "increasing to £31.50 on 1 April 2026"."""
    lines = [f"{_ADJECTIVE[period]} price: {format_pounds(current_micros)}"]
    before = current_micros
    for first, price in following:
        if price == before:
            continue
        lines[-1] += f" until {words(first - _DAY)}"
        lines.append(
            f"{'increasing' if price > before else 'decreasing'} to {format_pounds(price)} on {words(first)}"
        )
        before = price
    return lines


def in_pence(micros: int) -> str:
    """A sum as people pay it: to the nearest penny, half a penny up. The ledger keeps the micros."""
    return format_pounds((micros + MICROS_PER_PENNY // 2) // MICROS_PER_PENNY * MICROS_PER_PENNY)
