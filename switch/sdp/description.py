"""Session descriptions: RFC 8866, read into plain objects and printed back octet for octet.

A description is kept as its lines, in order, and a value is read when somebody asks, so that what nobody here
understands (candidates, crypto, a maker's own attributes) passes unharmed. Refused is what would let two readers see
two sessions: a line that is none, a type that RFC 8866 5 does not know, a medium or a connection that cannot be read.
After that no property raises. Lenient where phones differ and nothing depends on it: bare line feeds, no end of the
last line, and `o=`, `s=` or `t=` left out (RFC 2543 did).
"""

from __future__ import annotations

import re
from typing import Final

from switch.sip.errors import shown

# The largest in the field, browsers' with candidates and many codecs, have 10 kB. It must leave room for a head in a
# datagram.
SDP_BYTES_MAX: Final = 64 * 1024
# The same browsers' have 300 lines.
LINES_MAX: Final = 2048
# A phone has three at most (sound, picture, text); conferences of browsers a few dozen.
MEDIA_MAX: Final = 64
# RFC 3551 has 128 payload types; other protocols list a few words.
FORMATS_MAX: Final = 256

PORT_MAX: Final = 65_535

_SESSION_TYPES: Final = frozenset("voisuepcbtrzka")
_MEDIA_TYPES: Final = frozenset("icbka")

_ASCII: Final = re.ASCII
# media = token, port [ "/" number ], proto, formats; white space is one space (5.14), but more are seen
_media: Final = re.compile(
    r"([A-Za-z0-9!#-'*+\-.^_`{-~]{1,64}) +([0-9]{1,5})(?:/([0-9]{1,5}))? +([A-Za-z0-9/!#-'*+\-.^_`{-~]{1,64})"
    r"((?: +[^\s]{1,64})+) *",
    _ASCII,
).fullmatch
_connection: Final = re.compile(
    r"([A-Za-z0-9]{1,16}) +([A-Za-z0-9]{1,16}) +([^\s/]{1,255})((?:/[0-9]{1,10}){0,2}) *", _ASCII
).fullmatch
_origin: Final = re.compile(
    r"([^\s]{1,255}) +([0-9]{1,20}) +([0-9]{1,20}) +([A-Za-z0-9]{1,16}) +([A-Za-z0-9]{1,16}) +([^\s]{1,255}) *",
    _ASCII,
).fullmatch
_rtpmap: Final = re.compile(
    r" *([0-9]{1,3}) +([^\s/]{1,64})(?:/([0-9]{1,9})(?:/([^\s]{1,16}))?)? *", _ASCII
).fullmatch
_milliseconds: Final = re.compile(r" *([0-9]{1,6})(?:\.[0-9]{0,9})? *", _ASCII).fullmatch


class SdpError(ValueError):
    """A body that is no session description. The text shows the offending line, shortened and escaped."""


def _malformed(what: str, found: str) -> SdpError:
    return SdpError(f"malformed {what}: found {shown(found)}")


class Line:
    """`type=value` and the line end it came with: CRLF, LF, or none at the end of the text."""

    __slots__ = ("end", "type", "value")

    def __init__(self, type: str, value: str, end: str = "\r\n") -> None:  # noqa: A002 - RFC 8866's word
        self.type = type
        self.value = value
        self.end = end

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Line):
            return NotImplemented
        return (self.type, self.value, self.end) == (other.type, other.value, other.end)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Line {self.type}={shown(self.value)}>"


class Connection:
    """c= (5.7): `address` without TTL and count, which belong to multicast."""

    __slots__ = ("address", "address_type", "network_type")

    def __init__(self, network_type: str, address_type: str, address: str) -> None:
        self.network_type = network_type
        self.address_type = address_type
        self.address = address

    @property
    def is_unspecified(self) -> bool:
        """0.0.0.0 or ::, which before RFC 3264 was how a phone put a call on hold."""
        address = self.address
        return address == "0.0.0.0" or (":" in address and not address.strip("0:"))  # noqa: S104 - no listener

    def __repr__(self) -> str:
        return f"<Connection {self.address_type} {shown(self.address)}>"


class Origin:
    """o= (5.2)."""

    __slots__ = ("address", "address_type", "session_id", "username", "version")

    def __init__(self, username: str, session_id: int, version: int, address_type: str, address: str) -> None:
        self.username = username
        self.session_id = session_id
        self.version = version
        self.address_type = address_type
        self.address = address


