"""What a fuzzer begins with: messages of our own, and those of others where they lie beside the repository.

Nothing is copied into the project; without the shared corpora the fuzzer begins with ours alone.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from fuzz.media import RELAY_SEEDS, RTCP_SEEDS, RTP_SEEDS
from fuzz.mutations import FIELDS, TOKENS
from fuzz.sessions import join

CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"
SEED_BYTES_MAX = 8 * 1024

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
    b"m=video 4002 RTP/AVP 96\r\nc=IN IP6 2001:db8::1\r\na=rtpmap:96 H264/90000\r\na=inactive\r\n"
)


def _request(
    method: str, uri: str, *fields: str, to: str = "", body: bytes = b"", cseq: int = 1, branch: str = "a"
) -> bytes:
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.11:5060;rport;branch=z9hG4bK{branch}",
        "Max-Forwards: 70",
        'From: "Ann" <sip:1001@example.com>;tag=f1',
        f"To: {to or f'<{uri}>'}",
        "Call-ID: 7a@192.0.2.11",
        f"CSeq: {cseq} {method}",
        *fields,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


_CONTACT = 'Contact: <sip:1001@192.0.2.11:5060;transport=udp>;expires=600;+sip.instance="<urn:uuid:1>"'
_LOGIN = (
    'Digest username="1001", realm="offhook", nonce="0", uri="sip:example.com", response="0", qop=auth, '
    'nc=00000001, cnonce="c"'
)
INVITE = _request(
    "INVITE",
    "sip:+441632960001@example.com",
    _CONTACT,
    "Content-Type: application/sdp",
    "Supported: 100rel, timer, replaces",
    "Record-Route: <sip:192.0.2.7;lr>, <sip:[2001:db8::7]:5061;lr>",
    "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, PRACK, UPDATE",
    "P-Asserted-Identity: <tel:+441632960009>",
    body=SDP,
)
OWN: tuple[bytes, ...] = (
    INVITE,
    _request(
        "REGISTER",
        "sip:example.com",
        _CONTACT,
        "Expires: 600",
        f"Authorization: {_LOGIN}",
        to="<sip:1001@example.com>",
    ),
    _request("OPTIONS", "sip:example.com"),
    _request("ACK", "sip:+441632960001@example.com", to="<sip:1002@example.com>;tag=t1"),
    _request(
        "BYE", "sip:1002@192.0.2.1", "Reason: Q.850;cause=16", to="<sip:1002@example.com>;tag=t1", cseq=2
    ),
    _request("CANCEL", "sip:+441632960001@example.com"),
    _request("PRACK", "sip:1002@192.0.2.1", "RAck: 1 1 INVITE", to="<sip:1002@example.com>;tag=t1", cseq=3),
    _request(
        "REFER", "sip:1002@example.com", "Refer-To: <sip:1003@example.com?Replaces=a%3Bto-tag%3Db>", _CONTACT
    ),
    _request("SUBSCRIBE", "sip:1002@example.com", "Event: message-summary", "Expires: 300", _CONTACT),
    _request("MESSAGE", "sip:1002@example.com", "Content-Type: text/plain", body=b"hello"),
    _request("INVITE", "tel:+44-1632-960001;phone-context=example.com", _CONTACT),
    _request("INVITE", "urn:service:sos", _CONTACT),
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;rport=5060;branch=z9hG4bKb\r\nFrom: <sip:a@h>;tag=1\r\n"
    b"To: <sip:b@h>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContact: <sip:b@192.0.2.9>\r\nContent-Length: 0\r\n\r\n",
    b"SIP/2.0 407 Proxy Authentication Required\r\nVia: SIP/2.0/TCP [2001:db8::1];branch=z9hG4bKb\r\n"
    b"From: sip:a@h;tag=1\r\n"
    b'To: sip:b@h;tag=2\r\ni: x\r\nCSeq: 1 INVITE\r\nProxy-Authenticate: Digest realm="r", '
    b'nonce="n", qop="auth,auth-int", '
    b'algorithm=SHA-256, opaque=""\r\nl: 0\r\n\r\n',
)
OWN_VALUES: tuple[bytes, ...] = (
    b"sip:1001:pw@exchange.example:5060;transport=tcp;user=phone?subject=a%20b&x=y",
    b"sips:%61lice@[2001:db8::1]:5061;lr",
    b"tel:+44-1632-960001;phone-context=example.com;ext=12",
    b'"A \\"quoted\\" name" <sip:*31%23@h>;tag=a=b/c@d;q=0.7',
    b"SIP/2.0/TLS [2001:db8::1]:5061;received=192.0.2.1;rport=5060;branch=z9hG4bK-1",
    b"4711 INVITE",
    b';a=b;c;d="e;f"',
    b"3600",
)
CHALLENGES: tuple[bytes, ...] = (
    b'Digest realm="offhook", nonce="abc", algorithm=MD5, qop="auth"',
    b'Digest realm="a \\"b\\" c", nonce="x==", opaque="", stale=TRUE, algorithm=SHA-512-256-sess, qop="auth-int"',
    b"digest realm=r nonce=n qop=auth",
)


def seeds_of(target: str) -> Iterator[bytes]:
    match target:
        case "parser":
            yield from OWN
            yield from _foreign_messages()
        case "stream":
            yield from OWN
            yield b"\r\n\r\n" + OWN[0] + b"\r\n" + OWN[3] + b"\r\n\r\n"
            yield from _foreign_messages()
        case "uri":
            yield from OWN_VALUES
            for message in (*OWN, *_foreign_messages()):
                yield from (line.partition(b": ")[2] for line in message.split(b"\r\n")[1:12])
        case "sdp":
            yield SDP
            yield from _foreign("messages/sofia-sdp_tests", "*.sdp")
            yield from (message.partition(b"\r\n\r\n")[2] for message in _foreign_messages())
        case "digest_client":
            yield from CHALLENGES
        case "rtp":
            yield from RTP_SEEDS
        case "rtcp":
            yield from RTCP_SEEDS
        case "relay":
            yield from RELAY_SEEDS
        case "digest_server" | "call":
            yield bytes(range(64))
            yield bytes(200)
        case "datagrams":
            yield join((1, INVITE), (0x11, OWN[3]), (1, OWN[5]), (1, OWN[4]))
            for message in (*OWN, *_foreign_messages()):
                for who in range(4):
                    yield join((who, message))
                yield join((1, INVITE), (0x11, message))


def dictionary() -> str:
    """In libFuzzer's own form."""
    words = dict.fromkeys((*TOKENS, *(field for field in FIELDS if len(field) < 128)))
    return "".join(f'"{_escaped(word)}"\n' for word in words if word)


def _escaped(word: bytes) -> str:
    return "".join(
        chr(octet) if 32 <= octet < 127 and octet not in b'"\\' else f"\\x{octet:02x}" for octet in word
    )


def _foreign_messages() -> Iterator[bytes]:
    for folder, pattern in (
        ("messages/phones", "*.sip"),
        ("messages/sofia-sip_tests", "*.txt"),
        ("rfc4475", "*.dat"),
        ("fuzz/belle-sip_afl", "*.txt"),
    ):
        yield from _foreign(folder, pattern)
    for archive in sorted((CORPORA / "fuzz" / "pjproject_seed").glob("fuzz-s[id]*.zip")):
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                if data := opened.read(name)[:SEED_BYTES_MAX]:
                    yield _with_crlf(data)


def _foreign(folder: str, pattern: str) -> Iterator[bytes]:
    for path in sorted((CORPORA / folder).glob(pattern)):
        yield _with_crlf(path.read_bytes()[:SEED_BYTES_MAX])


def _with_crlf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
