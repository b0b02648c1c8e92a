"""Inclusive seconds and discounts: who is covered, in which order, when, and what is left of the price."""

import msgspec
import pytest

from rating.bundle import PIECES_PER_CALL_MAX
from rating.bundle_terms import BundleTerms, Used
from rating.charge import charge
from rating.engine import Engine, Reservation, Settlement, Shortage, ShortageReason
from rating.money import VatMode
from rating.rate import ON_NET, Rate
from rating.special_terms import BandPrices, ServiceCharge, SpecialTerms
from rating.time_bands import TimeBands
from tests.rating.bundle_terms import AT_MS, HOUR_MS, bundle, discount, engine_with, left_s
from tests.rating.rates import PENNY, make_rate

PER_SECOND = 1_000
RATE = make_rate(per_minute=60 * PER_SECOND)
MONEY = 1_000 * PER_SECOND


def call(
    engine: Engine,
    seconds: float,
    *,
    rate: Rate = RATE,
    key: str = "call",
    number: str = "+441632960001",
    at_ms: int = AT_MS,
    ahead_s: int = 60,
) -> Settlement:
    """One that renews as a live one does, and talks for so long or as long as it may."""
    held = engine.reserve(key, 1, rate, initial_ahead_s=ahead_s, at_ms=at_ms, number=number)
    assert isinstance(held, Reservation), held
    granted_s = engine.start(key, at_ms)
    while granted_s < seconds:
        if (longer_s := engine.extend(key, until_s=granted_s + ahead_s)) == granted_s:
            break
        granted_s = longer_s
    return engine.settle(key, round(min(seconds, granted_s) * 1000))


def test_a_covered_call_needs_no_money_and_costs_none() -> None:
    engine = engine_with(bundle(1, 300))
    settled = call(engine, 90.5)
    assert (settled.charge.billed_s, settled.charge.total_micros) == (91, 0)
    assert settled.used == (Used(1, 91, 0),)
    assert left_s(engine) == 209


def test_the_connect_fee_of_the_rate_is_not_owed_by_a_covered_call() -> None:
    engine = engine_with(bundle(1, 300))
    assert call(engine, 10, rate=make_rate(connect_fee=PENNY)).charge.total_micros == 0


def test_the_bundles_own_connect_fee_is_money() -> None:
    engine = engine_with(bundle(1, 300, connect_fee_micros=PENNY), balance=PENNY)
    assert call(engine, 10).charge.connect_fee_micros == PENNY
    refused = engine.reserve("next", 1, RATE, initial_ahead_s=60, at_ms=AT_MS)
    assert isinstance(refused, Shortage)
    assert refused.reason is ShortageReason.INSUFFICIENT_CREDIT
    assert left_s(engine) == 290


def test_when_a_bundle_is_used_up_money_begins_and_the_record_says_how_much_of_each() -> None:
    engine = engine_with(bundle(1, 40), balance=MONEY)
    settled = call(engine, 100, rate=make_rate(connect_fee=PENNY, per_minute=60 * PER_SECOND))
    assert settled.charge.billed_s == 100
    assert settled.charge.usage_micros == 60 * PER_SECOND
    assert settled.charge.connect_fee_micros == 0
    assert settled.used == (Used(1, 40, 0),)


def test_when_it_is_used_up_and_there_is_no_money_the_last_covered_second_is_the_end() -> None:
    engine = engine_with(bundle(1, 40))
    held = engine.reserve("call", 1, RATE, initial_ahead_s=60, at_ms=AT_MS)
    assert isinstance(held, Reservation)
    assert (held.granted_s, held.reserved_micros) == (40, 0)
    assert engine.extend("call", until_s=60) == 40
    assert engine.limit_of("call") is ShortageReason.INSUFFICIENT_CREDIT
    settled = engine.settle("call", 40_700)
    assert (settled.charge.total_micros, settled.unpaid_ms, left_s(engine)) == (0, 700, 0)


