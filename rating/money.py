"""Money as integers: micros of a pound, typed and shown in pounds, and the named roundings.

One micro is 1e-6 GBP, a ten-thousandth of a penny. A rate is micros per minute. No float appears here or
anywhere that money goes; text becomes micros digit by digit and back, so that parse and format are inverse.

Each rounding has a name and a direction, one per step. The step that exists in rating is the charge part;
VAT and the invoice total are billing's.
"""

import enum
import re
from typing import TypeAlias

from rating.problem import TextProblem

Micros: TypeAlias = int

MICROS_PER_POUND = 1_000_000
MICROS_DIGITS = 6

# A sum of nine thousand of the largest amounts still fits PostgreSQL's bigint, where ledgers end up.
POUNDS_DIGITS_MAX = 9

_POUNDS = re.compile(rf"(-?)£?([0-9]{{1,{POUNDS_DIGITS_MAX}}})(?:\.([0-9]{{1,{MICROS_DIGITS}}}))?")

POUNDS_EXPECTED = (
    f"an amount in pounds such as 10.00, £10 or 0.012: at most {POUNDS_DIGITS_MAX} digits before the point "
    f"and {MICROS_DIGITS} after it"
)


class VatMode(enum.StrEnum):
    """Whether prices and balances contain VAT. An account and its tariff agree; nothing ever converts."""

    INC_VAT = "inc_vat"
    EX_VAT = "ex_vat"


class MoneyProblem(TextProblem):
    """The text is not an amount of money."""


def parse_pounds(text: str) -> Micros:
    """The exact micros of "10.00", "£10", "-£0.012" or "0.000001"; spaces around it are allowed.

    Raises MoneyProblem for anything else: exponents, underscores, thousands commas, digits that are not
    ASCII, a seventh decimal (it would have to be rounded, and nobody said how), minus zero (a slip of
    somebody's).
    """
    match = _POUNDS.fullmatch(text.strip(" \t"))
    if match is None:
        raise MoneyProblem(text, POUNDS_EXPECTED)
    sign, pounds, decimals = match.groups()
    micros = int(pounds) * MICROS_PER_POUND + int((decimals or "").ljust(MICROS_DIGITS, "0"))
    if not sign:
        return micros
    if micros == 0:
        raise MoneyProblem(text, "an amount that is not minus zero")
    return -micros


def format_pounds(micros: Micros) -> str:
    """Pounds with two decimals or as many more as needed: "£10.00", "-£0.012". Inverse of `parse_pounds`."""
    sign = "-" if micros < 0 else ""
    pounds, rest = divmod(abs(micros), MICROS_PER_POUND)
    decimals = f"{rest:0{MICROS_DIGITS}d}".rstrip("0").ljust(2, "0")
    return f"{sign}£{pounds}.{decimals}"


def round_charge_part(product: int, *, divisor: int) -> Micros:
    """The rounding of one part of a charge: down, to a whole micro.

    Ofcom's General Condition C3.2: an amount charged "does not exceed the true extent" of the service. So a
    fraction of a micro is never charged, however often a call is divided.
    """
    return product // divisor
