"""`offhook prompt`: a customer's own prompts, taken in, listed, deleted; `offhook voicemail status`."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from media.codecs import PCMA
from media.wav import format_wav
from offhook.__main__ import app
from offhook.commands.sound_status import read_figures, status_facts
from offhook.exit_codes import CommandError, ExitCode
from offhook.supervisor.conf_home import packaged_conf
from tests.postgres import PostgresServer, server
from voicemail.account_prompts import AccountPrompts

SECOND = format_wav(bytes(16_000), 8000)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with server() as made:
        yield made


@pytest.fixture
def offhook(postgres: PostgresServer, tmp_path: Path) -> Iterator["Offhook"]:
    dsn = postgres.new_database()
    umask = os.umask(0o022)
    shutil.copytree(packaged_conf(), tmp_path / "conf")
    yield Offhook(dsn, tmp_path)
    os.umask(umask)
    postgres.drop_database(dsn)


class Offhook:
    def __init__(self, dsn: str, data: Path) -> None:
        self._dsn = dsn
        self.data = data
        self("account", "add", "corner-shop")

    def __call__(self, *arguments: str, typed: bytes = b"") -> Result:
        options = ["--data", str(self.data), "--dsn", self._dsn]
        return CliRunner().invoke(app, [*arguments, *options], input=typed, catch_exceptions=True)

    def refusal(self, *arguments: str, typed: bytes = b"") -> CommandError:
        result = self(*arguments, typed=typed)
        assert isinstance(result.exception, CommandError), result.output
        return result.exception

    def file(self, data: bytes = SECOND) -> str:
        path = self.data / "file.wav"
        path.write_bytes(data)
        return str(path)


def test_a_prompt_is_taken_in_listed_played_and_deleted(offhook: Offhook) -> None:
    assert "no prompts" in offhook("prompt", "list", "corner-shop").output
    done = offhook("prompt", "import", "corner-shop", "welcome", offhook.file())
    assert "1.0 s" in done.output
    (row,) = json.loads(offhook("prompt", "list", "corner-shop", "--json").output)
    own, account, name = row["played_as"].split(".")
    assert (own, name, row["name"]) == ("own", "welcome", "welcome")
    frames = AccountPrompts(offhook.data / "prompts").frames(account, name, PCMA)
    assert frames is not None
    assert len(frames) == 50
    assert "deleted" in offhook("prompt", "delete", "corner-shop", "welcome").output
    assert "has no prompt" in str(offhook.refusal("prompt", "delete", "corner-shop", "welcome"))


def test_what_is_kept_is_the_owners_alone(offhook: Offhook) -> None:
    offhook("prompt", "import", "corner-shop", "welcome", "-", typed=SECOND)
    found = list((offhook.data / "prompts").rglob("*"))
    assert found
    assert all(path.stat().st_mode & 0o077 == 0 for path in found)


def test_what_is_no_recording_or_no_name_is_refused(offhook: Offhook) -> None:
    assert "is no WAV file" in str(
        offhook.refusal("prompt", "import", "corner-shop", "welcome", offhook.file(b"MP3"))
    )
    for name in ("Welcome", "../x", "a.b", "x" * 65):
        assert (
            offhook.refusal("prompt", "import", "corner-shop", name, offhook.file()).code == ExitCode.INVALID
        )
    assert "No such file" in str(offhook.refusal("prompt", "import", "corner-shop", "a", "/nowhere.wav"))
    assert "nobody" in str(offhook.refusal("prompt", "list", "nobody"))
    assert not (offhook.data / "prompts").exists()


PAGE = """
# TYPE offhook_voicemail_calls_live gauge
offhook_voicemail_calls_live 3.0
# TYPE offhook_voicemail_calls_live_by_kind gauge
offhook_voicemail_calls_live_by_kind{kind="queue"} 1.0
offhook_voicemail_calls_live_by_kind{kind="conference"} 2.0
# TYPE offhook_voicemail_conferences_live gauge
offhook_voicemail_conferences_live 1.0
# TYPE offhook_voicemail_limits gauge
offhook_voicemail_limits{what="calls"} 100.0
offhook_voicemail_limits{what="conferences"} 10.0
# TYPE offhook_voicemail_bugs counter
offhook_voicemail_bugs_total 0.0
"""


def test_the_status_is_read_from_the_metrics() -> None:
    assert list(status_facts(read_figures(PAGE))) == [
        ("calls", "3 of 100"),
        ("  conference", "2"),
        ("  queue", "1"),
        ("conferences", "1 of 10"),
        ("calls that a bug ended", "0"),
    ]


def test_without_a_server_the_status_says_so(tmp_path: Path) -> None:
    conf = Path(shutil.copytree(packaged_conf(), tmp_path / "conf"))
    main = conf / "offhook.toml"
    main.write_text(main.read_text().replace('metrics = "127.0.0.1:9465"', 'metrics = "127.0.0.1:9"'))
    result = CliRunner().invoke(app, ["voicemail", "status", "--data", str(tmp_path)])
    assert isinstance(result.exception, CommandError)
    assert result.exception.code == ExitCode.UNREACHABLE
