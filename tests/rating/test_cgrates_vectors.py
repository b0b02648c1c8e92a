"""The rating cases of another engine, to the last digit: what does not ask for bundles.

Its periods are time bands here. Their weekdays are London's here and UTC's there; no case lies in an hour where that
is another band. A cap belongs to a period there and to the rate here: each such case lies in one period.
"""

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from _pytest.mark.structures import ParameterSet

from rating.charge import charge
from rating.engine import AccountTerms, Engine, Reservation
from rating.money import MICROS_PER_POUND, VatMode
from rating.prefix import PrefixTable
from rating.rate import Rate
from rating.special_terms import BandPrices, SpecialTerms
from rating.time_bands import BandPattern, TimeBands, make_time_bands
from tests.rating.rates import make_rate

VECTORS = Path(__file__).parents[2] / "../shared/corpora/rating/cgrates_vectors.json"

Json: TypeAlias = dict[str, Any]

# test_bundle_vectors.py has those that ask for bundles.
CONTINUED = "cd_noconnectfee"  # its connect fee was charged with an earlier part of the call

FLOOR_WHERE_NEGATIVE_IS_ALLOWED = -1_000 * MICROS_PER_POUND


def micros(amount: str | Decimal) -> int:
    value = Decimal(amount) * MICROS_PER_POUND
    assert value == int(value), f"{amount} is not whole micros"
    return int(value)


def period_at(tariff: Json, when: datetime.datetime) -> Json:
    """The timing of the highest weight, then the latest start, that holds at that second."""
    clock = when.strftime("%H:%M:%S")
    holding = [
        period
        for period in tariff["periods"]
        if when.isoweekday() in period["weekdays"] and period["start"] <= clock
    ]
    best: Json = max(holding, key=lambda period: (period["weight"], period["start"]))
    return best


def asks_for_bundles(vector: Json) -> bool:
    return "bundle" in json.dumps({key: vector[key] for key in vector if "before" in key or key == "balance"})


def rate_of(tariff: Json, vector: Json) -> Rate:
    """The whole tariff as one rate, each of its periods a time band. Cap and intervals are those of the call's own."""
    start = datetime.datetime.fromisoformat(vector["start"])
    own = period_at(tariff, start)
    price, fee, initial_s, next_s = price_of(own)
    special = None
    if len(tariff["periods"]) > 1 or "max_cost" in own:
        cap = micros(own["max_cost"]) if "max_cost" in own else None
        prices = [price_of(period) for period in tariff["periods"]]
        assert {(each[2], each[3]) for each in prices} == {(initial_s, next_s)}
        banded = BandPrices(
            bands_of(tariff), (0, *(each[0] for each in prices)), (0, *(each[1] for each in prices))
        )
        special = SpecialTerms(
            banded=banded, cap=cap, ends_at_cap=own.get("max_cost_strategy") == "*disconnect"
        )
    rate = make_rate(connect_fee=fee, per_minute=price, initial_s=initial_s, next_s=next_s)
    return msgspec.structs.replace(rate, special=special)


def plain_rate_of(tariff: Json, vector: Json) -> Rate:
    """The price of the period in which the call begins."""
    price, fee, initial_s, next_s = price_of(period_at(tariff, datetime.datetime.fromisoformat(vector["start"])))
    return make_rate(connect_fee=fee, per_minute=price, initial_s=initial_s, next_s=next_s)


def price_of(period: Json) -> tuple[int, int, int, int]:
    """Per minute, connect fee, initial and next interval. Rate groups differ at most in their first increment here."""
    groups = period["rate_groups"]
    prices = {Decimal(group["price"]) / group["per_s"] for group in groups}
    assert len(prices) == 1
    assert len(groups) == 1 or groups[1]["from_s"] == groups[0]["increment_s"]
    return (
        micros(Decimal(groups[0]["price"]) * 60 / groups[0]["per_s"]),
        micros(period["connect_fee"]),
        groups[0]["increment_s"],
        groups[-1]["increment_s"],
    )


