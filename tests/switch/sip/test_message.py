"""Requests, responses, the response to a request (RFC 3261 8.2.6), and a message as octets."""

from collections.abc import Callable

import pytest

from switch.sip.errors import SipParseError
from switch.sip.headers import Headers
from switch.sip.message import (
    REASON_PHRASES,
    Message,
    Request,
    Response,
    format_message,
    make_response,
    reason_phrase,
)
from tests.switch.sip.samples import invite_bytes, message_bytes, request, response


@pytest.fixture
def invite() -> Request:
    return request(
        invite_bytes(
            "Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKsecond",
            "Record-Route: <sip:proxy.example;lr>",
            "Timestamp: 54.3",
            "Subject: lunch",
        )
    )


def test_a_response_copies_what_8_2_6_names(invite: Request) -> None:
    answer = make_response(invite, 486, to_tag="local")
    assert (answer.status, answer.reason) == (486, "Busy Here")
    assert answer.headers.values("via") == invite.headers.values("via")
    assert answer.headers.get("from") == invite.headers.get("from")
    assert answer.call_id == invite.call_id
    assert answer.cseq == invite.cseq
    assert answer.to_tag == "local"
    assert answer.headers.select({"subject", "timestamp", "record-route"}) == Headers()


def test_only_a_100_carries_the_timestamp(invite: Request) -> None:
    assert make_response(invite, 100).headers.get("timestamp") == "54.3"
    assert "timestamp" not in make_response(invite, 180).headers


@pytest.mark.parametrize(
    ("status", "copied"), [(100, False), (180, True), (200, True), (302, False), (486, False)]
)
def test_record_route_goes_into_what_can_make_a_dialog(invite: Request, status: int, copied: bool) -> None:
    assert ("record-route" in make_response(invite, status).headers) == copied


def test_a_to_tag_is_added_only_where_there_is_none(invite: Request) -> None:
    assert make_response(invite, 180).to_tag is None
    inside = request(invite_bytes("To: <sip:bob@exchange.example>;tag=theirs", without="To"))
    assert make_response(inside, 200, to_tag="ours").to_tag == "theirs"
    unreadable = request(invite_bytes('To: "Bob <sip:bob@exchange.example>', without="To"))
    assert (
        make_response(unreadable, 400, to_tag="ours").headers.get("to") == '"Bob <sip:bob@exchange.example>'
    )


def test_a_response_leaves_its_request_alone(invite: Request) -> None:
    before = format_message(invite)
    answer = make_response(invite, 200, to_tag="local")
    answer.headers.set_first_value("via", "SIP/2.0/UDP other.example")
    answer.headers.add("contact", "<sip:bob@192.0.2.20>")
    assert format_message(invite) == before


def test_a_reason_may_be_given(invite: Request) -> None:
    assert make_response(invite, 402, "Credit Too Low").reason == "Credit Too Low"


def test_every_status_has_a_reason() -> None:
    assert reason_phrase(487) == "Request Terminated"
    assert all(reason_phrase(status) for status in range(100, 700))
    assert all(100 <= status < 700 for status in REASON_PHRASES)


def test_a_message_on_the_wire() -> None:
    headers = Headers([("via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"), ("call-id", "1")])
    assert format_message(Request("OPTIONS", "sip:b@c", headers)) == (
        b"OPTIONS sip:b@c SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n"
    )
    assert format_message(Response(200, "OK", headers, b"v=0\0")) == (
        b"SIP/2.0 200 OK\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nCall-ID: 1\r\nContent-Length: 4\r\n\r\nv=0\0"
    )


def test_as_received_and_untouched_a_message_prints_octet_for_octet() -> None:
    data = invite_bytes("x-ODD:\t\xe9 \udcff ", "Content-Length:   3", "Supported:", "s:x", body=b"v=0")
    assert format_message(request(data)) == data


def test_spaces_before_colons_and_folds_are_not_sent_on() -> None:
    data = invite_bytes("x-ODD \t: a", "Subject : b", "v : SIP/2.0/UDP c", " ;branch=d", body=b"v=0")
    printed = format_message(request(data))
    assert b"\r\nx-ODD: a\r\nSubject: b\r\nv: SIP/2.0/UDP c ;branch=d\r\n" in printed


@pytest.mark.parametrize(
    "message",
    [
        Request("INVITE", "sip:b@c SIP/2.0\r\nRoute: <sip:smuggled.example>", Headers()),
        Request("INVITE\r", "sip:b@c", Headers()),
        Response(200, "OK\nVia: x", Headers()),
    ],
)
def test_a_line_end_in_a_start_line_is_a_mistake_of_ours(message: Request | Response) -> None:
    with pytest.raises(ValueError, match="line end"):
        format_message(message)


PROPERTIES: dict[str, Callable[[Message], object]] = {
    "Via": lambda message: message.top_via,
    "From": lambda message: message.from_,
    "To": lambda message: message.to,
    "Call-ID": lambda message: message.call_id,
    "CSeq": lambda message: message.cseq,
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_missing_or_empty_field_is_the_peers_fault(name: str) -> None:
    for message in (request(invite_bytes(without=name)), Request("INVITE", "sip:b@c", Headers([(name, "")]))):
        with pytest.raises(SipParseError) as caught:
            PROPERTIES[name](message)
        assert (caught.value.status, caught.value.reason) == (400, f"Missing {name}")


def test_what_may_be_missing_is_none() -> None:
    message = request(invite_bytes(without="Max-Forwards"))
    assert message.max_forwards is None
    assert message.to_tag is None
    assert request(invite_bytes(without="Contact")).contact is None


def test_contacts_of_all_fields_come_in_order() -> None:
    message = request(
        invite_bytes('Contact: "a,b" <sip:1@b>;q=1, sip:2@b', "m: <sip:3@b>", without="Contact")
    )
    assert [contact.uri for contact in message.contacts] == ["sip:1@b", "sip:2@b", "sip:3@b"]
    assert message.contact is message.contacts[0]
    assert not message.has_wildcard_contact


def test_a_wildcard_contact_is_alone() -> None:
    alone = request(invite_bytes("Contact: *", without="Contact"))
    assert alone.has_wildcard_contact
    assert alone.contacts == []
    both = request(invite_bytes("Contact: *"))
    assert not both.has_wildcard_contact


def test_a_field_is_parsed_once_until_it_is_forgotten() -> None:
    message = request(invite_bytes())
    first = message.top_via
    message.headers.prepend("via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKown")
    assert message.top_via is first
    message.forget()
    assert message.top_via.branch == "z9hG4bKown"


def test_a_response_knows_its_class() -> None:
    provisional = response(message_bytes("SIP/2.0 183 Session Progress"))
    assert (provisional.is_provisional, provisional.is_final, provisional.is_success) == (True, False, False)
    success = response(message_bytes("SIP/2.0 202 Accepted"))
    assert (success.is_provisional, success.is_final, success.is_success) == (False, True, True)
    failure = response(message_bytes("SIP/2.0 300 Multiple Choices"))
    assert (failure.is_provisional, failure.is_final, failure.is_success) == (False, True, False)
