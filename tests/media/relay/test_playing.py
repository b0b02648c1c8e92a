"""Sounds that are played: their beat, their numbers, their end."""

import pytest

from media.relay.messages import Close, Format, Play, Played, Refused, Stop
from media.relay.playing import FRAME_S
from media.rtp import parse_packet
from tests.media.relay.core_bench import CALLEE, CALLER, EVENT, PCMA, PCMU, RelayBench


@pytest.fixture
def relay() -> RelayBench:
    relay = RelayBench()
    relay.talk()
    relay.sent.clear()
    return relay


def test_frames_leave_every_20_ms_with_numbers_that_go_on(relay: RelayBench) -> None:
    started = relay.now
    relay.tell(Play(1, "busy", 77))
    relay.wait(0.001)
    assert len(relay.sent) == 1
    relay.wait(0.5)
    packets = [parse_packet(data) for _, _, data, _ in relay.sent]
    assert [packet.payload for packet in packets] == [b"PCMA 0", b"PCMA 1", b"PCMA 2"]
    assert [packet.is_marked for packet in packets] == [True, False, False]
    assert len({packet.ssrc for packet in packets}) == 1
    assert [packet.sequence - packets[0].sequence for packet in packets] == [0, 1, 2]
    assert [packet.timestamp - packets[0].timestamp for packet in packets] == [0, 160, 320]
    assert relay.receivers() == {CALLER}
    assert relay.heard(Played) == [Played(1, 77, True)]
    assert relay.figures(1).packets_sent == 1 + 3
    assert started < relay.now


def test_the_next_sound_goes_on_with_the_same_ssrc_and_counts_the_time_between(relay: RelayBench) -> None:
    relay.tell(Play(1, "busy", 1))
    relay.wait(1.0)
    relay.tell(Play(1, "busy", 2))
    relay.wait(1.0)
    packets = [parse_packet(data) for _, _, data, _ in relay.sent]
    assert len({packet.ssrc for packet in packets}) == 1
    assert [packet.sequence - packets[0].sequence for packet in packets] == list(range(6))
    assert packets[3].timestamp - packets[0].timestamp == pytest.approx(8000, abs=160)
    assert [packet.is_marked for packet in packets] == [True, False, False, True, False, False]


def test_a_sound_is_repeated_as_often_as_asked_or_until_it_is_stopped(relay: RelayBench) -> None:
    relay.tell(Play(1, "busy", 1, 2))
    relay.wait(1.0)
    assert len(relay.sent) == 6
    relay.tell(Play(1, "busy", 2, 0))
    relay.wait(10.0)
    assert len(relay.sent) == pytest.approx(6 + 500, abs=2)
    assert relay.heard(Played) == [Played(1, 1, True)]
    relay.tell(Stop(1))
    count = len(relay.sent)
    relay.wait(1.0)
    assert len(relay.sent) == count
    assert relay.heard(Played)[-1] == Played(1, 2, False)
    assert relay.core.play_due is None


def test_the_other_end_is_not_heard_meanwhile_and_is_again_afterwards(relay: RelayBench) -> None:
    relay.tell(Play(1, "busy", 1))
    assert not relay.rtp(2, CALLEE, ssrc=8)
    assert relay.rtp(1, CALLER)
    relay.wait(1.0)
    assert relay.rtp(2, CALLEE, ssrc=8)
    assert relay.figures(2).dropped == {"played_over": 1}


def test_another_sound_takes_the_place_of_the_first(relay: RelayBench) -> None:
    relay.tell(Play(1, "busy", 1, 0))
    relay.wait(0.1)
    relay.tell(Play(1, "busy", 2))
    assert relay.heard(Played) == [Played(1, 1, False)]
    relay.wait(1.0)
    assert relay.heard(Played)[-1] == Played(1, 2, True)


def test_a_sound_that_there_is_not_is_refused(relay: RelayBench) -> None:
    relay.tell(Play(1, "no such", 1))
    relay.aim(1, CALLER, formats=(EVENT,))
    relay.tell(Play(1, "busy", 2))
    assert relay.heard(Played) == [Played(1, 1, False), Played(1, 2, False)]
    assert [refused.endpoint for refused in relay.heard(Refused)] == [1, 1]


