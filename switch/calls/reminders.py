"""*55*0730#: a call at half past seven, the next time that the clock in London says so; *56*0730*8#: each Monday to
Friday. Pure.

They are in the journal, so a restart keeps them; one that came due meanwhile is still made for LATE_MS. A time that the
change to summer time leaves out is an hour later, one that the change back repeats is the first of the two. What is
handed out as due is gone: who makes the call says `failed` when it could not be made, and it comes again.
"""

import heapq
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from switch.calls.service_records import REMINDER_KEY, Reminder, decode_reminder, encode

LONDON: Final = ZoneInfo("Europe/London")
# People set one, shift workers two or three.
OF_ONE_LINE_MAX: Final = 5
# Of the exchange: they are all rung through the media server, most of them at full hours.
REMINDERS_MAX: Final = 50_000
# What is handed out in a second. Seven o'clock may take a minute then.
RUNG_PER_SECOND_MAX: Final = 20
LATE_MS: Final = 10 * 60_000
AGAIN_MS: Final = 60_000
TRIES_MAX: Final = 3

EVERY_DAY: Final = "1234567"  # Monday is the first
# BT's: a day, the working week, and the whole of it.
_DAYS: Final = {**{day: day for day in EVERY_DAY}, "8": "12345", "9": EVERY_DAY}

Put = tuple[str, bytes | None]


def read_days(text: str) -> str:
    """1 to 7 for a day from Monday, 8 for Monday to Friday, 9 for all; "" for anything else."""
    return _DAYS.get(text, "")


def read_time(text: str) -> tuple[int, int] | None:
    """ "0730" as (7, 30); None where it is no time of day."""
    if len(text) != 4 or not (text.isascii() and text.isdigit()):
        return None
    hour, minute = int(text[:2]), int(text[2:])
    return (hour, minute) if hour < 24 and minute < 60 else None


def next_time_ms(hour: int, minute: int, now_ms: int, days: str = EVERY_DAY) -> int:
    """UTC milliseconds of the next such moment in London, on one of these days of the week; there is at least one."""
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    day = now.astimezone(LONDON).date()
    while True:
        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=LONDON)
        at = local.astimezone(UTC)  # one that does not exist comes out an hour later
        if at > now and str(day.isoweekday()) in days:
            return int(at.timestamp()) * 1000
        day += timedelta(days=1)


class Reminders:
    """One a process. Methods that change something return what the journal is to be told."""

    __slots__ = ("_due", "_of", "count", "missed", "rung")

    def __init__(self) -> None:
        self._of: dict[str, dict[int, Reminder]] = {}
        self._due: list[tuple[int, str]] = []
        self.count = 0
        self.rung = 0
        self.missed = 0

    def set(self, user: str, at_ms: int, every: str = "") -> list[Put] | None:
        """None: there is no room. The same time twice is one call, and one that comes again stays one."""
        have = self._of.get(user, {})
        present = have.get(at_ms)
        if present is not None and (not every or present.every == every):
            return []
        if present is not None:
            self._remove(present)
        elif len(have) >= OF_ONE_LINE_MAX or self.count >= REMINDERS_MAX:
            return None
        return self._add(Reminder(user, at_ms, every=every))

    def cancel(
        self, user: str, *, is_regular: bool | None = None, time: tuple[int, int] | None = None
    ) -> list[Put]:
        """A line's: those that come once, or again, or all; of one time of day, or of any. Nothing to tell: there was
        none."""
        gone = [
            reminder
            for reminder in self.of(user)
            if is_regular in (None, bool(reminder.every)) and time in (None, _time_of(reminder))
        ]
        for reminder in gone:
            self._remove(reminder)
        return [(_key(reminder), None) for reminder in gone]

    def of(self, user: str) -> list[Reminder]:
        """In their order."""
        return [reminder for _, reminder in sorted(self._of.get(user, {}).items())]

    def __iter__(self) -> Iterator[Reminder]:
        return (reminder for of_line in self._of.values() for reminder in of_line.values())

    def due(self, now_ms: int) -> tuple[list[Reminder], list[Put]]:
        """Whose time has come."""
        found: list[Reminder] = []
        puts: list[Put] = []
        while self._due and self._due[0][0] <= now_ms and len(found) < RUNG_PER_SECOND_MAX:
            at_ms, user = heapq.heappop(self._due)
            reminder = self._of.get(user, {}).get(at_ms)
            if reminder is None:  # cancelled
                continue
            self._remove(reminder)
            puts.append((_key(reminder), None))
            if reminder.every:
                puts += self._come_again(reminder, now_ms)
            if now_ms - at_ms > LATE_MS:
                self.missed += 1
            else:
                self.rung += 1
                found.append(reminder)
        return found, puts

    def failed(self, reminder: Reminder, now_ms: int) -> list[Put]:
        """The call could not be made, or nobody answered: again in a minute, three times at most."""
        if reminder.tries + 1 >= TRIES_MAX:
            self.missed += 1
            return []
        at_ms = now_ms + AGAIN_MS
        if at_ms in self._of.get(reminder.user, {}):
            return []
        return self._add(Reminder(reminder.user, at_ms, reminder.tries + 1))

    def restore(self, state: Mapping[str, bytes]) -> None:
        for key, value in state.items():
            if key.startswith(REMINDER_KEY) and (found := decode_reminder(value)) is not None:
                self._add(found)

    def _come_again(self, reminder: Reminder, now_ms: int) -> list[Put]:
        """The next time of a regular one, which is that of the clock also where this time was shifted by its change."""
        text, _, days = reminder.every.partition(":")
        time = read_time(text)
        if time is None or not set(days) & set(EVERY_DAY):
            return []  # nobody has written that but a hand in the journal
        at_ms = next_time_ms(*time, now_ms, days)
        if at_ms in self._of.get(reminder.user, {}):
            return []
        return self._add(Reminder(reminder.user, at_ms, every=reminder.every))

    def _add(self, reminder: Reminder) -> list[Put]:
        self._of.setdefault(reminder.user, {})[reminder.at_ms] = reminder
        heapq.heappush(self._due, (reminder.at_ms, reminder.user))
        self.count += 1
        return [(_key(reminder), encode(reminder))]

    def _remove(self, reminder: Reminder) -> None:
        of_line = self._of[reminder.user]
        del of_line[reminder.at_ms]
        if not of_line:
            del self._of[reminder.user]
        self.count -= 1


def _key(reminder: Reminder) -> str:
    return f"{REMINDER_KEY}{reminder.user}/{reminder.at_ms}"


def _time_of(reminder: Reminder) -> tuple[int, int]:
    """As it was dialled, where that is known; else what the clock says then."""
    kept = read_time(reminder.every.partition(":")[0])
    if kept is not None:
        return kept
    local = datetime.fromtimestamp(reminder.at_ms // 1000, LONDON)
    return local.hour, local.minute
