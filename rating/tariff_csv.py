"""conf/tariffs/NAME.csv -> rates, or every problem in it: line, column, what was found and expected.

The first line names the columns, in any order: prefix, destination, connect_fee, per_minute (pounds),
initial_s, next_s (seconds), valid_from, valid_until (dates or times of London; blank until is open-ended, a
date until is the last day). There may be more, blank where a row has none: included_s, minimum_charge,
call_cap, at_cap, and for each time band per_minute_NAME and connect_fee_NAME (docs/tariffs.md).
All or nothing: a file with a problem is no tariff.
"""

import collections
import itertools
import re

from rating.calendar import parse_end_ms, parse_start_ms
from rating.csv_table import CsvProblem, CsvRow, CsvTable
from rating.money import Micros, MoneyProblem, VatMode, format_pounds, parse_pounds
from rating.price_book import NO_BOOK, PriceBook
from rating.problem import TextProblem
from rating.rate import (
    ACCESS,
    DESTINATION_CHARS_MAX,
    EMERGENCY_NUMBERS,
    GROUP,
    INTERVAL_S_MAX,
    ON_NET,
    PER_TEXT_EXPECTED,
    PREFIX_EXPECTED,
    PRICE_MICROS_MAX,
    RATES_PER_PREFIX_MAX,
    TEXT,
    Rate,
    is_of_events,
    is_rate_prefix,
    least_cap_micros,
    overlapping_rates,
)
from rating.special_terms import BandPrices, Marker, SpecialTerms
from rating.unbundled import NO_SERVICE_CHARGES, RANGES, range_of

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
INCLUDED_S = "included_s"
MINIMUM_CHARGE = "minimum_charge"
CALL_CAP = "call_cap"
AT_CAP = "at_cap"
SPECIAL_COLUMNS = (INCLUDED_S, MINIMUM_CHARGE, CALL_CAP, AT_CAP)
PER_MINUTE_IN = "per_minute_"  # and the name of a time band
CONNECT_FEE_IN = "connect_fee_"

GOES_ON = "free"  # beyond its cap a call goes on for nothing
ENDS = "end"  # or it ends there

TariffProblem = CsvProblem

_INTERVAL = re.compile(r"[1-9][0-9]{0,3}")
_SECONDS = re.compile(r"[0-9]{1,4}")
_PRICE_EXPECTED = f"pounds from £0.00 to {format_pounds(PRICE_MICROS_MAX)}, at most 6 decimals, such as 0.012"
_ONLY_A_MINUTE = "blank or 0: an access charge is a price per minute and nothing else (Ofcom)"


class TariffProblems(Exception):  # noqa: N818 - a list of problems, not one error
    """The tariff file `name` cannot be used; `problems` says all that is wrong with it, line by line."""

    def __init__(self, name: str, problems: list[TariffProblem]) -> None:
        super().__init__(f"tariff {name}: " + "; ".join(str(problem) for problem in problems))
        self.name = name
        self.problems = tuple(problems)


def read_rates(name: str, text: str, vat: VatMode, book: PriceBook = NO_BOOK) -> list[Rate]:
    """The rates of a whole file, in its order; `name` is for the message. Raises TariffProblems."""
    reader = _Reader(vat, book)
    reader.read(text)
    if reader.table.problems:
        raise TariffProblems(name, reader.table.in_order())
    return reader.rates


