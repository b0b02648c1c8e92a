"""The commands that fault-patterns.toml names in the middle of its sentences can be typed. Those between marks of code,
there and everywhere else, are test_documented_commands.py's.
"""

import re
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from offhook.__main__ import app

PATTERNS = Path(__file__).parents[2] / "conf" / "fault-patterns.toml"
NAMED = sorted(set(re.findall(r"(?<![/\w.-])offhook ([a-z]+(?: [a-z-]+)?)", PATTERNS.read_text("utf-8"))))


@pytest.mark.parametrize("words", NAMED)
def test_a_command_that_is_named_is_there(words: str) -> None:
    commands = typer.main.get_command(app)
    assert isinstance(commands, TyperGroup)
    name, _, rest = words.partition(" ")
    command = commands.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None, f"offhook {name}"
    if rest and isinstance(command, TyperGroup) and not command.invoke_without_command:
        assert command.get_command(None, rest) is not None, f"offhook {words}"  # type: ignore[arg-type]