def bands_of(tariff: Json) -> TimeBands:
    week = []
    for weekday in range(1, 8):
        of_day = [
            (int(period["start"][:2]) * 60 + int(period["start"][3:5]), 1440, number)
            for number, period in enumerate(tariff["periods"], start=1)
            if weekday in period["weekdays"]
        ]
        week.append(tuple(sorted(of_day, reverse=True)))  # the latest start first
    names = [period["timing"] for period in tariff["periods"]]
    return make_time_bands(names, BandPattern(tuple(week)))


def vectors(kind: str) -> list[ParameterSet]:
    if not VECTORS.exists():
        reason = f"the rating vectors are not here: {VECTORS}"
        return [pytest.param({}, None, marks=pytest.mark.skip(reason=reason), id=f"all_{kind}_vectors")]
    corpus = json.loads(VECTORS.read_text())
    params = []
    for vector in corpus["vectors"]:
        if vector["kind"] != kind:
            continue
        tariff = corpus["tariffs"][vector["tariff"]]
        if asks_for_bundles(vector):
            continue
        assert PrefixTable(dict.fromkeys(tariff["prefixes"], True)).longest(vector["destination"])
        params.append(pytest.param(vector, rate_of(tariff, vector), id=vector["id"]))
    return params


def cost_of(vector: Json) -> int:
    """The exact cost where the other engine's own answer is an artifact of rounding each increment."""
    return micros(vector.get("exact_cost") or vector["expected_cost"])


def engine_with(balance: str, *, floor: int = 0) -> Engine:
    engine = Engine()
    engine.set_account(AccountTerms(id=1, vat=VatMode.INC_VAT, floor_micros=floor, is_suspended=False))
    engine.load_balance(1, micros(balance), 0)
    return engine


def start_ms(vector: Json) -> int:
    return int(datetime.datetime.fromisoformat(vector["start"]).timestamp()) * 1000


@pytest.mark.parametrize(("vector", "rate"), vectors("cost"))
def test_the_cost_of_a_call(vector: Json, rate: Rate) -> None:
    found = charge(rate, vector["duration_s"] * 1000, at_ms=start_ms(vector))
    is_continued = vector["id"] == CONTINUED
    assert (found.usage_micros if is_continued else found.total_micros) == cost_of(vector)


@pytest.mark.parametrize(("vector", "rate"), vectors("debit"))
def test_a_call_leaves_the_balance(vector: Json, rate: Rate) -> None:
    at_ms, duration_s = start_ms(vector), vector["duration_s"]
    if "balance_before" not in vector:
        assert charge(rate, duration_s * 1000, at_ms=at_ms).total_micros == cost_of(vector)
        return
    before, _, remark = vector["balance_before"].partition(" ")
    engine = engine_with(before, floor=FLOOR_WHERE_NEGATIVE_IS_ALLOWED if remark else 0)
    left = [Decimal(word) for word in vector["balance_after"].replace(",", " ").split() if word[-1].isdigit()]
    for number, after in enumerate(left):
        engine.reserve(f"call {number}", 1, rate, initial_ahead_s=duration_s, at_ms=at_ms)
        settlement = engine.settle(f"call {number}", duration_s * 1000)
        assert settlement.charge.total_micros == cost_of(vector)
        assert settlement.balance_after_micros == micros(after)


@pytest.mark.parametrize(("vector", "rate"), vectors("max_session"))
def test_how_long_a_balance_lasts(vector: Json, rate: Rate) -> None:
    # The case without a balance has any that pays for its cap.
    engine = engine_with(vector.get("balance", "10").split(" ")[0])
    held = engine.reserve("call", 1, rate, initial_ahead_s=vector["requested_s"], at_ms=start_ms(vector))
    granted_s = held.granted_s if isinstance(held, Reservation) else 0
    assert granted_s == vector["expected_max_session_s"]
