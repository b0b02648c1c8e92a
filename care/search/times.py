"""Times as a customer says them and staff type them: "10:15", "22/11 10:15", "yesterday 10.15", "2:15pm Monday".

Pure: `now` comes in. A time without a zone is Europe/London's; one without a day is today's, or yesterday's where it
would lie ahead; a day without a year is the latest such day. An hour that the clock shows twice in October is meant
twice; one that it skips in March is the next. With "GMT", "BST", "UTC" or an offset a time is one moment.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from provisioning.problems import InvalidValue

LONDON: Final = ZoneInfo("Europe/London")
EXPECTED: Final = (
    'a time such as "10:15", "2:15pm", "22/11 10:15", "yesterday 10:15",'
    ' "2026-11-22 10:15:30", "22 Nov" or "7d"'
)
TEXT_CHARS_MAX: Final = 60
YEARS: Final = range(2000, 2100)
# 29 February is at most this far back (1896 to 1904, and 2096 to 2104).
LEAP_YEARS_BACK: Final = 8

_TIME: Final = re.compile(
    r"(?P<h>[0-9]{1,2})(?:[:.](?P<m>[0-9]{2})(?:[:.](?P<s>[0-9]{2})(?:\.[0-9]{1,9})?)?)?(?P<half>am|pm)?"
    r"(?P<zone>z|utc|gmt|bst|[+-][0-9]{2}:?[0-9]{2})?"
)
_ISO: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})t([0-9].*)")
_ISO_DAY: Final = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_DAY: Final = re.compile(r"([0-9]{1,2})/([0-9]{1,2})(?:/([0-9]{4}|[0-9]{2}))?")
_DOTTED_DAY: Final = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")
_NAMED_DAY: Final = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)? ([a-z]{3,9})(?: ([0-9]{4}))?")
_AGO: Final = re.compile(r"([0-9]{1,5})([mhd])(?: ago)?")
_ZONES: Final = {
    "z": UTC,
    "utc": UTC,
    "gmt": UTC,
    "bst": timezone(timedelta(hours=1)),
}
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_IDLE_WORDS: Final = frozenset(("at", "about", "around", "on", "the", "of"))
NAME_LETTERS_MIN: Final = 3  # "mon", "nov"


class Said(msgspec.Struct, frozen=True):
    """What was said: one moment, two in the doubled hour, UTC, the earlier first; `end` of a whole day is the next."""

    instants: tuple[datetime, ...]
    has_seconds: bool = False
    end: datetime | None = None

    @property
    def is_day(self) -> bool:
        return self.end is not None


class Period(msgspec.Struct, frozen=True):
    """Half open, UTC."""

    since: datetime
    until: datetime


def said(text: str, now: datetime, *, what: str = "time") -> Said:
    """`now` is aware. Raises InvalidValue."""
    try:
        found = _said(text, now)
    except (ValueError, OverflowError):  # 31 February, hour 25, the year 1 less a week
        found = None
    if found is None:
        raise InvalidValue(what, text, EXPECTED)
    return found


def around(at: Said, tolerance: timedelta) -> list[Period]:
    """What lies so near to a moment, the earliest first; a day is that day."""
    if at.end is not None:
        return [Period(at.instants[0], at.end)]
    periods: list[Period] = []
    for instant in at.instants:
        since, until = instant - tolerance, instant + tolerance
        if periods and since <= periods[-1].until:
            periods[-1] = Period(periods[-1].since, until)
        else:
            periods.append(Period(since, until))
    return periods


def instants_of(local: datetime) -> tuple[datetime, ...]:
    """What a clock in London that shows the naive `local` may mean, UTC: twice, once, or once an hour later."""
    both = [local.replace(tzinfo=LONDON, fold=fold).astimezone(UTC) for fold in (0, 1)]
    right = sorted({at for at in both if at.astimezone(LONDON).replace(tzinfo=None, fold=0) == local})
    return tuple(right) or (both[0],)


def period_words(period: Period) -> str:
    """ "22 Nov 2026 10:00 to 10:30 GMT"."""
    since, until = period.since.astimezone(LONDON), period.until.astimezone(LONDON)
    has_seconds = bool(since.second or until.second)
    first, last = _shown(since, has_seconds=has_seconds), _shown(until, has_seconds=has_seconds)
    zone = since.tzname() or ""
    if since.tzname() != until.tzname():
        first = f"{first} {zone}"
        zone = until.tzname() or ""
    if since.date() == until.date():
        last = last.rpartition(" ")[2]
    return f"{first} to {last} {zone}"


def moment_words(at: datetime) -> str:
    """ "22 Nov 2026 10:00 GMT"."""
    local = at.astimezone(LONDON)
    return f"{_shown(local, has_seconds=bool(local.second))} {local.tzname()}"


def _shown(at: datetime, *, has_seconds: bool) -> str:
    return f"{at.day} {at:%b %Y} {at:%H:%M:%S}" if has_seconds else f"{at.day} {at:%b %Y} {at:%H:%M}"


def _said(text: str, now: datetime) -> Said | None:
    if len(text) > TEXT_CHARS_MAX:
        return None
    typed = " ".join(text.lower().replace(",", " ").split())
    if ago := _AGO.fullmatch(typed):
        return Said((now.astimezone(UTC) - int(ago[1]) * _UNITS[ago[2]],), has_seconds=True)
    if typed == "now":
        return Said((now.astimezone(UTC),), has_seconds=True)
    if iso := _ISO.fullmatch(typed):
        typed = f"{iso[1]} {iso[2]}"
    clock, day_words = _parted(typed)
    today = now.astimezone(LONDON).date()
    if clock is None:
        return None if not day_words else _whole_day(day_words, today)
    moment, zone = _clock_time(clock)
    for day in _days(day_words, today):
        instants = _at(day, moment, zone)
        # Whoever says "10:15" speaks of something that has been; a day with its year is taken as it is.
        past = instants if _is_sure(day_words) else tuple(at for at in instants if at <= now)
        if past:
            return Said(past, has_seconds=clock["s"] is not None)
    return None


def _parted(typed: str) -> tuple[re.Match[str] | None, str]:
    """The time of day with its zone, and the words of the day."""
    words: list[str] = []
    for word in typed.split(" "):
        if words and word in ("am", "pm", "utc", "gmt", "bst") and _TIME.fullmatch(words[-1]):
            words[-1] += word
        elif word not in _IDLE_WORDS:
            words.append(word)
    clock: re.Match[str] | None = None
    rest: list[str] = []
    for word in words:
        match = _TIME.fullmatch(word)
        # A number alone is a day of the month.
        if clock is None and match is not None and (match["m"] is not None or match["half"] is not None):
            clock = match
        else:
            rest.append(word)
    return clock, " ".join(rest)


def _clock_time(clock: re.Match[str]) -> tuple[time, timezone | None]:
    hour, half = int(clock["h"]), clock["half"]
    if half is not None:
        if not 1 <= hour <= 12:
            raise ValueError("an hour of a clock with twelve")
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, int(clock["m"] or "0"), int(clock["s"] or "0")), _zone(clock["zone"])


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text in _ZONES:
        return _ZONES[text]
    ahead = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-ahead if text[0] == "-" else ahead)


def _at(day: date, moment: time, zone: timezone | None) -> tuple[datetime, ...]:
    local = datetime.combine(day, moment)
    return instants_of(local) if zone is None else (local.replace(tzinfo=zone).astimezone(UTC),)


def _whole_day(words: str, today: date) -> Said | None:
    for day in _days(words, today):
        if day <= today or _is_sure(words):
            start, end = (
                instants_of(datetime.combine(each, time()))[0] for each in (day, day + timedelta(days=1))
            )
            return Said((start,), end=end)
    return None


def _is_sure(words: str) -> bool:
    """Whether the words name one day, whatever `now` is."""
    if words in ("today", "yesterday"):
        return True
    if _ISO_DAY.fullmatch(words) or _DOTTED_DAY.fullmatch(words):
        return True
    found = (pattern.fullmatch(words) for pattern in (_DAY, _NAMED_DAY))
    return any(match is not None and match[3] is not None for match in found)


def _days(words: str, today: date) -> list[date]:
    """The days that the words may mean, the likeliest first. Raises ValueError for a day that never was."""
    if not words:
        return [today, today - timedelta(days=1)]
    if words in ("today", "yesterday"):
        return [today - timedelta(days=1 if words == "yesterday" else 0)]
    weekday = _named(words, _WEEKDAYS)
    if weekday is not None:
        last = today - timedelta(days=(today.weekday() - weekday) % 7)
        return [last, last - timedelta(days=7)]
    if match := _ISO_DAY.fullmatch(words):
        return [_day(int(match[1]), int(match[2]), int(match[3]))]
    if match := _DOTTED_DAY.fullmatch(words) or _DAY.fullmatch(words):
        return _days_of_year(int(match[1]), int(match[2]), match[3], today)
    if match := _NAMED_DAY.fullmatch(words):
        month = _named(match[2], _MONTHS)
        if month is not None:
            return _days_of_year(int(match[1]), month + 1, match[3], today)
    return []


def _days_of_year(day: int, month: int, year: str | None, today: date) -> list[date]:
    if year is not None:
        return [_day(int(year) + (2000 if len(year) == 2 else 0), month, day)]
    found = []
    for each in range(today.year, today.year - LEAP_YEARS_BACK - 1, -1):
        try:
            found.append(date(each, month, day))
        except ValueError:  # 29 February
            continue
    return found


def _day(year: int, month: int, day: int) -> date:
    if year not in YEARS:
        raise ValueError("nobody asks for calls of that year")
    return date(year, month, day)


def _named(word: str, names: tuple[str, ...]) -> int | None:
    if len(word) < NAME_LETTERS_MIN:
        return None
    return next((index for index, name in enumerate(names) if name.startswith(word)), None)
