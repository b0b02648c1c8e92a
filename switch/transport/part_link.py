"""The switch's end of a Unix socket to another part of the exchange (provisioning/message_frames.py). Decides nothing.

It connects again by itself, so that either end may be started anew. The edge's link has it inside, and adds what
concerns flows (edge_link.py); the relay's and the browsers' are this as it stands (switch/media_links.py).
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar, cast

import msgspec
import structlog

from provisioning.message_frames import FrameError, FrameReader, encode_frames
from provisioning.socket_path import short_socket_path

# A part is back within a second; while it is away a try costs next to nothing.
FIRST_RETRY_S = 0.02
RETRY_MAX_S = 0.5
# What may wait for a part that does not read; past this it is hung.
WRITE_BUFFER_BYTES_MAX = 32 * 1024 * 1024

Heard = TypeVar("Heard")

log = structlog.get_logger("switch.transport")


class PartLink(Generic[Heard]):
    """`received(messages)` is called with what came together; `lost()` when the part is away. `name` is for the log."""

    def __init__(
        self,
        path: Path,
        name: str,
        reader: Callable[[], FrameReader[Heard]],
        *,
        received: Callable[[list[Heard]], None],
        lost: Callable[[], None],
    ) -> None:
        self.path = path
        self.name = name
        self.reconnects = 0  # times that it broke
        self._reader = reader
        self._received = received
        self._lost = lost
        self._transport: asyncio.Transport | None = None

    async def run(self) -> None:
        """Keeps the link up until cancelled."""
        loop = asyncio.get_running_loop()
        retry_s = FIRST_RETRY_S
        try:
            while True:
                ended: asyncio.Future[None] = loop.create_future()
                protocol = _FrameProtocol(self, self._reader(), ended)
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
                log.warning(f"{self.name}_disconnected")
        finally:
            self.close()

    @property
    def has_room(self) -> bool:
        """Whether it is connected to a part that reads what it is told."""
        transport = self._transport
        return transport is not None and transport.get_write_buffer_size() < WRITE_BUFFER_BYTES_MAX

    def send(self, messages: Sequence[msgspec.Struct]) -> None:
        """All of one turn. A part that does not read is taken for dead, and connected to anew."""
        if self._transport is None:
            return
        if not self.has_room:
            log.error(f"{self.name}_does_not_read")
            self._transport.abort()
            return
        self._transport.write(encode_frames(messages))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def attach(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        log.info(f"{self.name}_connected")

    def detach(self) -> None:
        self._transport = None
        self._lost()

    def deliver(self, messages: list[Heard]) -> None:
        self._received(messages)


class _FrameProtocol(asyncio.Protocol, Generic[Heard]):
    """One connection."""

    __slots__ = ("_ended", "_link", "_reader", "_transport")

    def __init__(
        self, link: PartLink[Heard], reader: FrameReader[Heard], ended: "asyncio.Future[None]"
    ) -> None:
        self._link = link
        self._reader = reader
        self._ended = ended
        self._transport: asyncio.Transport | None = None

    def itself(self) -> "_FrameProtocol[Heard]":
        """The protocol factory that asyncio asks for; each instance serves one connection."""
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._link.attach(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except FrameError as problem:
            log.error(f"{self._link.name}_link_broken", problem=str(problem))
            assert self._transport is not None
            self._transport.abort()
            return
        self._link.deliver(messages)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.detach()
        with contextlib.suppress(asyncio.InvalidStateError):
            self._ended.set_result(None)
