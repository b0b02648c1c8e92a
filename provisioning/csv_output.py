"""CSV that a spreadsheet shows and does not run: RFC 4180, and no cell of text that begins like a formula.

A cell that begins with = + - @ or a control character is taken for a formula or a command by spreadsheets; such a text
gets an apostrophe before it, by which they know a text. Numbers of our own making are numbers and stay as they are.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from rating.money import MICROS_DIGITS, MICROS_PER_POUND

# After blanks, too: spreadsheets strip them.
_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")

class Amount(int):
    """Micros, written as pounds with six decimals: exact, and a number to a spreadsheet."""


Cell = str | int


def safe_cell(value: Cell) -> str:
    """Text that is nobody's formula; a number as it is."""
    if isinstance(value, Amount):
        return _pounds(value)
    if isinstance(value, int):
        return str(value)
    printable = "".join(character if character.isprintable() else " " for character in value)
    return f"'{printable}" if printable.lstrip().startswith(_DANGEROUS) else printable


def csv_text(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """With CRLF between lines, and none at the end."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(heads)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue().removesuffix("\r\n")


def _pounds(micros: int) -> str:
    sign = "-" if micros < 0 else ""
    pounds, rest = divmod(abs(micros), MICROS_PER_POUND)
    return f"{sign}{pounds}.{rest:0{MICROS_DIGITS}d}"
