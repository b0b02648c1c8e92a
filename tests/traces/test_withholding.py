"""A withheld caller in the messages of his call: nowhere, for whoever may not see him."""

import msgspec
import pytest

from tests.traces.made import message, trace
from traces.call_trace import CallTrace
from traces.withholding import without_caller

NUMBER = "+441632960123"


def one(data: bytes, *, leg: int = 0, is_sent: bool = False) -> CallTrace:
    return msgspec.structs.replace(trace("c1"), messages=[message(0, data=data, leg=leg, is_sent=is_sent)])


def shown(data: bytes, *, leg: int = 0, is_sent: bool = False, numbers: tuple[str, ...] = (NUMBER,)) -> bytes:
    (kept,) = without_caller(one(data, leg=leg, is_sent=is_sent), numbers).messages
    return kept.data


REQUEST = (
    b"INVITE sip:+442079460999@example.com SIP/2.0\r\n"
    b'From: "Jo Smith" <sip:jo@example.com>;tag=1\r\n'
    b"To: <sip:+442079460999@example.com>\r\n"
    b"Contact: <sip:jo@192.0.2.9:5060>\r\n"
    b'P-Asserted-Identity: "Jo" <sip:jo@example.com>, <tel:+441632960555>\r\n'
    b"P-Preferred-Identity: sip:jo@example.com\r\n"
    b"Remote-Party-ID: <sip:jo@example.com>;party=calling\r\n"
    b"Diversion: <sip:jo@example.com>\r\n"
    b"History-Info: <sip:jo@example.com>;index=1\r\n"
    b"Content-Length: 0\r\n\r\n"
)


@pytest.mark.parametrize(("leg", "is_sent"), [(0, False), (1, True), (2, True), (-1, False)])
def test_who_calls_is_taken_out_of_his_requests_and_whom_he_calls_stays(leg: int, is_sent: bool) -> None:
    kept = shown(REQUEST, leg=leg, is_sent=is_sent)
    assert b"Jo" not in kept
    if leg <= 0:
        assert b"jo" not in kept  # our own Contact on the other legs says nothing of him
    assert b"1632960555" not in kept
    assert kept.count(b"+442079460999") == 2
    assert b";tag=1" in kept
    assert kept.count(b"\r\n") == REQUEST.count(b"\r\n")


def test_what_goes_to_him_names_him_in_its_target_and_to() -> None:
    data = (
        b"BYE sip:jo@192.0.2.9 SIP/2.0\r\nFrom: <sip:bob@example.com>\r\nTo: Jo <sip:jo@example.com>\r\n\r\n"
    )
    kept = shown(data, leg=0, is_sent=True)
    assert b"jo" not in kept.lower().replace(b"withheld", b"")
    assert b"sip:bob@example.com" in kept
    assert shown(data, leg=1, is_sent=False).count(b"jo") == 0


@pytest.mark.parametrize(("leg", "is_sent"), [(0, True), (1, False)])
def test_answers_to_his_requests_repeat_his_from(leg: int, is_sent: bool) -> None:
    data = b"SIP/2.0 200 OK\r\nf: <sip:jo@h>;tag=1\r\nTo: <sip:bob@h>\r\nContact: <sip:bob@h>\r\n\r\n"
    kept = shown(data, leg=leg, is_sent=is_sent)
    assert b"jo@" not in kept
    assert kept.count(b"sip:bob@") == 2


@pytest.mark.parametrize(
    "written",
    [
        b"+441632960123", b"01632960123", b"01632 960 123", b"(01632) 960123", b"00441632960123", b"%2B441632960123",
        b"+44-1632-960123", b"441632960123",
    ],
)  # fmt: skip
def test_his_number_is_covered_wherever_and_however_it_stands(written: bytes) -> None:
    data = (
        b"INVITE sip:b@h SIP/2.0\r\nX-Caller: "
        + written
        + b"\r\n\r\no="
        + written
        + b" 1 1 IN IP4 192.0.2.1\r\n"
    )
    kept = shown(data)
    assert b"960123" not in kept.replace(b" ", b"").replace(b"-", b"")
    assert len(kept) == len(data)
    assert b" 1 1 IN IP4 192.0.2.1" in kept


def test_other_numbers_and_addresses_stay() -> None:
    data = b"INVITE sip:+442079460999@h SIP/2.0\r\nX: 11632960123456 sip:example.com\r\n\r\n"
    assert shown(data) == data


def test_short_numbers_are_not_looked_for() -> None:
    data = b"INVITE sip:2001@h SIP/2.0\r\nCSeq: 2001 INVITE\r\n\r\n"
    assert shown(data, numbers=("2001", "", "alice")) == data


def test_a_signed_identity_is_taken_out_as_a_whole() -> None:
    data = b"INVITE sip:b@h SIP/2.0\r\nIdentity: eyJhbGciOiJFUzI1NiJ9.eyJvcmlnIjp7fX0;info=<x>\r\n\r\n"
    assert b"eyJ" not in shown(data)
