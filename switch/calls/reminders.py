"""*55*0730#: a call at half past seven, the next time that the clock in London says so. Pure.

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

Put = tuple[str, bytes | None]


def read_time(text: str) -> tuple[int, int] | None:
    """ "0730" as (7, 30); None where it is no time of day."""
    if len(text) != 4 or not (text.isascii() and text.isdigit()):
        return None
    hour, minute = int(text[:2]), int(text[2:])
    return (hour, minute) if hour < 24 and minute < 60 else None


def next_time_ms(hour: int, minute: int, now_ms: int) -> int:
    """UTC milliseconds of the next such moment in London."""
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    day = now.astimezone(LONDON).date()
    while True:
        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=LONDON)
        at = local.astimezone(UTC)  # one that does not exist comes out an hour later
        if at > now:
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

    def set(self, user: str, at_ms: int) -> list[Put] | None:
        """None: there is no room. The same time twice is one call."""
        have = self._of.get(user, {})
        if at_ms in have:
            return []
        if len(have) >= OF_ONE_LINE_MAX or self.count >= REMINDERS_MAX:
            return None
        return self._add(Reminder(user, at_ms))

    def cancel(self, user: str) -> list[Put]:
        """All of a line's; nothing to tell: it had none."""
        gone = self._of.pop(user, {})
        self.count -= len(gone)
        return [(_key(reminder), None) for reminder in gone.values()]

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
