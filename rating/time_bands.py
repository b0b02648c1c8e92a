"""Time bands: peak, evening, weekend. Which holds at an instant, and the product of a call's time and its prices.

A band is hours of weekdays on London's clocks (Europe/London); a moment belongs to the first band that has it, and to
none (number 0) otherwise. A holiday has the hours of another weekday, usually Sunday. When the clocks go back, the hour
from 01:00 to 02:00 comes twice and both passes count; when they go forward, it does not come at all. All borders of
FIRST_YEAR to LAST_YEAR are worked out once, as UTC milliseconds, so that a call looks no calendar up.
"""

import array
import datetime
import zoneinfo
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import msgspec

MINUTES_PER_DAY: Final = 1_440
WEEKDAYS: Final = 7
MINUTE_MS: Final = 60_000
NO_BAND: Final = 0

# Columns of a price list. A UK tariff has two or three.
BANDS_MAX: Final = 8

# Some 800 borders a year. A call outside these years is priced as at the first or last border: it is always priced.
FIRST_YEAR: Final = 2010
LAST_YEAR: Final = 2050

_LONDON: Final = "Europe/London"
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND: Final = datetime.timedelta(milliseconds=1)

# (first minute of the day, minute after the last, number of the band): the first that fits wins.
Period = tuple[int, int, int]


class BandPattern(msgspec.Struct, frozen=True):
    """When the bands hold: the periods of each weekday, Monday first; `holidays` are ordinals of days, whose hours are
    those of `holiday_weekday`."""

    week: tuple[tuple[Period, ...], ...]
    holidays: frozenset[int] = frozenset()
    holiday_weekday: int = 6


class TimeBands:
    """The bands of a price list: from `starts[i]` (UTC milliseconds) on, band `bands[i]` holds. Band 1 is the first of
    `names`. Immutable. `pattern` is what they come from, None of a part that a record has kept."""

    __slots__ = ("_bands", "_starts", "names", "pattern")

    def __init__(
        self,
        names: Sequence[str],
        starts: Sequence[int],
        bands: Sequence[int],
        pattern: BandPattern | None = None,
    ) -> None:
        if len(starts) != len(bands) or not starts:
            raise ValueError(
                f"{len(starts)} borders and {len(bands)} bands: expected as many, and at least one"
            )
        self.names = tuple(names)
        self.pattern = pattern
        self._starts = array.array("q", starts)
        self._bands = array.array("b", bands)

    def band_at(self, at_ms: int) -> int:
        """The number of the band that holds at this instant, NO_BAND if none does."""
        return self._bands[max(0, bisect_right(self._starts, at_ms) - 1)]

    def spans(self, from_ms: int, until_ms: int) -> list[tuple[int, int]]:
        """The time from one instant to another, cut at the borders: (milliseconds, number of the band) in order."""
        starts, bands = self._starts, self._bands
        index = max(0, bisect_right(starts, from_ms) - 1)
        last = len(starts) - 1
        spans = []
        while from_ms < until_ms:
            end_ms = min(starts[index + 1], until_ms) if index < last else until_ms
            spans.append((end_ms - from_ms, bands[index]))
            from_ms = end_ms
            index += 1
        return spans

    def product(self, from_ms: int, until_ms: int, prices: Sequence[int]) -> int:
        """Milliseconds times the price of the band that they lie in (`prices` by number), summed, exact."""
        starts, bands = self._starts, self._bands
        index = max(0, bisect_right(starts, from_ms) - 1)
        last = len(starts) - 1
        total = 0
        while from_ms < until_ms:
            end_ms = min(starts[index + 1], until_ms) if index < last else until_ms
            total += (end_ms - from_ms) * prices[bands[index]]
            from_ms = end_ms
            index += 1
        return total


