"""Changes to messages that a parser should meet: aimed at lines, fields, numbers and quotes, not only at octets.

What is changed, and into what, is asked of `pick(n)`, a number below n: from a random generator, or from the octets
that a coverage-guided fuzzer supplies, so that it can steer.
"""

from collections.abc import Callable
from random import Random

Pick = Callable[[int], int]

# A mutated message grows to this at most: long enough for every limit of a field, short enough to be quick.
MUTATED_BYTES_MAX = 20_000

NUMBERS: tuple[bytes, ...] = (
    b"0", b"-1", b"+1", b"1_0", b"00000000001", b"255", b"256", b"65535", b"65536", b"2147483647", b"2147483648",
    b"4294967295", b"4294967296", b"99999999999999999999999", b"1e9", b"0x10", b"NaN", b"inf", b"\xd9\xa1",
)  # fmt: skip

# Each stands for a way in which a parser has been fooled: another line end, a digit that is none, a bracket that opens
# and never closes, a number beyond a register, a name that means something.
TOKENS: tuple[bytes, ...] = (
    b"\r\n", b"\n", b"\r", b"\r\n ", b"\r\n\r\n", b"\0", b"\\", b'"', b"<", b">", b"<sip:", b";", b",", b":", b"=",
    b"@", b"%", b"%00", b"%0d%0a", b"%E2%80%A8", b"?", b"[", b"]", b"[::]", b"[::1]", b"[2001:db8:::192.0.2.1]",
    b"*", b"#", b"\t", b" ", b"  ", b"\xe2\x80\xa8", b"\xc2\x85", b"\xd9\xa1", b"\xef\xbc\x91", b"\xff",
    b"\xc5\xbf", b"\xe2\x84\xaa", b";tag=x", b";tag=", b";tag", b";lr", b";rport", b";rport=5060",
    b";received=192.0.2.66", b";branch=z9hG4bK", b";branch=", b";maddr=192.0.2.66", b";transport=tcp",
    b";expires=0", b";q=0.5", b";user=phone", b";reg-id=1", b"SIP/2.0", b"SIP/2.0/UDP", b"SIP/3.0", b"sip:",
    b"sips:", b"tel:", b"urn:service:sos", b"mailto:", b"anonymous", b"INVITE", b"ACK", b"BYE", b"CANCEL",
    b"REGISTER", b"OPTIONS", b"INFO", b"PRACK", b"UPDATE", b"REFER", b"NOTIFY", b"SUBSCRIBE", b"MESSAGE",
    b"PUBLISH", b"WHATEVER", b"100rel", b"timer", b"replaces", b"outbound", b"path", b"Digest ", b"Basic ",
    b"nc=00000001", b'qop="auth"', b"qop=auth-int", b"algorithm=MD5-sess", b'realm="', b'nonce=""',
    b"Q.850;cause=16", b"id", b"header", b"critical", b"Fri, 01 Jan 2010 16:00:00 GMT", b"v=0",
    b"m=audio 0 RTP/AVP 8", b"c=IN IP4 0.0.0.0", b"a=sendonly", b"a=inactive", b"a=rtpmap:8 PCMA/8000", b"a=",
    b"c=IN IP6 ::", b"m=", b"o=- 1 1 IN IP4 192.0.2.9", b"s=-", b"t=0 0", *NUMBERS,
)  # fmt: skip

FIELDS: tuple[bytes, ...] = (
    b"Via: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bKx", b"v: SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bKy", b"Via:",
    b"Max-Forwards: 0", b"Content-Length: 0", b"l: 5", b"Content-Length: 999999", b"Contact: *",
    b"Contact: <sip:a@192.0.2.9>", b"m: sip:a@192.0.2.9;expires=5", b"Expires: 0", b"Route: <sip:192.0.2.7;lr>",
    b"Record-Route: <sip:192.0.2.7;lr>", b"Record-Route: <sip:192.0.2.7>", b"Require: 100rel", b"Proxy-Require: x",
    b"Supported: 100rel, timer, replaces, path", b"k: outbound", b"Session-Expires: 90;refresher=uas", b"x: 1800",
    b"Min-SE: 90", b"RSeq: 1", b"RAck: 1 1 INVITE", b"Reason: Q.850;cause=17", b"Replaces: a;to-tag=b;from-tag=c",
    b"Refer-To: <sip:1002@example.com>", b"Event: refer", b"Subscription-State: active", b"Privacy: id",
    b"P-Asserted-Identity: <tel:+441632960001>", b'Remote-Party-ID: "A" <sip:+441632960001@h>;privacy=full',
    b"Diversion: <sip:1002@h>;reason=unconditional", b"History-Info: <sip:1002@h>;index=1",
    b"Path: <sip:192.0.2.7;lr>", b"Timestamp: 54", b"In-Reply-To: x", b"Content-Type: multipart/mixed;boundary=x",
    b"c: application/sdp", b"Content-Encoding: gzip", b"Content-Disposition: session;handling=required",
    b"Alert-Info: <http://h/x>", b"X-Long: " + b"a" * 3000, b"Authorization: Digest",
    b'Proxy-Authorization: Digest realm="offhook"', b"To: <sip:1002@example.com>;tag=z", b"f: sip:x@y",
    b"Call-ID: x", b"i: y", b"CSeq: 1 INVITE", b"CSeq: 4294967296 BYE", b" folded", b"\tfolded", b"No colon",
    b": no name",
)  # fmt: skip