class Codec:
    """An RTP payload type and what it stands for. `clock_rate` is 0 where the description does not say."""

    __slots__ = ("channels", "clock_rate", "name", "payload_type")

    def __init__(self, payload_type: int, name: str, clock_rate: int, channels: int = 1) -> None:
        self.payload_type = payload_type
        self.name = name
        self.clock_rate = clock_rate
        self.channels = channels

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Codec):
            return NotImplemented
        return self._key() == other._key()

    def _key(self) -> tuple[int, str, int, int]:
        return self.payload_type, self.name.lower(), self.clock_rate, self.channels

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Codec {self.payload_type} {shown(self.name)}/{self.clock_rate}>"


class _Section:
    """What the session's part and a medium's part share: lines, the connection, attributes."""

    __slots__ = ("lines",)

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines

    @property
    def connection(self) -> Connection | None:
        """The first c= of this part, None when it has none."""
        for line in self.lines:
            if line.type == "c":
                return read_connection(line.value)
        return None

    def attribute(self, name: str) -> str | None:
        """The value of the first attribute of that name: "" for a=name, None when there is none."""
        for line in self.lines:
            if line.type == "a":
                found, _, value = line.value.partition(":")
                if found == name:
                    return value
        return None

    def attributes(self, name: str) -> list[str]:
        """The values of every attribute of that name, in order."""
        values = []
        for line in self.lines:
            if line.type == "a":
                found, _, value = line.value.partition(":")
                if found == name:
                    values.append(value)
        return values


class MediaDescription(_Section):
    """m= and what follows it. `lines` are without the m= line, which is written from the fields here."""

    __slots__ = ("_end", "_written", "formats", "media", "port", "port_count", "protocol")

    def __init__(self, line: Line) -> None:
        match = _media(line.value)
        if match is None:
            raise _malformed("m=", line.value)
        super().__init__([])
        self.media = match.group(1)
        self.port = _port(match.group(2), line.value)
        self.port_count = None if match.group(3) is None else int(match.group(3))
        self.protocol = match.group(4)
        self.formats = [word for word in match.group(5).split(" ") if word]
        if len(self.formats) > FORMATS_MAX:
            raise SdpError(f"more than {FORMATS_MAX} formats in one media description")
        if self.is_rtp:
            for text in self.formats:
                read_payload_type(text)
        # As it came, for as long as nobody changes a field: printing is octet for octet.
        self._written = (self._value(), line.value)
        self._end = line.end

    def _value(self) -> str:
        count = "" if self.port_count is None else f"/{self.port_count}"
        return f"{self.media} {self.port}{count} {self.protocol} {' '.join(self.formats)}"

    @property
    def line(self) -> Line:
        """The m= line."""
        value = self._value()
        plain, written = self._written
        return Line("m", written if value == plain else value, self._end)

    @property
    def is_rejected(self) -> bool:
        """Port 0 (RFC 3264 6): refused in an answer, switched off in an offer."""
        return self.port == 0

    @property
    def is_rtp(self) -> bool:
        return "RTP/" in self.protocol

    @property
    def codecs(self) -> list[Codec]:
        """Of an RTP medium its formats in order of preference, named by rtpmap or by RFC 3551's table; of others none.

        One that neither names has the name "".
        """
        if not self.is_rtp:
            return []
        named: dict[int, Codec] = {}
        for value in self.attributes("rtpmap"):
            match = _rtpmap(value)
            if match is not None:
                payload_type = int(match.group(1))
                channels = match.group(4)
                named.setdefault(
                    payload_type,
                    Codec(
                        payload_type,
                        match.group(2),
                        int(match.group(3) or 0),
                        int(channels) if channels and channels.isascii() and channels.isdigit() else 1,
                    ),
                )
        found = []
        for text in self.formats:
            payload_type = read_payload_type(text)
            codec = named.get(payload_type)
            if codec is None:
                name, clock_rate = STATIC_CODECS.get(payload_type, ("", 0))
                codec = Codec(payload_type, name, clock_rate)
            found.append(codec)
        return found

    def fmtp(self, payload_type: int) -> str | None:
        """The format parameters of one payload type."""
        for value in self.attributes("fmtp"):
            number, _, parameters = value.strip(" ").partition(" ")
            if number == str(payload_type):
                return parameters.strip(" ")
        return None

    @property
    def ptime_ms(self) -> int | None:
        """a=ptime, whole milliseconds; None when it is not said, or not as a number."""
        match = _milliseconds(self.attribute("ptime") or "")
        return None if match is None else int(match.group(1))


