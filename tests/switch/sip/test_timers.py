"""The timer queue: order, cancelling, limits, lateness; the delays of RFC 3261 table 4."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip import timers as t
from switch.sip.timers import CALLBACKS_PER_RUN_MAX, HEAP_SWEEP_MIN, PROTOCOL_DELAYS_S, Timer, TimerQueue
from tests.tables import cases


@pytest.mark.parametrize(
    ("timer", "seconds"),
    cases(
        """
        # timer                    -> seconds
        T1_S                       -> 0.5
        T2_S                       -> 4
        T4_S                       -> 5
        TIMER_A_S                  -> 0.5
        TIMER_B_S                  -> 32
        TIMER_D_S                  -> 32
        TIMER_E_S                  -> 0.5
        TIMER_F_S                  -> 32
        TIMER_G_S                  -> 0.5
        TIMER_H_S                  -> 32
        TIMER_I_S                  -> 5
        TIMER_J_S                  -> 32
        TIMER_K_S                  -> 5
        TIMER_L_S                  -> 32
        TIMER_M_S                  -> 32
        TRYING_DELAY_S             -> 0.2
        NON_INVITE_TRYING_DELAY_S  -> 3.5
        """
    ),
)
def test_timers_have_the_values_of_the_rfc(timer: str, seconds: str) -> None:
    assert getattr(t, timer) == float(seconds)


def test_no_protocol_timer_needs_the_heap() -> None:
    queue = TimerQueue()
    doublings = [t.T1_S * 2**n for n in range(7)]
    named = [getattr(t, name) for name in dir(t) if name.startswith("TIMER_") or name.endswith("DELAY_S")]
    for delay_s in (*doublings, *named, t.T2_S, t.NON_INVITE_EXPIRY_S):
        queue.start(0.0, delay_s, print)
    assert not queue._heap


def test_a_timer_fires_once_at_its_deadline() -> None:
    queue = TimerQueue()
    fired: list[float] = []
    queue.start(0.0, 0.5, fired.append)
    queue.run(0.499)
    assert fired == []
    queue.run(0.5)
    queue.run(9.0)
    assert fired == [0.5]
    assert queue.next_deadline() is None


def test_a_cancelled_timer_never_fires_and_keeps_nothing_alive() -> None:
    queue = TimerQueue()
    fired: list[float] = []
    for delay_s in (0.5, 0.77):
        timer = queue.start(0.0, delay_s, fired.append)
        assert timer.is_running
        timer.cancel()
        assert timer.callback is None
    assert len(queue) == 0
    assert queue.next_deadline() is None
    queue.run(10.0)
    assert fired == []


def test_a_fired_timer_may_be_cancelled() -> None:
    queue = TimerQueue()
    fired: list[float] = []
    timer = queue.start(0.0, 0.5, fired.append)
    queue.run(1.0)
    timer.cancel()
    assert fired == [1.0]
    assert not timer.is_running


def test_the_next_deadline_skips_cancelled_timers() -> None:
    queue = TimerQueue()
    first = queue.start(0.0, 0.5, print)
    second = queue.start(0.0, 0.6, print)
    queue.start(0.0, 0.7, print)
    assert queue.next_deadline() == 0.5
    first.cancel()
    assert queue.next_deadline() == 0.6
    second.cancel()
    assert queue.next_deadline() == 0.7


def test_a_late_timer_is_told_the_true_time_and_restarts_from_it() -> None:
    """After a stopped process there is one repeat, not one for each interval that was missed."""
    queue = TimerQueue()
    fired: list[float] = []

    def tick(now: float) -> None:
        fired.append(now)
        queue.start(now, 0.5, tick)

    queue.start(0.0, 0.5, tick)
    queue.run(40.0)
    queue.run(40.0)
    assert fired == [40.0]
    assert queue.next_deadline() == 40.5


def test_a_callback_may_start_and_cancel_timers_of_its_own_lane() -> None:
    queue = TimerQueue()
    fired: list[str] = []
    victims: list[Timer] = []

    def cut(now: float) -> None:
        fired.append("cut")
        victims[0].cancel()
        queue.start(now, 0.5, lambda _: fired.append("later"))

    queue.start(0.0, 0.5, cut)
    victims.append(queue.start(0.0, 0.5, lambda _: fired.append("victim")))
    queue.run(0.5)
    queue.run(1.0)
    assert fired == ["cut", "later"]


@pytest.mark.parametrize("delay_s", [0.5, 0.123])
def test_one_run_fires_a_bounded_number_and_says_that_more_is_due(delay_s: float) -> None:
    queue = TimerQueue()
    fired: list[float] = []
    for _ in range(CALLBACKS_PER_RUN_MAX + 3):
        queue.start(0.0, delay_s, fired.append)
    assert queue.run(1.0) is True
    assert len(fired) == CALLBACKS_PER_RUN_MAX
    assert queue.next_deadline() == delay_s
    assert queue.run(1.0) is False
    assert len(fired) == CALLBACKS_PER_RUN_MAX + 3


def test_a_crowded_lane_does_not_starve_the_others() -> None:
    """Here one lane always has more due than a run may fire."""
    queue = TimerQueue()
    fired: list[float] = []

    def crowd(now: float) -> None:
        queue.start(now, 0.5, crowd)

    for _ in range(2 * CALLBACKS_PER_RUN_MAX):
        queue.start(0.0, 0.5, crowd)
    queue.start(0.0, 4.0, fired.append)
    now = 4.0
    for _ in range(10):
        queue.run(now)
        now += 0.6
    assert fired


def test_an_exception_in_a_callback_loses_no_other_timer() -> None:
    queue = TimerQueue()
    fired: list[float] = []

    def fail(now: float) -> None:
        raise ZeroDivisionError

    for delay_s in (0.5, 0.123):
        queue.start(0.0, delay_s, fail)
        queue.start(0.0, delay_s, fired.append)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            queue.run(1.0)
    queue.run(1.0)
    assert fired == [1.0, 1.0]


def test_the_heap_is_swept_of_cancelled_timers() -> None:
    queue = TimerQueue()
    for n in range(10 * HEAP_SWEEP_MIN):
        queue.start(float(n), 120.0, print).cancel()
    assert len(queue._heap) <= HEAP_SWEEP_MIN
    assert len(queue) == 0


def test_a_tu_can_have_lanes_of_its_own() -> None:
    queue = TimerQueue(constant_delays_s=(120.0,))
    queue.start(0.0, 120.0, print)
    assert not queue._heap
    assert queue.next_deadline() == 120.0


def _note(fired: list[int], number: int, now: float) -> None:
    fired.append(number)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*PROTOCOL_DELAYS_S, 0.0, 0.01, 0.3, 7.7]), st.floats(0, 3), st.integers(0, 9)
        ),
        max_size=60,
    )
)
def test_the_queue_agrees_with_a_sorted_list(steps: list[tuple[float, float, int]]) -> None:
    """Start one, cancel another now and then, move on: what fired is what was due and not cancelled."""
    queue = TimerQueue()
    fired: list[int] = []
    expected: dict[int, float] = {}
    started = []
    now = 0.0
    for number, (delay_s, pause_s, choice) in enumerate(steps):
        started.append(queue.start(now, delay_s, partial(_note, fired, number)))
        expected[number] = now + delay_s
        if choice < 3 and expected:
            victim = sorted(expected)[choice % len(expected)]
            started[victim].cancel()
            del expected[victim]
        now += pause_s
        queue.run(now)
        due = {key for key, deadline in expected.items() if deadline <= now}
        assert set(fired) == due
        for key in due:
            del expected[key]
        fired.clear()
        assert queue.next_deadline() == min(expected.values(), default=None)
    assert len(queue) == len(expected)


def test_what_is_held_is_counted_without_being_walked() -> None:
    timers = TimerQueue()
    lane = timers.start(0.0, PROTOCOL_DELAYS_S[0], lambda now: None)
    timers.start(0.0, 1234.5, lambda now: None)
    lane.cancel()
    assert timers.queued_count == 2
    assert len(timers) == 1
