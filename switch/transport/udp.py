"""UDP: datagrams in and out of the listeners, nothing decided.

A reader drains up to a fixed number of datagrams at once, so that a flood on one socket cannot starve the timers; a
send that the kernel does not take is dropped and counted, because SIP repeats what matters.

As network cards moderate their interrupts, so is a busy socket read: the first datagram after a silence is served at
once, and while more keep coming the socket is looked at every few milliseconds instead of at each. Several messages a
turn share one wake-up, one write to the journal and warm caches, which at 200 calls a second saves a fifth of the CPU.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from switch.sip.flow import UDP, Flow
from switch.sip.host import canonical_ip, is_link_local

DATAGRAM_BYTES_MAX = 65_535
DRAIN_MAX = 64  # datagrams a turn: a millisecond or two of work between two looks at the timers
RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024  # a second of a busy exchange, while the process is being restarted
# What a message may wait in a busy socket: a tenth of what a person notices in the sum of a call's hops.
GATHER_S = 0.01
FLOWS_KEPT_MAX = 16_384  # a phone's flow is the same object for each of its datagrams; beyond this, begin anew
Address = tuple[Any, ...]  # as the kernel says it: host and port, and on IPv6 two parts more
KEEPALIVE_BYTES_MAX = 4  # CRLF or CRLFCRLF of RFC 5626, or a stray NUL: nothing to parse


class UdpCounts:
    """All counters only grow."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "datagrams_in",
        "datagrams_out",
        "keepalives",
        "link_local",
        "send_errors",
    )

    def __init__(self) -> None:
        self.datagrams_in = 0
        self.datagrams_out = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.keepalives = 0
        self.link_local = 0
        self.send_errors = 0


class UdpListener:
    """One bound socket, of IPv4 or of IPv6 alone.

    A datagram from an address of one link (fe80::1%eth0) is dropped: SIP cannot write that address down (RFC 3261
    25.1 has no scope id), so nobody could be called back there.
    `received(data, flow)` is called for each datagram, `turn_over()` after each batch."""

    __slots__ = (
        "_buffer",
        "_flows",
        "_gathering",
        "_loop",
        "_received",
        "_socket",
        "_turn_over",
        "_view",
        "counts",
        "host",
        "port",
    )

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
        # uvloop's remove_reader() returns None where asyncio's returns a bool, and compiled code insists on the type.
        self._loop: Any = None
        self._gathering: asyncio.Handle | None = None  # the next look, while datagrams keep coming
        self._buffer = bytearray(DATAGRAM_BYTES_MAX)
        self._view = memoryview(self._buffer)
        self._flows: dict[Address, Flow] = {}
        self.counts = UdpCounts()
        is_ipv6 = ":" in host
        self._socket = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        if is_ipv6:  # or IPv4 peers would come in IPv6 clothes (::ffff:192.0.2.1)
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
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
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
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
        """What has come, in one turn; then say when to look again."""
        count = 0
        try:
            count = self._receive_waiting()
        finally:
            self._turn_over()
            self._look_again(count)

    def _receive_waiting(self) -> int:
        receive, buffer, view = self._socket.recvfrom_into, self._buffer, self._view
        received = self._received
        flows = self._flows
        counts = self.counts
        for count in range(DRAIN_MAX):
            try:
                size, address = receive(buffer)
            except BlockingIOError:
                return count
            except ConnectionError:
                # An ICMP error of an earlier send; which one, the kernel does not say here.
                counts.send_errors += 1
                continue
            counts.datagrams_in += 1
            counts.bytes_in += size
            if size <= KEEPALIVE_BYTES_MAX:
                counts.keepalives += 1
            else:
                flow = flows.get(address) or self._flow_of(address)
                if flow is not None:
                    received(bytes(view[:size]), flow)
        return DRAIN_MAX

    def _flow_of(self, address: Address) -> Flow | None:
        """None for an address of one link."""
        host = address[0]
        if ":" in host:
            if is_link_local(host):
                self.counts.link_local += 1
                return None
            host = canonical_ip(host) or host
        if len(self._flows) >= FLOWS_KEPT_MAX:
            self._flows.clear()
        flow = self._flows[address] = Flow(UDP, host, address[1], self.host, self.port)
        return flow

    def _look_again(self, count: int) -> None:
        """At once when there may be more, soon while the line is busy, and when the kernel says so after a silence."""
        loop = self._loop
        if loop is None:
            return
        if count == 0:
            if self._gathering is not None:
                self._gathering = None
                loop.add_reader(self._socket.fileno(), self._drain)
            return
        if self._gathering is None:
            loop.remove_reader(self._socket.fileno())
        self._gathering = loop.call_soon(self._drain) if count == DRAIN_MAX else loop.call_later(GATHER_S, self._drain)
