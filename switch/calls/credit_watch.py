"""Prepaid time while a call lasts: renewed ahead, cut at the last paid second.

The reservation is kept `reserve_ahead_s` ahead of the talk. When the account cannot give more, the watch asks again
`warning_s` before the end of the paid time, when the caller is warned, and at the very end, so that a top-up meanwhile
keeps the call; then it reports exhaustion.
"""

import math
from collections.abc import Callable

from rating.engine import Engine
from switch.sip.timers import Timer, TimerQueue


class CreditWatch:
    """Watches one answered call. `granted_s` counts from the answer. `on_renewed` hears each longer grant, `on_low`
    that the paid time is about to end (never, with a `warning_s` of 0)."""

    __slots__ = (
        "_ahead_s",
        "_answered_at",
        "_before_s",
        "_call_id",
        "_engine",
        "_on_exhausted",
        "_on_low",
        "_on_renewed",
        "_timer",
        "_timers",
        "_warning_s",
        "granted_s",
    )

    def __init__(
        self,
        *,
        call_id: str,
        granted_s: int,
        engine: Engine,
        timers: TimerQueue,
        ahead_s: int,
        before_s: int,
        warning_s: int,
        on_renewed: Callable[[float], None],
        on_exhausted: Callable[[float], None],
        on_low: Callable[[float], None],
    ) -> None:
        self.granted_s = granted_s
        self._call_id = call_id
        self._engine = engine
        self._timers = timers
        self._ahead_s = ahead_s
        self._before_s = before_s
        self._warning_s = warning_s
        self._on_renewed = on_renewed
        self._on_exhausted = on_exhausted
        self._on_low = on_low
        self._answered_at = 0.0
        self._timer: Timer | None = None

    def start(self, now: float) -> None:
        self._answered_at = now
        self._schedule(now)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, now: float) -> None:
        """Look again `before_s` before the paid time ends, then in time for a warning, then at its end."""
        end = self._answered_at + self.granted_s
        look_at = end - self._before_s
        if look_at <= now:
            look_at = end - self._warning_s
            if look_at <= now:
                if self._warning_s:
                    self._on_low(now)
                look_at = end
        self._timer = self._timers.start(now, max(look_at - now, 0.0), self._look)

    def _look(self, now: float) -> None:
        elapsed_s = now - self._answered_at
        before = self.granted_s
        self.granted_s = self._engine.extend(self._call_id, until_s=math.ceil(elapsed_s) + self._ahead_s)
        if self.granted_s > before:
            self._on_renewed(now)
        if self._answered_at + self.granted_s <= now:
            self._timer = None
            self._on_exhausted(now)
            return
        self._schedule(now)
