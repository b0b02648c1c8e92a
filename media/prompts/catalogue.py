"""Everything that can be played by name: prompts and tones, as the payloads of 20 ms frames of a codec.

A prompt is encoded once for a codec and kept; every call that hears it sends the same bytes. Where a prompt comes from:
the operator's file in the language asked for, his file in en_GB, the shipped one, the first of these that there is. The
shipped prompts are what they are, the operator's have SECONDS_OF_ALL_MAX: that is the limit.

Encoding takes time (docs/sound.md has figures): `prepare` does it for all prompts of a codec, before the first call or
in a thread. What is asked for before is encoded there and then.
"""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import av
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

from media.codecs import PCMA, PCMU, Codec, codec_named, encode_recording, encode_round, pcm_of
from media.prompts.own_recordings import PromptProblem, find_own_recordings
from media.tones import TONES, Tone, tone_pcm
from media.wav import WavProblem, load_wav

LANGUAGE: Final = "en_GB"
SHIPPED: Final = Path(__file__).parent

Frames = tuple[bytes, ...]
Key = tuple[str, str]


def shipped_words() -> dict[str, str]:
    """What each shipped prompt says, by name."""
    tables = tomllib.loads((SHIPPED / f"{LANGUAGE}.toml").read_text(encoding="utf-8"))
    return {name: text for table in tables.values() for name, text in table.items()}


class Catalogue:
    """`own` is the folder of the operator's prompts, or None.

    `problems` are files that are not used, and why. Threads may prepare while others ask for frames.
    """

    __slots__ = ("_files", "_frames", "_shipped", "problems")

    def __init__(self, own: Path | None = None) -> None:
        self._shipped = {(LANGUAGE, name): SHIPPED / LANGUAGE / f"{name}.flac" for name in shipped_words()}
        self.problems: list[PromptProblem] = []
        self._files: dict[Key, Path] = {}
        if own is not None:
            found = find_own_recordings(own, self.names())
            self._files = found.files
            self.problems += found.problems
        self._frames: dict[tuple[Key, Codec], Frames] = {}

    def names(self) -> set[str]:
        """All that can be played."""
        return {name for _, name in self._shipped} | set(TONES)

    @property
    def bytes_held(self) -> int:
        """Payloads that have been encoded."""
        return sum(len(payload) for frames in tuple(self._frames.values()) for payload in frames)

    def frames(self, name: str, codec: str | Codec, language: str = LANGUAGE) -> Frames | None:
        """A prompt or one round of a tone; the codec by its SDP name. None for a name or codec that is not ours.

        Also None when the file has been broken since: there is nothing to play, and `problems` says so.
        """
        spoken = codec if isinstance(codec, Codec) else codec_named(codec)
        key = self._find(name, language)
        if spoken is None or key is None:
            return None
        frames = self._frames.get((key, spoken))
        if frames is None:
            (frames,) = self._encode(key, (spoken,))
        return frames or None

    def sequence(self, names: Iterable[str], codec: str | Codec, language: str = LANGUAGE) -> Frames:
        """Several in a row. What is not there is left out: the rest of a sentence is better than none."""
        return tuple(payload for name in names for payload in self.frames(name, codec, language) or ())

    def prepare(
        self, codecs: Sequence[Codec] = (PCMA, PCMU), *, goes_on: Callable[[], bool] = lambda: True
    ) -> None:
        """Encodes all that has not been, so that no call waits for it. Blocks; a thread may do it, for as long as it
        `goes_on`."""
        for key in (*((LANGUAGE, name) for name in TONES), *self._shipped, *self._files):
            if not goes_on():
                return
            missing = [codec for codec in codecs if (key, codec) not in self._frames]
            if missing and self._find(key[1], key[0]) == key:
                self._encode(key, missing)

    def _find(self, name: str, language: str) -> Key | None:
        for key in ((language, name), (LANGUAGE, name)):
            if key in self._files or key in self._shipped:
                return key
        return (LANGUAGE, name) if name in TONES else None

    def _encode(self, key: Key, codecs: Sequence[Codec]) -> list[Frames]:
        encoded = []
        pcm_at: dict[int, bytes] = {}
        for codec in codecs:
            rate = codec.sample_rate
            if rate not in pcm_at:
                pcm_at[rate] = self._pcm(key, rate)
            frames = _payloads(codec, pcm_at[rate], TONES.get(key[1]))
            self._frames[key, codec] = frames
            encoded.append(frames)
        return encoded

    def _pcm(self, key: Key, rate: int) -> bytes:
        """Whatever happened to a file since it was looked at, something is played."""
        own = self._files.get(key)
        if own is not None:
            try:
                return load_wav(own, rate).pcm
            except (OSError, WavProblem) as problem:
                self.problems.append(PromptProblem(f"{key[0]}/{key[1]}.wav", str(problem)))
        shipped = self._shipped.get((LANGUAGE, key[1]))
        if shipped is not None:
            try:
                return load_shipped(shipped, rate)
            except (OSError, FFmpegError) as problem:
                self.problems.append(PromptProblem(str(shipped), str(problem)))
                return b""
        return tone_pcm(TONES[key[1]], rate)


def _payloads(codec: Codec, pcm: bytes, tone: Tone | None) -> Frames:
    if tone is not None and tone.is_continuous:
        return tuple(encode_round(codec, pcm))
    return tuple(encode_recording(codec, pcm))


def load_shipped(path: Path, rate: int) -> bytes:
    """A FLAC file of ours as mono 16-bit PCM. Raises OSError, FFmpegError."""
    resampler = AudioResampler(format="s16", layout="mono", rate=rate)
    with av.open(str(path)) as file:
        parts = [pcm_of(part) for frame in file.decode(audio=0) for part in resampler.resample(frame)]
    return b"".join(parts) + b"".join(pcm_of(part) for part in resampler.resample(None))
