"""Longest-prefix look-up: agrees with brute force, and costs the same however large the table is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.prefix import PREFIX_CHARS_MAX, PrefixTable

digits = st.text("012", min_size=1, max_size=8)


def brute_force(prefixes: list[str], number: str) -> list[str]:
    return sorted((prefix for prefix in prefixes if number.startswith(prefix)), key=len, reverse=True)


@given(st.lists(digits, max_size=40), st.lists(st.text("012", max_size=10), max_size=20))
def test_look_up_agrees_with_brute_force(prefixes: list[str], numbers: list[str]) -> None:
    table = PrefixTable({prefix: prefix for prefix in prefixes})
    for number in [*numbers, *prefixes]:
        expected = brute_force(list(set(prefixes)), number)
        assert table.matching(number) == expected
        assert table.longest(number) == (expected[0] if expected else None)


def test_an_empty_table_matches_nothing() -> None:
    assert PrefixTable[str]({}).longest("+441632960001") is None


@pytest.mark.parametrize("prefix", ["", "1" * (PREFIX_CHARS_MAX + 1)])
def test_a_prefix_is_neither_empty_nor_longer_than_a_number(prefix: str) -> None:
    with pytest.raises(ValueError, match="characters long"):
        PrefixTable({prefix: 1, "1": 2})


def test_later_changes_of_the_mapping_do_not_reach_the_table() -> None:
    values = {"+44": "UK"}
    table = PrefixTable(values)
    values["+441"] = "changed"
    assert table.longest("+441632960001") == "UK"


class CountedNumber(str):
    """A number that counts how often it is cut: one cut is one probe of the table."""

    cuts = 0

    def __getitem__(self, key: object) -> str:
        CountedNumber.cuts += 1
        return super().__getitem__(key)  # type: ignore[index]


def probes(table: PrefixTable[int]) -> int:
    CountedNumber.cuts = 0
    table.longest(CountedNumber("+449999999999"))
    return CountedNumber.cuts


def test_a_look_up_in_fifty_thousand_prefixes_probes_as_often_as_in_fifty() -> None:
    small = PrefixTable({f"+44{number:05d}": number for number in range(50)})
    large = PrefixTable({f"+44{number:05d}": number for number in range(50_000)})
    assert probes(small) == probes(large) == 1


def test_a_look_up_probes_once_per_length_at_most() -> None:
    table = PrefixTable({"1" * length: length for length in range(1, PREFIX_CHARS_MAX + 1)})
    assert probes(table) <= PREFIX_CHARS_MAX