def test_a_call_that_has_money_set_aside_stays_on_money() -> None:
    engine = engine_with(bundle(1, 40), balance=MONEY)
    engine.reserve("call", 1, RATE, initial_ahead_s=60, at_ms=AT_MS)
    engine.bundles.set(bundle(2, 1000))
    engine.extend("call", until_s=120)
    assert engine.settle("call", 100_000).used == (Used(1, 40, 0),)
    assert left_s(engine, 2) == 1000


def test_a_call_that_is_wholly_covered_draws_on_a_new_grant_at_its_next_renewal() -> None:
    engine = engine_with(bundle(1, 40))
    engine.reserve("call", 1, RATE, initial_ahead_s=60, at_ms=AT_MS)
    engine.bundles.set(bundle(2, 1000))
    assert engine.extend("call", until_s=120) == 120
    assert engine.settle("call", 100_000).used == (Used(1, 40, 0), Used(2, 60, 0))


def test_what_is_not_used_goes_back_to_where_it_came_from() -> None:
    engine = engine_with(bundle(1, 20, expires_at_ms=AT_MS + HOUR_MS), bundle(2, 100), balance=MONEY)
    engine.reserve("call", 1, RATE, initial_ahead_s=60, at_ms=AT_MS)
    assert (left_s(engine, 1), left_s(engine, 2)) == (0, 60)
    engine.release("call")
    assert (left_s(engine, 1), left_s(engine, 2)) == (20, 100)
    engine.reserve("call", 1, RATE, initial_ahead_s=60, at_ms=AT_MS)
    assert engine.settle("call", 25_000).used == (Used(1, 20, 0), Used(2, 5, 0))
    assert (left_s(engine, 1), left_s(engine, 2), engine.available(1)) == (0, 95, MONEY)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (bundle(2, expires_at_ms=AT_MS + HOUR_MS), bundle(1, expires_at_ms=AT_MS + 2 * HOUR_MS, priority=9)),
        (bundle(2, expires_at_ms=AT_MS + HOUR_MS), bundle(1, priority=9)),
        (bundle(2, priority=9), bundle(1)),
        (bundle(1), bundle(2)),
        (
            bundle(1, expires_at_ms=AT_MS - 1, carry_until_ms=AT_MS + HOUR_MS, carry_max_s=60),
            bundle(2, expires_at_ms=AT_MS + HOUR_MS),
        ),
    ],
    ids=["the soonest to expire", "one that never does is last", "then the priority", "then the earlier grant",
         "what was carried over first"],
)  # fmt: skip
def test_the_order_in_which_bundles_are_drawn_on(first: BundleTerms, second: BundleTerms) -> None:
    for order in ((first, second), (second, first)):
        engine = engine_with(*order)
        assert [one.bundle_id for one in call(engine, 70).used] == [first.id, second.id]


def test_steps_are_the_bundles_own_and_a_scrap_is_a_step_of_its_own() -> None:
    engine = engine_with(bundle(1, 50, increment_s=20), bundle(2, 100, increment_s=60))
    settled = call(engine, 45)
    assert settled.used == (Used(1, 50, 0),)
    settled = call(engine, 5)
    assert (settled.charge.billed_s, settled.used) == (60, (Used(2, 60, 0),))
    settled = call(engine, 1)
    assert settled.used == (Used(2, 40, 0),)


def test_renewals_do_not_begin_a_new_step() -> None:
    engine = engine_with(bundle(1, 1000, increment_s=50))
    settled = call(engine, 120, ahead_s=7)
    assert settled.used == (Used(1, 150, 0),)


def test_the_rates_intervals_count_from_the_beginning_of_the_call() -> None:
    rate = make_rate(per_minute=60 * PER_SECOND, initial_s=60, next_s=6)
    engine = engine_with(bundle(1, 40), balance=MONEY)
    settled = call(engine, 41, rate=rate)
    assert (settled.charge.billed_s, settled.charge.usage_micros) == (60, 20 * PER_SECOND)
    settled = call(engine_with(bundle(1, 40), balance=MONEY), 61, rate=rate)
    assert (settled.charge.billed_s, settled.charge.usage_micros) == (66, 26 * PER_SECOND)


