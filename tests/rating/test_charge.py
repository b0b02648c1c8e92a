"""What a call costs, as a table; and the algebra of it against an independent re-rater."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.charge import (
    CALL_S_MAX,
    affordable_s,
    charge,
    charge_billed,
    charge_within,
    whole_intervals_s,
)
from rating.rate import Rate
from tests.rating.rates import PENNY, any_rate, make_rate
from tests.tables import cases

RATES = {
    # one-second units, at least one second
    "per_second": make_rate(per_minute=1_200),
    "retail_60_6": make_rate(per_minute=12_000, initial_s=60, next_s=6),
    "retail_60_1": make_rate(per_minute=12_000, initial_s=60, next_s=1),
    "premium_60_60": make_rate(per_minute=120 * PENNY, initial_s=60, next_s=60),
    # a set-up fee of 10p and 1p a minute
    "set_up": make_rate(connect_fee=10 * PENNY, per_minute=PENNY),
    # pence per call only
    "fixed_fee": make_rate(connect_fee=75 * PENNY, per_minute=0, initial_s=60, next_s=60),
    "thirds": make_rate(per_minute=10),
    "free": make_rate(per_minute=0),
}

durations_ms = st.one_of(st.integers(0, 400_000), st.integers(0, CALL_S_MAX * 1000))


def slow_charge(rate: Rate, duration_ms: int) -> tuple[int, int, int]:
    """A re-rater of its own: interval by interval, in fractions, rounded at the end."""
    if duration_ms == 0:
        return 0, 0, 0
    billed_s, price_per_s = rate.initial_s, Fraction(rate.per_minute_micros, 60)
    usage = rate.initial_s * price_per_s
    while billed_s * 1000 < duration_ms:
        billed_s += rate.next_s
        usage += rate.next_s * price_per_s
    return billed_s, rate.connect_fee_micros, floor(usage)


@pytest.mark.parametrize(
    ("rate", "answered_ms", "billed_s", "connect_fee", "usage"),
    cases("""
        # rate         answered_ms -> billed_s connect_fee     usage
        per_second               0 ->        0           0         0
        per_second               1 ->        1           0        20
        per_second           1_000 ->        1           0        20
        per_second           1_001 ->        2           0        40
        per_second          60_000 ->       60           0     1_200
        retail_60_6              0 ->        0           0         0
        retail_60_6             50 ->       60           0    12_000
        retail_60_6         60_000 ->       60           0    12_000
        retail_60_6         60_001 ->       66           0    13_200
        retail_60_6         61_000 ->       66           0    13_200
        retail_60_6         66_000 ->       66           0    13_200
        retail_60_6         66_001 ->       72           0    14_400
        retail_60_1         61_000 ->       61           0    12_200
        premium_60_60       60_001 ->      120           0 2_400_000
        set_up                   0 ->        0           0         0
        set_up                   1 ->        1     100_000       166
        set_up              30_000 ->       30     100_000     5_000
        fixed_fee          600_000 ->      600     750_000         0
        # a fraction of a micro is never charged
        thirds               1_000 ->        1           0         0
        thirds               6_000 ->        6           0         1
        thirds              11_000 ->       11           0         1
        thirds              12_000 ->       12           0         2
        free                61_000 ->       61           0         0
        # a day and a second
        retail_60_6     86_401_000 ->   86_406           0 17_281_200
    """),
)
def test_a_call_costs(rate: str, answered_ms: str, billed_s: str, connect_fee: str, usage: str) -> None:
    result = charge(RATES[rate], int(answered_ms))
    assert (result.billed_s, result.connect_fee_micros, result.usage_micros) == (
        int(billed_s),
        int(connect_fee),
        int(usage),
    )
    assert result.total_micros == int(connect_fee) + int(usage)


@pytest.mark.parametrize("duration_ms", [-1, CALL_S_MAX * 1000 + 1, 71_582_788_000])
def test_an_impossible_duration_is_refused_rather_than_charged(duration_ms: int) -> None:
    with pytest.raises(ValueError, match="expected 0 to"):
        charge(RATES["per_second"], duration_ms)


@given(any_rate, st.integers(0, 20_000_000))
def test_the_independent_re_rater_agrees(rate: Rate, duration_ms: int) -> None:
    result = charge(rate, duration_ms)
    assert (result.billed_s, result.connect_fee_micros, result.usage_micros) == slow_charge(rate, duration_ms)


@given(any_rate, durations_ms, durations_ms)
def test_a_charge_never_falls_as_a_call_grows(rate: Rate, one_ms: int, other_ms: int) -> None:
    shorter, longer = charge(rate, min(one_ms, other_ms)), charge(rate, max(one_ms, other_ms))
    assert shorter.billed_s <= longer.billed_s
    assert shorter.total_micros <= longer.total_micros


@given(any_rate, st.integers(1, CALL_S_MAX))
def test_billed_seconds_are_the_fewest_whole_intervals_that_cover_the_call(rate: Rate, seconds: int) -> None:
    billed_s = whole_intervals_s(rate, seconds)
    assert billed_s >= seconds
    assert (billed_s - rate.initial_s) % rate.next_s == 0
    assert billed_s == rate.initial_s or billed_s - rate.next_s < seconds
    assert whole_intervals_s(rate, billed_s) == billed_s


@given(any_rate, st.integers(-1_000, 10**12))
def test_what_is_affordable_is_the_most_that_fits_the_budget(rate: Rate, budget_micros: int) -> None:
    seconds = affordable_s(rate, budget_micros)
    assert 0 <= seconds <= CALL_S_MAX
    if seconds == 0:
        assert charge_billed(rate, rate.initial_s).total_micros > budget_micros
        return
    assert whole_intervals_s(rate, seconds) == seconds
    assert charge_billed(rate, seconds).total_micros <= budget_micros
    next_s = seconds + rate.next_s
    assert next_s > CALL_S_MAX or charge_billed(rate, next_s).total_micros > budget_micros


@given(any_rate, durations_ms, st.integers(1, CALL_S_MAX))
def test_a_charge_within_paid_seconds_is_the_charge_or_what_they_cost(
    rate: Rate, duration_ms: int, wanted_s: int
) -> None:
    granted_s = min(whole_intervals_s(rate, wanted_s), affordable_s(rate, 10**15))
    capped = charge_within(rate, duration_ms, granted_s=granted_s)
    assert capped.total_micros == min(
        charge(rate, duration_ms).total_micros, charge_billed(rate, granted_s).total_micros
    )
