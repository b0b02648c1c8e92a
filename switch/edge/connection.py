"""One connection of a phone or a trunk: bytes in, whole messages out to the switch (RFC 3261 18.3, RFC 7118).

It knows its own flow, what lies between the socket and the messages (TLS, WebSocket, framing by Content-Length), and
what still waits to be written. Who may connect, and for how long, the edge decides (edge.py).
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, cast

from switch.edge import limits
from switch.edge.peer_identity import is_certified_for
from switch.edge.tls_layer import TlsBroken, TlsLayer
from switch.edge.websocket_layer import WebSocketLayer, WebSocketRefused
from switch.sip.flow import SECURE, WEBSOCKETS, Flow
from switch.sip.framing import PING, Frame, StreamBroken, StreamFramer
from switch.sip.host import canonical_ip, is_link_local

if TYPE_CHECKING:
    from switch.edge.edge import Edge

# RFC 5626 4.4.1: the answer to a double CRLF.
PONG = b"\r\n"
# As many ways to ask for one peer as there are listeners; only to say to each of them that it is closed.
ASKED_FLOWS_MAX = 8


class Connection(asyncio.Protocol):
    """`asked`: the flows without a connection id under which the switch sent on it. `is_known`: whether the switch
    has heard of it. `aliases`: ports of the peer whose messages come this way, too."""

    __slots__ = (
        "_certified",
        "_edge",
        "_reader",
        "_ready",
        "_tls",
        "_transport",
        "_websocket",
        "aliases",
        "asked",
        "flow",
        "is_known",
        "is_outbound",
        "peer_name",
    )  # fmt: skip

    def __init__(
        self,
        edge: Edge,
        transport: str,
        *,
        is_outbound: bool,
        peer_name: str = "",
        ready: asyncio.Future[str | None] | None = None,
    ) -> None:
        """`ready` of an outbound one gets None when messages can be sent, or why they cannot be."""
        self._edge = edge
        self._transport: asyncio.Transport | None = None
        self._ready = ready
        self._certified: dict[str, bool] = {}
        self._tls: TlsLayer | None = None
        self._websocket = WebSocketLayer(edge.websocket) if transport in WEBSOCKETS else None
        self._reader: StreamFramer | WebSocketLayer = self._websocket or StreamFramer()
        self.is_outbound = is_outbound
        self.is_known = False
        self.peer_name = peer_name
        self.flow = Flow(transport, "", 0, "", 0)
        self.asked: list[Flow] = []
        self.aliases: list[int] = []

    @property
    def has_handshake(self) -> bool:
        """Whether more than TCP must be agreed on before messages pass."""
        return self.flow.transport in SECURE or self._websocket is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        remote, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if not remote or not local:  # it was gone before we looked
            self.abort()
            return
        if is_link_local(
            remote[0]
        ):  # SIP cannot write that address down, so nobody could be called back there
            self._edge.counts.refused_link_local += 1
            self.abort()
            return
        self.flow = Flow(
            self.flow.transport, *_plain(remote), *_plain(local), self._edge.next_connection_id()
        )
        _set_keepalive(transport.get_extra_info("socket"))
        if self._edge.opened(self):
            self._begin()

    def _begin(self) -> None:
        if self.flow.transport in SECURE:
            self._tls = self._edge.tls_layer(self)
            if self.is_outbound:
                self._tls.start()
                self._write_raw(self._tls.outgoing())
        elif self.is_outbound:
            self._settle(None)

    def data_received(self, data: bytes) -> None:
        tls = self._tls
        if tls is None:
            self._take(data)
            return
        was_secured = tls.is_secured
        try:
            plain = tls.receive(data)
        except TlsBroken as broken:
            self._break_tls(str(broken))
            return
        self._write_raw(tls.outgoing())
        if tls.is_secured and not was_secured and not self._is_secured():
            return
        if plain:
            self._take(plain)
        if tls.is_ended:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle("the peer closed it")
        self._edge.lost(self)

    def write(self, data: bytes) -> bool:
        """False when it cannot be sent: the connection is closing, or its peer does not read."""
        transport, websocket = self._transport, self._websocket
        if transport is None or transport.is_closing():
            return False
        if websocket is not None:
            if not websocket.encode(data):
                return False
            data = websocket.outgoing()
        return self._write_plain(data)

    def certifies(self, name: str) -> bool:
        """Whether the peer has shown a verified certificate for this name, or without one for its address."""
        if self._tls is None:
            return False
        found = self._certified.get(name)  # asked for each message to a trunk; the certificate stays the same
        if found is None:
            found = is_certified_for(self._tls.peer_certificate(), name, self.flow.remote_host)
            if len(self._certified) < limits.ALIASES_MAX:
                self._certified[name] = found
        return found

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
        """After what was written has gone out, and with the goodbyes of the layers."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._websocket is not None:
            self._websocket.say_goodbye()
            self._write_plain(self._websocket.outgoing())
        if self._tls is not None:
            self._tls.say_goodbye()
            self._write_raw(self._tls.outgoing())
        transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _take(self, plain: bytes) -> None:
        """Messages and pings out of plain bytes."""
        edge, websocket = self._edge, self._websocket
        was_open = websocket is None or websocket.is_open
        is_over = False
        try:
            frames = self._reader.feed(plain)
        except StreamBroken as broken:
            frames, is_over = broken.frames, True
            if isinstance(broken, WebSocketRefused):
                edge.counts.refused_websocket += 1
            else:
                edge.counts.closed_broken_stream += 1
        if websocket is not None:
            self._write_plain(websocket.outgoing())
            is_over = is_over or websocket.is_ended
            if websocket.is_open and not was_open:
                edge.handshake_done(self)
        self._deliver(frames)
        edge.heard(self, has_whole=bool(frames), has_partial=self._reader.has_partial)
        if is_over:
            self.close()

    def _deliver(self, frames: list[Frame]) -> None:
        edge = self._edge
        for frame in frames:
            if frame is PING:
                edge.counts.pings += 1
                self.write(PONG)
            else:
                edge.received(self, frame)

    def _is_secured(self) -> bool:
        """The TLS handshake is done; whether the peer is who it should be."""
        if not self.is_outbound:
            if self._websocket is None:
                self._edge.handshake_done(self)
            return True
        self._edge.handshake_done(self)
        if self.certifies(self.peer_name):
            self._settle(None)
            return True
        self._edge.counts.refused_peer_certificate += 1
        self._settle(f"its certificate is not for {self.peer_name or self.flow.remote_host}")
        self.close()
        return False

    def _break_tls(self, reason: str) -> None:
        assert self._tls is not None
        self._edge.counts.closed_tls += 1
        self._settle(reason)
        self._write_raw(self._tls.outgoing())
        if self._transport is not None:
            self._transport.close()

    def _settle(self, problem: str | None) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(problem)

    def _write_plain(self, data: bytes) -> bool:
        if not data or self._tls is None:
            return self._write_raw(data)
        try:
            self._tls.encrypt(data)
        except TlsBroken as broken:
            self._break_tls(str(broken))
            return False
        return self._write_raw(self._tls.outgoing())

    def _write_raw(self, data: bytes) -> bool:
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() + len(data) > self._edge.limits.write_buffer_bytes_max:
            self._edge.counts.closed_not_reading += 1
            transport.abort()
            return False
        if data:
            transport.write(data)
        return True


def _plain(address: tuple[Any, ...]) -> tuple[str, int]:
    """Host and port; an IPv6 address comes with two parts more and is put into its one spelling."""
    host = str(address[0])
    return canonical_ip(host) or host, int(address[1])


def _set_keepalive(connection: socket.socket) -> None:
    """Without this, a phone that lost its power keeps its connection and its binding for ever."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, limits.KEEPALIVE_AFTER_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, limits.KEEPALIVE_EVERY_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, limits.KEEPALIVE_PROBES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(limits.SILENT_PEER_S * 1000))
