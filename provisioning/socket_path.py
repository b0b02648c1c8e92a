"""A Unix socket's path, however long its directory's name is.

unix(7) gives a path 108 bytes, and a data directory may be deeper than that. Linux lets an open directory
stand for its path, so a long one becomes `/proc/self/fd/N/name`. Good for bind and connect in this process
only.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNIX_SOCKET_PATH_BYTES_MAX = 107


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
