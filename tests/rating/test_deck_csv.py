"""Suppliers' files by their own layouts, and our own: what is read, and what is said of what cannot be."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.calendar import parse_start_ms
from rating.deck import DeckPrice
from rating.deck_csv import DeckFile, format_deck, read_deck
from rating.deck_layout import Covers, DateOrder, DeckLayout, PricePer, house_layout
from rating.tariff_csv import TariffProblems
from switch.conf_decks import read_layout
from switch.conf_files import ConfFile

CORPUS = Path(__file__).parents[2] / "../shared/corpora/rating/decks"
LAYOUTS = Path(__file__).parent / "decks"
JANUARY = parse_start_ms("2026-01-01")
PLAIN = DeckLayout(currency="USD", prefix="prefix", price="price")


def layout(**changes: Any) -> DeckLayout:
    return msgspec.structs.replace(PLAIN, **changes)


def read(text: str, **changes: Any) -> DeckFile:
    return read_deck("deck", text, layout(**changes), from_ms=JANUARY)


def prices(text: str, **changes: Any) -> dict[str, str]:
    """Prefix -> nanos a minute, as a table."""
    return {price.prefix: str(price.per_minute_nanos) for price in read(text, **changes).prices}


def problems(text: str, from_ms: int | None = JANUARY, **changes: Any) -> list[str]:
    with pytest.raises(TariffProblems) as caught:
        read_deck("deck", text, layout(**changes), from_ms=from_ms)
    return [str(problem) for problem in caught.value.problems]


PREFIXES = {
    "44": "+44",
    "+44": "+44",
    "0044": "+44",
    "1-3;5": "+1 +2 +3 +5",
    "4470-4472": "+4470 +4471 +4472",
    "1 ; 7": "+1 +7",
    '"1,7"': "+1 +7",
}


@pytest.mark.parametrize("cell", PREFIXES)
def test_prefixes_as_suppliers_write_them(cell: str) -> None:
    assert " ".join(prices(f"prefix,price\n{cell},0.5\n")) == PREFIXES[cell]


@pytest.mark.parametrize(
    ("row", "expected"),
    [("44,20", "+4420"), ("44,", "+44"), ("44,01-03", "+4401 +4402 +4403"), ("+44,7;8", "+447 +448")],
)
def test_a_country_code_in_its_own_column_stands_before_each(row: str, expected: str) -> None:
    text = f"country,prefix,price\n{row},0.5\n"
    assert " ".join(prices(text, country_code="country")) == expected


@pytest.mark.parametrize(
    ("changes", "row", "expected"),
    [
        ({}, "44,0.0125", 12_500_000),
        ({}, "44,$0.0125", 12_500_000),
        ({}, "44,.5", 500_000_000),
        ({"delimiter": ";", "decimal": ","}, "44;0,0125", 12_500_000),
        ({"price_per": PricePer.SECOND}, "44,0.000000001", 60),
        ({"price_per": PricePer.INTERVAL, "default_next_s": 7}, "44,0.000000001", 9),
        ({"price_per": PricePer.INTERVAL, "default_next_s": 60}, "44,0.5", 500_000_000),
    ],
)
def test_prices_as_suppliers_write_them(changes: dict[str, Any], row: str, expected: int) -> None:
    header = "prefix;price" if changes.get("delimiter") == ";" else "prefix,price"
    assert read(f"{header}\n{row}\n", **changes).prices[0].per_minute_nanos == expected


@pytest.mark.parametrize(
    ("columns", "fields", "expected"),
    [
        ({"increments": "inc"}, "inc|60/6", (60, 6)),
        ({"increments": "inc"}, "inc|1 / 1", (1, 1)),
        ({"initial_s": "a", "next_s": "b"}, "a,b|30,60", (30, 60)),
        ({"initial_s": "a"}, "a|60", (60, 60)),
        ({"next_s": "b"}, "b|6", (6, 6)),
        ({"default_initial_s": 60, "default_next_s": 1}, "x|", (60, 1)),
    ],
)
def test_intervals_as_suppliers_write_them(
    columns: dict[str, Any], fields: str, expected: tuple[int, int]
) -> None:
    header, _, row = fields.partition("|")
    price = read(f"prefix,price,{header}\n44,0.5,{row}\n", **columns).prices[0]
    assert (price.initial_s, price.next_s) == expected


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (DateOrder.ISO, "2026-02-01"),
        (DateOrder.DAY_FIRST, "01/02/2026"),
        (DateOrder.DAY_FIRST, "1.2.2026"),
        (DateOrder.MONTH_FIRST, "2/1/2026"),
        (DateOrder.DAY_FIRST, "2026-02-01"),
    ],
)
def test_dates_as_suppliers_write_them(order: DateOrder, text: str) -> None:
    price = read(f"prefix,price,from\n44,0.5,{text}\n", valid_from="from", date_order=order).prices[0]
    assert price.from_ms == parse_start_ms("2026-02-01")


def test_columns_by_number_need_no_header() -> None:
    text = "x,44,UK,0.5\n"
    price = read(text, prefix=2, price=4, destination=(3,), header_line=0).prices[0]
    assert (price.prefix, price.destination) == ("+44", "UK")


def test_lines_before_the_header_are_passed_over() -> None:
    text = "Rates of January\n\nsent to you\nprefix,price\n44,0.5\n"
    assert prices(text, header_line=4) == {"+44": "500000000"}


def test_rows_that_are_not_sold_are_left_out_and_counted() -> None:
    found = read("prefix,price\n44,0.5\n850,N/A\n", skip_prices=("N/A",))
    assert [price.prefix for price in found.prices] == ["+44"]
    assert found.skipped == 1


WRONG = {
    "44,abc": "line 2, price: found 'abc', expected a price such as 0.0125",
    "44,": "line 2, price: found '', expected a price such as 0.0125",
    "44,-0.5": "line 2, price: found '-0.5', expected a price such as 0.0125",
    "44,1e3": "line 2, price: found '1e3'",
    "44,0.0000000001": "line 2, price: found '0.0000000001'",
    "04,0.5": "line 2, prefix: found '04', expected 1 to 15 digits",
    "4 4,0.5": "line 2, prefix: found '4 4'",
    "\u0664,0.5": "line 2, prefix: found '\\u0664'",
    "3-1,0.5": "line 2, prefix: found '3-1', expected a range",
    "1-99,0.5": "line 2, prefix: found '1-99', expected a range",
    "1000000-9999999,0.5": "at most 10000 prefixes in a cell",
    "44": "line 2: found 1 fields, expected 2 fields at least",
    '"44,0.5': "line 2: found '\"44,0.5', expected fields between ','",
}


@pytest.mark.parametrize("row", WRONG)
def test_what_is_wrong_is_said_with_line_column_and_value(row: str) -> None:
    assert WRONG[row] in problems(f"prefix,price\n{row}\n")[0]


def test_all_that_is_wrong_is_said_and_nothing_is_taken() -> None:
    found = problems("prefix,price\n44,x\n45,0.5\n0,y\n")
    assert [each.split(":")[0] for each in found] == ["line 2, price", "line 4, prefix", "line 4, price"]


def test_two_prices_at_one_time_are_a_problem_and_the_same_twice_is_none() -> None:
    assert "line 3, prefix: found +44 priced twice" in problems("prefix,price\n44,0.5\n44,0.6\n")[0]
    assert len(read("prefix,price\n44,0.5\n44,0.5\n").prices) == 1


def test_a_row_without_a_date_needs_one_from_somewhere() -> None:
    assert "from when the price holds" in problems("prefix,price\n44,0.5\n", from_ms=None)[0]


def test_a_column_that_is_not_there_is_named() -> None:
    assert (
        "no such column, expected the mapping's columns among 'prefix', 'cost'"
        in problems("prefix,cost\n44,1\n")[0]
    )


def test_our_own_file_takes_plain_digits_for_a_short_code() -> None:
    text = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until\n"
    own = house_layout("GBP")
    assert read_deck("d", text + "118,x,0,1,1,1,2026-01-01,\n", own).prices[0].prefix == "118"
    for wrong in ("44", "112", "0044"):
        with pytest.raises(TariffProblems):
            read_deck("d", text + f"{wrong},x,0,1,1,1,2026-01-01,\n", own)


some_prices = st.builds(
    DeckPrice,
    prefix=st.integers(1, 10**15 - 1).map(lambda number: f"+{number}"),
    destination=st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), max_size=20),
    connect_nanos=st.integers(0, 10**14),
    per_minute_nanos=st.integers(0, 10**14),
    initial_s=st.integers(1, 3600),
    next_s=st.integers(1, 3600),
    from_ms=st.integers(1_700_000_000, 1_800_000_000).map(lambda second: second * 1000),
    until_ms=st.none() | st.integers(1_800_000_001, 1_900_000_000).map(lambda second: second * 1000),
)


@given(st.lists(some_prices, min_size=1, max_size=20, unique_by=lambda price: price.prefix))
def test_what_we_write_we_read(written: list[DeckPrice]) -> None:
    found = read_deck("deck", format_deck(written), house_layout("GBP")).prices
    assert sorted(found, key=lambda price: price.prefix) == sorted(written, key=lambda price: price.prefix)


def layout_of(name: str) -> DeckLayout:
    text = (LAYOUTS / f"{name}.toml").read_text()
    file = ConfFile(name, text, tomllib.loads(text))
    found = read_layout(file)
    assert file.problems == []
    return found


def corpus(name: str) -> str:
    path = CORPUS / name
    if not path.exists():
        pytest.skip(f"no {path}")
    return path.read_text("utf-8")


def test_the_4743_prefix_deck_imports() -> None:
    layout = layout_of("ivozprovider")
    found = read_deck("ivoz", corpus("ivozprovider_pricesSample.csv"), layout, from_ms=JANUARY)
    assert len(found.prices) == 4743 and found.skipped == 0
    first = found.prices[0]
    assert (first.prefix, first.destination, first.per_minute_nanos) == ("+9377", "Afghanistan", 273_000_000)
    assert (first.connect_nanos, first.initial_s, first.next_s) == (273_000_000, 1, 1)
    assert layout.covers is Covers.ALL


OTHERS = {
    "origination": [("+1", 10_000_000, 30, 60), ("+44", 50_000_000, 30, 30)],
    "termination": [("+1", 50_000_000, 30, 60), ("+44", 60_000_000, 30, 60)],
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_switches_decks_import(kind: str) -> None:
    text, layout = corpus(f"astpp_{kind}rates_sample.csv"), layout_of(f"astpp_{kind}")
    found = read_deck(kind, text, layout, from_ms=JANUARY).prices
    assert [
        (price.prefix, price.per_minute_nanos, price.initial_s, price.next_s) for price in found
    ] == OTHERS[kind]


@pytest.mark.parametrize(
    "file", ["astpp_customers_sample.csv", "astpp_did_sample.csv", "astpp_ratedeck_sample.csv"]
)
def test_files_of_customers_numbers_and_codes_are_no_decks_and_say_so(file: str) -> None:
    """The code list (Code, Destination, Country) has no prices; the others are of customers and of numbers."""
    with pytest.raises(TariffProblems, match="no such column"):
        read_deck("deck", corpus(file), layout_of("astpp_origination"), from_ms=JANUARY)
