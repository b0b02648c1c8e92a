"""Packets of one sender on a good and on a bad link: what is played, how late it is, what is left out."""

import random

from hypothesis import given
from hypothesis import strategies as st

from voicemail.jitter_buffer import FRAMES_MAX, FRAMES_MIN, HELD_MAX, JitterBuffer

FRAME = 4  # bytes, for the eye


def sound(payload: bytes) -> bytes:
    """A payload is a number; its sound is four times that."""
    return payload * FRAME if len(payload) == 1 else payload


class Link:
    def __init__(self) -> None:
        self.buffer = JitterBuffer(sound, frame_bytes=FRAME)

    def send(self, *sequences: int, source: int = 1, payload: bytes | None = None) -> None:
        for sequence in sequences:
            self.buffer.receive(
                source=source,
                sequence=sequence % 65536,
                timestamp=sequence * 160,
                payload=bytes([sequence % 251 + 1]) if payload is None else payload,
                now=0.0,
            )

    def play(self, count: int) -> list[int | None]:
        """The number that each frame was; 0 is silence in between, None is nothing."""
        frames = [self.buffer.take() for _ in range(count)]
        return [None if frame is None else frame[0] for frame in frames]


def heard(*sequences: int) -> list[int]:
    return [sequence % 251 + 1 for sequence in sequences]


def test_it_begins_with_two_frames_and_goes_on_frame_by_frame() -> None:
    link = Link()
    link.send(7)
    assert link.play(1) == [None]
    played = []
    for sequence in range(8, 20):
        link.send(sequence)
        played += link.play(1)
    assert played == heard(*range(7, 19))


def test_what_comes_in_another_order_is_played_in_its_own() -> None:
    link = Link()
    link.send(1, 3, 2, 4)
    assert link.play(4) == heard(1, 2, 3, 4)
    assert (link.buffer.late, link.buffer.lost) == (0, 0)


def test_what_is_missing_is_one_frame_of_silence() -> None:
    link = Link()
    link.send(1, 2, 4, 5)
    assert link.play(4) == [*heard(1, 2), 0, *heard(4)]
    assert link.buffer.lost == 1


def test_what_comes_too_late_is_left_out_and_makes_it_wait_for_more() -> None:
    link = Link()
    link.send(1, 2, 4)
    assert link.play(5) == [*heard(1, 2), 0, *heard(4), None]
    link.send(3)
    assert link.buffer.late == 1
    link.send(5, 6)
    assert link.play(1) == [None], "three are waited for now"
    link.send(7)
    assert link.play(3) == heard(5, 6, 7)


def test_a_repeat_is_heard_once() -> None:
    link = Link()
    link.send(1, 1, 2, 2)
    assert link.play(3) == [*heard(1, 2), None]


def test_numbers_begin_anew_after_65535() -> None:
    link = Link()
    link.send(65534, 65535, 65536, 65537)
    assert link.play(4) == heard(65534, 65535, 65536, 65537)


def test_another_source_and_a_leap_are_another_stream() -> None:
    link = Link()
    link.send(1, 2)
    link.send(1000, 1001, source=2)
    assert link.play(2) == heard(1000, 1001)
    link.send(5000, 5001, source=2)
    assert link.play(2) == heard(5000, 5001)


def test_packets_of_half_and_of_twice_a_frame_are_frames() -> None:
    link = Link()
    for sequence in range(4):
        link.send(sequence, payload=bytes([97 + sequence] * (FRAME // 2)))
    assert [link.buffer.take() for _ in range(3)] == [b"aabb", b"ccdd", None]
    link = Link()
    link.send(1, 2, payload=b"abcdefgh")
    assert [link.buffer.take() for _ in range(4)] == [b"abcd", b"efgh", b"abcd", b"efgh"]


def test_keys_are_silence_in_their_place() -> None:
    link = Link()
    link.send(1)
    link.send(2, payload=b"")
    link.send(3)
    assert link.play(3) == [*heard(1), 0, *heard(3)]
    assert link.buffer.lost == 0


def test_what_lies_unused_is_left_out_again() -> None:
    """A burst after a stall: the delay that it brings is gone within seconds."""
    link = Link()
    link.send(*range(1, 8))
    for sequence in range(8, 1500):
        link.play(1)
        link.send(sequence)
    assert link.buffer.waiting_bytes <= (FRAMES_MIN + 1) * FRAME
    assert link.buffer.dropped == 5


def test_jitter_of_a_bad_evening_costs_little_and_then_nothing() -> None:
    """Up to 60 ms late, at random: after the first second nothing is lost."""
    rng = random.Random(4)
    link = Link()
    due = sorted((20 * number + rng.uniform(0, 60), number) for number in range(3000))
    lost_early = 0
    for beat in range(3000):
        while due and due[0][0] <= beat * 20:
            link.send(due.pop(0)[1])
        link.play(1)
        if beat == 200:
            lost_early = link.buffer.lost
    assert link.buffer.lost - lost_early < 30
    assert link.buffer.waiting_bytes <= FRAMES_MAX * FRAME


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(1, 2), st.binary(max_size=9)), max_size=300))
def test_whatever_comes_it_holds_a_second_at_most(packets) -> None:
    buffer = JitterBuffer(sound, frame_bytes=FRAME)
    for number, (sequence, source, payload) in enumerate(packets):
        buffer.receive(source=source, sequence=sequence, timestamp=0, payload=payload, now=0.0)
        assert buffer.waiting_bytes <= (HELD_MAX + 2) * 2 * FRAME * 5
        if number % 3 == 0:
            frame = buffer.take()
            assert frame is None or len(frame) == FRAME
