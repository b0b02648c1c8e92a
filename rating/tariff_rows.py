"""Where a rate stands in its tariff's file, and how its dates read."""

import datetime
import zoneinfo
from typing import Final

from rating.rate import Rate
from rating.tariff import Tariff

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND: Final = datetime.timedelta(milliseconds=1)
_LONDON: Final = "Europe/London"
MIDNIGHT: Final = datetime.time()


class RowLines:
    """The lines of the rates of a file that was read without a problem: each row is one rate, in the file's order."""

    __slots__ = ("_lines", "_name")

    def __init__(self, tariff: Tariff, text: str) -> None:
        self._name = f"{tariff.name}.csv"
        numbers = list(_row_lines(text))[1:]  # the first is the heading
        self._lines = {
            (rate.prefix, rate.valid_from_ms): line for rate, line in zip(tariff.rates, numbers, strict=False)
        }

    def line_of(self, rate: Rate) -> int:
        """0 where it is not of the file itself."""
        return self._lines.get((rate.prefix, rate.valid_from_ms), 0)

    def text_of(self, rate: Rate) -> str:
        line = self.line_of(rate)
        where = f"{self._name} line {line}, " if line else f"{self._name}, "
        return f"{where}{rate.prefix} {rate.destination}"


def _row_lines(text: str) -> list[int]:
    """As tariff_csv.py passes over empty lines and comments."""
    return [
        number
        for number, row in enumerate(text.removeprefix("\ufeff").split("\n"), start=1)
        if row.removesuffix("\r").strip(" \t,") and not row.startswith("#")
    ]


def dates_text(rate: Rate) -> str:
    """ "from 2026-01-01 to 2026-03-31": the last day, as people say it; with a time where it is no midnight."""
    since = clock_text(rate.valid_from_ms, is_date=True)
    if rate.valid_until_ms is None:
        return f"from {since} on"
    until = _london(rate.valid_until_ms)
    if until.time() == MIDNIGHT:
        return f"from {since} to {(until - datetime.timedelta(days=1)).date().isoformat()}"
    return f"from {since} until {clock_text(rate.valid_until_ms)}"


def clock_text(at_ms: int, *, is_date: bool = False) -> str:
    """London's date and time to the second, with its zone, as the clocks change; `is_date` leaves out a midnight."""
    at = _london(at_ms)
    if is_date and at.time() == MIDNIGHT:
        return at.date().isoformat()
    millis = f".{at.microsecond // 1000:03d}" if at.microsecond else ""
    return f"{at:%Y-%m-%d %H:%M:%S}{millis} {at.tzname()}"


def _london(at_ms: int) -> datetime.datetime:
    return (_EPOCH + at_ms * _MILLISECOND).astimezone(zoneinfo.ZoneInfo(_LONDON))
