"""Bodies cross whole, whatever is in them; and what becomes of a call in which one is missing (RFC 3261 13.2.1)."""

import pytest

from switch.sip.message import Request
from tests.switch.calls.reliable_phone import ReliablePhone, Ring
from tests.switch.calls.test_100rel import assert_over, make_house
from tests.switch.house import ANSWER, OFFER, House, make_conf, make_line, make_trunk

BOUNDARY = "=_ the:boundary?"
MULTIPART_TYPE = f'multipart/mixed; boundary="{BOUNDARY}"; charset=utf-8'
MULTIPART = (
    b"preamble\r\n--=_ the:boundary?\r\nContent-Type: application/sdp\r\n\r\n" + OFFER +
    b"\r\n--=_ the:boundary?\r\nContent-Type: application/isup;version=itu-t92+\r\n"
    b"Content-Disposition: signal;handling=optional\r\n\r\n\x01\x00\x49\x00\xff\r\n\r\n\x00"
    b"\r\n--=_ the:boundary?\r\nContent-Type: application/pidf+xml\r\nContent-ID: <here@alice.example.com>\r\n\r\n"
    b"<presence/>\r\n--=_ the:boundary?--\r\nepilogue"
)  # fmt: skip


def describe(phone: ReliablePhone, body: bytes, *fields: tuple[str, str]) -> None:
    """The phone invites with this body."""
    headers = phone._headers("INVITE", "<sip:01632960002@example.com>")
    headers.add("contact", f"<{phone.contact}>")
    for name, value in fields:
        headers.add(name, value)
    phone._send_invite(Request("INVITE", "sip:01632960002@example.com", headers, body), phone.house.clock.now)


def test_a_multipart_body_crosses_octet_for_octet_with_what_describes_it() -> None:
    house, alice, bob = make_house()
    fields = [
        ("content-type", MULTIPART_TYPE),
        ("content-disposition", "session;handling=required"),
        ("mime-version", "1.0"),
        ("content-language", "cy"),
    ]
    describe(alice, MULTIPART, *fields)
    house.run(3)
    invite = bob.requests_of("INVITE")[0]
    assert invite.body == MULTIPART
    assert [(name, invite.headers.get(name)) for name, _ in fields] == fields
    assert alice.statuses[-1] == 200
    assert_over(house, alice)


# What the door takes for a session description, as it looks for four words (switch/sdp/door.py).
HARDLY_READABLE = b"v=0\r\ns=-\r\nm=audio 99999999 RTP/AVP \xe9\r\n"


@pytest.mark.parametrize("body", [b"\xff\x00\r\n\r\nSIP/2.0 200 OK", b"v=0", HARDLY_READABLE])
def test_a_session_description_that_nobody_can_read_crosses_unread(body: bytes) -> None:
    house, alice, bob = make_house()
    bob.rings, bob.answer_after_s, bob.answer_body = [Ring(0.1, 183, body)], 0.5, body
    alice.invite("01632960002", body=HARDLY_READABLE)
    house.run(3)
    assert bob.requests_of("INVITE")[0].body == HARDLY_READABLE
    assert [r.body for r in alice.responses if r.status in (183, 200)] == [body, body]
    assert house.exchange.counts.bugs == 0
    assert_over(house, alice)


def test_an_answer_without_a_session_description_is_hung_up_and_nobody_pays() -> None:
    house = House(conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")]), lines=[make_line("alice")])
    alice, carrier = (
        ReliablePhone(house, "alice", "192.0.2.10"),
        ReliablePhone(house, "carrier", "192.0.2.50"),
    )
    alice.register()
    carrier.answer_body = b""
    before = house.balance()
    alice.invite("07700900123")
    house.run(3)
    assert alice.statuses[-1] == 500
    assert len(carrier.acks) == 1
    assert carrier.requests_of("BYE")
    house.run(60)
    house.assert_clean()
    caller, callee = house.journal.cdrs()
    assert (caller.outcome, caller.cost_micros, caller.q850_cause) == ("failed", 0, 127)
    assert callee.reason == "answered without a session description"
    assert (caller.duration_ms, callee.duration_ms) == (0, 0)
    assert house.balance() == before


def test_another_trunk_is_tried_after_one_that_answered_with_nothing() -> None:
    trunks = [make_trunk("one", "192.0.2.50"), make_trunk("two", "192.0.2.51")]
    house = House(conf=make_conf(trunks=trunks), lines=[make_line("alice")])
    alice, one, two = (
        ReliablePhone(house, user, host)
        for user, host in (("alice", "192.0.2.10"), ("one", "192.0.2.50"), ("two", "192.0.2.51"))
    )
    alice.register()
    one.ring_status, one.answer_body = 0, b""
    alice.invite("07700900123")
    house.run(3)
    assert alice.statuses[-1] == 200
    assert one.requests_of("BYE")
    assert two.requests_of("INVITE")
    assert_over(house, alice)


def test_an_answer_that_only_rang_is_taken_as_the_answer() -> None:
    """Not what the RFC allows, but what is meant is plain: the session that it rang with."""
    house, alice, bob = make_house()
    bob.rings, bob.answer_after_s, bob.answer_body = [Ring(0.1, 183, ANSWER)], 0.5, b""
    alice.invite("01632960002")
    house.run(3)
    assert (alice.statuses[-1], alice.responses[-1].body) == (200, ANSWER)
    assert alice.responses[-1].headers.get("content-type") == "application/sdp"
    assert_over(house, alice)


def test_a_call_without_any_session_description_is_left_to_its_ends() -> None:
    house, alice, bob = make_house()
    bob.rings, bob.answer_body = [Ring(0.1, 180)], b""
    alice.invite("01632960002", body=b"")
    house.run(3)
    assert alice.statuses[-1] == 200
    house.run(1000)
    assert [request.method for request in bob.requests] == ["INVITE", "UPDATE"]
    assert [request.method for request in alice.requests] == [
        "OPTIONS"
    ]  # it named no UPDATE, and has no session
    assert len(house.exchange.board.calls) == 1
    assert_over(house, alice)


@pytest.mark.parametrize(
    ("status", "field", "value"),
    [
        (415, "accept", "application/sdp"),
        (415, "accept-encoding", "identity"),
        (488, "warning", '304 example.com "Media type not available"'),
        (606, "warning", '304 example.com "Media type not available"'),
    ],
)
def test_what_a_refusal_says_besides_its_status_reaches_the_caller(
    status: int, field: str, value: str
) -> None:
    house, alice, bob = make_house()
    bob.answer, bob.answer_headers = status, [(field, value)]
    alice.invite("01632960002")
    house.run(3)
    assert (alice.statuses[-1], alice.responses[-1].headers.get(field)) == (status, value)
