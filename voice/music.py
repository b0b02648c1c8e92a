"""`python -m voice music`: the music on hold, from the notes below into media/music/hold.flac. It was written for this.

Eight chords, arpeggiated, over a soft pad; nothing in it is a recording of anybody. What rings on at the end is added
at the beginning, so that round after round is one piece of sound without a seam.
"""

from pathlib import Path

import numpy as np

from voice.finish import RATE, format_flac
from voice.kokoro import Sound

FILE = Path("media/music/hold.flac")
# A telephone carries 300 to 3400 Hz: the lowest notes are heard by their overtones.
PARTIALS = ((1, 1.0), (2, 0.42), (3, 0.2), (4, 0.09), (5, 0.04))
PAD_PARTIALS = ((1, 1.0), (2, 0.25), (3, 0.08))
BEAT_S = 0.7  # a little slower than a heart at rest
BEATS_PER_CHORD = 8
# Quieter than speech (-26 dBov), which says over it how long it takes.
RMS_DBOV = -30.0
PEAK_MAX_DBFS = -9.0
ATTACK_S = 0.012
RELEASE_S = 1.3  # to 1/e
PAD_RISE_S = 1.2
PAD_LEVEL = 0.16

# MIDI numbers, lowest first: C maj7, A m7, F maj7, G sus, E m7, A m7, D m7, G 7.
CHORDS = (
    (48, 55, 64, 67, 71, 76), (45, 57, 64, 67, 72, 76), (53, 60, 64, 69, 72, 77), (55, 62, 65, 67, 72, 74),
    (52, 59, 64, 67, 71, 74), (57, 60, 64, 67, 69, 76), (50, 57, 65, 69, 72, 77), (55, 59, 65, 71, 74, 77),
)  # fmt: skip
# Which note of the chord on each beat, and how loud; None rests.
PATTERNS = (
    ((0, 0.9), (2, 0.6), (3, 0.65), (4, 0.7), (5, 0.75), (4, 0.6), (3, 0.55), None),
    ((0, 0.9), (3, 0.6), (2, 0.55), (4, 0.7), (3, 0.55), (5, 0.7), (4, 0.6), (2, 0.5)),
)


def make_music() -> None:
    sound = np.zeros(int(len(CHORDS) * BEATS_PER_CHORD * BEAT_S * RATE), np.float64)
    for place, chord in enumerate(CHORDS):
        begun_s = place * BEATS_PER_CHORD * BEAT_S
        for beat, note in enumerate(PATTERNS[place % len(PATTERNS)]):
            if note is not None:
                which, level = note
                _add(sound, begun_s + beat * BEAT_S, level * _plucked(_hz(chord[which])))
        for number in chord[1:4]:
            _add(sound, begun_s, PAD_LEVEL * _held(_hz(number), BEATS_PER_CHORD * BEAT_S))
    loud = _levelled(sound)
    FILE.write_bytes(format_flac(loud))
    peak = 20 * np.log10(np.abs(loud).max())
    print(f"{len(loud) / RATE:.2f} s, peak {peak:.1f} dBFS, {FILE.stat().st_size / 1e3:.0f} kB")


def _hz(midi: int) -> float:
    return 440.0 * 2 ** ((midi - 69) / 12)


def _plucked(hz: float) -> Sound:
    """Struck and left to ring; the higher a partial the sooner it is gone."""
    at = np.arange(int(6 * RELEASE_S * RATE)) / RATE
    rise = np.minimum(at / ATTACK_S, 1.0)
    partials = (
        level * np.sin(2 * np.pi * hz * number * at) * np.exp(-at * number**0.7 / RELEASE_S)
        for number, level in PARTIALS
    )
    fall = np.minimum((at[-1] - at) / 0.5, 1.0)
    return sum(partials) * rise * fall


def _held(hz: float, seconds: float) -> Sound:
    """Comes and goes with the next chord's."""
    at = np.arange(int((seconds + PAD_RISE_S) * RATE)) / RATE
    rise = np.minimum(at / PAD_RISE_S, 1.0)
    fall = np.minimum((at[-1] - at) / PAD_RISE_S, 1.0)
    tremolo = 1 + 0.08 * np.sin(2 * np.pi * 4.2 * at)
    envelope = np.sin(np.pi / 2 * rise) * np.sin(np.pi / 2 * fall) * tremolo
    return envelope * sum(level * np.sin(2 * np.pi * hz * number * at) for number, level in PAD_PARTIALS)


def _add(sound: Sound, at_s: float, note: Sound) -> None:
    """What goes beyond the end goes on at the beginning."""
    places = (int(at_s * RATE) + np.arange(len(note))) % len(sound)
    np.add.at(sound, places, note)


def _levelled(sound: Sound) -> Sound:
    """Raises ValueError if it cannot be so loud without peaks."""
    loud = sound * (10 ** (RMS_DBOV / 20) / np.sqrt(np.mean(sound**2)))
    peak_dbfs = 20 * np.log10(np.abs(loud).max())
    if peak_dbfs > PEAK_MAX_DBFS:
        raise ValueError(f"a peak of {peak_dbfs:.1f} dBFS")
    return loud.astype(np.float32)
