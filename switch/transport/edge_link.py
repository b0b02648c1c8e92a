"""The switch's end of the Unix socket to the edge: TCP messages in and out, by flow. Thin; decides nothing.

It connects again by itself. While the edge is away every `send` fails at once (TCP peers are out of reach),
and UDP goes on. What is sent in one turn of the event loop goes out together.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

import structlog

from provisioning.message_frames import FrameError, encode_frames
from provisioning.socket_path import short_socket_path
from switch.edge.limits import EXPECTED_NAMES_MAX
from switch.edge.messages import (
    Alias,
    CloseConnection,
    Closed,
    EdgeCounts,
    ExpectName,
    Failed,
    FromEdge,
    FromSwitch,
    Hello,
    Received,
    Send,
    reader_of_edge,
)
from switch.sip.flow import Flow

FIRST_RETRY_S = 0.05
RETRY_MAX_S = 1.0
# What may wait for an edge that does not read; past this it is hung and messages for it fail.
WRITE_BUFFER_BYTES_MAX = 32 * 1024 * 1024

log = structlog.get_logger("switch.transport")


class EdgeLink:
    """`received(data, flow)`, `closed(flow)` and `failed(flow)` are called in the order of the edge's events.

    `closed` also names the flow without a connection id under which a connection was opened for us. `failed`
    says that one message for this flow was not sent. `edge_restarted()`: every TCP flow from before is gone.
    """

    __slots__ = (
        "_closed", "_connected_for_first_time", "_edge_restarted", "_epoch", "_failed", "_is_flush_due",
        "_loop", "_names", "_pending", "_received", "_transport", "_version", "counts", "path", "reconnects",
    )  # fmt: skip

    def __init__(
        self,
        path: Path,
        *,
        received: Callable[[bytes, Flow], None],
        closed: Callable[[Flow], None],
        failed: Callable[[Flow], None],
        edge_restarted: Callable[[], None] | None = None,
    ) -> None:
        self.path = path
        self.counts = EdgeCounts()
        self.reconnects = 0
        self._received = received
        self._closed = closed
        self._failed = failed
        self._edge_restarted = edge_restarted
        self._epoch = ""
        self._version: int | None = None  # of the edge; None until its Hello has come
        self._names: dict[tuple[str, str, int], str] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._transport: asyncio.Transport | None = None
        self._pending: list[FromSwitch] = []
        self._is_flush_due = False
        self._connected_for_first_time = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        """Since the edge's Hello: what is sent before it could overtake the names that the edge must know."""
        return self._version is not None

    async def wait_until_connected(self) -> None:
        """For start: the first connection only."""
        await self._connected_for_first_time.wait()

    async def run(self) -> None:
        """Keeps the link up until cancelled."""
        self._loop = loop = asyncio.get_running_loop()
        retry_s = FIRST_RETRY_S
        try:
            while True:
                ended: asyncio.Future[None] = loop.create_future()
                protocol = _EdgeProtocol(self, ended)
                try:
                    with short_socket_path(self.path) as path:
                        await loop.create_unix_connection(protocol.itself, path)
                except OSError:
                    await asyncio.sleep(retry_s)
                    retry_s = min(retry_s * 2, RETRY_MAX_S)
                    continue
                retry_s = FIRST_RETRY_S
                await ended
                self.reconnects += 1
                log.warning("edge_disconnected")
        finally:
            self.close()

    def send(self, flow: Flow, data: bytes) -> None:
        """Hands a message over. An empty `flow.connection` reuses a connection to the peer, or opens one."""
        if not self._has_room():
            self._fail_soon(flow)
            return
        self._queue(Send(flow=flow, data=data))

    def close_connection(self, flow: Flow) -> None:
        if self._has_room():
            self._queue(CloseConnection(flow=flow))

    def expect_name(self, transport: str, host: str, port: int, name: str) -> None:
        """Whom the edge shall find at an address when it connects there over TLS: a domain, as the operator named it.

        To be said before the first message to that address, and again when the name changes; "" forgets it. `host` is
        a bare address in its one spelling. An edge that starts anew is told again. Of more than EXPECTED_NAMES_MAX
        the one that was said first is forgotten.
        """
        key = (transport, host, port)
        if self._names.get(key, "") == name:
            return
        self._names.pop(key, None)
        if name:
            self._names[key] = name
            if len(self._names) > EXPECTED_NAMES_MAX:
                del self._names[next(iter(self._names))]
        if self._version and self._has_room():
            self._queue(ExpectName(transport=transport, host=host, port=port, name=name))

    def alias(self, flow: Flow, port: int) -> None:
        """Messages for this port of the peer take its connection (RFC 5923), which the caller knows to be a trunk's."""
        if self._version and self._has_room():
            self._queue(Alias(flow=flow, port=port))

    def flush(self) -> None:
        """Writes what is queued now, instead of at the end of this turn."""
        self._is_flush_due = False
        if self._pending and self._transport is not None:
            pending, self._pending = self._pending, []
            self._transport.write(encode_frames(pending))

    def close(self) -> None:
        if self._transport is not None:
            self.flush()
            self._transport.close()

    def _has_room(self) -> bool:
        transport = self._transport
        if transport is None or self._version is None:
            return False
        return transport.get_write_buffer_size() < WRITE_BUFFER_BYTES_MAX

    def _queue(self, message: FromSwitch) -> None:
        self._pending.append(message)
        if not self._is_flush_due:
            self._is_flush_due = True
            assert self._loop is not None
            self._loop.call_soon(self.flush)

    def _fail_soon(self, flow: Flow) -> None:
        """Not from inside `send`: its caller is in the middle of something."""
        loop = self._loop or asyncio.get_running_loop()
        loop.call_soon(self._call_failed, flow)

    def _call_failed(self, flow: Flow) -> None:
        self.deliver([Failed(flow=flow, reason="the edge is away")])

    def attach(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def detach(self) -> None:
        self._transport = None
        self._version = None
        pending, self._pending = self._pending, []
        for message in pending:
            if isinstance(message, Send):
                self._fail_soon(message.flow)

    def deliver(self, messages: list[FromEdge]) -> None:
        """The border of TCP: a bug in what one message sets off ends here, and the next one is served."""
        for message in messages:
            try:
                self._deliver_one(message)
            except Exception:  # the border
                log.exception("bug", event_kind=type(message).__name__)

    def _deliver_one(self, message: FromEdge) -> None:
        match message:
            case Received(flow=flow, data=data):
                self._received(data, flow)
            case Closed(flow=flow):
                self._closed(flow)
            case Failed(flow=flow):
                self._failed(flow)
            case EdgeCounts():
                self.counts = message
            case Hello(epoch=epoch, version=version):
                self._greet(version)
                is_other, self._epoch = bool(self._epoch) and epoch != self._epoch, epoch
                if is_other and self._edge_restarted is not None:
                    self._edge_restarted()

    def _greet(self, version: int) -> None:
        """An edge is there, perhaps a new one: it is told whom to expect before anything is sent."""
        self._version = version
        if version:
            for (transport, host, port), name in self._names.items():
                self._queue(ExpectName(transport=transport, host=host, port=port, name=name))
        self._connected_for_first_time.set()
        log.info("edge_connected")


class _EdgeProtocol(asyncio.Protocol):
    __slots__ = ("_ended", "_link", "_reader", "_transport")

    def __init__(self, link: EdgeLink, ended: "asyncio.Future[None]") -> None:
        self._link = link
        self._ended = ended
        self._reader = reader_of_edge()
        self._transport: asyncio.Transport | None = None

    def itself(self) -> "_EdgeProtocol":
        """The protocol factory that asyncio asks for; each instance serves one connection."""
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._link.attach(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except FrameError as problem:
            log.error("edge_link_broken", problem=str(problem))
            assert self._transport is not None
            self._transport.abort()
            return
        self._link.deliver(messages)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.detach()
        with contextlib.suppress(asyncio.InvalidStateError):
            self._ended.set_result(None)
