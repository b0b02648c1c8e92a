"""UDP: datagrams in and out of the listeners, nothing decided.

A reader drains up to a fixed number of datagrams at once, so that a flood on one socket cannot starve the timers; a
send that the kernel does not take is dropped and counted, because SIP repeats what matters.
"""

import asyncio
import socket
from collections.abc import Callable

from switch.sip.flow import UDP, Flow

DATAGRAM_BYTES_MAX = 65_535
DRAIN_MAX = 64  # datagrams a turn: a millisecond or two of work between two looks at the timers
RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024  # a second of a busy exchange, while the process is being restarted
KEEPALIVE_BYTES_MAX = 4  # CRLF or CRLFCRLF of RFC 5626, or a stray NUL: nothing to parse


class UdpCounts:
    """All counters only grow."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "datagrams_in",
        "datagrams_out",
        "keepalives",
        "send_errors",
        "truncated",
    )

    def __init__(self) -> None:
        self.datagrams_in = 0
        self.datagrams_out = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.keepalives = 0
        self.send_errors = 0
        self.truncated = 0


class UdpListener:
    """One bound socket. `received(data, flow)` is called for each datagram, `turn_over()` after each batch."""

    __slots__ = ("_loop", "_received", "_socket", "_turn_over", "counts", "host", "port")

    def __init__(
        self,
        host: str,
        port: int,
        *,
        received: Callable[[bytes, Flow], None],
        turn_over: Callable[[], None],
    ) -> None:
        """Raises OSError when the address cannot be bound."""
        self._received = received
        self._turn_over = turn_over
        self._loop: asyncio.AbstractEventLoop | None = None
        self.counts = UdpCounts()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.host, self.port = self._socket.getsockname()[:2]

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        loop.add_reader(self._socket.fileno(), self._drain)

    def close(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._loop = None
        self._socket.close()

    def send(self, data: bytes, host: str, port: int) -> bool:
        """False if the kernel refused it: no route, a full buffer, an address that is none."""
        counts = self.counts
        try:
            self._socket.sendto(data, (host, port))
        except (OSError, OverflowError, UnicodeError):
            counts.send_errors += 1
            return False
        counts.datagrams_out += 1
        counts.bytes_out += len(data)
        return True

    def _drain(self) -> None:
        receive = self._socket.recvfrom
        received = self._received
        counts = self.counts
        try:
            for _ in range(DRAIN_MAX):
                data, address = receive(DATAGRAM_BYTES_MAX)
                counts.datagrams_in += 1
                counts.bytes_in += len(data)
                if len(data) <= KEEPALIVE_BYTES_MAX:
                    counts.keepalives += 1
                    continue
                received(data, Flow(UDP, address[0], address[1], self.host, self.port))
        except BlockingIOError:
            pass
        except ConnectionError:
            # An ICMP error of an earlier send; which one, the kernel does not say here.
            counts.send_errors += 1
        finally:
            self._turn_over()
