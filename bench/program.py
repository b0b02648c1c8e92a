"""One foreign program: started with its output in a file, ended by its own pid, never by name."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

STOP_WAIT_S = 60.0  # PostgreSQL writes out its memory, the exchange ships its last records
POLL_S = 0.05
LOG_TAIL_CHARS = 2000


class BenchError(Exception):
    """The measurement cannot go on: what failed, and what it last said."""


class Program:
    """A running program. Use it as a context manager: it is ended on the way out, whatever happens."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | str | None = None,
        uid: int | None = None,
        gid: int | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        given: str | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._stop_signal = stop_signal
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment) if environment is not None else None,
                cwd=directory,
                user=uid,
                group=gid,
                extra_groups=[] if uid is not None else None,
            )
        if given is not None:
            assert self.process.stdin is not None
            with self.process.stdin as stdin:
                stdin.write(given.encode())

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until(self, condition: Callable[[], bool], *, timeout_s: float, what: str) -> None:
        """Raises BenchError when the program ends first or the time is over."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self.process.poll() is not None:
                raise BenchError(f"{self.name} ended before {what}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name}: not {what} within {timeout_s:.0f} s:\n{self.log_tail()}")
            time.sleep(POLL_S)

    def wait(self, *, timeout_s: float) -> int:
        """The exit code. A program that is still running after `timeout_s` is killed: -9."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(STOP_WAIT_S)

    def stop(self) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(self._stop_signal)
            self.wait(timeout_s=STOP_WAIT_S)

    def log_tail(self) -> str:
        with contextlib.suppress(OSError):
            return self.log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL_CHARS:]
        return ""


def until(condition: Callable[[], bool], *, timeout_s: float, poll_s: float = POLL_S) -> bool:
    """Whether `condition` came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll_s)
    return True


@contextlib.contextmanager
def ended(programs: list[Program]) -> Iterator[None]:
    """Ends what is in the list on the way out, the last started first."""
    try:
        yield
    finally:
        for program in reversed(programs):
            program.stop()
