"""How many octets of answers a source of unauthenticated datagrams gets: a token bucket each.

The address of a datagram can be forged: every answer to a stranger may hit somebody who asked for nothing. Its size is
bounded by the request's (switch/sip/stateless.py), its rate here.
"""

from typing import Final

# What a source may have of answers at once: 500 phones behind one address come back together, challenged once each.
BURST_OCTETS: Final = 256 * 1024
# And from then on each second: 60 challenges, or 262 kbit/s for a victim, whatever the attacker's bandwidth. Phones
# repeat what is not answered for half a minute, so an office of 2,000 is in within that.
OCTETS_PER_S: Final = 32 * 1024
# Sources kept, some 16 MB. One silent for BURST_OCTETS / OCTETS_PER_S seconds is as good as new and makes room.
SOURCES_MAX: Final = 65_536
# When there is no room, all others share so many sources' budget: forging many addresses uses up nothing but this.
SHARED_FACTOR: Final = 16
_SHARED: Final = ""


class AnswerBudgets:
    """`now` is monotonic seconds."""

    __slots__ = ("_left", "_sources_max")

    def __init__(self, sources_max: int = SOURCES_MAX) -> None:
        self._sources_max = sources_max
        # source -> (octets left, as of when), in the order of their last use
        self._left: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._left)

    def take(self, source: str, octets: int, now: float) -> bool:
        """Whether an answer of that size may go to this source; then it is deducted."""
        if source not in self._left and len(self._left) >= self._sources_max and not self._make_room(now):
            return self._take(_SHARED, octets, now, SHARED_FACTOR)
        return self._take(source, octets, now, 1)

    def _take(self, key: str, octets: int, now: float, factor: int) -> bool:
        left, at = self._left.pop(key, (float(BURST_OCTETS * factor), now))
        left = min(left + (now - at) * OCTETS_PER_S * factor, BURST_OCTETS * factor)
        is_enough = left >= octets
        self._left[key] = (left - octets if is_enough else left, now)
        return is_enough

    def _make_room(self, now: float) -> bool:
        oldest = next(iter(self._left))
        if now - self._left[oldest][1] < BURST_OCTETS / OCTETS_PER_S:
            return False
        del self._left[oldest]
        return True
