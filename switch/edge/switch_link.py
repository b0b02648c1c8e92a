"""The edge's end of the Unix socket to the switch: one switch at a time, a bounded backlog without one.

Messages of one turn of the event loop go out together. When the switch reads more slowly than the peers send,
or is away and the backlog is full, `is_congested` says so, and the edge stops reading from those who send.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

import structlog

from provisioning.message_frames import FrameError, encode_frames
from switch.edge.limits import BACKLOG_AGE_S
from switch.edge.messages import (
    VERSION,
    FromEdge,
    FromSwitch,
    Hello,
    Received,
    reader_of_switch,
)

# Above this the socket's buffer counts as full; the peers are made to wait.
WRITE_HIGH_BYTES = 4 * 1024 * 1024
WRITE_LOW_BYTES = 1024 * 1024
# What a message costs beside its data, for the backlog's account.
MESSAGE_OVERHEAD_BYTES = 200
# With every peer paused only what was already read comes on top; past twice the limit messages are dropped.
BACKLOG_HARD_FACTOR = 2

log = structlog.get_logger("switch.edge")


class SwitchLink:
    """`deliver(message)` is called for every message of the switch; `on_relief()` when congestion ends."""

    __slots__ = (
        "_backlog", "_backlog_bytes", "_backlog_bytes_max", "_deliver", "_epoch", "_is_flush_due", "_is_slow",
        "_loop", "_on_relief", "_pending", "_transport", "dropped",
    )  # fmt: skip

    def __init__(
        self,
        *,
        epoch: str,
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[FromSwitch], None],
        on_relief: Callable[[], None],
        backlog_bytes_max: int,
    ) -> None:
        self._epoch = epoch
        self._loop = loop
        self._deliver = deliver
        self._on_relief = on_relief
        self._backlog_bytes_max = backlog_bytes_max
        self._transport: asyncio.Transport | None = None
        self._pending: list[FromEdge] = []
        self._is_flush_due = False
        self._is_slow = False
        self._backlog: deque[tuple[float, FromEdge]] = deque()
        self._backlog_bytes = 0
        self.dropped = 0

    @property
    def is_connected(self) -> bool:
        return self._transport is not None

    @property
    def is_congested(self) -> bool:
        return self._is_slow or self._backlog_bytes > self._backlog_bytes_max

    def protocol(self) -> asyncio.Protocol:
        """For `create_unix_server`: each switch that connects gets one."""
        return _SwitchProtocol(self)

    def send(self, message: FromEdge) -> None:
        if self._transport is None:
            self._keep(message)
            return
        self._pending.append(message)
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        if self._transport is not None:
            self._flush()
            self._transport.close()

    def attached(self, transport: asyncio.Transport) -> None:
        """A switch has connected. An older one that still hangs on is cut off: it is dead or dying."""
        if self._transport is not None:
            log.warning("switch_replaced")
            self._transport.abort()
        transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES, low=WRITE_LOW_BYTES)
        self._transport = transport
        self._is_slow = False
        oldest = self._loop.time() - BACKLOG_AGE_S
        kept = [message for at, message in self._backlog if at >= oldest or not isinstance(message, Received)]
        log.info("switch_connected", backlog=len(kept), too_old=len(self._backlog) - len(kept))
        self.dropped += len(self._backlog) - len(kept)
        self._backlog.clear()
        self._backlog_bytes = 0
        # What was queued for the switch before it is lost or already written; what is new comes after the
        # backlog.
        self._pending = [Hello(epoch=self._epoch, version=VERSION), *kept, *self._pending]
        self._flush()
        self._on_relief()

    def detached(self, transport: asyncio.Transport) -> None:
        if transport is not self._transport:
            return
        log.warning("switch_disconnected")
        self._transport = None
        self._is_slow = False
        for message in self._pending:
            self._keep(message)
        self._pending.clear()

    def received(self, messages: list[FromSwitch]) -> None:
        for message in messages:
            self._deliver(message)

    def set_slow(self, *, is_slow: bool) -> None:
        self._is_slow = is_slow
        if not is_slow:
            self._on_relief()

    def _flush(self) -> None:
        self._is_flush_due = False
        if self._pending and self._transport is not None:
            pending, self._pending = self._pending, []
            self._transport.write(encode_frames(pending))

    def _keep(self, message: FromEdge) -> None:
        size = MESSAGE_OVERHEAD_BYTES + (len(message.data) if isinstance(message, Received) else 0)
        if self._backlog_bytes + size > self._backlog_bytes_max * BACKLOG_HARD_FACTOR:
            self.dropped += 1
            return
        self._backlog.append((self._loop.time(), message))
        self._backlog_bytes += size


class _SwitchProtocol(asyncio.Protocol):
    __slots__ = ("_link", "_reader", "_transport")

    def __init__(self, link: SwitchLink) -> None:
        self._link = link
        self._reader = reader_of_switch()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._link.attached(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except FrameError as problem:
            log.error("switch_link_broken", problem=str(problem))
            assert self._transport is not None
            self._transport.abort()
            return
        self._link.received(messages)

    def connection_lost(self, exc: Exception | None) -> None:
        assert self._transport is not None
        self._link.detached(self._transport)

    def pause_writing(self) -> None:
        self._link.set_slow(is_slow=True)

    def resume_writing(self) -> None:
        self._link.set_slow(is_slow=False)
