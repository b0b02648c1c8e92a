"""Numbers assigned and taken back by the range: "02079460100-02079460199", "020 7946 0100-199", or a single one.

All of a range or nothing of it. A hyphen may also be a separator inside a number, so what reads as one number is one.
"""

from typing import Final

import asyncpg

from provisioning import store
from provisioning.model import Number
from provisioning.numbers import EXPECTED as A_NUMBER
from provisioning.numbers import parse_number
from provisioning.problems import InvalidValue, NumberProblem, Refused, shown
from provisioning.views import NumberView

RANGE_MAX: Final = 10_000  # the largest block that is handed to one customer; more is a slip of the pen
TEXT_CHARS_MAX: Final = 90  # two numbers of 40 and what stands between them
DASHES: Final = "-\u2010\u2011\u2012\u2013\u2014"
EXPECTED: Final = f"{A_NUMBER}, or the first and the last of a range such as 02079460100-02079460199"
SHORT_END_MAX: Final = 6  # "1632960199" is a number that lost its 0, no end of another
_DIGITS: Final = frozenset("0123456789")


def parse_range(text: str) -> list[str]:
    """Every number of the range, E.164, from the first to the last; one for a single number. Raises InvalidValue."""
    if len(text) > TEXT_CHARS_MAX:
        raise InvalidValue("numbers", text, EXPECTED)
    try:
        return [parse_number(text)]
    except NumberProblem:
        first, last = _ends(text)
    count = int(last[1:]) - int(first[1:]) + 1
    if len(first) != len(last) or count < 1:
        raise InvalidValue("numbers", text, "a last number that comes after the first and is as long")
    if count > RANGE_MAX:
        raise InvalidValue("numbers", text, f"at most {RANGE_MAX} numbers at once")
    return [f"+{number}" for number in range(int(first[1:]), int(last[1:]) + 1)]


async def assign_numbers(db: asyncpg.Pool, text: str, user: str) -> list[NumberView]:
    """Let every number of a range ring a line. Those that ring it already stay; one that rings another refuses all."""
    numbers = parse_range(text)
    try:
        async with db.acquire() as connection, connection.transaction():
            await _lock_line(connection, user)
            lines = await store.lines_of_numbers(connection, numbers)
            _refuse_others(lines, user)
            free = [Number(e164=number, line=user) for number in numbers if number not in lines]
            await store.insert_numbers(connection, free)
            return await store.number_views(connection, numbers)
    except asyncpg.UniqueViolationError:
        raise Refused("one of these numbers was assigned to a line at this very moment") from None


async def unassign_numbers(db: asyncpg.Pool, text: str) -> list[NumberView]:
    """Take every number of a range from the one line that they ring; what they were is returned.

    Numbers of the range that are not assigned do not matter. Refused where they ring several lines, or where the line
    shows one of them to an emergency centre or as its CLI: the next owner's address would be sent.
    """
    numbers = parse_range(text)
    async with db.acquire() as connection, connection.transaction():
        lines = await store.lines_of_numbers(connection, numbers)
        if not lines:
            raise Refused(
                f"{numbers[0]} is not assigned"
                if len(numbers) == 1
                else f"none of {numbers[0]} to {numbers[-1]} is assigned"
            )
        user = min(lines.values())
        _refuse_others(lines, user)
        line = await store.find_line(connection, user, is_locked=True)
        assert line is not None, "numbers reference lines"
        for number, role in ((line.emergency_number, "emergency number"), (line.cli, "CLI")):
            if number in lines:
                raise Refused(f"{number} is the {role} of line {shown(user)}: set another one first")
        views = await store.number_views(connection, numbers)
        await store.delete_numbers(connection, numbers)
        return views


async def _lock_line(connection: asyncpg.Connection, user: str) -> None:
    line = await store.find_line(connection, user, is_locked=True) if user.isprintable() else None
    if line is None:
        raise Refused(f"there is no line {shown(user)}")


def _refuse_others(lines: dict[str, str], user: str) -> None:
    others = sorted(number for number, line in lines.items() if line != user)
    if others:
        more = f", and {len(others) - 1} more to others" if len(others) > 1 else ""
        raise Refused(f"{others[0]} is assigned to line {shown(lines[others[0]])}{more}: unassign it first")


def _ends(text: str) -> tuple[str, str]:
    """The first and the last number; the last may be its final digits alone ("020 7946 0100-199")."""
    for place, character in enumerate(text):
        if character not in DASHES:
            continue
        try:
            first = parse_number(text[:place])
        except NumberProblem:
            continue
        rest = text[place + 1 :].strip(" ")
        if _DIGITS.issuperset(rest) and 0 < len(rest) <= SHORT_END_MAX:
            return first, first[: -len(rest)] + rest
        try:
            return first, parse_number(rest)
        except NumberProblem:
            continue
    raise InvalidValue("numbers", text, EXPECTED)
