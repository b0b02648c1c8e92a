"""The circuit breaker of one address of a trunk: closed while it answers, open after several silences in a row.

An open one is passed over as long as there is another way, so that callers do not wait for a dead host each time. After
a while it is tried once more (half open): by OPTIONS where the trunk is asked by OPTIONS, else by one call. Pure.
"""

import enum


class BreakerState(enum.Enum):
    CLOSED = "alive"
    OPEN = "dead"
    HALF_OPEN = "being tried"


class Breaker:
    """`failures_max` silences in a row open it, for `open_s`. `is_probed`: OPTIONS find out, no call has to."""

    __slots__ = ("_retry_at", "failures", "failures_max", "is_probed", "open_s", "opened", "since", "state")

    def __init__(self, *, failures_max: int, open_s: float, is_probed: bool, now: float) -> None:
        self.failures_max = failures_max
        self.open_s = open_s
        self.is_probed = is_probed
        self.state = BreakerState.CLOSED
        self.since = now
        self.failures = 0
        self.opened = 0  # how often, for the operator
        self._retry_at = now

    @property
    def is_closed(self) -> bool:
        return self.state is BreakerState.CLOSED

    def is_retry_due(self, now: float) -> bool:
        """Whether an open one may be tried again."""
        return not self.is_closed and now >= self._retry_at

    def lets_through(self, now: float) -> bool:
        """Whether a call may take this way while there are others."""
        return self.is_closed or (not self.is_probed and now >= self._retry_at)

    def try_begins(self, now: float) -> None:
        """Somebody takes this way. While one tries an open one, the others keep away."""
        if not self.is_closed and now >= self._retry_at:
            self._enter(BreakerState.HALF_OPEN, now)
            self._retry_at = now + self.open_s

    def heard(self, now: float) -> None:
        """It answered, whatever it said."""
        self.failures = 0
        if not self.is_closed:
            self._enter(BreakerState.CLOSED, now)

    def silent(self, now: float) -> None:
        """No answer, no connection, or its own word that it is out of service."""
        self.failures += 1
        if self.state is BreakerState.HALF_OPEN or (self.is_closed and self.failures >= self.failures_max):
            self.opened += self.is_closed
            self._enter(BreakerState.OPEN, now)
            self._retry_at = now + self.open_s

    def _enter(self, state: BreakerState, now: float) -> None:
        self.state = state
        self.since = now
