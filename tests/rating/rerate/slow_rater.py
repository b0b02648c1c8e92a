"""What a call costs, worked out from the files' texts as one would on paper: exact fractions of a pound, minute by
minute on London's wall clock, every row of the price list tried. Nothing of rating/ is used here."""

import csv
import functools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import ceil
from typing import NamedTuple
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE_MS = 60_000
RANGES = ("+4484", "+4487", "+449", "118")


class Band(NamedTuple):
    """`hours` are (weekday, from minute, until minute), Monday 0; a band without has every moment."""

    name: str
    hours: list[tuple[int, int, int]]


class Calendar(NamedTuple):
    """Bands in order; days that have the hours of another weekday."""

    bands: list[Band]
    holidays: set[date]
    holiday_weekday: int


class Cost(NamedTuple):
    """Whole micros of a pound, each part rounded down."""

    billed_s: int
    connect_fee: int
    usage: int
    access: int
    service: int


class SlowRater:
    def __init__(self, texts: dict[str, str], calendar: Calendar, *, has_vat: bool) -> None:
        """`texts` are the files by name, the tariff's as "tariff"."""
        self.rows = rows_of(texts["tariff"])
        self.groups = rows_of(texts["destinations.csv"])
        self.numbers = rows_of(texts["service-numbers.csv"])
        self.codes = rows_of(texts["service-charges.csv"])
        self.calendar = calendar
        self.has_vat = has_vat

    def cost(self, number: str, at_ms: int, duration_ms: int) -> Cost | None:
        """None: the call is refused, as it has no price."""
        row = self._row(number, at_ms)
        if row is None:
            return None
        if duration_ms == 0:
            return Cost(0, 0, 0, 0, 0)
        talked_s, billed_s, next_s = ceil(Fraction(duration_ms, 1000)), int(row["initial_s"]), int(row["next_s"])
        while billed_s < talked_s:
            billed_s += next_s
        if row["prefix"].startswith("access"):
            return self._unbundled(row, number, at_ms, billed_s)
        fee = self._price(row, "connect_fee", self._band_at(at_ms))
        usage = Fraction(0)
        free_ms = int(row.get("included_s") or 0) * 1000
        for start_ms, ms in minutes_of(at_ms + free_ms, at_ms + billed_s * 1000):
            usage += self._price(row, "per_minute", self._band_at(start_ms)) * Fraction(ms, MINUTE_MS)
        total = Fraction(int((fee + usage) * 10**6), 10**6)
        total = max(total, Fraction(row.get("minimum_charge") or 0))
        if row.get("call_cap") and row["at_cap"] != "end":
            total = min(total, Fraction(row["call_cap"]))
        return Cost(billed_s, micros(fee), micros(total - fee), 0, 0)

    def _row(self, number: str, at_ms: int) -> dict[str, str] | None:
        group, group_chars = "", 0
        for each in self.groups:
            if number.startswith(each["prefix"]) and len(each["prefix"]) > group_chars:
                group, group_chars = each["group"], len(each["prefix"])
        best, best_rank = None, (0, 0)
        for row in self.rows:
            if not is_valid(row, at_ms):
                continue
            rank = self._rank(row["prefix"], number, group, group_chars)
            if rank > best_rank:
                best, best_rank = row, rank
        return best

    @staticmethod
    def _rank(prefix: str, number: str, group: str, group_chars: int) -> tuple[int, int]:
        """Characters of the number that the row is for, then the more particular of two rows; (0, 0): not for it."""
        if prefix.startswith("group:"):
            return (group_chars, 1) if prefix == f"group:{group}" else (0, 0)
        if prefix == "access":
            where = [each for each in RANGES if number.startswith(each)]
            return (len(where[0]), 2) if where else (0, 0)
        if prefix.startswith("access:"):
            where = prefix.split(":")[1]
            return (len(where), 3) if number.startswith(where) else (0, 0)
        return (len(prefix), 4) if number.startswith(prefix) else (0, 0)

    def _unbundled(self, row: dict[str, str], number: str, at_ms: int, billed_s: int) -> Cost | None:
        code = self._code(number, at_ms)
        if code is None:
            return None
        access = Fraction(row["per_minute"]) * billed_s / 60
        after_s = max(0, billed_s - int(code["ppc_covers_s"] or 0))
        pence = Fraction(code["ppc_inc"] or 0) + Fraction(code["ppm_inc"] or 0) * after_s / 60
        if not self.has_vat:
            pence /= 1 + Fraction(code["vat_percent"] or 20) / 100
        return Cost(billed_s, 0, 0, micros(access), micros(pence / 100))

    def _code(self, number: str, at_ms: int) -> dict[str, str] | None:
        """By the longest prefix that has a code with a price at that time."""
        for length in range(len(number), 0, -1):
            named = newest([row for row in self.numbers if row["prefix"] == number[:length]], at_ms)
            if named is not None:
                price = newest([row for row in self.codes if row["sc_code"] == named["sc_code"]], at_ms)
                if price is not None:
                    return price
        return None

    def _price(self, row: dict[str, str], column: str, band: str) -> Fraction:
        return Fraction(row.get(f"{column}_{band}") or row[column])

    def _band_at(self, at_ms: int) -> str:
        shown = (EPOCH + timedelta(milliseconds=at_ms)).astimezone(LONDON)
        weekday, minute = shown.weekday(), shown.hour * 60 + shown.minute
        if shown.date() in self.calendar.holidays:
            weekday = self.calendar.holiday_weekday
        for band in self.calendar.bands:
            if not band.hours or any(
                weekday == day and start <= minute < end for day, start, end in band.hours
            ):
                return band.name
        return ""


def minutes_of(from_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
    """(start, milliseconds) of each minute of the clock, begun and ended ones in part."""
    while from_ms < until_ms:
        end_ms = min(until_ms, from_ms - from_ms % MINUTE_MS + MINUTE_MS)
        yield from_ms, end_ms - from_ms
        from_ms = end_ms


def micros(pounds: Fraction) -> int:
    return int(pounds * 10**6)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(line for line in text.split("\n") if line and not line.startswith("#")))


@functools.cache
def midnight_ms(text: str, *, days: int = 0) -> int:
    day = datetime.combine(date.fromisoformat(text) + timedelta(days=days), datetime.min.time(), LONDON)
    return int(day.timestamp()) * 1000


def is_valid(row: dict[str, str], at_ms: int) -> bool:
    until = row["valid_until"]
    return midnight_ms(row["valid_from"]) <= at_ms and (not until or at_ms < midnight_ms(until, days=1))


def newest(rows: list[dict[str, str]], at_ms: int) -> dict[str, str] | None:
    held = [row for row in rows if midnight_ms(row["eff_from"]) <= at_ms]
    return max(held, key=lambda row: row["eff_from"], default=None)
