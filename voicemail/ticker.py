"""One beat of 20 ms for all calls: a timer for each would wake the loop fifty times as often at fifty calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from media.codecs import FRAME_MS
from switch.sip.counts import Histogram

BEAT_S: Final = FRAME_MS / 1000
# After a stall so many beats are made up for, one after the other: receivers have a buffer for that. What is more is
# left out, or a stopped process would send a minute of sound in a burst.
CATCH_UP_MAX: Final = 3


class Ticker:
    """`beat()` every 20 ms, until it returns False."""

    __slots__ = ("_beat", "_due", "_handle", "_lateness", "_loop")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, beat: Callable[[], bool], *, lateness: Histogram
    ) -> None:
        self._loop = loop
        self._beat = beat
        self._lateness = lateness
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        if self._handle is None:
            self._due = self._loop.time() + BEAT_S
            self._handle = self._loop.call_at(self._due, self._run)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _run(self) -> None:
        now = self._loop.time()
        late = now - self._due
        self._lateness.observe(max(late, 0.0))
        beats = min(1 + int(max(late, 0.0) / BEAT_S), CATCH_UP_MAX)
        goes_on = True
        for _ in range(beats):
            goes_on = self._beat()
        self._due += beats * BEAT_S
        if self._due <= now:
            self._due = now + BEAT_S
        self._handle = self._loop.call_at(self._due, self._run) if goes_on else None
