"""Buying prices: decks/NAME.toml (a supplier's layout and currency), decks/NAME.csv (its prices), exchange-rates.toml.

The CSV is ours: `offhook deck apply` writes it, in one layout for all suppliers. The TOML says in which currency its
prices are, and how to read the files that the supplier sends (`offhook deck import`).
"""

from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from rating.currency import ExchangeRates, parse_nanos
from rating.deck import Deck, deck_version
from rating.deck_layout import Column, Covers, DateOrder, DeckLayout, PricePer
from rating.problem import TextProblem
from rating.tariff_csv import TariffProblems
from switch.conf_dated import read_dated
from switch.conf_files import (
    TARIFF_BYTES_MAX,
    ConfFile,
    ConfProblem,
    UnreadableFile,
    open_conf_file,
    open_optional_file,
    read_text,
    shown,
)
from switch.conf_reader import as_table, is_name, read_struct
from switch.conf_values import Expected, PlainText, Reads, list_reader
from switch.price_files import PriceFiles

DECKS_FOLDER: Final = "decks"
EXCHANGE_RATES_FILE: Final = "exchange-rates.toml"

EXAMPLE: Final = ".example"
COLUMNS_MAX: Final = 200
ENCODINGS: Final = ("utf-8", "utf-16", "latin-1", "cp1252")
DELIMITERS: Final = (",", ";", "|", "\t")


def read_column(value: object) -> Column:
    """A name, or a number from 1 on; "" is none."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= COLUMNS_MAX:
        return value
    if isinstance(value, str) and len(value) <= 100 and value.isprintable():
        return value.strip(" ")
    raise Expected(f"the name of a column, or its number from 1 to {COLUMNS_MAX}")


def _one_of(*allowed: str) -> Reads:
    def read(value: object) -> str:
        if value not in allowed:
            raise Expected("one of " + ", ".join(ascii(each).replace("'", '"') for each in allowed))
        assert isinstance(value, str)
        return value

    return Reads(read)


def _read_currency(value: object) -> str:
    if not (
        isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha() and value.isupper()
    ):
        raise Expected('a currency of three capitals (ISO 4217), like "USD"')
    return value


def _read_skip_price(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > 40:
        raise Expected('words that stand in the place of a price, like "N/A"')
    return value


def read_deck_name(value: object) -> str:
    """Of a deck, or "" for none."""
    if value == "" or (isinstance(value, str) and is_name(value)):
        return str(value)
    raise Expected("the name of a deck in decks/")


DeckName = Annotated[str, Reads(read_deck_name)]
_Column = Annotated[Column, Reads(read_column)]
_Interval = Annotated[int, Meta(ge=1, le=3600)]


class _DeckSection(Struct, frozen=True):
    """decks/NAME.toml. Each field is explained in docs/decks.md."""

    currency: Annotated[str, Reads(_read_currency)] = "GBP"
    prefix: _Column = ""
    price: _Column = ""
    country_code: _Column = ""
    destination: Annotated[tuple[Column, ...], Reads(list_reader(read_column))] = ()
    connect_fee: _Column = ""
    initial_s: _Column = ""
    next_s: _Column = ""
    increments: _Column = ""
    valid_from: _Column = ""
    valid_until: _Column = ""
    price_per: PricePer = PricePer.MINUTE
    default_initial_s: _Interval = 1
    default_next_s: _Interval = 1
    default_destination: PlainText = ""
    encoding: Annotated[str, _one_of(*ENCODINGS)] = "utf-8"
    delimiter: Annotated[str, _one_of(*DELIMITERS)] = ","
    decimal: Annotated[str, _one_of(".", ",")] = "."
    header_line: Annotated[int, Meta(ge=0, le=100)] = 1
    date_order: DateOrder = DateOrder.ISO
    international: Annotated[str, _one_of("", "00", "011")] = "00"
    covers: Covers = Covers.ALL
    skip_prices: Annotated[tuple[str, ...], Reads(list_reader(_read_skip_price))] = ()


def read_layout(file: ConfFile) -> DeckLayout:
    """A supplier's layout. What is wrong is noted in the file."""
    section = read_struct(file, _DeckSection, file.table, ())
    for column in ("prefix", "price"):
        if not getattr(section, column) and not file.problems:
            file.note(
                (column,), found=f"no {column}", expected="the column that says it: its name, or its number"
            )
    if section.decimal == section.delimiter:
        file.note(("decimal",), found="the same as the delimiter", expected="two characters")
    values = {name: getattr(section, name) for name in section.__struct_fields__}
    return DeckLayout(**values)


