"""Messages to test with: a plain INVITE to vary, and the foreign corpora, where they are.

The corpora lie beside the repository and are not part of it: without them their tests are skipped, by name.
"""

import re
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from switch.sip.message import Request, Response, format_message
from switch.sip.parser import parse_message

CORPORA = Path(__file__).resolve().parents[4] / "shared" / "corpora"

INVITE = (
    "INVITE sip:+441632960001@exchange.example SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK776asdhds",
    "Max-Forwards: 70",
    'From: "Ann" <sip:1001@exchange.example>;tag=1928301774',
    "To: <sip:+441632960001@exchange.example>",
    "Call-ID: a84b4c76e66710@192.0.2.10",
    "CSeq: 314159 INVITE",
    "Contact: <sip:1001@192.0.2.10:5060>",
)


def message_bytes(*lines: str, body: bytes = b"") -> bytes:
    """Lines -> a message. No Content-Length is added."""
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def invite_bytes(*extra: str, without: str = "", body: bytes = b"") -> bytes:
    """The plain INVITE with header lines added, and the one whose name is `without` taken out."""
    kept = [line for line in INVITE if not without or not line.startswith(without + ":")]
    return message_bytes(*kept, *extra, body=body)


def request(data: bytes) -> Request:
    parsed = parse_message(data)
    assert isinstance(parsed, Request)
    return parsed


def response(data: bytes) -> Response:
    parsed = parse_message(data)
    assert isinstance(parsed, Response)
    return parsed


def corpus(folder: str, pattern: str) -> list[ParameterSet]:
    """One parameter a file, named after it; one that is skipped, with the reason, where the corpus is absent."""
    root = CORPORA / folder
    files = sorted(root.rglob(pattern))
    if not files:
        skip = pytest.mark.skip(reason=f"the corpus is not at {root}")
        return [pytest.param(root / "absent", id=f"{folder}-absent", marks=skip)]
    return [pytest.param(file, id=str(file.relative_to(root))) for file in files]


def assert_prints_back_equal(data: bytes) -> None:
    """Parsed, printed and parsed again it says the same; and once printed, it prints the same for ever."""
    first = parse_message(data)
    printed = format_message(first)
    second = parse_message(printed)
    assert type(second) is type(first)
    assert second.start_line == first.start_line
    assert without_length(second) == without_length(first)
    assert second.body == first.body
    assert second.headers.get("content-length") == str(len(first.body))
    assert format_message(second) == printed


def without_length(message: Request | Response) -> list[tuple[str, str]]:
    items = message.headers.items()
    return [(name, value) for name, value in items if name.lower() not in {"content-length", "l"}]


def with_true_length(data: bytes) -> bytes:
    """Content-Length made true, for messages whose body was left out or shortened when they were printed."""
    head, blank, body = data.partition(b"\r\n\r\n")
    return (
        re.sub(rb"(?im)^(Content-Length|l)\s*:[^\r]*", b"Content-Length: %d" % len(body), head) + blank + body
    )
