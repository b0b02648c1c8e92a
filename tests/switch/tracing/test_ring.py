"""The bounds of the ring: whatever comes, it takes no more than it may, and evidence is not pushed out."""

from hypothesis import given, settings
from hypothesis import strategies as st

from switch.sip.flow import Flow
from switch.tracing.call_log import (
    CALL_OCTETS_MAX,
    END_MESSAGES_MAX,
    LOG_OVERHEAD,
    MESSAGE_OCTETS_MAX,
    MESSAGE_OVERHEAD,
    SLACK_MESSAGES,
    CallLog,
    read_items,
)
from switch.tracing.ring import STRANGER_S, STRANGERS_MAX, STRANGERS_PER_HOST_MAX, WAITING_SHARE, Ring

MB = 1024 * 1024


def flow(host: str = "192.0.2.1") -> Flow:
    return Flow("UDP", host, 5060, "198.51.100.1", 5060)


def begin(ring: Ring, name: str, *, messages: int = 0, size: int = 500, now: float = 0.0) -> CallLog | None:
    """A call whose INVITE was a stranger's a moment before."""
    leg = ring.by_sip_call_id.get(name) or ring.stranger(name, flow(), now, 0.0)
    if leg is not None:
        note(ring, name, b"INVITE", now)
    log = ring.begin(f"call-{name}", name, now, 0.0)
    for number in range(messages):
        note(ring, name, b"%06d" % number + b"x" * (size - 6), now)
    return log


def note(ring: Ring, name: str, data: bytes, now: float = 0.0) -> None:
    leg = ring.by_sip_call_id.get(name)
    if leg is not None:
        ring.note(leg, now, leg.received, flow(), data)


def counted(ring: Ring) -> int:
    """What it should say it has, from its logs."""
    logs = [*ring.live.values(), *ring.good.values(), *ring.waiting.values()]
    logs += [*ring.strangers.values(), *ring.refused.values()]
    return sum(log.octets for log in logs)


def weighed(log: CallLog) -> int:
    return LOG_OVERHEAD + sum(len(data) + MESSAGE_OVERHEAD for _, _, _, data in read_items(log))


def test_a_long_call_keeps_its_beginning_and_its_end() -> None:
    ring = Ring(64 * MB)
    log = begin(ring, "a", messages=5000, size=300)
    assert log is not None
    assert log.messages <= 2 * END_MESSAGES_MAX + SLACK_MESSAGES
    numbers = [int(data[:6]) for _, _, _, data in read_items(log)[1:]]
    assert numbers[: END_MESSAGES_MAX - 1] == list(range(END_MESSAGES_MAX - 1))
    assert numbers[-END_MESSAGES_MAX:] == list(range(5000 - END_MESSAGES_MAX, 5000))
    assert log.dropped + log.messages == 5001
    assert ring.messages_dropped == log.dropped
    assert ring.octets == weighed(log) == counted(ring)


def test_large_messages_are_cut_and_one_call_takes_no_more_than_its_part() -> None:
    ring = Ring(64 * MB)
    log = begin(ring, "a", messages=200, size=60_000)
    assert log is not None
    assert log.octets <= CALL_OCTETS_MAX + MESSAGE_OCTETS_MAX + MESSAGE_OVERHEAD
    assert {len(data) for _, _, _, data in read_items(log)[1:]} == {MESSAGE_OCTETS_MAX}
    assert read_items(log)[0][3] == b"INVITE"


def test_one_call_that_floods_pushes_no_other_out() -> None:
    ring = Ring(MB)
    others = [begin(ring, f"o{number}", messages=20) for number in range(20)]
    for log in others:
        ring.settle(log, is_kept=False)
    begin(ring, "flood", messages=20_000)
    assert len(ring.good) == 20
    assert [log.messages for log in others] == [21] * 20


def test_a_flood_of_good_calls_pushes_out_the_oldest_good_ones_and_nothing_that_waits() -> None:
    ring = Ring(MB)
    bad = begin(ring, "bad", messages=20)
    ring.settle(bad, is_kept=True)
    up = begin(ring, "up", messages=20)
    for number in range(1000):
        log = begin(ring, f"g{number}", messages=15)
        assert log is not None and log.messages == 16
        ring.settle(log, is_kept=False)
        assert ring.octets <= ring.octets_max
    assert list(ring.waiting.values()) == [bad]
    assert bad.messages == up.messages == 21
    assert list(ring.good) == [f"call-g{number}" for number in range(1000 - len(ring.good), 1000)]
    assert ring.pushed_out == 1000 - len(ring.good)


def test_a_flood_of_bad_calls_fills_a_share_and_no_more_and_does_not_push_out_the_first() -> None:
    ring = Ring(MB)
    first = begin(ring, "first", messages=20)
    ring.settle(first, is_kept=True)
    for number in range(1000):
        ring.settle(begin(ring, f"b{number}", messages=15), is_kept=True)
        assert ring.waiting_octets <= ring.octets_max // WAITING_SHARE
    assert "call-first" in ring.waiting
    assert ring.lost == 1001 - len(ring.waiting)


def test_many_calls_that_are_up_give_their_middles_and_keep_their_ends() -> None:
    ring = Ring(MB)
    logs = [begin(ring, f"u{number}", messages=50) for number in range(100)]
    assert ring.octets <= ring.octets_max
    for log in logs:
        assert log is not None
        assert read_items(log)[0][3] == b"INVITE"
        assert log.messages >= 8
        assert log.messages + log.dropped == 51
    assert ring.octets == counted(ring)