def read_exchange_rates(folder: Path) -> tuple[ExchangeRates, ConfFile]:
    """[USD] and the like: by day, the pounds that one unit costs from then on."""
    file = open_optional_file(folder, EXCHANGE_RATES_FILE)
    rates: dict[str, dict[int, int]] = {}
    for currency, table in file.table.items():
        try:
            _read_currency(currency)
        except Expected as problem:
            file.note((currency,), found=shown(currency), expected=problem.expected)
            continue
        if currency == "GBP":
            file.note((currency,), found="pounds", expected="other currencies: a pound is a pound")
            continue
        dated = read_dated(file, as_table(file, table, (currency,)), (currency,), _read_pounds)
        if dated:
            rates[currency] = dated
    return ExchangeRates(rates), file


def _read_pounds(value: object) -> int:
    """ "0.7421" -> nanos of a pound. As text, because a number with a point in TOML is no exact one."""
    expected = Expected('what one unit costs in pounds, as text: "0.7421"')
    if not isinstance(value, str):
        raise expected
    try:
        nanos = parse_nanos(value)
    except TextProblem:
        raise expected from None
    if not nanos:
        raise expected
    return nanos


def deck_names(folder: Path) -> list[str]:
    """Of the decks that have a layout; an example is none."""
    names = (path.name.removesuffix(".toml") for path in (folder / DECKS_FOLDER).glob("*.toml"))
    return sorted(name for name in names if not name.endswith(EXAMPLE))


class Decks(Struct):
    """All of them, by name; the files' texts, and what is wrong in them."""

    decks: dict[str, Deck]
    texts: dict[str, str]
    problems: list[ConfProblem]


def read_decks(folder: Path, exchange_rates: ExchangeRates, prices: PriceFiles) -> Decks:
    """Every decks/NAME.toml with its NAME.csv. One without a CSV prices nothing, needs no rate, and is no problem."""
    found = Decks({}, {}, [])
    for name in deck_names(folder):
        file = open_conf_file(folder, f"{DECKS_FOLDER}/{name}.toml")
        if not is_name(name):
            file.note((), found=shown(name), expected="a name of small letters, digits, - and _")
        layout = read_layout(file) if not file.problems else None
        has_prices = (folder / DECKS_FOLDER / f"{name}.csv").exists()  # before that `offhook deck import` asks for it
        if layout is not None and has_prices and layout.currency not in exchange_rates:
            expected = f"its exchange rate in {EXCHANGE_RATES_FILE}"
            file.note(("currency",), found=f"the currency {layout.currency}", expected=expected)
        found.problems += file.in_order()
        if layout is None or file.problems:
            continue
        _read_prices(folder, name, layout.currency, exchange_rates, prices, found)
    return found


def _read_prices(
    folder: Path, name: str, currency: str, exchange_rates: ExchangeRates, prices: PriceFiles, found: Decks
) -> None:
    file_name = f"{DECKS_FOLDER}/{name}.csv"
    try:
        text = read_text(folder / file_name, bytes_max=TARIFF_BYTES_MAX)
    except FileNotFoundError:
        return
    except UnreadableFile as unreadable:
        found.problems.append(ConfProblem(file_name, 0, "", unreadable.found, unreadable.expected))
        return
    version = deck_version(currency, text)
    try:
        table = prices.deck_table(name, text, currency, version)
    except TariffProblems as problems:
        found.problems += [
            ConfProblem(file_name, problem.line, problem.column, problem.found, problem.expected)
            for problem in problems.problems
        ]
        return
    found.texts[name] = text
    found.decks[name] = Deck(
        name, version=version, currency=currency, table=table, exchange_rates=exchange_rates
    )
