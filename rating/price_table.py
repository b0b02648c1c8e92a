"""Prices by prefix in one block of bytes: packed by one process, looked up by another without being read through.

A price list of a hundred thousand prefixes takes seconds to parse and check. That is done where no call waits
(switch/price_packer.py); what comes of it is a block that the switch takes whole and swaps in between two turns.

The prefixes nest, so together they cut the numbers into ranges, each with one longest prefix. A number is written as
15 digits (shorter ones filled with 0), one bisection finds its range, the range names the prefix, and each prefix names
the next shorter one. What a prefix carries is bytes, which the owner of the table decodes when somebody calls there.
Prefixes that are no digits after a plus (short codes, on-net) are few and stand in a small dictionary.

The block, all numbers little-endian: a header of eight 64-bit numbers (magic, CRC-32 of what follows, counts of ranges
and prefixes, sizes), then starts (u64 a range), ends of the prefixes' bytes (u64), owners (i32 a range), parents (i32
a prefix), shelves (u32: how many ranges begin below each number of so many digits, so that the bisection is short),
lengths (u8), that small dictionary (msgpack), the owner's own head (bytes), and the prefixes' bytes.
"""

import struct
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

import msgspec

from rating.prefix import PrefixTable

DIGITS_MAX: Final = 15  # E.164
SPACE: Final = 10**DIGITS_MAX  # calls have the first, texts the second
CALLS: Final = 0
TEXTS: Final = SPACE
TEXT_MARK: Final = "sms:"

# Short codes, on-net: everything that is no E.164 prefix is a handful. More is a file of another kind.
ODD_PREFIXES_MAX: Final = 10_000
NOTHING: Final = -1
SHELF_DIGITS_MAX: Final = 6

_MAGIC: Final = int.from_bytes(b"ohprice1", "little")
_HEADER: Final = struct.Struct("<8Q")
_POWERS: Final = tuple(10 ** (DIGITS_MAX - length) for length in range(DIGITS_MAX + 1))


class BrokenTableError(Exception):
    """The bytes are no table of this version, or not all of it."""


class PriceTable:
    """A block. Prefixes are numbered from 0 in the order of their digits; `NOTHING` is none.

    Raises BrokenTableError. A buffer that is not bytes must stay as it is as long as the table is used.
    """

    __slots__ = (
        "_bytes", "_count", "_ends", "_lengths", "_odd", "_owners", "_parents", "_shelf", "_shelves",
        "_starts", "head",
    )  # fmt: skip

    def __init__(self, buffer: "bytes | memoryview") -> None:
        whole = memoryview(buffer)
        if len(whole) < _HEADER.size:
            raise BrokenTableError("too short")
        magic, check, ranges, prefixes, odd_bytes, head_bytes, value_bytes, shelf_digits = (
            _HEADER.unpack_from(whole)
        )
        if magic != _MAGIC:
            raise BrokenTableError("another kind of file, or another version of it")
        if shelf_digits > SHELF_DIGITS_MAX:
            raise BrokenTableError("its header is damaged")
        shelves = 4 * (2 * 10**shelf_digits + 1)
        sizes = (
            *(8 * ranges, 8 * prefixes, 4 * ranges, 4 * prefixes, shelves),
            *(prefixes, odd_bytes, head_bytes, value_bytes),
        )
        if len(whole) != _HEADER.size + sum(sizes):
            raise BrokenTableError(f"{len(whole)} bytes, expected {_HEADER.size + sum(sizes)}")
        if zlib.crc32(whole[_HEADER.size :]) != check:
            raise BrokenTableError("its checksum is wrong")
        parts: list[memoryview] = []
        at = _HEADER.size
        for size in sizes:
            parts.append(whole[at : at + size])
            at += size
        self._count: int = prefixes
        self._starts = parts[0].cast("Q")
        self._ends = parts[1].cast("Q")
        self._owners = parts[2].cast("i")
        self._parents = parts[3].cast("i")
        self._shelves = parts[4].cast("I")
        self._shelf = SPACE // 10**shelf_digits  # how many numbers stand on one
        self._lengths = parts[5]
        self._odd = PrefixTable(msgspec.msgpack.decode(parts[6], type=dict[str, int]))
        self.head = parts[7]
        self._bytes = parts[8]

    def __len__(self) -> int:
        return self._count

    def find(self, number: str, space: int = CALLS) -> int:
        """The longest prefix that begins `number` (E.164 with its plus, a short code, on-net), or NOTHING."""
        digits = number[1 : DIGITS_MAX + 1]
        if number[:1] != "+" or not (digits.isdigit() and digits.isascii()):
            odd = self._odd.longest(number if space == CALLS else TEXT_MARK + number)
            return NOTHING if odd is None else odd
        size = len(digits)
        at = space + int(digits) * _POWERS[size]
        shelf = at // self._shelf
        place = bisect_right(self._starts, at, self._shelves[shelf], self._shelves[shelf + 1])
        # Filled up with zeros it may seem to begin with longer prefixes than it has digits.
        prefix: int = self._owners[place - 1] if place else NOTHING
        while prefix >= 0 and self._lengths[prefix] > size:
            prefix = self._parents[prefix]
        return prefix

    def shorter(self, prefix: int) -> int:
        """The next shorter prefix that begins this one, or NOTHING."""
        parent: int = self._parents[prefix]
        return parent

    def value(self, prefix: int) -> memoryview:
        """The bytes of a prefix."""
        return self._bytes[self._ends[prefix - 1] if prefix else 0 : self._ends[prefix]]

    def values(self) -> Iterator[memoryview]:
        """Of all prefixes, in their order."""
        return (self.value(prefix) for prefix in range(self._count))


