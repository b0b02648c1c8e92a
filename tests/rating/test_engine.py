"""Reserve, extend, settle, release: one call after the other, as an account's owner would count on paper."""

import msgspec
import pytest

from rating.charge import CALL_S_MAX
from rating.engine import (
    AccountTerms,
    Engine,
    RatingMisuseError,
    Reservation,
    Shortage,
    ShortageReason,
)
from rating.money import VatMode
from rating.rate import Rate
from tests.rating.rates import PENNY, make_rate
from tests.tables import cases

ACCOUNT = 7

PER_SECOND = make_rate(per_minute=60)  # one micro a second: money can be read as time
RATES = {
    "per_second": PER_SECOND,
    "6_6": make_rate(per_minute=60, initial_s=6, next_s=6),
    "60_6": make_rate(per_minute=60, initial_s=60, next_s=6),
    "60_60": make_rate(per_minute=60, initial_s=60, next_s=60),
    "fee_10": make_rate(connect_fee=10, per_minute=60),
    "fixed_fee": make_rate(connect_fee=10, per_minute=0),
    "thirds": make_rate(per_minute=20),
}


def terms(*, floor: int = 0, suspended: bool = False, vat: VatMode = VatMode.INC_VAT) -> AccountTerms:
    return AccountTerms(id=ACCOUNT, vat=vat, floor_micros=floor, is_suspended=suspended)


def engine_with(balance: int, *, floor: int = 0) -> Engine:
    engine = Engine()
    engine.set_account(terms(floor=floor))
    engine.load_balance(ACCOUNT, balance, 0)
    return engine


def reserve(
    engine: Engine, call_id: str = "call", *, rate: Rate = PER_SECOND, ahead_s: int = 60
) -> Reservation:
    reservation = engine.reserve(call_id, ACCOUNT, rate, initial_ahead_s=ahead_s)
    assert isinstance(reservation, Reservation)
    return reservation


def balance(engine: Engine) -> int:
    totals = engine.totals(ACCOUNT)
    assert totals is not None
    return totals.balance_micros


@pytest.mark.parametrize(
    ("rate", "budget", "ahead_s", "granted_s", "reserved"),
    cases("""
        # rate     budget ahead_s -> granted_s reserved
        per_second    100      60 ->        60       60
        per_second    100       0 ->         1        1
        per_second     60      60 ->        60       60
        per_second     59      60 ->        59       59
        per_second      1      60 ->         1        1
        per_second      0      60 ->  SHORTAGE        -
        6_6           100      60 ->        60       60
        6_6           100      61 ->        66       66
        6_6            65      61 ->        60       60
        6_6             5      60 ->  SHORTAGE        -
        60_6          100       1 ->        60       60
        60_6          100      61 ->        66       66
        60_6           65     300 ->        60       60
        60_6           59      60 ->  SHORTAGE        -
        60_60         119      90 ->        60       60
        60_60         120      90 ->       120      120
        fee_10        100      60 ->        60       70
        fee_10         69      60 ->        59       69
        fee_10         11      60 ->         1       11
        fee_10         10      60 ->  SHORTAGE        -
        fee_10          9      60 ->  SHORTAGE        -
        # without a price per minute nothing is bought ahead but the fee
        fixed_fee      10      60 ->        60       10
        fixed_fee       9      60 ->  SHORTAGE        -
        # a third of a micro a second: rounded once for the whole, not for each second
        thirds         10      31 ->        31       10
        thirds         10      33 ->        32       10
    """),
)
def test_reserving_grants_whole_intervals_ahead_or_what_the_account_can_pay(
    rate: str, budget: str, ahead_s: str, granted_s: str, reserved: str
) -> None:
    engine = engine_with(int(budget))
    result = engine.reserve("call", ACCOUNT, RATES[rate], initial_ahead_s=int(ahead_s))
    if granted_s == "SHORTAGE":
        assert isinstance(result, Shortage)
        assert result.reason is ShortageReason.INSUFFICIENT_CREDIT
        assert result.needed_micros > result.available_micros == int(budget)
        assert engine.available(ACCOUNT) == int(budget)
        assert engine.reservations_count == 0
    else:
        assert isinstance(result, Reservation)
        assert (result.granted_s, result.reserved_micros) == (int(granted_s), int(reserved))
        assert engine.available(ACCOUNT) == int(budget) - int(reserved)
        assert engine.reservation("call") == result


