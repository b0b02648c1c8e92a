"""The calls of an invoice as CSV: for who has too many to read, or wants to add them up."""

import csv
import io
from typing import Final

from billing.invoices.document import Document
from rating.money import MICROS_DIGITS, MICROS_PER_POUND

# A kilobyte of a tagged PDF for each: more would be too large for mail, and nobody reads a hundred pages.
PRINTED_CALLS_MAX: Final = 5_000
HEADS: Final = (
    "line", "when", "number", "destination", "seconds", "from_bundle_seconds", "access_charge", "service_charge",
    "price", "vat", "kind",
)  # fmt: skip
# A cell that begins so is a formula to a spreadsheet.
FORMULA_STARTS: Final = ("=", "-", "@", "\t", "\r")


def count_calls(document: Document) -> int:
    return sum(len(line.calls) for line in document.calls)


def calls_csv(document: Document) -> str:
    """A heading and a row for each call; prices in pounds with six decimals, times of London."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADS)
    for line in document.calls:
        for call in line.calls:
            writer.writerow(
                (
                    _cell(line.line),
                    call.at.replace("T", " "),
                    _cell(call.number),
                    _cell(call.destination),
                    call.seconds,
                    call.bundled_s,
                    _pounds(call.access_micros),
                    _pounds(call.service_micros),
                    _pounds(call.charge_micros),
                    document.mode.value,
                    "text" if call.is_text else "call",
                )
            )
    return out.getvalue()


def _cell(text: str) -> str:
    """A number keeps its plus: digits behind it are no formula that does anything."""
    is_number = text[:1] == "+" and text[1:].isascii() and text[1:].isdigit()
    return text if is_number or not text.startswith((*FORMULA_STARTS, "+")) else f"'{text}"


def _pounds(micros: int) -> str:
    pounds, rest = divmod(abs(micros), MICROS_PER_POUND)
    return f"{'-' if micros < 0 else ''}{pounds}.{rest:0{MICROS_DIGITS}d}"
