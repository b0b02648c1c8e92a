"""conf/fault-patterns.toml: mistakes are named with their lines; an older conf/ without it has the shipped one."""

from pathlib import Path

import pytest

import care
from care.explanation import PATTERNS_FILE, Where, load_patterns
from care.explanation.patterns import fill
from care.explanation.signs import FAMILIES, SIGNS
from switch.conf_files import ConfProblem, ConfProblems

ROOT = Path(care.__file__).parents[1]
GOOD = """
[pattern.door-bell]
title    = "The door"
when_all = ["answered", "outcome:answered"]
when_any = ["charged", "vanished"]
unless   = ["emergency"]
also     = ["slow_to_ring"]
words    = "{charged}. {called} rang."
where    = "customer's use"
checks   = ["Is {caller} at the door?"]
weight   = 3
"""


def problems(tmp_path: Path, text: str) -> list[ConfProblem]:
    (tmp_path / PATTERNS_FILE).write_text(text)
    with pytest.raises(ConfProblems) as found:
        load_patterns(tmp_path)
    return found.value.problems


def test_a_pattern_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / PATTERNS_FILE).write_text(GOOD)
    (pattern,) = load_patterns(tmp_path)
    assert (pattern.name, pattern.title, pattern.where, pattern.weight) == (
        "door-bell",
        "The door",
        Where.USE,
        3,
    )
    assert pattern.when_all == ("answered", "outcome:answered")
    assert pattern.checks == ("Is {caller} at the door?",)


MISTAKES = [
    ('"answered", "outcome', '"answerd", "outcome', 4, 'the unknown sign "answerd"'),
    ("outcome:answered", "outcome:anwsered", 4, 'the unknown sign "outcome:anwsered"'),
    ("outcome:answered", "colour:red", 4, 'the unknown sign "colour:red"'),
    ("{charged}.", "{chargd}.", 8, 'the unknown placeholder "{chargd}"'),
    ("{charged}.", "{slow_to_ring}.", 8, 'the unknown placeholder "{slow_to_ring}"'),  # may not have spoken
    ("{caller}", "{0.__class__}", 10, 'the unknown placeholder "{0.__class__}"'),
    ("customer's use", "the moon", 9, '"the moon"'),
    ("weight   = 3", "weight   = 101", 11, "101"),
    ("unless   ", "unles    ", 6, "an unknown key"),
    ("door-bell", "Door Bell", 2, ""),
]


@pytest.mark.parametrize(("before", "after", "line", "found"), MISTAKES)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, before: str, after: str, line: int, found: str
) -> None:
    text = GOOD.replace(before, after if " " not in after or before != "door-bell" else f'"{after}"', 1)
    first = problems(tmp_path, text)[0]
    assert (first.file, first.line) == (PATTERNS_FILE, line), str(first)
    assert found in first.found


def test_all_mistakes_are_found_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("answered", "answerd").replace("{called}", "{cald}").replace("weight", "wait")
    assert len(problems(tmp_path, text)) >= 4


@pytest.mark.parametrize("key", ["title", "words", "where"])
def test_what_a_pattern_cannot_be_without(tmp_path: Path, key: str) -> None:
    text = "\n".join(line for line in GOOD.split("\n") if not line.startswith(key))
    assert [problem.found for problem in problems(tmp_path, text)] == [f"no {key}"]


def test_a_pattern_that_would_hold_for_every_call_is_refused(tmp_path: Path) -> None:
    text = "\n".join(line for line in GOOD.split("\n") if not line.startswith("when")).replace(
        "{charged}. ", ""
    )
    assert "holds for every call" in problems(tmp_path, text)[0].found


def test_a_folder_without_the_file_falls_back_to_the_shipped_one(tmp_path: Path) -> None:
    assert load_patterns(tmp_path, ROOT / "conf") == load_patterns(ROOT / "conf")
    (tmp_path / PATTERNS_FILE).write_text(GOOD)
    assert [pattern.name for pattern in load_patterns(tmp_path, ROOT / "conf")] == ["door-bell"]


def test_the_file_is_read_anew_each_time(tmp_path: Path) -> None:
    (tmp_path / PATTERNS_FILE).write_text(GOOD)
    load_patterns(tmp_path)
    (tmp_path / PATTERNS_FILE).write_text(GOOD.replace("The door", "The gate"))
    assert load_patterns(tmp_path)[0].title == "The gate"


def test_a_placeholder_is_filled_once_and_begins_a_sentence_with_a_capital() -> None:
    values = {"a": "it is {b}", "b": "never"}
    assert fill("{a}. {a}, {a} {c}", values) == "It is {b}. It is {b}, it is {b} "


def test_every_sign_is_in_the_documentation() -> None:
    page = (ROOT / "docs" / "faults.md").read_text()
    assert [name for name in SIGNS if f"`{name}`" not in page] == []
    assert [name for name in FAMILIES if f"`{name}:" not in page] == []