def test_a_bundle_pays_for_the_seconds_that_begin_before_it_expires() -> None:
    old = bundle(1, 1000, expires_at_ms=AT_MS + 30_000)
    new = bundle(2, 1000, valid_from_ms=AT_MS + 30_000, expires_at_ms=AT_MS + HOUR_MS)
    assert call(engine_with(old, new), 50).used == (Used(1, 30, 0), Used(2, 20, 0))
    assert call(engine_with(old, balance=MONEY), 50).charge.usage_micros == 20 * PER_SECOND
    late = msgspec_replace_end(old, AT_MS + 29_001)
    assert call(engine_with(late, new), 50).used[0] == Used(1, 30, 0)


def msgspec_replace_end(terms: BundleTerms, ends_at_ms: int) -> BundleTerms:
    return bundle(terms.id, terms.granted_s, expires_at_ms=ends_at_ms)


def test_a_bundle_that_is_to_come_or_over_covers_nothing() -> None:
    engine = engine_with(bundle(1, valid_from_ms=AT_MS + 1), bundle(2, expires_at_ms=AT_MS))
    assert isinstance(engine.reserve("call", 1, RATE, initial_ahead_s=60, at_ms=AT_MS), Shortage)


def test_what_is_left_over_lives_on_up_to_its_limit() -> None:
    terms = bundle(1, 600, expires_at_ms=AT_MS, carry_until_ms=AT_MS + HOUR_MS, carry_max_s=100)
    engine = engine_with(terms)
    call(engine, 200, at_ms=AT_MS - HOUR_MS)
    assert (left_s(engine, at_ms=AT_MS - 1), left_s(engine, at_ms=AT_MS)) == (400, 100)
    assert call(engine, 70).used == (Used(1, 70, 70),)
    assert left_s(engine, at_ms=AT_MS) == 30
    assert left_s(engine, at_ms=AT_MS + HOUR_MS) == 0


def test_less_than_the_limit_was_left_over() -> None:
    terms = bundle(1, 600, expires_at_ms=AT_MS, carry_until_ms=AT_MS + HOUR_MS, carry_max_s=100)
    engine = engine_with(terms, balance=MONEY)
    call(engine, 560, at_ms=AT_MS - HOUR_MS)
    settled = call(engine, 70)
    assert (settled.used, settled.charge.usage_micros) == ((Used(1, 40, 40),), 30 * PER_SECOND)


def test_a_call_through_the_renewal_uses_both_times_of_a_bundle() -> None:
    terms = bundle(1, 600, expires_at_ms=AT_MS + 10_000, carry_until_ms=AT_MS + HOUR_MS, carry_max_s=20)
    engine = engine_with(terms)
    settled = call(engine, 100)
    assert settled.used == (Used(1, 30, 20),)


def test_the_answer_decides_which_bundle_it_is() -> None:
    """It rang over the end of the one and the beginning of the other."""
    old, new = bundle(1, expires_at_ms=AT_MS + 5000), bundle(2, 300, valid_from_ms=AT_MS + 5000)
    engine = engine_with(old, new)
    engine.reserve("call", 1, RATE, initial_ahead_s=60, at_ms=AT_MS)
    assert engine.start("call", AT_MS + 20_000) == 60
    assert engine.settle("call", 10_000).used == (Used(2, 10, 0),)
    assert left_s(engine, 1, AT_MS) == 60


def test_a_bundle_that_expired_while_it_rang_leaves_money_or_nothing() -> None:
    for balance, granted_s in ((MONEY, 60), (10 * PER_SECOND, 10), (0, 0)):
        engine = engine_with(bundle(1, expires_at_ms=AT_MS + 5000), balance=balance)
        engine.reserve("call", 1, RATE, initial_ahead_s=60, at_ms=AT_MS - 60_000)
        assert engine.start("call", AT_MS + 20_000) == granted_s
        settled = engine.settle("call", 60_000)
        assert (settled.charge.total_micros, settled.used) == (granted_s * PER_SECOND, ())
        assert engine.available(1) == balance - granted_s * PER_SECOND


