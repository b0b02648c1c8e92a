"""Dialogs from both sides: tags, CSeq, route sets, targets, and the way to the journal and back."""

import msgspec
import pytest

from switch.sip.dialog import Dialog
from switch.sip.dialog_state import DialogState
from switch.sip.errors import SipParseError
from switch.sip.flow import UDP, Flow
from switch.sip.message import Request, Response, format_message, make_response
from switch.sip.parser import parse_message
from tests.agents import make_request

FLOW = Flow(UDP, "192.0.2.2", 5060, "192.0.2.1", 5060)
ONE, TWO = "<sip:one.example.com;lr>", "<sip:two.example.com;lr>"


def invite(*record_routes: str, contact: str = "sip:a@192.0.2.1") -> Request:
    request = make_request("INVITE", "sip:b@example.com", tag="a", call_id="c", cseq=7, contact=contact)
    request.headers.prepend("via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx")
    for value in record_routes:
        request.headers.add("record-route", value)
    return request


def answer(request: Request, status: int = 200, contact: str = "<sip:b@192.0.2.2>") -> Response:
    response = make_response(request, status, to_tag="b")
    if contact:
        response.headers.add("contact", contact)
    return response


def uac(*record_routes: str, status: int = 200, contact: str = "<sip:b@192.0.2.2>") -> Dialog:
    request = invite()
    response = answer(request, status, contact)
    for value in record_routes:
        response.headers.add("record-route", value)
    return Dialog.from_response(request, response, FLOW)


def uas(*record_routes: str) -> Dialog:
    return Dialog.from_request(invite(*record_routes), "b", FLOW)


def lines(request: Request) -> dict[str, str]:
    return dict(request.headers.items())


def test_both_sides_of_one_call_mirror_each_other() -> None:
    ours, theirs = uac(), uas()
    assert (ours.call_id, ours.local_tag, ours.remote_tag) == ("c", "a", "b")
    assert (theirs.call_id, theirs.local_tag, theirs.remote_tag) == ("c", "b", "a")
    assert (ours.local, ours.remote) == (theirs.remote, theirs.local)
    assert ours.local_cseq == theirs.remote_cseq == 7
    assert ours.remote_cseq is None
    assert ours.key == ("c", "a", "b")


