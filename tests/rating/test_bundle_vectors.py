"""The bundle cases of another engine, to the last digit."""

import json
from typing import Any

import pytest

from rating.engine import Engine, Reservation, ShortageReason
from rating.rate import Rate
from tests.rating.bundle_terms import AT_MS, bundle, engine_with, left_s
from tests.rating.rates import make_rate
from tests.rating.test_cgrates_vectors import VECTORS, micros, plain_rate_of

UK = "+447956"
PACKAGE = {"prefixes": (UK,), "groups": (), "increment_s": 20, "connect_fee_micros": micros("0.01")}


def vector(name: str) -> dict[str, Any]:
    if not VECTORS.exists():
        pytest.skip(f"the rating vectors are not here: {VECTORS}")
    found: dict[str, Any] = next(
        each for each in json.loads(VECTORS.read_text())["vectors"] if each["id"] == name
    )
    return found


def rate_for(case: dict[str, Any], tariff: str = "") -> Rate:
    return plain_rate_of(json.loads(VECTORS.read_text())["tariffs"][tariff or case["tariff"]], case)


def debited(engine: Engine, rate: Rate, wanted_s: int) -> tuple[int, int]:
    """Seconds and micros of a call that talks for as long as it may, at most so long."""
    held = engine.reserve("call", 1, rate, initial_ahead_s=wanted_s, at_ms=AT_MS, number=f"{UK}123456")
    assert isinstance(held, Reservation)
    seconds = min(held.granted_s, wanted_s)
    return seconds, engine.settle("call", seconds * 1000).charge.total_micros


def test_cd_mixed_minutes_money() -> None:
    case = vector("cd_mixed_minutes_money")
    assert case["balance_before"].startswith("money 1; bundle 40 s")
    engine = engine_with(bundle(1, 40, **PACKAGE), balance=micros("1"))
    seconds, cost = debited(engine, rate_for(case), case["duration_s"])
    assert (seconds, cost) == (case["expected_debited_s"], micros(case["expected_cost"]))
    assert (left_s(engine), engine.available(1)) == (0, micros("0.09"))


def test_cd_only_minutes() -> None:
    case = vector("cd_only_minutes")
    assert case["balance_before"] == "money 1; bundle 40 s"
    engine = engine_with(bundle(1, 40, **PACKAGE), balance=micros("1"))
    seconds, cost = debited(engine, rate_for(case, "LCSV_UK"), case["duration_s"])
    assert (seconds, cost) == (case["expected_debited_s"], micros(case["exact_cost"]))
    assert left_s(engine) == 0


def test_cd_minutes_increment() -> None:
    case = vector("cd_minutes_increment")
    engine = engine_with(bundle(1, case["bundle_before_s"], **PACKAGE), balance=micros("1"))
    debited(engine, rate_for(case, "LCSV_UK"), case["duration_s"])
    assert left_s(engine) == case["bundle_after_s"]


def test_cd_force_duration() -> None:
    """So long a call cannot be paid for, and the reason is the credit; ours is granted what there is."""
    case = vector("cd_force_duration")
    assert case["balance_before"] == "money 1; bundle 40 s"
    engine = engine_with(bundle(1, 40, **PACKAGE), balance=micros("1"))
    held = engine.reserve(
        "call", 1, rate_for(case), initial_ahead_s=case["duration_s"], at_ms=AT_MS, number=f"{UK}123456"
    )
    assert isinstance(held, Reservation)
    assert held.granted_s < case["duration_s"]
    assert engine.extend("call", until_s=case["duration_s"]) == held.granted_s
    assert engine.limit_of("call") is ShortageReason.INSUFFICIENT_CREDIT
    assert case["expected_error"] == ShortageReason.INSUFFICIENT_CREDIT.value.upper()


def test_cd_maxsess_minutes() -> None:
    case = vector("cd_maxsess_minutes")
    assert case["balance"] == "money 50; bundles: 200 s NAT (weight 10), 100 s RET (weight 20)"
    nat = bundle(1, 200, priority=10)
    ret = bundle(2, 100, priority=20)
    engine = engine_with(nat, ret, balance=micros("50"))
    held = engine.reserve("call", 1, make_rate(), initial_ahead_s=case["requested_s"], at_ms=AT_MS, number="")
    assert isinstance(held, Reservation)
    assert held.granted_s == case["expected_max_session_s"]
    assert held.reserved_micros == 0
    engine.settle("call", case["requested_s"] * 1000)
    assert (left_s(engine, 1), left_s(engine, 2)) == (200, 40)  # the one of the greater weight
