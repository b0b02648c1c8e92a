"""Values of billing.toml, one at a time: percentages, pounds, texts that are printed, addresses of mail.

Each `read_` function takes what TOML gave and returns the value or raises `Expected`. Structs of `conf_<area>.py` use
the `Annotated` names at the end.
"""

import re
from typing import Annotated, Final

from rating.money import MoneyProblem, parse_pounds
from switch.conf_values import Expected, Reads
from switch.conf_voicemail import is_mail_address

# One line of a letter.
TEXT_CHARS_MAX: Final = 200
ADDRESS_LINES_MAX: Final = 8
BASIS_POINTS_PER_PERCENT: Final = 100
MICROS_PER_PENNY: Final = 10_000

_PERCENT: Final = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?")
_SORT_CODE: Final = re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{2}")
_ACCOUNT_NUMBER: Final = re.compile(r"[0-9]{8}")
_VAT_NUMBER: Final = re.compile(r"[A-Z]{2}[0-9A-Z ]{2,20}")


def read_percent(value: object) -> int:
    """Basis points, hundredths of a percent: 20, 17.5 or "17.5"."""
    is_number = isinstance(value, int | float | str) and not isinstance(value, bool)
    match = _PERCENT.fullmatch(str(value)) if is_number else None
    if match is None:
        raise Expected("a percentage with at most two decimals, like 20 or 17.5")
    whole, decimals = match.groups()
    return int(whole) * BASIS_POINTS_PER_PERCENT + int((decimals or "").ljust(2, "0"))


def read_pounds(value: object) -> int:
    """Micros of an amount in whole pennies, 0 or more."""
    try:
        micros = parse_pounds(value) if isinstance(value, str) else -1
    except MoneyProblem:
        micros = -1
    if micros < 0 or micros % MICROS_PER_PENNY:
        raise Expected('an amount in pounds and pence in quotes, like "250.00"')
    return micros


def read_text(value: object) -> str:
    """One printable line."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > TEXT_CHARS_MAX:
        raise Expected(f"a text of one line in quotes, of at most {TEXT_CHARS_MAX} characters")
    return value


def read_address_lines(value: object) -> tuple[str, ...]:
    """The lines of a postal address. Two may be the same."""
    if not isinstance(value, list) or len(value) > ADDRESS_LINES_MAX:
        raise Expected(f"a list of at most {ADDRESS_LINES_MAX} lines in quotes")
    return tuple(read_text(line) for line in value)


def read_optional_mail_address(value: object) -> str:
    if value == "" or (isinstance(value, str) and is_mail_address(value)):
        return str(value)
    raise Expected('"" or an e-mail address, like "billing@example.co.uk"')


def read_optional_sort_code(value: object) -> str:
    if value == "" or (isinstance(value, str) and _SORT_CODE.fullmatch(value)):
        return str(value)
    raise Expected('a sort code in quotes, like "12-34-56", or ""')


def read_optional_account_number(value: object) -> str:
    if value == "" or (isinstance(value, str) and _ACCOUNT_NUMBER.fullmatch(value)):
        return str(value)
    raise Expected('the eight digits of a bank account in quotes, like "12345678", or ""')


def read_optional_vat_number(value: object) -> str:
    if value == "" or (isinstance(value, str) and _VAT_NUMBER.fullmatch(value)):
        return str(value)
    raise Expected('a VAT number with its country, like "GB123456789", or ""')


Percent = Annotated[int, Reads(read_percent)]
Pounds = Annotated[int, Reads(read_pounds)]
Text = Annotated[str, Reads(read_text)]
AddressLines = Annotated[tuple[str, ...], Reads(read_address_lines)]
OptionalMailAddress = Annotated[str, Reads(read_optional_mail_address)]
SortCode = Annotated[str, Reads(read_optional_sort_code)]
AccountNumber = Annotated[str, Reads(read_optional_account_number)]
VatNumber = Annotated[str, Reads(read_optional_vat_number)]
