"""How many calls a line begins in a second: a token bucket for each line that has such a limit.

A second's worth may come at once, then one call for each part of a second. Attempts count, whatever becomes of them;
emergency calls never ask.
"""

from typing import Final

# A bucket that is full again says nothing and is forgotten; more than this cannot be in use within one second.
BUCKETS_MAX: Final = 10_000


class CallRates:
    """Owner of the buckets, by the line's user."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, user: str, per_second: int, now: float) -> bool:
        """Whether the line may begin a call now; if so it is counted."""
        bucket = self._buckets.get(user)
        allowance = float(per_second)
        if bucket is not None:
            left, at = bucket
            allowance = min(allowance, left + (now - at) * per_second)
        elif len(self._buckets) >= BUCKETS_MAX:
            self._forget_full(now)
        if allowance < 1.0:
            return False
        self._buckets[user] = (allowance - 1.0, now)
        return True

    def _forget_full(self, now: float) -> None:
        """Within a second every bucket fills up, whatever its limit."""
        self._buckets = {user: bucket for user, bucket in self._buckets.items() if now - bucket[1] < 1.0}
