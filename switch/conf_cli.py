"""[cli] of offhook.toml and do-not-originate.txt: which caller's numbers go through, and what becomes of the others.

Ofcom's General Condition C6 and its guidance: a number that is shown must be valid, dialable and the caller's own. The
defaults are what the guidance asks for; where it was not final (mobile numbers from abroad) they are the milder way.
"""

import enum
from pathlib import Path
from typing import Annotated, Final

from msgspec import Struct

from switch.calls.number_plan import E164_DIGITS_MAX, E164_DIGITS_MIN
from switch.conf_files import DO_NOT_ORIGINATE_FILE, ConfFile, ConfProblem, UnreadableFile, read_text, shown
from switch.conf_reader import read_struct
from switch.conf_values import Expected, Reads, list_reader

# The list of Ofcom and UK Finance has some thousands of numbers; this is a quarter of a million.
DO_NOT_ORIGINATE_BYTES_MAX: Final = 4 * 1024 * 1024
# More would be another kind of file; the first ones say so.
LINES_NOTED_MAX: Final = 10


class Action(enum.Enum):
    """What becomes of a call whose number breaks a rule: `strip` takes the number away, `withhold` hides both."""

    PASS = "pass"  # noqa: S105 - no password, but what happens to a call
    WITHHOLD = "withhold"
    STRIP = "strip"
    BLOCK = "block"


class MissingAction(enum.Enum):
    """Of a call without any number, where there is nothing to strip or to withhold."""

    PASS = "pass"  # noqa: S105 - no password, but what happens to a call
    BLOCK = "block"


def _is_e164(text: str) -> bool:
    digits = text[1:]
    is_decimal = digits.isascii() and digits.isdigit() and digits[:1] != "0"
    return text[:1] == "+" and is_decimal and E164_DIGITS_MIN <= len(digits) <= E164_DIGITS_MAX


def _read_optional_number(value: object) -> str:
    if value == "" or (isinstance(value, str) and _is_e164(value)):
        return value
    raise Expected('"" or a number with its country code, like "+448979012345"')


def _read_prefix(value: object) -> str:
    digits = value[1:] if isinstance(value, str) and value[:1] == "+" else ""
    if isinstance(value, str) and digits.isascii() and digits.isdigit():
        if digits[0] == "0" or len(digits) > E164_DIGITS_MAX:
            raise Expected(
                "the beginning of a number: no country code begins with 0, and no number is longer"
            )
        return value
    raise Expected('the beginning of a number with its country code, like "+4484"')


OptionalNumber = Annotated[str, Reads(_read_optional_number)]
Prefixes = Annotated[tuple[str, ...], Reads(list_reader(_read_prefix))]


class CliRules(Struct, frozen=True):
    """[cli]. A key that is an Action is the name of a rule (switch/calls/cli_policy.py).

    `inserted_ranges` are those of networks' stand-ins for a missing network number, `inserted_number` is ours, ""
    for none; they are never shown. `never_presented` are the beginnings of numbers that a line may not choose to
    present.
    `do_not_originate` comes from its own file.
    """

    invalid: Action = Action.BLOCK
    not_in_use: Action = Action.BLOCK
    premium: Action = Action.BLOCK
    do_not_originate: Action = Action.BLOCK
    uk_from_abroad: Action = Action.BLOCK
    intl_447_policy: Action = Action.WITHHOLD
    missing: MissingAction = MissingAction.PASS
    missing_from_abroad: MissingAction = MissingAction.BLOCK
    inserted_number: OptionalNumber = ""
    inserted_ranges: Prefixes = ("+448979",)
    never_presented: Prefixes = ("+447", "+4484", "+4487", "+449")
    listed: frozenset[str] = frozenset()

    def is_stand_in(self, number: str) -> bool:
        """Whether it stands for a network number that is missing: nobody is known, shown or called back by it."""
        return number.startswith(self.inserted_ranges) or number == self.inserted_number != ""


NO_CLI_RULES: Final = CliRules()


def read_cli_rules(main: ConfFile, folder: Path) -> tuple[CliRules, list[ConfProblem]]:
    """[cli] with the list beside it, and what is wrong with the list. Without the file the list is empty."""
    listed, problems = read_do_not_originate(folder)
    rules = read_struct(main, CliRules, main.table.get("cli", {}), ("cli",), listed=listed)
    return rules, problems


def read_do_not_originate(folder: Path) -> tuple[frozenset[str], list[ConfProblem]]:
    """One E.164 number a line; empty lines and what follows a # say nothing."""
    name = DO_NOT_ORIGINATE_FILE
    try:
        text = read_text(folder / name, bytes_max=DO_NOT_ORIGINATE_BYTES_MAX)
    except FileNotFoundError:
        return frozenset(), []
    except UnreadableFile as unreadable:
        return frozenset(), [ConfProblem(name, 0, "", unreadable.found, unreadable.expected)]
    numbers: set[str] = set()
    problems: list[ConfProblem] = []
    for place, line in enumerate(text.split("\n"), 1):
        number = line.partition("#")[0].strip(" \t\r")
        if not number:
            continue
        if _is_e164(number):
            numbers.add(number)
        elif len(problems) < LINES_NOTED_MAX:
            problems.append(ConfProblem(name, place, "", shown(number), "a number like +441632960123"))
    return frozenset(numbers), problems
