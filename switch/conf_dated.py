"""What changes by date in the operator's files: a table whose keys are days, each value holding from that day on.

    [USD]
    2026-01-01 = "0.7421"

And the percentages of VAT, which are billing's.
"""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from rating.calendar import CalendarProblem, parse_start_ms
from rating.currency import NANOS, parse_nanos
from rating.vat_rates import HUNDREDTHS, UK_VAT, VatRates
from switch.conf_files import ConfFile, ConfProblem, KeyPath, open_optional_file
from switch.conf_reader import read_entries
from switch.conf_values import Expected

Value = TypeVar("Value")

BILLING_FILE: Final = "billing.toml"
VAT_PERCENT_MAX: Final = 100


def read_dated(
    file: ConfFile, table: object, path: KeyPath, read_value: Callable[[object], Value]
) -> dict[int, Value]:
    """UTC milliseconds of each London day's beginning -> the value."""
    entries = read_entries(file, table, path, _read_day, read_value)
    return {parse_start_ms(day): value for day, value in entries.items()}


def read_vat(folder: Path, main: ConfFile) -> VatRates:
    """[[vat]] of billing.toml: from which day on which percentage. Billing reads the same (billing/conf.py).

    What is wrong there is billing's to refuse. The switch only compares prices by it, and calls go on without: it
    warns, and takes the standard rates that the law has had so far, as it does where the file has none.
    """
    file = open_optional_file(folder, BILLING_FILE)
    entries = file.table.get("vat", [])
    rates: dict[int, int] = {}
    try:
        for entry in entries:
            since, percent = entry["from"], entry["percent"]
            if not isinstance(since, datetime.date) or isinstance(since, datetime.datetime):
                raise ValueError
            rates[parse_start_ms(since.isoformat())] = _hundredths(percent)
    except (ValueError, KeyError, TypeError, AttributeError):
        expected = "dates and percentages: `offhook bill` commands say what is wrong"
        found = ConfProblem(BILLING_FILE, file.line_of(("vat",)), "vat", "an entry that says none", expected)
        main.warnings.append(found)
        return UK_VAT
    return VatRates(rates) if rates else UK_VAT


def _read_day(key: str) -> str:
    try:
        parse_start_ms(key)
    except CalendarProblem:
        raise Expected("a day like 2026-01-31") from None
    return key


def _hundredths(percent: object) -> int:
    """20 or 17.5 -> hundredths of a percent. Raises ValueError."""
    if isinstance(percent, bool) or not isinstance(percent, int | float | str):
        raise ValueError
    hundredths, rest = divmod(parse_nanos(str(percent)) * HUNDREDTHS, NANOS)
    if rest or hundredths > VAT_PERCENT_MAX * HUNDREDTHS:
        raise ValueError
    return hundredths
