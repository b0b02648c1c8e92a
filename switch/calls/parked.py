"""Where calls are parked: the slots of each account, and what is in them (parking.py)."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from switch.calls.parking import ParkedCall

# What people can keep in mind and say aloud; an office with more calls parked than that has lost count of them.
SLOTS_MAX: Final = 99


class ParkedCalls:
    """By account and slot. One a process; counters only grow."""

    __slots__ = ("_calls", "counts")

    def __init__(self) -> None:
        self._calls: dict[int, dict[int, ParkedCall | None]] = {}
        self.counts: Counter[str] = Counter()  # parked, retrieved, returned (answered), returns (tried), full

    def __len__(self) -> int:
        return sum(len(slots) for slots in self._calls.values())

    def __iter__(self) -> "Iterator[ParkedCall]":
        return (
            call for slots in list(self._calls.values()) for call in list(slots.values()) if call is not None
        )

    def free_slot(self, account_id: int, wanted: int = 0) -> int:
        """The slot that is wanted, or the lowest one that is free; 0: there is none."""
        taken = self._calls.get(account_id, {})
        choice = (wanted,) if wanted else range(1, SLOTS_MAX + 1)
        return next((slot for slot in choice if slot not in taken), 0)

    def hold(self, account_id: int, slot: int) -> None:
        """A call is about to be parked there."""
        self._calls.setdefault(account_id, {})[slot] = None

    def put(self, parked: "ParkedCall") -> None:
        self.counts["parked"] += 1
        self._calls.setdefault(parked.line.account_id, {})[parked.slot] = parked

    def free(self, account_id: int, slot: int) -> None:
        slots = self._calls.get(account_id, {})
        slots.pop(slot, None)
        if not slots:
            self._calls.pop(account_id, None)

    def find(self, account_id: int, slot: int = 0) -> "ParkedCall | None":
        """The call in that slot; without one the call that has waited longest."""
        slots = self._calls.get(account_id, {})
        if slot:
            return slots.get(slot)
        calls = [call for call in slots.values() if call is not None]
        return min(calls, key=lambda call: call.parked_at, default=None)