def make_time_bands(names: Sequence[str], pattern: BandPattern) -> TimeBands:
    """Every border of the years: days without a clock change by arithmetic, the others minute by minute."""
    if len(pattern.week) != WEEKDAYS or not 0 <= pattern.holiday_weekday < WEEKDAYS:
        raise ValueError(f"{len(pattern.week)} weekdays: expected {WEEKDAYS}")
    if len(names) > BANDS_MAX:
        raise ValueError(f"{len(names)} time bands: expected at most {BANDS_MAX}")
    london = zoneinfo.ZoneInfo(_LONDON)
    borders = [_borders(periods) for periods in pattern.week]
    starts: list[int] = []
    bands: list[int] = []
    first = datetime.date(FIRST_YEAR, 1, 1).toordinal()
    midnight_ms = _midnight_ms(first, london)
    for day in range(first, datetime.date(LAST_YEAR + 1, 1, 1).toordinal()):
        next_ms = _midnight_ms(day + 1, london)
        minutes = (next_ms - midnight_ms) // MINUTE_MS
        weekday = pattern.holiday_weekday if day in pattern.holidays else (day + WEEKDAYS - 1) % WEEKDAYS
        of_day = borders[weekday]
        if minutes != MINUTES_PER_DAY:
            of_day = _borders_of_change(of_day, minutes, change=_change_minute(minutes))
        for minute, band in of_day:
            if not bands or bands[-1] != band:
                starts.append(midnight_ms + minute * MINUTE_MS)
                bands.append(band)
        midnight_ms = next_ms
    return TimeBands(names, starts, bands, pattern)


def _midnight_ms(day: int, london: zoneinfo.ZoneInfo) -> int:
    midnight = datetime.datetime.combine(datetime.date.fromordinal(day), datetime.time(), london)
    return (midnight.astimezone(datetime.UTC) - _EPOCH) // _MILLISECOND


def _borders(periods: Sequence[Period]) -> list[tuple[int, int]]:
    """(minute, band) wherever the band changes on an ordinary day, the first at minute 0."""
    minutes = sorted({0, *(at for start, end, _ in periods for at in (start, end) if at < MINUTES_PER_DAY)})
    return [(minute, _band_of(minute, periods)) for minute in minutes]


def _band_of(minute: int, periods: Sequence[Period]) -> int:
    return next((band for start, end, band in periods if start <= minute < end), NO_BAND)


def _change_minute(minutes: int) -> int:
    """London's clocks change at 01:00 UTC: an hour into the day in spring, two into it in autumn."""
    return 60 if minutes < MINUTES_PER_DAY else 120


def _borders_of_change(borders: list[tuple[int, int]], minutes: int, *, change: int) -> list[tuple[int, int]]:
    """The same for a day of 23 or 25 hours, its minutes counted from midnight on."""
    shown_later = MINUTES_PER_DAY - minutes  # what clocks show after the change, less what has passed
    return [
        (passed, _band_shown(passed if passed < change else passed + shown_later, borders))
        for passed in range(minutes)
    ]


def _band_shown(minute: int, borders: list[tuple[int, int]]) -> int:
    return next(band for start, band in reversed(borders) if start <= minute)


# The same as text, which a version of a tariff is kept with: worked-out holidays, so that it means the same for ever.


def time_bands_text(bands: TimeBands) -> str:
    pattern = bands.pattern
    assert pattern is not None
    lines = [f"band,{name}" for name in bands.names]
    for weekday, periods in enumerate(pattern.week):
        lines += [f"hours,{weekday},{start},{end},{band}" for start, end, band in periods]
    lines.append(f"holidays_as,{pattern.holiday_weekday}")
    lines += [f"holiday,{day}" for day in sorted(pattern.holidays)]
    return "\n".join([*lines, ""])


def read_time_bands_text(text: str) -> TimeBands:
    """The inverse of `time_bands_text`. Raises ValueError."""
    names: list[str] = []
    week: list[list[Period]] = [[] for _ in range(WEEKDAYS)]
    holidays: list[int] = []
    holiday_weekday = 6
    for line in text.split("\n"):
        match line.split(","):
            case ["band", name]:
                names.append(name)
            case ["hours", weekday, start, end, band]:
                week[_digits(weekday) % WEEKDAYS].append((_digits(start), _digits(end), _digits(band)))
            case ["holidays_as", weekday]:
                holiday_weekday = _digits(weekday)
            case ["holiday", day]:
                holidays.append(_digits(day))
            case [""]:
                continue
            case _:
                raise ValueError(f"{line[:40]!a} in time bands")
    pattern = BandPattern(tuple(tuple(periods) for periods in week), frozenset(holidays), holiday_weekday)
    return make_time_bands(names, pattern)


def _digits(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 7):
        raise ValueError(f"{text[:40]!a} in time bands: expected digits")
    return int(text)
