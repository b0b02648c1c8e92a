"""What is in a piece of sound: levels in dBm0, and the power at single frequencies (Goertzel)."""

import math
import struct

from media.g711 import REFERENCE_PEAK


def samples_of(pcm: bytes) -> tuple[int, ...]:
    return struct.unpack(f"={len(pcm) // 2}h", pcm)


def pcm_of(samples: list[int]) -> bytes:
    return struct.pack(f"={len(samples)}h", *samples)


def sine(frequency: float, rate: int, seconds: float, level_dbm0: float = -10.0) -> bytes:
    peak = REFERENCE_PEAK * 10 ** (level_dbm0 / 20)
    count = round(rate * seconds)
    return pcm_of([round(peak * math.sin(2 * math.pi * frequency * n / rate)) for n in range(count)])


def level_dbm0(pcm: bytes) -> float:
    """-200 for silence."""
    samples = samples_of(pcm)
    power = sum(sample * sample for sample in samples) / max(len(samples), 1)
    return 10 * math.log10(2 * power / REFERENCE_PEAK**2) if power else -200.0


def level_at(pcm: bytes, rate: int, frequency: float) -> float:
    """The level of one sine in the sound, dBm0. The sound should have a whole number of its periods."""
    samples = samples_of(pcm)
    angle = 2 * math.pi * frequency / rate
    coefficient = 2 * math.cos(angle)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    power = before * before + last * last - coefficient * before * last
    amplitude = 2 * math.sqrt(max(power, 0.0)) / len(samples)
    return 20 * math.log10(amplitude / REFERENCE_PEAK) if amplitude else -200.0


def strongest(pcm: bytes, rate: int, frequencies: range) -> int:
    return max(frequencies, key=lambda frequency: level_at(pcm, rate, frequency))
