"""Calls per second of a line, as a bucket that fills again."""

from hypothesis import given
from hypothesis import strategies as st

from switch.calls.call_rates import BUCKETS_MAX, CallRates


def test_a_seconds_worth_at_once_and_then_one_at_a_time() -> None:
    rates = CallRates()
    assert [rates.take("pbx", 3, 10.0) for _ in range(5)] == [True, True, True, False, False]
    assert [rates.take("pbx", 3, 10.34), rates.take("pbx", 3, 10.35)] == [True, False]
    assert rates.take("other", 3, 10.35)
    assert [rates.take("pbx", 3, 60.0) for _ in range(4)] == [True, True, True, False]


@given(st.integers(1, 20), st.lists(st.floats(0, 0.5), max_size=200))
def test_never_more_than_the_limit_and_its_burst_in_any_time(per_second: int, pauses: list[float]) -> None:
    rates, now, taken = CallRates(), 0.0, 0
    for pause in pauses:
        now += pause
        taken += rates.take("pbx", per_second, now)
        assert taken <= per_second * (now + 1) + 1e-6


def test_what_is_full_again_is_forgotten() -> None:
    rates = CallRates()
    for number in range(BUCKETS_MAX):
        rates.take(f"pbx{number}", 1, 0.0)
    assert rates.take("one more", 1, 0.5)
    assert len(rates) == BUCKETS_MAX + 1  # nothing was full yet, and nobody is let off
    assert not rates.take("pbx7", 1, 0.5)
    assert rates.take("and one more", 1, 1.2)
    assert len(rates) == 2
