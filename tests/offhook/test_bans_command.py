"""`offhook bans`: what a stranger wrote is shown, and does nothing to the operator's terminal."""

import json
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from offhook.__main__ import app
from offhook.commands import bans
from offhook.commands.bans import seconds_of
from offhook.exit_codes import CommandError
from offhook.live_view import LISTED_CHARS_MAX

HOSTILE = ["\x1b[2J\x1b[31mroot", "\x9b31m", "[red]bold[/red]", "a\nb", "\u202eevil", "\u2028", "x" * 500, ""]
ROW = {
    "source": "198.51.100.7",
    "line": "\x1b]0;title\x07",
    "reason": "wrong logins",
    "failures": 20,
    "users": HOSTILE,
    "since_ms": 1_790_000_000_000,
    "until_ms": 1_790_000_300_000,
    "times": 2,
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    questions: list[tuple[str, dict[str, Any]]] = []

    def ask(data: object, command: str, **arguments: Any) -> Any:
        questions.append((command, arguments))
        return {"bans": [ROW], "lift_ban": 1, "ban": "198.51.100.7"}[command]

    monkeypatch.setattr(bans, "ask", ask)
    return questions


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["bans", *words])
    assert result.exception is None, result.output
    return result.stdout


@pytest.mark.parametrize("is_terminal", [False, True])
def test_what_a_stranger_wrote_is_escaped(
    asked: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_terminal: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("NO_COLOR", "1")
    app(["bans"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert all(character.isprintable() or character in "\n\x1b" for character in shown)
    for hostile in ("\x1b[2J", "\x1b[31m", "\x1b]0", "\x9b", "\u202e", "\u2028", "a\nb"):
        assert hostile not in shown
    assert "[red]bold[/red]" in shown
    assert "\\x1b[2J" in shown
    assert "x" * (LISTED_CHARS_MAX + 1) not in shown
    assert "198.51.100.7" in shown


def test_json_has_all_of_it_and_moves_no_cursor(asked: object) -> None:
    shown = run("--json")
    assert json.loads(shown) == [ROW]
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_a_ban_is_lifted_by_its_address_or_all_are(asked: list[tuple[str, dict[str, Any]]]) -> None:
    assert "lifted" in run("lift", "198.51.100.7")
    assert "lifted" in run("lift", "--all")
    assert asked == [("lift_ban", {"address": "198.51.100.7"}), ("lift_ban", {"address": ""})]
    for words in (["lift"], ["lift", "198.51.100.7", "--all"]):
        assert isinstance(CliRunner().invoke(app, ["bans", *words]).exception, CommandError)


def test_a_ban_by_hand_has_a_time(asked: list[tuple[str, dict[str, Any]]]) -> None:
    assert "198.51.100.7 is banned for 30m." in run("add", "198.51.100.7", "--for", "30m")
    assert asked == [("ban", {"address": "198.51.100.7", "for_s": 1800})]


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("12h", 43_200), ("7d", 604_800)])
def test_a_time_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1w", "1.5h", "-1h", "1 h", "\u0661h", "1" * 50 + "h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="expected a time such as"):
        seconds_of(text)
