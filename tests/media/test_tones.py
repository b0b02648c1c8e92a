"""The tones of uk.md (k1): what they are made of by frequency analysis, their cadence by measuring, level and seams."""

import math
from itertools import pairwise

import pytest

from media.codecs import BYTES_PER_SAMPLE
from media.tones import TONES, rounds_in_whole_frames, tone_pcm
from tests.media.spectrum import level_at, level_dbm0, samples_of
from tests.tables import cases

RATES = [8000, 16000]
# Everything that the other tones are made of, and the neighbours that a mistake would give.
CANDIDATES = (350, 400, 425, 440, 450, 480, 620, 950, 1004, 1400, 1800, 2600)

# As the source says it, in ms: on is the frequencies, off is a pause; a round, which is repeated.
SPECIFICATION = """
# tone                 -> cadence                                                              level
dial                   -> 1000:350+440                                                         -18.2
special-dial           -> 750:350+440/750:440                                                  -18.2
ringing                -> 400:400+450/200:off/400:400+450/2000:off                             -20
busy                   -> 375:400/375:off                                                      -20
congestion             -> 400:400/350:off/225:400/525:off                                      -20
special-congestion     -> 200:400/300:1004                                                     -20
number-unobtainable    -> 1000:400                                                             -20
call-waiting           -> 100:400/4000:off                                                     -20
special-call-waiting   -> 250:400/250:off/250:400/250:off/250:400/5000:off                     -20
sit                    -> 330:950/15:off/330:1400/15:off/330:1800/1000:off                     -20
credit-pips            -> 125:400/125:off/125:400/125:off                                      -20
confirm                -> 1000:1400                                                            -20
switching              -> 200:400/400:off/2000:400/400:off                                     -20
record-warning         -> 500:1400/59500:off                                                   -20
record-beep            -> 400:1400                                                             -20
silence                -> 1000:off                                                             -200
pause                  -> 200:off                                                              -200
"""


def frequencies_in(pcm: bytes, rate: int) -> str:
    """The candidates within 10 dB of the whole, "off" for silence."""
    whole = level_dbm0(pcm)
    if whole < -60:
        return "off"
    # A window keeps a sine that does not fit the burst from being seen beside its place.
    samples = samples_of(pcm)
    count = len(samples)
    windowed = [
        sample * (0.5 - 0.5 * math.cos(2 * math.pi * n / count)) * 2 for n, sample in enumerate(samples)
    ]
    found = [f for f in CANDIDATES if _power(windowed, rate, f) > whole - 10]
    return "+".join(map(str, found))


def _power(samples: list[float], rate: int, frequency: int) -> float:
    pcm = b"".join(round(max(-32768, min(32767, s))).to_bytes(2, "little", signed=True) for s in samples)
    return level_at(pcm, rate, frequency)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("name", "cadence", "level"), cases(SPECIFICATION))
def test_a_tone_has_the_frequencies_cadence_and_level_of_its_specification(name, cadence, level, rate):
    pcm = tone_pcm(TONES[name], rate)
    position = 0
    found = []
    for number, part in enumerate(cadence.split("/")):
        duration_ms, frequencies = part.split(":")
        size = int(duration_ms) * rate // 1000 * BYTES_PER_SAMPLE
        # A minute of silence need not be looked at sample by sample; its end is checked with the next round.
        piece = pcm[position : position + min(size, rate)]
        position += size
        found.append(f"{duration_ms}:{frequencies_in(piece, rate)}")
        if frequencies != "off" and number == 0:
            assert level_dbm0(piece) == pytest.approx(float(level), abs=0.1)
    assert "/".join(found) == cadence
    rounds = rounds_in_whole_frames(TONES[name])
    assert len(pcm) == rounds * position
    assert pcm == pcm[:position] * rounds


def test_every_tone_is_specified():
    assert {case.values[0] for case in cases(SPECIFICATION)} == set(TONES)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", TONES)
def test_a_tone_ends_with_a_frame(name, rate):
    assert len(tone_pcm(TONES[name], rate)) % (rate // 50 * BYTES_PER_SAMPLE) == 0


@pytest.mark.parametrize("name", [name for name, tone in TONES.items() if tone.is_continuous])
def test_the_seam_of_a_tone_without_pauses_cannot_be_heard(name):
    """No step between the last sample and the first is larger than those within; special congestion is two tones."""
    samples = samples_of(tone_pcm(TONES[name], 8000))
    steps = [abs(b - a) for a, b in pairwise(samples)]
    assert abs(samples[0] - samples[-1]) <= max(steps)


def test_the_second_burst_of_congestion_is_6_db_louder():
    pcm = tone_pcm(TONES["congestion"], 8000)
    first, second = pcm[: 400 * 16], pcm[750 * 16 : 975 * 16]
    assert level_dbm0(second) - level_dbm0(first) == pytest.approx(6.0, abs=0.05)


def test_the_parts_of_a_mix_have_their_levels():
    dial = tone_pcm(TONES["dial"], 8000)
    assert level_at(dial, 8000, 350) == pytest.approx(-20, abs=0.05)
    assert level_at(dial, 8000, 440) == pytest.approx(-23, abs=0.05)
    ringing = tone_pcm(TONES["ringing"], 8000)[: 400 * 16]
    assert level_at(ringing, 8000, 400) == pytest.approx(-23, abs=0.05)
    assert level_at(ringing, 8000, 450) == pytest.approx(-23, abs=0.05)
