"""Connections that the switch wants: reused when there is one, opened when there is none, and to whom (RFC 5922).

A peer over TLS must show a certificate for the name that the switch expects at that address, and without a name for
the address itself. WebSockets are opened by browsers only, never from here.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import structlog

from switch.edge.connection import Connection
from switch.edge.dials import Dials, Remote, Sought
from switch.edge.limits import DIAL_S, EXPECTED_NAMES_MAX
from switch.edge.messages import ExpectName
from switch.sip.flow import TLS, WEBSOCKETS, Flow
from switch.sip.host import canonical_ip, host_port, is_link_local

if TYPE_CHECKING:
    from switch.edge.edge import Edge

log = structlog.get_logger("switch.edge")


class Dialler:
    """`by_remote` has the connections that may be reused, by who is at their other end."""

    __slots__ = ("_dials", "_edge", "_loop", "_names", "_tasks", "by_remote")

    def __init__(self, edge: Edge, loop: asyncio.AbstractEventLoop) -> None:
        self._edge = edge
        self._loop = loop
        self._dials = Dials()
        self._names: dict[Remote, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.by_remote: dict[Remote, Connection] = {}

    def expect(self, expected: ExpectName) -> None:
        """Bounded: the name said first makes room."""
        remote = (expected.transport, expected.host, expected.port)
        self._names.pop(remote, None)
        if expected.name:
            self._names[remote] = expected.name
            if len(self._names) > EXPECTED_NAMES_MAX:
                del self._names[next(iter(self._names))]

    def name_at(self, remote: Remote) -> str:
        """The name expected there, "" where only the address counts."""
        return self._names.get(remote, "")

    def may_reuse(self, connection: Connection, remote: Remote) -> bool:
        """Over TLS a connection is somebody's who has proven to be the one that is expected now."""
        return remote[0] != TLS or connection.certifies(self.name_at(remote))

    def send(self, flow: Flow, data: bytes) -> None:
        """On a connection to the flow's peer, whichever that is."""
        remote = (flow.transport, canonical_ip(flow.remote_host) or flow.remote_host, flow.remote_port)
        connection = self.by_remote.get(remote)
        if connection is not None and self.may_reuse(connection, remote):
            self._edge.write(connection, flow, data)
            return
        # By its name, too: what is meant for one waits for no connection to another.
        sought = (remote, self.name_at(remote))
        is_new = not self._dials.is_dialling(sought)
        if problem := self._dials.add(sought, flow, data):
            self._edge.fail(flow, problem)
        elif is_new:
            task = self._loop.create_task(self._dial(sought))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def forget(self, connection: Connection) -> None:
        """It is gone."""
        flow = connection.flow
        for port in (flow.remote_port, *connection.aliases):
            remote = (flow.transport, flow.remote_host, port)
            if self.by_remote.get(remote) is connection:
                del self.by_remote[remote]

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _dial(self, sought: Sought) -> None:
        """Opens one connection and sends what waited for it; or says of each message that it was not sent."""
        remote, name = sought
        problem = dial_problem(remote) or self._edge.room_problem()
        connection: Connection | None = None
        if problem is None:
            try:
                connection, problem = await asyncio.wait_for(self._connect(remote, name), DIAL_S)
            except (OSError, TimeoutError) as error:
                problem = f"no connection: {error or 'no answer in time'}"
        waiting = self._dials.finish(sought)
        if connection is None or problem is not None:
            self._edge.counts.dials_failed += 1
            log.warning("dial_failed", to=host_port(*remote[1:]), transport=remote[0], problem=problem)
            for flow, _ in waiting:
                self._edge.fail(flow, problem or "no connection")
            return
        self.by_remote[remote] = connection
        for flow, data in waiting:
            self._edge.write(connection, flow, data)

    async def _connect(self, remote: Remote, name: str) -> tuple[Connection, str | None]:
        """The connection, and why it cannot be used."""
        transport, host, port = remote
        if transport == TLS and self._edge.identity.dialling is None:
            raise OSError("no CA to verify the peer's certificate with")
        ready: asyncio.Future[str | None] = self._loop.create_future()
        make = partial(Connection, self._edge, transport, is_outbound=True, peer_name=name, ready=ready)
        _, connection = await self._loop.create_connection(make, host, port)
        try:
            return connection, await ready
        except asyncio.CancelledError:  # the time is up
            connection.abort()
            raise


def dial_problem(remote: Remote) -> str | None:
    """Only a literal address is dialled: looking names up is the switch's, and would block here."""
    transport, host, port = remote
    if transport in WEBSOCKETS:
        return "a WebSocket is opened by its browser only"
    if canonical_ip(host) is None or is_link_local(host):
        return f"not an address: {host[:60]!a}"
    if not 0 < port < 65536:
        return f"not a port: {port}"
    return None