def test_a_request_of_the_uac_is_what_the_uas_expects() -> None:
    bye = uac().create_request("BYE", contact=None)
    assert format_message(bye).decode() == (
        "BYE sip:b@192.0.2.2 SIP/2.0\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:caller@example.com>;tag=a\r\n"
        "To: <sip:b@example.com>;tag=b\r\n"
        "Call-ID: c\r\n"
        "CSeq: 8 BYE\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    assert uas().accept_request(bye) is None


def test_a_request_of_the_uas_goes_the_other_way() -> None:
    dialog = uas()
    info = dialog.create_request("INFO", contact="<sip:b@192.0.2.2>", max_forwards=12)
    assert info.uri == "sip:a@192.0.2.1"
    assert lines(info) == {
        "Max-Forwards": "12",
        "From": "<sip:b@example.com>;tag=b",
        "To": "<sip:caller@example.com>;tag=a",
        "Call-ID": "c",
        "CSeq": "1 INFO",
        "Contact": "<sip:b@192.0.2.2>",
    }
    assert str(dialog.create_request("BYE", contact=None).cseq) == "2 BYE"


def test_the_ack_has_the_number_of_its_invite() -> None:
    dialog = uac()
    dialog.create_request("INFO", contact=None)
    ack = dialog.create_ack(7)
    assert (ack.method, str(ack.cseq)) == ("ACK", "7 ACK")
    assert dialog.local_cseq == 8


def test_the_route_set_is_reversed_for_the_uac_only() -> None:
    assert uas(ONE, TWO).route_set == [ONE, TWO]
    assert uac(ONE, TWO).route_set == [TWO, ONE]
    assert uac(f"{ONE}, {TWO}").route_set == [TWO, ONE]


def test_loose_routes_stand_in_route_and_the_target_in_the_request_uri() -> None:
    bye = uac(ONE, TWO).create_request("BYE", contact=None)
    assert bye.uri == "sip:b@192.0.2.2"
    assert bye.headers.get_all("route") == [TWO, ONE]


def test_a_strict_router_gets_itself_in_the_request_uri() -> None:
    bye = uac(ONE, "<sip:strict.example.com;method=INVITE;x=1?a=b>").create_request("BYE", contact=None)
    assert bye.uri == "sip:strict.example.com;x=1"
    assert bye.headers.get_all("route") == [ONE, "<sip:b@192.0.2.2>"]


def test_a_strict_router_behind_a_loose_one_is_the_loose_ones_affair() -> None:
    bye = uac("<sip:strict.example.com>", TWO).create_request("BYE", contact=None)
    assert bye.uri == "sip:b@192.0.2.2"
    assert bye.headers.get_all("route") == [TWO, "<sip:strict.example.com>"]


def test_an_answer_without_contact_is_reached_where_the_invite_went() -> None:
    assert uac(status=183, contact="").remote_target == "sip:b@example.com"


@pytest.mark.parametrize("to", ["<[::]>;tag=b", "<tel:>;tag=b", "nobody at all;tag=b"])
def test_whom_we_called_is_who_we_say_whatever_the_answer_calls_him(to: str) -> None:
    """12.1.2: the remote URI is that of our own request. An answer's may be none, and our next request would be."""
    response = answer(invite())
    response.headers.set("to", to)
    response.forget()
    bye = Dialog.from_response(invite(), response, FLOW).create_request("BYE", contact=None)
    assert bye.headers.get("to") == "<sip:b@example.com>;tag=b"


def test_an_invite_without_contact_makes_no_dialog() -> None:
    with pytest.raises(SipParseError, match="Contact") as caught:
        Dialog.from_request(invite(contact=""), "b", FLOW)
    assert caught.value.status == 400


def test_an_early_dialog_takes_route_and_target_from_the_2xx() -> None:
    dialog = uac(ONE, status=180)
    assert dialog.is_early
    ok = answer(invite(), contact="<sip:b@192.0.2.77>")
    ok.headers.add("record-route", TWO)
    dialog.confirm(ok)
    assert not dialog.is_early
    assert dialog.route_set == [TWO]
    assert dialog.remote_target == "sip:b@192.0.2.77"


def test_a_target_refresh_changes_the_target_and_not_the_route() -> None:
    dialog = uas(ONE)
    dialog.refresh_target(invite(contact="sip:a@192.0.2.99").contact)
    assert dialog.remote_target == "sip:a@192.0.2.99"
    dialog.refresh_target(None)
    assert dialog.remote_target == "sip:a@192.0.2.99"
    assert dialog.route_set == [ONE]


@pytest.mark.parametrize(("number", "verdict"), [(6, 500), (7, 500), (8, None), (4000, None)])
def test_requests_must_come_in_the_order_of_their_cseq(number: int, verdict: int | None) -> None:
    dialog = uas()
    request = make_request("INFO", "sip:b@example.com", tag="a", call_id="c", cseq=number)
    assert dialog.accept_request(request) == verdict
    assert dialog.remote_cseq == (7 if verdict else number)


@pytest.mark.parametrize(("number", "verdict"), [(6, 500), (7, None), (8, None)])
def test_a_bye_may_repeat_the_cseq_of_the_request_before_it(number: int, verdict: int | None) -> None:
    request = make_request("BYE", "sip:b@example.com", tag="a", call_id="c", cseq=number)
    assert uas().accept_request(request) == verdict


def test_the_first_request_of_the_callee_sets_the_number() -> None:
    dialog = uac()
    assert (
        dialog.accept_request(make_request("BYE", "sip:a@example.com", tag="b", call_id="c", cseq=0)) is None
    )
    assert dialog.remote_cseq == 0


def test_a_peer_without_a_tag_gets_none() -> None:
    request = invite()
    request.headers.set("from", "<sip:old@example.com>")
    dialog = Dialog.from_request(request, "b", FLOW)
    assert dialog.remote_tag is None
    assert dialog.create_request("BYE", contact=None).headers.get("to") == "<sip:old@example.com>"


def test_names_and_parameters_of_from_and_to_stay() -> None:
    request = invite()
    request.headers.set("from", '"Alice \\"A\\" X" <sip:a@example.com;user=phone>;x=1;tag=a;y')
    dialog = Dialog.from_request(request, "b", FLOW)
    assert dialog.remote == '"Alice \\"A\\" X" <sip:a@example.com;user=phone>;x=1;y'


def test_a_dialog_comes_back_from_the_journal_as_it_was() -> None:
    dialog = uac(ONE, TWO)
    dialog.create_request("INFO", contact=None)
    dialog.accept_request(make_request("INFO", "sip:a@example.com", tag="b", call_id="c", cseq=3))
    stored = msgspec.msgpack.encode(dialog.state())
    restored = Dialog.from_state(msgspec.msgpack.decode(stored, type=DialogState))
    assert restored.state() == dialog.state()
    assert restored.flow == FLOW
    assert isinstance(restored.flow, Flow)
    one, other = dialog.create_request("BYE", contact=None), restored.create_request("BYE", contact=None)
    assert format_message(one) == format_message(other)


def test_a_state_is_a_copy() -> None:
    dialog = uac(ONE)
    state = dialog.state()
    dialog.route_set.append(TWO)
    dialog.create_request("INFO", contact=None)
    assert state.route_set == [ONE]
    assert state.local_cseq == 7


def test_what_it_writes_can_be_read() -> None:
    bye = uac(ONE).create_request("BYE", contact="<sip:a@192.0.2.1>")
    bye.headers.prepend("via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKy")
    read = parse_message(format_message(bye))
    assert isinstance(read, Request)
    assert (read.from_tag, read.to_tag, read.cseq.number) == ("a", "b", 8)
