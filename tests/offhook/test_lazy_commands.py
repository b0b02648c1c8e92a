"""A command reads its own modules and no more: what it costs is mostly what it imports."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import offhook.commands
from offhook.__main__ import app
from offhook.lazy_commands import PLACES, LazyCallCommands

HEAVY = ("av", "rich", "structlog", "switch.config", "switch.calls", "media")


@pytest.mark.parametrize("name", PLACES)
def test_every_command_is_there(name: str) -> None:
    shown = CliRunner().invoke(app, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert f" {name} " in shown.output


@pytest.mark.parametrize("name", LazyCallCommands.places)
def test_every_command_of_call_is_there(name: str) -> None:
    shown = CliRunner().invoke(app, ["call", name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert f" call {name} " in shown.output


def test_every_group_of_commands_has_a_place() -> None:
    placed = {place.partition(":")[0] for place in PLACES.values()}
    for file in Path(offhook.commands.__file__).parent.glob("*.py"):
        if "typer.Typer(" in file.read_text("utf-8"):
            assert file.stem in placed


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one() -> None:
    refused = CliRunner().invoke(app, ["acount"])
    assert refused.exit_code == 2
    assert "account" in refused.output


@pytest.mark.parametrize(
    "words",
    [["status"], ["call", "dial", "a", "1"], ["number", "list"], ["account", "list"], ["line", "list"]],
)
def test_what_a_command_does_not_need_it_does_not_read(words: list[str], tmp_path: Path) -> None:
    asked = [*words, "--data", str(tmp_path)]
    program = f"""
import sys
from offhook.__main__ import app
from offhook.exit_codes import CommandError
try:
    app({asked!r})
except (CommandError, SystemExit):
    print(*sys.modules, sep="\\n")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    read = set(done.stdout.split("\n"))
    assert "offhook.output" in read
    assert read.isdisjoint(HEAVY)