def test_the_codec_is_the_first_of_the_peers_that_there_is(relay: RelayBench) -> None:
    relay.aim(1, CALLER, formats=(EVENT, PCMU, PCMA))
    relay.aim(2, CALLEE, formats=(PCMU, EVENT))
    relay.tell(Play(1, "busy", 1))
    relay.wait(1.0)
    packet = parse_packet(relay.sent[0][2])
    assert (packet.payload_type, packet.payload) == (0, b"PCMU 0")


@pytest.mark.parametrize(
    ("own", "other_end", "payload_type"),
    [
        ((PCMU, PCMA), (PCMA,), 8),  # it offered both, and one was taken
        ((PCMU, PCMA), (PCMA, PCMU), 8),  # which of the two the other end has been sending
        ((PCMU,), (EVENT,), 0),
        ((PCMU,), (PCMA,), 0),
    ],
)
def test_the_codec_is_the_one_that_was_agreed(
    relay: RelayBench, own: tuple[Format, ...], other_end: tuple[Format, ...], payload_type: int
) -> None:
    relay.rtp(2, CALLEE)  # in PCMA
    relay.sent.clear()
    relay.aim(1, CALLER, formats=own)
    relay.aim(2, CALLEE, formats=other_end)
    relay.tell(Play(1, "busy", 1))
    relay.wait(0.1)
    assert {parse_packet(data).payload_type for _, _, data, _ in relay.sent} == {payload_type}


def test_a_description_in_the_middle_changes_the_codec(relay: RelayBench) -> None:
    relay.tell(Play(1, "busy", 1, 0))
    relay.wait(0.1)
    relay.aim(1, CALLER, formats=(PCMU,))
    relay.sent.clear()
    relay.wait(0.1)
    assert {parse_packet(data).payload_type for _, _, data, _ in relay.sent} == {0}
    relay.aim(1, CALLER, formats=(EVENT,))
    assert relay.heard(Played) == [Played(1, 1, False)]


def test_a_sound_waits_for_a_phone_that_is_not_found_yet() -> None:
    relay = RelayBench()
    nat = ("198.51.100.7", 31_000)
    relay.aim(1, ("192.168.1.10", 4000), nat[0], version=2)
    relay.tell(Play(1, "busy", 1))
    relay.wait(1.0)
    assert relay.sent == []
    for _ in range(5):
        relay.rtp(1, nat)
    relay.sent.clear()
    relay.wait(1.0)
    assert [parse_packet(data).payload for _, _, data, _ in relay.sent] == [b"PCMA 0", b"PCMA 1", b"PCMA 2"]


def test_a_sound_ends_also_when_the_phone_is_never_found() -> None:
    relay = RelayBench()
    relay.aim(1, ("192.168.1.10", 4000), "198.51.100.7", version=2)
    relay.tell(Play(1, "busy", 1))
    relay.wait(5.0)
    assert relay.heard(Played) == [Played(1, 1, True)]
    assert relay.sent == []


def test_after_a_stall_what_is_late_is_skipped(relay: RelayBench) -> None:
    relay.tell(Play(1, "busy", 1, 0))
    relay.wait(0.001)
    relay.now += 10.0
    relay.wait(0.001)
    first, second = (parse_packet(data) for _, _, data, _ in relay.sent[:2])
    assert len(relay.sent) < 10
    assert second.sequence == first.sequence + 1
    assert second.timestamp - first.timestamp == pytest.approx(80_000, abs=320)


def test_closing_ends_a_sound(relay: RelayBench) -> None:
    relay.tell(Play(1, "busy", 1, 0))
    relay.tell(Close(1))
    assert relay.heard(Played) == [Played(1, 1, False)]
    assert relay.core.play_due is None


def test_the_beat_of_many_is_one(relay: RelayBench) -> None:
    relay.tell(Play(1, "busy", 1, 0))
    relay.wait(FRAME_S / 2)
    relay.tell(Play(2, "busy", 2, 0))
    relay.sent.clear()
    relay.wait(FRAME_S)
    assert {number for number, _, _, _ in relay.sent} == {1, 2}
