"""Sums of 16-bit samples and what G.711 makes of them, by table: to add and to encode 20 ms takes microseconds.

A sum that is too large for a sample is the largest sample.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import cache
from operator import add, sub
from typing import Final

from media.codecs import PCMA, Codec
from media.g711 import encode_alaw, encode_ulaw

# Everybody at once: what can be added up before the tables end.
PARTIES_MAX: Final = 8
# And the tone at a coming or going.
_LIMIT: Final = (PARTIES_MAX + 1) << 15
_SAMPLE_MAX: Final = 32767

Samples = Sequence[int]


def added(total: Samples | None, frame: Samples) -> Samples:
    return frame if total is None else list(map(add, total, frame))


def without(total: Samples, own: Samples) -> Samples:
    return list(map(sub, total, own))


def encoded(total: Samples, codec: Codec) -> bytes:
    """Of PCMA or PCMU."""
    return bytes(map(_octets(codec is PCMA).__getitem__, total))


def saturated(total: Samples) -> bytes:
    """As 16-bit PCM."""
    return array("h", [min(max(value, -_SAMPLE_MAX - 1), _SAMPLE_MAX) for value in total]).tobytes()


@cache
def _octets(is_alaw: bool) -> bytes:
    """By sum: from 0 up, then from the lowest up to -1, as a negative index finds it."""
    encode = encode_alaw if is_alaw else encode_ulaw
    of_sample = encode(array("H", range(65536)).tobytes())
    more = _LIMIT - _SAMPLE_MAX - 1
    positive, negative = of_sample[:32768], of_sample[32768:]
    return positive + positive[-1:] * more + negative[:1] * more + negative