@pytest.mark.parametrize(
    ("rate", "balance_before", "until_s", "granted_s", "available_after"),
    cases("""
        # rate     balance_before until_s -> granted_s available_after
        # the reservation made before covers 60 s
        per_second            100      90 ->        90              10
        per_second            100     100 ->       100               0
        per_second            100     101 ->       100               0
        per_second            100      60 ->        60              40
        per_second            100      10 ->        60              40
        60_6                  100      61 ->        66              34
        60_6                   65      61 ->        60               5
        60_60                 119      61 ->        60              59
        60_60                 120      61 ->       120               0
        fee_10                100      61 ->        61              29
        fee_10                 71     300 ->        61               0
        fixed_fee              10     300 ->       300               0
        thirds                 21      63 ->        63               0
    """),
)
def test_extending_grants_whole_intervals_or_what_the_account_can_pay(
    rate: str, balance_before: str, until_s: str, granted_s: str, available_after: str
) -> None:
    engine = engine_with(int(balance_before))
    reserve(engine, rate=RATES[rate])
    assert engine.extend("call", until_s=int(until_s)) == int(granted_s)
    assert engine.available(ACCOUNT) == int(available_after)
    assert engine.counts.short_extensions == (int(granted_s) < int(until_s))


@pytest.mark.parametrize(
    ("rate", "duration_ms", "billed_s", "cost", "released", "unpaid_ms", "balance_after"),
    cases("""
        # rate     duration_ms -> billed_s cost released unpaid_ms balance_after
        # a balance of 100, 60 s reserved ahead
        per_second           0 ->        0    0       60         0           100
        per_second           1 ->        1    1       59         0            99
        per_second      59_001 ->       60   60        0         0            40
        per_second      60_000 ->       60   60        0         0            40
        per_second      60_001 ->       60   60        0         1            40
        per_second      75_000 ->       60   60        0    15_000            40
        fee_10               0 ->        0    0       70         0           100
        fee_10              50 ->        1   11       59         0            89
        60_6            30_000 ->       60   60        0         0            40
        fixed_fee       30_000 ->       30   10        0         0            90
        thirds          31_000 ->       31   10       10         0            90
    """),
)
def test_settling_charges_the_duration_within_the_reservation_and_releases_the_rest(
    rate: str, duration_ms: str, billed_s: str, cost: str, released: str, unpaid_ms: str, balance_after: str
) -> None:
    engine = engine_with(100)
    reserve(engine, rate=RATES[rate])
    settlement = engine.settle("call", int(duration_ms))
    assert settlement.charge.billed_s == int(billed_s)
    assert settlement.charge.total_micros == int(cost)
    assert settlement.released_micros == int(released)
    assert settlement.unpaid_ms == int(unpaid_ms)
    assert settlement.is_capped == (int(unpaid_ms) > 0)
    assert settlement.balance_after_micros == balance(engine) == int(balance_after)
    assert engine.available(ACCOUNT) == int(balance_after)
    assert engine.reservations_count == 0


@pytest.mark.parametrize(
    ("duration_ms", "capped", "overrun"),
    cases("""
        # duration_ms -> capped overrun
        60_000        ->      0       0
        60_001        ->      1       0
        61_000        ->      1       0
        61_001        ->      1       1
    """),
)
def test_a_capped_settlement_is_counted_and_an_overrun_of_a_second_is_an_alarm(
    duration_ms: str, capped: str, overrun: str
) -> None:
    engine = engine_with(100)
    reserve(engine)
    engine.settle("call", int(duration_ms))
    assert engine.counts.capped_settlements == int(capped)
    assert engine.counts.overrun_settlements == int(overrun)


def test_a_reservation_counts_as_spent_for_every_other_call() -> None:
    engine = engine_with(100)
    reserve(engine, "first")
    assert reserve(engine, "second").granted_s == 40
    third = engine.reserve("third", ACCOUNT, PER_SECOND, initial_ahead_s=60)
    assert isinstance(third, Shortage)
    engine.release("first")
    assert reserve(engine, "fourth").granted_s == 60


def test_the_last_of_several_calls_gets_what_another_leaves() -> None:
    engine = engine_with(100)
    reserve(engine, "first")
    reserve(engine, "second")
    assert engine.extend("second", until_s=90) == 40
    engine.settle("first", 10_000)
    assert engine.extend("second", until_s=90) == 90
    assert engine.settle("second", 90_000).balance_after_micros == 0


def test_a_top_up_during_a_call_counts_at_once() -> None:
    engine = engine_with(60)
    reserve(engine)
    assert engine.extend("call", until_s=120) == 60
    assert engine.apply_credit(ACCOUNT, 1, 30)
    assert engine.extend("call", until_s=120) == 90


