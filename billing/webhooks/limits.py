"""How often somebody may knock: a token bucket for each source, and one for all. Pure: `now` comes in."""

from typing import Final

# A provider sends one piece of news for a payment, and batches what has piled up; a hundred at once is a whole day's.
SOURCE_BURST: Final = 100.0
SOURCE_PER_S: Final = 20.0
ALL_BURST: Final = 400.0
ALL_PER_S: Final = 100.0
# Sources that are remembered: beyond it the one that knocked longest ago is forgotten, and starts anew.
SOURCES_MAX: Final = 10_000


class Bucket:
    __slots__ = ("_at", "_burst", "_left", "_per_s")

    def __init__(self, *, burst: float, per_s: float, now: float) -> None:
        self._burst, self._per_s, self._left, self._at = burst, per_s, burst, now

    def take(self, now: float) -> bool:
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._per_s)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class KnockLimit:
    """Whether somebody may come in now. A source that is over its limit takes nothing from the others."""

    __slots__ = ("_all", "_of")

    def __init__(self, now: float) -> None:
        self._all = Bucket(burst=ALL_BURST, per_s=ALL_PER_S, now=now)
        self._of: dict[str, Bucket] = {}

    def admits(self, source: str, now: float) -> bool:
        bucket = self._of.pop(source, None)
        if bucket is None:
            if len(self._of) >= SOURCES_MAX:
                del self._of[next(iter(self._of))]
            bucket = Bucket(burst=SOURCE_BURST, per_s=SOURCE_PER_S, now=now)
        self._of[source] = bucket
        return bucket.take(now) and self._all.take(now)