def from_random(random: Random) -> Pick:
    """Quicker than randrange, and even enough."""
    number = random.random
    return lambda n: int(number() * n)


def from_octets(data: bytes, start: int = 0) -> Pick:
    """Each choice takes an octet, or two where there is more to choose from; zeros when they have run out."""
    at = start

    def pick(n: int) -> int:
        nonlocal at
        if n <= 256:
            at += 1
            return data[at - 1] % n if at <= len(data) else 0
        at += 2
        return (data[at - 2] << 8 | data[at - 1]) % n if at <= len(data) else 0

    return pick


def mangle(data: bytes, pick: Pick, others: list[bytes] | None = None) -> bytes:
    """The message with one to four changes."""
    for _ in range(1 + (pick(8) & 3 if pick(2) else 0)):
        data = MUTATIONS[pick(len(MUTATIONS))](data, pick)
    if others and not pick(16):
        other = others[pick(len(others))]
        data = data[: pick(len(data) + 1)] + other[pick(len(other) + 1) :]
    return data[:MUTATED_BYTES_MAX]


def _replace_octet(data: bytes, pick: Pick) -> bytes:
    at = pick(len(data) + 1)
    return data[:at] + bytes((pick(256),)) + data[at + 1 :]


def _cut(data: bytes, pick: Pick) -> bytes:
    at = pick(len(data) + 1)
    return data[:at] + data[at + 1 + pick(1 << pick(8)) :]


def _repeat_span(data: bytes, pick: Pick) -> bytes:
    at = pick(len(data) + 1)
    span = data[at : at + 1 + pick(1 << pick(8))]
    return data[:at] + span * (1 + pick(1 << pick(6))) + data[at:]


def _insert_token(data: bytes, pick: Pick) -> bytes:
    at = pick(len(data) + 1)
    return data[:at] + TOKENS[pick(len(TOKENS))] + data[at:]


def _replace_by_token(data: bytes, pick: Pick) -> bytes:
    at = pick(len(data) + 1)
    return data[:at] + TOKENS[pick(len(TOKENS))] + data[at + pick(16) :]


def _drop_line(data: bytes, pick: Pick) -> bytes:
    lines = data.split(b"\r\n")
    del lines[pick(len(lines))]
    return b"\r\n".join(lines)


def _repeat_line(data: bytes, pick: Pick) -> bytes:
    lines = data.split(b"\r\n")
    line = lines[pick(len(lines))]
    lines.insert(pick(len(lines)), line)
    return b"\r\n".join(lines)


def _insert_field(data: bytes, pick: Pick) -> bytes:
    lines = data.split(b"\r\n")
    lines.insert(1 + pick(len(lines)), FIELDS[pick(len(FIELDS))])
    return b"\r\n".join(lines)


def _replace_value(data: bytes, pick: Pick) -> bytes:
    """What follows the first colon or equals sign of a line."""
    lines = data.split(b"\r\n")
    at = pick(len(lines))
    mark = lines[at].find(b"=" if lines[at][1:2] == b"=" else b":")
    lines[at] = lines[at][: mark + 1] + b" " * pick(2) + TOKENS[pick(len(TOKENS))]
    return b"\r\n".join(lines)


def _replace_number(data: bytes, pick: Pick) -> bytes:
    """A run of digits somewhere becomes another number."""
    at = start = pick(len(data) + 1)
    while start < len(data) and not 48 <= data[start] <= 57:
        start += 1
    end = start
    while end < len(data) and 48 <= data[end] <= 57:
        end += 1
    if start == end:
        return data[:at]
    return data[:start] + NUMBERS[pick(len(NUMBERS))] + data[end:]


def _truncate(data: bytes, pick: Pick) -> bytes:
    return data[: pick(len(data) + 1)]


def _swap_case(data: bytes, pick: Pick) -> bytes:
    at = pick(len(data) + 1)
    end = at + 1 + pick(32)
    return data[:at] + data[at:end].swapcase() + data[end:]


MUTATIONS: tuple[Callable[[bytes, Pick], bytes], ...] = (
    _replace_octet, _replace_octet, _cut, _repeat_span, _insert_token, _insert_token, _replace_by_token, _drop_line,
    _repeat_line, _insert_field, _insert_field, _replace_value, _replace_value, _replace_number, _truncate, _swap_case,
)  # fmt: skip
