"""A bank statement as CSV: the lines of money that came in, by the bank's own layout.

Everything wrong in a file is said at once and nothing of it is taken. Money out is left out. A line is recognised again
by all of its cells and by which of equal lines it is: statements may overlap, and two equal payments of a day are two.
"""

import csv
import datetime
import hashlib
import io
import re
from typing import Final

import msgspec

from billing.payments.payment import MICROS_PER_PENNY, PAYMENT_MICROS_MAX
from billing.payments.statement_mapping import StatementMapping
from provisioning.printable import shorten
from provisioning.problems import ImportProblem, ImportProblems
from rating.money import MoneyProblem, parse_pounds

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
LINES_MAX: Final = 100_000  # a busy year of one account
CELL_CHARS_MAX: Final = 10_000
PROBLEMS_MAX: Final = 100
TEXT_CHARS_MAX: Final = 300
_NUMBER: Final = re.compile(r"[1-9][0-9]?")
_AMOUNT: Final = re.compile(r"([+-]?)£?([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,9})(?:\.([0-9]{1,2}))?")


class StatementLine(msgspec.Struct, frozen=True):
    """Money that came in. `line` counts from 1 in the file."""

    line: int
    hash: bytes
    booked_on: datetime.date
    amount_micros: int
    payer: str
    text: str


def read_statement(data: bytes, mapping: StatementMapping) -> list[StatementLine]:
    """In the order of the file. Raises ImportProblems."""
    if len(data) > FILE_BYTES_MAX:
        raise ImportProblems([ImportProblem(0, "file", f"{len(data)} bytes", f"at most {FILE_BYTES_MAX}")])
    encoding = "utf-8-sig" if mapping.encoding == "utf-8" else mapping.encoding
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise ImportProblems(
            [ImportProblem(0, "file", "other bytes", f"text in {mapping.encoding}")]
        ) from None
    rows = _rows(text, mapping)
    problems: list[ImportProblem] = []
    places = _places(rows.pop(0) if mapping.has_headings and rows else (0, []), mapping, problems)
    lines, seen = [], dict[tuple[str, ...], int]()
    for number, cells in rows:
        if problems and len(problems) >= PROBLEMS_MAX:
            break
        if not any(cells):
            continue
        key = tuple(cells)
        seen[key] = seen.get(key, 0) + 1
        found = _line(number, cells, places, mapping, problems)
        if found is not None:
            mark = "\x1f".join((*key, str(seen[key]))).encode("utf-8", "surrogatepass")
            lines.append(msgspec.structs.replace(found, hash=hashlib.sha256(mark).digest()))
    if problems:
        raise ImportProblems(problems)
    return lines


def _rows(text: str, mapping: StatementMapping) -> list[tuple[int, list[str]]]:
    """Rows with the line each ends on; spaces around cells are the bank's."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mapping.delimiter)
    rows = []
    try:
        for cells in reader:
            if reader.line_num > mapping.skip_lines:
                rows.append((reader.line_num, [cell.strip() for cell in cells]))
            if len(rows) > LINES_MAX:
                raise ImportProblems(
                    [ImportProblem(reader.line_num, "file", "more", f"at most {LINES_MAX} lines")]
                )
    except csv.Error:
        raise ImportProblems([ImportProblem(reader.line_num, "line", "a broken line", "CSV")]) from None
    return rows


def _places(
    heading: tuple[int, list[str]], mapping: StatementMapping, problems: list[ImportProblem]
) -> dict[str, int]:
    """Where each named column stands."""
    number, cells = heading
    names = {cell.casefold(): place for place, cell in reversed(list(enumerate(cells)))}
    places = {}
    for wanted in (mapping.date, mapping.amount, mapping.paid_in, mapping.payer, *mapping.texts):
        if not wanted:
            continue
        if mapping.has_headings:
            place = names.get(wanted.casefold())
        else:
            place = int(wanted) - 1 if _NUMBER.fullmatch(wanted) else None
        if place is None:
            problems.append(ImportProblem(number, wanted, ", ".join(cells), f"a column {wanted}"))
        else:
            places[wanted] = place
    return places


def _line(
    number: int,
    cells: list[str],
    places: dict[str, int],
    mapping: StatementMapping,
    problems: list[ImportProblem],
) -> StatementLine | None:
    """None of money that went out, and of what cannot be read."""
    if len(places) < len({each for each in (mapping.date, mapping.amount, mapping.paid_in) if each}):
        return None  # the headings are wrong, and that has been said

    def cell(name: str) -> str:
        place = places.get(name)
        return cells[place] if place is not None and place < len(cells) else ""

    column = mapping.amount or mapping.paid_in
    amount_micros = _amount(cell(column))
    if amount_micros is None:
        problems.append(ImportProblem(number, column, cell(column), "an amount such as 12.00"))
        return None
    if amount_micros <= 0:
        return None
    try:
        booked_on = datetime.datetime.strptime(cell(mapping.date), mapping.date_format).date()  # noqa: DTZ007
    except ValueError:
        problems.append(
            ImportProblem(number, mapping.date, cell(mapping.date), f"a date as {mapping.date_format}")
        )
        return None
    text = " ".join(filter(None, (cell(name) for name in mapping.texts)))
    return StatementLine(
        line=number,
        hash=b"",
        booked_on=booked_on,
        amount_micros=amount_micros,
        payer=shorten(cell(mapping.payer), TEXT_CHARS_MAX),
        text=shorten(text, TEXT_CHARS_MAX),
    )


def _amount(text: str) -> int | None:
    """Micros; 0 of an empty cell (a column of money in is empty where it went out). None of what is no amount."""
    if not text:
        return 0
    match = _AMOUNT.fullmatch(text.replace(" ", ""))
    if match is None:
        return None
    sign, pounds, pence = match.groups()
    try:
        micros = parse_pounds(f"{pounds.replace(',', '')}.{pence or '0'}")
    except MoneyProblem:
        return None
    if micros > PAYMENT_MICROS_MAX or micros % MICROS_PER_PENNY:
        return None
    return -micros if sign == "-" else micros
