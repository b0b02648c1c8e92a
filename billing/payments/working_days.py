"""Working days of the clearing (Bacs): neither Saturday nor Sunday nor a bank holiday in England and Wales."""

import datetime

import holidays

_BANK_HOLIDAYS = holidays.country_holidays(
    "GB", subdiv="ENG"
)  # it works out a year when it is asked about one
ONE_DAY = datetime.timedelta(days=1)


def is_working_day(day: datetime.date) -> bool:
    return day.weekday() < 5 and day not in _BANK_HOLIDAYS


def add_working_days(day: datetime.date, days: int) -> datetime.date:
    """So many working days later; 0 is the day itself, or the first working day after it."""
    while not is_working_day(day):
        day += ONE_DAY
    for _ in range(days):
        day += ONE_DAY
        while not is_working_day(day):
            day += ONE_DAY
    return day


def take_working_days(day: datetime.date, days: int) -> datetime.date:
    """So many working days before."""
    for _ in range(days):
        day -= ONE_DAY
        while not is_working_day(day):
            day -= ONE_DAY
    return day
