"""A value that holds from an instant on, until the next one: an exchange rate, a percentage of VAT."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Generic, TypeVar

Value = TypeVar("Value")


class DatedValues(Generic[Value]):
    """From UTC milliseconds to what holds from then on. Before the first there is none."""

    __slots__ = ("_from_ms", "_values")

    def __init__(self, values: Mapping[int, Value]) -> None:
        self._from_ms = sorted(values)
        self._values = [values[from_ms] for from_ms in self._from_ms]

    def __len__(self) -> int:
        return len(self._values)

    def at(self, at_ms: int) -> Value | None:
        """What holds at that instant, or None."""
        place = bisect_right(self._from_ms, at_ms)
        return self._values[place - 1] if place else None
