"""A message on its way to the disk, and what a crash left of one (store.py has the files and their order). Blocks."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

import msgspec

from media.codecs import BYTES_PER_SAMPLE
from media.wav import HEADER_BYTES, wav_header
from voicemail.files import read_json, sync_folder, write_whole
from voicemail.mailbox import Message

if TYPE_CHECKING:
    from voicemail.store import Store

_ID: Final = re.compile(r"[0-9]{13}-[0-9a-f]{8}")


def is_message_id(identity: str) -> bool:
    return _ID.fullmatch(identity) is not None


def _nothing(message: Message) -> None:
    """Is done before most messages exist."""


class RecordingFile:
    """Sound on its way to the disk. One thread at a time."""

    __slots__ = ("_draft", "_file", "_part", "_sample_rate", "_size", "_store", "user")

    def __init__(self, store: Store, user: str, draft: Message | None, part: Path, sample_rate: int) -> None:
        """Raises OSError."""
        self._store = store
        self._draft = draft
        self._part = part
        self._sample_rate = sample_rate
        self._size = 0
        self.user = user
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file: BinaryIO = os.fdopen(descriptor, "r+b", buffering=0)
        self._write(wav_header(0, sample_rate))

    def append(self, samples: bytes) -> None:
        """Raises OSError."""
        self._write(samples)
        self._size += len(samples)

    def commit(
        self, *, samples_max: int | None, before: Callable[[Message], None] = _nothing
    ) -> Message | None:
        """Safe on the disk when it returns; a greeting has no message. Raises OSError, and then nothing is left."""
        try:
            size = self._size if samples_max is None else min(self._size, samples_max * BYTES_PER_SAMPLE)
            os.ftruncate(self._file.fileno(), HEADER_BYTES + size)
            os.pwrite(self._file.fileno(), wav_header(size, self._sample_rate), 0)
            os.fsync(self._file.fileno())
            self._file.close()
            if self._draft is None:
                self._store.finish_greeting(self.user, self._part)
                return None
            duration_ms = size // BYTES_PER_SAMPLE * 1000 // self._sample_rate
            message = msgspec.structs.replace(self._draft, duration_ms=duration_ms)
            return self._store.finish_message(self.user, self._part, message, before=lambda: before(message))
        except OSError:
            self.discard()
            raise

    def discard(self) -> None:
        """Leaves nothing behind, as far as the disk lets it."""
        self._file.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)
            if self._draft is not None:
                for end in ("wav", "draft"):
                    self._part.with_suffix(f".{end}").unlink(missing_ok=True)

    def samples(self) -> bytes:
        """What has been recorded, to be heard before it is kept. Raises OSError."""
        return os.pread(self._file.fileno(), self._size, HEADER_BYTES)

    def _write(self, data: bytes) -> None:
        """Whole: a disk that fills up takes a part of what it is given."""
        view = memoryview(data)
        while view:
            count = self._file.write(view)
            assert count is not None, "a file does not block"
            view = view[count:]


def recover_draft(folder: Path, identity: str, spoken_min_s: float) -> bool:
    """Finish what a crash interrupted, if enough of it is there. Whether a message came of it."""
    draft_file, part, wav = (folder / f"{identity}.{end}" for end in ("draft", "part", "wav"))
    draft = read_json(draft_file, Message)
    sound = wav if wav.exists() else part
    if (folder / f"{identity}.json").exists():  # the crash came after the message was made
        draft_file.unlink()
        return True
    length = None if draft is None else _length_of(sound)
    if draft is None or length is None or length.seconds <= spoken_min_s:
        for path in (part, wav, draft_file):
            path.unlink(missing_ok=True)
        return False
    with sound.open("r+b") as file:
        os.ftruncate(file.fileno(), HEADER_BYTES + length.pcm_bytes)
        os.pwrite(file.fileno(), wav_header(length.pcm_bytes, length.sample_rate), 0)
        os.fsync(file.fileno())
    sound.rename(wav)
    whole = msgspec.structs.replace(draft, duration_ms=int(length.seconds * 1000), is_cut_short=True)
    write_whole(folder / f"{identity}.json", msgspec.json.encode(whole))
    sync_folder(folder)
    draft_file.unlink()
    return True


class _Length(NamedTuple):
    """Of a file of ours, by its size: its head says zero until it is finished."""

    sample_rate: int
    pcm_bytes: int

    @property
    def seconds(self) -> float:
        return self.pcm_bytes / BYTES_PER_SAMPLE / self.sample_rate


def _length_of(path: Path) -> _Length | None:
    """None for what was not begun here. Raises OSError."""
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        return None
    rate = int.from_bytes(head[24:28], "little")
    pcm_bytes = max(size - HEADER_BYTES, 0) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
    is_ours = 8000 <= rate <= 48_000 and (head[4:8], head[40:]) in (
        (wav_header(0, rate)[4:8], bytes(4)),
        (wav_header(pcm_bytes, rate)[4:8], wav_header(pcm_bytes, rate)[40:]),
    )
    return _Length(rate, pcm_bytes) if is_ours else None


def remove_leftover(folder: Path, name: str) -> bool:
    """Sound without its message (a deletion that was interrupted), and files that were being written."""
    identity, _, end = name.partition(".")
    is_orphan = end == "wav" and is_message_id(identity) and not (folder / f"{identity}.json").exists()
    if not is_orphan and end not in ("part", "new", "json.new"):
        return False
    path = folder / name
    if not path.exists():
        return False
    path.unlink()
    return True
