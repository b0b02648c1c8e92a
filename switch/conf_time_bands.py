"""time-bands.toml: the bands that prices of a tariff may differ by. The file may be missing: then there are none.

    [holidays]
    bank_holidays = "england"
    dates = ["2027-05-03"]
    priced_as = "Sun"

    [band.peak]
    hours = ["Mon-Fri 07:00-19:00"]

    [band.weekend]
    hours = ["Sat", "Sun"]

Hours and bank holidays are written as in time-sets.toml. A moment belongs to the first band that has it; a band
without hours has every other moment.
"""

from datetime import date
from typing import Annotated, Final

from msgspec import Struct

from rating.time_bands import BANDS_MAX, MINUTES_PER_DAY, WEEKDAYS, BandPattern, TimeBands, make_time_bands
from switch.conf_files import ConfFile
from switch.conf_reader import as_table, note_unknown_tables, read_named_tables, read_struct
from switch.conf_time_sets import WeekHours, read_bank_holidays, read_days, read_hours, week_of
from switch.conf_values import Expected, Reads, list_reader
from switch.journey.time_sets import Days, Period

TIME_BANDS_FILE: Final = "time-bands.toml"

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WHOLE_DAY: Final = Period(0, MINUTES_PER_DAY)
_DAY_EXPECTED: Final = 'a whole day such as "2027-05-03"'


def read_time_bands(file: ConfFile) -> TimeBands | None:
    """The whole file; problems are noted in it."""
    note_unknown_tables(file, ("holidays", "band"))
    tables = read_named_tables(file, file.table.get("band", {}), ("band",))
    if len(tables) > BANDS_MAX:
        file.note(("band",), found=f"{len(tables)} bands", expected=f"at most {BANDS_MAX}")
        return None
    holidays = read_struct(file, _Holidays, file.table.get("holidays", {}), ("holidays",))
    week: list[list[tuple[int, int, int]]] = [[] for _ in range(WEEKDAYS)]
    for number, (name, table) in enumerate(tables.items(), start=1):
        hours = read_struct(file, _Band, as_table(file, table, ("band", name)), ("band", name)).hours
        for weekday, periods in enumerate(week_of(hours) if hours else ((_WHOLE_DAY,),) * WEEKDAYS):
            week[weekday] += [(period.start, period.end, number) for period in periods]
    if not tables:
        if file.text.strip() and file.table:
            file.note((), found="no band", expected="at least one [band.NAME]")
        return None
    pattern = BandPattern(
        tuple(tuple(periods) for periods in week),
        holidays.bank_holidays.union(holidays.dates),
        _WEEKDAYS.index(holidays.priced_as),
    )
    return make_time_bands(tuple(tables), pattern)


def _read_day(value: object) -> int:
    days = read_days(value.isoformat() if type(value) is date else value)
    if not isinstance(days, Days) or days.first != days.last or days.period != _WHOLE_DAY:
        raise Expected(_DAY_EXPECTED)
    return days.first


def _read_weekday(value: object) -> str:
    if value not in _WEEKDAYS:
        raise Expected(f"one of {', '.join(_WEEKDAYS)}")
    return str(value)


class _Holidays(Struct, frozen=True):
    """[holidays]."""

    bank_holidays: Annotated[frozenset[int], Reads(read_bank_holidays)] = frozenset()
    dates: Annotated[tuple[int, ...], Reads(list_reader(_read_day))] = ()
    priced_as: Annotated[str, Reads(_read_weekday)] = "Sun"


class _Band(Struct, frozen=True):
    """[band.NAME]."""

    hours: Annotated[tuple[WeekHours, ...], Reads(list_reader(read_hours))] = ()
