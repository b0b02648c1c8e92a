"""Which rate prices a number at an instant; and a published deck against a naive search."""

import csv
import hashlib
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.money import VatMode
from rating.rate import PRICE_MICROS_MAX, RATES_PER_PREFIX_MAX, Rate, overlapping_rates
from rating.tariff import ON_NET, Tariff, load_tariff
from tests.rating.rates import make_rate
from tests.tables import cases

CORPUS = Path(__file__).parents[2] / "../shared/corpora/rating"
DECK = CORPUS / "decks/ivozprovider_pricesSample.csv"

needs_deck = pytest.mark.skipif(not DECK.exists(), reason=f"the price deck is not here: {DECK}")


def tariff_of(*rates: Rate) -> Tariff:
    return Tariff("retail", vat=VatMode.INC_VAT, version="0" * 16, rates=rates)


RETAIL = tariff_of(
    make_rate(prefix="+44", destination="uk"),
    make_rate(prefix="+441", destination="uk_geographic"),
    make_rate(prefix="+447", destination="uk_mobile_old", until_ms=1_000),
    make_rate(prefix="+447", destination="uk_mobile_new", from_ms=1_000),
    make_rate(prefix="+44770090", destination="summer_offer", from_ms=2_000, until_ms=3_000),
    make_rate(prefix="+44808", destination="freephone", per_minute=0),
    make_rate(prefix="118", destination="directory"),
    make_rate(prefix="118500", destination="bt_directory", from_ms=5_000),
    make_rate(prefix=ON_NET, destination="colleagues", from_ms=1_000),
)


@pytest.mark.parametrize(
    ("number", "at_ms", "destination"),
    cases("""
        # number          at_ms -> destination
        +441632960001         0 -> uk_geographic
        +442079460000         0 -> uk
        +447700900001       999 -> uk_mobile_old
        +447700900001     1_000 -> uk_mobile_new
        +447700900001     1_999 -> uk_mobile_new
        +447700900001     2_000 -> summer_offer
        +447700900001     2_999 -> summer_offer
        +447700900001     3_000 -> uk_mobile_new
        +448081570000         0 -> freephone
        118500            4_999 -> directory
        118500            5_000 -> bt_directory
        118501                0 -> directory
        # no rate: refused, never free
        +33123456789          0 -> -
        +4                    0 -> -
        101                   0 -> -
        11                    0 -> -
        # neither the sign nor the country is guessed
        441632960001          0 -> -
        01632960001           0 -> -
        on-net              999 -> -
        on-net            1_000 -> colleagues
    """),
)
def test_the_longest_prefix_that_is_valid_then_prices_the_call(
    number: str, at_ms: str, destination: str
) -> None:
    rate = RETAIL.rate_for(number, int(at_ms))
    assert (rate.destination if rate else "") == destination


def test_a_rate_without_any_price_is_free_and_one_with_a_connect_fee_is_not() -> None:
    assert make_rate(per_minute=0).is_free
    assert not make_rate(per_minute=0, connect_fee=1).is_free
    assert not make_rate(per_minute=1).is_free


@pytest.mark.parametrize(
    "wrong",
    [
        {"prefix": "01632"},
        {"prefix": "441632"},
        {"prefix": "+0"},
        {"prefix": "+"},
        {"prefix": "999"},
        {"prefix": "112"},
        {"prefix": "+1234567890123456"},
        {"prefix": "+\uff14\uff14"},
        {"connect_fee": -1},
        {"per_minute": -1},
        {"per_minute": PRICE_MICROS_MAX + 1},
        {"initial_s": 0},
        {"next_s": 0},
        {"next_s": 3_601},
        {"from_ms": 5, "until_ms": 5},
    ],
    ids=repr,
)
def test_an_invalid_rate_cannot_exist(wrong: dict[str, str | int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        make_rate(**wrong)  # type: ignore[arg-type]


def test_a_tariff_takes_no_rate_of_another_vat_mode() -> None:
    with pytest.raises(ValueError, match="not inc_vat"):
        tariff_of(make_rate(vat=VatMode.EX_VAT))
    with pytest.raises(ValueError, match="not inc_vat"):
        tariff_of(make_rate(vat=None))


def test_a_tariff_has_one_rate_of_a_prefix_at_a_time() -> None:
    with pytest.raises(ValueError, match="two rates at one time"):
        tariff_of(make_rate(until_ms=10), make_rate(from_ms=9))


def test_a_prefix_has_a_bounded_number_of_dated_rates() -> None:
    days = range(RATES_PER_PREFIX_MAX + 1)
    with pytest.raises(ValueError, match="rates of one prefix"):
        tariff_of(*(make_rate(from_ms=day, until_ms=day + 1) for day in days))


@st.composite
def dated_rates(draw: st.DrawFn) -> list[Rate]:
    spans = draw(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8) | st.none()), max_size=8))
    prefixes = draw(st.lists(st.sampled_from(["+1", "+12"]), min_size=len(spans), max_size=len(spans)))
    return [
        make_rate(prefix=prefix, from_ms=start, until_ms=None if length is None else start + length)
        for prefix, (start, length) in zip(prefixes, spans, strict=True)
    ]


