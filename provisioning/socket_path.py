"""A Unix socket's path, however long its directory's name is; and a socket that listens there.

unix(7) gives a path 108 bytes, and a data directory may be deeper than that. Linux lets an open directory
stand for its path, so a long one becomes `/proc/self/fd/N/name`. Good for bind and connect in this process
only.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNIX_SOCKET_PATH_BYTES_MAX = 107
# The switch, one that takes its place, and an operator's look.
BACKLOG = 8


@contextmanager
def short_socket_path(path: Path) -> Iterator[str]:
    """A path to the same socket that fits. It is good while the context lasts."""
    if len(os.fsencode(path)) <= UNIX_SOCKET_PATH_BYTES_MAX:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def listen_at(path: Path, name: str) -> socket.socket:
    """A socket that does not block and that only we may connect to. It takes the place of a dead process's; where a
    living one answers it raises OSError, which says that another `name` is running."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_socket_path(path) as short:
            if _is_answered(short):
                raise OSError(f"another {name} is running on {path}")
            path.unlink(missing_ok=True)
            listener.bind(short)
        path.chmod(0o600)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _is_answered(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a connection to a Unix socket is made at once, or not
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except BlockingIOError:  # it lives, and takes nobody
            return True
    return True
