"""One writer per journal: an exclusive flock on a file beside it, held as long as the process lives.

The lock file names its holder and the holder's switch. A switch that was restarted waits for its dead
predecessor's journal to finish its last commit; beside a switch that is alive a second one is refused at
once. The lock file is never deleted: two processes could then hold locks on two files of one name.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

LOCK_BYTES_MAX: Final = 64


class LockHeldError(Exception):
    """Another switch, still alive, owns the journal. The message is for the operator."""


class JournalLock:
    """Call `try_hold` until it is true. `owner_pid` is the switch we work for."""

    __slots__ = ("_fd", "_owner_pid", "_path")

    def __init__(self, journal: Path, *, owner_pid: int) -> None:
        self._path = Path(f"{journal}.lock")
        self._owner_pid = owner_pid
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def try_hold(self) -> bool:
        """True: ours. False: the holder is dying, ask again. Raises LockHeldError if its switch is alive."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            switch_pid = self._holders_switch()
            if switch_pid not in (None, self._owner_pid) and _is_alive(switch_pid):
                raise LockHeldError(self.describe_holder()) from None
            return False
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, b"%d %d\n" % (os.getpid(), self._owner_pid), 0)
        return True

    def describe_holder(self) -> str:
        journal = str(self._path).removesuffix(".lock")
        switch_pid = self._holders_switch()
        holder = "another process" if switch_pid is None else f"the switch with process id {switch_pid}"
        return f"the journal {journal} is in use by {holder}; only one switch may run on it"

    def _holders_switch(self) -> int | None:
        fields = os.pread(self._fd, LOCK_BYTES_MAX, 0).split()
        return int(fields[1]) if len(fields) == 2 and fields[1].isdigit() else None

    def close(self) -> None:
        os.close(self._fd)


def _is_alive(pid: int | None) -> bool:
    """Whether a process runs. A dead one that nobody has waited for yet does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return status.rpartition(b")")[2].split()[0] not in (b"Z", b"X")