def test_groups_and_prefixes_say_what_a_bundle_is_for() -> None:
    geographic = bundle(groups=(), prefixes=("+441", "+442", ON_NET), except_prefixes=("+441481", "+441534"))
    rate = make_rate(prefix="+44", destination="anything")
    cases = {
        "+442079460123": True, "+441632960001": True, "+441534960001": False, "+447700900123": False, "": False,
    }  # fmt: skip
    assert {number: geographic.is_for(rate, number) for number in cases} == cases
    assert bundle(groups=("anything",)).is_for(rate, "+447700900123")
    assert not bundle(groups=("anything",), except_prefixes=("+447700",)).is_for(rate, "+447700900123")
    assert geographic.is_for(make_rate(prefix=ON_NET), "bob")
    assert not bundle(groups=("Texts",)).is_for(
        make_rate(prefix="sms:+44", destination="Texts", per_minute=0), "+447700900123"
    )


def test_a_number_that_no_bundle_is_for_costs_money() -> None:
    engine = engine_with(bundle(groups=("Mars",)), balance=MONEY)
    settled = call(engine, 10)
    assert (settled.charge.usage_micros, settled.used) == (10 * PER_SECOND, ())


@pytest.mark.parametrize("percent", [1, 10, 33, 50, 99, 100])
@pytest.mark.parametrize("seconds", [1, 61, 500])
def test_a_discount_takes_its_percent_off_usage_and_connect_fee(percent: int, seconds: int) -> None:
    rate = make_rate(connect_fee=PENNY, per_minute=12_345)
    engine = engine_with(discount(1, percent), discount(2, 1, groups=("Mars",)), balance=MONEY)
    settled = call(engine, seconds, rate=rate)
    full = charge(rate, seconds * 1000)
    assert settled.charge.usage_micros == full.usage_micros * (100 - percent) // 100
    assert settled.charge.connect_fee_micros == full.connect_fee_micros * (100 - percent) // 100
    assert settled.used == ()


def test_the_greatest_discount_holds_and_only_one() -> None:
    engine = engine_with(
        discount(1, 10), discount(2, 50), discount(3, 90, expires_at_ms=AT_MS), balance=MONEY
    )
    assert call(engine, 10).charge.usage_micros == 5 * PER_SECOND


def test_credit_lasts_longer_with_a_discount_and_is_never_overdrawn() -> None:
    engine = engine_with(discount(1, 50), balance=10 * PER_SECOND)
    settled = call(engine, 100)
    assert (settled.charge.billed_s, settled.charge.usage_micros) == (20, 10 * PER_SECOND)


def test_behind_a_bundle_the_discount_holds() -> None:
    engine = engine_with(bundle(1, 40, connect_fee_micros=PENNY), discount(2, 50), balance=MONEY)
    settled = call(engine, 60)
    assert settled.charge.connect_fee_micros == PENNY
    assert settled.charge.usage_micros == 10 * PER_SECOND


def test_fair_use_ends_with_its_seconds_and_says_so_once() -> None:
    engine = engine_with(bundle(1, 60, is_fair_use=True, name="Unlimited"), balance=MONEY)
    assert call(engine, 60).charge.total_micros == 0
    assert engine.bundles.take_warnings() == []
    for _ in range(3):
        assert call(engine, 10).charge.usage_micros == 10 * PER_SECOND
    (warning,) = engine.bundles.take_warnings()
    assert (warning.account_id, warning.name) == (1, "Unlimited")
    assert engine.bundles.counts.fair_use_reached == 1


def test_fair_use_ends_with_its_different_numbers() -> None:
    engine = engine_with(bundle(1, 6000, is_fair_use=True, destinations_max=2), balance=MONEY)
    for number in ("+441632960001", "+441632960002", "+441632960001"):
        assert call(engine, 10, number=number).charge.total_micros == 0
    assert call(engine, 10, number="+441632960003").charge.total_micros == 10 * PER_SECOND
    assert call(engine, 10, number="+441632960002").used == (Used(1, 10, 0, "+441632960002"),)
    assert len(engine.bundles.take_warnings()) == 1


