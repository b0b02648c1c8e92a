"""One UDP port for the RTP of one call: packets in, packets out, nothing decided but whose they are.

Packets are taken from the address of the SDP only; the first of them says the port, and no other port of that host is
listened to afterwards. What comes from elsewhere is counted and dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final

from switch.sip.host import canonical_ip

PACKET_BYTES_MAX: Final = 2048
DRAIN_MAX: Final = 32  # a burst of more than half a second; the rest in the next turn
BIND_TRIES: Final = 20
# Half a second of sound in both directions, should the loop be late.
BUFFER_BYTES: Final = 64 * 1024


class RtpCounts:
    """All calls together; only grow."""

    __slots__ = ("dropped", "packets_in", "packets_out", "send_errors")

    def __init__(self) -> None:
        self.packets_in = 0
        self.packets_out = 0
        self.send_errors = 0
        self.dropped: dict[str, int] = {}

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1


class RtpPort:
    """Bound from the start, so that its number can stand in the answer. `received(data)`: a packet of the peer."""

    __slots__ = ("_counts", "_latched", "_loop", "_peer", "_socket", "host", "port", "received")

    def __init__(
        self,
        host: str,
        *,
        loop: asyncio.AbstractEventLoop,
        counts: RtpCounts,
    ) -> None:
        """Raises OSError when there is no port."""
        self._loop = loop
        self.received: Callable[[bytes], None] = _nobody
        self._counts = counts
        self._peer: tuple[str, int] | None = None  # as the SDP says
        self._latched: int | None = None  # the port that packets really come from
        self.host = host
        self._socket = _bind_even(host)
        self.port = int(self._socket.getsockname()[1])
        loop.add_reader(self._socket.fileno(), self._drain)

    def aim(self, host: str, port: int) -> None:
        """Where the caller hears, by its last description. "" is nowhere."""
        peer = (host, port) if host else None
        if peer != self._peer:
            self._peer = peer
            self._latched = None

    def send(self, data: bytes) -> None:
        peer = self._peer
        if peer is None:
            return
        try:
            self._socket.sendto(data, peer)
        except OSError:
            self._counts.send_errors += 1
        else:
            self._counts.packets_out += 1

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _drain(self) -> None:
        counts = self._counts
        for _ in range(DRAIN_MAX):
            try:
                data, address = self._socket.recvfrom(PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError:
                counts.send_errors += 1  # an ICMP error of an earlier send
                continue
            if not self._is_of_peer(address):
                counts.drop("stranger")
                continue
            counts.packets_in += 1
            self.received(data)

    def _is_of_peer(self, address: tuple[str, int]) -> bool:
        peer = self._peer
        if peer is None:
            return False
        host, port = address[0], address[1]
        if self._latched is not None and port != self._latched:
            return False
        if host != peer[0] and canonical_ip(host) != peer[0]:
            return False
        self._latched = port
        return True


def _nobody(data: bytes) -> None:
    """Until the call is made."""


def _bind_even(host: str) -> socket.socket:
    """RTP has even ports (RFC 3550 11); the odd one above is left to nobody, as no RTCP is spoken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as refused:
        for _ in range(BIND_TRIES):
            bound = socket.socket(family, socket.SOCK_DGRAM)
            bound.setblocking(False)
            try:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
                bound.bind((host, 0))
            except OSError:
                bound.close()
                raise
            if bound.getsockname()[1] % 2 == 0:
                return bound
            refused.callback(bound.close)  # kept until then, or the kernel may give the same again
    raise OSError("no even port is free for RTP")
