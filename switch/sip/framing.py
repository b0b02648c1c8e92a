"""Messages out of a byte stream by Content-Length: RFC 3261 18.3, 7.5, and the pings of RFC 5626 4.4.1.
Any split of the stream into reads gives the same frames. What cannot be framed with certainty breaks the
stream: a guess here would let the body of one message become the next message. Left out: sockets, idle times
and the time a half-sent message may take, which are the edge's.
"""

from __future__ import annotations

import re
from enum import Enum

import msgspec

from switch.sip.errors import SipParseError
from switch.sip.fields import parse_content_length
from switch.sip.headers import key_of, split_field, unfold
from switch.sip.parser import MESSAGE_BYTES_MAX, split_head

# A head is as large as a whole datagram may be; with 256 fields that is 256 octets a field.
HEAD_BYTES_MAX = 65_535
# A Request-URI of 4 kB is far beyond any in the field; a peer that speaks another protocol is cut off early.
START_LINE_BYTES_MAX = 8 * 1024


class Ping(Enum):
    """A double CRLF between messages: the peer asks for a single CRLF back (RFC 5626 4.4.1)."""

    PING = "ping"


PING = Ping.PING
Frame = bytes | Ping


class FramingLimits(msgspec.Struct, frozen=True):
    head_bytes_max: int = HEAD_BYTES_MAX
    message_bytes_max: int = MESSAGE_BYTES_MAX
    start_line_bytes_max: int = START_LINE_BYTES_MAX


class StreamBroken(Exception):  # noqa: N818 - the name of what happened
    """The stream cannot be framed any further and is to be closed. `frames` came whole before the break."""

    def __init__(self, reason: str, frames: list[Frame]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.frames = frames


class _Unframable(Exception):  # noqa: N818 - never leaves this file
    pass


# SIP-Version at one end of the line: anything else is no SIP peer.
_start_line = re.compile(
    rb"SIP/[0-9]++\.[0-9]++ |[^ ]++ .*SIP/[0-9]++\.[0-9]++ *+\Z", re.IGNORECASE | re.DOTALL
).match
_CRLF = b"\r\n"


class StreamFramer:
    """feed() bytes as they come; get whole messages and pings in order."""

    __slots__ = ("_broken", "_buffer", "_has_start_line", "_limits", "_needed", "_scanned")

    def __init__(self, limits: FramingLimits | None = None) -> None:
        self._limits = limits or FramingLimits()
        self._buffer = bytearray()
        # How far the buffer is known to hold no end of head: each octet is looked at once.
        self._scanned = 0
        # Octets of the message at the front of the buffer, once its head has said so; 0 before.
        self._needed = 0
        self._has_start_line = False
        self._broken: str | None = None

    @property
    def has_partial(self) -> bool:
        """Whether a message has begun and not ended: what a deadline against slow senders looks at.

        A lone line end does not count: it is half a ping, a pong, or some phone's whole keep-alive.
        """
        return bytes(self._buffer[:1]) not in {b"", b"\r"}

    def feed(self, data: bytes) -> list[Frame]:
        """Raises StreamBroken, and again at every later call."""
        if self._broken is not None:
            raise StreamBroken(self._broken, [])
        self._buffer += data
        frames: list[Frame] = []
        start = 0
        try:
            while (taken := self._take(start, frames)) > 0:
                start += taken
        except _Unframable as error:
            self._broken = str(error)
            self._buffer.clear()
            raise StreamBroken(self._broken, frames) from None
        if start:
            del self._buffer[:start]
        return frames

    def _take(self, start: int, frames: list[Frame]) -> int:
        """Take what is at `start`: the number of octets used, or 0 when more must come first."""
        if not self._needed:
            first = self._buffer[start : start + 1]
            if not first:
                return 0
            if first == b"\r":
                return self._take_line_end(start, frames)
            self._needed = self._measure(start)
        size = self._needed
        if not size or len(self._buffer) - start < size:
            return 0
        frames.append(bytes(self._buffer[start : start + size]))
        self._needed = 0
        self._scanned = 0
        self._has_start_line = False
        return size

    def _take_line_end(self, start: int, frames: list[Frame]) -> int:
        """7.5: line ends before a message are ignored; two in a row are a ping."""
        ahead = bytes(self._buffer[start : start + 4])
        if ahead == _CRLF + _CRLF:
            frames.append(PING)
            return 4
        if (_CRLF + _CRLF).startswith(ahead):
            return 0
        if not ahead.startswith(_CRLF):
            raise _Unframable("bare CR between messages")
        return 2

    def _measure(self, start: int) -> int:
        """The size of the message at `start`, or 0 while its head is incomplete."""
        if not self._has_start_line:
            self._check_start_line(start)
        end = self._buffer.find(_CRLF + _CRLF, start + max(self._scanned - 3, 0))
        # While the end is not in sight, the last three octets may be part of it.
        head_size = (end if end >= 0 else len(self._buffer) - 3) - start
        if head_size > self._limits.head_bytes_max:
            raise _Unframable("head too large")
        if end < 0:
            self._scanned = len(self._buffer) - start
            return 0
        size = head_size + 4 + _body_size(bytes(self._buffer[start:end]))
        if size > self._limits.message_bytes_max:
            raise _Unframable("message too large")
        return size

    def _check_start_line(self, start: int) -> None:
        limit = self._limits.start_line_bytes_max
        end = self._buffer.find(_CRLF, start, start + limit + 2)
        if end >= 0:
            if not _start_line(bytes(self._buffer[start:end])):
                raise _Unframable("not SIP")
            self._has_start_line = True
        elif len(self._buffer) - start >= limit + 2:
            raise _Unframable("start line too long")


def _body_size(head: bytes) -> int:
    """From Content-Length, which 20.14 requires on streams. The head's other faults are for the parser."""
    try:
        lines = split_head(head.decode("utf-8", "surrogateescape"))
        fields = [field for line in unfold(lines[1:]) if (field := split_field(line))]
        values = [value for name, _, value in fields if key_of(name) == "content-length"]
        if values:
            return parse_content_length(values)
    except SipParseError as error:
        raise _Unframable(str(error)) from None
    raise _Unframable("no Content-Length")
