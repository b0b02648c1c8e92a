"""Header fields with a shape of their own: Via, CSeq, Content-Length, delta-seconds (RFC 3261 20, RFC 3581).

Each has parse and format, inverse to each other. From, To, Contact, Route and Record-Route are name-addrs
(uri.py); digest parameters belong to digest.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from switch.sip.errors import SipParseError, malformed
from switch.sip.grammar import (
    HOST,
    IPV4_OR_HOST,
    PARAM_VALUE,
    TOKEN_CHARACTER,
    WSP,
    format_params,
    host_quirks,
    is_method,
    is_sound_host,
    parse_digits,
    parse_port,
    read_params,
)

# 8.1.1.5: the sequence number MUST be less than 2**31.
CSEQ_MAX: Final = 2**31 - 1
# 20.22: an integer in the range 0-255.
MAX_FORWARDS_MAX: Final = 255
# 25.1: delta-seconds are unsigned 32-bit; larger ones mean "as long as you like" and are cut to this.
DELTA_SECONDS_MAX: Final = 2**32 - 1
# More than any length limit of ours, so that "too large" is told apart from "no number".
CONTENT_LENGTH_MAX: Final = 2**32 - 1

# re.ASCII: without it, letters beyond ASCII (U+017F, U+212A) would match "s" and "k" when case is ignored.
_ANY_CASE: Final = re.IGNORECASE | re.ASCII
SIP_PROTOCOL: Final = "SIP/2.0"
_TRANSPORTS: Final = frozenset({"UDP", "TCP", "TLS", "WS", "WSS", "SCTP"})

_via: Final = re.compile(
    rf"(?:SIP/2\.0|({TOKEN_CHARACTER}++[ \t]*+/[ \t]*+{TOKEN_CHARACTER}++))[ \t]*+/[ \t]*+"
    rf"({TOKEN_CHARACTER}++)[ \t]++{IPV4_OR_HOST}[ \t]*+(?::[ \t]*+([0-9]{{1,5}})[ \t]*+)?(;.*+)?",
    re.DOTALL,
).fullmatch
_via_loosely: Final = re.compile(
    rf"SIP[ \t]*+/[ \t]*+2\.0[ \t]*+/[ \t]*+({TOKEN_CHARACTER}++)[ \t]++({HOST})(?::([0-9]{{1,5}}))?",
    _ANY_CASE,
).match
_branch_loosely: Final = re.compile(rf";[ \t]*+branch[ \t]*+=[ \t]*+({PARAM_VALUE})", _ANY_CASE).search


class Via:
    """via-parm (20.42): where the sender wants its responses.

    `transport` is in upper case, `port` None if unwritten, `protocol` another one only in another's message.
    """

    __slots__ = ("host", "params", "port", "protocol", "quirks", "transport")

    def __init__(
        self,
        transport: str,
        host: str,
        port: int | None,
        params: dict[str, str | None],
        protocol: str = SIP_PROTOCOL,
        quirks: int = 0,
    ) -> None:
        self.quirks = quirks
        self.transport = transport
        self.host = host
        self.port = port
        self.params = params
        self.protocol = protocol

    @property
    def branch(self) -> str | None:
        return self.params.get("branch")

    @property
    def received(self) -> str | None:
        return self.params.get("received")

    @property
    def rport(self) -> str | None:
        """RFC 3581: None when absent, "" when the sender asks for it, digits when it was filled in."""
        if "rport" not in self.params:
            return None
        return self.params["rport"] or ""

    @property
    def sent_by(self) -> str:
        """host[:port] in lower case: part of the transaction key (17.2.3)."""
        host = self.host.lower()
        return host if self.port is None else f"{host}:{self.port}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Via):
            return NotImplemented
        return format_via(self) == format_via(other)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return format_via(self)

    def __repr__(self) -> str:
        return f"<Via {self}>"


def parse_via(text: str) -> Via:
    """One via-parm, without surrounding white space. Raises SipParseError."""
    match = _via(text)
    if match is None:
        raise malformed("Via", text)
    protocol, transport, ipv4, host, port, params_text = match.groups()
    params: dict[str, str | None] = {}
    quirks = 0
    if params_text is not None:
        params, quirks = read_params(params_text)
    if ipv4 is None:
        if not is_sound_host(host):
            raise malformed("Via", text)
        quirks |= host_quirks(host)
    return Via(
        transport if transport in _TRANSPORTS else transport.upper(),
        ipv4 or host,
        None if port is None else parse_port(port),
        params,
        SIP_PROTOCOL if protocol is None else _without_spaces(protocol),
        quirks,
    )


def _without_spaces(protocol: str) -> str:
    return "".join(character for character in protocol if character not in WSP)


def salvage_via(text: str) -> Via | None:
    """What a broken Via still says, so that its sender can be told: sent-by, and the branch if any."""
    match = _via_loosely(text)
    if match is None or not is_sound_host(match.group(2)):
        return None
    port = int(match.group(3) or "0")
    branch = _branch_loosely(text, match.end())
    params: dict[str, str | None] = {} if branch is None else {"branch": branch.group(1)}
    return Via(match.group(1).upper(), match.group(2), port if 0 < port < 65536 else None, params)


def format_via(via: Via) -> str:
    port = "" if via.port is None else f":{via.port}"
    return f"{via.protocol}/{via.transport} {via.host}{port}{format_params(via.params)}"


class CSeq:
    """20.16"""

    __slots__ = ("method", "number")

    def __init__(self, number: int, method: str) -> None:
        self.number = number
        self.method = method

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CSeq):
            return NotImplemented
        return self.number == other.number and self.method == other.method

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<CSeq {self}>"

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def parse_cseq(text: str) -> CSeq:
    number, _, method = (text.replace("\t", " ") if "\t" in text else text).partition(" ")
    method = method.strip(WSP)
    if not is_method(method):
        raise malformed("CSeq", text)
    return CSeq(parse_digits(number, maximum=CSEQ_MAX, what="CSeq"), method)


def parse_max_forwards(text: str) -> int:
    return parse_digits(text, maximum=MAX_FORWARDS_MAX, what="Max-Forwards")


def parse_delta_seconds(text: str) -> int:
    """Expires, Min-Expires, Session-Expires and the like: 1*DIGIT, cut to 2**32-1. Raises SipParseError."""
    if text.isascii() and text.isdigit():
        significant = text.lstrip("0") or "0"
        return min(int(significant), DELTA_SECONDS_MAX) if len(significant) <= 10 else DELTA_SECONDS_MAX
    raise malformed("delta-seconds", text)


def parse_content_length(values: Sequence[str]) -> int:
    """Of all Content-Length fields of a message. Two that differ are refused: a peer may believe the other."""
    length = parse_digits(values[0], maximum=CONTENT_LENGTH_MAX, what="Content-Length")
    for value in values[1:]:
        if parse_digits(value, maximum=CONTENT_LENGTH_MAX, what="Content-Length") != length:
            raise SipParseError(400, "Content-Length Fields Differ", found=", ".join(values))
    return length
