"""One exchange per data directory: an advisory lock that the kernel lets go when its holder dies."""

import fcntl
import os
from pathlib import Path

from offhook.exit_codes import CommandError, ExitCode
from offhook.paths import SECRET_FILE_MODE, DataDir

PID_BYTES_MAX = 32


class ExchangeLock:
    """Held from `take` until the process ends. The file stays; only the lock on it means anything."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> "ExchangeLock":
        """Raises CommandError, naming the process, when another exchange runs on this data directory."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, SECRET_FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, PID_BYTES_MAX, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise CommandError(
                f"an exchange is already running on {path.parent.parent} (process {holder or 'unknown'}): "
                "stop it first, or name another --data"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        os.close(self._descriptor)


def take_exchange_lock(place: DataDir) -> ExchangeLock:
    """Makes the data directory where there is none. Raises CommandError when it cannot be used, or is in use."""
    try:
        place.make()
        return ExchangeLock.take(place.lock_file)
    except OSError as problem:
        text = f"the data directory {place.root} cannot be used: {problem.strerror or problem}"
        raise CommandError(text, ExitCode.INVALID) from None
