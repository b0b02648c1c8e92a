"""When a tone was heard in a recording, and for how long it was not.

A pjsua2 phone writes what it hears on its own clock, packets or none, so that a hole in the sound is as long in the
file as it was for the ear.
"""

import math
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from demo.sound import loudest_tone, read_growing_recording, tone_share

STEP_S = 0.02
# Of one step; what conceals a lost packet is no clean tone, and counts as a hole.
CLEAR_SHARE = 0.7
# What the phones of one test say, and what is heard on hold.
TONES = (440, 700, 1100, 1500)
# The last second of a recording is in its phone's buffer; the first has the ringing of the codec.
TAIL_S = 1.5
CLEAN_SECOND_WITHIN_S = 6.0


class Heard(NamedTuple):
    """Seconds of the recording: when the tone was there first and last, and the longest time without it in between."""

    first: float
    last: float
    longest_hole: float
    hole_at: float
    recorded: float

    @property
    def seconds(self) -> float:
        return self.last - self.first


def heard(recording: Path, hz: int, *, since: float = 0.0, until: float = math.inf) -> Heard:
    """Of a recording that may still grow, between two moments of it."""
    samples, rate = read_growing_recording(recording)
    if until < math.inf:
        del samples[int(until * rate) :]
    step = int(STEP_S * rate)
    begin = int(since * rate)
    times = [
        at / rate
        for at in range(begin, len(samples) - step + 1, step)
        if tone_share(samples[at : at + step], rate, hz) > CLEAR_SHARE
    ]
    assert times, f"{hz} Hz was never heard in {recording.name} ({len(samples) / rate:.1f} s)"
    holes = [(after - before - STEP_S, before) for before, after in pairwise(times)]
    longest, hole_at = max(holes, default=(0.0, times[0]))
    return Heard(times[0], times[-1] + STEP_S, longest, hole_at, len(samples) / rate)


def recorded_s(recording: Path) -> float:
    """How much there is of it so far."""
    samples, rate = read_growing_recording(recording)
    return len(samples) / rate


def hears(recording: Path, hz: int) -> None:
    """What a phone in a call writes is that tone. A machine that stood still leaves a hole, and is given a while."""
    deadline = time.monotonic() + CLEAN_SECOND_WITHIN_S
    while True:
        try:
            assert_tone(*read_growing_recording(recording), hz)
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(STEP_S)
        else:
            return


def assert_tone(samples: list[int], rate: int, hz: int, *, among: tuple[int, ...] = TONES) -> None:
    """The last whole second is that tone of several, and hardly anything else."""
    assert len(samples) > 2 * rate, f"{len(samples) / rate:.1f} s recorded"
    second = samples[-int(TAIL_S * rate) : -int((TAIL_S - 1) * rate)]
    found, share = loudest_tone(second, rate, among)
    assert found == hz
    assert share > 0.9
