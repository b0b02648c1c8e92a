"""Listening: how much of a tone is in a recording, for how long, and how loud."""

import math
import wave
from array import array
from pathlib import Path
from typing import NamedTuple

WAV_HEADER_BYTES = 44
PJSUA_RATE = 16_000
WINDOW_S = 0.1
CLEAR_SHARE = 0.8  # of ten milliseconds, whose edges smear


def read_recording(path: Path | str) -> tuple[list[int], int]:
    """Samples of a mono 16-bit WAV and their rate."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return list(array("h", file.readframes(file.getnframes()))), file.getframerate()


def read_growing_recording(path: Path | str) -> tuple[list[int], int]:
    """Of a file that a pjsua2 phone is still writing: it writes the header when it closes the file."""
    data = Path(path).read_bytes()[WAV_HEADER_BYTES:]
    return list(array("h", data[: len(data) // 2 * 2])), PJSUA_RATE


def tone_share(samples: list[int], rate: int, hz: float) -> float:
    """How much of the energy is one tone: 0 to 1 (Goertzel).

    By tenths of a second: a jitter buffer that makes up time shifts a tone, and what is taken as one piece would then
    cancel itself out.
    """
    energy = sum(sample * sample for sample in samples)
    if not energy:
        return 0.0
    step = max(1, int(rate * WINDOW_S))
    return sum(_tone_energy(samples[at : at + step], rate, hz) for at in range(0, len(samples), step)) / energy


def _tone_energy(samples: list[int], rate: int, hz: float) -> float:
    turn = 2 * math.cos(2 * math.pi * hz / rate)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + turn * last - before
    power = before * before + last * last - turn * before * last
    return 2 * power / len(samples)


def loudest_tone(samples: list[int], rate: int, candidates: tuple[int, ...]) -> tuple[int, float]:
    """The candidate with the largest share, and its share."""
    shares = {hz: tone_share(samples, rate, hz) for hz in candidates}
    best = max(shares, key=lambda hz: shares[hz])
    return best, shares[best]


def level_dbfs(samples: list[int]) -> float:
    """RMS under full scale."""
    if not samples:
        return -math.inf
    mean = sum(sample * sample for sample in samples) / len(samples)
    return 10 * math.log10(mean / 32768**2) if mean else -math.inf


class Stretch(NamedTuple):
    """A tone that was heard without a break. `level_dbfs` is of its middle."""

    seconds: float
    level_dbfs: float


def longest_stretch(samples: list[int], rate: int, hz: int) -> Stretch:
    """Of one tone, to a hundredth of a second; 0 seconds when it was never heard."""
    step = rate // 100
    is_tone = [
        tone_share(samples[at : at + step], rate, hz) > CLEAR_SHARE
        for at in range(0, len(samples) - step, step)
    ]
    best = begin = 0
    length = 0
    for at, so in enumerate([*is_tone, False]):
        if so:
            length += 1
        else:
            if length > best:
                best, begin = length, at - length
            length = 0
    middle = samples[(begin + best // 4) * step : (begin + best - best // 4) * step]
    return Stretch(best * step / rate, level_dbfs(middle))
