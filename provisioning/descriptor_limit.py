"""How many files and sockets a process may have open (getrlimit(2), RLIMIT_NOFILE)."""

import contextlib
import resource


def raise_descriptor_limit() -> None:
    """To the hard limit: each connection and each stream is a descriptor, and the usual soft limit of 1,024 is for
    programs that use select(). Where that is not allowed, the limit stays."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
