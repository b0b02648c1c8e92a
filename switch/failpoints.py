"""Named points of a call where a test may kill the process: OFFHOOK_FAILPOINT=answer_durable.

Crash safety cannot be shown by random kills alone, because the windows are milliseconds wide. In service nothing is
armed and a point costs one comparison. `NAME:3` dies at the third time the point is reached.
"""

import os
import signal

ENVIRONMENT = "OFFHOOK_FAILPOINT"
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
    """At most one armed point."""

    __slots__ = ("_left", "_name")

    def __init__(self, armed: str) -> None:
        """Raises ValueError for a name that does not exist, so that a test cannot pass by a slip of the pen."""
        name, _, count = armed.partition(":")
        if name and name not in NAMES:
            raise ValueError(f"{ENVIRONMENT}={armed}: expected one of {', '.join(sorted(NAMES))}")
        self._name = name
        self._left = int(count) if count else 1

    def reached(self, name: str) -> None:
        if name == self._name:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def failpoint_from_environment() -> Failpoint:
    return Failpoint(os.environ.get(ENVIRONMENT, ""))
