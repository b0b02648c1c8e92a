"""Bytes -> a request or a response: RFC 3261 7, 18.3 for datagrams; the text rules of 25.1.

Only the start line, the field names, Content-Length and the top Via are read here; every other value waits
until somebody asks. Strict about line ends (CRLF and nothing else) and about fields that may occur once,
because there two parsers that differ are two views of one call. What is let through all the same has its name
in quirks.py. Every step is one pass over the text: time grows linearly with the
size of the message.
"""

from __future__ import annotations

import re
from typing import Final

from switch.sip.errors import SipParseError, malformed
from switch.sip.fields import format_via, parse_content_length, salvage_via
from switch.sip.grammar import is_method, split_commas
from switch.sip.headers import Headers, key_of, split_field, unfold
from switch.sip.message import SIP_VERSION, Request, Response
from switch.sip.quirks import NO_BLANK_LINE, NO_CONTENT_LENGTH, SPACES_IN_REQUEST_LINE

# The most a UDP datagram can hold.
DATAGRAM_BYTES_MAX: Final = 65_535
# A stream's message: four times that, as large SDP and multipart bodies travel over streams.
MESSAGE_BYTES_MAX: Final = 256 * 1024
# Real INVITEs have 15 to 30 fields, and 70 hops may add as many Vias and Record-Routes again.
HEADER_FIELDS_MAX: Final = 256
# An Identity with a long certificate chain is about 4 kB; four times that.
HEADER_LINE_CHARS_MAX: Final = 16 * 1024
# Max-Forwards starts at 70 (8.1.1.6), so an honest request never has more Vias.
VIAS_MAX: Final = 70

# Fields that a message has once. With two of one, our peer and we might each believe another (RFC 4475
# 3.3.8).
SINGLE_FIELDS: Final = frozenset({"call-id", "content-type", "cseq", "from", "max-forwards", "to"})
# What a response copies (8.2.6.2): all that is kept of a broken request.
_ECHOED: Final = frozenset({"call-id", "cseq", "from", "timestamp", "to", "via"})

_version: Final = re.compile(r"SIP/[0-9]{1,5}\.[0-9]{1,5}", re.IGNORECASE | re.ASCII).fullmatch
_unquoted_nul: Final = re.compile(r"(?<!\\)\x00")


def is_keepalive(data: bytes) -> bool:
    """A datagram that only keeps a NAT binding open: empty, line ends, or NULs."""
    return not data.strip(b"\r\n\0 ")


def parse_message(data: bytes) -> Request | Response:
    """One datagram, or one frame of a stream. Raises SipParseError, with `request` set if it can be answered.
    Without Content-Length the body is what follows the head; octets beyond Content-Length are dropped (18.3).
    """
    size = len(data)
    if size > MESSAGE_BYTES_MAX:
        raise SipParseError(513, "Message Too Large")
    start = _start_of_message(data) if data[:1] == b"\r" else 0
    end = data.find(b"\r\n\r\n", start)
    quirks = 0
    if end < 0 and data.endswith(b"\r\n"):
        end = size - 2
        quirks = NO_BLANK_LINE
    # max(): nothing but line ends leaves no head between them
    head = data[start : max(start, end) if end >= 0 else size].decode("utf-8", "surrogateescape")
    lines: list[str] = []
    try:
        lines = split_head(head)
        if end < 0:
            raise SipParseError(400, "Message Ends Inside Header Field")
        return _parse(lines, data, end + 4, quirks)
    except SipParseError as error:
        error.request = _answerable(lines or head.split("\r\n"))
        raise