class _Reader:
    """One pass over one file: rates and the lines they stand on, and problems."""

    def __init__(self, vat: VatMode, book: PriceBook) -> None:
        self.vat = vat
        self.book = book
        self.rates: list[Rate] = []
        self.band_columns = [(PER_MINUTE_IN + name, CONNECT_FEE_IN + name) for name in book.band_names]
        optional = (*SPECIAL_COLUMNS, *itertools.chain.from_iterable(self.band_columns))
        self.table = CsvTable(COLUMNS, optional, what="rates")
        self._is_plain = False
        self._has_bands = False
        self._rate_lines: list[int] = []

    def read(self, text: str) -> None:
        rows = self.table.rows(text)
        for row in rows:
            if not self._rate_lines:
                columns = self.table.columns
                self._is_plain = len(columns) == len(COLUMNS)
                self._has_bands = any(name in columns for pair in self.band_columns for name in pair)
            self._read_row(row)
        self._find_overlaps()

    def _read_row(self, row: CsvRow) -> None:
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
        special = None
        if not self._is_plain:
            special = self._read_special(row, connect_fee_micros, per_minute_micros)
        if prefix.startswith(ACCESS):
            special = self._as_access(row, prefix, connect_fee_micros, special)
        if prefix.startswith(GROUP) and prefix.removeprefix(GROUP) not in self.book.destinations:
            row.add("prefix", "a group of destinations.csv")
        if is_of_events(prefix) and special is not None:
            row.add("prefix", "a number: the columns after valid_until are for calls")
        if row.problems:
            self.table.problems += row.problems
            return
        values = {
            "prefix": prefix,
            "destination": destination,
            "connect_fee_micros": connect_fee_micros,
            "per_minute_micros": per_minute_micros,
            "initial_s": initial_s,
            "next_s": next_s,
            "valid_from_ms": valid_from_ms,
            "valid_until_ms": valid_until_ms,
            "vat": self.vat,
            "group": self._group_of(prefix),
        }
        if special is not None and special.cap is not None:
            least = least_cap_micros(
                Rate(**values, special=_uncapped(special)), special  # type: ignore[arg-type]
            )
            if special.cap < least:
                row.add(CALL_CAP, f"at least {format_pounds(least)}: without it no call could begin")
                self.table.problems += row.problems
                return
        self._rate_lines.append(row.line)
        self.rates.append(Rate(**values, special=special))  # type: ignore[arg-type]

    def _group_of(self, prefix: str) -> str:
        if not self.book.destinations.groups:
            return ""
        if prefix.startswith(GROUP):
            return prefix.removeprefix(GROUP)
        return self.book.destinations.group_of(prefix.removeprefix(TEXT))

    def _read_special(self, row: CsvRow, connect_fee: Micros, per_minute: Micros) -> SpecialTerms | None:
        included_s = row.read_optional(INCLUDED_S, _parse_seconds, blank=0)
        minimum = row.read_optional(MINIMUM_CHARGE, _parse_price, blank=0)
        cap: Micros | None = row.read_optional(CALL_CAP, _parse_price, blank=None)
        ends_at_cap = row.read_optional(AT_CAP, _parse_at_cap, blank=False)
        if cap is None and row.text(AT_CAP):
            row.add(AT_CAP, f"blank where {CALL_CAP} is")
        if included_s and not per_minute and not self._has_bands:
            row.add(INCLUDED_S, "blank where a minute costs nothing")
        banded = self._read_bands(row, connect_fee, per_minute) if self._has_bands else None
        if not (included_s or minimum or cap is not None or banded):
            return None
        return SpecialTerms(
            included_s=included_s, minimum=minimum, cap=cap, ends_at_cap=ends_at_cap, banded=banded
        )

    def _read_bands(self, row: CsvRow, connect_fee: Micros, per_minute: Micros) -> BandPrices | None:
        """None where the row has the same price at all times."""
        assert self.book.bands is not None
        prices, fees = [per_minute], [connect_fee]
        for price_column, fee_column in self.band_columns:
            prices.append(row.read_optional(price_column, _parse_price, blank=per_minute))
            fees.append(row.read_optional(fee_column, _parse_price, blank=connect_fee))
        if len(set(prices)) == 1 and len(set(fees)) == 1:
            return None
        return BandPrices(self.book.bands, tuple(prices), tuple(fees))

    def _as_access(
        self, row: CsvRow, prefix: str, connect_fee: Micros, special: SpecialTerms | None
    ) -> SpecialTerms:
        where = prefix.removeprefix(ACCESS).removeprefix(":")
        if where and not range_of(where):
            row.add("prefix", f"{ACCESS}, or {ACCESS}: and a prefix of {', '.join(RANGES)}")
        if connect_fee:
            row.add("connect_fee", _ONLY_A_MINUTE)
        if special is not None:
            column = next(name for name in self.table.columns if name not in COLUMNS and row.text(name))
            row.add(column, _ONLY_A_MINUTE)
        if self.book.services is NO_SERVICE_CHARGES:
            row.add("prefix", "service-charges.csv and service-numbers.csv, which it is added to")
        return SpecialTerms(marker=Marker.ACCESS)

    def _find_overlaps(self) -> None:
        for before, after in itertools.islice(overlapping_rates(self.rates), self.table.room):
            earlier, later = sorted((self._rate_lines[before], self._rate_lines[after]))
            self.table.add(
                later,
                "valid_from",
                f"prefix {self.rates[after].prefix} priced twice at one time",
                f"the valid_until of line {earlier} to end before it begins, or the other way round",
            )
        dated = collections.Counter(rate.prefix for rate in self.rates)
        for prefix, count in dated.items():
            if count > RATES_PER_PREFIX_MAX:
                self.table.add(
                    1, "prefix", f"{count} rates of {prefix}", f"at most {RATES_PER_PREFIX_MAX} of one prefix"
                )


def _uncapped(special: SpecialTerms) -> SpecialTerms:
    return SpecialTerms(included_s=special.included_s, minimum=special.minimum, banded=special.banded)


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


def _parse_seconds(text: str) -> int:
    if _SECONDS.fullmatch(text) is None or int(text) > INTERVAL_S_MAX:
        raise TextProblem(text, f"whole seconds from 0 to {INTERVAL_S_MAX}")
    return int(text)


def _parse_at_cap(text: str) -> bool:
    if text not in (GOES_ON, ENDS):
        raise TextProblem(text, f"{GOES_ON} (the call goes on for nothing) or {ENDS} (it ends there)")
    return text == ENDS


def _parse_until(text: str) -> int | None:
    return parse_end_ms(text) if text else None
