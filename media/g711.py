"""A-law and u-law: one octet for each sample of speech at 8000 Hz (ITU-T G.711).

PCM here, as everywhere in `media`, is mono 16-bit linear in the machine's own byte order. The 14 bits that u-law knows
and the 13 of A-law are the upper ones. Coding is that of the reference program in ITU-T G.191: negative samples are
those of the positive half with all bits turned over, so -1 and 0 are each other's mirror.
"""

import sys
from typing import Final

# 0 dBm0 as the peak of a sine of 16-bit samples: 3.14 dB below where A-law overloads (G.711, note 6 of table 1).
REFERENCE_PEAK: Final = 22827

_LOW: Final = 0 if sys.byteorder == "little" else 1
_SAMPLE_COUNT: Final = 65536


def decode_alaw(octets: bytes) -> bytes:
    """PCM, two bytes for each octet. Any octets are valid."""
    return _expand(octets, _ALAW_LOW, _ALAW_HIGH)


def decode_ulaw(octets: bytes) -> bytes:
    """PCM, two bytes for each octet. Any octets are valid."""
    return _expand(octets, _ULAW_LOW, _ULAW_HIGH)


def encode_alaw(pcm: bytes) -> bytes:
    """An octet for each sample. Raises ValueError for half a sample."""
    return bytes(map(_ALAW_OF.__getitem__, _samples(pcm)))


def encode_ulaw(pcm: bytes) -> bytes:
    """An octet for each sample. Raises ValueError for half a sample."""
    return bytes(map(_ULAW_OF.__getitem__, _samples(pcm)))


def _expand(octets: bytes, low: bytes, high: bytes) -> bytes:
    pcm = bytearray(2 * len(octets))
    pcm[_LOW::2] = octets.translate(low)
    pcm[1 - _LOW :: 2] = octets.translate(high)
    return bytes(pcm)


def _samples(pcm: bytes) -> memoryview:
    if len(pcm) % 2:
        raise ValueError(f"{len(pcm)} bytes are no whole number of 16-bit samples")
    return memoryview(pcm).cast("H")


def _alaw_levels() -> list[tuple[int, int, int]]:
    """The positive half from 0 upwards: octet, how many 16-bit values it stands for, what it is decoded to."""
    levels = []
    start = 0
    for segment in range(8):
        width = 16 << max(segment - 1, 0)
        for step in range(16):
            levels.append(((segment << 4 | step | 0x80) ^ 0x55, width, start + width // 2))
            start += width
    return levels


def _ulaw_levels() -> list[tuple[int, int, int]]:
    """As _alaw_levels. Counted from -132, so the first interval lacks its lower half; the last one is open."""
    levels = []
    for segment in range(8):
        width = 8 << segment
        for step in range(16):
            value = ((step << 3) + 132 << segment) - 132
            levels.append((0xFF - (segment << 4 | step), width, value))
    octet, width, value = levels[0]
    levels[0] = (octet, width // 2, value)
    octet, _, value = levels[-1]
    levels[-1] = (octet, _SAMPLE_COUNT // 2 - sum(width for _, width, _ in levels[:-1]), value)
    return levels


def _encoding(levels: list[tuple[int, int, int]]) -> bytes:
    """Octet by 16-bit sample taken as unsigned: the positive half, then the negative one from -32768 up."""
    positive = b"".join(bytes([octet]) * width for octet, width, _ in levels)
    mirrored = bytes(octet ^ 0x80 for octet in range(256))
    return positive + positive[::-1].translate(mirrored)


def _decoding(levels: list[tuple[int, int, int]]) -> tuple[bytes, bytes]:
    """The low and the high byte of the sample by octet."""
    values = [0] * 256
    for octet, _, value in levels:
        values[octet] = value
        values[octet ^ 0x80] = -value & 0xFFFF
    return bytes(value & 0xFF for value in values), bytes(value >> 8 for value in values)


_ALAW_OF: Final = _encoding(_alaw_levels())
_ULAW_OF: Final = _encoding(_ulaw_levels())
_ALAW_LOW, _ALAW_HIGH = _decoding(_alaw_levels())
_ULAW_LOW, _ULAW_HIGH = _decoding(_ulaw_levels())
