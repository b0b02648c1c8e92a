"""Which lines are told offline, back and flapping, and when it is everybody's network."""

from hypothesis import given
from hypothesis import strategies as st

from switch.registrar.line_presence import (
    FLAPPING,
    HOUR_S,
    OFFLINE,
    ONLINE,
    OUTAGE_LINES_MIN,
    TOLD_PER_SECOND_MAX,
    LinePresence,
    PresenceLimits,
    Told,
)

LIMITS = PresenceLimits(offline_after_s=60, drops_per_hour_max=3, outage_percent=25)


def seconds(presence: LinePresence, start: int, end: int, *, lines: int = 1000) -> list[Told]:
    return [told for now in range(start, end) for told in presence.on_second(float(now), lines)]


def test_a_line_is_offline_after_its_time_and_told_once() -> None:
    presence = LinePresence(LIMITS)
    assert presence.went("alice", 10.0) is None
    assert seconds(presence, 11, 70) == []
    assert seconds(presence, 70, 500) == [Told(OFFLINE, "alice", 10.0)]
    assert presence.came("alice") == Told(ONLINE, "alice", 10.0)
    assert presence.came("alice") is None


def test_one_that_is_back_in_time_is_not_told() -> None:
    presence = LinePresence(LIMITS)
    presence.went("alice", 10.0)
    assert presence.came("alice") is None
    assert seconds(presence, 11, 500) == []


def test_flapping_is_told_once_an_hour() -> None:
    presence = LinePresence(LIMITS)
    told = []
    for turn in range(40):
        now = turn * 120.0
        told.append(presence.went("alice", now))
        presence.came("alice")
        presence.on_second(now, 1000)
    found = [each for each in told if each is not None]
    assert [each.event for each in found] == [FLAPPING, FLAPPING]
    assert found[0].times == LIMITS.drops_per_hour_max + 1
    assert told.index(found[0]) == LIMITS.drops_per_hour_max
    seconds(presence, 5_000, 5_000 + int(2 * HOUR_S), lines=1)
    assert presence.counted_count == 0 and not presence.flapping


def test_many_lines_of_many_are_no_outage_and_are_told_a_few_at_a_time() -> None:
    presence = LinePresence(LIMITS)
    for number in range(500):
        presence.went(f"line{number}", 0.0)
    assert len(presence.on_second(60.0, 100_000)) == TOLD_PER_SECOND_MAX
    assert len(seconds(presence, 61, 70, lines=100_000)) == 500 - TOLD_PER_SECOND_MAX
    assert presence.outages == 0


def test_an_outage_is_one_and_over_when_most_are_back() -> None:
    presence = LinePresence(LIMITS)
    for number in range(100):
        presence.went(f"line{number}", 0.0)
    assert seconds(presence, 1, 300, lines=100) == []
    assert presence.lines_in_outage == 100
    for number in range(98):
        presence.came(f"line{number}")
    told = seconds(presence, 300, 400, lines=100)
    assert presence.lines_in_outage == 0 and presence.outages == 1
    assert {each.line for each in told} == {"line98", "line99"}


def test_a_small_exchange_has_no_outage() -> None:
    presence = LinePresence(LIMITS)
    for number in range(OUTAGE_LINES_MIN - 1):
        presence.went(f"line{number}", 0.0)
    assert len(seconds(presence, 1, 100, lines=0)) == OUTAGE_LINES_MIN - 1


STEPS = st.lists(st.tuples(st.sampled_from(["went", "came", "second"]), st.integers(0, 5)), max_size=200)


@given(STEPS)
def test_offline_and_online_take_turns_for_each_line(steps: list[tuple[str, int]]) -> None:
    presence, now, last = LinePresence(LIMITS), 0.0, dict[str, str]()
    for step, number in steps:
        now += 30.0
        line = f"line{number}"
        told = []
        if step == "second":
            told = presence.on_second(now, 1000)
        elif step == "went":
            presence.went(line, now)
        elif (back := presence.came(line)) is not None:
            told = [back]
        for each in told:
            assert each.event == (ONLINE if last.get(each.line) == OFFLINE else OFFLINE)
            last[each.line] = each.event
