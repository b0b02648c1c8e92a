"""The journal's process: frames in from the switch, one SQLite file, acknowledgements out.

A plain blocking loop, because this process is allowed to wait for the disk and nothing else runs in it. It
ends by the end of its stream (the switch is gone: what was received is committed first) or by Stop, not by
the signals of a terminal or a supervisor, which reach the whole group. Exit codes tell the switch's log
why; the reason in words has gone to the switch as Failed and to stderr.
"""

import argparse
import os
import select
import signal
import socket
import sqlite3
import sys
import time
from pathlib import Path
from typing import Final

from rating.journal.damage import JournalDamagedError, is_corruption, locate_damage
from rating.journal.lock import JournalLock, LockHeldError
from rating.journal.messages import Failed
from rating.journal.process import JournalProcess, send
from rating.journal.store import DiskFullError, Store, StoreUnusableError

EXIT_OK: Final = 0
EXIT_UNUSABLE: Final = 65
EXIT_NOT_FLUSHED: Final = 73
EXIT_DISK_ERROR: Final = 74
EXIT_LOCKED: Final = 75

# A dying journal may still wait for its disk; longer than that and the operator should look.
LOCK_WAIT_S: Final = 30.0
LOCK_POLL_S: Final = 0.05


class SwitchGoneError(Exception):
    """The stream ended before we began."""


def _hold_lock(switch: socket.socket, path: Path) -> JournalLock:
    lock = JournalLock(path, owner_pid=os.getppid())
    deadline = time.monotonic() + LOCK_WAIT_S
    while not lock.try_hold():
        if time.monotonic() > deadline:
            raise LockHeldError(lock.describe_holder())
        # Nothing is sent to us before Ready: readable means that the switch is gone.
        if select.select([switch], [], [], LOCK_POLL_S)[0]:
            raise SwitchGoneError
    return lock


def serve(switch: socket.socket, path: Path) -> int:
    """Hold the lock, open the file, run to the end. Every failure is told and has an exit code."""
    try:
        lock = _hold_lock(switch, path)
        try:
            return _serve_file(switch, path)
        finally:
            lock.close()
    except SwitchGoneError:
        return EXIT_OK
    except LockHeldError as error:
        return _refuse(switch, str(error), EXIT_LOCKED)
    except (JournalDamagedError, StoreUnusableError) as error:
        return _refuse(switch, str(error), EXIT_UNUSABLE)
    except (DiskFullError, sqlite3.Error, OSError) as error:
        return _refuse(switch, f"{path}: {error}", EXIT_DISK_ERROR)


def _serve_file(switch: socket.socket, path: Path) -> int:
    try:
        store = Store.open(path)
    except (sqlite3.Error, TypeError, ValueError) as error:
        if is_corruption(error):
            raise locate_damage(path, error) from error
        raise
    try:
        is_flushed = JournalProcess(switch, store).run()
    except sqlite3.DatabaseError as error:
        if is_corruption(error):
            raise locate_damage(path, error) from error
        raise
    store.close()
    return EXIT_OK if is_flushed else EXIT_NOT_FLUSHED


def _refuse(switch: socket.socket, reason: str, code: int) -> int:
    sys.stderr.write(f"journal: {reason}\n")
    send(switch, Failed(reason))
    return code


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="rating.journal", description="The journal's process; the switch starts it."
    )
    parser.add_argument("--file", type=Path, required=True, help="the journal's SQLite file")
    parser.add_argument("--fd", type=int, required=True, help="the socket to the switch")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o077)  # call records are nobody else's business
    descriptor = os.dup(arguments.fd)  # the lowest number that is free: select takes none above 1023
    os.close(arguments.fd)
    with socket.socket(fileno=descriptor) as switch:
        code = serve(switch, arguments.file)
    if code in (EXIT_UNUSABLE, EXIT_DISK_ERROR):
        os._exit(code)  # an orderly end would let SQLite write and sync once more
    return code


if __name__ == "__main__":
    sys.exit(main())
