"""Disk work of one call, in threads, one piece after the other: neither the loop nor another call waits for a disk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

import structlog

T = TypeVar("T")

# Each is small; a call that has asked for more than this waits for a disk that does not answer.
JOBS_MAX: Final = 100

log = structlog.get_logger("voicemail")


class Jobs:
    """`submit(work, then)`: `work()` in a thread, then `then(result)` in the loop; None when it failed."""

    __slots__ = ("_executor", "_is_running", "_loop", "_on_bug", "_on_idle", "_waiting")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        executor: Executor,
        *,
        on_idle: Callable[[], None],
        on_bug: Callable[[], None],
    ) -> None:
        """`on_bug` is called, within the exception, when a `then` raised."""
        self._loop = loop
        self._executor = executor
        self._on_idle = on_idle
        self._on_bug = on_bug
        self._waiting: deque[tuple[Callable[[], Any], Callable[[Any], None]]] = deque()
        self._is_running = False

    @property
    def is_idle(self) -> bool:
        return not self._is_running and not self._waiting

    def submit(self, work: Callable[[], T], then: Callable[[T | None], None]) -> None:
        if len(self._waiting) >= JOBS_MAX:
            self._loop.call_soon(then, None)
            return
        self._waiting.append((work, then))
        if not self._is_running:
            self._run_next()

    def _run_next(self) -> None:
        work, then = self._waiting.popleft()
        self._is_running = True
        future = self._loop.run_in_executor(self._executor, work)
        future.add_done_callback(lambda done: self._finished(done, then))

    def _finished(self, done: asyncio.Future[Any], then: Callable[[Any], None]) -> None:
        self._is_running = False
        result = None
        problem = None if done.cancelled() else done.exception()
        if problem is None and not done.cancelled():
            result = done.result()
        elif problem is not None:
            log.error("voicemail_work_failed", problem=f"{type(problem).__name__}: {problem}")
        if self._waiting:
            self._run_next()
        try:
            then(result)
        except Exception:  # noqa: BLE001 - the border: the call is ended there
            self._on_bug()
        if self.is_idle:
            self._on_idle()
