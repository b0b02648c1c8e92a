"""SIP over WebSocket (RFC 7118) between the bytes of a connection and its messages, without a socket.

Framing, masking, pings and the closing handshake (RFC 6455) are the `websockets` library's. Decided here: the path, the
origin (`[websocket]`), the sub-protocol `sip`, which a client must offer, and that one message of the one is one
message of the other, text or binary. No extension is agreed on: compressed messages could unfold to any size.
"""

import logging
from http import HTTPStatus

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN, SEND_EOF
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from switch.conf_edge import WebSocket
from switch.sip.framing import PING, StreamBroken
from switch.sip.framing import Frame as SipFrame
from switch.sip.parser import MESSAGE_BYTES_MAX

SUBPROTOCOL = Subprotocol("sip")
# A browser sends half a kilobyte, with cookies and a proxy's fields some more.
REQUEST_BYTES_MAX = 16 * 1024
# Nobody cuts a message of some kilobytes into more; each piece costs work out of proportion.
FRAGMENTS_MAX = 64
KEEPALIVES = (b"\r\n", b"")

# What the library says of hostile input is counted here and no business of our log.
_silent = logging.getLogger("switch.edge.websocket")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False
_silent.setLevel(logging.CRITICAL)


class WebSocketRefused(StreamBroken):
    """The opening handshake was answered with an HTTP error, which is in `outgoing`."""


class WebSocketLayer:
    """The server's side of one connection. `feed` and `outgoing` as StreamFramer's and TlsLayer's."""

    __slots__ = (
        "_fragments",
        "_is_text",
        "_path",
        "_protocol",
        "_request",
        "_writes",
        "is_ended",
    )

    def __init__(self, rules: WebSocket) -> None:
        origins = [None if origin == "" else Origin(origin) for origin in rules.origins]
        self._protocol = ServerProtocol(
            origins=origins,
            extensions=None,
            subprotocols=[SUBPROTOCOL],
            max_size=MESSAGE_BYTES_MAX,
            logger=_silent,
        )
        self._path = rules.path
        self._request: bytes | None = b""  # what has come of the opening handshake; None after it
        self._fragments: list[bytes] = []
        self._is_text = False
        self._writes: list[bytes] = []
        self.is_ended = False

    @property
    def is_open(self) -> bool:
        """Whether the opening handshake is done and the closing one has not begun."""
        return self._protocol.state is OPEN

    @property
    def has_partial(self) -> bool:
        """Whether a message has begun and not ended: what a deadline against slow senders looks at."""
        return self.is_open and bool(self._fragments or self._protocol.reader.buffer)

    def feed(self, data: bytes) -> list[SipFrame]:
        """Whole messages and pings (a double CRLF, RFC 7118 6). Raises StreamBroken when the connection is over."""
        if self._request is not None:
            rest = self._take_request(data)
            if rest is None:
                return []
            data = rest
        protocol = self._protocol
        protocol.receive_data(data)
        frames: list[SipFrame] = []
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._take(event, frames)
        self._collect()
        if protocol.parser_exc is not None:
            raise StreamBroken("not the WebSocket protocol", frames)
        return frames

    def encode(self, data: bytes) -> bool:
        """A SIP message as a WebSocket message, into `outgoing`; False when the connection is closing."""
        protocol = self._protocol
        if not self.is_open:
            return False
        if _is_utf8(data):
            protocol.send_text(data)
        else:
            protocol.send_binary(data)
        self._collect()
        return True

    def say_goodbye(self) -> None:
        """The closing handshake's first half; the peer's half is not waited for."""
        if self.is_open:
            self._protocol.send_close(CloseCode.GOING_AWAY)
            self._collect()

    def outgoing(self) -> bytes:
        writes, self._writes = self._writes, []
        return b"".join(writes)

    def _take_request(self, data: bytes) -> bytes | None:
        """Bytes of the opening handshake: None while it is not whole, then what came behind it.

        The library gets the request alone and only when it is whole ASCII: it cannot take frames before it has
        answered, and its refusals repeat what was asked.
        """
        assert self._request is not None
        request = self._request + data
        head, end, rest = request.partition(b"\r\n\r\n")
        if len(head) > REQUEST_BYTES_MAX:
            raise StreamBroken("an opening handshake that does not end", [])
        if not end:
            self._request = request
            return None
        self._request = None
        if not head.isascii():
            raise WebSocketRefused("an opening handshake that is not HTTP", [])
        self._protocol.receive_data(head + end)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._answer(event)
        self._collect()
        if not self.is_open:
            raise WebSocketRefused("the opening handshake failed", [])
        return rest

    def _answer(self, request: Request) -> None:
        protocol = self._protocol
        if request.path.partition("?")[0] == self._path:
            response = protocol.accept(request)
        else:
            response = protocol.reject(HTTPStatus.NOT_FOUND, "There is no such WebSocket.\n")
        protocol.send_response(response)

    def _take(self, frame: Frame, frames: list[SipFrame]) -> None:
        """One frame of data; the library has answered pings and closes."""
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._is_text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return
        self._fragments.append(bytes(frame.data))
        if len(self._fragments) > FRAGMENTS_MAX:
            self._fail(CloseCode.MESSAGE_TOO_BIG, frames)
        if not frame.fin:
            return
        message = b"".join(self._fragments)
        self._fragments.clear()
        if self._is_text and not _is_utf8(message):
            self._fail(CloseCode.INVALID_DATA, frames)
        if message == b"\r\n\r\n":
            frames.append(PING)
        elif message not in KEEPALIVES:
            frames.append(message)

    def _fail(self, code: CloseCode, frames: list[SipFrame]) -> None:
        self._protocol.fail(code)
        self._collect()
        raise StreamBroken(f"closed with {int(code)}", frames)

    def _collect(self) -> None:
        for data in self._protocol.data_to_send():
            if data == SEND_EOF:
                self.is_ended = True
            else:
                self._writes.append(data)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
