"""Things to look at later, sorted roughly by time: one list a slot, instead of one timer each.

Adding costs the same whatever is in it. Nothing can be taken out before its time: whoever takes a due item
checks whether it still has business with it. Times are monotonic seconds.
"""

import heapq
from typing import Generic, TypeVar

T = TypeVar("T")


class Wheel(Generic[T]):
    """An item comes due at its time or up to `slot_s` later, never before it."""

    __slots__ = ("_order", "_slot_s", "_slots")

    def __init__(self, slot_s: float) -> None:
        self._slot_s = slot_s
        self._slots: dict[int, list[T]] = {}
        self._order: list[int] = []

    def slot_of(self, at: float) -> int:
        """The slot in which something to be looked at at that time stands."""
        return int(at / self._slot_s) + 1

    def add(self, slot: int, item: T) -> None:
        items = self._slots.get(slot)
        if items is None:
            self._slots[slot] = [item]
            heapq.heappush(self._order, slot)
        else:
            items.append(item)

    def take_due(self, now: float, count_max: int) -> list[T]:
        """At most so many of what is due; the rest stays for the next call."""
        due: list[T] = []
        current = int(now / self._slot_s)
        while self._order and self._order[0] <= current and len(due) < count_max:
            items = self._slots[self._order[0]]
            wanted = count_max - len(due)
            due += items[-wanted:]
            del items[-wanted:]
            if not items:
                del self._slots[heapq.heappop(self._order)]
        return due

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))
