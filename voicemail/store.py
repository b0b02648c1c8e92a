"""Mailboxes on the disk, which are the truth: DATA/voicemail/USER/ with settings.json, ID.json and ID.wav.

A message exists when its ID.json does. It is written like this, so that a crash at any moment leaves whole messages
only, and a message that is said to be safe is:

    ID.draft   who calls, before the first sample          (fsync)
    ID.part    the sound, growing
    ID.wav     ID.part with its length written in          (fsync, rename)
    ID.json    ID.draft with the length                    (fsync, rename, fsync of the directory)

Everything here blocks and belongs into a thread. A lock file in each mailbox (flock) keeps the threads of the process
and the commands of the operator apart; nobody holds it for longer than a few small files take. Nothing is cached: a
command may change a mailbox at any time, also while the process is down.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from media.codecs import BYTES_PER_SAMPLE
from voicemail.actions import Fullness, Opened, PinResult
from voicemail.files import StoreProblem, give_to_owner, read_json, sync_folder, write_whole
from voicemail.mailbox import (
    Counts,
    LockOutRule,
    Message,
    Quota,
    Settings,
    State,
    attempt_begun,
    attempt_succeeded,
    counts_of,
    expired,
    hash_pin,
    in_state,
    is_full,
    is_locked,
    is_pin,
    quota_of,
    seconds_left,
    with_number,
)
from voicemail.recording_file import RecordingFile, is_message_id, recover_draft, remove_leftover

SETTINGS_FILE: Final = "settings.json"
LOCK_FILE: Final = ".lock"
GREETING_FILE: Final = "greeting.wav"
# What the rest of the machine keeps: the journal of the switch may live on the same disk.
DISK_RESERVE_BYTES: Final = 64 * 1024 * 1024
ID_RANDOM_BYTES: Final = 4
SALT_BYTES: Final = 16

# The names that a line may have (provisioning/rules.py): they need no escapes as names of files.
_USER: Final = re.compile(r"[a-z0-9+][a-z0-9._+-]{0,63}")


def is_user(user: str) -> bool:
    return _USER.fullmatch(user) is not None


class Store:
    """All mailboxes below one directory."""

    __slots__ = ("_disk_reserve_bytes", "_house", "_lock_out", "_random_bytes", "now_ms", "root")

    def __init__(
        self,
        root: Path,
        *,
        house: Quota,
        lock_out: LockOutRule,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random_bytes: Callable[[int], bytes] = os.urandom,
        disk_reserve_bytes: int = DISK_RESERVE_BYTES,
    ) -> None:
        self.root = root
        self._house = house
        self._lock_out = lock_out
        self.now_ms = now_ms
        self._random_bytes = random_bytes
        self._disk_reserve_bytes = disk_reserve_bytes

    # Reading

    def users(self) -> list[str]:
        """Everybody who has a mailbox."""
        try:
            return sorted(
                entry.name for entry in os.scandir(self.root) if entry.is_dir() and is_user(entry.name)
            )
        except FileNotFoundError:
            return []

    def has(self, user: str) -> bool:
        return is_user(user) and (self.root / user).is_dir()

    def open(self, user: str, *, seconds_wanted: int = 1) -> Opened:
        """The mailbox of a user, also of one that has never had a message. Raises StoreProblem."""
        with _said(user):
            settings = self.settings(user)
            messages = tuple(self.messages(user))
            quota = quota_of(settings, self._house)
            fullness = Fullness.FULL if is_full(messages, quota) else Fullness.ROOM
            if fullness is Fullness.ROOM and not self._has_disk(seconds_wanted):
                fullness = Fullness.DISK
            return Opened(user, settings, messages, fullness, seconds_left(messages, quota))

    def settings(self, user: str) -> Settings:
        return read_json(self._file(user, SETTINGS_FILE), Settings) or Settings()

    def messages(self, user: str) -> list[Message]:
        """Oldest first. A file that is not ours to read is left alone and left out."""
        folder = self._folder(user)
        found = []
        try:
            names = [entry.name for entry in os.scandir(folder)]
        except FileNotFoundError:
            return []
        for name in names:
            if name.endswith(".json") and is_message_id(name[:-5]):
                message = read_json(folder / name, Message)
                if message is not None:
                    found.append(message)
        return sorted(found, key=lambda message: (message.received_ms, message.id))

    def message(self, user: str, message: str) -> Message | None:
        return read_json(self._file(user, f"{message}.json"), Message) if is_message_id(message) else None

    def counts(self, user: str) -> Counts:
        return counts_of(self.messages(user))

    def sound_file(self, user: str, message: str) -> Path:
        assert is_message_id(message), message
        return self._file(user, f"{message}.wav")

    def greeting_file(self, user: str) -> Path:
        return self._file(user, GREETING_FILE)

    def changed_at_ns(self, user: str) -> int:
        """Changes whenever a message comes, goes or is marked: each of them renames or removes a file."""
        try:
            return self._folder(user).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    # Recording

    def begin(self, user: str, message: Message, *, sample_rate: int) -> RecordingFile:
        """A new message, whose id is given here. Raises OSError."""
        now_ms = self.now_ms()
        identity = f"{now_ms:013d}-{self._random_bytes(ID_RANDOM_BYTES).hex()}"
        draft = msgspec.structs.replace(message, id=identity, received_ms=now_ms)
        folder = self._make_folder(user)
        write_whole(folder / f"{identity}.draft", msgspec.json.encode(draft))
        return RecordingFile(self, user, draft, folder / f"{identity}.part", sample_rate)

    def begin_greeting(self, user: str, *, sample_rate: int) -> RecordingFile:
        """Raises OSError."""
        folder = self._make_folder(user)
        name = f"greeting-{self._random_bytes(ID_RANDOM_BYTES).hex()}.part"
        return RecordingFile(self, user, None, folder / name, sample_rate)

    def finish_message(self, user: str, part: Path, draft: Message, *, before: Callable[[], None]) -> Message:
        """Its sound is whole and on the disk; `before` is done before the message exists. Raises OSError."""
        folder = part.parent
        with self._locked(user):
            before()
            part.rename(folder / f"{draft.id}.wav")
            write_whole(folder / f"{draft.id}.json", msgspec.json.encode(draft))
            sync_folder(folder)
            (folder / f"{draft.id}.draft").unlink(missing_ok=True)
            if draft.called:
                self._change(user, lambda settings: with_number(settings, draft.called))
        return draft

    def finish_greeting(self, user: str, part: Path) -> None:
        """Raises OSError."""
        with self._locked(user):
            part.replace(part.parent / GREETING_FILE)
            self._change(user, lambda settings: msgspec.structs.replace(settings, has_own_greeting=True))
            sync_folder(part.parent)

    # Changing

    def mark(self, user: str, message: str, state: State) -> None:
        with self._locked(user):
            path = self._file(user, f"{message}.json")
            found = read_json(path, Message)
            if found is None:
                return  # deleted by somebody else meanwhile
            marked = in_state(found, state, self.now_ms())
            if marked is not found:
                write_whole(path, msgspec.json.encode(marked))
                sync_folder(path.parent)

    def delete(self, user: str, messages: tuple[str, ...]) -> int:
        """How many there were. First what makes them exist, then the sound."""
        folder = self._folder(user)
        with self._locked(user):
            gone = 0
            for message in messages:
                assert is_message_id(message), message
                path = folder / f"{message}.json"
                gone += path.exists()
                path.unlink(missing_ok=True)
            sync_folder(folder)
            for message in messages:
                (folder / f"{message}.wav").unlink(missing_ok=True)
        return gone

    def delete_expired(self, user: str) -> int:
        quota = quota_of(self.settings(user), self._house)
        old = expired(self.messages(user), quota, self.now_ms())
        return self.delete(user, tuple(message.id for message in old)) if old else 0

    def change(self, user: str, change: Callable[[Settings], Settings]) -> Settings:
        """Read, change, write, alone. Raises OSError, StoreProblem."""
        self._make_folder(user)
        with self._locked(user):
            return self._change(user, change)

    def set_pin(self, user: str, pin: str) -> None:
        hashed = hash_pin(pin, self._random_bytes(SALT_BYTES))
        self.change(
            user,
            lambda settings: msgspec.structs.replace(settings, pin=hashed, wrong_pins=0, locked_until_ms=0),
        )

    def set_notify(self, user: str, *, is_on: bool) -> None:
        self.change(user, lambda settings: msgspec.structs.replace(settings, is_notified=is_on))

    def use_standard_greeting(self, user: str) -> None:
        self.change(user, lambda settings: msgspec.structs.replace(settings, has_own_greeting=False))
        self.greeting_file(user).unlink(missing_ok=True)

    def check_pin(self, user: str, pin: str) -> PinResult:
        """The attempt is on the disk before the PIN is looked at: parallel calls share the attempts."""
        now_ms = self.now_ms()
        is_shut = False

        def begin(settings: Settings) -> Settings:
            nonlocal is_shut
            is_shut = is_locked(settings, now_ms)
            return settings if is_shut else attempt_begun(settings, self._lock_out, now_ms)

        hashed = self.change(user, begin).pin
        if is_shut:
            return PinResult.LOCKED
        if hashed is None or not is_pin(pin, hashed):
            return PinResult.LOCKED if is_locked(self.settings(user), now_ms) else PinResult.WRONG
        self.change(user, attempt_succeeded)
        return PinResult.RIGHT

    # After a crash

    def recover(self, *, spoken_min_s: float) -> tuple[int, int]:
        """Half-written messages: (finished, removed). Only before anything else is done with the store."""
        finished = removed = 0
        for user in self.users():
            folder = self._folder(user)
            with self._locked(user):
                names = {entry.name for entry in os.scandir(folder)}
                for name in sorted(names):
                    if name.endswith(".draft") and is_message_id(name[:-6]):
                        is_finished = recover_draft(folder, name[:-6], spoken_min_s)
                        finished += is_finished
                        removed += not is_finished
                for name in sorted(names):
                    removed += remove_leftover(folder, name)
        return finished, removed

    # What the rest stands on

    def _has_disk(self, seconds: int) -> bool:
        place = self.root if self.root.exists() else self.root.parent
        try:
            free = shutil.disk_usage(place).free
        except OSError:
            return False
        # 16 kHz at the most
        return free - seconds * 16_000 * BYTES_PER_SAMPLE > self._disk_reserve_bytes

    def _change(self, user: str, change: Callable[[Settings], Settings]) -> Settings:
        before = self.settings(user)
        after = change(before)
        if after is not before:
            path = self._file(user, SETTINGS_FILE)
            write_whole(path, msgspec.json.format(msgspec.json.encode(after), indent=2))
            sync_folder(path.parent)
        return after

    def _folder(self, user: str) -> Path:
        if not is_user(user):
            raise StoreProblem("no name of a line")
        return self.root / user

    def _file(self, user: str, name: str) -> Path:
        return self._folder(user) / name

    def _make_folder(self, user: str) -> Path:
        folder = self._folder(user)
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            give_to_owner(folder)
            sync_folder(folder.parent)
        return folder

    @contextlib.contextmanager
    def _locked(self, user: str) -> Iterator[None]:
        path = self._file(user, LOCK_FILE)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            give_to_owner(path)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _said(user: str) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise StoreProblem(f"the mailbox of {user}: {problem.strerror or problem}") from problem
