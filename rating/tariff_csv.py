"""conf/tariffs/NAME.csv -> rates, or every problem in it: line, column, what was found and expected.

The first line names the columns, in any order: prefix, destination, connect_fee, per_minute (pounds),
initial_s, next_s (seconds), valid_from, valid_until (dates or times of London; blank until is open-ended, a
date until is the last day). Empty lines and lines that begin with # are passed over. Each line stands
alone: a quoted field does not run on into the next, so one lost quote is one problem and not a lost file.
All or nothing: a file with a problem is no tariff.
"""

import collections
import csv
import itertools
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from rating.calendar import parse_end_ms, parse_start_ms
from rating.money import Micros, MoneyProblem, VatMode, format_pounds, parse_pounds
from rating.problem import TextProblem, shorten_found
from rating.rate import (
    DESTINATION_CHARS_MAX,
    EMERGENCY_NUMBERS,
    INTERVAL_S_MAX,
    ON_NET,
    PER_TEXT_EXPECTED,
    PREFIX_EXPECTED,
    PRICE_MICROS_MAX,
    RATES_PER_PREFIX_MAX,
    Rate,
    is_of_events,
    is_rate_prefix,
    overlapping_rates,
)

COLUMNS = (
    "prefix",
    "destination",
    "connect_fee",
    "per_minute",
    "initial_s",
    "next_s",
    "valid_from",
    "valid_until",
)

TARIFF_CHARS_MAX = 64 * 1024 * 1024  # a million rows; more is a wrong file, and would be held in memory twice
TARIFF_ROWS_MAX = 1_000_000  # every prefix in use in the world is fewer than half of that
LINE_CHARS_MAX = 1_000  # ten times the longest honest row
PROBLEMS_MAX = 1_000  # nobody reads more; a file of the wrong kind would otherwise make millions

WHOLE_LINE = ""  # the column of a problem that is not one field's

_INTERVAL = re.compile(r"[1-9][0-9]{0,3}")
_PRICE_EXPECTED = f"pounds from £0.00 to {format_pounds(PRICE_MICROS_MAX)}, at most 6 decimals, such as 0.012"

Value = TypeVar("Value")


class TariffProblem(msgspec.Struct, frozen=True):
    """`line` counts from 1, `column` is its name or WHOLE_LINE, `found` is shortened and escaped."""

    line: int
    column: str
    found: str
    expected: str

    def __str__(self) -> str:
        where = f"line {self.line}" + (f", {self.column}" if self.column else "")
        return f"{where}: found {self.found}, expected {self.expected}"


class TariffProblems(Exception):  # noqa: N818 - a list of problems, not one error
    """The tariff file `name` cannot be used; `problems` says all that is wrong with it, line by line."""

    def __init__(self, name: str, problems: list[TariffProblem]) -> None:
        super().__init__(f"tariff {name}: " + "; ".join(str(problem) for problem in problems))
        self.name = name
        self.problems = tuple(problems)


def read_rates(name: str, text: str, vat: VatMode) -> list[Rate]:
    """The rates of a whole file, in its order; `name` is for the message. Raises TariffProblems."""
    reader = _Reader(vat)
    reader.read(text)
    if reader.problems:
        raise TariffProblems(name, sorted(reader.problems, key=lambda problem: problem.line))
    return reader.rates


