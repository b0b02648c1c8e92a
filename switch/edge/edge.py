"""Who is connected, by which rules, and which message goes where: the heart of the edge process.

Decides over connections; the sockets are asyncio's, the framing is switch.sip's, SIP itself is the switch's.
It leaves out TLS and WebSocket, which will be other protocols beside `Connection`.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter

import structlog

from switch.edge.connection import Connection
from switch.edge.deadlines import Deadlines
from switch.edge.dials import Dials, Remote
from switch.edge.limits import COUNTS_EVERY_S, DIAL_S, SWEEP_EVERY_S, EdgeLimits
from switch.edge.messages import (
    CloseConnection,
    Closed,
    EdgeCounts,
    Failed,
    FromSwitch,
    Received,
    Send,
)
from switch.edge.switch_link import SwitchLink
from switch.sip.flow import Flow

log = structlog.get_logger("switch.edge")


class Edge:
    """Owns every connection. One per process."""

    __slots__ = (
        "_by_id", "_by_remote", "_dial_tasks", "_dials", "_epoch", "_half", "_held", "_idle", "_last_id",
        "_loop", "_next_counts", "_per_source", "_silent", "_sweep_timer", "counts", "limits", "link",
    )  # fmt: skip

    def __init__(self, limits: EdgeLimits, *, epoch: str, loop: asyncio.AbstractEventLoop) -> None:
        self.limits = limits
        self.counts = EdgeCounts()
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
        self._by_remote: dict[Remote, Connection] = {}
        self._per_source: Counter[str] = Counter()
        self._silent: Deadlines[Connection] = Deadlines(limits.first_message_s)
        self._half: Deadlines[Connection] = Deadlines(limits.half_message_s)
        self._idle: Deadlines[Connection] = Deadlines(limits.idle_s)
        self._held: list[Connection] = []
        self._dials = Dials()
        self._dial_tasks: set[asyncio.Task[None]] = set()
        self._next_counts = 0.0
        self._sweep_timer = loop.call_later(SWEEP_EVERY_S, self._sweep)

    def inbound(self) -> Connection:
        """For `create_server`."""
        return Connection(self, is_outbound=False)

    def next_connection_id(self) -> str:
        self._last_id += 1
        return f"{self._epoch}-{self._last_id}"

    def opened(self, connection: Connection) -> None:
        """A connection is there. The ladder of refusals; a refused one is dropped without a word."""
        flow = connection.flow
        if not connection.is_outbound:
            if len(self._by_id) >= self.limits.connections_max:
                self.counts.refused_total_limit += 1
                connection.abort()
                return
            if self._per_source[flow.remote_host] >= self.limits.connections_per_source_max:
                self.counts.refused_source_limit += 1
                connection.abort()
                return
            self._silent.start(connection, self._loop.time())
            self.counts.accepted += 1
        else:
            self.counts.opened += 1
        self._by_id[flow.connection] = connection
        self._by_remote[flow.remote_host, flow.remote_port] = connection
        self._per_source[flow.remote_host] += 1
        self._idle.start(connection, self._loop.time())

    def received(self, connection: Connection, data: bytes) -> None:
        self.counts.messages_in += 1
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
        if self._by_remote.get((flow.remote_host, flow.remote_port)) is connection:
            del self._by_remote[flow.remote_host, flow.remote_port]
        self._per_source[flow.remote_host] -= 1
        if not self._per_source[flow.remote_host]:
            del self._per_source[flow.remote_host]
        for deadlines in (self._silent, self._half, self._idle):
            deadlines.cancel(connection)
        for closed in (flow, *connection.asked):
            self.link.send(Closed(flow=closed))

    def connections(self) -> list[Connection]:
        """Those that are open now."""
        return list(self._by_id.values())

    def waiting(self) -> int:
        """How many deadlines run; with no connection there is none."""
        return len(self._silent) + len(self._half) + len(self._idle)

    async def close(self) -> None:
        """Ends everything: the process is about to exit."""
        self._sweep_timer.cancel()
        for task in list(self._dial_tasks):
            task.cancel()
        await asyncio.gather(*self._dial_tasks, return_exceptions=True)
        for connection in self.connections():
            connection.close()
        self.link.close()

    def _from_switch(self, message: FromSwitch) -> None:
        match message:
            case Send(flow=flow, data=data):
                self._send(flow, data)
            case CloseConnection(flow=flow):
                if flow.connection in self._by_id:
                    self._by_id[flow.connection].close()

    def _send(self, flow: Flow, data: bytes) -> None:
        if flow.connection:
            connection = self._by_id.get(flow.connection)
            if connection is None:
                self._fail(flow, "the connection is gone")
            else:
                self._write(connection, flow, data)
            return
        remote = (flow.remote_host, flow.remote_port)
        connection = self._by_remote.get(remote)
        if connection is not None:
            self._write(connection, flow, data)
            return
        is_new = not self._dials.is_dialling(remote)
        if problem := self._dials.add(remote, flow, data):
            self._fail(flow, problem)
        elif is_new:
            task = self._loop.create_task(self._dial(remote))
            self._dial_tasks.add(task)
            task.add_done_callback(self._dial_tasks.discard)

    def _write(self, connection: Connection, flow: Flow, data: bytes) -> None:
        if not connection.write(data):
            self._fail(flow, "the connection does not take it")
            return
        self.counts.messages_out += 1
        self._idle.start(connection, self._loop.time())
        if not flow.connection:
            connection.remember_asked(flow)

    async def _dial(self, remote: Remote) -> None:
        """Opens one connection and sends what waited for it; or says of each message that it was not sent."""
        problem = dial_problem(remote)
        if problem is None and len(self._by_id) >= self.limits.connections_max:
            problem = "the edge has no room for another connection"
        connection: Connection | None = None
        if problem is None:
            try:
                _, connection = await asyncio.wait_for(
                    self._loop.create_connection(lambda: Connection(self, is_outbound=True), *remote), DIAL_S
                )
            except (OSError, TimeoutError) as error:
                problem = f"no connection: {error or 'no answer in time'}"
        waiting = self._dials.finish(remote)
        if connection is None:
            self.counts.dials_failed += 1
        for flow, data in waiting:
            if connection is None:
                self._fail(flow, problem or "no connection")
            else:
                self._write(connection, flow, data)

    def _fail(self, flow: Flow, reason: str) -> None:
        self.link.send(Failed(flow=flow, reason=reason))

    def _relieve(self) -> None:
        """The switch can take more: everybody who was made to wait may go on."""
        held, self._held = self._held, []
        for connection in held:
            connection.resume()

    def _sweep(self) -> None:
        now = self._loop.time()
        counts = self.counts
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
            counts.connections = len(self._by_id)
            counts.messages_dropped = self.link.dropped
            self.link.send(counts)
        self._sweep_timer = self._loop.call_later(SWEEP_EVERY_S, self._sweep)


def dial_problem(remote: Remote) -> str | None:
    """Only a literal address is dialled: looking names up is the switch's, and would block here."""
    host, port = remote
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return f"not an address: {host[:60]!a}"
    if not 0 < port < 65536:
        return f"not a port: {port}"
    return None
