"""Prompts that accounts have of their own: DATA/prompts/<account id>/<name>.wav, heard as own.<account id>.<name>.

They come in through `AccountPrompts.put`, which reads them with the suspicion of media/wav.py and keeps them as what is
played: mono, 16 bits, 16 kHz. What is played is encoded once for a codec and kept while there is room; a file that has
changed since is read again. Blocks on disks; called from threads and commands.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from media.codecs import Codec, encode_recording, encode_round
from media.prompts.catalogue import Frames
from media.prompts.own_recordings import FILE_BYTES_MAX, SECONDS_MAX
from media.wav import WavProblem, format_wav, load_wav, read_wav
from voicemail.files import give_to_owner, write_whole

FOLDER: Final = "prompts"
# What G.722 and Opus carry.
RATE: Final = 16_000
NAME: Final = re.compile(r"[a-z0-9-]{1,64}")
# An account id is a bigint.
ACCOUNT: Final = re.compile(r"[0-9]{1,19}")
# A business has a menu or two and their out-of-hours words; 100 prompts of a minute are 190 MB on the disk.
PROMPTS_MAX: Final = 100
SECONDS_OF_ACCOUNT_MAX: Final = 1800.0
# Payloads in memory, of all accounts: more than two hours of G.711. What was heard longest ago goes first.
BYTES_HELD_MAX: Final = 64 * 1024 * 1024


class AccountPrompt(NamedTuple):
    name: str
    seconds: float
    file_bytes: int


class AccountPrompts:
    """`root` is DATA/prompts; made when something is put there."""

    __slots__ = ("_frames", "_held", "_lock", "root")

    def __init__(self, root: Path) -> None:
        self.root = root
        self._frames: OrderedDict[tuple[Path, Codec, bool], tuple[int, Frames]] = OrderedDict()
        self._held = 0
        self._lock = Lock()

    @property
    def bytes_held(self) -> int:
        return self._held

    def frames(self, account: str, name: str, codec: Codec, *, loops: bool = False) -> Frames | None:
        """None where there is none, or no more. Raises WavProblem and OSError for one that cannot be read."""
        if not ACCOUNT.fullmatch(account) or not NAME.fullmatch(name):
            return None
        path = self._file(account, name)
        try:
            changed_at = path.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        key = (path, codec, loops)
        with self._lock:
            kept = self._frames.get(key)
            if kept is not None and kept[0] == changed_at:
                self._frames.move_to_end(key)
                return kept[1]
        pcm = load_wav(path, codec.sample_rate, bytes_max=FILE_BYTES_MAX).pcm
        frames = tuple(encode_round(codec, pcm) if loops else encode_recording(codec, pcm))
        self._keep(key, changed_at, frames)
        return frames

    def _keep(self, key: tuple[Path, Codec, bool], changed_at: int, frames: Frames) -> None:
        with self._lock:
            _, before = self._frames.pop(key, (0, ()))
            self._frames[key] = (changed_at, frames)
            self._held += _bytes_of(frames) - _bytes_of(before)
            while self._held > BYTES_HELD_MAX and len(self._frames) > 1:
                _, (_, oldest) = self._frames.popitem(last=False)
                self._held -= _bytes_of(oldest)

    # For commands

    def prompts(self, account: str) -> list[AccountPrompt]:
        """By name. Raises OSError, WavProblem."""
        folder = self.root / account
        if not folder.is_dir():
            return []
        found = []
        for path in sorted(folder.glob("*.wav")):
            if NAME.fullmatch(path.stem):
                recording = load_wav(path, RATE, bytes_max=FILE_BYTES_MAX)
                found.append(AccountPrompt(path.stem, recording.duration_s, path.stat().st_size))
        return found

    def put(self, account: str, name: str, data: bytes) -> AccountPrompt:
        """A WAV file's bytes under a name, instead of what was there. Raises WavProblem, OSError."""
        assert ACCOUNT.fullmatch(account) and NAME.fullmatch(name)
        recording = read_wav(data, RATE)
        if recording.duration_s > SECONDS_MAX:
            raise WavProblem(f"is {recording.duration_s:.0f} s long; at most {SECONDS_MAX:.0f} are played")
        others = [prompt for prompt in self.prompts(account) if prompt.name != name]
        if len(others) >= PROMPTS_MAX:
            raise WavProblem(f"is one too many: an account has {PROMPTS_MAX} at most")
        if sum(prompt.seconds for prompt in others) + recording.duration_s > SECONDS_OF_ACCOUNT_MAX:
            raise WavProblem(f"is one too many: those of an account may have {SECONDS_OF_ACCOUNT_MAX:.0f} s")
        path = self._file(account, name)
        for folder in (self.root, path.parent):
            if not folder.is_dir():
                folder.mkdir(mode=0o700)
                give_to_owner(folder)
        kept = format_wav(recording.pcm, RATE)
        write_whole(path, kept)
        return AccountPrompt(name, recording.duration_s, len(kept))

    def delete(self, account: str, name: str) -> bool:
        """False: there was none."""
        assert ACCOUNT.fullmatch(account) and NAME.fullmatch(name)
        try:
            self._file(account, name).unlink()
        except FileNotFoundError:
            return False
        return True

    def _file(self, account: str, name: str) -> Path:
        return self.root / account / f"{name}.wav"


def _bytes_of(frames: Sequence[bytes]) -> int:
    return sum(map(len, frames))
