"""Figures of a stream and its opinion score."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.quality import Stream, opinion_score, rating, stream_score

FRAME_S = 0.020


def receive(
    numbers: list[int],
    *,
    first: int = 0,
    ssrc: int = 7,
    at: list[float] | None = None,
    stream: Stream | None = None,
) -> Stream:
    """Packets by their place in the stream, sent every 20 ms; they arrive in the order given."""
    stream = stream if stream is not None else Stream()
    stream.change_clock(8000)
    for order, number in enumerate(numbers):
        now = at[order] if at is not None else order * FRAME_S
        stream.received((first + number) & 0xFFFF, number * 160, ssrc, 172, now, is_timed=True)
    return stream


@pytest.mark.parametrize(
    ("numbers", "lost", "reordered", "duplicates"),
    [
        ([0, 1, 2, 3], 0, 0, 0),
        ([0, 1, 3, 4], 1, 0, 0),
        ([0, 10], 9, 0, 0),
        ([0, 2, 1, 3], 0, 1, 0),
        ([0, 1, 1, 2], 0, 0, 1),
        ([0, 1, 2, 0], 0, 0, 1),
        ([0, 2, 1, 1, 3], 0, 1, 1),
        ([0, 3, 2, 1, 4], 0, 2, 0),
        ([0, 1, 2, 2, 2, 5], 2, 0, 2),
    ],
)
@pytest.mark.parametrize("first", [0, 100, 65_534, 65_535])
def test_loss_order_and_duplicates(
    numbers: list[int], lost: int, reordered: int, duplicates: int, first: int
) -> None:
    stream = receive(numbers, first=first)
    assert (stream.lost, stream.reordered, stream.duplicates) == (lost, reordered, duplicates)
    assert stream.packets == len(numbers)


def test_a_sender_that_starts_anew_loses_nothing() -> None:
    stream = receive([0, 1, 2])
    for sequence in range(40_000, 40_010):
        stream.received(sequence, 0, 7, 172, 1.0, is_timed=True)
    assert stream.lost == 0
    receive([0, 1, 2], ssrc=8, stream=stream, at=[2.0, 2.02, 2.04])
    assert (stream.lost, stream.packets) == (0, 16)


@given(st.lists(st.integers(0, 60), unique=True, min_size=1), st.randoms(use_true_random=False))
def test_loss_agrees_with_counting(kept: list[int], mixed: random.Random) -> None:
    """Packets displaced by few places, with some of them twice."""
    numbers = sorted({0, *kept})
    wanted_lost = numbers[-1] + 1 - len(numbers)
    arriving = [number for number in numbers for _ in range(mixed.choice((1, 1, 1, 2)))]
    wanted_duplicates = len(arriving) - len(numbers)
    stream = receive(sorted(arriving, key=lambda number: (number > 0) * (number + mixed.random() * 8)))
    assert (stream.lost, stream.duplicates) == (wanted_lost, wanted_duplicates)


def test_a_steady_stream_has_no_jitter_and_an_uneven_one_has() -> None:
    assert receive(list(range(100))).jitter_mean_s == pytest.approx(0.0, abs=1e-9)
    late = [number * FRAME_S + (0.010 if number % 2 else 0.0) for number in range(400)]
    stream = receive(list(range(400)), at=late)
    # Each interval is 10 ms off, so RFC 3550's average tends to 10 ms.
    assert stream.jitter_max_s == pytest.approx(0.010, rel=0.01)
    assert stream.jitter_mean_s == pytest.approx(0.010, rel=0.05)


def test_silence_suppression_and_a_clock_that_leaps_are_no_jitter() -> None:
    stream = Stream()
    stream.change_clock(8000)
    for sequence, timestamp, now in [
        (1, 160, 0.0),
        (2, 8160, 1.0),
        (3, 8320, 1.02),
        (4, 500_000, 1.04),
        (5, 500_160, 1.06),
    ]:
        stream.received(sequence, timestamp, 7, 172, now, is_timed=True)
    assert stream.jitter_max_s == pytest.approx(0.0, abs=1e-6)


def test_the_longest_gap_leaves_out_holds() -> None:
    stream = receive([0, 1, 2], at=[0.0, 0.02, 0.14])
    assert stream.gap_s == pytest.approx(0.12)
    stream.excuse_gap()
    receive([3, 4], at=[60.0, 60.02], stream=stream)
    assert stream.gap_s == pytest.approx(0.12)


@pytest.mark.parametrize(
    ("codec", "loss", "delay_s", "wanted"),
    [
        ("PCMA", 0.0, 0.0, 4.41),  # R 93.2 is 4.41 by G.107 Annex B
        ("pcmu", 0.0, 0.1, 4.36),
        ("PCMA", 0.01, 0.0, 4.33),
        ("PCMA", 0.05, 0.0, 3.92),
        ("PCMA", 0.0, 0.4, 3.05),
        ("G729", 0.0, 0.0, 4.10),
        ("G722", 0.0, 0.0, 4.14),
        ("GSM", 0.0, 0.0, 3.74),
        ("PCMA", 1.0, 1.0, 1.0),
    ],
)
def test_the_opinion_of_loss_delay_and_codec(codec: str, loss: float, delay_s: float, wanted: float) -> None:
    r = rating(codec, loss=loss, delay_s=delay_s)
    assert r is not None
    assert opinion_score(r) == pytest.approx(wanted, abs=0.006)


def test_an_unknown_codec_has_no_score() -> None:
    assert rating("iLBC", loss=0.0, delay_s=0.0) is None
    assert stream_score(receive([0, 1]), "iLBC", round_trip_s=0.0) == 0.0
    assert stream_score(Stream(), "PCMA", round_trip_s=0.0) == 0.0


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 2), st.floats(0, 2))
def test_more_loss_and_more_delay_are_never_better(
    loss: float, more: float, delay: float, later: float
) -> None:
    def score(share: float, delay_s: float) -> float:
        r = rating("G729", loss=share, delay_s=delay_s)
        assert r is not None
        return opinion_score(r)

    low, high = sorted((loss, more))
    soon, late = sorted((delay, later))
    assert 1.0 <= score(high, late) <= score(low, soon) <= 4.5


@given(
    st.lists(st.tuples(st.integers(0, 65_535), st.integers(0, 2**32 - 1), st.integers(0, 3)), max_size=200)
)
def test_no_packet_whatever_breaks_the_figures(packets: list[tuple[int, int, int]]) -> None:
    stream = Stream()
    stream.change_clock(8000)
    for order, (sequence, timestamp, ssrc) in enumerate(packets):
        stream.received(sequence, timestamp, ssrc, 172, order * FRAME_S, is_timed=True)
    assert stream.packets == len(packets)
    assert stream.lost >= 0
    assert 0.0 <= stream.jitter_mean_s <= stream.jitter_max_s + 1e-12
