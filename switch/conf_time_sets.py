"""time-sets.toml: named time sets, one [NAME] each. The file may be missing: then there are none.

    hours = ["Mon-Fri 09:00-17:30", "Sat 10:00-13:00"]
    dates = ["2026-12-24 12:00-24:00", "2026-12-28 to 2026-12-31", "Dec 25", "Jul 20 to Aug 31"]
    bank_holidays = "england"

Bank holidays come from the library `holidays`, which is asked while the file is read and never later: the days of
BANK_HOLIDAY_YEARS are kept. It is imported only where a set asks for them.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Final

from msgspec import Struct

from switch.conf_files import ConfFile, nearest, shown
from switch.conf_reader import read_named_tables, read_struct
from switch.conf_values import Expected, Reads, list_reader
from switch.journey.time_sets import MINUTES_PER_DAY, Days, Period, TimeSet, TimeSets, YearlyDays, way_back

TIME_SETS_FILE: Final = "time-sets.toml"

# A business has a handful, an operator some dozens; each is looked at once in a decision.
SETS_MAX: Final = 200
# A page of a calendar with every closing day on it.
ENTRIES_MAX: Final = 200
TEXT_CHARS_MAX: Final = 60
# No clock is read here, so the years are fixed. Thirty of them are three hundred days a region. A day that is
# proclaimed for one year only (a coronation) is known when the library is updated; until then it goes into `dates`.
BANK_HOLIDAY_YEARS: Final = range(2020, 2050)

_REGIONS: Final = {"england": "ENG", "wales": "WLS", "scotland": "SCT", "northern-ireland": "NIR"}
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WHOLE_DAY: Final = Period(0, MINUTES_PER_DAY)
_LEAP_YEAR: Final = 2024  # has every day that a year can have

_TIMES = r"([0-9]{2}):([0-9]{2}) ?- ?([0-9]{2}):([0-9]{2})"
_HOURS = re.compile(rf"([A-Za-z]{{3}})(?: ?- ?([A-Za-z]{{3}}))?(?: {_TIMES})?")
_ISO_DAY = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
_DATES = re.compile(rf"{_ISO_DAY}(?: to {_ISO_DAY})?(?: {_TIMES})?")
_YEAR_DAY = r"([A-Za-z]{3}) ([0-9]{1,2})"
_YEARLY = re.compile(rf"{_YEAR_DAY}(?: to {_YEAR_DAY})?(?: {_TIMES})?")

HOURS_EXPECTED: Final = 'weekdays and times such as "Mon-Fri 09:00-17:30", "Sat" or "Fri 22:00-02:00"'
DATES_EXPECTED: Final = (
    'a day or days such as "2026-12-24", "2026-12-24 12:00-24:00", "2026-12-28 to 2026-12-31" or, every year,'
    ' "Dec 25"'
)


def read_time_sets(file: ConfFile) -> TimeSets:
    """The whole file; problems are noted in it."""
    tables = read_named_tables(file, file.table, ())
    if len(tables) > SETS_MAX:
        file.note((), found=f"{len(tables)} time sets", expected=f"at most {SETS_MAX}")
        return TimeSets()
    sets = {name: _time_set(file, name, table) for name, table in tables.items()}
    for name, time_set in sets.items():
        _check_names(file, name, time_set, sets)
    return TimeSets(sets)


def _time_set(file: ConfFile, name: str, table: dict[str, Any]) -> TimeSet:
    if not table:
        file.note((name,), found="an empty set", expected="hours, dates, bank_holidays, sets, within or not")
    # `not` can be no field's name.
    rest = {key: value for key, value in table.items() if key != "not"}
    section = read_struct(file, _Section, rest, (name,), excluded=_excluded(file, name, table.get("not", [])))
    return TimeSet(
        hours=week_of(section.hours),
        days=tuple(entry for entry in section.dates if isinstance(entry, Days)),
        yearly=tuple(entry for entry in section.dates if isinstance(entry, YearlyDays)),
        bank_holidays=section.bank_holidays,
        sets=section.sets,
        within=section.within,
        excluded=section.excluded,
    )


def _excluded(file: ConfFile, name: str, value: object) -> tuple[str, ...]:
    try:
        return _read_names(value)
    except Expected as problem:
        file.note((name, "not"), found=problem.found or shown(value), expected=problem.expected)
        return ()


def _check_names(file: ConfFile, name: str, time_set: TimeSet, sets: dict[str, TimeSet]) -> None:
    for key, names in (("sets", time_set.sets), ("within", time_set.within), ("not", time_set.excluded)):
        for inner in names:
            if inner not in sets:
                close = nearest(inner, list(sets))
                expected = f"perhaps {close}" if close else "the name of a time set of this file"
                file.note((name, key), found=shown(inner), expected=expected)
    if way := way_back(sets, name):
        found = "a set that leads back to itself: " + " to ".join((*way, name))
        file.note((name,), found=found, expected="sets that do not name each other in a circle")


class WeekHours(Struct, frozen=True):
    """One entry of `hours`: weekdays, 0 is Monday, and a period. Past midnight, `end` is more than a day."""

    weekdays: tuple[int, ...]
    start: int
    end: int


def week_of(entries: tuple[WeekHours, ...]) -> tuple[tuple[Period, ...], ...]:
    """The periods of each weekday; what lasts past midnight goes on in the next."""
    week: list[list[Period]] = [[] for _ in _WEEKDAYS]
    for entry in entries:
        for weekday in entry.weekdays:
            week[weekday].append(Period(entry.start, min(entry.end, MINUTES_PER_DAY)))
            if entry.end > MINUTES_PER_DAY:
                week[(weekday + 1) % 7].append(Period(0, entry.end - MINUTES_PER_DAY))
    return tuple(tuple(periods) for periods in week)


def read_hours(value: object) -> WeekHours:
    """ "Mon-Fri 09:00-17:30": times may be left out (the whole day) and may end after midnight."""
    match = _matched(_HOURS, value, HOURS_EXPECTED)
    first, last = _index(match[1], _WEEKDAYS), _index(match[2] or match[1], _WEEKDAYS)
    if first is None or last is None:
        raise Expected(HOURS_EXPECTED)
    count = (last - first) % 7 + 1
    period = _period(match.groups()[2:], HOURS_EXPECTED)
    end = period.end + MINUTES_PER_DAY if period.end <= period.start else period.end
    return WeekHours(tuple((first + offset) % 7 for offset in range(count)), period.start, end)


def read_days(value: object) -> Days | YearlyDays:
    """Days of one year or of every year, with times or whole."""
    if type(value) is date:  # as TOML itself writes it: 2026-12-24
        return Days(value.toordinal(), value.toordinal(), _WHOLE_DAY)
    text = value if isinstance(value, str) and len(value) <= TEXT_CHARS_MAX else ""
    if match := _DATES.fullmatch(text):
        first, last = _day(match.groups()[:3]), _day(match.groups()[3:6] if match[4] else match.groups()[:3])
        if last < first:
            raise Expected("a last day that comes after the first")
        return Days(first, last, _period_of_day(match.groups()[6:]))
    match = _matched(_YEARLY, value, DATES_EXPECTED)
    start = _day_of_year(match[1], match[2])
    end = _day_of_year(match[3], match[4]) if match[3] else start
    return YearlyDays(start, end, _period_of_day(match.groups()[4:]))


def read_bank_holidays(value: object) -> frozenset[int]:
    """ "england", or a list of such. A holiday on a weekend counts, and so does the day in its stead."""
    named = value if isinstance(value, list) else [value]
    wanted = [_REGIONS[region] for region in named if isinstance(region, str) and region in _REGIONS]
    if not wanted or len(wanted) < len(named):
        raise Expected(f"one of {', '.join(_REGIONS)}, or a list of these")
    return frozenset(ordinal for subdivision in wanted for ordinal in _bank_holidays(subdivision))


def _bank_holidays(subdivision: str) -> list[int]:
    # Here, so that who asks for no bank holiday does not load the library.
    from holidays import country_holidays  # noqa: PLC0415

    days = country_holidays("GB", subdiv=subdivision, years=BANK_HOLIDAY_YEARS)
    return [day.toordinal() for day in days]


def _matched(pattern: re.Pattern[str], value: object, expected: str) -> re.Match[str]:
    text = value if isinstance(value, str) and len(value) <= TEXT_CHARS_MAX else ""
    match = pattern.fullmatch(text)
    if match is None:
        raise Expected(expected)
    return match


def _period_of_day(parts: tuple[str | None, ...]) -> Period:
    period = _period(parts, DATES_EXPECTED)
    if period.end <= period.start:
        raise Expected("times that end on the same day, at 24:00 at the latest")
    return period


def _period(parts: tuple[str | None, ...], expected: str) -> Period:
    """Four texts of two digits each, or four None for the whole day."""
    if parts[0] is None:
        return _WHOLE_DAY
    hour, minute, end_hour, end_minute = (int(part or "") for part in parts)
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if minute > 59 or end_minute > 59 or start >= MINUTES_PER_DAY or end > MINUTES_PER_DAY or start == end:
        raise Expected(f"{expected}; times from 00:00 to 24:00")
    return Period(start, end)


def _day(parts: tuple[str | None, ...]) -> int:
    year, month, day = (int(part or "") for part in parts)
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        raise Expected(f"a day of the calendar, and {year:04}-{month:02}-{day:02} is none") from None


def _day_of_year(month_name: str, day_text: str) -> tuple[int, int]:
    month = _index(month_name, _MONTHS)
    if month is None:
        raise Expected(DATES_EXPECTED)
    try:
        date(_LEAP_YEAR, month + 1, int(day_text))
    except ValueError:
        raise Expected(f"a day of the calendar, and {month_name} {day_text} is none") from None
    return month + 1, int(day_text)


def _index(name: str, names: tuple[str, ...]) -> int | None:
    lowered = name.lower()
    return names.index(lowered) if lowered in names else None


def _read_name(value: object) -> str:
    if not isinstance(value, str):
        raise Expected("the name of a time set of this file")
    return value


def _short_list(read: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    read_items = list_reader(read)

    def read_few(value: object) -> tuple[Any, ...]:
        items = read_items(value)
        if len(items) > ENTRIES_MAX:
            raise Expected(f"at most {ENTRIES_MAX} entries", f"{len(items)} entries")
        return items

    return read_few


_read_names: Final = _short_list(_read_name)


class _Section(Struct, frozen=True):
    """[NAME]; `excluded` is the key `not`."""

    hours: Annotated[tuple[WeekHours, ...], Reads(_short_list(read_hours))] = ()
    dates: Annotated[tuple[Days | YearlyDays, ...], Reads(_short_list(read_days))] = ()
    bank_holidays: Annotated[frozenset[int], Reads(read_bank_holidays)] = frozenset()
    sets: Annotated[tuple[str, ...], Reads(_read_names)] = ()
    within: Annotated[tuple[str, ...], Reads(_read_names)] = ()
    excluded: tuple[str, ...] = ()
