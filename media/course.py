"""How the sound of one end went over time, packed for its record: `MediaFigures.course`.

Some slices of time, each with what came in it, and a head that says where the stream as a whole begins, ends and has
its longest gap. The relay counts it (media/relay/course_count.py); whoever explains or draws a call reads it here.

All numbers are varints of seven bits, the lowest first. A slice is its length in hundredths of a second, its packets
doubled with one bit for "held", its lost packets and its mean jitter in microseconds: five or six octets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

VERSION: Final = 1
# What a reader takes. The relay makes fewer (SLICES_MAX there); more is no record of ours.
SLICES_READ_MAX: Final = 1_000
# Of any number in it; ten octets of a varint would hold 70 bits.
NUMBER_MAX: Final = 2**40
CENTISECONDS: Final = 100
HEAD_NUMBERS: Final = 6
SLICE_NUMBERS: Final = 4

_NOTHING_CAME: Final = 0


class CourseError(ValueError):
    """These octets are no course."""


class Slice(msgspec.Struct, frozen=True):
    """What came between `at_s` and `seconds` later, counted from when the port was opened.

    `jitter_us` is RFC 3550's, the mean. `is_held`: for some of it the end was on hold, so that silence means nothing.
    """

    at_s: float
    seconds: float
    packets: int
    lost: int
    jitter_us: int
    is_held: bool = False

    @property
    def loss_percent(self) -> float:
        expected = self.packets + self.lost
        return 100.0 * self.lost / expected if expected else 0.0


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """A stream over its whole life, `length_ms`, which ends at its record's `ended_at_ms`.

    Times are since the port was opened, which is when the call was put through and not when it was answered.
    `first_ms` None: nothing came. `gap_ms` is the longest time between two packets that was not a hold, and `gap_at_ms`
    when it was over, to the second.
    """

    length_ms: int = 0
    first_ms: int | None = None
    last_ms: int = 0
    gap_ms: int = 0
    gap_at_ms: int = 0
    slices: list[Slice] = []

    def opened_at_ms(self, ended_at_ms: int) -> int:
        """UTC, from the record's end."""
        return ended_at_ms - self.length_ms


def read_course(data: bytes) -> list[Slice]:
    """The slices, in order; none for b"". Raises CourseError, and nothing else."""
    return course_of(data).slices


def course_of(data: bytes) -> Course:
    """All of it; an empty one for b"". Raises CourseError, and nothing else."""
    if not data:
        return Course()
    if data[0] != VERSION:
        raise CourseError(f"a course of version {data[0]}, not {VERSION}")
    numbers = _numbers(data[1:])
    if len(numbers) < HEAD_NUMBERS:
        raise CourseError("a course ends in its head")
    length_ms, first, last_ms, gap_ms, gap_at_ms, count = numbers[:HEAD_NUMBERS]
    if count > SLICES_READ_MAX or len(numbers) != HEAD_NUMBERS + count * SLICE_NUMBERS:
        raise CourseError(f"a course of {count} slices has {len(numbers)} numbers")
    return Course(
        length_ms=length_ms,
        first_ms=None if first == _NOTHING_CAME else first - 1,
        last_ms=last_ms,
        gap_ms=gap_ms,
        gap_at_ms=gap_at_ms,
        slices=_slices(numbers[HEAD_NUMBERS:]),
    )


def _slices(numbers: list[int]) -> list[Slice]:
    slices, at = [], 0
    for index in range(0, len(numbers), SLICE_NUMBERS):
        length, packets, lost, jitter_us = numbers[index : index + SLICE_NUMBERS]
        slices.append(
            Slice(at / CENTISECONDS, length / CENTISECONDS, packets >> 1, lost, jitter_us, bool(packets & 1))
        )
        at += length
    return slices


def pack_course(
    slices: Iterable[tuple[int, int, int, int, bool]],
    *,
    length_ms: int,
    first_ms: int | None,
    last_ms: int,
    gap_ms: int,
    gap_at_ms: int,
) -> bytes:
    """A slice is (hundredths of a second, packets, lost, jitter in microseconds, is held)."""
    packed = bytearray()
    count = 0
    for length, packets, lost, jitter_us, is_held in slices:
        for number in (length, packets << 1 | is_held, lost, jitter_us):
            _append(packed, number)
        count += 1
    head = bytearray([VERSION])
    first = _NOTHING_CAME if first_ms is None else first_ms + 1
    for number in (length_ms, first, last_ms, gap_ms, gap_at_ms, count):
        _append(head, number)
    return bytes(head + packed)


def _append(packed: bytearray, number: int) -> None:
    number = min(max(0, number), NUMBER_MAX)
    while number >= 0x80:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    packed.append(number)


def _numbers(data: bytes) -> list[int]:
    numbers: list[int] = []
    number = shift = 0
    for octet in data:
        number |= (octet & 0x7F) << shift
        if number > NUMBER_MAX or shift > 40:
            raise CourseError("a number in a course is too large")
        if octet & 0x80:
            shift += 7
            continue
        numbers.append(number)
        if len(numbers) > HEAD_NUMBERS + SLICES_READ_MAX * SLICE_NUMBERS:
            raise CourseError("a course is too long")
        number = shift = 0
    if shift:
        raise CourseError("a course ends in a number")
    return numbers