def test_a_postpaid_account_is_the_same_with_a_floor_below_zero() -> None:
    engine = engine_with(0, floor=-50)
    assert engine.available(ACCOUNT) == 50
    assert reserve(engine).granted_s == 50
    assert engine.settle("call", 50_000).balance_after_micros == -50
    refused = engine.reserve("next", ACCOUNT, PER_SECOND, initial_ahead_s=60)
    assert refused == Shortage(ShortageReason.INSUFFICIENT_CREDIT, needed_micros=1, available_micros=0)


def test_lowering_a_credit_limit_below_what_is_used_cuts_nobody_but_stops_extension() -> None:
    engine = engine_with(0, floor=-200)
    reserve(engine)
    engine.set_account(terms(floor=-20))
    assert engine.available(ACCOUNT) == -40
    assert engine.extend("call", until_s=90) == 60
    refused = engine.reserve("next", ACCOUNT, PER_SECOND, initial_ahead_s=1)
    assert isinstance(refused, Shortage)
    assert refused.reason is ShortageReason.INSUFFICIENT_CREDIT
    assert engine.settle("call", 60_000).balance_after_micros == -60


def test_suspending_an_account_refuses_new_calls_while_live_ones_go_on() -> None:
    engine = engine_with(1_000)
    reserve(engine)
    engine.set_account(terms(suspended=True))
    refused = engine.reserve("next", ACCOUNT, PER_SECOND, initial_ahead_s=1)
    assert isinstance(refused, Shortage)
    assert refused.reason is ShortageReason.SUSPENDED
    assert engine.extend("call", until_s=120) == 120
    assert engine.settle("call", 100_000).balance_after_micros == 900
    engine.set_account(terms())
    assert reserve(engine, "next").granted_s == 60


def test_the_first_broken_rule_is_the_reason() -> None:
    engine = Engine(reservations_per_account_max=1)
    dear = make_rate(per_minute=100 * PENNY)

    def reason() -> ShortageReason | None:
        result = engine.reserve("next", ACCOUNT, dear, initial_ahead_s=60)
        return result.reason if isinstance(result, Shortage) else None

    assert reason() is ShortageReason.UNKNOWN_ACCOUNT
    engine.set_account(terms(vat=VatMode.INC_VAT))
    engine.load_balance(ACCOUNT, 10, 0)
    reserve(engine, "first")
    engine.set_account(terms(vat=VatMode.EX_VAT, suspended=True))
    assert reason() is ShortageReason.SUSPENDED
    engine.set_account(terms(vat=VatMode.EX_VAT))
    assert reason() is ShortageReason.VAT_MISMATCH
    engine.set_account(terms(vat=VatMode.INC_VAT))
    assert reason() is ShortageReason.TOO_MANY_RESERVATIONS
    engine.release("first")
    assert reason() is ShortageReason.INSUFFICIENT_CREDIT
    engine.apply_credit(ACCOUNT, 1, 10_000_000)
    engine.set_account(msgspec.structs.replace(terms(), daily_cap_micros=1, monthly_cap_micros=1))
    assert reason() is ShortageReason.DAILY_CAP
    engine.set_account(msgspec.structs.replace(terms(), daily_cap_micros=10_000_000, monthly_cap_micros=1))
    assert reason() is ShortageReason.MONTHLY_CAP
    engine.set_account(terms())
    assert reason() is None
    assert [engine.shortages[each] for each in ShortageReason] == [1] * len(ShortageReason)


def test_a_price_whose_vat_mode_is_not_known_begins_no_call() -> None:
    engine = engine_with(1_000)
    refused = engine.reserve("call", ACCOUNT, make_rate(vat=None), initial_ahead_s=60)
    assert isinstance(refused, Shortage)
    assert refused.reason is ShortageReason.VAT_MISMATCH


def test_an_unknown_account_has_nothing_to_give() -> None:
    refused = Engine().reserve("call", 404, PER_SECOND, initial_ahead_s=60)
    assert refused == Shortage(ShortageReason.UNKNOWN_ACCOUNT, needed_micros=1, available_micros=0)


def test_a_new_account_begins_with_nothing() -> None:
    engine = Engine()
    engine.set_account(terms())
    assert engine.available(ACCOUNT) == 0
    assert engine.apply_credit(ACCOUNT, 1, 60)
    assert reserve(engine).granted_s == 60


