"""A new file in a deck: what becomes dearer, cheaper, new and gone, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.deck import DeckPrice, deck_of
from rating.deck_changes import ChangeKind, changes, merged
from tests.rating.test_supplier_deck import FEB, JAN, MAR, RATES, price

OLD = [price("+44", 10), price("+447", 20), price("+1", 5)]


def shown(present: list[DeckPrice], then: list[DeckPrice]) -> list[tuple[str, str, int]]:
    decks = [deck_of("d", each, currency="GBP", exchange_rates=RATES) for each in (present, then)]
    return [(change.kind.value, change.prefix, change.from_ms) for change in changes(*decks)]


def at(prices: list[DeckPrice], number: str, at_ms: int) -> int | None:
    found = deck_of("d", prices, currency="GBP", exchange_rates=RATES).price_for(number, at_ms)
    return None if found is None else found.per_minute_nanos


def test_a_whole_list_makes_dearer_cheaper_new_and_gone() -> None:
    new = [price("+44", 11, FEB), price("+447", 19, FEB), price("+33", 7, FEB)]
    then = merged(OLD, new, covers_all=True)
    assert shown(OLD, then) == [
        ("gone", "+1", FEB), ("new", "+33", FEB), ("increase", "+44", FEB), ("decrease", "+447", FEB)
    ]  # fmt: skip
    for number, before, after in [("+441", 10, 11), ("+447", 20, 19), ("+1", 5, None), ("+33", None, 7)]:
        assert (at(then, number, FEB - 1), at(then, number, FEB)) == (before, after)


def test_changes_alone_leave_the_rest_as_it_was() -> None:
    then = merged(OLD, [price("+44", 11, FEB)], covers_all=False)
    assert shown(OLD, then) == [("increase", "+44", FEB)]
    assert at(then, "+1", MAR) == 5


def test_each_row_begins_on_its_own_date() -> None:
    then = merged(OLD, [price("+44", 11, FEB), price("+447", 21, MAR)], covers_all=False)
    assert shown(OLD, then) == [("increase", "+44", FEB), ("increase", "+447", MAR)]
    assert [at(then, "+447", at_ms) for at_ms in (JAN, FEB, MAR)] == [20, 20, 21]


def test_a_later_notice_takes_the_place_of_an_earlier_one_for_the_same_time() -> None:
    scheduled = merged(OLD, [price("+44", 11, MAR)], covers_all=False)
    then = merged(scheduled, [price("+44", 12, FEB)], covers_all=False)
    assert [at(then, "+44", at_ms) for at_ms in (JAN, FEB, MAR)] == [10, 12, 12]


def test_the_same_price_said_again_changes_nothing() -> None:
    then = merged(OLD, [price("+44", 10, FEB), price("+447", 20, FEB), price("+1", 5, FEB)], covers_all=True)
    assert shown(OLD, then) == []
    assert sorted(then, key=lambda each: each.prefix) == sorted(OLD, key=lambda each: each.prefix)


def test_what_is_new_or_gone_is_compared_with_the_shorter_prefix() -> None:
    old, new = (deck_of("d", each, currency="GBP", exchange_rates=RATES) for each in (OLD[:1], OLD[:2]))
    (added,) = changes(old, new)
    assert added.kind is ChangeKind.NEW and added.before == OLD[0] and added.difference_nanos == 30
    (gone,) = changes(new, old)
    assert gone.kind is ChangeKind.GONE and gone.after == OLD[0] and gone.difference_nanos == -30


def test_the_first_file_of_a_deck_is_new_altogether() -> None:
    assert [kind for kind, _, _ in shown([], merged([], OLD, covers_all=True))] == ["new"] * 3


def test_another_interval_is_a_change_too() -> None:
    then = merged(OLD, [price("+44", 10, FEB, initial_s=600)], covers_all=False)
    assert shown(OLD, then) == [("increase", "+44", FEB)]


def test_history_stays_when_list_follows_list() -> None:
    deck = OLD
    for from_ms, nanos in ((FEB, 11), (MAR, 12)):
        deck = merged(deck, [price("+44", nanos, from_ms)], covers_all=True)
    assert [at(deck, "+44", at_ms) for at_ms in (JAN, FEB, MAR)] == [10, 11, 12]
    assert at(deck, "+1", JAN) == 5 and at(deck, "+1", FEB) is None


rows = st.lists(
    st.builds(
        price, st.sampled_from(["+1", "+12", "+44"]), st.integers(0, 5), st.sampled_from([JAN, FEB, MAR])
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda each: (each.prefix, each.from_ms),
)


def ended(prices: list[DeckPrice]) -> list[DeckPrice]:
    """Each until the next of its prefix."""
    found: list[DeckPrice] = []
    for prefix in {each.prefix for each in prices}:
        dated = sorted((each for each in prices if each.prefix == prefix), key=lambda each: each.from_ms)
        for one, following in zip(dated, [*dated[1:], None], strict=True):
            until_ms = None if following is None else following.from_ms
            found.append(price(prefix, one.per_minute_nanos, one.from_ms, until_ms))
    return found


@pytest.mark.parametrize("covers_all", [True, False])
@given(rows, rows)
def test_no_prefix_ever_has_two_prices_and_the_new_ones_hold_from_their_dates(
    covers_all: bool, old: list[DeckPrice], new: list[DeckPrice]
) -> None:
    then = merged(ended(old), ended(new), covers_all=covers_all)
    for at_ms in (JAN - 1, JAN, FEB, MAR):
        for prefix in ("+1", "+12", "+44"):
            holding = [each for each in then if each.prefix == prefix and each.is_valid_at(at_ms)]
            assert len(holding) <= 1
            fresh = [each for each in ended(new) if each.prefix == prefix and each.is_valid_at(at_ms)]
            if fresh:
                assert holding[0].costs_as(fresh[0])
