"""Named points of a call at which a test may stop the process, to kill it or a neighbour at exactly that moment.

Crash safety cannot be shown by random kills alone, because the windows are milliseconds wide. The environment names a
file: OFFHOOK_FAILPOINTS=/tmp/point. Whenever `NAME` or `NAME:COUNT` stands in it, the process that reaches the point
for the COUNT-th time takes the file away and stops itself (SIGSTOP). The test then kills whom it likes and lets the
others go on (SIGCONT). A file is used up by one stop, so a process that is started again is not armed. In service the
variable is not set, and a point costs one comparison.
"""

import os
import signal
from pathlib import Path

ENVIRONMENT = "OFFHOOK_FAILPOINTS"
NAMES = frozenset(
    {
        "reserved",
        "offered",
        "answer_received",
        "answer_durable",
        "answered",
        "renewed",
        "ending",
        "settlement_durable",
    }
)


class Failpoint:
    """At most one armed point at a time; none without a file."""

    __slots__ = ("_file", "_times")

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._times = 0

    def reached(self, name: str) -> None:
        """Raises ValueError for a name that does not exist, so that a test cannot pass by a slip of the pen."""
        if self._file is not None:
            self._look(self._file, name)

    def _look(self, file: Path, name: str) -> None:
        try:
            armed, _, count = file.read_text(encoding="utf-8").strip().partition(":")
        except FileNotFoundError:
            self._times = 0
            return
        if armed not in NAMES:
            raise ValueError(f"{file}: {armed!r}, expected one of {', '.join(sorted(NAMES))}")
        if name != armed:
            return
        self._times += 1
        if self._times >= int(count or 1):
            self._times = 0
            file.unlink()
            os.kill(os.getpid(), signal.SIGSTOP)


def failpoint_from_environment() -> Failpoint:
    named = os.environ.get(ENVIRONMENT)
    return Failpoint(Path(named) if named else None)