def pack_table(values: Mapping[str, bytes], head: bytes = b"") -> bytes:
    """The block of these prefixes. Raises ValueError for more odd ones than ODD_PREFIXES_MAX."""
    placed: list[tuple[int, int, str]] = []
    odd: list[str] = []
    for prefix in values:
        place = _place(prefix)
        placed.append((*place, prefix)) if place is not None else odd.append(prefix)
    if len(odd) > ODD_PREFIXES_MAX:
        raise ValueError(f"{len(odd)} prefixes that are no E.164: expected at most {ODD_PREFIXES_MAX}")
    placed.sort()
    odd.sort()
    starts, owners, parents = _cut(placed)
    odd_table = {}
    for number, prefix in enumerate(odd, len(placed)):
        odd_table[prefix] = number
        parents.append(_odd_parent(prefix, odd_table))
    in_order = [prefix for _, _, prefix in placed] + odd
    ends = array("Q")
    end = 0
    for prefix in in_order:
        end += len(values[prefix])
        ends.append(end)
    lengths = bytes([length for _, length, _ in placed] + [0] * len(odd))
    odd_bytes = msgspec.msgpack.encode(odd_table)
    shelf_digits = _shelf_digits(len(starts))
    numbers = (starts, ends, owners, parents, _shelves(starts, shelf_digits))
    parts = [*(each.tobytes() for each in numbers), lengths, odd_bytes, head]
    body = b"".join(parts + [values[prefix] for prefix in in_order])
    header = _HEADER.pack(
        _MAGIC, zlib.crc32(body), len(starts), len(in_order), len(odd_bytes), len(head), end, shelf_digits
    )
    return header + body


def _place(prefix: str) -> tuple[int, int] | None:
    """Where the numbers of an E.164 prefix begin, and how many digits it has."""
    space = CALLS
    if prefix.startswith(TEXT_MARK):
        space, prefix = TEXTS, prefix[len(TEXT_MARK) :]
    digits = prefix[1:]
    if prefix[:1] != "+" or not (digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX):
        return None
    return space + int(digits) * _POWERS[len(digits)], len(digits)


def _cut(placed: list[tuple[int, int, str]]) -> "tuple[array[int], array[int], array[int]]":
    """The ranges (where each begins, whose it is) and each prefix's parent. `placed` is in the order of numbers."""
    starts, owners, parents = array("Q"), array("i"), array("i")
    around: list[tuple[int, int]] = []  # (end, prefix) of those that are open

    def begin(start: int, owner: int) -> None:
        if starts and starts[-1] == start:
            owners[-1] = owner
        else:
            starts.append(start)
            owners.append(owner)

    def close_until(start: int) -> None:
        while around and around[-1][0] <= start:
            end, _ = around.pop()
            begin(end, around[-1][1] if around else NOTHING)

    for number, (start, length, _) in enumerate(placed):
        close_until(start)
        parents.append(around[-1][1] if around else NOTHING)
        begin(start, number)
        around.append((start + _POWERS[length], number))
    close_until(2 * SPACE)
    assert all(before < after for before, after in pairwise(starts))
    return starts, owners, parents


def _shelf_digits(ranges: int) -> int:
    """About as many shelves as ranges, which keeps them a small part of the block."""
    return max(1, min(SHELF_DIGITS_MAX, len(str(ranges)) - 1))


def _shelves(starts: "array[int]", digits: int) -> "array[int]":
    """One more than there are: the last says where the last one ends."""
    step = SPACE // 10**digits
    shelves = array("I")
    before = 0
    for shelf in range(2 * 10**digits):
        before = bisect_right(starts, shelf * step - 1, before)
        shelves.append(before)
    shelves.append(len(starts))
    return shelves


def _odd_parent(prefix: str, table: Mapping[str, int]) -> int:
    """Of "118500" it is "118"."""
    for length in range(len(prefix) - 1, 0, -1):
        if (parent := table.get(prefix[:length])) is not None:
            return parent
    return NOTHING
