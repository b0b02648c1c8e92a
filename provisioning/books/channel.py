"""The books' end of the socket pair to the switch: messages in, messages out, and the end of the stream."""

import asyncio
import contextlib
import socket
from typing import Final

from provisioning.books.messages import FromBooks, ToBooks, decode_to_books, encode_message
from rating.journal.frames import FrameSplitter

RECEIVE_BYTES: Final = 256 * 1024


class Channel:
    """`receive` until it returns None: the switch is gone. `send` waits while the switch does not read."""

    __slots__ = ("_reader", "_ready", "_splitter", "_writer")

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._splitter = FrameSplitter()
        self._ready: list[bytes] = []

    @classmethod
    async def open(cls, descriptor: int) -> "Channel":
        reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=descriptor))
        return cls(reader, writer)

    async def receive(self) -> ToBooks | None:
        while not self._ready:
            try:
                data = await self._reader.read(RECEIVE_BYTES)
            except ConnectionError:
                return None
            if not data:
                return None
            self._ready = self._splitter.feed(data)[::-1]
        return decode_to_books(self._ready.pop())

    async def send(self, message: FromBooks) -> None:
        """To a switch that is gone nothing is sent; `receive` is where that is noticed."""
        if self._writer.is_closing():
            return
        with contextlib.suppress(ConnectionError):
            self._writer.write(encode_message(message))
            await self._writer.drain()

    async def close(self) -> None:
        """Whatever was sent still arrives."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
