"""The one timer of the event loop that wakes a process for the next timer of its queue (switch/sip/timers.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """`ring` is called `slack_s` after the deadline at the earliest: what comes meanwhile may find the timers due, and
    then there is no need to wake up. `now` is the clock that deadlines are told in."""

    __slots__ = ("_deadline", "_handle", "_now", "_ring", "_slack_s")

    def __init__(self, ring: Callable[[], None], *, now: Callable[[], float], slack_s: float) -> None:
        self._ring = ring
        self._now = now
        self._slack_s = slack_s
        self._handle: asyncio.TimerHandle | None = None
        self._deadline: float | None = None

    def set(self, deadline: float | None) -> None:
        """In place of the deadline before; None: not at all."""
        if deadline == self._deadline:
            return
        self.cancel()
        self._deadline = deadline
        if deadline is not None:
            delay_s = max(deadline - self._now(), 0.0) + self._slack_s
            self._handle = asyncio.get_running_loop().call_later(delay_s, self._wake)

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._deadline = None

    def _wake(self) -> None:
        self._handle = self._deadline = None
        self._ring()
