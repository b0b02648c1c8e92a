"""A packed table finds what a search through all prefixes finds; what is damaged is not taken for a table."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.price_table import (
    CALLS,
    NOTHING,
    ODD_PREFIXES_MAX,
    TEXTS,
    BrokenTableError,
    PriceTable,
    pack_table,
)

DIGITS = "0123456789"
prefixes = st.text(DIGITS[:3], min_size=1, max_size=6).map("+".__add__)
numbers = st.text(DIGITS[:3], min_size=1, max_size=17).map("+".__add__)


def table_of(keys: set[str]) -> PriceTable:
    return PriceTable(pack_table({key: key.encode() for key in keys}))


def found(table: PriceTable, number: str, space: int = CALLS) -> list[str]:
    """The prefixes that begin the number, longest first."""
    chain = []
    prefix = table.find(number, space)
    while prefix != NOTHING:
        chain.append(bytes(table.value(prefix)).decode())
        prefix = table.shorter(prefix)
    return chain


def naive(keys: set[str], number: str) -> list[str]:
    return sorted((key for key in keys if number.startswith(key)), key=len, reverse=True)


@given(st.sets(prefixes, max_size=60), numbers)
def test_it_finds_what_a_search_through_all_finds(keys: set[str], number: str) -> None:
    assert found(table_of(keys), number) == naive(keys, number)


@given(st.sets(prefixes, max_size=20), st.sets(prefixes, max_size=20), numbers)
def test_texts_have_prices_of_their_own(calls: set[str], texts: set[str], number: str) -> None:
    table = table_of(calls | {f"sms:{key}" for key in texts})
    assert found(table, number) == naive(calls, number)
    assert found(table, number, TEXTS) == [f"sms:{key}" for key in naive(texts, number)]


def test_every_length_up_to_fifteen_digits_is_a_prefix() -> None:
    keys = {"+" + "442079460123456"[:length] for length in range(1, 16)}
    table = table_of(keys)
    for length in range(1, 16):
        assert found(table, "+" + "442079460123456"[:length]) == naive(keys, "+" + "442079460123456"[:length])


def test_the_last_prefix_of_all_ends_where_numbers_end() -> None:
    table = table_of({"+999999999999999", "+9", "sms:+0"})
    assert found(table, "+999999999999999") == ["+999999999999999", "+9"]
    assert found(table, "+999999999999998") == ["+9"]
    assert found(table, "+0") == []


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("118500", ["1185", "118"]),
        ("118", ["118"]),
        ("101", []),
        ("on-net", ["on-net"]),
        ("", []),
        ("+", []),
        ("+44x", []),
        ("+\u0664\u0664", []),
        ("+44 20", []),
        ("alice", []),
    ],
)
def test_what_is_no_e164_is_looked_up_by_itself(number: str, expected: list[str]) -> None:
    assert found(table_of({"118", "1185", "on-net", "+44", "sms:on-net"}), number) == expected


def test_texts_between_lines_have_a_price() -> None:
    assert found(table_of({"sms:on-net", "on-net"}), "on-net", TEXTS) == ["sms:on-net"]


def test_a_large_table_agrees_with_a_dictionary() -> None:
    draw = random.Random(7)
    keys = {"+" + str(draw.randint(1, 10 ** draw.randint(1, 9))) for _ in range(20_000)}
    table = table_of(keys)
    for key in draw.sample(sorted(keys), 2_000):
        number = key + "".join(draw.choices(DIGITS, k=draw.randint(0, 6)))
        expected = next((number[:n] for n in range(len(number), 1, -1) if number[:n] in keys), None)
        assert found(table, number)[:1] == [expected]


def test_an_empty_table_finds_nothing() -> None:
    assert table_of(set()).find("+441632960123") == NOTHING
    assert len(table_of(set())) == 0


def test_too_many_odd_prefixes_are_a_file_of_another_kind() -> None:
    with pytest.raises(ValueError, match="that are no E"):
        pack_table({f"x{number}": b"" for number in range(ODD_PREFIXES_MAX + 1)})


@given(st.data())
def test_what_was_damaged_is_no_table(data: st.DataObject) -> None:
    whole = pack_table({"+44": b"uk", "+1": b"us"}, b"head")
    place = data.draw(st.integers(0, len(whole) - 1))
    broken = bytearray(whole)
    broken[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BrokenTableError):
        PriceTable(bytes(broken))
    with pytest.raises(BrokenTableError):
        PriceTable(whole[:place])
