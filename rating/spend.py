"""What an account has been charged today and this month: the counters that spending caps are held against.

A call's charge counts, as a whole, to the day and month in which it is settled. It is one row of the ledger with one
time, so live counters, ledger and bill agree to the micro; splitting a call at midnight would need a second rounding
and a second row. What is reserved counts to the present day: it will be settled today at the earliest. So at midnight
the counter starts anew, and the reservations of calls that are up stay in it.

Counters carry the day and month that they are of; nothing has to be done at midnight but to begin the next `Period`.
"""

from typing import Final

from rating.london_day import day_start_ms, london_day, month_of
from rating.money import Micros

DAY_MS: Final = 86_400_000
_FOR_EVER_MS: Final = 1 << 62


class Period:
    """The day and month to which usage counts now. Day 0, before the first `take`, is nobody's."""

    __slots__ = ("day", "ends_at_ms", "month", "starts_at_ms")

    def __init__(self) -> None:
        self.day = 0
        self.month = 0
        self.starts_at_ms = 0
        self.ends_at_ms = _FOR_EVER_MS

    def take(self, utc_ms: int) -> None:
        """It is `utc_ms` now.

        A clock set back by less than a day changes nothing: yesterday's cap is not given out twice because of a
        correction around midnight. One set back by more was wrong before, and is believed.
        """
        if self.day and self.starts_at_ms - DAY_MS <= utc_ms < self.ends_at_ms:
            return
        self.day = london_day(utc_ms)
        self.month = month_of(self.day)
        self.starts_at_ms = day_start_ms(self.day)
        self.ends_at_ms = day_start_ms(self.day + 1)

    def stamp_ms(self, utc_ms: int) -> int:
        """The time to write on a charge of now: always one of this day, so that who adds up the ledger by days comes to
        the same as we do, also in the second after midnight before the new period begins."""
        if utc_ms < self.starts_at_ms:
            return self.starts_at_ms
        return utc_ms if utc_ms < self.ends_at_ms else self.ends_at_ms - 1


class Spend:
    """One account's counters."""

    __slots__ = ("_day", "_day_micros", "_month", "_month_micros", "warned_day", "warned_month")

    def __init__(self) -> None:
        self._day = 0
        self._day_micros: Micros = 0
        self._month = 0
        self._month_micros: Micros = 0
        # The day and the month of which somebody was told that the cap is near.
        self.warned_day = 0
        self.warned_month = 0

    def copy(self) -> "Spend":
        other = Spend()
        other._day, other._day_micros = self._day, self._day_micros
        other._month, other._month_micros = self._month, self._month_micros
        other.warned_day, other.warned_month = self.warned_day, self.warned_month
        return other

    def of_day(self, period: Period) -> Micros:
        return self._day_micros if self._day == period.day else 0

    def of_month(self, period: Period) -> Micros:
        return self._month_micros if self._month == period.month else 0

    def charge(self, amount_micros: Micros, period: Period) -> None:
        """A call is settled."""
        if self._day != period.day:
            self._day, self._day_micros = period.day, 0
        if self._month != period.month:
            self._month, self._month_micros = period.month, 0
        self._day_micros += amount_micros
        self._month_micros += amount_micros

    def load_day(self, day: int, amount_micros: Micros) -> None:
        """Charges of a day, from the books or the journal, in any order: the latest day is what counts."""
        if day >= self._day:
            self._day_micros = amount_micros + (self._day_micros if day == self._day else 0)
            self._day = day

    def load_month(self, month: int, amount_micros: Micros) -> None:
        """Charges of a month, likewise."""
        if month >= self._month:
            self._month_micros = amount_micros + (self._month_micros if month == self._month else 0)
            self._month = month
