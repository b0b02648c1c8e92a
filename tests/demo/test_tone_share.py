"""How much of a tone is in what was heard."""

import math

import pytest

from demo.sound import tone_share

RATE = 16_000


def tone(hz: float, seconds: float, phase: float = 0.0) -> list[int]:
    return [int(8000 * math.sin(2 * math.pi * hz * n / RATE + phase)) for n in range(int(seconds * RATE))]


def test_one_tone_is_all_of_itself_and_nothing_of_another() -> None:
    assert tone_share(tone(440, 1), RATE, 440) == pytest.approx(1.0, abs=0.01)
    assert tone_share(tone(440, 1), RATE, 700) == pytest.approx(0.0, abs=0.01)
    assert tone_share([0] * RATE, RATE, 440) == 0.0


def test_of_two_voices_that_are_mixed_each_has_half() -> None:
    mixed = [one + other for one, other in zip(tone(440, 1), tone(700, 1), strict=True)]
    assert tone_share(mixed, RATE, 440) == pytest.approx(0.5, abs=0.02)


def test_a_tone_that_slips_in_the_middle_is_still_there() -> None:
    """As a whole second its halves would cancel."""
    slipped = tone(440, 0.5) + tone(440, 0.5, math.pi)
    assert tone_share(slipped, RATE, 440) == pytest.approx(1.0, abs=0.01)
