"""The switch's end of the Unix socket to the edge: TCP messages in and out, by flow. Thin; decides nothing.

While the edge is away every `send` fails at once (TCP peers are out of reach), and UDP goes on. What is sent in one
turn of the event loop goes out together.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

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
from switch.transport.part_link import PartLink

log = structlog.get_logger("switch.transport")


class EdgeLink:
    """`received(data, flow)`, `closed(flow)` and `failed(flow)` are called in the order of the edge's events.

    `closed` also names the flow without a connection id under which a connection was opened for us. `failed`
    says that one message for this flow was not sent. `edge_restarted()`: every TCP flow from before is gone.
    """

    def __init__(
        self,
        path: Path,
        *,
        received: Callable[[bytes, Flow], None],
        closed: Callable[[Flow], None],
        failed: Callable[[Flow], None],
        edge_restarted: Callable[[], None] | None = None,
    ) -> None:
        self._link = PartLink(path, "edge", reader_of_edge, received=self.deliver, lost=self._lost)
        self.counts = EdgeCounts()
        self._received = received
        self._closed = closed
        self._failed = failed
        self._edge_restarted = edge_restarted
        self._epoch = ""
        self._version: int | None = None  # of the edge; None until its Hello has come
        self._names: dict[tuple[str, str, int], str] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
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

    @property
    def reconnects(self) -> int:
        return self._link.reconnects

    async def run(self) -> None:
        """Keeps the link up until cancelled."""
        self._loop = asyncio.get_running_loop()
        await self._link.run()

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
        if self._pending:
            pending, self._pending = self._pending, []
            self._link.send(pending)

    def _has_room(self) -> bool:
        return self._version is not None and self._link.has_room

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

    def _lost(self) -> None:
        """What waits to be sent fails."""
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
