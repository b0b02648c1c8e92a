"""Named time sets: when "office" is open, when "holidays" are. Pure; conf/time-sets.toml is read by conf_time_sets.py.

A moment is in a set when it is in its hours, on one of its days or in one of the `sets` it names, in every set of
`within`, and in no set of `not`. A set that says only `within` or `not` begins with every moment.

A time of day is what the clock on London's wall shows (Europe/London). When the clocks go back, the hour from 01:00 to
02:00 comes twice and both passes count; when they go forward, it does not come at all, so a set that is open only in
it is not open that day. A period ends just before its end: "09:00-17:30" has 17:29:59 and not 17:30:00.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

MINUTES_PER_DAY: Final = 24 * 60
LONDON: Final = "Europe/London"
# The year 9000: datetime knows no year above 9999, and a clock that says so is broken anyway.
UTC_MS_MAX: Final = 221_845_392_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Period(msgspec.Struct, frozen=True):
    """From a minute of the day until just before another: 0 to 1440."""

    start: int
    end: int


class Days(msgspec.Struct, frozen=True):
    """From one day to another, both included, as ordinals of the calendar; in each of them the period."""

    first: int
    last: int
    period: Period


class YearlyDays(msgspec.Struct, frozen=True):
    """The same, every year: (month, day) to (month, day), which may lie in the next year."""

    first: tuple[int, int]
    last: tuple[int, int]
    period: Period


class TimeSet(msgspec.Struct, frozen=True):
    """One set. `hours` are the periods of each weekday, Monday first; `bank_holidays` are ordinals."""

    hours: tuple[tuple[Period, ...], ...] = ((),) * 7
    days: tuple[Days, ...] = ()
    yearly: tuple[YearlyDays, ...] = ()
    bank_holidays: frozenset[int] = frozenset()
    sets: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The sets that it is made of."""
        return (*self.sets, *self.within, *self.excluded)

    @property
    def has_times(self) -> bool:
        """Whether it says itself when, apart from limits."""
        return bool(any(self.hours) or self.days or self.yearly or self.bank_holidays or self.sets)


class TimeSets:
    """The sets by name. Names of sets within sets must exist, and no set may lead back to itself."""

    __slots__ = ("_sets", "_zone")

    def __init__(self, sets: Mapping[str, TimeSet] | None = None) -> None:
        self._sets = dict(sets or {})
        self._zone = ZoneInfo(LONDON)

    def __contains__(self, name: str) -> bool:
        return name in self._sets

    @property
    def names(self) -> Collection[str]:
        return self._sets.keys()

    def is_in(self, name: str, utc_ms: int) -> bool:
        """Whether the moment is in the set. A name that is no set's has no moment."""
        return self._is_in(name, self.wall_clock(utc_ms), {})

    def wall_clock(self, utc_ms: int) -> datetime:
        """What London's clocks show."""
        bounded_ms = min(max(utc_ms, 0), UTC_MS_MAX)
        return (_EPOCH + timedelta(milliseconds=bounded_ms)).astimezone(self._zone)

    def _is_in(self, name: str, at: datetime, known: dict[str, bool]) -> bool:
        """Each set is looked at once, however often it is named: without this a few dozen could take for ever."""
        answer = known.get(name)
        if answer is None:
            time_set = self._sets.get(name)
            answer = known[name] = time_set is not None and self._has(time_set, at, known)
        return answer

    def _has(self, time_set: TimeSet, at: datetime, known: dict[str, bool]) -> bool:
        return (
            (not time_set.has_times or _has_times(time_set, at) or self._any(time_set.sets, at, known))
            and all(self._is_in(name, at, known) for name in time_set.within)
            and not self._any(time_set.excluded, at, known)
        )

    def _any(self, names: tuple[str, ...], at: datetime, known: dict[str, bool]) -> bool:
        return any(self._is_in(name, at, known) for name in names)


def way_back(sets: Mapping[str, TimeSet], name: str) -> tuple[str, ...]:
    """The names by which a set leads back to itself, itself first; () if it does not."""
    seen: set[str] = set()
    ways: list[tuple[str, ...]] = [(name,)]
    while ways:
        way = ways.pop()
        time_set = sets.get(way[-1])
        for inner in time_set.names if time_set is not None else ():
            if inner == name:
                return way
            if inner not in seen:
                seen.add(inner)
                ways.append((*way, inner))
    return ()


def _has_times(time_set: TimeSet, at: datetime) -> bool:
    minute, ordinal = at.hour * 60 + at.minute, at.toordinal()
    if ordinal in time_set.bank_holidays:
        return True
    if any(period.start <= minute < period.end for period in time_set.hours[at.weekday()]):
        return True
    if any(
        days.first <= ordinal <= days.last and days.period.start <= minute < days.period.end
        for days in time_set.days
    ):
        return True
    today = at.month, at.day
    return any(
        _is_between(today, days) and days.period.start <= minute < days.period.end for days in time_set.yearly
    )


def _is_between(today: tuple[int, int], days: YearlyDays) -> bool:
    if days.first <= days.last:
        return days.first <= today <= days.last
    return today >= days.first or today <= days.last
