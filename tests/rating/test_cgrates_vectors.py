"""The rating cases of another engine: all that one price with intervals can express, to the last digit.

A case that lies wholly within one period of its tariff is such a price, whatever else the tariff says.
"""

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from _pytest.mark.structures import ParameterSet

from rating.charge import charge
from rating.engine import AccountTerms, Engine, Reservation
from rating.money import MICROS_PER_POUND, VatMode
from rating.prefix import PrefixTable
from rating.rate import Rate
from tests.rating.rates import make_rate

VECTORS = Path(__file__).parents[2] / "../shared/corpora/rating/cgrates_vectors.json"

Json: TypeAlias = dict[str, Any]

TIME_BANDS = "time bands: a later issue"
CAPS = "caps per call: a later issue"
BUNDLES = "test_bundle_vectors.py has them"

FLOOR_WHERE_NEGATIVE_IS_ALLOWED = -1_000 * MICROS_PER_POUND


def micros(amount: str | Decimal) -> int:
    value = Decimal(amount) * MICROS_PER_POUND
    assert value == int(value), f"{amount} is not whole micros"
    return int(value)


def period_at(tariff: Json, when: datetime.datetime) -> str | None:
    """The timing of the highest weight, then the latest start, that holds at that second."""
    clock = when.strftime("%H:%M:%S")
    holding = [
        period
        for period in tariff["periods"]
        if when.isoweekday() in period["weekdays"] and period["start"] <= clock
    ]
    best = max(holding, key=lambda period: (period["weight"], period["start"]), default=None)
    return None if best is None else str(best["timing"])


def only_period(tariff: Json, vector: Json) -> Json | None:
    """The one period that the whole call lies in, or None."""
    start = datetime.datetime.fromisoformat(vector["start"])
    seconds = range(max(vector["duration_s"], 1))
    timings = {period_at(tariff, start + datetime.timedelta(seconds=second)) for second in seconds}
    if len(timings) != 1 or None in timings:
        return None
    (timing,) = timings
    period: Json = next(period for period in tariff["periods"] if period["timing"] == timing)
    return period


def why_not(tariff: Json, vector: Json) -> str | None:
    period = only_period(tariff, vector)
    if period is None:
        return TIME_BANDS
    if "bundle" in json.dumps({key: vector[key] for key in vector if "before" in key or key == "balance"}):
        return BUNDLES
    # A *disconnect cap limits the session and leaves the price of a given duration alone.
    is_capped = "max_cost" in period and not (
        vector["kind"] == "cost" and period["max_cost_strategy"] == "*disconnect"
    )
    return CAPS if is_capped else None


def rate_of(period: Json) -> Rate:
    """The period's price as one rate. Rate groups differ at most in their first increment here."""
    groups = period["rate_groups"]
    prices = {Decimal(group["price"]) / group["per_s"] for group in groups}
    assert len(prices) == 1
    assert len(groups) == 1 or groups[1]["from_s"] == groups[0]["increment_s"]
    return make_rate(
        connect_fee=micros(period["connect_fee"]),
        per_minute=micros(Decimal(groups[0]["price"]) * 60 / groups[0]["per_s"]),
        initial_s=groups[0]["increment_s"],
        next_s=groups[-1]["increment_s"],
    )


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
        if (later := why_not(tariff, vector)) == BUNDLES:
            continue
        if later:
            params.append(pytest.param({}, None, marks=pytest.mark.skip(reason=later), id=vector["id"]))
            continue
        assert PrefixTable(dict.fromkeys(tariff["prefixes"], True)).longest(vector["destination"])
        params.append(pytest.param(vector, rate_of(only_period(tariff, vector) or {}), id=vector["id"]))
    return params


def cost_of(vector: Json) -> int:
    """The exact cost where the other engine's own answer is an artifact of rounding each increment."""
    return micros(vector.get("exact_cost") or vector["expected_cost"])


def engine_with(balance: str, *, floor: int = 0) -> Engine:
    engine = Engine()
    engine.set_account(AccountTerms(id=1, vat=VatMode.INC_VAT, floor_micros=floor, is_suspended=False))
    engine.load_balance(1, micros(balance), 0)
    return engine


@pytest.mark.parametrize(("vector", "rate"), vectors("cost"))
def test_the_cost_of_a_call(vector: Json, rate: Rate) -> None:
    assert charge(rate, vector["duration_s"] * 1000).total_micros == cost_of(vector)


@pytest.mark.parametrize(("vector", "rate"), vectors("debit"))
def test_a_call_leaves_the_balance(vector: Json, rate: Rate) -> None:
    before, _, remark = vector["balance_before"].partition(" ")
    engine = engine_with(before, floor=FLOOR_WHERE_NEGATIVE_IS_ALLOWED if remark else 0)
    left = [Decimal(word) for word in vector["balance_after"].replace(",", " ").split() if word[-1].isdigit()]
    for number, after in enumerate(left):
        engine.reserve(f"call {number}", 1, rate, initial_ahead_s=vector["duration_s"])
        settlement = engine.settle(f"call {number}", vector["duration_s"] * 1000)
        assert settlement.charge.total_micros == cost_of(vector)
        assert settlement.balance_after_micros == micros(after)


@pytest.mark.parametrize(("vector", "rate"), vectors("max_session"))
def test_how_long_a_balance_lasts(vector: Json, rate: Rate) -> None:
    engine = engine_with(vector["balance"])
    result = engine.reserve("call", 1, rate, initial_ahead_s=vector["requested_s"])
    granted_s = result.granted_s if isinstance(result, Reservation) else 0
    assert granted_s == vector["expected_max_session_s"]
