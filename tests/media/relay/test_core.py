"""What the relay does with packets and with what the switch says, without a socket."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.relay.limits import ORPHAN_S, PACKETS_PER_S_MAX
from media.relay.messages import (
    Ask,
    Bridge,
    Close,
    Figures,
    Heard,
    Latched,
    Refused,
    Silent,
    Watch,
)
from tests.media.relay.core_bench import (
    CALLEE,
    CALLER,
    EVENT,
    PCMA,
    PCMU,
    STRANGE,
    RelayBench,
)
from tests.media.test_rtcp import receiver_report, sender_report

NAT = ("198.51.100.7", 31_000)
PRIVATE = ("192.168.1.10", 4000)


@pytest.fixture
def relay() -> RelayBench:
    return RelayBench()


def test_what_one_end_says_leaves_by_the_other_as_it_came(relay: RelayBench) -> None:
    relay.rtp(1, CALLER, b"hello")
    relay.rtp(2, CALLEE, b"good day", ssrc=8)
    assert [(number, to) for number, _, _, to in relay.sent] == [(2, CALLEE), (1, CALLER)]
    assert [data[12:] for _, _, data, _ in relay.sent] == [b"hello", b"good day"]


def test_the_switch_is_told_where_a_peer_was_found(relay: RelayBench) -> None:
    relay.rtp(1, CALLER)
    assert relay.heard(Latched) == [Latched(1, *CALLER, 0)]
    assert relay.rtcp(1, (CALLER[0], CALLER[1] + 1), sender_report(7, 1))
    assert relay.heard(Latched)[-1] == Latched(1, *CALLER, CALLER[1] + 1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "truncated"),
        (b"\x80", "truncated"),
        (b"\x80\x08" + bytes(9), "truncated"),
        (b"\x9f\x08" + bytes(30), "truncated"),
        (b"\x00\x01" + bytes(30), "not_rtp"),
        (b"\x16\xfe\xfd" + bytes(30), "not_rtp"),
        (b"INVITE sip:1@example.com SIP/2.0\r\n\r\n", "not_rtp"),
        (b"\x80\x08" + bytes(1499), "oversized"),
        (b"\x80\x08" + bytes(1000), ""),
        (b"\x80\x00" + bytes(30), "payload_type"),
        (b"\x80\x60" + bytes(30), "payload_type"),
        (b"\x80\xc8" + bytes(30), "rtcp_not_muxed"),
    ],
)
def test_what_is_no_packet_of_the_call_is_dropped_by_its_reason(
    relay: RelayBench, data: bytes, reason: str
) -> None:
    relay.talk()
    before = relay.figures(1)
    assert relay.raw(1, CALLER, data) is not bool(reason)
    assert relay.figures(1).dropped == ({reason: 1} if reason else {})
    assert relay.figures(1).packets - before.packets == (not reason)


def test_a_stranger_gets_nothing_and_is_heard_by_nobody(relay: RelayBench) -> None:
    for _ in range(20):
        assert not relay.rtp(1, STRANGE)
        relay.talk()
        assert not relay.rtp(2, STRANGE)
        assert not relay.rtcp(1, STRANGE, sender_report(7, 1))
    assert relay.receivers() == {CALLER, CALLEE}
    assert relay.figures(1).dropped == {"stranger": 40}


def test_payload_types_of_either_ends_last_description_pass(relay: RelayBench) -> None:
    relay.aim(2, CALLEE, formats=(PCMU,))
    assert relay.rtp(1, CALLER, payload_type=0)
    assert relay.rtp(1, CALLER, payload_type=8)
    relay.aim(1, CALLER, formats=(PCMU,))
    assert not relay.rtp(1, CALLER, payload_type=8)
    assert relay.figures(1).codec == "PCMA"
    assert relay.rtp(1, CALLER, payload_type=0)
    assert relay.figures(1).codec == "PCMU"


def test_without_a_description_or_a_bridge_everything_is_dropped() -> None:
    relay = RelayBench(opens=False)
    relay.open(1)
    assert not relay.rtp(1, CALLER)
    relay.aim(1, CALLER)
    assert not relay.rtp(1, CALLER)
    assert relay.figures(1).dropped == {"stranger": 1, "not_bridged": 1}


def test_a_bridge_is_taken_apart_on_both_ends(relay: RelayBench) -> None:
    relay.open(3)
    relay.aim(3, STRANGE)
    relay.tell(Bridge(3, 2))
    assert not relay.rtp(1, CALLER)
    assert relay.rtp(2, CALLEE, ssrc=8)
    assert relay.sent[-1][3] == STRANGE
    relay.tell(Bridge(2, 0))
    assert not relay.rtp(2, CALLEE, ssrc=8)
    assert relay.core.current[3].peer is None


def test_port_0_is_sent_nothing(relay: RelayBench) -> None:
    relay.talk()
    relay.aim(2, (CALLEE[0], 0), CALLEE[0])
    assert not relay.rtp(1, CALLER)
    assert not relay.rtcp(1, (CALLER[0], CALLER[1] + 1), sender_report(7, 1))
    assert relay.rtp(2, CALLEE, ssrc=8)


@pytest.mark.parametrize(
    "host",
    ["169.254.1.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "240.0.0.1", "0.1.2.3", "fe80::1", "ff02::1", "::",
     "::ffff:192.0.2.1", "192.0.2.010", "localhost", ""],
)  # fmt: skip
def test_addresses_that_nobody_calls_from_get_nothing(relay: RelayBench, host: str) -> None:
    relay.aim(2, (host, 5000), version=2)
    assert not relay.rtp(1, CALLER)
    assert relay.core.current[2].latch.destination is None


def test_the_relays_own_ports_get_nothing(relay: RelayBench) -> None:
    own = ("192.0.2.1", 20_004)
    relay.aim(2, own, version=2)
    assert not relay.rtp(1, CALLER)
    for _ in range(10):
        assert not relay.rtp(2, own, ssrc=8)
    assert relay.figures(2).dropped == {"own_port": 10}
    relay.aim(2, ("192.0.2.1", 5060), version=3)
    assert relay.rtp(1, CALLER)


def test_a_peer_that_floods_is_held_to_its_rate(relay: RelayBench) -> None:
    relay.talk()
    sequence, passed = relay.sequences[CALLER, 7], 0
    for number in range(10_000):
        relay.now -= 0.0199  # 10,000 packets within a second
        passed += relay.rtp(1, CALLER, sequence=(sequence + number + 1) & 0xFFFF)
    assert passed <= 2 * PACKETS_PER_S_MAX
    assert relay.figures(1).dropped["too_fast"] == 10_000 - passed


# RTCP


def test_rtcp_goes_from_port_to_port(relay: RelayBench) -> None:
    relay.talk()
    assert relay.rtcp(1, (CALLER[0], 4001), sender_report(7, 1))
    assert relay.sent[-1] == (2, True, sender_report(7, 1), (CALLEE[0], 5001))


def test_rtcp_is_carried_over_to_an_end_that_has_one_port_for_both(relay: RelayBench) -> None:
    relay.aim(1, CALLER, rtcp_port=CALLER[1])
    relay.talk()
    assert relay.rtcp(2, (CALLEE[0], 5001), sender_report(8, 1))
    assert relay.sent[-1] == (1, False, sender_report(8, 1), CALLER)
    relay.raw(1, CALLER, receiver_report(7, (1, 0)))
    assert relay.sent[-1] == (2, True, receiver_report(7, (1, 0)), (CALLEE[0], 5001))
    relay.raw(1, CALLER, receiver_report(7))
    assert len(relay.sent[-1][2]) == 8
    assert relay.figures(1).dropped == {}


def test_rtcp_of_a_phone_behind_nat_is_found_by_the_ssrc_of_its_stream(relay: RelayBench) -> None:
    relay.aim(1, PRIVATE, NAT[0], version=2)
    for _ in range(10):
        relay.rtp(1, NAT)
    assert not relay.rtcp(2, (CALLEE[0], 5001), sender_report(8, 1))
    assert not relay.rtcp(1, (NAT[0], 31_777), sender_report(99, 1))
    assert relay.rtcp(1, (NAT[0], 31_007), sender_report(7, 1))
    assert relay.rtcp(2, (CALLEE[0], 5001), sender_report(8, 1))
    assert relay.sent[-1][3] == (NAT[0], 31_007)


@pytest.mark.parametrize(
    "data", [b"", b"\x80\xc8", b"\x80\xc8\xff\xff" + bytes(40), b"\x80\x08\x00\x01" + bytes(8)]
)
def test_malformed_rtcp_is_dropped(relay: RelayBench, data: bytes) -> None:
    assert not relay.rtcp(1, (CALLER[0], 4001), data)
    assert relay.figures(1).dropped == {"rtcp_malformed": 1}


def test_the_round_trip_is_measured_by_reports_that_pass_through(relay: RelayBench) -> None:
    relay.talk()
    relay.rtcp(1, (CALLER[0], 4001), sender_report(7, 0xABCD1234))
    relay.now += 3.05
    relay.rtcp(2, (CALLEE[0], 5001), receiver_report(8, (0xABCD1234, 3 * 65536)))
    assert relay.figures(2).round_trip_us == pytest.approx(50_000, abs=100)
    assert relay.figures(1).round_trip_us == 0
    assert relay.figures(2).mos < relay.figures(1).mos


# T.38


def test_t38_passes_unread() -> None:
    relay = RelayBench(is_rtp=False)
    for data in (b"\x00\x00\x01\x01", b"\xff" * 300):
        assert relay.raw(1, CALLER, data)
        assert relay.sent[-1][2:] == (data, CALLEE)
    assert not relay.raw(1, STRANGE, b"\x00\x00\x01\x01")
    assert not relay.raw(1, CALLER, b"\x00")
    figures = relay.figures(1)
    assert (figures.packets, figures.lost, figures.mos, figures.codec) == (2, 0, 0, "")
    assert figures.dropped == {"stranger": 1, "truncated": 1}


# Keys


def test_keys_pass_untouched_and_say_nothing_of_the_jitter(relay: RelayBench) -> None:
    event = [struct.pack("!BBH", 5, volume, duration) for volume, duration in ((10, 160), (10, 480), (0x8A, 640))]
    events = [*event, event[-1], b"ciphertext of SRTP"]
    for payload in events:
        assert relay.rtp(1, CALLER, payload, payload_type=101, timestamp=1000)
    assert [data[12:] for _, _, data, _ in relay.sent] == events
    assert relay.figures(1).jitter_max_us == 0


# Silence


def test_silence_of_both_ends_is_said_and_said_again(relay: RelayBench) -> None:
    relay.talk()
    relay.tell(Watch(1, 30))
    relay.wait(29.0)
    assert relay.heard(Silent) == []
    relay.wait(2.0)
    assert [(silent.endpoint, round(silent.for_s)) for silent in relay.heard(Silent)] == [(1, 30)]
    relay.wait(28.0)
    assert len(relay.heard(Silent)) == 1
    relay.wait(3.0)
    assert round(relay.heard(Silent)[1].for_s) == 60


def test_the_end_of_a_silence_is_said_once(relay: RelayBench) -> None:
    relay.tell(Watch(1, 30))
    relay.wait(70.0)
    assert relay.heard(Heard) == []
    relay.rtp(2, CALLEE, ssrc=8)
    relay.wait(20.0)
    assert relay.heard(Heard) == [Heard(1)]
    relay.wait(50.0)
    relay.aim(2, CALLEE, may_be_silent=True)
    relay.wait(500.0)
    assert relay.heard(Heard) == [Heard(1)] * 2
    assert len(relay.heard(Silent)) == 4


def test_one_end_that_speaks_is_enough(relay: RelayBench) -> None:
    relay.tell(Watch(1, 30))
    for _ in range(10):
        relay.wait(20.0)
        relay.rtp(2, CALLEE, ssrc=8)
    for _ in range(10):
        relay.wait(20.0)
        relay.rtcp(2, (CALLEE[0], 5001), receiver_report(8))
    assert relay.heard(Silent) == []


def test_what_a_stranger_sends_is_no_sign_of_life(relay: RelayBench) -> None:
    relay.tell(Watch(1, 30))
    for _ in range(20):
        relay.wait(2.0)
        relay.rtp(1, STRANGE)
    assert len(relay.heard(Silent)) == 1


def test_a_hold_may_be_silent_and_its_end_counts_anew(relay: RelayBench) -> None:
    relay.tell(Watch(1, 30))
    relay.aim(2, CALLEE, may_be_silent=True)
    relay.wait(500.0)
    relay.aim(2, CALLEE)
    relay.wait(29.0)
    assert relay.heard(Silent) == []
    relay.wait(2.0)
    assert len(relay.heard(Silent)) == 1
    assert relay.figures(2).gap_us == 0


def test_a_watch_of_0_is_none(relay: RelayBench) -> None:
    relay.tell(Watch(1, 30))
    relay.tell(Watch(1, 0))
    relay.wait(500.0)
    assert relay.heard(Silent) == []


# What the switch says


def test_the_last_figures_come_with_the_close(relay: RelayBench) -> None:
    relay.talk(50)
    relay.tell(Close(1))
    (last,) = relay.heard(Figures)
    assert (last.endpoint, last.packets, last.lost, last.codec, last.is_closed) == (1, 50, 0, "PCMA", True)
    assert 430 < last.mos <= 441
    assert (last.remote_host, last.remote_port) == CALLER
    assert [endpoint.number for endpoint in relay.core.closed] == [1]
    assert not relay.rtp(2, CALLEE, ssrc=8)


def test_what_is_said_of_no_endpoint_is_refused(relay: RelayBench) -> None:
    for message in (Close(9), Watch(9, 30), Bridge(9, 1), Bridge(1, 9), Ask((9,))):
        relay.tell(message)
    assert [refused.endpoint for refused in relay.heard(Refused)] == [9] * 5
    relay.tell(Bridge(1, 1))
    assert relay.rtp(1, CALLER)


def test_figures_of_all_are_those_of_this_switch(relay: RelayBench) -> None:
    relay.tell(Ask())
    assert [figures.endpoint for figures in relay.heard(Figures)] == [1, 2]


def test_a_call_outlives_its_switch_until_release(relay: RelayBench) -> None:
    relay.talk()
    old_a, old_b = relay.a, relay.b
    assert relay.core.attach("e2")
    relay.said.clear()
    new = relay.open(1)
    assert relay.core.forwarding.rtp(old_a, b"\x80\x08" + bytes(10) + b"x", CALLER, relay.now) is old_b
    assert new.peer is None
    relay.core.release(relay.now)
    relay.collect()
    assert relay.core.closed == [old_a, old_b]
    assert relay.core.endpoints() == [new]
    assert relay.said == []  # its numbers mean something else now


def test_the_same_switch_finds_its_calls_again(relay: RelayBench) -> None:
    assert not relay.core.attach("e1")
    relay.talk()
    relay.core.release(relay.now)
    assert relay.core.closed == []


def test_calls_of_a_dead_switch_end_when_nothing_moves_in_them(relay: RelayBench) -> None:
    relay.talk()
    alone_since = relay.now
    for _ in range(10):
        relay.wait(ORPHAN_S / 2, alone_since=alone_since)
        relay.rtp(1, CALLER)
    assert relay.core.closed == []
    relay.wait(ORPHAN_S + 1, alone_since=alone_since)
    assert len(relay.core.closed) == 2


def test_a_call_that_is_silent_goes_on_while_its_switch_is_there(relay: RelayBench) -> None:
    relay.wait(ORPHAN_S * 10)
    assert relay.core.closed == []


def test_counts_are_of_what_is_open_and_what_was_closed(relay: RelayBench) -> None:
    relay.talk(10)
    relay.rtp(1, STRANGE)
    before = relay.core.counts()
    relay.tell(Close(1))
    after = relay.core.counts()
    for counts, endpoints in ((before, 2), (after, 1)):
        assert (counts.endpoints, counts.packets_in, counts.packets_out) == (endpoints, 20, 20)
        assert counts.dropped == {"stranger": 1}
        assert counts.latches == 2
    assert (before.mos_buckets, after.mos_buckets) == ({}, {"4.5": 1})


def test_a_peer_that_another_relay_had_found_is_sent_to_at_once() -> None:
    relay = RelayBench(opens=False)
    relay.open(1)
    relay.open(2)
    relay.aim(1, PRIVATE, NAT[0], latched=(*NAT, 31_007))
    relay.aim(2, CALLEE)
    relay.tell(Bridge(1, 2))
    assert relay.rtp(2, CALLEE, ssrc=8)
    assert relay.sent[-1][3] == NAT
    for sequence in range(100, 130):
        assert not relay.rtp(1, (NAT[0], 32_000), sequence=sequence)
    assert relay.rtp(1, NAT)


FORMATS = st.lists(st.sampled_from([PCMA, PCMU, EVENT]), unique=True).map(tuple)
HOSTS = [CALLER[0], CALLEE[0], NAT[0]]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("packet"), st.integers(1, 2), st.binary(max_size=40), st.integers(1, 70_000)),
            st.tuples(st.just("sound"), st.integers(1, 2), st.integers(0, 127), st.integers(0, 65_535)),
            st.tuples(st.just("rtcp"), st.integers(1, 2), st.binary(max_size=40), st.integers(1, 65_535)),
            st.tuples(st.just("talk"), st.integers(1, 5), st.none(), st.none()),
            st.tuples(st.just("aim"), st.integers(1, 2), FORMATS, st.integers(0, 5)),
        ),
        max_size=60,
    )
)
def test_nothing_is_ever_sent_to_a_stranger(steps: list[tuple]) -> None:  # type: ignore[type-arg]
    relay = RelayBench()
    for kind, number, what, value in steps:
        match kind:
            case "packet":
                assert not relay.raw(number, (STRANGE[0], value), what)
            case "sound":
                assert not relay.rtp(number, (STRANGE[0], 6000), payload_type=what, sequence=value)
            case "rtcp":
                assert not relay.rtcp(number, (STRANGE[0], value), b"\x80\xc8\x00\x01" + what)
            case "talk":
                relay.rtp(1, CALLER)
                relay.rtp(2, CALLEE, ssrc=8)
            case "aim":
                relay.aim(number, (CALLER, CALLEE)[number - 1], version=value, formats=what)
    assert relay.receivers() <= {CALLER, CALLEE, (CALLER[0], 4001), (CALLEE[0], 5001)}
    assert relay.core.endpoints() == [relay.a, relay.b]
