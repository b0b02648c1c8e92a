"""conf/fault-patterns.toml: which signs together are which fault, where it lies, and what to ask the customer for.

Read anew for each question, so a change counts at once. Every mistake is found in one run, with its line. Without the
file in conf/ (one from before this release) the shipped one is taken.
"""

import enum
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from care.explanation.phrases import capital
from care.explanation.signs import FAMILIES, SIGNS, problem_of
from switch.conf_files import ConfFile, ConfProblems, open_conf_file
from switch.conf_reader import note_unknown_tables, read_named_tables, read_struct
from switch.conf_values import Expected, Reads

PATTERNS_FILE: Final = "fault-patterns.toml"
# A screen of text at the most; a longer one is documentation.
WORDS_CHARS_MAX: Final = 1000
TITLE_CHARS_MAX: Final = 100
SIGNS_MAX: Final = 50
CHECKS_MAX: Final = 10
# What any pattern may name besides its own signs; explanation.py fills them in.
ALWAYS_KNOWN: Final = frozenset(
    {"evidence", "caller", "called", "called_line", "carrier", "far_end", "talked", "waited", "outcome_words"}
)

_placeholder: Final = re.compile(r"\{([^{}]*)\}")


class Where(enum.Enum):
    """Where a fault lies: what the provider's code of practice asks first. NONE is an answer, and no fault."""

    OUR_NETWORK = "our network"
    ANOTHER_OPERATOR = "another operator"
    EQUIPMENT = "customer's equipment"
    USE = "customer's use"
    NONE = "none"


def _read_text(longest: int) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > longest:
            raise Expected(f"a line of text with at most {longest} characters")
        return value.strip()

    return read


def _read_list(what: str, most: int, longest: int) -> Callable[[object], tuple[str, ...]]:
    read = _read_text(longest)

    def read_all(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise Expected(f"a list of at most {most} {what} in square brackets")
        return tuple(read(each) for each in value)

    return read_all


SignNames = Annotated[tuple[str, ...], Reads(_read_list("signs", SIGNS_MAX, TITLE_CHARS_MAX))]


class Pattern(Struct, frozen=True):
    """One entry. It holds when all of `when_all`, one of `when_any` (if there are any) and none of `unless` speak.

    `also` are signs whose evidence is added where they speak. Of several patterns that hold the heaviest `weight` is
    the likeliest fault. With `fallback` it is asked only where nothing else holds.
    """

    name: str = ""
    title: Annotated[str, Reads(_read_text(TITLE_CHARS_MAX))] = ""
    when_all: SignNames = ()
    when_any: SignNames = ()
    unless: SignNames = ()
    also: SignNames = ()
    words: Annotated[str, Reads(_read_text(WORDS_CHARS_MAX))] = ""
    where: Where = Where.OUR_NETWORK
    checks: Annotated[tuple[str, ...], Reads(_read_list("checks", CHECKS_MAX, WORDS_CHARS_MAX))] = ()
    weight: Annotated[int, Meta(ge=1, le=100)] = 50
    fallback: Annotated[int, Meta(ge=0, le=1)] = 0


_NEEDED: Final = ("title", "words", "where")


def load_patterns(*folders: Path) -> tuple[Pattern, ...]:
    """Of the first folder that has the file. Raises ConfProblems."""
    folder = next((each for each in folders if (each / PATTERNS_FILE).exists()), folders[-1])
    file = open_conf_file(folder, PATTERNS_FILE)
    patterns = read_patterns(file)
    if file.problems:
        raise ConfProblems(file.in_order())
    return patterns


def read_patterns(file: ConfFile) -> tuple[Pattern, ...]:
    """In the order of the file. Problems are noted in it."""
    note_unknown_tables(file, ("pattern",))
    found = []
    for name, table in read_named_tables(file, file.table.get("pattern", {}), ("pattern",)).items():
        path = ("pattern", name)
        for key in _NEEDED:
            if key not in table:
                file.note(path, found=f"no {key}", expected=f"a line {key} = ...")
        pattern = read_struct(file, Pattern, table, path, name=name)
        _check_signs(file, pattern, path)
        _check_placeholders(file, pattern, path)
        found.append(pattern)
    return tuple(found)


def _check_signs(file: ConfFile, pattern: Pattern, path: tuple[str, ...]) -> None:
    for key in ("when_all", "when_any", "unless", "also"):
        for name in getattr(pattern, key):
            problem = problem_of(name)
            if problem:
                file.note((*path, key), found=f'the unknown sign "{name}"', expected=problem)
    if not pattern.when_all and not pattern.when_any:
        file.note(
            path, found="a pattern that holds for every call", expected="signs in when_all or in when_any"
        )


def _check_placeholders(file: ConfFile, pattern: Pattern, path: tuple[str, ...]) -> None:
    own = {base_of(name) for name in (*pattern.when_all, *pattern.when_any)}
    for key, texts in (("title", (pattern.title,)), ("words", (pattern.words,)), ("checks", pattern.checks)):
        for text in texts:
            for name in _placeholder.findall(text):
                if name not in own and name not in ALWAYS_KNOWN:
                    expected = f"one of {', '.join(sorted(ALWAYS_KNOWN))}, or a sign of when_all or when_any"
                    file.note((*path, key), found=f'the unknown placeholder "{{{name}}}"', expected=expected)


def base_of(name: str) -> str:
    """ "outcome" of "outcome:no_credit"; any other sign is itself."""
    return name.partition(":")[0]


def fill(text: str, values: "dict[str, str]") -> str:
    """Placeholders replaced, once: what evidence says is never read as a placeholder again. At the beginning of a
    sentence it gets a capital letter."""

    def value(match: re.Match[str]) -> str:
        found = values.get(match[1], "")
        before = text[: match.start()].rstrip()
        return capital(found) if not before or before[-1] in ".?!" else found

    return _placeholder.sub(value, text)


def signs_listed() -> Sequence[str]:
    """Every sign and family, for the documentation and its test."""
    return (*SIGNS, *(f"{family}:..." for family in FAMILIES))
