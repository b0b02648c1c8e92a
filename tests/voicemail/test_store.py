"""Mailboxes on the disk: whole messages or none, whatever moment a crash or a full disk comes at."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from media.wav import load_wav, parse_wav
from voicemail import recording_file
from voicemail.actions import Fullness, PinResult
from voicemail.files import StoreProblem
from voicemail.front_door import FrontDoor
from voicemail.mailbox import LockOutRule, Message, Quota, Settings, State
from voicemail.store import Store

DRAFT = Message("", 0, 0, caller="01632960111", name="Ann", called="01632960222", reason="no-answer")
SECOND = bytes(range(256)) * 62 + bytes(128)  # 8000 samples


class Clock:
    def __init__(self) -> None:
        self.now_ms = 1_790_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Store:
    return make_store(tmp_path, clock)


def make_store(tmp_path: Path, clock: Clock, *, reserve: int = 0) -> Store:
    root = tmp_path / "voicemail"
    root.mkdir(exist_ok=True)
    rule = LockOutRule(5, 30)
    return Store(root, house=Quota(5, 60, 30), lock_out=rule, now_ms=clock, disk_reserve_bytes=reserve)


def leave(store: Store, user: str = "alice", *, seconds: int = 3) -> Message:
    file = store.begin(user, DRAFT, sample_rate=8000)
    for _ in range(seconds):
        file.append(SECOND)
    message = file.commit(samples_max=None)
    assert message is not None
    return message


def names(store: Store, user: str = "alice") -> set[str]:
    return {path.name for path in (store.root / user).iterdir()} - {".lock", "settings.json"}


def test_a_message_is_a_json_and_a_wav_that_says_how_long_it_is(store: Store) -> None:
    message = leave(store)
    assert names(store) == {f"{message.id}.json", f"{message.id}.wav"}
    assert store.messages("alice") == [message]
    assert (message.duration_ms, message.caller, message.reason) == (3000, "01632960111", "no-answer")
    recording = load_wav(store.sound_file("alice", message.id), 8000)
    assert recording.pcm == SECOND * 3


def test_what_was_cut_off_the_end_is_not_in_the_file(store: Store) -> None:
    file = store.begin("alice", DRAFT, sample_rate=8000)
    file.append(SECOND * 3)
    message = file.commit(samples_max=16_000)
    assert message is not None and message.duration_ms == 2000
    _, samples = parse_wav(store.sound_file("alice", message.id).read_bytes())
    assert samples == SECOND * 2


def test_a_mailbox_that_never_was_is_empty_and_not_an_error(store: Store) -> None:
    opened = store.open("alice")
    assert (opened.messages, opened.settings, opened.fullness) == ((), Settings(), Fullness.ROOM)
    assert store.users() == []


def test_names_that_are_no_line_s_reach_no_file(store: Store) -> None:
    for user in ("", "..", "../alice", "a/b", ".mail", "Alice", "a\0b", "x" * 65):
        with pytest.raises(StoreProblem):
            store.begin(user, DRAFT, sample_rate=8000)
    assert list(store.root.iterdir()) == []


def test_a_mailbox_is_full_by_its_own_quota_or_the_house_s(store: Store) -> None:
    for _ in range(4):
        leave(store, seconds=1)
    assert store.open("alice").fullness is Fullness.ROOM
    leave(store, seconds=1)
    assert store.open("alice").fullness is Fullness.FULL
    store.change("alice", lambda settings: msgspec.structs.replace(settings, messages_max=6))
    assert store.open("alice").fullness is Fullness.ROOM
    assert store.open("alice").seconds_left == 55


def test_a_disk_that_is_nearly_full_takes_no_message(tmp_path: Path, clock: Clock) -> None:
    store = make_store(tmp_path, clock, reserve=1 << 60)
    assert store.open("alice").fullness is Fullness.DISK


def test_a_disk_that_fills_up_leaves_nothing_of_the_message_and_all_of_the_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = leave(store)
    for broken in ("fsync", "ftruncate", "pwrite"):
        file = store.begin("alice", DRAFT, sample_rate=8000)
        file.append(SECOND)

        def refuse(*_: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, broken, refuse)
            with pytest.raises(OSError, match="No space"):
                file.commit(samples_max=None)
        assert store.messages("alice") == [kept], broken
        assert names(store) == {f"{kept.id}.json", f"{kept.id}.wav"}, broken


class Crash(BaseException):
    """The process is gone: nothing after it runs, not even `except OSError`."""


STEPS = ("after begin", "after sound", "before", "rename wav", "json", "json renamed", "after commit")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("seconds", [1, 3])
def test_a_crash_at_any_step_leaves_a_whole_message_or_none(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, step: str, seconds: int
) -> None:
    store = make_store(tmp_path, clock)
    other = leave(store, seconds=2)

    def crash(*_: Any, **__: Any) -> Any:
        raise Crash

    def crash_at_json(path: Path, data: bytes) -> None:
        if path.suffix == ".json" and path.name != "settings.json":
            raise Crash
        write(path, data)

    def crash_at_part(path: Path, target: Path) -> Path:
        if path.suffix == ".part":
            raise Crash
        return rename(path, target)

    rename = Path.rename
    write = recording_file.write_whole
    clock.now_ms += 1000
    try:
        file = store.begin("alice", DRAFT, sample_rate=8000)
        if step != "after begin":
            file.append(SECOND * seconds)
        if step in ("after begin", "after sound"):
            raise Crash
        if step == "rename wav":
            monkeypatch.setattr(Path, "rename", crash_at_part)
        elif step == "json":
            monkeypatch.setattr("voicemail.store.write_whole", crash_at_json)
        elif step == "json renamed":
            monkeypatch.setattr("voicemail.store.sync_folder", crash)
        file.commit(samples_max=None, before=crash if step == "before" else lambda _message: None)
    except Crash:
        file._file.close()
    monkeypatch.undo()
    clock.now_ms += 1000

    again = make_store(tmp_path, clock)
    again.recover(spoken_min_s=2.0)
    messages = again.messages("alice")
    is_long = seconds == 3 and step != "after begin"
    was_made = step in ("json renamed", "after commit")
    assert len(messages) == 1 + (is_long or was_made), step
    assert messages[0] == other
    whole = {f"{message.id}.{end}" for message in messages for end in ("json", "wav")}
    assert names(again) == whole, step
    for message in messages[1:]:
        recording = load_wav(again.sound_file("alice", message.id), 8000)
        assert recording.pcm == SECOND * seconds
        assert message.duration_ms == seconds * 1000
        assert message.is_cut_short is not was_made
    assert again.recover(spoken_min_s=2.0) == (0, 0)


def test_a_deletion_that_was_interrupted_is_finished(store: Store) -> None:
    message = leave(store)
    (store.root / "alice" / f"{message.id}.json").unlink()
    store.recover(spoken_min_s=2.0)
    assert names(store) == set()


def test_deleting_takes_both_files_and_counts_what_was_there(store: Store) -> None:
    one, other = leave(store), leave(store)
    assert store.delete("alice", (one.id, one.id)) == 1
    assert store.messages("alice") == [other]
    assert names(store) == {f"{other.id}.json", f"{other.id}.wav"}


def test_marks_are_kept_and_one_for_a_deleted_message_makes_none(store: Store) -> None:
    message = leave(store)
    store.mark("alice", message.id, State.HEARD)
    assert store.counts("alice") == (0, 1, 0, 0)
    store.delete("alice", (message.id,))
    store.mark("alice", message.id, State.SAVED)
    assert store.messages("alice") == []


def test_messages_go_after_their_days(store: Store, clock: Clock) -> None:
    leave(store)
    clock.now_ms += 31 * 86_400_000
    kept = leave(store)
    assert store.delete_expired("alice") == 1
    assert store.messages("alice") == [kept]


def test_a_message_file_that_is_broken_is_said_to_be_and_is_not_lost(store: Store) -> None:
    message = leave(store)
    (store.root / "alice" / f"{message.id}.json").write_text("{")
    with pytest.raises(StoreProblem, match=message.id):
        store.open("alice")
    store.recover(spoken_min_s=2.0)
    assert names(store) == {f"{message.id}.json", f"{message.id}.wav"}


def test_a_greeting_replaces_the_one_before_in_one_step(store: Store) -> None:
    for sound in (SECOND, SECOND * 2):
        file = store.begin_greeting("alice", sample_rate=8000)
        file.append(sound)
        file.commit(samples_max=None)
        assert load_wav(store.greeting_file("alice"), 8000).pcm == sound
    assert store.settings("alice").has_own_greeting
    store.use_standard_greeting("alice")
    assert not store.settings("alice").has_own_greeting
    assert names(store) == set()


def test_a_pin_locks_after_five_wrong_ones_also_the_right_one(store: Store, clock: Clock) -> None:
    store.set_pin("alice", "4711")
    assert store.check_pin("alice", "4711") is PinResult.RIGHT
    results = [store.check_pin("alice", "0000") for _ in range(5)]
    assert results == [PinResult.WRONG] * 4 + [PinResult.LOCKED]
    assert store.check_pin("alice", "4711") is PinResult.LOCKED
    clock.now_ms += 30 * 60_000
    assert store.check_pin("alice", "4711") is PinResult.RIGHT
    assert store.settings("alice").wrong_pins == 0


def test_parallel_calls_share_the_attempts(store: Store) -> None:
    store.set_pin("alice", "4711")
    results: list[PinResult] = []
    threads = [
        threading.Thread(target=lambda: results.append(store.check_pin("alice", "0000"))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(PinResult.WRONG) <= 4
    assert store.check_pin("alice", "4711") is PinResult.LOCKED


def test_changes_by_many_at_once_are_all_made(store: Store) -> None:
    def change(field: str) -> Callable[[], object]:
        def more(settings: Settings) -> Settings:
            return msgspec.structs.replace(settings, **{field: getattr(settings, field) + 1})

        return lambda: [store.change("alice", more) for _ in range(20)]

    threads = [
        threading.Thread(target=change(field)) for field in ("messages_max", "seconds_max", "days_max") * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settings = store.settings("alice")
    assert (settings.messages_max, settings.seconds_max, settings.days_max) == (40, 40, 40)


def test_from_elsewhere_a_mailbox_is_found_by_the_number_it_was_called_by_last(
    store: Store, clock: Clock
) -> None:
    door = FrontDoor(store, LockOutRule(5, 30))
    leave(store, "alice")
    store.set_pin("alice", "4711")
    result, opened = door.enter("01632960222", "4711")
    assert result is PinResult.RIGHT and opened is not None and opened.user == "alice"
    leave(store, "bob")
    store.set_pin("bob", "8642")
    result, opened = door.enter("+441632960222", "8642")
    assert result is PinResult.RIGHT and opened is not None and opened.user == "bob"


def test_a_number_of_nobody_is_answered_like_a_wrong_pin_and_locked_like_one(
    store: Store, clock: Clock
) -> None:
    door = FrontDoor(store, LockOutRule(5, 30))
    leave(store)
    store.set_pin("alice", "4711")
    for number in ("01632960222", "01632960999"):
        results = [door.enter(number, "0000")[0] for _ in range(6)]
        assert results == [PinResult.WRONG] * 4 + [PinResult.LOCKED] * 2, number
    clock.now_ms += 30 * 60_000
    for number in ("01632960222", "01632960999"):
        assert door.enter(number, "0000")[0] is PinResult.WRONG


def test_a_mailbox_without_a_pin_is_open_to_nobody_from_elsewhere(store: Store) -> None:
    leave(store)
    door = FrontDoor(store, LockOutRule(5, 30))
    assert door.enter("01632960222", "")[0] is PinResult.WRONG
