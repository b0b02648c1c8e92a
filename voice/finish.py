"""From a voice's sound to a prompt: its silence cut, its level set, its edges faded, at 16 kHz."""

import io
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from voice.kokoro import Sound
from voice.loudness import active_level_dbov

RATE = 16_000
# The nominal level of speech in telephony (ITU-T P.56 and G.191), about that of the tones at -20 dBm0.
LEVEL_DBOV = -26.0
# A peak above this would clip in somebody's equaliser.
PEAK_DBFS = -3.0
# Below this, seen from the loudest 10 ms, there is no speech.
SILENCE_DB = -45.0
WINDOW_S = 0.01
LEAD_S = 0.03
FADE_S = 0.008
# What follows a prompt follows its punctuation: a sentence is over, a menu line waits for its key, a word goes on.
TAIL_S = {".": 0.28, "!": 0.28, "?": 0.28, ":": 0.2, ",": 0.18}
TAIL_OF_A_WORD_S = 0.05

# What u-law and G.722 take; their noise is 60 dB below the speech, and the files are a fifth smaller than with 16.
BITS = 14

FLAC_MARKER = b"fLaC"
STREAM_INFO = 0
LAST_BLOCK = 0x80


def finish(sound: Sound, rate: int, text: str) -> Sound:
    """Sound at RATE. Raises ValueError if it cannot be as loud as it should without clipping."""
    tail_s = TAIL_S.get(text.rstrip()[-1], TAIL_OF_A_WORD_S)
    cut = resampled(_cut(sound, rate, tail_s), rate, RATE)
    gain = 10 ** ((LEVEL_DBOV - active_level_dbov(cut, RATE)) / 20)
    loud = cut * np.float32(gain)
    peak = float(np.abs(loud).max())
    if peak > 10 ** (PEAK_DBFS / 20):
        raise ValueError(f"a peak of {20 * np.log10(peak):.1f} dBFS")
    return _faded(loud)


def speech_spans(sound: Sound, rate: int) -> NDArray[np.bool_]:
    """For each 10 ms, whether there is speech in it."""
    window = int(WINDOW_S * rate)
    count = len(sound) // window
    power = (sound[: count * window].reshape(count, window).astype(np.float64) ** 2).mean(axis=1)
    return power > power.max() * 10 ** (SILENCE_DB / 10)


def _cut(sound: Sound, rate: int, tail_s: float) -> Sound:
    window = int(WINDOW_S * rate)
    spoken = np.flatnonzero(speech_spans(sound, rate))
    start = int(spoken[0]) * window - int(LEAD_S * rate)
    end = (int(spoken[-1]) + 1) * window + int(tail_s * rate)
    padded = np.pad(sound, (max(-start, 0), max(end - len(sound), 0)))
    return padded[max(start, 0) : max(start, 0) + end - start]


def _faded(sound: Sound) -> Sound:
    count = int(FADE_S * RATE)
    rise = (0.5 - 0.5 * np.cos(np.pi * np.arange(count) / count)).astype(np.float32)
    sound[:count] *= rise
    sound[-count:] *= rise[::-1]
    return sound


def resampled(sound: Sound, rate: int, wanted: int) -> Sound:
    """By FFmpeg's resampler, as everything else in Offhook."""
    if rate == wanted:
        return sound
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(sound, np.float32)[None], format="flt", layout="mono"
    )
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="flt", layout="mono", rate=wanted)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in frames])


def format_flac(sound: Sound) -> bytes:
    """14 bits in samples of 16, and nothing in it that is not sound: no padding, no comments."""
    step = 1 << (16 - BITS)
    samples = (np.round(sound * (32768 / step)) * step).astype(np.int16)
    whole = io.BytesIO()
    with av.open(whole, "w", format="flac") as file:
        stream = file.add_stream("flac", rate=RATE, layout="mono", options={"compression_level": "12"})
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.time_base = Fraction(1, RATE)
        frame.pts = 0
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return _only_stream_info(whole.getvalue())


def _only_stream_info(flac: bytes) -> bytes:
    """FFmpeg leaves 8 KiB of padding, half of a short prompt. RFC 9639 8.1: metadata blocks, the last one marked."""
    position = len(FLAC_MARKER)
    kept = b""
    is_last = False
    while not is_last:
        header, length = flac[position], int.from_bytes(flac[position + 1 : position + 4], "big")
        is_last = bool(header & LAST_BLOCK)
        if header & ~LAST_BLOCK == STREAM_INFO:
            kept = bytes([LAST_BLOCK | STREAM_INFO]) + flac[position + 1 : position + 4 + length]
        position += 4 + length
    return FLAC_MARKER + kept + flac[position:]
