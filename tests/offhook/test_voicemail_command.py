"""`offhook voicemail`: mailboxes by their files, while nothing runs; what callers wrote does nothing to a terminal."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from media.wav import format_wav, load_wav
from offhook.__main__ import app
from offhook.exit_codes import CommandError
from offhook.supervisor.conf_home import packaged_conf
from voicemail.actions import PinResult
from voicemail.mailbox import LockOutRule, Message, Quota
from voicemail.store import Store

SECOND = bytes(16_000)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    shutil.copytree(packaged_conf(), tmp_path / "conf")
    root = tmp_path / "voicemail"
    root.mkdir()
    return Store(root, house=Quota(50, 3600, 30), lock_out=LockOutRule(5, 30), disk_reserve_bytes=0)


def leave(store: Store, name: str = "Ann") -> Message:
    file = store.begin("alice", Message("", 0, 0, caller="01632960111", name=name), sample_rate=8000)
    file.append(SECOND * 3)
    message = file.commit(samples_max=None)
    assert message is not None
    return message


def run(store: Store, *arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(
        app, ["voicemail", *arguments, "--data", str(store.root.parent)], input=typed, catch_exceptions=True
    )


def refusal(result: Result) -> str:
    assert isinstance(result.exception, CommandError), result.output
    return str(result.exception)


def test_mailboxes_and_their_messages_are_listed(store: Store) -> None:
    assert "no mailboxes yet" in run(store, "list").output
    message = leave(store)
    (row,) = json.loads(run(store, "list", "--json").output)
    assert (row["line"], row["new"], row["old"], row["seconds"]) == ("alice", 1, 0, 3)
    assert message.id in run(store, "list", "alice").output
    assert "no mailbox" in refusal(run(store, "list", "bob"))


def test_a_hostile_name_is_shown_escaped(store: Store) -> None:
    leave(store, name="\x1b[2J\u202eevil")
    shown = run(store, "list", "alice").output
    assert "\x1b" not in shown and "\u202e" not in shown
    assert "\\x1b[2J\\u202eevil" in shown


def test_a_message_is_exported_once_and_deleted(store: Store, tmp_path: Path) -> None:
    message = leave(store)
    file = tmp_path / "out.wav"
    assert run(store, "export", "alice", message.id, str(file)).exit_code == 0
    assert load_wav(file, 8000).duration_s == 3.0
    assert "exists" in refusal(run(store, "export", "alice", message.id, str(file)))
    assert "is deleted" in run(store, "delete", "alice", message.id).output
    assert store.messages("alice") == []
    assert "no such message" in refusal(run(store, "delete", "alice", message.id))


@pytest.mark.parametrize("identity", ["../../etc/passwd", "settings", "1790000000000-0000000"])
def test_what_is_no_id_reaches_no_file(store: Store, identity: str) -> None:
    leave(store)
    assert "is no id" in refusal(run(store, "export", "alice", identity, "-"))
    assert "is no name of a line" in refusal(run(store, "pin", "../alice"))


def test_a_pin_is_made_typed_and_removed_and_never_shown_again(store: Store) -> None:
    made = json.loads(run(store, "pin", "alice", "--new", "--json").output)["pin"]
    assert store.check_pin("alice", made) is PinResult.RIGHT
    run(store, "pin", "alice", "--pin-stdin", typed="4711\n")
    assert store.check_pin("alice", "4711") is PinResult.RIGHT
    assert "4711" not in run(store, "pin", "alice").output
    assert "too easy" in refusal(run(store, "pin", "alice", "--pin-stdin", typed="1111\n"))
    assert "4 to 8" in refusal(run(store, "pin", "alice", "--pin-stdin", typed="47\n"))
    run(store, "pin", "alice", "--remove")
    assert store.settings("alice").pin is None


def test_a_locked_mailbox_is_unlocked(store: Store) -> None:
    store.set_pin("alice", "4711")
    for _ in range(5):
        store.check_pin("alice", "0000")
    assert store.check_pin("alice", "4711") is PinResult.LOCKED
    run(store, "pin", "alice", "--unlock")
    assert store.check_pin("alice", "4711") is PinResult.RIGHT


def test_a_greeting_is_taken_from_a_file_that_is_what_it_claims(store: Store, tmp_path: Path) -> None:
    sound = tmp_path / "greeting.wav"
    sound.write_bytes(format_wav(SECOND * 2, 8000))
    assert "its own" in run(store, "greeting", "alice", "--from", str(sound)).output
    assert load_wav(store.greeting_file("alice"), 8000).duration_s == 2.0
    sound.write_bytes(b"MP3")
    assert "is no WAV file" in refusal(run(store, "greeting", "alice", "--from", str(sound)))
    sound.write_bytes(format_wav(SECOND * 61, 8000))
    assert "longest greeting" in refusal(run(store, "greeting", "alice", "--from", str(sound)))
    assert "the standard" in run(store, "greeting", "alice", "--standard").output


def test_mail_goes_to_plain_addresses_only(store: Store) -> None:
    assert "expected an address" in refusal(run(store, "notify", "alice", "--email", "a@b\r\nBcc: c@d"))
    assert "ann@example.co.uk" in run(store, "notify", "alice", "--email", "ann@example.co.uk").output
    assert "switched off" in run(store, "notify", "alice", "--off").output


def test_a_quota_of_its_own_and_the_house_s_again(store: Store) -> None:
    shown = json.loads(run(store, "quota", "alice", "--messages", "3", "--json").output)
    assert (shown["messages"], shown["seconds"]) == (3, 3600)
    shown = json.loads(run(store, "quota", "alice", "--messages", "0", "--json").output)
    assert shown["messages"] == 50
