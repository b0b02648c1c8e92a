"""The relay's end of the Unix socket to the switch: one switch at a time, the newest; a short memory without one.

No event loop of its own: the process says when the socket can be read or written.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque

import structlog

from media.relay.limits import BACKLOG_MAX, LINK_BYTES_MAX
from media.relay.messages import VERSION, FromRelay, FromSwitch, Hello, reader_of_switch
from provisioning.message_frames import FrameError, encode_frames

READ_BYTES = 256 * 1024

log = structlog.get_logger("media.relay")


class SwitchLink:
    """`connection` is the switch that is there, or None. What is said meanwhile is kept for the same switch."""

    __slots__ = ("_backlog", "_epoch", "_out", "_reader", "connection", "dropped", "listener")

    def __init__(self, listener: socket.socket, *, epoch: str) -> None:
        self.listener = listener
        self.connection: socket.socket | None = None
        self.dropped = 0
        self._epoch = epoch
        self._reader = reader_of_switch()
        self._out = bytearray()
        self._backlog: deque[FromRelay] = deque(maxlen=BACKLOG_MAX)

    @property
    def is_connected(self) -> bool:
        return self.connection is not None

    @property
    def has_output(self) -> bool:
        return bool(self._out)

    def accept(self) -> socket.socket | None:
        """A switch that has connected. The one before it must have been cut off."""
        assert self.connection is None, "one at a time"
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return None
        connection.setblocking(False)
        self.connection = connection
        self._reader = reader_of_switch()
        self._out = bytearray(encode_frames([Hello(epoch=self._epoch, version=VERSION)]))
        return connection

    def attached(self, *, is_same: bool) -> None:
        """The switch has said who it is: what was kept is for the one that was there before."""
        if is_same and self._backlog:
            self._out += encode_frames(list(self._backlog))
        self._backlog.clear()

    def read(self) -> list[FromSwitch] | None:
        """What has come; None when the connection is over."""
        assert self.connection is not None
        try:
            data = self.connection.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        try:
            return self._reader.feed(data)
        except FrameError as problem:
            log.error("switch_link_broken", problem=str(problem))
            return None

    def say(self, messages: list[FromRelay]) -> None:
        if self.connection is not None:
            self._out += encode_frames(messages)
            return
        for message in messages:
            self.dropped += len(self._backlog) == BACKLOG_MAX
            self._backlog.append(message)

    def flush(self) -> bool:
        """Writes what the socket takes. False: the connection is over, or the switch does not read."""
        assert self.connection is not None
        while self._out:
            try:
                sent = self.connection.send(self._out)
            except BlockingIOError:
                return len(self._out) <= LINK_BYTES_MAX
            except OSError:
                return False
            del self._out[:sent]
        return True

    def cut_off(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None
            self._out = bytearray()

    def close(self) -> None:
        if self.connection is not None:
            with contextlib.suppress(OSError):
                self.connection.setblocking(True)
                self.connection.settimeout(1.0)
                self.connection.sendall(self._out)
        self.cut_off()
        self.listener.close()
