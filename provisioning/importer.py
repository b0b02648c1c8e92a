"""Many lines at once from a CSV file: read whole, every problem named by line and column, nothing half done.

Columns by name, in any order: user, account, password (blank: one is made), numbers (several with ';'), and
if wanted cli, emergency_number, emergency_address, digest. This file only reads; `line_import`
compares with the books and writes.
"""

import csv
import io
from collections.abc import Callable
from typing import TypeVar

import msgspec

from provisioning import rules
from provisioning.model import DigestPolicy
from provisioning.numbers import parse_number
from provisioning.problems import ImportProblem, InvalidValue

ROWS_MAX = 100_000  # what one switch is built to hold
CELL_CHARS_MAX = 4096  # a cell with a hundred numbers is shorter
NUMBERS_PER_LINE_MAX = 100
PROBLEMS_MAX = 1000  # nobody mends more at a time; without it a wrong separator reports every cell
REQUIRED = ("user", "account", "password", "numbers")
OPTIONAL = ("cli", "emergency_number", "emergency_address", "digest")
NUMBER_SEPARATOR = ";"

Value = TypeVar("Value")


class LineRow(msgspec.Struct, frozen=True):
    """One good row. `line` is its place in the file, the heading being 1. A blank password is None."""

    line: int
    user: str
    account: str
    password: str | None
    numbers: tuple[str, ...]
    cli: str
    emergency_number: str
    emergency_address: str
    digest: DigestPolicy


class LineFile(msgspec.Struct, frozen=True):
    """What a file holds: the rows that are good by themselves, and everything that is not."""

    rows: list[LineRow]
    problems: list[ImportProblem]


def read_line_file(text: str) -> LineFile:
    """Pure: the same text gives the same rows and problems. Repeated users and numbers are problems too."""
    reader = _Reader()
    reader.read(text)
    return LineFile(rows=reader.rows, problems=reader.problems[:PROBLEMS_MAX])


class _Reader:
    """Collects rows and problems while going through the file."""

    __slots__ = ("numbers_seen", "problems", "rows", "users_seen")

    def __init__(self) -> None:
        self.rows: list[LineRow] = []
        self.problems: list[ImportProblem] = []
        self.users_seen: dict[str, int] = {}
        self.numbers_seen: dict[str, int] = {}

    def read(self, text: str) -> None:
        lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="\n"), strict=True)
        columns: list[str] | None = None
        first_line = 1
        try:
            for cells in lines:
                if columns is None:
                    columns = self._columns(cells)
                    if columns is None:
                        return
                elif any(cell.strip() for cell in cells):
                    self._row(first_line, columns, cells)
                first_line = lines.line_num + 1
                if len(self.problems) >= PROBLEMS_MAX or len(self.rows) > ROWS_MAX:
                    break
        except csv.Error as error:
            self._problem(lines.line_num, "row", str(error), "comma-separated values with balanced quotes")
        if columns is None and not self.problems:
            self._problem(1, "heading", "an empty file", f"a heading with the columns {','.join(REQUIRED)}")
        if len(self.rows) > ROWS_MAX:
            self._problem(first_line, "row", f"more than {ROWS_MAX} rows", f"at most {ROWS_MAX} rows a file")

    def _columns(self, cells: list[str]) -> list[str] | None:
        columns = [cell.strip().lower() for cell in cells]
        before = len(self.problems)
        for name in REQUIRED:
            if name not in columns:
                self._problem(1, name, ",".join(columns), f"a heading with the columns {','.join(REQUIRED)}")
        for name in columns:
            if name not in REQUIRED and name not in OPTIONAL:
                self._problem(1, name, name, f"one of {', '.join((*REQUIRED, *OPTIONAL))}")
            elif columns.count(name) > 1:
                self._problem(1, name, ",".join(columns), "each column once")
        return columns if len(self.problems) == before else None

    def _row(self, line: int, columns: list[str], cells: list[str]) -> None:
        if len(cells) != len(columns):
            self._problem(line, "row", f"{len(cells)} cells", f"{len(columns)} cells, as in the heading")
            return
        longest = max(len(cell) for cell in cells)
        if longest > CELL_CHARS_MAX:
            self._problem(
                line, "row", f"a cell of {longest} characters", f"at most {CELL_CHARS_MAX} characters a cell"
            )
            return
        cell = dict(zip(columns, (value.strip(" \t") for value in cells), strict=True))
        before = len(self.problems)
        user = self._checked(line, "user", cell["user"], rules.check_user)
        password = self._password(line, cell["password"], cell["user"])
        row = LineRow(
            line=line,
            user=user or "",
            account=self._checked(line, "account", cell["account"], rules.check_account_name) or "",
            password=password,
            numbers=self._numbers(line, cell["numbers"]),
            cli=self._number_or_none(line, "cli", cell),
            emergency_number=self._number_or_none(line, "emergency_number", cell),
            emergency_address=self._address(line, cell.get("emergency_address", "")),
            digest=self._digest(line, cell.get("digest", "")),
        )
        if user is not None:
            self._refuse_repeat(line, "user", user, self.users_seen)
        if len(self.problems) == before:
            self.rows.append(row)

    def _password(self, line: int, text: str, user: str) -> str | None:
        if not text:
            return None
        return self._checked(
            line, "password", text, lambda password: rules.check_password(password, user=user)
        )

    def _numbers(self, line: int, text: str) -> tuple[str, ...]:
        parts = [part for part in text.split(NUMBER_SEPARATOR) if part.strip()]
        if len(parts) > NUMBERS_PER_LINE_MAX:
            self._problem(line, "numbers", text, f"at most {NUMBERS_PER_LINE_MAX} numbers a line")
            return ()
        numbers = []
        for part in parts:
            number = self._checked(line, "numbers", part, parse_number)
            if number is not None:
                self._refuse_repeat(line, "numbers", number, self.numbers_seen)
                numbers.append(number)
        return tuple(numbers)

    def _number_or_none(self, line: int, column: str, cell: dict[str, str]) -> str:
        text = cell.get(column, "")
        return self._checked(line, column, text, lambda text: rules.check_number_or_none(column, text)) or ""

    def _address(self, line: int, text: str) -> str:
        column = "emergency_address"
        return self._checked(line, column, text, lambda text: rules.check_text(column, text)) or ""

    def _digest(self, line: int, text: str) -> DigestPolicy:
        try:
            return DigestPolicy(text.lower() or DigestPolicy.MD5.value)
        except ValueError:
            self._problem(line, "digest", text, "md5, both, sha256 or nothing")
            return DigestPolicy.MD5

    def _refuse_repeat(self, line: int, column: str, value: str, seen: dict[str, int]) -> None:
        if value in seen:
            self._problem(line, column, value, f"each once, and it stands in line {seen[value]} already")
        else:
            seen[value] = line

    def _checked(self, line: int, column: str, text: str, check: Callable[[str], Value]) -> Value | None:
        try:
            return check(text)
        except InvalidValue as problem:
            self._problem(line, column, problem.found, problem.expected)
            return None

    def _problem(self, line: int, column: str, found: str, expected: str) -> None:
        self.problems.append(ImportProblem(line, column, found, expected))
