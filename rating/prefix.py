"""The longest-prefix table: which of many prefixes begins this number. Immutable once built.

One dictionary, and the lengths that occur in it, longest first: a look-up costs one probe per length (there
are at most PREFIX_CHARS_MAX), however many prefixes the table has.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")

PREFIX_CHARS_MAX: Final = 16  # a plus and the 15 digits that E.164 allows


class PrefixTable(Generic[Value]):
    """From prefix to value. A prefix is 1 to PREFIX_CHARS_MAX characters; anything else raises ValueError.

    `lengths` are those that occur, longest first.
    """

    __slots__ = ("lengths", "values")

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = dict(values)
        self.lengths = tuple(sorted({len(prefix) for prefix in self.values}, reverse=True))
        if self.lengths and not (self.lengths[-1] >= 1 and self.lengths[0] <= PREFIX_CHARS_MAX):
            raise ValueError(f"a prefix is 1 to {PREFIX_CHARS_MAX} characters long")

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def longest(self, number: str) -> Value | None:
        """The value of the longest prefix that begins `number`, or None."""
        values = self.values
        size = len(number)
        for length in self.lengths:
            # Without the test of the size a short number would be probed again and again under one key.
            if length <= size and (value := values.get(number[:length])) is not None:
                return value
        return None

    def matching(self, number: str) -> list[Value]:
        """The values of all prefixes that begin `number`, longest first: for those who must skip some."""
        values = self.values
        size = len(number)
        return [
            value
            for length in self.lengths
            if length <= size and (value := values.get(number[:length])) is not None
        ]
