"""Bundles and special prices on one call: the seconds after the covered ones go by their own time band."""

import pytest

from rating.engine import Engine, Reservation
from rating.rate import Rate
from tests.rating.bundle_terms import bundle, discount, engine_with
from tests.rating.rates import PENNY
from tests.rating.test_special_charge import BANDED, ms, special_rate, unbundled

BORDER = "2026-06-15T19:00:00+01:00"  # peak at 6p ends, then 3p


def held(engine: Engine, rate: Rate, at_ms: int, seconds: int = 120) -> Reservation:
    found = engine.reserve("call", 1, rate, initial_ahead_s=seconds, at_ms=at_ms, number="+441632960123")
    assert isinstance(found, Reservation)
    return found


@pytest.mark.parametrize(("begins_s", "pence"), [(-60, 3), (-90, 4.5), (-120, 6), (0, 3)])
def test_a_covered_minute_leaves_the_price_of_the_next_to_the_clock(begins_s: int, pence: float) -> None:
    engine = engine_with(bundle(1, 60), balance=100 * PENNY)
    held(engine, BANDED, ms(BORDER) + begins_s * 1000)
    charged = engine.settle("call", 120_000).charge
    assert (charged.connect_fee_micros, charged.usage_micros) == (0, pence * PENNY)  # the bundle's own fee, none


def test_a_discount_is_off_the_connect_fee_of_the_band_in_which_the_call_begins() -> None:
    for begins_s, fee in ((-60, 2.5), (0, 1)):
        engine = engine_with(discount(1, 50), balance=100 * PENNY)
        held(engine, BANDED, ms(BORDER) + begins_s * 1000)
        assert engine.settle("call", 60_000).charge.connect_fee_micros == fee * PENNY


def test_a_call_that_is_answered_in_another_band_is_held_anew() -> None:
    engine = engine_with(balance=17 * PENNY)
    assert held(engine, BANDED, ms(BORDER) - 10_000_000).granted_s == 120
    assert engine.start("call", ms(BORDER)) == 120
    assert engine.reservation("call").reserved_micros == 8 * PENNY  # type: ignore[union-attr]
    assert engine.settle("call", 120_000).charge.total_micros == 8 * PENNY


def test_a_bundle_pays_no_part_of_a_call_with_a_service_charge() -> None:
    engine = engine_with(bundle(1, 600), discount(2, 50), balance=100 * PENNY)
    found = held(engine, unbundled(10 * PENNY, per_minute=7 * PENNY), ms(BORDER))
    assert found.cover is None
    assert engine.settle("call", 60_000).charge.total_micros == 17 * PENNY


def test_a_minimum_charge_is_for_calls_that_cost_money() -> None:
    engine = engine_with(bundle(1, 60), balance=100 * PENNY)
    held(engine, special_rate(per_minute=PENNY, minimum=20 * PENNY), ms(BORDER))
    assert engine.settle("call", 60_000).charge.total_micros == 0
    engine = engine_with(bundle(1, 60), balance=100 * PENNY)
    held(engine, special_rate(per_minute=PENNY, minimum=20 * PENNY), ms(BORDER))
    assert engine.settle("call", 61_000).charge.total_micros == 20 * PENNY
