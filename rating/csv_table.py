"""A CSV of the operator as rows, or every problem in it: line, column, what was found and expected.

The first line names the columns, in any order. Empty lines and lines that begin with # are passed over. Each line
stands alone: a quoted field does not run on into the next, so one lost quote is one problem and not a lost file.
"""

import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from rating.problem import TextProblem, shorten_found

CSV_CHARS_MAX = 64 * 1024 * 1024  # a million rows; more is a wrong file, and would be held in memory twice
CSV_ROWS_MAX = 1_000_000  # every prefix in use in the world is fewer than half of that
LINE_CHARS_MAX = 1_000  # ten times the longest honest row
PROBLEMS_MAX = 1_000  # nobody reads more; a file of the wrong kind would otherwise make millions

# A column's texts that are remembered with what they mean: dates and intervals are the same on most lines.
KNOWN_TEXTS_MAX = 10_000

WHOLE_LINE = ""  # the column of a problem that is not one field's

Value = TypeVar("Value")


class CsvProblem(msgspec.Struct, frozen=True):
    """`line` counts from 1, `column` is its name or WHOLE_LINE, `found` is shortened and escaped."""

    line: int
    column: str
    found: str
    expected: str

    def __str__(self) -> str:
        where = f"line {self.line}" + (f", {self.column}" if self.column else "")
        return f"{where}: found {self.found}, expected {self.expected}"


class CsvTable:
    """One pass over one file. `columns` must be there, `optional` may; `problems` fills while rows are read."""

    def __init__(self, columns: Sequence[str], optional: Collection[str] = (), *, what: str = "rows") -> None:
        self.problems: list[CsvProblem] = []
        self.columns: list[str] = []
        self._required = tuple(columns)
        self._optional = tuple(optional)
        self._what = what
        self._known: dict[str, dict[str, Any]] = {}

    def rows(self, text: str) -> Iterator["CsvRow"]:
        """The rows that have as many fields as the header; what is wrong with the others is noted."""
        if len(text) > CSV_CHARS_MAX:
            self.add(1, WHOLE_LINE, f"{len(text)} characters", f"at most {CSV_CHARS_MAX} in a file")
            return
        count = 0
        for line, fields in self._lines(text):
            if not self.columns:
                if not self._read_header(line, fields):
                    return
                continue
            if count == CSV_ROWS_MAX:
                self.add(line, WHOLE_LINE, "one more row", f"at most {CSV_ROWS_MAX} rows in a file")
                return
            if len(fields) != len(self.columns):
                found, expected = f"{len(fields)} fields", f"{len(self.columns)} fields, as in the header"
                self.add(line, WHOLE_LINE, found, expected)
                continue
            count += 1
            yield CsvRow(line, dict(zip(self.columns, fields, strict=True)), self._known)
        if not self.columns:
            self.add(1, WHOLE_LINE, "no header", f"a first line with the columns {','.join(self._required)}")
        elif not count and not self.problems:
            self.add(1, WHOLE_LINE, f"no {self._what}", "at least one row under the header")

    def add(self, line: int, column: str, found: str, expected: str) -> None:
        self.problems.append(CsvProblem(line=line, column=column, found=found, expected=expected))

    @property
    def room(self) -> int:
        """For how many problems more there is."""
        return max(0, PROBLEMS_MAX - len(self.problems))

    def in_order(self) -> list[CsvProblem]:
        return sorted(self.problems, key=lambda problem: problem.line)

    def _lines(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """The fields of each line that has any, with its number."""
        for line, content in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
            if len(self.problems) >= PROBLEMS_MAX:
                self.add(line, WHOLE_LINE, f"{len(self.problems)} problems", "fewer: the rest was not read")
                return
            row = content.removesuffix("\r")
            if not row.strip(" \t,") or row.startswith("#"):
                continue
            if len(row) > LINE_CHARS_MAX:
                expected = f"at most {LINE_CHARS_MAX} characters in a line"
                self.add(line, WHOLE_LINE, shorten_found(row), expected)
                continue
            if (
                '"' not in row and "\r" not in row
            ):  # what the csv module would make of it, at a fraction of the time
                yield line, [field.strip(" \t") for field in row.split(",")]
                continue
            try:
                fields = next(csv.reader([row], strict=True))
            except csv.Error as error:
                self.add(line, WHOLE_LINE, shorten_found(row), f"comma-separated fields ({error})")
                continue
            yield line, [field.strip(" \t") for field in fields]

    def _read_header(self, line: int, fields: list[str]) -> bool:
        known = f"the columns {','.join(self._required)}, each once"
        if self._optional:
            known += f", and perhaps {','.join(self._optional)}"
        for column in (*self._required, *self._optional):
            if fields.count(column) > 1:
                self.add(line, column, f"{fields.count(column)} columns of this name", known)
            elif column not in fields and column in self._required:
                self.add(line, column, "no such column", known)
        for field in fields:
            if field not in self._required and field not in self._optional:
                self.add(line, WHOLE_LINE, shorten_found(field), known)
        self.columns = fields
        return not self.problems


class CsvRow:
    """The fields of one line by column, and what is wrong with them."""

    __slots__ = ("_fields", "_known", "line", "problems")

    def __init__(self, line: int, fields: dict[str, str], known: dict[str, dict[str, Any]]) -> None:
        self.line = line
        self._fields = fields
        self._known = known
        self.problems: list[CsvProblem] = []

    def text(self, column: str) -> str:
        """The field as it stands; "" where the file has no such column."""
        return self._fields.get(column, "")

    def read(self, column: str, parse: Callable[[str], Value], *, fallback: Value) -> Value:
        """The field's value; or its problem is noted, and `fallback` stands in while the rest is read.

        A column is always read by the same `parse`.
        """
        text = self._fields[column]
        known = self._known.setdefault(column, {})
        if text in known:
            value: Value = known[text]
            return value
        try:
            value = parse(text)
        except TextProblem as problem:
            self.add(column, problem.expected)
            return fallback
        if len(known) < KNOWN_TEXTS_MAX:
            known[text] = value
        return value

    def read_optional(self, column: str, parse: Callable[[str], Value], *, blank: Value) -> Value:
        """The same of a field that may be blank, or have no column."""
        return self.read(column, parse, fallback=blank) if self._fields.get(column) else blank

    def add(self, column: str, expected: str) -> None:
        found = shorten_found(self._fields.get(column, ""))
        self.problems.append(CsvProblem(line=self.line, column=column, found=found, expected=expected))
