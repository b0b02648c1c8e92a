"""What changes by date in the operator's files: a table whose keys are days, each value holding from that day on.

    [vat]
    2011-01-04 = 20
"""

from collections.abc import Callable
from typing import TypeVar

from rating.calendar import CalendarProblem, parse_start_ms
from rating.currency import NANOS, parse_nanos
from rating.problem import TextProblem
from rating.vat_rates import HUNDREDTHS, UK_VAT, VatRates
from switch.conf_files import ConfFile, KeyPath
from switch.conf_reader import read_entries
from switch.conf_values import Expected

Value = TypeVar("Value")

VAT_PERCENT_MAX = 100


def read_dated(file: ConfFile, table: object, path: KeyPath, read_value: Callable[[object], Value]) -> dict[int, Value]:
    """UTC milliseconds of each London day's beginning -> the value."""
    entries = read_entries(file, table, path, _read_day, read_value)
    return {parse_start_ms(day): value for day, value in entries.items()}


def read_vat(main: ConfFile) -> VatRates:
    """[vat] of offhook.toml: percentages by day. Without it those that the law has had so far."""
    if "vat" not in main.table:
        return UK_VAT
    return VatRates(read_dated(main, main.table["vat"], ("vat",), _read_percent))


def _read_day(key: str) -> str:
    try:
        parse_start_ms(key)
    except CalendarProblem:
        raise Expected("a day like 2026-01-31") from None
    return key


def _read_percent(value: object) -> int:
    """20 or "17.5" -> hundredths of a percent."""
    expected = Expected(f'a percentage from 0 to {VAT_PERCENT_MAX}, like 20 or "17.5"')
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise expected
    try:
        nanos = parse_nanos(str(value))
    except TextProblem:
        raise expected from None
    hundredths, rest = divmod(nanos * HUNDREDTHS, NANOS)
    if rest or hundredths > VAT_PERCENT_MAX * HUNDREDTHS:
        raise expected
    return hundredths
