"""Days, telephone numbers and durations as people read them. Pure."""

import datetime
import zoneinfo
from typing import Final

LONDON: Final = zoneinfo.ZoneInfo("Europe/London")
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def london_date(at: datetime.datetime) -> datetime.date:
    """The day that London's calendars show at an aware instant."""
    return at.astimezone(LONDON).date()


def shown_day(day: datetime.date) -> str:
    """ "3 October 2026"."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def shown_iso_day(text: str) -> str:
    """The same from an ISO date; "" stays empty."""
    return shown_day(datetime.date.fromisoformat(text)) if text else ""


def shown_period(first: datetime.date, last: datetime.date) -> str:
    """ "1 to 31 October 2026", "24 October to 23 November 2026"."""
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {shown_day(last)}" if first != last else shown_day(last)
    if first.year == last.year:
        return f"{first.day} {MONTHS[first.month - 1]} to {shown_day(last)}"
    return f"{shown_day(first)} to {shown_day(last)}"


def shown_duration(seconds: int) -> str:
    """ "0:09", "61:05" would be "1:01:05"."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def shown_number(number: str) -> str:
    """A UK number as it is dialled, in groups; others with their plus; short codes as they are."""
    if not number.startswith("+44"):
        return number
    digits = "0" + number[3:]
    if len(digits) != 11:
        return digits
    if digits.startswith("02"):
        return f"{digits[:3]} {digits[3:7]} {digits[7:]}"
    is_three_and_seven = (
        digits.startswith(("011", "03", "08", "09", "055", "056")) or digits[3] == digits[1] == "1"
    )
    if is_three_and_seven:
        return f"{digits[:4]} {digits[4:7]} {digits[7:]}"
    return f"{digits[:5]} {digits[5:]}"


def counted(number: int, one: str, many: str = "") -> str:
    """ "1 call", "2 calls"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
