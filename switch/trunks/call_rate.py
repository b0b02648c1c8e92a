"""Calls per second of one trunk: a token bucket that holds one second's worth. Pure."""


class CallRate:
    """`per_second_max` INVITEs a second, as many at once after a pause."""

    __slots__ = ("_at", "_tokens", "excess", "per_second_max")

    def __init__(self, per_second_max: int, now: float) -> None:
        self.per_second_max = per_second_max
        self.excess = 0  # calls that took another way for it
        self._tokens = float(per_second_max)
        self._at = now

    def has_room(self, now: float) -> bool:
        self._fill(now)
        return self._tokens >= 1.0

    def take(self, now: float) -> None:
        """An INVITE goes out. Emergency calls and second tries go in any case and are paid for by those that follow."""
        self._fill(now)
        self._tokens = max(self._tokens - 1.0, -float(self.per_second_max))

    def _fill(self, now: float) -> None:
        self._tokens = min(self._tokens + (now - self._at) * self.per_second_max, float(self.per_second_max))
        self._at = now
