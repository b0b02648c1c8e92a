"""One TCP connection of a phone or a trunk: bytes in, whole messages out to the switch (RFC 3261 18.3).

It knows its own flow, its framer and what still waits to be written. Who may connect, and for how long, the
edge decides (edge.py).
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

from switch.edge import limits
from switch.sip.flow import TCP, Flow
from switch.sip.framing import PING, StreamBroken, StreamFramer

if TYPE_CHECKING:
    from switch.edge.edge import Edge

# RFC 5626 4.4.1: the answer to a double CRLF.
PONG = b"\r\n"
# As many ways to ask for one peer as there are listeners; only to say to each of them that it is closed.
ASKED_FLOWS_MAX = 8


class Connection(asyncio.Protocol):
    """`asked`: the flows without a connection id under which the switch sent on it."""

    __slots__ = ("_edge", "_framer", "_transport", "asked", "flow", "is_outbound")

    def __init__(self, edge: Edge, *, is_outbound: bool) -> None:
        self._edge = edge
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None
        self.is_outbound = is_outbound
        self.flow = Flow(TCP, "", 0, "", 0)
        self.asked: list[Flow] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        remote = transport.get_extra_info("peername")
        local = transport.get_extra_info("sockname")
        if not remote or not local:  # it was gone before we looked
            self.abort()
            return
        self.flow = Flow(TCP, remote[0], remote[1], local[0], local[1], self._edge.next_connection_id())
        _set_keepalive(transport.get_extra_info("socket"))
        self._edge.opened(self)

    def data_received(self, data: bytes) -> None:
        edge = self._edge
        try:
            frames = self._framer.feed(data)
        except StreamBroken as broken:
            frames = broken.frames
            edge.counts.closed_broken_stream += 1
            self.close()
        for frame in frames:
            if frame is PING:
                edge.counts.pings += 1
                self.write(PONG)
            else:
                edge.received(self, frame)
        edge.heard(self, has_whole=bool(frames), has_partial=self._framer.has_partial)

    def connection_lost(self, exc: Exception | None) -> None:
        self._edge.lost(self)

    def write(self, data: bytes) -> bool:
        """False when it cannot be sent: the connection is closing, or its peer does not read."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() + len(data) > self._edge.limits.write_buffer_bytes_max:
            self._edge.counts.closed_not_reading += 1
            transport.abort()
            return False
        transport.write(data)
        return True

    def remember_asked(self, flow: Flow) -> None:
        if flow not in self.asked and len(self.asked) < ASKED_FLOWS_MAX:
            self.asked.append(flow)

    def pause(self) -> None:
        """Stops reading: the switch is behind, and TCP makes the peer wait."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """After what was written has gone out."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _set_keepalive(connection: socket.socket) -> None:
    """Without this, a phone that lost its power keeps its connection and its binding for ever."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, limits.KEEPALIVE_AFTER_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, limits.KEEPALIVE_EVERY_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, limits.KEEPALIVE_PROBES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(limits.SILENT_PEER_S * 1000))
