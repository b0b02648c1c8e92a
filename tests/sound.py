"""Listening in tests: how much of a tone is in a recording."""

import math
import wave
from array import array
from pathlib import Path

WAV_HEADER_BYTES = 44
PJSUA_RATE = 16_000


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
    """How much of the energy is one tone: 0 to 1 (Goertzel)."""
    energy = sum(sample * sample for sample in samples)
    if not energy:
        return 0.0
    turn = 2 * math.cos(2 * math.pi * hz / rate)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + turn * last - before
    power = before * before + last * last - turn * before * last
    return 2 * power / (len(samples) * energy)


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
