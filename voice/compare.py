"""`python -m voice compare`: the voices that were to be had, on the same sentences and sequences, made into prompts."""

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from voice.finish import RATE as PROMPT_RATE
from voice.finish import finish
from voice.judge import transcribe
from voice.kokoro import RATE, VOICES, Kokoro, Sound
from voice.sequences import SEQUENCES
from voice.speak import words

SENTENCES = 40
# Debian's, where they are installed.
PROGRAMS = {
    "espeak-ng en-gb": ["espeak-ng", "-v", "en-gb", "-s", "150", "-w", "{file}", "{text}"],
    "flite slt": ["flite", "-voice", "slt", "-t", "{text}", "-o", "{file}"],
    "flite rms": ["flite", "-voice", "rms", "-t", "{text}", "-o", "{file}"],
}

Voice = Callable[[str], tuple[Sound, int]]


def compare() -> None:
    texts = words()
    alone = [name for name, text in texts.items() if len(text.split()) > 3][:SENTENCES]
    sequences = dict(list(SEQUENCES.items())[::6])
    spoken = {name: (name,) for name in alone} | sequences
    for label, voice in _voices().items():
        began = time.monotonic()
        sounds: dict[str, Sound] = {}
        clipped = 0
        for name in {part for parts in spoken.values() for part in parts if part in texts}:
            sound, rate = voice(texts[name])
            clipped += int((np.abs(sound) >= 1.0).sum())
            sounds[name] = finish(sound, rate, texts[name])
        seconds = sum(len(sounds[name]) for name in alone) / PROMPT_RATE
        rate_wpm = 60 * sum(len(texts[name].split()) for name in alone) / seconds
        print(f"{label}: {rate_wpm:.0f} words a minute, {clipped} samples beyond full scale")
        transcribe(sounds, texts, spoken)
        print(f"  {time.monotonic() - began:.0f} s", flush=True)


def _voices() -> dict[str, Voice]:
    voices: dict[str, Voice] = {label: _program(command) for label, command in PROGRAMS.items()}
    for path in sorted(VOICES.glob("b[fm]_*.bin")):
        voices[f"Kokoro {path.stem}"] = _kokoro(path.stem)
    return voices


def _kokoro(name: str) -> Voice:
    kokoro = Kokoro(name)
    return lambda text: (kokoro.speak(text), RATE)


def _program(command: list[str]) -> Voice:
    def speak(text: str) -> tuple[Sound, int]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "spoken.wav"
            subprocess.run([part.format(file=file, text=text) for part in command], check=True)
            with av.open(str(file)) as recording:
                rate = recording.streams.audio[0].rate
                parts = [frame.to_ndarray()[0] for frame in recording.decode(audio=0)]
        return np.concatenate(parts).astype(np.float32) / 32768, rate

    return speak