def test_numbers_that_ring_count_and_those_that_never_answered_do_not() -> None:
    engine = engine_with(bundle(1, 6000, is_fair_use=True, destinations_max=1), balance=MONEY)
    engine.reserve("a", 1, RATE, initial_ahead_s=10, at_ms=AT_MS, number="+441632960001")
    assert call(engine, 10, number="+441632960002").used == ()
    engine.release("a")
    assert call(engine, 10, number="+441632960002").used != ()


def test_a_covered_call_passes_a_cap_that_is_used_up_and_a_balance_below_its_floor() -> None:
    capped = engine_with(bundle(1, 60), balance=MONEY, daily_cap_micros=0)
    assert call(capped, 60).charge.total_micros == 0
    below = engine_with(bundle(1, 60))
    below.apply_credit(1, 1, -5 * PENNY)
    assert call(below, 60).balance_after_micros == -5 * PENNY


def test_a_suspended_account_has_no_use_of_its_bundles() -> None:
    engine = engine_with(bundle(1, 60))
    from rating.account import AccountTerms  # noqa: PLC0415

    engine.set_account(AccountTerms(id=1, vat=VatMode.INC_VAT, floor_micros=0, is_suspended=True))
    refused = engine.reserve("call", 1, RATE, initial_ahead_s=60, at_ms=AT_MS)
    assert isinstance(refused, Shortage)
    assert refused.reason is ShortageReason.SUSPENDED


def test_a_bundle_that_is_ended_gives_no_more_and_takes_nothing_back_from_calls() -> None:
    engine = engine_with(bundle(1, 1000))
    engine.reserve("call", 1, RATE, initial_ahead_s=60, at_ms=AT_MS)
    engine.bundles.set(bundle(1, 1000, revision=2, expires_at_ms=AT_MS + 10_000))
    assert engine.extend("call", until_s=120) == 60
    assert engine.settle("call", 60_000).used == (Used(1, 60, 0),)


def test_an_older_reading_of_a_grant_changes_nothing() -> None:
    engine = engine_with(bundle(1, 1000, revision=3))
    engine.bundles.set(bundle(1, 5000, revision=2))
    assert left_s(engine) == 1000


def test_uses_from_the_journal_wait_for_a_grant_that_is_younger_than_the_snapshot() -> None:
    engine = engine_with()
    engine.bundles.use(Used(7, 25, 0))
    engine.bundles.use(Used(7, 10, 0))
    engine.bundles.set(bundle(7, 60))
    assert left_s(engine, 7) == 25


def test_a_bundle_is_let_go_of_a_day_after_its_end_unless_a_call_is_on_it() -> None:
    engine = engine_with(bundle(1, expires_at_ms=AT_MS + 1000), bundle(2, expires_at_ms=AT_MS))
    engine.reserve("call", 1, RATE, initial_ahead_s=1, at_ms=AT_MS)
    engine.bundles.set(bundle(3), today_ms=AT_MS + 48 * HOUR_MS)
    assert [totals.terms.id for totals in engine.bundles.of_account(1, AT_MS)] == [1, 3]
    engine.settle("call", 1000)
    engine.bundles.set(bundle(4), today_ms=AT_MS + 48 * HOUR_MS)
    assert [totals.terms.id for totals in engine.bundles.of_account(1, AT_MS)] == [3, 4]
    assert len(engine.bundles) == 2


def test_a_call_that_finds_too_many_scraps_goes_on_on_money() -> None:
    scraps = [bundle(number, 1) for number in range(1, PIECES_PER_CALL_MAX + 10)]
    engine = engine_with(*scraps, balance=MONEY)
    settled = call(engine, 60)
    assert len(settled.used) == PIECES_PER_CALL_MAX
    assert settled.charge.usage_micros == 10 * PER_SECOND


