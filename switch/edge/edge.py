"""Who is connected, by which rules, and which message goes where: the heart of the edge process.

Decides over connections; the sockets are asyncio's, the framing is switch.sip's, SIP itself is the switch's.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog

from switch.conf_edge import WebSocket
from switch.door.sources import source_of
from switch.edge.certificates import TlsIdentity
from switch.edge.connection import Connection
from switch.edge.deadlines import Deadlines
from switch.edge.dialler import Dialler
from switch.edge.limits import ALIASES_MAX, COUNTS_EVERY_S, SWEEP_EVERY_S, EdgeLimits
from switch.edge.messages import (
    Alias,
    CertificateState,
    CloseConnection,
    Closed,
    EdgeCounts,
    ExpectName,
    Failed,
    FromSwitch,
    Received,
    Send,
    TransportCounts,
)
from switch.edge.switch_link import SwitchLink
from switch.edge.tls_layer import TlsLayer
from switch.sip.flow import SECURE, TCP, TLS, WS, WSS, Flow

log = structlog.get_logger("switch.edge")


class Edge:
    """Owns every connection. One per process.

    `identity` and `websocket` are what [tls] and [websocket] say; they may be exchanged at any time, for connections
    that come later.
    """

    __slots__ = (
        "_by_id", "_dialler", "_epoch", "_half", "_handshakes", "_held", "_idle", "_last_id", "_loop",
        "_next_counts", "_per_source", "_silent", "_sweep_timer", "counts", "identity", "limits", "link",
        "of_transport", "websocket",
    )  # fmt: skip

    def __init__(
        self,
        limits: EdgeLimits,
        *,
        epoch: str,
        loop: asyncio.AbstractEventLoop,
        identity: TlsIdentity | None = None,
        websocket: WebSocket | None = None,
    ) -> None:
        self.limits = limits
        self.identity = identity or TlsIdentity()
        self.websocket = websocket or WebSocket()
        self.counts = EdgeCounts()
        self.of_transport = {name: TransportCounts(name) for name in (TCP, TLS, WS, WSS)}
        self.link = SwitchLink(
            epoch=epoch,
            loop=loop,
            deliver=self._from_switch,
            on_relief=self._relieve,
            backlog_bytes_max=limits.backlog_bytes_max,
        )
        self._epoch = epoch
        self._loop = loop
        self._last_id = 0
        self._by_id: dict[str, Connection] = {}
        self._dialler = Dialler(self, loop)
        self._per_source: Counter[str] = Counter()
        self._handshakes: Deadlines[Connection] = Deadlines(limits.handshake_s)
        self._silent: Deadlines[Connection] = Deadlines(limits.first_message_s)
        self._half: Deadlines[Connection] = Deadlines(limits.half_message_s)
        self._idle: Deadlines[Connection] = Deadlines(limits.idle_s)
        self._held: list[Connection] = []
        self._next_counts = 0.0
        self._sweep_timer = loop.call_later(SWEEP_EVERY_S, self._sweep)

    def inbound(self, transport: str = TCP) -> Connection:
        """For `create_server`."""
        return Connection(self, transport, is_outbound=False)

    def next_connection_id(self) -> str:
        self._last_id += 1
        return f"{self._epoch}-{self._last_id}"

    def tls_layer(self, connection: Connection) -> TlsLayer:
        """For a connection that `opened` has let in, or that was dialled."""
        if connection.is_outbound:
            assert self.identity.dialling is not None, "dialled without a CA"
            return TlsLayer(self.identity.dialling, is_server=False, server_name=connection.peer_name)
        context = self.identity.server_context()
        assert context is not None, "let in without a certificate"
        return TlsLayer(context, is_server=True)

    def opened(self, connection: Connection) -> bool:
        """A connection is there, and whether it may stay. A refused one is dropped without a word."""
        flow = connection.flow
        of_transport = self.of_transport[flow.transport]
        now = self._loop.time()
        source = source_of(flow.remote_host)
        if not connection.is_outbound:
            if self._refuses(connection, source):
                connection.abort()
                return False
            self._silent.start(connection, now)
            if connection.has_handshake:
                self._handshakes.start(connection, now)
            self.counts.accepted += 1
            of_transport.accepted += 1
        else:
            self.counts.opened += 1
            of_transport.opened += 1
        of_transport.connections += 1
        self._by_id[flow.connection] = connection
        if flow.transport == TCP:
            self._dialler.by_remote[TCP, flow.remote_host, flow.remote_port] = connection
        self._per_source[source] += 1
        self._idle.start(connection, now)
        return True

    def _refuses(self, connection: Connection, source: str) -> bool:
        """The ladder of refusals."""
        counts, limits = self.counts, self.limits
        if len(self._by_id) >= limits.connections_max:
            counts.refused_total_limit += 1
        elif self._per_source[source] >= limits.connections_per_source_max:
            counts.refused_source_limit += 1
        elif connection.has_handshake and len(self._handshakes) >= limits.handshakes_max:
            counts.refused_handshakes += 1
        elif connection.flow.transport in SECURE and not self.identity.certificates:
            counts.refused_no_certificate += 1
        else:
            return False
        return True

    def room_problem(self) -> str | None:
        """Why no connection can be opened, or None."""
        if len(self._by_id) >= self.limits.connections_max:
            return "the edge has no room for another connection"
        return None

    def handshake_done(self, connection: Connection) -> None:
        self._handshakes.cancel(connection)

    def received(self, connection: Connection, data: bytes) -> None:
        self.counts.messages_in += 1
        self.of_transport[connection.flow.transport].messages_in += 1
        connection.is_known = True
        self.link.send(Received(flow=connection.flow, data=data))

    def heard(self, connection: Connection, *, has_whole: bool, has_partial: bool) -> None:
        """After each read: which deadlines run now, and whether the peer must wait for the switch."""
        if connection.flow.connection not in self._by_id:
            return
        now = self._loop.time()
        if has_whole:
            self._silent.cancel(connection)
            self._idle.start(connection, now)
        if not has_partial:
            self._half.cancel(connection)
        elif has_whole:
            self._half.start(connection, now)  # another message than the one that was half there before
        else:
            self._half.start_if_absent(connection, now)
        if self.link.is_congested:
            self._half.cancel(connection)  # the rest of its message may be here already, unread
            connection.pause()
            self._held.append(connection)

    def lost(self, connection: Connection) -> None:
        flow = connection.flow
        if self._by_id.pop(flow.connection, None) is None:
            return  # it was refused
        self._dialler.forget(connection)
        source = source_of(flow.remote_host)
        self._per_source[source] -= 1
        if not self._per_source[source]:
            del self._per_source[source]
        for deadlines in (self._handshakes, self._silent, self._half, self._idle):
            deadlines.cancel(connection)
        of_transport = self.of_transport[flow.transport]
        of_transport.connections -= 1
        of_transport.closed += 1
        if connection.is_known:  # of the others the switch would look for calls in vain
            for closed in (flow, *connection.asked):
                self.link.send(Closed(flow=closed))

    def connections(self) -> list[Connection]:
        """Those that are open now."""
        return list(self._by_id.values())

    def waiting(self) -> int:
        """How many deadlines run; with no connection there is none."""
        return len(self._handshakes) + len(self._silent) + len(self._half) + len(self._idle)

    async def close(self) -> None:
        """Ends everything: the process is about to exit."""
        self._sweep_timer.cancel()
        await self._dialler.close()
        for connection in self.connections():
            connection.close()
        self.link.close()

    def write(self, connection: Connection, flow: Flow, data: bytes) -> None:
        """`flow` is what the switch called it."""
        connection.is_known = True
        if not connection.write(data):
            self.fail(flow, "the connection does not take it")
            return
        self.counts.messages_out += 1
        self.of_transport[flow.transport].messages_out += 1
        self._idle.start(connection, self._loop.time())
        if not flow.connection:
            connection.remember_asked(flow)

    def fail(self, flow: Flow, reason: str) -> None:
        self.link.send(Failed(flow=flow, reason=reason))

    def _from_switch(self, message: FromSwitch) -> None:
        match message:
            case Send(flow=flow, data=data):
                self._send(flow, data)
            case CloseConnection(flow=flow):
                if flow.connection in self._by_id:
                    self._by_id[flow.connection].close()
            case ExpectName():
                self._dialler.expect(message)
            case Alias(flow=flow, port=port):
                self._alias(flow, port)

    def _send(self, flow: Flow, data: bytes) -> None:
        if not flow.connection:
            self._dialler.send(flow, data)
            return
        connection = self._by_id.get(flow.connection)
        if connection is None:
            self.fail(flow, "the connection is gone")
        else:
            self.write(connection, flow, data)

    def _alias(self, flow: Flow, port: int) -> None:
        """RFC 5923 8.1: a trunk wants to be reached on the connection that it has opened."""
        connection = self._by_id.get(flow.connection)
        if connection is None or port in connection.aliases or len(connection.aliases) >= ALIASES_MAX:
            return
        remote = (flow.transport, flow.remote_host, port)
        if self._dialler.may_reuse(connection, remote):
            connection.aliases.append(port)
            self._dialler.by_remote[remote] = connection

    def _relieve(self) -> None:
        """The switch can take more: everybody who was made to wait may go on."""
        held, self._held = self._held, []
        for connection in held:
            connection.resume()

    def _sweep(self) -> None:
        now = self._loop.time()
        counts = self.counts
        for connection in self._handshakes.pop_due(now):
            counts.closed_handshake += 1
            connection.abort()
        for connection in self._half.pop_due(now):
            counts.closed_half_message += 1
            connection.abort()
        for connection in self._silent.pop_due(now):
            counts.closed_silent += 1
            connection.abort()
        for connection in self._idle.pop_due(now):
            counts.closed_idle += 1
            connection.close()
        if now >= self._next_counts and self.link.is_connected:
            self._next_counts = now + COUNTS_EVERY_S
            self._tell_counts()
        self._sweep_timer = self._loop.call_later(SWEEP_EVERY_S, self._sweep)

    def _tell_counts(self) -> None:
        counts = self.counts
        counts.connections = len(self._by_id)
        counts.messages_dropped = self.link.dropped
        counts.transports = list(self.of_transport.values())
        counts.certificates = [
            CertificateState(one.files.certificate, one.names, one.not_after_s)
            for one in self.identity.certificates
        ]
        counts.files_refused = dict(self.identity.refused)
        self.link.send(counts)
