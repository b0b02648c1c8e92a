"""How often something may happen: so many at once, then so many a second. Pure."""


class TokenBucket:
    """`burst` at once after a pause, `per_second` a second in the long run. `now` is monotonic seconds."""

    __slots__ = ("_at", "_left", "burst", "per_second")

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        self.per_second = per_second
        self.burst = burst
        self._left = burst
        self._at = now

    def left(self, now: float) -> float:
        """What may happen at once now; below zero after `take_anyway`."""
        self._left = min(self.burst, self._left + (now - self._at) * self.per_second)
        self._at = now
        return self._left

    def take(self, now: float) -> bool:
        """Whether it may happen now; if so it is counted."""
        if self.left(now) < 1.0:
            return False
        self._left -= 1.0
        return True

    def take_anyway(self, now: float) -> None:
        """It happens in any case, and those that follow pay for it, for no more than one burst."""
        self._left = max(self.left(now) - 1.0, -self.burst)
