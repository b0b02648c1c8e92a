"""SIP as text for the phones of the kill test: written a second time, so that a mistake of the exchange's own parser
cannot hide behind itself. Just what these phones need: no folding, no lists, no escapes.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass

_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
_IN_ANGLES = re.compile(r"<([^>]*)>")
_TAG = re.compile(r";tag=([^;\s]+)")


@dataclass(slots=True)
class Message:
    """A request or a response; header names in lower case, in order."""

    start: str
    headers: list[tuple[str, str]]
    body: str

    @property
    def method(self) -> str:
        """Of the request, or the one that a response is for."""
        return self.get("cseq").rpartition(" ")[2] if self.is_response else self.start.partition(" ")[0]

    @property
    def is_response(self) -> bool:
        return self.start.startswith("SIP/2.0 ")

    @property
    def status(self) -> int:
        return int(self.start.split()[1])

    @property
    def cseq(self) -> int:
        return int(self.get("cseq").split()[0])

    @property
    def call_id(self) -> str:
        return self.get("call-id")

    @property
    def branch(self) -> str:
        return self.get("via").partition("branch=")[2].partition(";")[0]

    @property
    def contact_uri(self) -> str:
        found = _IN_ANGLES.search(self.get("contact"))
        return found.group(1) if found else ""

    def get(self, name: str) -> str:
        return next((value for known, value in self.headers if known == name), "")

    def get_all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]


def read_message(data: bytes) -> Message:
    head, _, body = data.decode("utf-8", "surrogateescape").partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    headers = []
    for line in lines:
        name, _, value = line.partition(":")
        headers.append((name.strip().lower(), value.strip()))
    return Message(start, headers, body)


def write_message(start: str, headers: list[tuple[str, str]], body: str = "") -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append("Content-Type: application/sdp")
    lines += [f"Content-Length: {len(body.encode())}", "", body]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def response_to(
    request: Message,
    status: int,
    reason: str,
    *,
    tag: str = "",
    contact: str = "",
    body: str = "",
) -> bytes:
    """RFC 3261 8.2.6."""
    headers = [("Via", value) for value in request.get_all("via")]
    to = request.get("to")
    if tag and not tag_of(to):
        to += f";tag={tag}"
    headers += [
        ("From", request.get("from")),
        ("To", to),
        ("Call-ID", request.call_id),
        ("CSeq", request.get("cseq")),
    ]
    if contact:
        headers.append(("Contact", f"<{contact}>"))
    return write_message(f"SIP/2.0 {status} {reason}", headers, body)


def tag_of(name_addr: str) -> str:
    found = _TAG.search(name_addr)
    return found.group(1) if found else ""


def new_branch() -> str:
    return "z9hG4bK" + secrets.token_hex(8)


def credentials(challenge: str, *, user: str, password: str, method: str, uri: str) -> str:
    """Digest with MD5 and qop=auth (RFC 7616 3.4), for the one challenge that these lines get."""
    asked = {name: quoted or bare for name, quoted, bare in _PARAMETER.findall(challenge)}
    realm, nonce = asked["realm"], asked["nonce"]
    cnonce, count = secrets.token_hex(8), "00000001"
    ha1 = _md5(f"{user}:{realm}:{password}")
    ha2 = _md5(f"{method}:{uri}")
    response = _md5(f"{ha1}:{nonce}:{count}:{cnonce}:auth:{ha2}")
    return (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}", '
        f'algorithm=MD5, cnonce="{cnonce}", qop=auth, nc={count}'
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


SDP = """\
v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 40000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
""".replace("\n", "\r\n")
