"""The few facts that a picture needs of a SIP message as it was kept.

A kept message may be broken, or have had parts taken out of it (traces/redaction.py), so this reads what is there and
refuses nothing: the strict parser (switch/sip/parser.py) would refuse the very messages that a fault is about.
"""

import re
from typing import Final

import msgspec

from switch.sip.headers import COMPACT_FORMS

# The start line and the header fields of any real message; what a flood adds behind them nobody reads.
HEAD_BYTES_MAX: Final = 64 * 1024

_METHOD: Final = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}")
_VERSION: Final = re.compile(r"SIP/[0-9]\.[0-9]")
_STATUS_LINE: Final = re.compile(r"SIP/[0-9]\.[0-9] ([1-6])([0-9])([0-9])(?: (.*))?", re.DOTALL)
_BRANCH: Final = re.compile(r";\s*branch\s*=\s*([^;,\s]+)", re.IGNORECASE)
_TAG: Final = re.compile(r";\s*tag\s*=\s*([^;,\s]+)", re.IGNORECASE)
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_FOLD: Final = re.compile(r"\n[ \t]+")


class SipFacts(msgspec.Struct, frozen=True):
    """`status` is 0 for a request, `method` then its own, else that of the CSeq. Texts are the peer's: escape them."""

    method: str
    status: int
    phrase: str
    fields: dict[str, str]
    body: bytes

    @property
    def is_request(self) -> bool:
        return self.status == 0

    @property
    def call_id(self) -> str:
        return self.field("call-id")

    @property
    def cseq(self) -> str:
        return " ".join(self.field("cseq").split())

    @property
    def branch(self) -> str:
        found = _BRANCH.search(self.field("via"))
        return found[1] if found else ""

    @property
    def to_tag(self) -> str:
        found = _TAG.search(self.field("to").rpartition(">")[2])
        return found[1] if found else ""

    @property
    def has_sdp(self) -> bool:
        return "application/sdp" in self.field("content-type").lower() or self.body.startswith(b"v=0")

    def field(self, name: str) -> str:
        """The first value under a lower-case long name; "" for none."""
        return self.fields.get(name, "")


def sip_facts(data: bytes) -> SipFacts | None:
    """None for what is no SIP message at all."""
    blank = _BLANK_LINE.search(data)
    head, body = (data, b"") if blank is None else (data[: blank.start()], data[blank.end() :])
    text = head[:HEAD_BYTES_MAX].decode("utf-8", "surrogateescape").lstrip("\r\n").replace("\r\n", "\n")
    start, *lines = _FOLD.sub(" ", text).split("\n")
    fields = _fields(lines)
    status_line = _STATUS_LINE.fullmatch(start)
    if status_line is not None:
        status = 100 * _digit(status_line[1]) + 10 * _digit(status_line[2]) + _digit(status_line[3])
        method = fields.get("cseq", "").rpartition(" ")[2]
        return SipFacts(method, status, (status_line[4] or "").strip(), fields, body)
    method, _, rest = start.partition(" ")
    target, _, version = rest.rstrip(" ").rpartition(" ")
    is_request = _METHOD.fullmatch(method) and _VERSION.fullmatch(version) and target.strip(" ")
    return SipFacts(method, 0, "", fields, body) if is_request else None


def _digit(text: str) -> int:
    return "0123456789".index(text)


def _fields(lines: list[str]) -> dict[str, str]:
    """The first value of each field: of several Vias the top one."""
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            fields.setdefault(COMPACT_FORMS.get(key, key), value.strip())
    return fields