@pytest.mark.parametrize(
    ("seq", "is_applied", "balance_after", "replayed", "gaps"),
    cases("""
        # seq -> is_applied balance_after replayed gaps
        # the balance of 100 contains the credits up to 5
            4 ->         no           100        1    0
            5 ->         no           100        1    0
            6 ->        yes           110        0    0
            7 ->         no           100        0    1
    """),
)
def test_only_the_next_credit_moves_money(
    seq: str, is_applied: str, balance_after: str, replayed: str, gaps: str
) -> None:
    engine = Engine()
    engine.set_account(terms())
    engine.load_balance(ACCOUNT, 100, 5)
    assert engine.apply_credit(ACCOUNT, int(seq), 10) is (is_applied == "yes")
    assert balance(engine) == int(balance_after)
    assert engine.counts.replayed_credits == int(replayed)
    assert engine.counts.credit_gaps == int(gaps)


def test_the_same_credits_told_twice_in_order_count_once() -> None:
    engine = engine_with(0)
    for seq in (1, 2, 1, 2, 3):
        engine.apply_credit(ACCOUNT, seq, 10)
    assert balance(engine) == 30


def test_a_credit_that_nobody_owns_is_counted() -> None:
    engine = Engine()
    assert not engine.apply_credit(404, 1, 10)
    assert engine.counts.credits_without_account == 1


def test_an_adjustment_may_take_a_balance_below_its_floor_and_stops_new_calls() -> None:
    engine = engine_with(10)
    assert engine.apply_credit(ACCOUNT, 1, -25)
    assert engine.available(ACCOUNT) == -15
    assert isinstance(engine.reserve("call", ACCOUNT, PER_SECOND, initial_ahead_s=1), Shortage)


def test_replayed_usage_leaves_the_balance() -> None:
    engine = engine_with(100)
    engine.debit_usage(ACCOUNT, 30)
    totals = engine.totals(ACCOUNT)
    assert totals is not None
    assert (totals.balance_micros, totals.spent_micros, totals.available_micros) == (70, 30, 70)


def test_releasing_moves_no_money_and_may_be_repeated() -> None:
    engine = engine_with(100)
    reserve(engine)
    assert engine.release("call") == 60
    assert engine.release("call") == 0
    assert engine.release("never heard of") == 0
    assert balance(engine) == engine.available(ACCOUNT) == 100
    assert engine.counts.released == 1


def test_the_rate_of_a_call_stays_what_it_was_when_the_call_began() -> None:
    engine = engine_with(1_000)
    reserve(engine, rate=make_rate(per_minute=60))
    engine.extend("call", until_s=120)
    held = engine.reservation("call")
    assert held is not None
    assert held.rate.per_minute_micros == 60
    assert held.reserved_micros == 120


def test_no_grant_lasts_longer_than_a_call_may() -> None:
    engine = engine_with(10**15)
    odd = make_rate(connect_fee=1, per_minute=0, initial_s=7, next_s=3_600)
    assert reserve(engine, rate=odd, ahead_s=10**9).granted_s <= CALL_S_MAX
    granted_s = engine.extend("call", until_s=10**9)
    assert CALL_S_MAX - 3_600 < granted_s <= CALL_S_MAX
    assert engine.settle("call", 10**12).charge.billed_s == granted_s


def test_what_callers_must_never_ask_is_refused_and_moves_nothing() -> None:
    engine = engine_with(100)
    reserve(engine)
    before = engine.totals(ACCOUNT)
    with pytest.raises(RatingMisuseError, match="already"):
        engine.reserve("call", ACCOUNT, PER_SECOND, initial_ahead_s=1)
    with pytest.raises(RatingMisuseError, match="free"):
        engine.reserve("other", ACCOUNT, make_rate(per_minute=0), initial_ahead_s=1)
    with pytest.raises(RatingMisuseError, match="no reservation"):
        engine.extend("other", until_s=1)
    with pytest.raises(RatingMisuseError, match="no reservation"):
        engine.settle("other", 1)
    with pytest.raises(RatingMisuseError, match="lasted"):
        engine.settle("call", -1)
    with pytest.raises(RatingMisuseError, match="moved"):
        engine.load_balance(ACCOUNT, 5, 0)
    with pytest.raises(RatingMisuseError, match="0 or more"):
        engine.debit_usage(ACCOUNT, -5)
    for account_id in (404,):
        with pytest.raises(RatingMisuseError, match="no account"):
            engine.load_balance(account_id, 5, 0)
        with pytest.raises(RatingMisuseError, match="no account"):
            engine.debit_usage(account_id, 5)
        with pytest.raises(RatingMisuseError, match="no account"):
            engine.available(account_id)
        assert engine.totals(account_id) is None
    assert engine.totals(ACCOUNT) == before


def test_a_balance_is_loaded_once() -> None:
    engine = engine_with(0)
    engine.apply_credit(ACCOUNT, 1, 10)
    with pytest.raises(RatingMisuseError, match="moved"):
        engine.load_balance(ACCOUNT, 100, 1)
    assert balance(engine) == 10