@given(dated_rates())
def test_each_rate_that_begins_while_another_holds_is_found(rates: list[Rate]) -> None:
    doubled = {
        (prefix, at_ms)
        for prefix in ("+1", "+12")
        for at_ms in range(40)
        if sum(rate.prefix == prefix and rate.is_valid_at(at_ms) for rate in rates) > 1
    }
    pairs = list(overlapping_rates(rates))
    assert bool(pairs) == bool(doubled)
    late = {
        index
        for index, rate in enumerate(rates)
        if any(
            other.prefix == rate.prefix
            and (other.valid_from_ms, place) < (rate.valid_from_ms, index)
            and other.is_valid_at(rate.valid_from_ms)
            for place, other in enumerate(rates)
        )
    }
    assert {after for _, after in pairs} == late
    for before, after in pairs:
        assert rates[before].prefix == rates[after].prefix
        assert rates[before].is_valid_at(rates[after].valid_from_ms)
        assert rates[after].is_valid_at(rates[after].valid_from_ms)


@given(dated_rates(), st.sampled_from(["+1", "+12", "+123", "+2"]), st.integers(0, 40))
def test_rate_for_agrees_with_brute_force(rates: list[Rate], number: str, at_ms: int) -> None:
    if next(overlapping_rates(rates), None) is not None:
        return
    fitting = [rate for rate in rates if number.startswith(rate.prefix) and rate.is_valid_at(at_ms)]
    expected = max(fitting, key=lambda rate: len(rate.prefix), default=None)
    assert tariff_of(*rates).rate_for(number, at_ms) is expected


@pytest.fixture(scope="module")
def deck_rows() -> list[list[str]]:
    with DECK.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


@pytest.fixture(scope="module")
def deck_text(deck_rows: list[list[str]]) -> str:
    header = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until\r\n"
    return header + "".join(
        f'{prefix},"{name}",{connect_fee},{per_minute},{period_s},{period_s},2026-01-01,\r\n'
        for name, prefix, per_minute, connect_fee, period_s in deck_rows
    )


@needs_deck
def test_a_published_deck_loads_and_every_number_finds_the_price_of_a_naive_search(
    deck_rows: list[list[str]], deck_text: str
) -> None:
    tariff = load_tariff("wholesale", deck_text, "ex_vat")
    assert len(tariff.rates) == len(deck_rows) == 4_743
    prefixes = [row[1] for row in deck_rows]
    chance = random.Random(4743)
    numbers = [prefix + str(chance.randrange(10**6)) for prefix in chance.sample(prefixes, 400)]
    numbers += ["+" + str(chance.randrange(10**10, 10**12)) for _ in range(400)]
    numbers += prefixes[:200]
    at_ms = 1_800_000_000_000
    for number in numbers:
        naive = max((prefix for prefix in prefixes if number.startswith(prefix)), key=len, default=None)
        rate = tariff.rate_for(number, at_ms)
        assert (rate.prefix if rate else None) == naive, number


@needs_deck
def test_a_tariffs_version_is_the_sha256_of_its_text(deck_text: str) -> None:
    tariff = load_tariff("wholesale", deck_text, "ex_vat")
    assert tariff.version == hashlib.sha256(deck_text.encode()).hexdigest()[:16]
    assert load_tariff("wholesale", deck_text + "\n", "ex_vat").version != tariff.version
