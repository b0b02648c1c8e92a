"""What support and the operator are told to type can be typed: commands named in tables of faults, rules and pages."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

import care
from offhook.__main__ import app

ROOT = Path(care.__file__).parents[1]
FILES = (
    *ROOT.glob("conf/*.toml"),
    ROOT / "conf" / "prometheus" / "alerts.yml",
    *ROOT.glob("portal/templates/*.html"),
    *ROOT.glob("docs/*.md"),
)
# In a table of faults or a page they stand in prose; elsewhere between marks of code, or as a line of their own.
_IN_PROSE = re.compile(r"(?<![/\w.-])offhook ([a-z]+(?: [a-z-]+)?)")
_MARKED = re.compile(r"(?:`|^ {4,}(?:\$ )?)offhook ([a-z]+(?: [a-z-]+)?)", re.MULTILINE)
PROSE = {"fault-patterns.toml"}


def named() -> Iterator[tuple[str, str]]:
    for file in FILES:
        pattern = _IN_PROSE if file.name in PROSE else _MARKED
        for words in sorted(set(pattern.findall(file.read_text("utf-8")))):
            yield file.name, words


@pytest.mark.parametrize(("file", "words"), list(named()))
def test_a_command_that_is_named_is_there(file: str, words: str) -> None:
    commands = typer.main.get_command(app)
    assert isinstance(commands, TyperGroup)
    name, _, rest = words.partition(" ")
    command = commands.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None, f"{file}: offhook {name}"
    if rest and isinstance(command, TyperGroup) and not command.invoke_without_command:
        assert command.get_command(None, rest) is not None, f"{file}: offhook {words}"  # type: ignore[arg-type]
