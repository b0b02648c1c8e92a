"""When a line was registered: a bar for each day, with its gaps and its refused logins. Pure; an `<svg>` of our own
making.

A gap is told by its form, not by colour alone: the bar is high while a phone is registered, and a dashed line where
none is.
"""

import datetime
from itertools import pairwise
from typing import Final

from care.ladder.svg_shapes import line, picture, rect, text
from portal.rendering import ZONE, day, london
from provisioning.registration_search import LineHistory

WIDE: Final = 1080.0
NARROW: Final = 360.0
_ROW: Final = 30.0
_BAR: Final = 16.0
_HEAD: Final = 24.0
# Of refused logins marked on one day; they repeat, and more only blacken the bar.
MARKS_MAX: Final = 200


def bars(history: LineHistory, *, is_narrow: bool) -> str:
    """One `<svg>`: the days from top to bottom, each from midnight to midnight in London."""
    width = NARROW if is_narrow else WIDE
    left = 92.0 if is_narrow else 96.0
    days = _days(history.since_ms, history.until_ms)
    parts = _hours(left, width, len(days), is_narrow=is_narrow)
    for row, (since_ms, until_ms) in enumerate(days):
        y = _HEAD + row * _ROW
        parts.append(text((4, y + 13), day(since_ms), 13, "fd-num"))
        place = _Place(left, width - 6, since_ms, until_ms)
        parts += _day(history, place, y)
    label = f"Registrations of line {history.line} over {len(days)} days: {len(history.gaps)} times without a phone."
    return picture(parts, width=width, height=_HEAD + len(days) * _ROW + 2, label=label, with_style=False)


class _Place:
    """Where on the bar a time of this day is."""

    __slots__ = ("_left", "_width", "since_ms", "until_ms")

    def __init__(self, left: float, right: float, since_ms: int, until_ms: int) -> None:
        self._left, self._width = left, right - left
        self.since_ms, self.until_ms = since_ms, until_ms

    def x(self, at_ms: int) -> float:
        within = min(max(at_ms, self.since_ms), self.until_ms) - self.since_ms
        return self._left + self._width * within / (self.until_ms - self.since_ms)

    def has(self, since_ms: int, until_ms: int) -> bool:
        return since_ms < self.until_ms and until_ms > self.since_ms


def _day(history: LineHistory, place: _Place, y: float) -> list[str]:
    now_ms = history.until_ms
    start, end = place.x(max(place.since_ms, history.since_ms)), place.x(min(place.until_ms, now_ms))
    parts = [line((start, y + _BAR / 2), (end, y + _BAR / 2), "rb-gap")]
    for span in history.spans:
        since_ms = history.since_ms if span.from_ms is None else span.from_ms
        until_ms = now_ms if span.until_ms is None else span.until_ms
        if place.has(since_ms, until_ms):
            x = place.x(since_ms)
            parts.append(rect((x, y), (max(1.0, place.x(until_ms) - x), _BAR), "rb-on"))
    marks = [event for event in history.refused if place.since_ms <= event.at_ms < place.until_ms]
    for event in marks[-MARKS_MAX:]:
        x = place.x(event.at_ms)
        parts.append(line((x, y - 3), (x, y + _BAR + 3), "rb-refused"))
    return parts


def _hours(left: float, width: float, days: int, *, is_narrow: bool) -> list[str]:
    """Thin lines every six hours; an hour of a day with a change of the clock is a little off them."""
    parts = []
    for hour in range(0, 25, 6):
        x = left + (width - 6 - left) * hour / 24
        anchor = "start" if hour == 0 else "end" if hour == 24 else "middle"
        if not (is_narrow and hour in (6, 18)):
            parts.append(text((x, 14), f"{hour % 24:02d}:00", 12, "fd-soft", "fd-num", anchor=anchor))
        parts.append(line((x, 19), (x, _HEAD + days * _ROW - 8), "fd-grid"))
    return parts


def _days(since_ms: int, until_ms: int) -> list[tuple[int, int]]:
    """Midnight to midnight in London, as UTC milliseconds; the first day is whole."""
    first = london(since_ms).date()
    last = london(max(since_ms, until_ms - 1)).date()
    count = (last - first).days + 1
    edges = [_midnight_ms(first + datetime.timedelta(days=number)) for number in range(count + 1)]
    return list(pairwise(edges))


def _midnight_ms(date: datetime.date) -> int:
    at = datetime.datetime.combine(date, datetime.time(), ZONE)
    return round(at.timestamp() * 1000)