class _Reader:
    """One pass over one file: rates and the lines they stand on, and problems."""

    def __init__(self, vat: VatMode) -> None:
        self.vat = vat
        self.rates: list[Rate] = []
        self.problems: list[TariffProblem] = []
        self._rate_lines: list[int] = []
        self._columns: list[str] = []

    def read(self, text: str) -> None:
        if len(text) > TARIFF_CHARS_MAX:
            self._add(1, WHOLE_LINE, f"{len(text)} characters", f"at most {TARIFF_CHARS_MAX} in a file")
            return
        for line, fields in self._rows(text):
            if not self._columns:
                if not self._read_header(line, fields):
                    return
                continue
            if len(self.rates) == TARIFF_ROWS_MAX:
                self._add(line, WHOLE_LINE, "one more row", f"at most {TARIFF_ROWS_MAX} rows in a file")
                return
            self._read_row(line, fields)
        if not self._columns:
            self._add(1, WHOLE_LINE, "no header", f"a first line with the columns {','.join(COLUMNS)}")
        elif not self.rates and not self.problems:
            self._add(1, WHOLE_LINE, "no rates", "at least one row under the header")
        self._find_overlaps()

    def _rows(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """The fields of each line that has any, with its number."""
        for line, content in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
            if len(self.problems) >= PROBLEMS_MAX:
                self._add(line, WHOLE_LINE, f"{len(self.problems)} problems", "fewer: the rest was not read")
                return
            row = content.removesuffix("\r")
            if not row.strip(" \t,") or row.startswith("#"):
                continue
            if len(row) > LINE_CHARS_MAX:
                self._add(
                    line, WHOLE_LINE, shorten_found(row), f"at most {LINE_CHARS_MAX} characters in a line"
                )
                continue
            try:
                fields = next(csv.reader([row], strict=True))
            except csv.Error as error:
                self._add(line, WHOLE_LINE, shorten_found(row), f"comma-separated fields ({error})")
                continue
            yield line, [field.strip(" \t") for field in fields]

    def _read_header(self, line: int, fields: list[str]) -> bool:
        known = f"the columns {','.join(COLUMNS)}, each once"
        for column in COLUMNS:
            if fields.count(column) > 1:
                self._add(line, column, f"{fields.count(column)} columns of this name", known)
            elif column not in fields:
                self._add(line, column, "no such column", known)
        for field in fields:
            if field not in COLUMNS:
                self._add(line, WHOLE_LINE, shorten_found(field), known)
        self._columns = fields
        return not self.problems

    def _read_row(self, line: int, fields: list[str]) -> None:
        if len(fields) != len(self._columns):
            self._add(
                line, WHOLE_LINE, f"{len(fields)} fields", f"{len(self._columns)} fields, as in the header"
            )
            return
        row = _Row(line, dict(zip(self._columns, fields, strict=True)))
        prefix = row.read("prefix", _parse_prefix, fallback=ON_NET)
        destination = row.read("destination", _parse_destination, fallback="")
        connect_fee_micros = row.read("connect_fee", _parse_price, fallback=0)
        per_minute_micros = row.read("per_minute", _parse_price, fallback=0)
        initial_s = row.read("initial_s", _parse_interval, fallback=1)
        next_s = row.read("next_s", _parse_interval, fallback=1)
        valid_from_ms = row.read("valid_from", parse_start_ms, fallback=0)
        valid_until_ms = row.read("valid_until", _parse_until, fallback=None)
        if not row.problems and valid_until_ms is not None and valid_until_ms <= valid_from_ms:
            row.add("valid_until", "a time after valid_from, or blank for open-ended")
        if is_of_events(prefix) and per_minute_micros:
            row.add("per_minute", PER_TEXT_EXPECTED)
        if row.problems:
            self.problems += row.problems
            return
        self._rate_lines.append(line)
        self.rates.append(
            Rate(
                prefix=prefix,
                destination=destination,
                connect_fee_micros=connect_fee_micros,
                per_minute_micros=per_minute_micros,
                initial_s=initial_s,
                next_s=next_s,
                valid_from_ms=valid_from_ms,
                valid_until_ms=valid_until_ms,
                vat=self.vat,
            )
        )

    def _find_overlaps(self) -> None:
        room = max(0, PROBLEMS_MAX - len(self.problems))
        for before, after in itertools.islice(overlapping_rates(self.rates), room):
            earlier, later = sorted((self._rate_lines[before], self._rate_lines[after]))
            self._add(
                later,
                "valid_from",
                f"prefix {self.rates[after].prefix} priced twice at one time",
                f"the valid_until of line {earlier} to end before it begins, or the other way round",
            )
        dated = collections.Counter(rate.prefix for rate in self.rates)
        for prefix, count in dated.items():
            if count > RATES_PER_PREFIX_MAX:
                self._add(
                    1, "prefix", f"{count} rates of {prefix}", f"at most {RATES_PER_PREFIX_MAX} of one prefix"
                )

    def _add(self, line: int, column: str, found: str, expected: str) -> None:
        self.problems.append(TariffProblem(line=line, column=column, found=found, expected=expected))


class _Row:
    """The fields of one line by column, and what is wrong with them."""

    __slots__ = ("_fields", "_line", "problems")

    def __init__(self, line: int, fields: dict[str, str]) -> None:
        self._line = line
        self._fields = fields
        self.problems: list[TariffProblem] = []

    def read(self, column: str, parse: Callable[[str], Value], *, fallback: Value) -> Value:
        """The field's value; or its problem is noted, and `fallback` stands in while the rest is read."""
        try:
            return parse(self._fields[column])
        except TextProblem as problem:
            self.add(column, problem.expected)
            return fallback

    def add(self, column: str, expected: str) -> None:
        found = shorten_found(self._fields[column])
        self.problems.append(TariffProblem(line=self._line, column=column, found=found, expected=expected))


def _parse_prefix(text: str) -> str:
    if text in EMERGENCY_NUMBERS:
        raise TextProblem(text, "no price here: emergency calls are always free")
    if not is_rate_prefix(text):
        raise TextProblem(text, PREFIX_EXPECTED)
    return text


def _parse_destination(text: str) -> str:
    if not (1 <= len(text) <= DESTINATION_CHARS_MAX and text.isprintable()):
        raise TextProblem(text, f"a name of 1 to {DESTINATION_CHARS_MAX} printable characters")
    return text


def _parse_price(text: str) -> Micros:
    try:
        micros = parse_pounds(text)
    except MoneyProblem:
        raise TextProblem(text, _PRICE_EXPECTED) from None
    if not 0 <= micros <= PRICE_MICROS_MAX:
        raise TextProblem(text, _PRICE_EXPECTED)
    return micros


def _parse_interval(text: str) -> int:
    if _INTERVAL.fullmatch(text) is None or int(text) > INTERVAL_S_MAX:
        raise TextProblem(text, f"whole seconds from 1 to {INTERVAL_S_MAX}")
    return int(text)


def _parse_until(text: str) -> int | None:
    return parse_end_ms(text) if text else None
