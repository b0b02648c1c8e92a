"""destinations.csv: named groups of prefixes, such as uk_landline or jersey_mobile.

A row of a tariff may price a whole group (group:uk_landline), and every rate knows the group of the number called:
bundles and bills go by it. A number belongs to the group of its longest prefix and to no other, so that 07624 is the
Isle of Man's although 07 is a UK mobile. Columns: prefix, group.
"""

from collections.abc import Mapping
from typing import Final

from rating.csv_table import CsvProblem, CsvTable
from rating.prefix import PrefixTable
from rating.problem import TextProblem
from rating.rate import (
    EMERGENCY_NUMBERS,
    GROUP_EXPECTED,
    NUMBER_PREFIX_EXPECTED,
    is_group_name,
    is_number_prefix,
)

COLUMNS: Final = ("prefix", "group")

# A line of every UK number block is ten times fewer.
PREFIXES_MAX: Final = 200_000


class Destinations:
    """Which group a number belongs to. Immutable."""

    __slots__ = ("_table", "groups")

    def __init__(self, groups: Mapping[str, str] | None = None) -> None:
        self.groups: Mapping[str, str] = dict(groups or {})
        self._table = PrefixTable(self.groups)

    def __contains__(self, group: str) -> bool:
        return group in self.groups.values()

    def group_of(self, number: str) -> str:
        """The group of a number, or of all numbers that begin with a prefix; "" if none."""
        return self._table.longest(number) or ""


NO_DESTINATIONS: Final = Destinations()


def read_destinations(text: str) -> tuple[Destinations, list[CsvProblem]]:
    """The groups of the lines that are right, and what is wrong with the others."""
    table = CsvTable(COLUMNS, what="prefixes")
    groups: dict[str, str] = {}
    lines: dict[str, int] = {}
    for row in table.rows(text):
        prefix = row.read("prefix", parse_number_prefix, fallback="")
        group = row.read("group", _parse_group, fallback="")
        if prefix in lines:
            row.add("prefix", f"each prefix once; line {lines[prefix]} has it too")
        elif len(groups) == PREFIXES_MAX:
            row.add("prefix", f"at most {PREFIXES_MAX} prefixes")
        if row.problems:
            table.problems += row.problems
            continue
        groups[prefix] = group
        lines[prefix] = row.line
    return Destinations(groups), table.in_order()


def parse_number_prefix(text: str) -> str:
    if text in EMERGENCY_NUMBERS:
        raise TextProblem(text, "no price here: emergency calls are always free")
    if not is_number_prefix(text):
        raise TextProblem(text, NUMBER_PREFIX_EXPECTED)
    return text


def _parse_group(text: str) -> str:
    if not is_group_name(text):
        raise TextProblem(text, GROUP_EXPECTED)
    return text
