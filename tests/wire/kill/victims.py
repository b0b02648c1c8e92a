"""The processes of a running exchange by the part they play, and their deaths."""

import enum
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from sipp_scenarios.exchange import (
    RunningExchange,
    command_line,
    descendants,
    module_of,
)
from switch.failpoints import NAMES

POLL_S = 0.005


class Part(enum.Enum):
    """A process of an exchange, by a word that stands in its command line."""

    SWITCH = "switch"
    JOURNAL = "rating.journal"
    BOOKS = "provisioning.books"
    EDGE = "switch.edge"
    POSTGRES = "postgres"


class PartMissingError(Exception):
    """The process is not there, or did not come to the point, in time."""


def find(exchange: RunningExchange, part: Part) -> int | None:
    """Its process id; None between two lives. PostgreSQL is found by its first process, the postmaster."""
    for pid in descendants(exchange.pid):
        words = command_line(pid)
        if part is Part.POSTGRES:
            if words and Path(words[0]).name == "postgres" and "-D" in words:
                return pid
        elif module_of(pid) == part.value:
            return pid
    return None


def await_part(exchange: RunningExchange, part: Part, timeout_s: float) -> int:
    return _await(lambda: find(exchange, part), f"the {part.name.lower()} process", timeout_s)


def await_another(exchange: RunningExchange, part: Part, old_pid: int, timeout_s: float) -> int:
    """Its next life."""

    def another() -> int | None:
        pid = find(exchange, part)
        return None if pid == old_pid else pid

    return _await(another, f"the next {part.name.lower()} process", timeout_s)


def kill(exchange: RunningExchange, part: Part, timeout_s: float) -> int:
    """SIGKILL to it, as soon as it is there. Returns the pid it had."""
    pid = await_part(exchange, part, timeout_s)
    os.kill(pid, signal.SIGKILL)
    return pid


def arm(file: Path, name: str, count: int) -> None:
    """The switch will stop at this point, the `count`-th time from now."""
    assert name in NAMES, f"no such point: {name}"
    making = file.with_name(file.name + ".new")
    making.write_text(f"{name}:{count}", encoding="utf-8")
    making.rename(file)


def await_stop(exchange: RunningExchange, file: Path, timeout_s: float) -> int:
    """Wait until the switch stands still at the armed point; its pid."""

    def stopped() -> int | None:
        pid = None if file.exists() else find(exchange, Part.SWITCH)
        return pid if pid is not None and _state(pid) == "T" else None

    return _await(stopped, "the switch to reach its point", timeout_s)


def go_on(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)


def _await(find_it: Callable[[], int | None], what: str, timeout_s: float) -> int:
    deadline = time.monotonic() + timeout_s
    while (pid := find_it()) is None:
        if time.monotonic() > deadline:
            raise PartMissingError(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(POLL_S)
    return pid


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return ""
