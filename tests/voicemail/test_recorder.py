"""Packets to sound: order, loss, silence that is not sent, bursts, and senders that claim more time than there was."""

import math
from array import array

from hypothesis import given
from hypothesis import strategies as st

from media.codecs import G722, PCMA, Codec, encoder_of
from voicemail.coder import Coder
from voicemail.recorder import AHEAD_MAX_S, Recorder, is_speech

PACKET_S = 0.02


def tone(seconds: float, *, rate: int = 8000, peak: int = 8000, hz: int = 1000) -> bytes:
    count = int(seconds * rate)
    return array("h", [int(peak * math.sin(1 + 2 * math.pi * hz * n / rate)) for n in range(count)]).tobytes()


def packets(pcm: bytes, codec: Codec = PCMA) -> list[tuple[int, int, bytes]]:
    """(sequence, timestamp, payload), beginning just before both wrap."""
    encoder = encoder_of(codec)
    size = codec.pcm_bytes_per_frame
    return [
        (
            (65_530 + number) % 65_536,
            (2**32 - 800 + number * codec.ticks_per_frame) % 2**32,
            encoder.encode(pcm[number * size : (number + 1) * size]),
        )
        for number in range(len(pcm) // size)
    ]


class Hearing:
    """A recorder and a clock."""

    def __init__(self, codec: Codec = PCMA) -> None:
        self.now = 100.0
        self.recorder = Recorder(Coder(codec), self.now)

    def hear(self, packet: tuple[int, int, bytes], *, source: int = 1) -> None:
        sequence, timestamp, payload = packet
        self.recorder.receive(
            source=source, sequence=sequence, timestamp=timestamp, payload=payload, now=self.now
        )

    def hear_in_time(self, stream: list[tuple[int, int, bytes]]) -> None:
        for packet in stream:
            self.hear(packet)
            self.now += PACKET_S

    def end(self) -> bytes:
        self.recorder.finish(self.now)
        return self.recorder.take()


def test_what_comes_in_order_is_recorded_as_it_is() -> None:
    hearing = Hearing()
    hearing.hear_in_time(packets(tone(2)))
    sound = hearing.end()
    assert len(sound) == 2 * 8000 * 2
    assert hearing.recorder.seconds == 2.0
    assert hearing.recorder.spoken_seconds == 2.0


def test_g722_counts_8000_timestamps_for_16000_samples() -> None:
    hearing = Hearing(G722)
    stream = packets(tone(1, rate=16_000), G722)
    del stream[10:15]
    hearing.hear_in_time(stream)
    assert abs(len(hearing.end()) - 16_000 * 2) <= 640


def test_packets_that_overtake_each_other_are_put_in_order() -> None:
    whole, mixed = Hearing(), Hearing()
    stream = packets(tone(1))
    whole.hear_in_time(stream)
    for place in range(3, len(stream) - 3, 3):
        stream[place], stream[place + 2] = stream[place + 2], stream[place]
    mixed.hear_in_time(stream)
    assert mixed.end() == whole.end()


def test_a_packet_twice_is_heard_once() -> None:
    hearing = Hearing()
    for packet in packets(tone(0.5)):
        hearing.hear(packet)
        hearing.hear(packet)
        hearing.now += PACKET_S
    assert len(hearing.end()) == 8000
    assert hearing.recorder.dropped == 25


def test_lost_packets_leave_silence_of_their_length() -> None:
    hearing = Hearing()
    stream = packets(tone(1))
    del stream[20:25]
    for number, packet in enumerate(stream):
        hearing.now = 100.0 + (number + (5 if number >= 20 else 0)) * PACKET_S
        hearing.hear(packet)
    sound = hearing.end()
    assert len(sound) == 16_000
    assert sound[20 * 320 : 25 * 320] == bytes(5 * 320)


def test_silence_that_is_not_sent_is_recorded_as_long_as_it_was() -> None:
    hearing = Hearing()
    stream = packets(tone(4))
    hearing.hear_in_time(stream[:50])
    hearing.now += 2.0
    hearing.hear_in_time(stream[150:])
    assert hearing.recorder.seconds == 4.0
    assert hearing.recorder.spoken_seconds == 4.0


def test_digits_in_between_are_no_loss() -> None:
    hearing = Hearing()
    stream = packets(tone(1))
    for number in range(20, 25):
        sequence, _, _ = stream[number]
        stream[number] = (sequence, stream[20][1], b"")
    hearing.hear_in_time(stream)
    sound = hearing.end()
    assert len(sound) == 16_000


def test_another_stream_goes_on_where_the_clock_is() -> None:
    hearing = Hearing()
    stream = packets(tone(1))
    hearing.hear_in_time(stream)
    for sequence, timestamp, payload in stream:
        hearing.hear(((sequence + 9999) % 65_536, (timestamp + 77_777_777) % 2**32, payload), source=2)
        hearing.now += PACKET_S
    assert abs(len(hearing.end()) - 2 * 16_000) <= 320


def test_a_leap_in_time_does_not_fill_the_disk() -> None:
    hearing = Hearing()
    stream = packets(tone(1))
    hearing.hear_in_time(stream[:10])
    for sequence, timestamp, payload in stream[10:]:
        hearing.hear((sequence, (timestamp + 2**31) % 2**32, payload))
        hearing.now += PACKET_S
    assert len(hearing.end()) <= 16_000 + AHEAD_MAX_S * 16_000


def test_a_flood_is_no_longer_than_the_time_it_took() -> None:
    hearing = Hearing()
    for packet in packets(tone(60)):
        hearing.hear(packet)
    assert len(hearing.end()) <= AHEAD_MAX_S * 16_000
    assert hearing.recorder.dropped > 2900


def test_speech_is_told_from_a_quiet_line() -> None:
    for hz in (50, 300, 1000, 2000, 3400):
        assert is_speech(tone(0.02, peak=300, hz=hz)), hz
    assert not is_speech(tone(0.02, peak=40))
    assert not is_speech(bytes(320))
    assert not is_speech(b"")


def test_silence_is_measured_whether_it_is_sent_or_not() -> None:
    hearing = Hearing()
    stream = packets(tone(1) + bytes(3 * 16_000))
    hearing.hear_in_time(stream)
    assert abs(hearing.recorder.silent_for_s(hearing.now) - 3.0) < 0.03
    hearing.now += 5
    assert abs(hearing.recorder.silent_for_s(hearing.now) - 8.0) < 0.03


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 65_535),
            st.integers(0, 2**32 - 1),
            st.binary(max_size=400),
            st.floats(0, 0.5),
        ),
        max_size=60,
    )
)
def test_whatever_comes_a_recording_is_no_longer_than_the_clock_says(
    stream: list[tuple[int, int, int, bytes, float]],
) -> None:
    hearing = Hearing()
    for source, sequence, timestamp, payload, passed in stream:
        hearing.hear((sequence, timestamp, payload), source=source)
        hearing.now += passed
    hearing.recorder.finish(hearing.now)
    assert hearing.recorder.samples * 2 == len(hearing.recorder.take())
    assert hearing.recorder.seconds <= hearing.now - 100.0 + AHEAD_MAX_S
    assert hearing.recorder.spoken_samples <= hearing.recorder.samples
