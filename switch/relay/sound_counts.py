"""How the sound of finished streams was, by the trunk that they came from: what the whole exchange is watched by.

A stream is what one end of a call sent. "" stands for lines. Streams of less than five seconds are no evidence and are
not counted. The limits are those by which one call is judged (media/verdict.py).
"""

from typing import Final

from media.relay.messages import Figures
from media.verdict import JITTER_MS_MAX, JUDGED_PACKETS_MIN, LOSS_PERCENT_MAX, PICTURES
from switch.sip.counts import Histogram

LINES: Final = ""
# Shares of packets: Y.1541's objective, what is heard without concealment, what makes a stream poor, and ruins.
LOSS_BOUNDS: Final[tuple[float, ...]] = (0.0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
# ITU-T G.107 Annex B: from "nearly all dissatisfied" to "very satisfied".
MOS_BOUNDS: Final[tuple[float, ...]] = (1.0, 2.0, 2.58, 3.1, 3.6, 4.03, 4.34, 4.5)


class SoundCounts:
    """Of one trunk, or of lines."""

    __slots__ = ("loss", "mos", "poor", "streams")

    def __init__(self) -> None:
        self.streams = 0
        self.poor = 0
        self.loss = Histogram(LOSS_BOUNDS)
        self.mos = Histogram(MOS_BOUNDS)


class Sounds:
    """All of them, by name of the trunk: names of the configuration."""

    __slots__ = ("of_trunk",)

    def __init__(self) -> None:
        self.of_trunk: dict[str, SoundCounts] = {}

    def count(self, trunk: str, figures: Figures) -> None:
        """The last figures of a stream."""
        expected = figures.packets + figures.lost
        if expected < JUDGED_PACKETS_MIN or not figures.codec or figures.codec.upper() in PICTURES:
            return
        counts = self.of_trunk.get(trunk)
        if counts is None:
            counts = self.of_trunk[trunk] = SoundCounts()
        loss = figures.lost / expected
        counts.streams += 1
        counts.loss.observe(loss)
        if figures.mos:
            counts.mos.observe(figures.mos / 100)
        if loss * 100 >= LOSS_PERCENT_MAX or figures.jitter_us >= JITTER_MS_MAX * 1000:
            counts.poor += 1
