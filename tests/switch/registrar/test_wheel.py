"""The wheel: nothing early, nothing lost, nothing more than a slot late."""

from hypothesis import given
from hypothesis import strategies as st

from switch.registrar.wheel import Wheel

TIMES = st.floats(0, 100, allow_nan=False)


@given(st.lists(TIMES, max_size=60), st.lists(TIMES, max_size=20), st.sampled_from([0.5, 2.0, 7.0]))
def test_items_come_due_at_their_time_or_up_to_a_slot_later(
    times: list[float], looks: list[float], slot_s: float
) -> None:
    wheel: Wheel[float] = Wheel(slot_s)
    for at in times:
        wheel.add(wheel.slot_of(at), at)
    taken: list[float] = []
    for now in sorted(looks):
        due = wheel.take_due(now, 1000)
        assert all(at <= now for at in due)
        taken += due
        assert all(at > now - slot_s for at in set(times) - set(taken))
    taken += wheel.take_due(200.0, 1000)
    assert sorted(taken) == sorted(times)
    assert len(wheel) == 0


@given(st.lists(TIMES, max_size=60), st.integers(1, 7))
def test_no_more_than_asked_for_is_taken_and_the_rest_is_kept(times: list[float], count_max: int) -> None:
    wheel: Wheel[float] = Wheel(2.0)
    for at in times:
        wheel.add(wheel.slot_of(at), at)
    taken: list[float] = []
    while due := wheel.take_due(200.0, count_max):
        assert len(due) <= count_max
        taken += due
    assert sorted(taken) == sorted(times)


def test_an_item_added_for_the_past_is_due_at_the_next_look() -> None:
    wheel: Wheel[str] = Wheel(2.0)
    wheel.add(wheel.slot_of(100.0), "later")
    wheel.add(wheel.slot_of(1.0), "earlier")
    assert wheel.take_due(50.0, 10) == ["earlier"]
    assert len(wheel) == 1
