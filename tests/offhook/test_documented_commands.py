"""What README, docs/, the comments of conf/ and the program itself tell people to type is there, with its options."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from offhook import __main__ as command

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "offhook",
    "portal",
    "care",
    "billing",
    "voicemail",
    "switch",
    "media",
    "traces",
    "provisioning",
    "rating",
)
QUOTED = re.compile(r"`(?:\.venv/bin/)?offhook (?P<words>[^`]+)`")
COMMENT = re.compile(r"\s#\s.*")
NEXT_COMMAND = re.compile(r"\s*(?:&&|;|\s\|\s)\s*")
COLUMN_OF_EXPLANATION = re.compile(r"\s{2,}.*")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
SUBCOMMAND = re.compile(r"[a-z]+(?:-[a-z]+)*")
COMMENT_BORDER = re.compile(r"\n\s*(?:#+|//)? ?")
CONTINUED = re.compile(r"\\\n\s*")


class Named(msgspec.Struct, frozen=True):
    where: str
    words: str


def pages() -> list[Path]:
    return [
        ROOT / "README.md",
        ROOT / "ARCHITECTURE.md",
        ROOT / "CHANGELOG.md",
        *sorted((ROOT / "docs").glob("*.md")),
    ]


def comments() -> list[Path]:
    conf = [path for path in (ROOT / "conf").rglob("*") if path.suffix in (".toml", ".yml", ".csv", ".txt")]
    units = (ROOT / "systemd").iterdir()
    code = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    texts = [path for package in PACKAGES for path in (ROOT / package).rglob("*.html")]
    return sorted([*conf, *units, *code, *texts])


def named_in(path: Path) -> Iterator[Named]:
    text = path.read_text(encoding="utf-8")
    where = str(path.relative_to(ROOT))
    for found in QUOTED.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        words = COMMENT_BORDER.sub(" ", found["words"])
        if "{" not in words.split(" --")[0]:
            yield Named(f"{where}:{line}", words)
    if path.suffix == ".md":
        for line_text in CONTINUED.sub("", text).split("\n"):
            for words in typed_in(line_text):
                yield Named(where, words)


def typed_in(line: str) -> Iterator[str]:
    if not line.startswith(("    ", "$ ", "offhook ")):
        return
    for part in NEXT_COMMAND.split(COMMENT.sub("", line.strip().removeprefix("$ "))):
        if part.startswith(("offhook ", ".venv/bin/offhook ")):
            yield COLUMN_OF_EXPLANATION.sub("", part.partition("offhook ")[2])


def split(words: str) -> list[str]:
    try:
        return shlex.split(words)
    except ValueError:  # an apostrophe of a sentence
        return words.split()


def problem_of(words: str) -> str | None:
    """What is wrong with a command as it is written, None where it can be typed."""
    found: Any = typer.main.get_command(command.app)
    rest = split(words)
    while hasattr(found, "get_command") and rest and SUBCOMMAND.fullmatch(rest[0]):
        inner = found.get_command(None, rest[0])
        if inner is None:
            return f"there is no {rest[0]}"
        found = inner
        rest = rest[1:]
    known = {name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [name for word in rest for name in OPTION.findall(word) if name not in {*known, "--help"}]
    return f"there is no {unknown[0]}" if unknown else None


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_every_command_that_a_page_names_is_there_with_its_options(path: Path) -> None:
    problems = [
        f"{named.where}: offhook {named.words}: {problem}"
        for named in named_in(path)
        if (problem := problem_of(named.words))
    ]
    assert problems == []


def test_every_command_that_conf_and_the_program_name_is_there_with_its_options() -> None:
    problems = [
        f"{named.where}: offhook {named.words}: {problem}"
        for path in comments()
        for named in named_in(path)
        if (problem := problem_of(named.words))
    ]
    assert problems == []


def test_a_readme_has_many_commands_and_a_wrong_one_is_found() -> None:
    assert len(list(named_in(ROOT / "README.md"))) > 45
    line = "    offhook bans; offhook bans lift ADDRESS   lifts it  # or all"
    assert list(typed_in(line)) == ["bans", "bans lift ADDRESS"]
    assert problem_of("bans list") == "there is no list"
    assert problem_of('account add "Corner Shop" --prepayd') == "there is no --prepayd"
    assert problem_of("line registrations alice --days 30") is None


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_every_file_that_a_page_links_to_is_there(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_target_of_make_that_a_page_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    missing = [
        f"{path.name}: make {name}"
        for path in pages()
        for name in re.findall(
            r"(?:`|^    )make ([a-z][a-z-]*)", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        if name not in targets
    ]
    assert missing == []
