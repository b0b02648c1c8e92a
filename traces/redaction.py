"""What is taken out of a message before it is stored, shown or sent on: whatever would let its reader be somebody else.

Digest answers, from which a password can be guessed (RFC 7616 5.8), other credentials as a whole, the keys of SDES (RFC
4568) and of ICE (RFC 8839), texts and digits. A value is covered by as many x, so that Content-Length stays right.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from traces.call_trace import CallTrace, TraceMessage
from traces.secret_bodies import METHODS, REQUESTS, without_answered_secrets, without_secrets

# Of a digest, what says who wanted what by which rules. Everything else is covered.
_SHOWN: Final = frozenset({b"username", b"realm", b"uri", b"algorithm", b"qop", b"nc", b"userhash", b"stale"})
_SECRET: Final = b"response"

_credentials: Final = re.compile(
    rb"(\r\n(?:proxy-)?auth(?:orization|entication-info)[ \t]*:[ \t\r\n]*)([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)",
    re.IGNORECASE,
)
_scheme: Final = re.compile(rb"([A-Za-z]+)([ \t\r\n]+)(.*)", re.DOTALL)
_parameter: Final = re.compile(
    rb"([A-Za-z0-9-]+)([ \t\r\n]*=[ \t\r\n]*)(\"(?:[^\"\\]|\\.)*\"|[^,\r\n]*)", re.DOTALL
)
# a=crypto: tag, suite, then "inline:KEY..." once or several times. RFC 4568 9.1; k= is RFC 2327's.
_sdes: Final = re.compile(rb"((?:^|[\r\n])a=crypto:[^\r\n]*?inline:)([^\r\n]*)", re.IGNORECASE)
_sdp_key: Final = re.compile(rb"((?:^|[\r\n])(?:a=ice-pwd:|a=key-mgmt:|k=))([^\r\n]*)", re.IGNORECASE)
# Bodies that carry keys by another way than INFO: KPML (RFC 4730), and the digits of an older draft.
_digits_body: Final = re.compile(
    rb"\r\n(?:content-type|c)[ \t]*:[ \t]*application/(?:kpml-|dtmf)[^\r\n]*\r\n", re.IGNORECASE
)
_END: Final = b"\r\n\r\n"


def redacted(data: bytes) -> bytes:
    """One message as it may be kept. What was redacted stays as it is when it is redacted again."""
    start = data.lstrip(b"\r\n")
    if start.startswith(REQUESTS):
        data = without_secrets(data)
    elif start.startswith(b"SIP/2.0"):
        data = without_answered_secrets(data)
    end = data.find(_END)
    head, body = (data, b"") if end < 0 else (data[: end + 2], data[end + 2 :])
    if b"auth" in head.lower():
        head = _credentials.sub(_covered_credentials, head)
    if len(body) > 2:
        has_digits = _digits_body.search(head) is not None
        body = body[:2] if has_digits else _sdp_key.sub(_covered, _sdes.sub(_covered, body))
    return head + body


def redacted_message(message: TraceMessage) -> TraceMessage:
    data = redacted(message.data)
    return message if data == message.data else msgspec.structs.replace(message, data=data)


def redacted_trace(trace: CallTrace) -> CallTrace:
    return msgspec.structs.replace(trace, messages=[redacted_message(message) for message in trace.messages])


def _cover(value: bytes) -> bytes:
    return b"x" * len(value)


def _covered(match: "re.Match[bytes]") -> bytes:
    return match[1] + _cover(match[2])


def _covered_credentials(match: "re.Match[bytes]") -> bytes:
    name, value = match[1], match[2]
    if name.lower().rstrip(b" \t\r\n:").endswith(b"info"):  # Authentication-Info has no scheme
        return name + _parameter.sub(_covered_parameter, value)
    words = _scheme.match(value)
    if words is None:
        return name + _cover_line(value)
    scheme, space, rest = words.groups()
    if scheme.lower() != b"digest":
        return name + scheme + space + _cover_line(rest)
    return name + scheme + space + _parameter.sub(_covered_parameter, rest)


def _covered_parameter(match: "re.Match[bytes]") -> bytes:
    name, equals, value = match[1], match[2], match[3]
    if name.lower() in _SHOWN and _SECRET not in value.lower():
        return match[0]
    if value.startswith(b'"') and value.endswith(b'"') and len(value) > 1:
        return name + equals + b'"' + _cover_line(value[1:-1]) + b'"'
    return name + equals + _cover_line(value)


_line_text: Final = re.compile(rb"[^\r\n \t]+")


def _cover_line(value: bytes) -> bytes:
    """Folds stay folds."""
    cover: Callable[[re.Match[bytes]], bytes] = lambda match: _cover(match[0])  # noqa: E731
    return _line_text.sub(cover, value)


assert all(f"{method} ".encode() in REQUESTS for method in METHODS)
