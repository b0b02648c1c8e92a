"""What a deck says of a number: the price, its date, its pounds; and that a naive search says the same."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.calendar import parse_start_ms
from rating.charge import charge
from rating.currency import NANOS, ExchangeRates, format_nanos, micros_up, parse_nanos
from rating.deck import KEPT_MAX, Deck, DeckPrice, deck_of, deck_version
from rating.deck_csv import read_deck
from rating.money import VatMode
from rating.problem import TextProblem
from tests.rating.test_deck_csv import corpus, layout_of

NUMBERS = Path(__file__).parents[2] / "../shared/corpora/numbering/libphonenumber_examples.json"
JAN, FEB, MAR = (parse_start_ms(f"2026-0{month}-01") for month in (1, 2, 3))
RATES = ExchangeRates({"USD": {JAN: 750_000_000, FEB: 800_000_000}, "EUR": {JAN: 850_000_001}})


def price(
    prefix: str, nanos: int, from_ms: int = JAN, until_ms: int | None = None, **changes: int
) -> DeckPrice:
    terms = {"connect_nanos": 0, "initial_s": 1, "next_s": 1, **changes}
    return DeckPrice(
        prefix,
        f"to {prefix}",
        terms["connect_nanos"],
        nanos,
        terms["initial_s"],
        terms["next_s"],
        from_ms,
        until_ms,
    )


def deck(*prices: DeckPrice, currency: str = "GBP") -> Deck:
    return deck_of("one", prices, currency=currency, exchange_rates=RATES, version="v1")


def naive(prices: list[DeckPrice], number: str, at_ms: int) -> DeckPrice | None:
    """Every price that begins the number and holds, the longest."""
    fitting = [each for each in prices if number.startswith(each.prefix) and each.is_valid_at(at_ms)]
    return max(fitting, key=lambda each: len(each.prefix), default=None)


@pytest.mark.parametrize(
    ("currency", "at_ms", "nanos", "expected"),
    [
        ("GBP", JAN, 1, 1),
        ("GBP", JAN, 1000, 1),
        ("GBP", JAN, 1001, 2),
        ("USD", JAN, 1_000_000, 750),
        ("USD", FEB - 1, 1_000_000, 750),
        ("USD", FEB, 1_000_000, 800),
        ("EUR", JAN, 1_000_000, 851),
        ("USD", JAN - 1, 1_000_000, None),
    ],
)
def test_pounds_are_rounded_up_at_the_exchange_rate_of_the_moment(
    currency: str, at_ms: int, nanos: int, expected: int | None
) -> None:
    rate = deck(price("+44", nanos, from_ms=0), currency=currency).rate_for("+441632960123", at_ms)
    assert (None if rate is None else rate.per_minute_micros) == expected
    assert rate is None or rate.vat is VatMode.EX_VAT


@given(st.integers(0, 10**15), st.integers(1, 10**12))
def test_a_price_in_pounds_is_never_less_than_it_is(nanos: int, pound_nanos: int) -> None:
    micros = micros_up(nanos, pound_nanos)
    assert micros * 10**12 >= nanos * pound_nanos > (micros - 1) * 10**12 or micros == nanos == 0


def test_a_price_begins_and_ends_on_its_dates_and_a_shorter_one_holds_meanwhile() -> None:
    found = deck(price("+44", 1), price("+447", 2, FEB, MAR))
    assert [
        found.price_for("+447700900123", at_ms).per_minute_nanos for at_ms in (JAN, FEB, MAR - 1, MAR)
    ] == [1, 2, 2, 1]
    assert found.price_for("+447700900123", JAN - 1) is None
    assert found.price_for("+12025550123", FEB) is None


def test_a_price_beyond_all_measure_is_held_at_the_most_there_is() -> None:
    rate = deck(price("+44", 999_999 * NANOS), currency="USD").rate_for("+441632960123", JAN)
    assert rate is not None and rate.per_minute_micros == 10_000 * 1_000_000


def test_the_version_is_of_text_and_currency() -> None:
    assert deck_version("GBP", "x") != deck_version("USD", "x") != deck_version("USD", "y")
    assert len(deck_version("GBP", "x")) == 16


some_prefix = st.text("123", min_size=1, max_size=5).map("+".__add__)
some_prices = st.lists(
    st.builds(price, some_prefix, st.integers(0, 99), st.sampled_from([JAN, FEB]), st.none() | st.just(MAR)),
    max_size=30,
    unique_by=lambda each: each.prefix,
)


@given(
    some_prices,
    st.text("123", min_size=1, max_size=8).map("+".__add__),
    st.sampled_from([JAN - 1, JAN, FEB, MAR]),
)
def test_it_finds_what_a_naive_search_finds(prices: list[DeckPrice], number: str, at_ms: int) -> None:
    assert deck(*prices).price_for(number, at_ms) == naive(prices, number, at_ms)


@given(
    st.integers(1, 3600),
    st.integers(1, 3600),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(1, 7200),
)
def test_a_compared_call_costs_what_it_would_be_charged(
    initial_s: int, next_s: int, connect: int, per_minute: int, seconds: int
) -> None:
    """In pounds and whole micros a minute: up where a charge is down, so at most a micro more."""
    one = price("+44", per_minute * 1000, connect_nanos=connect * 1000, initial_s=initial_s, next_s=next_s)
    rate = deck(one).in_pounds(one, JAN)
    assert rate is not None
    assert 0 <= one.call_nanos(seconds) - charge(rate, seconds * 1000).total_micros * 1000 < 1000


def test_what_is_kept_decoded_has_a_limit() -> None:
    found = deck(*(price(f"+{number}", 1) for number in range(10**5, 10**5 + KEPT_MAX + 10)))
    for number in range(10**5, 10**5 + KEPT_MAX + 10):
        assert found.rate_for(f"+{number}0000", JAN) is not None
    assert len(found._kept) <= KEPT_MAX and len(found._rates) <= KEPT_MAX


def test_each_example_number_finds_the_price_that_a_naive_search_finds() -> None:
    prices = read_deck(
        "ivoz", corpus("ivozprovider_pricesSample.csv"), layout_of("ivozprovider"), from_ms=JAN
    ).prices
    if not NUMBERS.exists():
        pytest.skip(f"no {NUMBERS}")
    found = deck_of("ivoz", prices, currency="EUR", exchange_rates=RATES)
    numbers = [example["e164"] for example in json.loads(NUMBERS.read_text("utf-8"))["numbers"]]
    answers = {number: found.price_for(number, FEB) for number in numbers}
    assert answers == {number: naive(prices, number, FEB) for number in numbers}
    assert len(answers) > 500 and sum(answer is not None for answer in answers.values()) > 400


@given(st.integers(0, 10**15 - 1))
def test_decimals_are_read_as_they_are_written(nanos: int) -> None:
    assert parse_nanos(format_nanos(nanos)) == nanos
    assert parse_nanos(format_nanos(nanos).replace(".", ","), decimal=",") == nanos


@pytest.mark.parametrize(
    "text",
    ["", ".", "-1", "1e3", "1_0", "\uff11", "1,000.5", "1.0.0", "1234567", "0.0000000001", "+1", "1 0"],
)
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(TextProblem):
        parse_nanos(text)


def test_a_currency_without_a_rate_is_a_slip_of_the_caller() -> None:
    assert "CHF" not in RATES and "GBP" in RATES
    with pytest.raises(KeyError):
        RATES.of("CHF")
