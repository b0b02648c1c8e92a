"""How many calls a line begins in a second: a token bucket for each line that has such a limit.

A second's worth may come at once, then one call for each part of a second. Attempts count, whatever becomes of them;
emergency calls never ask.
"""

from typing import Final

from switch.token_bucket import TokenBucket

# A bucket that is full again says nothing and is forgotten; more than this cannot be in use within one second.
BUCKETS_MAX: Final = 10_000


class CallRates:
    """Owner of the buckets, by the line's user."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: dict[str, TokenBucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, user: str, per_second: int, now: float) -> bool:
        """Whether the line may begin a call now; if so it is counted."""
        bucket = self._buckets.get(user)
        if bucket is None or bucket.burst != per_second:
            if len(self._buckets) >= BUCKETS_MAX:
                self._forget_full(now)
            bucket = self._buckets[user] = TokenBucket(per_second, per_second, now)
        return bucket.take(now)

    def _forget_full(self, now: float) -> None:
        self._buckets = {
            user: bucket for user, bucket in self._buckets.items() if bucket.left(now) < bucket.burst
        }