class SessionDescription(_Section):
    """`lines` are those before the first m=."""

    __slots__ = ("media",)

    def __init__(self, lines: list[Line], media: list[MediaDescription]) -> None:
        super().__init__(lines)
        self.media = media

    @property
    def origin(self) -> Origin | None:
        """None when it is missing or odd: some phones put a display name with spaces there."""
        for line in self.lines:
            if line.type == "o":
                match = _origin(line.value)
                if match is None:
                    return None
                return Origin(
                    match.group(1), int(match.group(2)), int(match.group(3)), match.group(5), match.group(6)
                )
        return None

    def connection_of(self, medium: MediaDescription) -> Connection | None:
        """5.7: the medium's own, else the session's."""
        return medium.connection or self.connection


# RFC 3551 6, tables 4 and 5: payload types that need no rtpmap.
STATIC_CODECS: Final[dict[int, tuple[str, int]]] = {
    0: ("PCMU", 8000), 3: ("GSM", 8000), 4: ("G723", 8000), 5: ("DVI4", 8000), 6: ("DVI4", 16000), 7: ("LPC", 8000),
    8: ("PCMA", 8000), 9: ("G722", 8000), 10: ("L16", 44100), 11: ("L16", 44100), 12: ("QCELP", 8000), 13: ("CN", 8000),
    14: ("MPA", 90000), 15: ("G728", 8000), 16: ("DVI4", 11025), 17: ("DVI4", 22050), 18: ("G729", 8000),
    25: ("CelB", 90000), 26: ("JPEG", 90000), 28: ("nv", 90000), 31: ("H261", 90000), 32: ("MPV", 90000),
    33: ("MP2T", 90000), 34: ("H263", 90000),
}  # fmt: skip


def read_payload_type(text: str) -> int:
    """0 to 127. Raises SdpError."""
    if len(text) <= 3 and text.isascii() and text.isdigit() and int(text) <= 127:
        return int(text)
    raise _malformed("payload type", text)


def read_connection(value: str) -> Connection:
    """The value of c=. Raises SdpError."""
    match = _connection(value)
    if match is None:
        raise _malformed("c=", value)
    return Connection(match.group(1), match.group(2), match.group(3))


def parse_sdp(body: bytes) -> SessionDescription:
    """The whole of a body of type application/sdp. Raises SdpError; afterwards nothing here does."""
    if len(body) > SDP_BYTES_MAX:
        raise SdpError(f"{len(body)} octets, the most is {SDP_BYTES_MAX}")
    lines = _split_lines(body.decode("utf-8", "surrogateescape"))
    if not lines or lines[0].type != "v" or lines[0].value != "0":
        raise _malformed("v=", lines[0].value if lines else "")
    session = SessionDescription([lines[0]], [])
    section: _Section = session
    for line in lines[1:]:
        if line.type == "m":
            if len(session.media) >= MEDIA_MAX:
                raise SdpError(f"more than {MEDIA_MAX} media")
            medium = MediaDescription(line)
            session.media.append(medium)
            section = medium
        elif line.type == "v" or line.type not in (_MEDIA_TYPES if session.media else _SESSION_TYPES):
            raise _malformed("line", f"{line.type}={line.value}")
        else:
            if line.type == "c":
                read_connection(line.value)
            section.lines.append(line)
    return session


def _split_lines(text: str) -> list[Line]:
    """At CRLF or LF, and nothing else: U+2028 and its like are characters of a value."""
    pieces = text.split("\n")
    if len(pieces) > LINES_MAX + 1:
        raise SdpError(f"more than {LINES_MAX} lines")
    last = pieces.pop()
    lines = []
    for piece in pieces:
        if piece.endswith("\r"):
            lines.append(_read_line(piece[:-1], "\r\n"))
        else:
            lines.append(_read_line(piece, "\n"))
    if last:
        lines.append(_read_line(last, ""))
    return lines


def _read_line(text: str, end: str) -> Line:
    if text[1:2] != "=" or "\r" in text or "\0" in text:
        raise _malformed("line", text)
    return Line(text[0], text[2:], end)


def _port(text: str, found: str) -> int:
    """For text that matched 1*5DIGIT."""
    port = int(text)
    if port > PORT_MAX:
        raise _malformed("m=", found)
    return port


def format_sdp(session: SessionDescription) -> bytes:
    """As it goes on the wire: what was read and not changed is octet for octet what came."""
    lines = list(session.lines)
    for medium in session.media:
        lines.append(medium.line)
        lines += medium.lines
    text = "".join(f"{line.type}={line.value}{line.end}" for line in lines)
    return text.encode("utf-8", "surrogateescape")