def test_when_nothing_is_left_to_give_a_call_goes_without_a_trace_and_is_counted() -> None:
    ring = Ring(20_000)
    found = [begin(ring, f"u{number}", messages=10) for number in range(50)]
    assert None in found
    assert ring.octets <= ring.octets_max
    assert ring.messages_dropped > 0


def test_a_flood_of_strangers_is_bounded_by_host_and_in_all_and_a_call_gets_through() -> None:
    ring = Ring(MB)
    for number in range(5000):
        ring.stranger(f"s{number}", flow("203.0.113.9"), 0.0, 0.0)
        note(ring, f"s{number}", b"INVITE" + b"x" * 500)
    assert len(ring.strangers) <= STRANGERS_PER_HOST_MAX
    assert begin(ring, "real", messages=10).messages == 11
    for number in range(20_000):
        name = f"t{number}"
        ring.stranger(name, flow(f"203.0.113.{number % 250}"), 0.0, 0.0)
        note(ring, name, b"INVITE" + b"x" * 500)
    assert len(ring.strangers) + len(ring.refused) <= STRANGERS_MAX
    assert ring.strangers_octets <= ring.octets_max // 16 + LOG_OVERHEAD + 1000
    assert ring.live["call-real"].messages == 11
    assert ring.octets == counted(ring)


def test_a_stranger_that_nobody_took_does_not_become_part_of_a_later_call() -> None:
    ring = Ring(MB)
    ring.stranger("s", flow(), 0.0, 0.0)
    note(ring, "s", b"INVITE of long ago")
    ring.age_strangers(STRANGER_S + 1)
    assert ring.find("s") is not None
    log = begin(ring, "s", now=STRANGER_S + 2)
    assert [data for _, _, _, data in read_items(log)] == [b"INVITE"]
    assert ring.strangers_of_host == {}


def test_a_call_that_comes_back_under_its_own_call_id_is_in_both_traces() -> None:
    ring = Ring(MB)
    out = begin(ring, "a")
    ring.add_leg(out, "loop", 1)
    leg = ring.by_sip_call_id["loop"]
    ring.note(leg, 1.0, leg.received, flow(), b"INVITE that came back")
    back = ring.begin("call-b", "loop", 1.0, 0.0)
    assert [data for _, _, _, data in read_items(back)] == [b"INVITE that came back"]
    assert ring.by_sip_call_id["loop"].log is back
    assert ring.by_sip_call_id["loop"].also.log is out
    ring.settle(back, is_kept=False)
    assert ring.by_sip_call_id["loop"].log is out
    ring.settle(out, is_kept=False)
    assert ring.by_sip_call_id == {}
    assert ring.octets == counted(ring)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "invite",
                "begin",
                "note",
                "note",
                "note",
                "leg",
                "good",
                "bad",
                "stored",
                "keep",
                "age",
                "shrink",
            ]
        ),
        st.integers(0, 7),
        st.integers(0, 20_000),
    ),
    max_size=120,
)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.integers(2_000, 200_000))
def test_it_never_takes_more_than_it_may_and_counts_what_it_has(
    steps: list[tuple[str, int, int]], octets_max: int
) -> None:
    ring = Ring(octets_max)
    now = 0.0
    for step, number, size in steps:
        now += 1.0
        name = f"n{number}"
        call = f"call-{name}"
        live = ring.live.get(call)
        match step:
            case "invite" if name not in ring.by_sip_call_id:
                if ring.stranger(name, flow(f"192.0.2.{number}"), now, 0.0) is not None:
                    note(ring, name, b"x" * size, now)
            case "begin" if call not in ring.live and call not in ring.waiting and call not in ring.good:
                ring.begin(call, name, now, 0.0)
            case "note":
                note(ring, name, b"x" * size, now)
            case "leg" if live is not None:
                ring.add_leg(live, f"n{size % 8}", 1)
            case "good" | "bad" if live is not None:
                ring.settle(live, is_kept=step == "bad")
            case "stored":
                ring.stored(call)
            case "keep" if call in ring.good:
                ring.keep(ring.good[call])
            case "age":
                now += STRANGER_S
                ring.age_strangers(now)
            case "shrink":
                ring.octets_max = max(2_000, ring.octets_max - size)
        assert ring.octets == counted(ring)
        assert ring.strangers_octets == sum(
            log.octets for log in (*ring.strangers.values(), *ring.refused.values())
        )
        assert ring.waiting_octets == sum(log.octets for log in ring.waiting.values())
        if step != "shrink" and not any(each[0] == "shrink" for each in steps):
            assert ring.octets <= octets_max
        known = {id(log) for log in (*ring.live.values(), *ring.strangers.values())}
        for first in ring.by_sip_call_id.values():
            leg = first
            while leg is not None:
                assert id(leg.log) in known
                leg = leg.also
        assert sum(ring.strangers_of_host.values()) == len(ring.strangers)


def test_a_stranger_that_makes_room_for_its_own_message_is_gone() -> None:
    ring = Ring(100_000)
    for number in range(3):
        ring.stranger(f"s{number}", flow(f"192.0.2.{number}"), 0.0, 0.0)
    begin(ring, "a")
    while ring.octets + 1000 < ring.octets_max:
        note(ring, "a", b"x" * 500)
    oldest = ring.by_sip_call_id["s0"]
    ring.note(oldest, 1.0, 0, flow(), b"x" * 6000)
    assert "s0" not in ring.by_sip_call_id
    assert ring.octets == counted(ring)
