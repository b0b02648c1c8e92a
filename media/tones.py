"""The tones of British telephony, as data, and the PCM that they are.

Frequencies and cadences are those of BT's SIN 350 as Asterisk's indications.conf has them under [uk]; levels are those
that gateways are set to for it, -20 dBm0 for a tone as a whole, shared by the parts of a mix. BT allows 5 % in
frequency and 10 % in cadence; here both are exact. Left out: tones of other countries, which would be another table.
"""

import math
from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple

from media.codecs import FRAME_MS
from media.g711 import REFERENCE_PEAK

# BT's tones lie between 0 and -27 dBm; a handset is comfortable with this.
LEVEL_DBM0: Final = -20.0
# Two sines that are 3 dB lower have together the power of one.
MIXED_DBM0: Final = -23.0
# What a tone without a cadence is played in pieces of: a whole number of periods of every frequency in Hz.
CONTINUOUS_MS: Final = 1000

Sine = tuple[int, float]


class Burst(NamedTuple):
    """So long these sines, each as Hz and dBm0; none is silence. Each burst begins at phase 0."""

    duration_ms: int
    sines: tuple[Sine, ...] = ()


class Tone(NamedTuple):
    """One round of a cadence; played over and over it is the tone."""

    bursts: tuple[Burst, ...]

    @property
    def duration_ms(self) -> int:
        return sum(burst.duration_ms for burst in self.bursts)

    @property
    def is_continuous(self) -> bool:
        """There is no pause in it, so that the seam between two rounds could be heard."""
        return all(burst.sines for burst in self.bursts)


def _on(duration_ms: int, *frequencies: int, level: float = LEVEL_DBM0) -> Burst:
    return Burst(duration_ms, tuple((frequency, level) for frequency in frequencies))


def _off(duration_ms: int) -> Burst:
    return Burst(duration_ms)


def _tone(*bursts: Burst) -> Tone:
    return Tone(bursts)


_DIAL: Final[tuple[Sine, ...]] = ((350, -20.0), (440, -23.0))

TONES: Final[dict[str, Tone]] = {
    "dial": _tone(Burst(CONTINUOUS_MS, _DIAL)),
    # Something waits or is diverted: 440 Hz goes on, 350 Hz comes and goes.
    "special-dial": _tone(Burst(750, _DIAL), Burst(750, _DIAL[1:])),
    "ringing": _tone(
        _on(400, 400, 450, level=MIXED_DBM0), _off(200), _on(400, 400, 450, level=MIXED_DBM0), _off(2000)
    ),
    "busy": _tone(_on(375, 400), _off(375)),
    # Path engaged: the second, shorter burst is 6 dB louder.
    "congestion": _tone(_on(400, 400), _off(350), _on(225, 400, level=LEVEL_DBM0 + 6), _off(525)),
    "special-congestion": _tone(_on(200, 400), _on(300, 1004)),
    "number-unobtainable": _tone(_on(CONTINUOUS_MS, 400)),
    "call-waiting": _tone(_on(100, 400), _off(4000)),
    "special-call-waiting": _tone(
        _on(250, 400), _off(250), _on(250, 400), _off(250), _on(250, 400), _off(5000)
    ),
    # Special information tone (ITU-T E.180): an announcement follows.
    "sit": _tone(_on(330, 950), _off(15), _on(330, 1400), _off(15), _on(330, 1800), _off(1000)),
    # The money is about to run out. A round has two pips.
    "credit-pips": _tone(_on(125, 400), _off(125), _on(125, 400), _off(125)),
    "confirm": _tone(_on(CONTINUOUS_MS, 1400)),
    "switching": _tone(_on(200, 400), _off(400), _on(2000, 400), _off(400)),
    # While a call is recorded, once a minute; not one of BT's.
    "record-warning": _tone(_on(500, 1400), _off(59_500)),
    # "After the tone".
    "record-beep": _tone(_on(400, 1400)),
    "silence": _tone(_off(CONTINUOUS_MS)),
    # Between two words that were not spoken together.
    "pause": _tone(_off(200)),
}


def rounds_in_whole_frames(tone: Tone) -> int:
    """How many rounds of the cadence end where a frame of 20 ms does."""
    return math.lcm(tone.duration_ms, FRAME_MS) // tone.duration_ms


def tone_pcm(tone: Tone, rate: int) -> bytes:
    """Mono 16-bit PCM of as many rounds as end with a frame. `rate` in Hz, a multiple of 1000."""
    one_round = b"".join(
        _burst_pcm(burst.sines, rate, burst.duration_ms * rate // 1000) for burst in tone.bursts
    )
    return one_round * rounds_in_whole_frames(tone)


def _burst_pcm(sines: Sequence[Sine], rate: int, samples: int) -> bytes:
    """One period of the mix, repeated: the same samples whatever the length."""
    period = rate // math.gcd(rate, *(frequency for frequency, _ in sines))
    wave = array("h", (round(_at(sines, rate, n)) for n in range(min(period, samples))))
    return (wave * (samples // len(wave) + 1))[:samples].tobytes()


def _at(sines: Sequence[Sine], rate: int, n: int) -> float:
    # The phase is reduced as an integer, so that it is exact in the last period, too.
    return sum(
        REFERENCE_PEAK * 10 ** (level / 20) * math.sin(2 * math.pi * (frequency * n % rate) / rate)
        for frequency, level in sines
    )