def _start_of_message(data: bytes) -> int:
    """7.5: CRLFs before the start line are ignored."""
    start = len(data) - len(data.lstrip(b"\r\n"))
    if data[:start] != b"\r\n" * (start // 2):
        raise SipParseError(400, "Line End Other Than CRLF")
    return start


def split_head(head: str) -> list[str]:
    """The start line and the header lines, not yet unfolded.

    Raises SipParseError on line ends that are not CRLF, on NUL, and on limits."""
    lines = head.split("\r\n")
    ends = len(lines) - 1
    if head.count("\n") != ends or head.count("\r") != ends:
        raise SipParseError(400, "Line End Other Than CRLF")
    if "\0" in head and _unquoted_nul.search(head):
        raise SipParseError(400, "NUL in Header Field")
    if len(lines) > HEADER_FIELDS_MAX + 1:
        raise SipParseError(513, "Too Many Header Fields")
    if len(head) > HEADER_LINE_CHARS_MAX and max(map(len, lines)) > HEADER_LINE_CHARS_MAX:
        raise SipParseError(513, "Header Field Too Long")
    return lines


def _parse(lines: list[str], data: bytes, body_start: int, quirks: int) -> Request | Response:
    first, fields = lines[0], lines[1:]
    message: Request | Response
    if first[3:4] == "/":
        # "SIP/2.0 200 OK": no method has a "/".
        status, reason = _parse_status_line(first)
        message = Response(status, reason, Headers.from_lines(fields))
    else:
        method, uri, version = _parse_request_line(first)
        message = Request(method, uri, Headers.from_lines(fields), version=version)
        if len(first) != len(method) + len(uri) + len(version) + 2:
            quirks |= SPACES_IN_REQUEST_LINE
    headers = message.headers
    has_repeats = headers.has_repeats()
    if has_repeats:
        _check_repeats(headers)
    length = headers.get("content-length")
    if length is None:
        message.body = data[body_start:]
        quirks |= NO_CONTENT_LENGTH
    else:
        message.body = _take_body(headers, length, data, body_start, has_repeats=has_repeats)
    message.quirks = quirks
    via = headers.get("via")
    if via is not None:
        # Every message is matched and answered by its top Via: refused here, it can surprise nobody later.
        _ = message.top_via
        if ("," in via or has_repeats) and len(headers.values("via")) > VIAS_MAX:
            raise SipParseError(400, "Too Many Vias")
    return message


def _parse_request_line(line: str) -> tuple[str, str, str]:
    parts = line.split(" ")
    if len(parts) != 3:
        # RFC 4475 3.1.2.9, 3.1.2.10: extra spaces may be refused or ignored, never forwarded.
        parts = [part for part in parts if part]
        if len(parts) != 3:
            raise malformed("Request-Line", line)
    method, uri, version = parts
    if not is_method(method):
        raise malformed("method", line)
    if version != SIP_VERSION:
        if not _version(version):
            raise malformed("SIP-Version", line)
        version = version.upper()
    return method, uri, version


def _parse_status_line(line: str) -> tuple[int, str]:
    version, _, rest = line.partition(" ")
    code, _, reason = rest.partition(" ")
    if version.upper() != SIP_VERSION:
        raise SipParseError(505, "Version Not Supported", found=line)
    if len(code) != 3 or not (code.isascii() and code.isdigit()) or not "1" <= code[0] <= "6":
        raise malformed("Status-Line", line)
    return int(code), reason


def _check_repeats(headers: Headers) -> None:
    """Only for messages in which some name occurs twice."""
    seen = set()
    for key in headers.keys():  # noqa: SIM118 - not a mapping
        if key in SINGLE_FIELDS:
            if key in seen:
                raise SipParseError(400, "Header Field Occurs Twice", found=key)
            seen.add(key)


def _take_body(headers: Headers, value: str, data: bytes, start: int, *, has_repeats: bool) -> bytes:
    length = parse_content_length(headers.get_all("content-length") if has_repeats else (value,))
    if length > max(len(data) - start, 0):
        raise SipParseError(400, "Content-Length Exceeds Message", found=str(length))
    return data[start : start + length]


def _answerable(lines: list[str]) -> Request | None:
    """What can be read of a broken request, if that is enough to carry a 400 back; never of an ACK.
    The top Via must at least say where its sender is; what is broken in it is not repeated.
    """
    words = lines[0].split(" ")
    method = words[0]
    if not is_method(method) or method == "ACK":
        return None
    headers = Headers(_echoable(lines[1:]))
    via = salvage_via(headers.first_value("via") or "")
    if via is None or not all(name in headers for name in ("from", "to", "call-id", "cseq")):
        return None
    request = Request(method, next((word for word in words[1:] if word), ""), headers)
    try:
        _ = request.top_via
    except SipParseError:
        headers.remove_first_field("via")
        headers.prepend("via", format_via(via))
    try:
        _ = request.call_id
    except SipParseError:
        return None
    return request


def _echoable(lines: list[str]) -> list[tuple[str, str]]:
    """The first of each field that a response copies, and the Vias that fit the limit; none with a line end."""
    chosen: list[tuple[str, str]] = []
    room = dict.fromkeys(_ECHOED, 1) | {"via": VIAS_MAX}
    first = next((n for n, line in enumerate(lines) if not line.startswith((" ", "\t"))), len(lines))
    for line in unfold(lines[first : first + HEADER_FIELDS_MAX]):
        field = split_field(line) if len(line) <= HEADER_LINE_CHARS_MAX else None
        if field is None or "\n" in line or "\r" in line or "\0" in line:
            continue
        name, _, value = field
        key = key_of(name)
        left = room.get(key, 0)
        if left > 0:
            elements = split_commas(value)[:left] if key == "via" else [value]
            room[key] = left - len(elements)
            chosen.append((name, ", ".join(elements)))
    return chosen
