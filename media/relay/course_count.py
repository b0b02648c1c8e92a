"""How a stream goes over time, counted from its running totals at a beat: no packet pays for it.

A slice is a second at first. When there is no room for another one, neighbours become one and slices twice as long, so
a call of a minute and one of a day cost the same memory and are drawn over the same width.
"""

from __future__ import annotations

from array import array
from typing import Final

from media.course import CENTISECONDS, pack_course
from media.quality import Stream

# A strip of so many columns; at five or six octets each it is half a kilobyte of the journal. Even: slices are halved.
SLICES_MAX: Final = 96
FIRST_INTERVAL_S: Final = 1.0
MICROS: Final = 1_000_000
MILLIS: Final = 1_000
# What a place of the array holds. A peer that leaps through its sequence numbers could count more as lost.
PLACE_MAX: Final = 0xFFFF_FFFF


class CourseCount:
    """Of one stream. `due` is when `tick` wants to be called, at the earliest."""

    __slots__ = (
        "_began_at", "_gap_at", "_gap_s", "_held", "_interval_s", "_is_excused", "_jitter", "_jitter_sum", "_length",
        "_lost", "_lost_total", "_opened_at", "_packets", "_packets_total", "_timed", "due",
    )  # fmt: skip

    def __init__(self, now: float) -> None:
        self.due = now + FIRST_INTERVAL_S
        self._interval_s = FIRST_INTERVAL_S
        self._is_excused = False
        self._opened_at = now
        self._began_at = now  # the slice that is being counted
        self._length = array("I")  # hundredths of a second
        self._packets = array("I")
        self._lost = array("I")
        self._jitter = array("I")  # microseconds
        self._held = array("B")
        self._packets_total = 0
        self._lost_total = 0
        self._jitter_sum = 0.0
        self._timed = 0
        self._gap_s = 0.0
        self._gap_at = now

    def excuse(self) -> None:
        """Some of this slice is a hold, however short it is."""
        self._is_excused = True

    def tick(self, stream: Stream, now: float, *, is_held: bool) -> None:
        """A slice is over: what the totals have grown by is its own."""
        # From the start, so that rounding does not add up.
        done = round((self._began_at - self._opened_at) * CENTISECONDS)
        length = round((now - self._opened_at) * CENTISECONDS) - done
        timed = stream.timed
        jitter_us = 0
        if timed > self._timed:
            jitter_us = round((stream.jitter_sum_s - self._jitter_sum) / (timed - self._timed) * MICROS)
        self._length.append(min(length, PLACE_MAX))
        self._packets.append(min(stream.packets - self._packets_total, PLACE_MAX))
        self._jitter.append(min(max(0, jitter_us), PLACE_MAX))
        self._held.append(is_held or self._is_excused)
        self._is_excused = False
        self._lost.append(0)
        self._count_lost(stream.lost)
        self._packets_total = stream.packets
        self._jitter_sum = stream.jitter_sum_s
        self._timed = timed
        if stream.gap_s > self._gap_s:
            self._gap_s = stream.gap_s
            self._gap_at = now
        self._began_at = now
        if len(self._length) >= SLICES_MAX:
            self._halve()
        self.due = now + self._interval_s

    def packed(self, stream: Stream, now: float, *, is_held: bool) -> bytes:
        """The stream is over."""
        self.tick(stream, now, is_held=is_held)
        rows = zip(self._length, self._packets, self._lost, self._jitter, self._held, strict=True)
        return pack_course(
            [(length, packets, lost, jitter, bool(held)) for length, packets, lost, jitter, held in rows],
            length_ms=self._ms(now),
            first_ms=self._ms(stream.first_at) if stream.packets else None,
            last_ms=self._ms(stream.last_at) if stream.packets else 0,
            gap_ms=round(stream.gap_s * MILLIS),
            gap_at_ms=self._ms(self._gap_at),
        )

    def _ms(self, at: float) -> int:
        return max(0, round((at - self._opened_at) * MILLIS))

    def _count_lost(self, total: int) -> None:
        """A packet that comes late was counted as lost in the slice before, and is taken out there."""
        found = self._lost_total - total
        place = len(self._lost) - 1
        if found < 0:
            self._lost[place] = min(-found, PLACE_MAX)
        while found > 0 and place > 0:
            place -= 1
            taken = min(found, self._lost[place])
            self._lost[place] -= taken
            found -= taken
        self._lost_total = total

    def _halve(self) -> None:
        """Each two neighbours become one."""
        length, packets, lost, jitter, held = (
            self._length, self._packets, self._lost, self._jitter, self._held
        )  # fmt: skip
        half = len(length) // 2
        for to in range(half):
            one = 2 * to
            other = one + 1
            both = packets[one] + packets[other]
            if both:
                jitter[to] = (jitter[one] * packets[one] + jitter[other] * packets[other]) // both
            else:
                jitter[to] = 0
            length[to] = min(length[one] + length[other], PLACE_MAX)
            packets[to] = min(both, PLACE_MAX)
            lost[to] = min(lost[one] + lost[other], PLACE_MAX)
            held[to] = held[one] | held[other]
        for places in (length, packets, lost, jitter, held):
            del places[half:]
        self._interval_s *= 2.0
