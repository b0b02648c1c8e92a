"""Who has been waiting too long: things with one common delay, in the order in which they will be due.

Pure.
"""

from typing import Generic, TypeVar

Item = TypeVar("Item")


class Deadlines(Generic[Item]):
    """`start` puts an item (again) at the end, so the due ones always stand in front: no search, no heap."""

    __slots__ = ("_started", "delay_s")

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self._started: dict[Item, float] = {}

    def start(self, item: Item, now: float) -> None:
        self._started.pop(item, None)
        self._started[item] = now

    def start_if_absent(self, item: Item, now: float) -> None:
        self._started.setdefault(item, now)

    def cancel(self, item: Item) -> None:
        self._started.pop(item, None)

    def pop_due(self, now: float) -> list[Item]:
        """The items whose delay has passed; they are forgotten."""
        due = []
        for item, started in self._started.items():
            if started + self.delay_s > now:
                break
            due.append(item)
        for item in due:
            del self._started[item]
        return due

    def __len__(self) -> int:
        return len(self._started)
