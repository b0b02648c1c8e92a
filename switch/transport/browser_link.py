"""The switch's end of the Unix socket to the browsers' process. Thin; switch/relay/browser_gates.py decides.

It connects again by itself; while the process is away nothing is said to it, and when it is back it grants its
gates anew. What is said in one turn of the event loop goes out together, before the messages of SIP that name a gate.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

import structlog

from media.browser.messages import FromBrowsers, FromSwitch, Hello, reader_of_browsers
from provisioning.message_frames import FrameError, encode_frames
from provisioning.socket_path import short_socket_path

FIRST_RETRY_S = 0.02
RETRY_MAX_S = 0.5
# What may wait for a process that does not read; past this it is hung, and is connected to anew.
WRITE_BUFFER_BYTES_MAX = 16 * 1024 * 1024

log = structlog.get_logger("switch.transport")


class BrowserLink:
    """`received(messages)` is called with what came together; `lost()` when the process is away."""

    __slots__ = ("_connected_for_first_time", "_lost", "_received", "_transport", "path", "reconnects")

    def __init__(
        self, path: Path, *, received: Callable[[list[FromBrowsers]], None], lost: Callable[[], None]
    ) -> None:
        self.path = path
        self.reconnects = 0
        self._received = received
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._connected_for_first_time = asyncio.Event()

    async def wait_until_connected(self) -> None:
        """For start: until its first Hello."""
        await self._connected_for_first_time.wait()

    async def run(self) -> None:
        """Keeps the link up until cancelled."""
        loop = asyncio.get_running_loop()
        retry_s = FIRST_RETRY_S
        try:
            while True:
                ended: asyncio.Future[None] = loop.create_future()
                protocol = _BrowserProtocol(self, ended)
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
                log.warning("browsers_disconnected")
        finally:
            self.close()

    def send(self, messages: list[FromSwitch]) -> None:
        """All of one turn. A process that does not read them is taken for dead."""
        transport = self._transport
        if transport is None:
            return
        if transport.get_write_buffer_size() > WRITE_BUFFER_BYTES_MAX:
            log.error("browsers_does_not_read")
            transport.abort()
            return
        transport.write(encode_frames(messages))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def attach(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def detach(self) -> None:
        self._transport = None
        self._lost()

    def deliver(self, messages: list[FromBrowsers]) -> None:
        if any(isinstance(message, Hello) for message in messages):
            self._connected_for_first_time.set()
            log.info("browsers_connected")
        self._received(messages)


class _BrowserProtocol(asyncio.Protocol):
    __slots__ = ("_ended", "_link", "_reader", "_transport")

    def __init__(self, link: BrowserLink, ended: "asyncio.Future[None]") -> None:
        self._link = link
        self._ended = ended
        self._reader = reader_of_browsers()
        self._transport: asyncio.Transport | None = None

    def itself(self) -> "_BrowserProtocol":
        """The protocol factory that asyncio asks for; each instance serves one connection."""
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._link.attach(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except FrameError as problem:
            log.error("browsers_link_broken", problem=str(problem))
            assert self._transport is not None
            self._transport.abort()
            return
        self._link.deliver(messages)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.detach()
        with contextlib.suppress(asyncio.InvalidStateError):
            self._ended.set_result(None)
