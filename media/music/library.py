"""Music for those who wait: the shipped piece and the operator's own, as the payloads of one round in a codec.

CONF/music/<name>.wav is a piece of its own by that name; hold.wav replaces the shipped one. Each is encoded once for a
codec, and everybody who listens is sent the same bytes. Encoding a minute of music takes as long as encoding sixty
prompts: ask `is_encoded` before a call, and let a thread call `frames`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Final

from av.error import FFmpegError

from media.codecs import BYTES_PER_SAMPLE, FRAMES_PER_SECOND, Codec, encode_round
from media.prompts.catalogue import Frames, load_shipped
from media.prompts.own_recordings import PromptProblem, checked_duration_s
from media.wav import WavProblem, load_wav

FOLDER: Final = "music"
# What is played where no other music is named, or one that is not there.
DEFAULT: Final = "hold"
SHIPPED: Final = Path(__file__).parent
NAME: Final = re.compile(r"[a-z0-9-]{1,64}")
# Who waits longer has heard it all before. As G.711 5 MB.
SECONDS_MAX: Final = 600.0
# Six pieces of that length: 30 MB for each codec that is spoken.
SECONDS_OF_ALL_MAX: Final = 3600.0
FILES_MAX: Final = 1000


class MusicLibrary:
    """`own` is the folder of the operator's music, or None. `problems` are files that are not used, and why."""

    __slots__ = ("_files", "_frames", "_lock", "problems")

    def __init__(self, own: Path | None = None) -> None:
        self.problems: list[PromptProblem] = []
        self._files = {} if own is None else dict(self._find(own))
        self._lock = Lock()
        self._frames: dict[tuple[str, Codec], Frames] = {}

    def names(self) -> set[str]:
        return {DEFAULT, *self._files}

    @property
    def bytes_held(self) -> int:
        return sum(len(payload) for frames in tuple(self._frames.values()) for payload in frames)

    def is_encoded(self, name: str, codec: Codec) -> bool:
        return (self._known(name), codec) in self._frames

    def frames(self, name: str, codec: Codec) -> Frames:
        """One round; of the default where there is none of that name. Never empty."""
        key = (self._known(name), codec)
        frames = self._frames.get(key)
        if frames is not None:
            return frames
        with self._lock:  # who comes meanwhile waits: encoding it twice would take longer for both
            frames = self._frames.get(key)
            if frames is None:
                pcm = whole_frames(self._pcm(key[0], codec.sample_rate), codec)
                frames = self._frames[key] = tuple(encode_round(codec, pcm))
        return frames

    def _known(self, name: str) -> str:
        return name if name in self._files else DEFAULT

    def _find(self, folder: Path) -> Iterator[tuple[str, Path]]:
        seconds = 0.0
        try:
            paths = sorted(folder.iterdir())[:FILES_MAX] if folder.is_dir() else []
        except OSError as problem:
            self.problems.append(PromptProblem(".", f"cannot be read: {problem.strerror or problem}"))
            return
        for path in paths:
            if path.name.startswith("."):
                continue
            try:
                if path.suffix != ".wav" or not NAME.fullmatch(path.stem):
                    raise WavProblem("is not named <name>.wav, with a-z, 0-9 and hyphens")
                seconds += checked_duration_s(path, SECONDS_MAX)
                if seconds > SECONDS_OF_ALL_MAX:
                    raise WavProblem(f"is one too many: all together may have {SECONDS_OF_ALL_MAX:.0f} s")
            except WavProblem as problem:
                self.problems.append(PromptProblem(path.name, str(problem)))
            except OSError as problem:
                self.problems.append(
                    PromptProblem(path.name, f"cannot be read: {problem.strerror or problem}")
                )
            else:
                yield path.stem, path

    def _pcm(self, name: str, rate: int) -> bytes:
        """Whatever happened to a file since it was looked at, something is played."""
        own = self._files.get(name)
        if own is not None:
            try:
                return load_wav(own, rate).pcm
            except (OSError, WavProblem) as problem:
                self.problems.append(PromptProblem(own.name, str(problem)))
        try:
            return load_shipped(SHIPPED / f"{DEFAULT}.flac", rate)
        except (OSError, FFmpegError) as problem:
            self.problems.append(PromptProblem(f"{DEFAULT}.flac", str(problem)))
            return bytes(rate * BYTES_PER_SAMPLE)


def whole_frames(pcm: bytes, codec: Codec) -> bytes:
    """Without the rest behind the last frame, so that a round joins the next; never nothing."""
    size = codec.sample_rate // FRAMES_PER_SECOND * BYTES_PER_SAMPLE
    return pcm[: len(pcm) // size * size] or pcm.ljust(size, b"\0")[:size]
