"""Ports on the loopback that nobody uses, for UDP and TCP alike."""

import contextlib
import socket

from bench.program import BenchError

TRIES_PER_PORT = 50


def free_ports(count: int) -> list[int]:
    """Different ones: all are held until the last is found."""
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        for _ in range(count * TRIES_PER_PORT):
            if len(ports) == count:
                return ports
            tcp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            udp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                ports.append(port)
    raise BenchError("no free ports on the loopback")
