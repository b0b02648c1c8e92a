"""Pairs of UDP sockets, and what the operating system knows of addresses."""

from __future__ import annotations

import contextlib
import socket
from typing import Final

from media.relay.endpoint import Endpoint
from media.relay.limits import STALE_PACKETS_MAX

# RFC 4594: telephony is Expedited Forwarding; the code point stands in the upper six bits.
EXPEDITED: Final = 46 << 2
# One octet more than is taken, so that a longer packet is seen to be one.
RECEIVE_BYTES: Final = 2048


class Port:
    """One socket. `endpoint` is None while the pair is only granted."""

    __slots__ = ("descriptor", "endpoint", "is_rtcp", "receive", "send", "socket")

    def __init__(self, bound: socket.socket, *, is_rtcp: bool) -> None:
        self.socket = bound
        self.descriptor = bound.fileno()
        self.receive = bound.recvfrom
        self.send = bound.sendto
        self.is_rtcp = is_rtcp
        self.endpoint: Endpoint | None = None

    def drain(self) -> int:
        """Throws away what came before anybody was to be heard here. How many packets that were."""
        with contextlib.suppress(OSError):
            for count in range(STALE_PACKETS_MAX):
                try:
                    self.receive(1)
                except BlockingIOError:
                    return count
            return STALE_PACKETS_MAX
        return 0


class Pair:
    """RTP on an even port, RTCP on the next one."""

    __slots__ = ("host", "port", "rtcp", "rtp")

    def __init__(self, host: str, port: int) -> None:
        """Raises OSError."""
        self.host = host
        self.port = port
        rtp = _bind(host, port)
        try:
            rtcp = _bind(host, port + 1)
        except OSError:
            rtp.close()
            raise
        self.rtp = Port(rtp, is_rtcp=False)
        self.rtcp = Port(rtcp, is_rtcp=True)

    def close(self) -> None:
        self.rtp.socket.close()
        self.rtcp.socket.close()


def _bind(host: str, port: int) -> socket.socket:
    is_ipv6 = ":" in host
    bound = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        if is_ipv6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, EXPEDITED)
        else:
            bound.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def is_local(host: str) -> bool:
    """Whether this machine has the address now: only then can it be bound."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True
