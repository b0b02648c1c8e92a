"""A deck of another operator's, some thousand prefixes: each number finds the price that a naive search finds."""

import csv
from pathlib import Path
from random import Random

import pytest

from rating.charge import charge
from rating.tariff import Tariff, load_tariff

DECK = Path(__file__).parents[2] / "../shared/corpora/rating/decks/ivozprovider_pricesSample.csv"
AT_MS = 1_790_000_000_000

pytestmark = pytest.mark.skipif(not DECK.exists(), reason=f"the deck is not here: {DECK}")


def rows() -> list[tuple[str, str, str, str, str]]:
    """Name, prefix, per minute, connect fee, interval; the file has each prefix once."""
    with DECK.open(encoding="utf-8") as file:
        return [tuple(row) for row in list(csv.reader(file))[1:]]  # type: ignore[misc]


def as_tariff(deck: list[tuple[str, str, str, str, str]]) -> Tariff:
    lines = ["prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until"]
    for name, prefix, per_minute, connect_fee, interval in deck:
        lines.append(f'{prefix},"{name}",{connect_fee},{per_minute},{interval},{interval},2020-01-01,')
    return load_tariff("deck", "\n".join(lines), "inc_vat")


def test_each_number_finds_what_a_naive_search_finds() -> None:
    deck = rows()
    tariff = as_tariff(deck)
    assert len(tariff.rates) == len(deck) > 4_000
    random = Random(1)
    for _, prefix, *_ in deck:
        number = prefix + "".join(random.choice("0123456789") for _ in range(max(0, 13 - len(prefix))))
        best = max((row for row in deck if number.startswith(row[1])), key=lambda row: len(row[1]))
        rate = tariff.rate_for(number, AT_MS)
        assert rate is not None
        assert (rate.prefix, rate.destination) == (best[1], best[0])


def test_every_row_costs_what_its_line_says() -> None:
    deck = rows()
    tariff = as_tariff(deck)
    for name, prefix, per_minute, connect_fee, _ in deck:
        rate = tariff.rate_for(prefix, AT_MS)
        assert rate is not None, name
        thousandths = round(float(per_minute) * 10**6) + round(float(connect_fee) * 10**6)
        assert charge(rate, 60_000).total_micros == thousandths
