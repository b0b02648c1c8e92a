"""`python -m voice judge [NAME ...]`: figures of the prompts that are there, and what a listener understands of them.

Single words are heard within sequences, as callers hear them.
"""

import av
import numpy as np

from voice.finish import RATE, WINDOW_S, speech_spans
from voice.kokoro import Sound
from voice.loudness import active_level_dbov
from voice.sequences import SEQUENCES
from voice.speak import SOUNDS, words
from voice.transcript import Listener, word_errors, words_of

WORDS_ALONE_MIN = 3


def judge(names: list[str]) -> None:
    """A line a prompt where something was not understood, then the totals. All for none named."""
    texts = words()
    sounds = {name: read(name) for name in names or texts}
    for what, values in _figures(sounds).items():
        print(f"{what}: {min(values):.2f} to {max(values):.2f}, mean {np.mean(values):.2f}")
    alone = {name: (name,) for name in sounds if len(texts[name].split()) >= WORDS_ALONE_MIN}
    transcribe(sounds, texts, alone | ({} if names else SEQUENCES))


def transcribe(sounds: dict[str, Sound], texts: dict[str, str], spoken: dict[str, tuple[str, ...]]) -> None:
    """Prints what was misunderstood, and the share of words."""
    listener = Listener()
    errors = total = 0
    for what, names in spoken.items():
        said = words_of(" ".join(texts[name] for name in names if name in texts))
        pause = np.zeros(RATE // 5, np.float32)
        sound = np.concatenate([sounds[name] if name in texts else pause for name in names])
        heard = listener.listen(sound, RATE)
        wrong = word_errors(said, words_of(heard))
        errors += wrong
        total += len(said)
        if wrong:
            print(f"  {what}: {' '.join(said)!r} heard as {heard!r}", flush=True)
    print(f"{errors} of {total} words wrong, {100 * errors / total:.1f} %")


def read(name: str) -> Sound:
    with av.open(str(SOUNDS / f"{name}.flac")) as file:
        parts = [frame.to_ndarray()[0] for frame in file.decode(audio=0)]
    return np.concatenate(parts).astype(np.float32) / 32768


def _figures(sounds: dict[str, Sound]) -> dict[str, list[float]]:
    return {
        "seconds": [len(sound) / RATE for sound in sounds.values()],
        "active level dBov": [active_level_dbov(sound, RATE) for sound in sounds.values()],
        "peak dBFS": [20 * float(np.log10(np.abs(sound).max())) for sound in sounds.values()],
        "longest pause s": [_longest_pause_s(sound) for sound in sounds.values()],
    }


def _longest_pause_s(sound: Sound) -> float:
    spoken = np.flatnonzero(speech_spans(sound, RATE))
    return float(np.diff(spoken).max() - 1) * WINDOW_S if len(spoken) > 1 else 0.0
