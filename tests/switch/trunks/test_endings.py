"""Why calls by a trunk ended, as counters and as load averages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.trunks.endings import BEAT_S, IN, OUT, Endings


def run(
    endings: Endings, *, seconds: float, now: float, causes: tuple[int, ...] = (), every_s: float = 1.0
) -> float:
    """Time passes second by second; each `every_s` a call ends for each of these causes."""
    until, due = now + seconds, now
    while now < until:
        now += 1.0
        while due < now:
            due += every_s
            for cause in causes:
                endings.of("carrier").ended(cause)
        endings.run(now)
    return now


def load(endings: Endings, cause: int, direction: str = OUT) -> tuple[float, float, float]:
    return dict(endings.loads()).get(("carrier", direction, cause), (0.0, 0.0, 0.0))


def test_a_steady_rate_is_what_every_average_comes_to() -> None:
    endings = Endings()
    run(endings, seconds=3600, now=100.0, causes=(34,), every_s=5.0)
    assert load(endings, 34) == pytest.approx((12.0, 12.0, 12.0), rel=0.03)


def test_a_burst_is_seen_in_the_short_average_first_and_forgotten_there_first() -> None:
    endings = Endings()
    now = run(endings, seconds=60, now=100.0, causes=(34,), every_s=5.0)
    one, five, fifteen = load(endings, 34)
    assert one > five > fifteen > 0.5
    assert one == pytest.approx(12.0 * 0.63, rel=0.05), "1 - 1/e after one time constant"
    run(endings, seconds=300, now=now)
    one, five, fifteen = load(endings, 34)
    assert one < 0.06 < five
    assert one < fifteen


def test_what_has_faded_is_forgotten_and_the_total_is_not() -> None:
    endings = Endings()
    now = run(endings, seconds=10, now=0.0, causes=(17,), every_s=10.0)
    assert endings.loads()
    run(endings, seconds=7200, now=now)
    assert endings.loads() == []
    assert endings.totals() == [(("carrier", OUT, 17), 1)]


def test_a_stall_is_spread_over_the_time_that_it_took() -> None:
    endings, steady = Endings(), Endings()
    for bench in (endings, steady):
        bench.run(0.0)
    for _ in range(24):
        endings.of("carrier").ended(34)
    endings.run(120.0)
    run(steady, seconds=120, now=0.0, causes=(34,), every_s=5.0)
    assert load(endings, 34) == pytest.approx(load(steady, 34), rel=0.05)
    endings.run(10_000_000.0)
    assert load(endings, 34)[2] < 0.005


def test_directions_and_trunks_are_apart_and_the_worst_comes_first() -> None:
    endings = Endings()
    endings.run(0.0)
    endings.of("carrier").ended(16)
    for _ in range(3):
        endings.of("carrier").came_to_end(16)
    endings.of("other").ended(16)
    endings.run(BEAT_S - 0.1)
    assert endings.loads() == [], "not before its beat"
    endings.run(BEAT_S)
    assert next(ending for ending, _ in endings.loads()) == ("carrier", IN, 16)
    assert load(endings, 16, IN)[0] == pytest.approx(3 * load(endings, 16)[0])
    assert len(endings.loads()) == 3


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0, 400)), max_size=40))
def test_an_average_stays_within_the_highest_rate(spells: list[tuple[int, float]]) -> None:
    endings, now, highest = Endings(), 0.0, 0.0
    endings.run(now)
    for count, passes_s in spells:
        for _ in range(count):
            endings.of("carrier").ended(41)
        highest += count * 60.0 / BEAT_S
        now += passes_s
        endings.run(now)
        for average in load(endings, 41):
            assert 0.0 <= average <= highest + 1e-9
    assert sum(count for _, count in endings.totals()) == sum(count for count, _ in spells)
