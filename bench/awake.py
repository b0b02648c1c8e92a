"""Keeps the processors from falling asleep while CPU time is measured.

A processor that sleeps half a millisecond between two datagrams wakes with cold caches, on a virtual machine after
an exit to its host, too: the same work then costs up to twice the CPU time, and how much depends on the neighbours.
One spinner a processor in the scheduler's idle class takes only what nobody else wants, gives way at once and makes
the figures those of a busy machine. Figures without it are reported beside.

    python -m bench.awake PROCESSOR        spins there until SIGTERM
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.program import Program


@contextlib.contextmanager
def processors_awake(directory: Path, *, is_wanted: bool = True) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for processor in sorted(os.sched_getaffinity(0)) if is_wanted else []:
            command = [sys.executable, "-m", "bench.awake", str(processor)]
            log = directory / f"awake-{processor}.log"
            stack.enter_context(Program(f"spinner on processor {processor}", command, log=log))
        yield


def spin(processor: int) -> None:
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.sched_setaffinity(0, {processor})
    while True:
        pass


if __name__ == "__main__":
    spin(int(sys.argv[1]))
