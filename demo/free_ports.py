"""Ports of the loopback address that nobody else takes, however many run tests and demos here at the same time.

A port that was only looked at is somebody else's a moment later. So each is held, from the look on, by a Unix socket of
that number in the abstract namespace: binding one is atomic, and the kernel lets go of it when this process ends. What
is kept of it is the file descriptor, for a socket object would complain at the end that nobody closed it. The ports
come from below what the kernel itself gives to sockets without a port (32768 and up), and from below the ports of sound
(20000 and up).
"""

import contextlib
import itertools
import os
import random
import socket
from collections import deque
from typing import Final

HOST: Final = "127.0.0.1"
FIRST: Final = 10_000
COUNT: Final = 10_000
# As many as one test starts, and some tests more; each is an open file.
HELD_MAX: Final = 200

_numbers: Final = itertools.count(random.randrange(COUNT))  # noqa: S311 - two processes seldom try the same
_held: Final = deque[int]()


def free_port() -> int:
    """A port that is free for UDP and TCP, and nobody else's who asks here as long as this process lives."""
    for number in itertools.islice(_numbers, COUNT):
        port = FIRST + number % COUNT
        hold = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            hold.bind(f"\0offhook-port-{port}")
            if _is_free(port):
                _keep(hold)
                return port
        hold.close()
    raise OSError(f"no port from {FIRST} to {FIRST + COUNT - 1} is free")


def free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        try:
            udp.bind((HOST, port))
            tcp.bind((HOST, port))
        except OSError:
            return False
    return True


def _keep(hold: socket.socket) -> None:
    _held.append(hold.detach())
    if len(_held) > HELD_MAX:
        os.close(_held.popleft())
