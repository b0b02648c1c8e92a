"""Civil months: the day that is so many months after another, as contracts and statutes count them.

The corresponding day of the later month, or its last day where it has no such day (Dodds v Walker [1981] UKHL 3). So a
monthly anniversary is always counted from the first day and never from the one before: 31 January, 28 February, 31
March. Days are civil days of Europe/London; clock changes have no part in this.
"""

import calendar
import datetime


def months_after(day: datetime.date, months: int) -> datetime.date:
    """`months` may be negative: the day so many months before."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return datetime.date(year, month + 1, min(day.day, last))


def words(day: datetime.date) -> str:
    """ "1 April 2026", as dates stand in everything that a customer reads."""
    return f"{day.day} {calendar.month_name[day.month]} {day.year}"