def test_a_rehearsal_takes_nothing_from_the_bundle() -> None:
    engine, other = engine_with(bundle(1, 60)), Engine()
    engine.lend(1, other)
    held = other.reserve("tried", 1, RATE, initial_ahead_s=60, at_ms=AT_MS)
    assert isinstance(held, Reservation)
    assert held.reserved_micros == 0
    other.release("tried")
    assert left_s(engine) == 60


def test_what_a_call_would_cost_now() -> None:
    engine = engine_with(bundle(1, 40), balance=MONEY)
    engine.reserve("call", 1, RATE, initial_ahead_s=60, at_ms=AT_MS)
    assert [engine.cost("call", at).total_micros for at in (0, 40_000, 50_000)] == [0, 0, 10 * PER_SECOND]


def unbundled(*, access: int, per_call: int = 0, per_minute: int = 0) -> Rate:
    """0845 and its like, in a tariff with VAT."""
    service = ServiceCharge(
        code="SC001", access_per_minute=access, per_call=per_call, per_minute=per_minute, covers_s=0
    )
    plain = make_rate(prefix="+44845", per_minute=access + per_minute, initial_s=60, next_s=1)
    return msgspec.structs.replace(plain, special=SpecialTerms(service=service))


def test_a_number_with_a_service_charge_is_in_no_bundle_and_has_no_discount() -> None:
    rate = unbundled(access=60 * PER_SECOND, per_call=PENNY, per_minute=120 * PER_SECOND)
    engine = engine_with(bundle(1, 300), discount(2, 50), balance=MONEY)
    settled = call(engine, 70, rate=rate)
    charged = settled.charge
    assert (charged.access_charge_micros, charged.service_charge_micros) == (70_000, PENNY + 140_000)
    assert charged.total_micros == PENNY + 210_000
    assert (settled.used, left_s(engine)) == ((), 300)


def test_the_time_band_of_the_answer_holds_for_the_seconds_behind_the_bundle() -> None:
    bands = TimeBands(["evening"], [0, AT_MS + 30_000], [0, 1])
    banded = BandPrices(bands, (60 * PER_SECOND, 6 * PER_SECOND), (PENNY, 2 * PENNY))
    rate = msgspec.structs.replace(RATE, special=SpecialTerms(banded=banded))
    engine = engine_with(bundle(1, 20), balance=MONEY)
    settled = call(engine, 60, rate=rate)
    assert settled.charge.connect_fee_micros == 0
    assert settled.charge.usage_micros == 10 * PER_SECOND + 30 * PER_SECOND // 10
    engine.reserve("later", 1, rate, initial_ahead_s=60, at_ms=AT_MS)
    assert engine.start("later", AT_MS + 30_000) == 60
    charged = engine.settle("later", 60_000).charge
    assert (charged.connect_fee_micros, charged.usage_micros) == (2 * PENNY, 6 * PER_SECOND)


def test_a_call_that_is_answered_in_a_dearer_band_is_granted_what_credit_pays_for_there() -> None:
    bands = TimeBands(["day"], [0, AT_MS + 30_000], [0, 1])
    banded = BandPrices(bands, (6 * PER_SECOND, 60 * PER_SECOND), (0, 0))
    rate = msgspec.structs.replace(make_rate(per_minute=6 * PER_SECOND), special=SpecialTerms(banded=banded))
    for balance, granted_s in ((MONEY, 30), (20 * PER_SECOND, 20), (500, 0)):
        engine = engine_with(balance=balance)
        held = engine.reserve("call", 1, rate, initial_ahead_s=30, at_ms=AT_MS)
        assert isinstance(held, Reservation)
        assert held.reserved_micros == min(30 * PER_SECOND // 10, balance)
        assert engine.start("call", AT_MS + 30_000) == granted_s
        assert engine.settle("call", 30_000).charge.total_micros == granted_s * PER_SECOND
        assert engine.available(1) == balance - granted_s * PER_SECOND
