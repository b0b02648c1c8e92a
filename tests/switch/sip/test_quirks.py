"""Each way of breaking the RFC that is let through has its name, and a sound message has none.

A row of QUIRKS has one message here that uses it and nothing else, the reading that is meant, and a near neighbour that
is refused: a quirk is a door of its own width.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from switch.sip.digest import Outcome
from switch.sip.errors import SipParseError
from switch.sip.headers import Headers
from switch.sip.message import Request, Response
from switch.sip.parser import parse_message
from switch.sip.quirks import QUIRKS, names_of
from switch.sip.validate import door_refusal, response_problem
from tests.switch.house import EXCHANGE, House, make_line
from tests.switch.sip.digest_bench import LINES, URI, Exchange
from tests.switch.sip.samples import (
    CORPORA,
    INVITE,
    corpus,
    invite_bytes,
    message_bytes,
    with_true_length,
)

DOCS = Path(__file__).resolve().parents[3] / "docs" / "conformance.md"
LENGTH = "Content-Length: 0"
OK = (
    "SIP/2.0 200 OK",
    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
    "From: <sip:a@example.com>;tag=1",
    "To: <sip:b@example.com>;tag=2",
    "Call-ID: x",
    "CSeq: 1 INVITE",
    "Contact: <sip:b@192.0.2.9>",
    LENGTH,
)


def read(data: bytes) -> Request | Response | None:
    """The message, or None when it is refused."""
    try:
        message = parse_message(data)
    except SipParseError:
        return None
    problem = door_refusal(message) if isinstance(message, Request) else response_problem(message)
    return message if problem is None else None


def quirks_of(data: bytes) -> list[str]:
    message = read(data)
    assert message is not None
    return names_of(message.quirks)


def invite(*extra: str, without: str = "", start: str = INVITE[0]) -> bytes:
    data = invite_bytes(*extra, LENGTH, without=without)
    return data.replace(INVITE[0].encode(), start.encode(), 1)


def ok(*extra: str, without: str = "-") -> bytes:
    return message_bytes(*(line for line in OK if not line.startswith(without)), *extra)


# name -> a message with it, and a neighbour that is refused
CASES: dict[str, tuple[bytes, bytes | None]] = {
    "no-content-length": (invite_bytes(body=b"v=0"), invite("Content-Length: x")),
    "no-blank-line": (invite()[:-2], invite()[:-3]),
    "spaces-in-request-line": (
        invite(start="INVITE  sip:+441632960001@exchange.example SIP/2.0 "),
        invite(start="INVITE sip:+441632960001 @exchange.example SIP/2.0"),
    ),
    "hash-in-user": (
        invite(start="INVITE sip:*31#1632960001@exchange.example SIP/2.0"),
        invite(start="INVITE sip:*31^1632960001@exchange.example SIP/2.0"),
    ),
    "underscore-in-host": (
        invite("Contact: <sip:a@pbx_1:5060>", without="Contact"),
        invite("Contact: <sip:a@pbx^1:5060>", without="Contact"),
    ),
    "three-colons": (
        invite("Contact: <sip:a@[2001:db8:::192.0.2.1]>", without="Contact"),
        invite("Contact: <sip:a@[2001:db8:::1]>", without="Contact"),
    ),
    "wide-parameter": (
        invite("From: <sip:1001@exchange.example>;tag=YQ==/b@c", without="From"),
        invite('From: <sip:1001@exchange.example>;tag=a"b', without="From"),
    ),
    "parameter-twice": (
        invite("Route: <sip:192.0.2.7;lr;lr>"),
        invite("Route: <sip:192.0.2.7;maddr=a;maddr=b>"),
    ),
    "bare-display-name": (
        invite("From: Зал 2 <sip:1001@exchange.example>;tag=1", without="From"),
        invite("From: Зал, 2 <sip:1001@exchange.example>;tag=1", without="From"),
    ),
    "headers-in-address": (
        invite("To: <sip:+441632960001@exchange.example?a=b>", without="To"),
        invite(start="INVITE sip:+441632960001@exchange.example?a=b SIP/2.0"),
    ),
    "expires-as-date": (
        invite("Expires: Fri, 01 Jan 2010 16:00:00 GMT"),
        invite("Expires: 01 Jan 2010 16:00"),
    ),
    "lost-from-tag": (
        ok("From: <sip:a@example.com>", without="From"),
        ok("From: <sip:a@example.com", without="From"),
    ),
    "no-contact-in-2xx": (ok(without="Contact"), ok("Contact: <b>", without="Contact")),
    "digest-quotes": (b"", None),
    "digest-no-comma": (b"", None),
    "digest-uri-elsewhere": (b"", None),
}
OF_MESSAGES = [name for name in CASES if not name.startswith("digest-")]


def test_every_quirk_has_its_case_and_a_bit_of_its_own() -> None:
    assert list(CASES) == [quirk.name for quirk in QUIRKS]
    assert [quirk.bit for quirk in QUIRKS] == [1 << n for n in range(len(QUIRKS))]


@pytest.mark.parametrize("name", OF_MESSAGES)
def test_a_quirk_is_let_through_by_its_name_and_alone(name: str) -> None:
    assert quirks_of(CASES[name][0]) == [name]


@pytest.mark.parametrize("name", OF_MESSAGES)
def test_its_neighbour_is_refused(name: str) -> None:
    neighbour = CASES[name][1]
    assert neighbour is not None
    assert read(neighbour) is None


@pytest.mark.parametrize(
    "data",
    [
        invite(),
        ok(),
        b"\r\n\r\n" + invite(),
        invite('Contact: "A, B" <sip:a@[2001:db8::1]:5060;lr>;expires=5;q=0.7', without="Contact"),
        invite(
            "Via: SIP/2.0/UDP h.example.com;received=2001:db8::9;rport=5;branch=z9hG4bK.x~y", without="Via"
        ),
        invite('From: Ann  B. <sip:1001@exchange.example>;tag=1;x="a=b/c"', without="From"),
        invite("Expires: 60"),
        invite("From: sip:1001@exchange.example;tag=1", without="From"),
        invite("From: <sip:1001@exchange.example>", without="From"),
        ok(without="Contact").replace(b"200 OK", b"180 Ringing"),
    ],
)
def test_a_sound_message_has_none(data: bytes) -> None:
    assert quirks_of(data) == []


# Phones

OF_PHONES = {
    "itoolabs_401.sip": ["lost-from-tag"],
    "yealink_t22p_invite.sip": ["headers-in-address"],
}


@pytest.mark.parametrize("file", corpus("messages/phones", "*.sip"))
def test_the_quirks_of_each_phone(file: Path) -> None:
    assert quirks_of(with_true_length(file.read_bytes())) == OF_PHONES.get(file.name, [])


def torture() -> list[Any]:
    path = CORPORA / "rfc4475" / "expected.json"
    if not path.exists():
        return [
            pytest.param(
                "", id="rfc4475-absent", marks=pytest.mark.skip(reason=f"the corpus is not at {path}")
            )
        ]
    return [case["file"] for case in json.loads(path.read_text())["messages"] if case["must_parse"]]


@pytest.mark.parametrize("file", torture())
def test_the_valid_messages_of_rfc_4475_have_none(file: str) -> None:
    assert quirks_of((CORPORA / "rfc4475" / file).read_bytes()) == []


@pytest.mark.parametrize("file", corpus("flows/rfc3665", "*.sip"))
def test_the_messages_of_rfc_3665_have_none(file: Path) -> None:
    message = read(with_true_length(file.read_bytes()))
    if message is not None:  # a few are printed shortened; test_flows.py names them
        assert names_of(message.quirks) == []


# Digest


@pytest.mark.parametrize(
    ("before", "after", "quirk"),
    [
        ("qop=auth", "qop=auth", ""),
        ("qop=auth", 'qop="auth"', "digest-quotes"),
        ("algorithm=MD5", 'algorithm="MD5"', "digest-quotes"),
        ("nc=00000001", 'nc="00000001"', "digest-quotes"),
        (", realm", " realm", "digest-no-comma"),
        (", ", ",", ""),
    ],
)
def test_the_quirks_of_an_answer(before: str, after: str, quirk: str) -> None:
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge()).replace(before, after)
    request = Request("INVITE", URI, Headers())
    verdict = exchange.authority.verify(request, [answer], 0.0, LINES.__getitem__)
    assert verdict.outcome is Outcome.OK
    assert names_of(request.quirks) == ([quirk] if quirk else [])


@pytest.mark.parametrize(
    ("digest_uri", "outcome", "quirks"),
    [
        (URI, Outcome.OK, []),
        ("sip:bob@192.0.2.77", Outcome.OK, ["digest-uri-elsewhere"]),
        ("sip:192.0.2.77", Outcome.OK, ["digest-uri-elsewhere"]),
        ("sip:eve@192.0.2.77", Outcome.MALFORMED, []),
    ],
)
def test_a_digest_uri_seen_from_elsewhere(digest_uri: str, outcome: Outcome, quirks: list[str]) -> None:
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge(), uri=digest_uri)
    request = Request("INVITE", URI, Headers())
    assert exchange.authority.verify(request, [answer], 0.0, LINES.__getitem__).outcome is outcome
    assert names_of(request.quirks) == quirks


# Counting


def counted(*messages: bytes) -> dict[str, int]:
    house = House(lines=[make_line("1001")])
    for data in messages:
        house.exchange.receive(data, house.link.flow(EXCHANGE, ("192.0.2.10", 5060)), 0.0)
    return {name: count for name, count in house.exchange.sip_counts.quirks.items() if count}


def test_a_message_let_through_counts_once_for_each_of_its_quirks() -> None:
    twice = invite_bytes("Expires: Fri, 01 Jan 2010 16:00:00 GMT", body=b"v=0")
    assert counted(invite()) == {}
    assert counted(twice, twice, CASES["no-content-length"][0]) == {
        "no-content-length": 3,
        "expires-as-date": 2,
    }


def test_a_message_that_is_refused_counts_for_none() -> None:
    assert counted(invite_bytes("Expires: soon")) == {}
    assert counted(message_bytes(*OK[:-1]).replace(b"sip:b@192.0.2.9", b"b")) == {}


def test_the_page_has_the_table() -> None:
    page = DOCS.read_text()
    for quirk in QUIRKS:
        row = f"| `{quirk.name}` | {quirk.says} | {quirk.meant} | {quirk.seen} | {quirk.section} |"
        assert row in page, f"docs/conformance.md should have the row\n{row}"
