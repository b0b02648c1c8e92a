"""How a supplier lays out a price list: which column says what, and how it writes numbers, prefixes and dates."""

import enum
from typing import Final

import msgspec

# A column: its name in the header, or its number from 1 on.
Column = str | int


class PricePer(enum.Enum):
    """What a price is for. An interval is the next one (a file that says 60/6 prices six seconds)."""

    MINUTE = "minute"
    SECOND = "second"
    INTERVAL = "interval"


class Covers(enum.Enum):
    """Whether what a file does not name is gone, or stays as it was."""

    ALL = "all"
    CHANGES = "changes"


class DateOrder(enum.Enum):
    """How dates are written."""

    ISO = "year-month-day"
    DAY_FIRST = "day/month/year"
    MONTH_FIRST = "month/day/year"


class DeckLayout(msgspec.Struct, frozen=True, kw_only=True):
    """One supplier's. An empty column is one that the file does not have.

    `header_line` is the line with the names, 0 where there is none. `increments` is a column like "60/6" with both
    intervals. `country_code` stands before `prefix` where a supplier splits them. `skip_prices` are the words that
    stand in the place of a price where the supplier does not sell; such a row is left out, and counted.
    """

    currency: str
    prefix: Column
    price: Column
    country_code: Column = ""
    destination: tuple[Column, ...] = ()
    connect_fee: Column = ""
    initial_s: Column = ""
    next_s: Column = ""
    increments: Column = ""
    valid_from: Column = ""
    valid_until: Column = ""
    price_per: PricePer = PricePer.MINUTE
    default_initial_s: int = 1
    default_next_s: int = 1
    default_destination: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."
    header_line: int = 1
    date_order: DateOrder = DateOrder.ISO
    international: str = "00"
    plain_is_e164: bool = True
    covers: Covers = Covers.ALL
    skip_prices: tuple[str, ...] = ()


def house_layout(currency: str) -> DeckLayout:
    """That of the files that we write: conf/decks/NAME.csv."""
    return DeckLayout(
        currency=currency,
        prefix="prefix",
        destination=("destination",),
        connect_fee="connect_fee",
        price="per_minute",
        initial_s="initial_s",
        next_s="next_s",
        valid_from="valid_from",
        valid_until="valid_until",
        plain_is_e164=False,
    )


HOUSE_COLUMNS: Final = (
    "prefix", "destination", "connect_fee", "per_minute", "initial_s", "next_s", "valid_from", "valid_until",
)  # fmt: skip
