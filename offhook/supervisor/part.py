"""One part of the exchange: a child process that is started again whenever it ends unasked.

Each part has a session of its own, so that Ctrl-C in a terminal reaches the supervisor alone and the parts
stop in the right order. The kernel ends a part when the supervisor dies (PR_SET_PDEATHSIG): nothing of an
exchange outlives it to get in the way of the next one. It leaves out when to start and in which order to
stop: see exchange.py.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable

import msgspec
import structlog

from offhook.exit_codes import CommandError, ExitCode
from offhook.supervisor.back_off import BackOff

PR_SET_PDEATHSIG = 1
LINE_BYTES_MAX = 64 * 1024
# A part that has never served and died this often will not get better by itself: a port in use, a broken
# file.
FAILURES_BEFORE_GIVING_UP = 5

# PostgreSQL's words for how bad it is; what is not here (LOG, DETAIL, HINT) is information.
SEVERITY_LEVELS = {
    "WARNING": logging.WARNING,
    "ERROR": logging.WARNING,  # one statement's, told to its client as well
    "FATAL": logging.ERROR,
    "PANIC": logging.ERROR,
}

_libc = ctypes.CDLL(None, use_errno=True)

log = structlog.get_logger("offhook.supervisor")


class PartPlan(msgspec.Struct, frozen=True):
    """How to run one part. `uid`/`gid` None: as ourselves. `stop_signal` asks it to end in good order."""

    name: str
    command: list[str]
    environment: dict[str, str]
    directory: str
    stop_signal: int = signal.SIGTERM
    stop_wait_s: float = 10.0
    last_resort_signal: int = signal.SIGKILL
    uid: int | None = None
    gid: int | None = None
    logs_stderr: bool = False
    before_start: Callable[[], None] | None = None


class Part:
    """Keeps one child process running. `run` until `stop`."""

    __slots__ = ("_back_off", "_has_served", "_is_stopping", "_process", "_wake", "plan", "starts")

    def __init__(self, plan: PartPlan) -> None:
        self.plan = plan
        self.starts = 0
        self._process: Process | None = None
        self._back_off = BackOff()
        self._is_stopping = False
        self._has_served = False
        self._wake = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The running child, or None between two lives."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def mark_served(self) -> None:
        """It has been seen working once: from now on its death is a crash, and it is restarted for ever."""
        self._has_served = True

    async def run(self) -> None:
        """Starts the child again after each death, with back-off.

        Raises CommandError when it keeps dying without having served once, or refuses its configuration.
        """
        while not self._is_stopping:
            started = time.monotonic()
            code = await self._live_once()
            if self._is_stopping:
                return
            delay_s = self._back_off.delay_after(time.monotonic() - started)
            self._give_up_on(code)
            log.error("part_ended", part=self.plan.name, how=exit_text(code), restart_in_s=delay_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), delay_s)

    async def stop(self) -> None:
        """Asks the child to end and waits; after `stop_wait_s` it is ended by force."""
        self._is_stopping = True
        self._wake.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        log.info("part_stopping", part=self.plan.name)
        started = time.monotonic()
        _signal(process, self.plan.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), self.plan.stop_wait_s)
        except TimeoutError:
            log.error("part_stop_forced", part=self.plan.name, waited_s=self.plan.stop_wait_s)
            _signal(process, self.plan.last_resort_signal)
            await process.wait()
        how = exit_text(process.returncode or 0)
        log.info("part_stopped", part=self.plan.name, how=how, took_s=round(time.monotonic() - started, 2))

    def kill(self) -> None:
        """Ends the child at once: the operator has asked twice."""
        if self._process is not None and self._process.returncode is None:
            _signal(self._process, self.plan.last_resort_signal)

    async def _live_once(self) -> int:
        plan = self.plan
        self.starts += 1
        if plan.before_start is not None:
            plan.before_start()
        self._process = process = await asyncio.create_subprocess_exec(
            *plan.command,
            stdin=DEVNULL,
            stderr=PIPE if plan.logs_stderr else None,
            env=plan.environment,
            cwd=plan.directory,
            start_new_session=True,
            user=plan.uid,
            group=plan.gid,
            extra_groups=[] if plan.uid is not None else None,
            preexec_fn=_end_with_parent(plan.stop_signal),
            limit=LINE_BYTES_MAX,
        )
        log.info("part_started", part=plan.name, pid=process.pid)
        if process.stderr is not None:
            await _log_lines(plan.name, process.stderr)
        return await process.wait()

    def _give_up_on(self, code: int) -> None:
        if self._has_served:
            return
        if code == ExitCode.INVALID:
            text = f"the {self.plan.name} refuses to start; its reason is above"
            raise CommandError(text, ExitCode.INVALID)
        if self._back_off.failures >= FAILURES_BEFORE_GIVING_UP:
            raise CommandError(
                f"the {self.plan.name} ended {self._back_off.failures} times without starting up "
                f"(at last: {exit_text(code)}); its reason is above",
                ExitCode.UNREACHABLE,
            )


def exit_text(code: int) -> str:
    """ "exit 1" or "signal 9 (SIGKILL)"."""
    if code >= 0:
        return f"exit {code}"
    with contextlib.suppress(ValueError):
        return f"signal {-code} ({signal.Signals(-code).name})"
    return f"signal {-code}"


def _signal(process: Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def _end_with_parent(number: int) -> Callable[[], None]:
    """What the child runs before exec: from then on it gets `number` when the supervisor dies."""
    parent = os.getpid()

    def in_child() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return in_child


async def _log_lines(part: str, stream: asyncio.StreamReader) -> None:
    """Passes a foreign program's stderr on as our own log lines."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # longer than LINE_BYTES_MAX; asyncio has dropped it
            continue
        if not line:
            return
        text = line.decode("utf-8", "replace").rstrip("\n")
        if text:
            severity = text.partition(":")[0]
            log.log(SEVERITY_LEVELS.get(severity, logging.INFO), "part_says", part=part, text=text)
