"""A price list as text -> the prices of a deck, or every problem in it: line, column, what was found and expected.

The same reader for a supplier's file, by the layout that its mapping file gives, and for our own (conf/decks/NAME.csv,
whose layout is `house_layout`). Each line stands alone, as in a tariff: one lost quote is one problem. Two prices of
one prefix at one time are a problem, unless they say the same. All or nothing.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from rating.calendar import parse_end_ms, parse_start_ms, start_text
from rating.csv_table import CSV_CHARS_MAX, CSV_ROWS_MAX, LINE_CHARS_MAX, PROBLEMS_MAX, WHOLE_LINE
from rating.currency import format_nanos, parse_nanos
from rating.deck import DeckPrice
from rating.deck_layout import HOUSE_COLUMNS, Column, DateOrder, DeckLayout, PricePer
from rating.problem import TextProblem, shorten_found
from rating.rate import DESTINATION_CHARS_MAX, EMERGENCY_NUMBERS, INTERVAL_S_MAX, RATES_PER_PREFIX_MAX
from rating.tariff_csv import TariffProblem, TariffProblems

DIGITS_MAX: Final = 15
CELL_PREFIXES_MAX: Final = 10_000  # all that four digits can say; a longer range is a slip

_DIGITS = re.compile(r"[0-9]{1,15}")
_INTERVAL = re.compile(r"[1-9][0-9]{0,3}")
_INCREMENTS = re.compile(r"([0-9]{1,4}) ?/ ?([0-9]{1,4})")
_SHORT_CODE = re.compile(r"1[0-9]{2,5}")
_DATE = {
    DateOrder.DAY_FIRST: re.compile(
        r"(?P<day>[0-9]{1,2})[./-](?P<month>[0-9]{1,2})[./-](?P<year>[0-9]{4})(?P<rest>.*)"
    ),
    DateOrder.MONTH_FIRST: re.compile(
        r"(?P<month>[0-9]{1,2})[./-](?P<day>[0-9]{1,2})[./-](?P<year>[0-9]{4})(?P<rest>.*)"
    ),
}
PREFIX_EXPECTED: Final = f"1 to {DIGITS_MAX} digits of an E.164 number, not 0 first, such as 44 or +4420"
INTERVAL_EXPECTED: Final = f"whole seconds from 1 to {INTERVAL_S_MAX}"

Value = TypeVar("Value")


class DeckFile(msgspec.Struct, frozen=True):
    """What a file says. `skipped` are the rows whose price is one of `skip_prices`."""

    prices: list[DeckPrice]
    skipped: int = 0


def read_deck(name: str, text: str, layout: DeckLayout, *, from_ms: int | None = None) -> DeckFile:
    """The prices of a whole file, in its order. Raises TariffProblems.

    `from_ms` is from when rows hold that say no date; None: such a row is a problem.
    """
    reader = _Reader(layout, from_ms)
    reader.read(text)
    if reader.problems:
        raise TariffProblems(
            name, sorted(reader.problems, key=lambda problem: problem.line)[: PROBLEMS_MAX + 1]
        )
    return DeckFile(reader.prices, reader.skipped)


class _Reader:
    """One pass over one file."""

    def __init__(self, layout: DeckLayout, from_ms: int | None) -> None:
        self.layout = layout
        self.prices: list[DeckPrice] = []
        self.problems: list[TariffProblem] = []
        self.skipped = 0
        self._from_ms = from_ms
        self._lines: list[int] = []
        self._places: dict[str, int] = {}  # field of the layout -> which of a line's fields
        self._destination: list[int] = []
        self._fields_min = 0
        self._dates: dict[
            tuple[str, bool], int | None
        ] = {}  # a file has few, and each one costs a look at the clocks
        self._line = 0

    def read(self, text: str) -> None:
        if len(text) > CSV_CHARS_MAX:
            self._add(WHOLE_LINE, f"{len(text)} characters", f"at most {CSV_CHARS_MAX} in a file", line=1)
            return
        layout = self.layout
        is_headed = not layout.header_line
        if is_headed and not self._find_columns(None):
            return
        for fields in self._rows(text):
            if not is_headed:
                is_headed = True
                if not self._find_columns(fields):
                    return
                continue
            if len(self.prices) >= CSV_ROWS_MAX:
                self._add(WHOLE_LINE, "one more row", f"at most {CSV_ROWS_MAX} prices in a file")
                return
            self._read_row(fields)
        if not is_headed:
            self._add(
                WHOLE_LINE, "no header", f"the names of the columns in line {layout.header_line}", line=1
            )
        elif not self.prices and not self.problems:
            self._add(WHOLE_LINE, "no prices", "at least one row with a price", line=1)
        self._find_overlaps()

    def _rows(self, text: str) -> Iterator[list[str]]:
        delimiter, header_line = self.layout.delimiter, self.layout.header_line
        blank = " \t" + delimiter
        for line, content in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
            row = content.removesuffix("\r")
            if not row.strip(blank) or row.startswith("#") or (line < header_line and not self._places):
                continue
            self._line = line
            if len(self.problems) >= PROBLEMS_MAX:
                self._add(WHOLE_LINE, f"{len(self.problems)} problems", "fewer: the rest was not read")
                return
            if len(row) > LINE_CHARS_MAX:
                self._add(WHOLE_LINE, shorten_found(row), f"at most {LINE_CHARS_MAX} characters in a line")
                continue
            if '"' not in row:
                yield row.split(delimiter)
                continue
            try:
                yield next(csv.reader([row], delimiter=delimiter, strict=True))
            except csv.Error as error:
                self._add(WHOLE_LINE, shorten_found(row), f"fields between {delimiter!a} ({error})")

    def _find_columns(self, header: list[str] | None) -> bool:
        names = None if header is None else [name.strip(" \t") for name in header]
        layout = self.layout
        for field in (
            "prefix", "price", "country_code", "connect_fee", "initial_s", "next_s", "increments", "valid_from",
            "valid_until",
        ):  # fmt: skip
            column: Column = getattr(layout, field)
            if column != "" and (place := self._place_of(column, names)) is not None:
                self._places[field] = place
        for column in layout.destination:
            if (place := self._place_of(column, names)) is not None:
                self._destination.append(place)
        self._fields_min = max([*self._places.values(), *self._destination], default=0) + 1
        return not self.problems

    def _place_of(self, column: Column, names: list[str] | None) -> int | None:
        if isinstance(column, int):
            return column - 1
        if names is None:
            self._add(column, "a name of a column, and no header line", "its number, from 1 on", line=1)
            return None
        if names.count(column) == 1:
            return names.index(column)
        found = f"{names.count(column)} columns of this name" if column in names else "no such column"
        shown = ", ".join(shorten_found(name) for name in names[:20])
        self._add(column, found, f"the mapping's columns among {shown}", line=max(1, self._line))
        return None

    def _read_row(self, fields: list[str]) -> None:
        if len(fields) < self._fields_min:
            self._add(
                WHOLE_LINE,
                f"{len(fields)} fields",
                f"{self._fields_min} fields at least, as the mapping says",
            )
            return
        layout, places = self.layout, self._places
        before = len(self.problems)
        price_text = fields[places["price"]].strip(" \t")
        if price_text in layout.skip_prices:
            self.skipped += 1
            return
        prefixes = self._read("prefix", fields, self._prefixes, fields, [""])
        price = self._read("price", fields, self._nanos, price_text, 0)
        connect_nanos = 0
        if "connect_fee" in places and (fee_text := fields[places["connect_fee"]].strip(" \t")):
            connect_nanos = self._read("connect_fee", fields, self._nanos, fee_text, 0)
        initial_s, next_s = self._intervals(fields)
        from_ms = self._date("valid_from", fields, self._from_ms)
        until_ms = self._date("valid_until", fields, None)
        destination = self._destination_of(fields)
        if len(self.problems) > before:
            return
        if from_ms is None:
            self._add(
                str(layout.valid_from or "valid_from"),
                "no date",
                "from when the price holds: a date, or --from",
            )
            return
        if until_ms is not None and until_ms <= from_ms:
            self._add(
                str(layout.valid_until), self._field("valid_until", fields), "a time after the first one"
            )
            return
        per_minute_nanos = self._per_minute(price, next_s)
        for prefix in prefixes:
            self.prices.append(
                DeckPrice(
                    prefix, destination, connect_nanos, per_minute_nanos, initial_s, next_s, from_ms, until_ms
                )
            )
            self._lines.append(self._line)

    def _read(
        self, field: str, fields: Sequence[str], parse: Callable[..., Value], given: object, fallback: Value
    ) -> Value:
        try:
            return parse(given)
        except TextProblem as problem:
            self._add(str(getattr(self.layout, field)), shorten_found(problem.found), problem.expected)
            return fallback

    def _nanos(self, text: str) -> int:
        return parse_nanos(text, decimal=self.layout.decimal)

    def _per_minute(self, nanos: int, next_s: int) -> int:
        """Nanos a minute, up."""
        match self.layout.price_per:
            case PricePer.MINUTE:
                return nanos
            case PricePer.SECOND:
                return nanos * 60
            case PricePer.INTERVAL:
                return -(-nanos * 60 // next_s)

    def _intervals(self, fields: Sequence[str]) -> tuple[int, int]:
        layout = self.layout
        initial_s, next_s = layout.default_initial_s, layout.default_next_s
        if "increments" in self._places and (text := self._field("increments", fields)):
            match = _INCREMENTS.fullmatch(text)
            if match is None:
                self._add(str(layout.increments), shorten_found(text), "both intervals in seconds, like 60/6")
                return 1, 1
            initial_s = self._read("increments", fields, _parse_interval, match[1], 1)
            next_s = self._read("increments", fields, _parse_interval, match[2], 1)
        if "initial_s" in self._places and (text := self._field("initial_s", fields)):
            initial_s = self._read("initial_s", fields, _parse_interval, text, 1)
            if "next_s" not in self._places and "increments" not in self._places:
                next_s = initial_s
        if "next_s" in self._places and (text := self._field("next_s", fields)):
            next_s = self._read("next_s", fields, _parse_interval, text, 1)
            if "initial_s" not in self._places:
                initial_s = next_s
        return initial_s, next_s

    def _date(self, field: str, fields: Sequence[str], fallback: int | None) -> int | None:
        if field not in self._places or not (text := self._field(field, fields)):
            return fallback
        is_end = field == "valid_until"
        if (text, is_end) not in self._dates:
            iso = self._iso(text)
            found = self._read(field, fields, parse_end_ms if is_end else parse_start_ms, iso, None)
            if found is None:
                return fallback
            self._dates[text, is_end] = found
        return self._dates[text, is_end]

    def _iso(self, text: str) -> str:
        pattern = _DATE.get(self.layout.date_order)
        match = None if pattern is None else pattern.fullmatch(text)
        return (
            text
            if match is None
            else f"{match['year']}-{match['month']:0>2}-{match['day']:0>2}{match['rest']}"
        )

    def _destination_of(self, fields: Sequence[str]) -> str:
        text = " ".join(fields[place].strip(" \t") for place in self._destination).strip(" ")
        text = text or self.layout.default_destination
        if not text.isprintable():
            self._add("destination", shorten_found(text), "printable characters")
        return text[:DESTINATION_CHARS_MAX]

    def _prefixes(self, fields: Sequence[str]) -> list[str]:
        """Every prefix of the cell: "+44", "0044", "44", "1-3;5"; a country code of its own column before each."""
        cell = self._field("prefix", fields)
        country = self._digits(self._field("country_code", fields)) if "country_code" in self._places else ""
        if "country_code" in self._places and not country:
            raise TextProblem(cell, "a country code in its own column")
        if not self.layout.plain_is_e164 and not cell.startswith("+"):
            if _SHORT_CODE.fullmatch(cell) is None or cell in EMERGENCY_NUMBERS:
                raise TextProblem(cell, "+ and digits, or a short code of 3 to 6 digits")
            return [cell]
        if country and not cell:
            return [f"+{country}"]
        found: list[str] = []
        for part in re.split(r"[;,]", cell) if ";" in cell or "," in cell else [cell]:
            found += self._range(part.strip(" \t"), cell, country)
        if len(found) > CELL_PREFIXES_MAX:
            raise TextProblem(cell, f"at most {CELL_PREFIXES_MAX} prefixes in a cell")
        return found

    def _range(self, part: str, cell: str, country: str) -> list[str]:
        first_text, dash, last_text = part.partition("-")
        first = self._digits(first_text, is_rest=bool(country))
        if not dash:
            return [self._prefix(country + first, cell)]
        last = self._digits(last_text, is_rest=bool(country))
        if len(first) != len(last) or first > last or not first:
            raise TextProblem(cell, "a range of prefixes of one length, like 20-29")
        size = int(last) - int(first) + 1
        if size > CELL_PREFIXES_MAX:
            raise TextProblem(cell, f"at most {CELL_PREFIXES_MAX} prefixes in a cell")
        return [
            self._prefix(f"{country}{number:0{len(first)}d}", cell)
            for number in range(int(first), int(first) + size)
        ]

    def _digits(self, text: str, *, is_rest: bool = False) -> str:
        """Without what stands before an international number; what follows a country code has nothing before it."""
        digits = text.strip(" \t")
        if not is_rest:
            if digits.startswith("+"):
                digits = digits[1:]
            elif self.layout.international:
                digits = digits.removeprefix(self.layout.international)
        if _DIGITS.fullmatch(digits) is None:
            raise TextProblem(text, PREFIX_EXPECTED)
        return digits

    def _prefix(self, digits: str, cell: str) -> str:
        if digits[0] == "0" or len(digits) > DIGITS_MAX:
            raise TextProblem(cell, PREFIX_EXPECTED)
        return "+" + digits

    def _field(self, field: str, fields: Sequence[str]) -> str:
        return fields[self._places[field]].strip(" \t")

    def _find_overlaps(self) -> None:
        """Two prices at one time; the same said twice is one."""
        by_prefix: dict[str, list[int]] = {}
        for index, price in enumerate(self.prices):
            by_prefix.setdefault(price.prefix, []).append(index)
        if len(by_prefix) == len(self.prices):
            return
        twice: set[int] = set()
        for prefix, indices in by_prefix.items():
            if len(indices) > 1:
                self._find_overlap(indices, twice)
            if len(indices) - len(twice.intersection(indices)) > RATES_PER_PREFIX_MAX:
                self._add(
                    "prefix", f"{len(indices)} prices of {prefix}", f"at most {RATES_PER_PREFIX_MAX}", line=1
                )
            if len(self.problems) >= PROBLEMS_MAX:
                return
        if twice:
            self.prices = [price for index, price in enumerate(self.prices) if index not in twice]

    def _find_overlap(self, indices: list[int], twice: set[int]) -> None:
        prices = self.prices
        indices.sort(key=lambda index: (prices[index].from_ms, index))
        before = indices[0]
        for index in indices[1:]:
            earlier, later = prices[before], prices[index]
            end_ms = earlier.until_ms
            if end_ms is None or end_ms > later.from_ms:
                if earlier.costs_as(later) and (earlier.from_ms, end_ms) == (later.from_ms, later.until_ms):
                    twice.add(index)
                    continue
                lines = sorted((self._lines[before], self._lines[index]))
                self._add(
                    str(self.layout.prefix),
                    f"{later.prefix} priced twice at one time",
                    f"one price at a time; line {lines[0]} has another",
                    line=lines[1],
                )
            before = index

    def _add(self, column: str, found: str, expected: str, *, line: int = 0) -> None:
        self.problems.append(
            TariffProblem(line=line or self._line, column=column, found=found, expected=expected)
        )


def _parse_interval(text: str) -> int:
    if _INTERVAL.fullmatch(text) is None or int(text) > INTERVAL_S_MAX:
        raise TextProblem(text, INTERVAL_EXPECTED)
    return int(text)


def format_deck(prices: Iterable[DeckPrice]) -> str:
    """Our own file of these prices, by prefix and date: what `read_deck` reads with `house_layout`."""
    dates: dict[int, str] = {}

    def shown(at_ms: int) -> str:
        if at_ms not in dates:
            dates[at_ms] = start_text(at_ms)
        return dates[at_ms]

    lines = [",".join(HOUSE_COLUMNS)]
    for price in sorted(prices, key=lambda price: (price.prefix, price.from_ms)):
        destination = price.destination
        if '"' in destination or "," in destination:
            destination = '"' + destination.replace('"', '""') + '"'
        # An end is written with its time: a date alone would be the last day.
        until = "" if price.until_ms is None else _end_text(shown(price.until_ms))
        lines.append(
            f"{price.prefix},{destination},{format_nanos(price.connect_nanos)},{format_nanos(price.per_minute_nanos)},"
            f"{price.initial_s},{price.next_s},{shown(price.from_ms)},{until}"
        )
    return "\n".join(lines) + "\n"


def _end_text(start: str) -> str:
    return start if "T" in start else f"{start}T00:00"
