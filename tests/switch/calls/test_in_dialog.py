"""Requests inside a dialog: what is served, what is refused, and that a call outlives all but its end."""

import pytest

from switch.calls.carrier_challenge import CarrierChallenge
from switch.calls.q850 import read_reason
from switch.conf_values import Secret
from switch.sip.dialog import Dialog
from switch.sip.message import Request, Response, format_message, make_response
from switch.sip.stack import ClientTransaction
from tests.switch.house import ANSWER, EXCHANGE, OFFER, House, Phone, make_account, make_line, make_trunk


def make_house() -> tuple[House, Phone, Phone]:
    house = House(
        lines=[make_line("alice"), make_line("bob", 2)],
        accounts=[make_account(1), make_account(2)],
        numbers={"+441632960001": "alice", "+441632960002": "bob"},
    )
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.11")
    alice.register()
    bob.register()
    return house, alice, bob


def a_call() -> tuple[House, Phone, Phone]:
    """One that is up, with nothing noted yet."""
    house, alice, bob = make_house()
    alice.invite("01632960002")
    house.run(2)
    for phone in (alice, bob):
        assert len(phone.dialogs) == 1
        for noted in (phone.statuses, phone.responses, phone.requests, phone.acks):
            noted.clear()
    return house, alice, bob


def an_early_call() -> tuple[House, Phone, Phone]:
    """One that rings, with alice's early dialog among hers."""
    house, alice, bob = make_house()
    bob.answer_after_s = None
    alice.invite("01632960002")
    house.run(1)
    assert alice.statuses[-1] == 180
    alice.dialogs.append(Dialog.from_response(alice.invites[-1].request, alice.responses[-1], alice.flow))
    alice.statuses.clear()
    return house, alice, bob


def send(phone: Phone, method: str, *fields: tuple[str, str]) -> None:
    request = phone.dialogs[-1].create_request(method, contact=f"<{phone.contact}>")
    for name, value in fields:
        request.headers.add(name, value)
    phone.stack.send_request(request, phone.flow, phone, phone.house.clock.now)


def only_response(phone: Phone, house: House) -> Response:
    house.run(1)
    assert len(phone.responses) == 1, phone.statuses
    return phone.responses[0]


def assert_up_until_hung_up(house: House, phone: Phone) -> None:
    """The call still is, and its end leaves nothing behind."""
    assert len(house.exchange.board.calls) == 1
    phone.hang_up()
    assert_over(house)


def assert_over(house: House) -> None:
    """Nothing is left, of the transactions neither."""
    house.run(120)
    house.assert_clean()
    assert house.exchange.stack.transactions_count == 0


# Methods and extensions


@pytest.mark.parametrize("side", ["alice", "bob"])
@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("UPDATE", 200),  # without an offer it is a refresh
        ("PRACK", 481),
        ("PUBLISH", 405),
        ("NEWFANGLED", 501),
        ("OTHER", 501),  # also the word that unknown methods are counted under
        ("OPTIONS", 200),
    ],
)
def test_what_is_not_carried_across_is_answered_here(side: str, method: str, status: int) -> None:
    house, alice, bob = a_call()
    asks, other = (alice, bob) if side == "alice" else (bob, alice)
    send(asks, method)
    response = only_response(asks, house)
    assert response.status == status
    assert method == "PRACK" or "INVITE" in response.headers.tokens("allow")
    assert response.headers.get("accept") == ("application/sdp" if method == "OPTIONS" else None)
    assert other.requests == []
    assert_up_until_hung_up(house, alice)


@pytest.mark.parametrize("method", ["INVITE", "INFO", "OPTIONS", "UPDATE"])
def test_an_extension_that_we_lack_is_420(method: str) -> None:
    house, alice, bob = a_call()
    send(alice, method, ("require", "teleport, 100rel"))
    response = only_response(alice, house)
    assert response.status == 420
    assert response.headers.get("unsupported") == "teleport"
    assert bob.requests == []
    assert_up_until_hung_up(house, alice)


def test_a_bye_ends_the_call_whatever_it_requires() -> None:
    house, alice, bob = a_call()
    send(alice, "BYE", ("require", "teleport"))
    assert only_response(alice, house).status == 200
    assert bob.requests_of("BYE")
    assert_over(house)


def test_an_ack_is_heard_whatever_it_requires() -> None:
    house, alice, _ = make_house()
    alice.acks_answers = False
    alice.invite("01632960002")
    house.run(2)
    ack = alice.dialogs[-1].create_ack(alice.responses[-1].cseq.number)
    ack.headers.add("require", "teleport")
    alice.stack.send_ack(ack, alice.flow)
    house.run(60)
    assert_up_until_hung_up(house, alice)


def test_an_unknown_dialog_goes_before_an_unknown_extension() -> None:
    house, alice, _ = a_call()
    alice.dialogs[-1].remote_tag = "somebody-elses"
    send(alice, "INFO", ("require", "teleport"))
    assert only_response(alice, house).status == 481


# BYE


def test_a_bye_in_an_early_dialog_is_a_cancel_in_all_but_name() -> None:
    house, alice, bob = an_early_call()
    alice.hang_up()
    house.run(1)
    assert sorted(alice.statuses) == [200, 487]
    assert [request.method for request in bob.requests] == ["INVITE", "CANCEL"]
    assert_over(house)
    assert (house.journal.cdrs()[0].outcome, house.journal.cdrs()[0].ended_by) == ("cancelled", "caller")


@pytest.mark.parametrize(
    ("contact", "route"),
    [("<sip:alice@", ""), ("<<<", ""), ("sip:alice@192.0.2.10:port", ""), ("<sip:alice@192.0.2.10>", "<<<")],
)
def test_a_bye_with_a_broken_contact_or_route_still_ends_the_call(contact: str, route: str) -> None:
    house, alice, bob = a_call()
    bye = alice.dialogs[-1].create_request("BYE", contact=contact)
    if route:
        bye.headers.add("record-route", route)
    alice.stack.send_request(bye, alice.flow, alice, house.clock.now)
    assert only_response(alice, house).status == 200
    assert bob.requests_of("BYE")
    assert_over(house)


@pytest.mark.parametrize(
    ("said", "cause"),
    [([], 16), ([("reason", 'SIP;cause=200, Q.850;cause=31;text="x"')], 31), ([("reason", "Q.850")], 16)],
)
def test_the_cause_of_a_bye_is_on_record_and_in_ours_to_the_other_side(
    said: list[tuple[str, str]], cause: int
) -> None:
    house, alice, bob = a_call()
    send(bob, "BYE", *said)
    house.run(1)
    reason = alice.requests_of("BYE")[0].headers.get("reason") or ""
    assert read_reason(reason.split(", ")) == cause
    assert_over(house)
    assert [row.q850_cause for row in house.journal.cdrs()] == [cause, cause]


# Re-INVITE


def test_a_reinvite_before_the_answer_is_500_with_a_time_to_come_back() -> None:
    house, alice, bob = an_early_call()
    alice.send_in_dialog("INVITE", OFFER)
    house.run(1)
    assert alice.statuses == [500]
    assert 0 <= int(alice.responses[-1].headers.get("retry-after") or "") <= 10
    assert len(bob.requests_of("INVITE")) == 1
    assert len(house.exchange.board.calls) == 1


def test_a_second_reinvite_while_the_first_is_open_is_500_and_the_first_goes_on() -> None:
    house, alice, bob = a_call()
    alice.send_in_dialog("INVITE", OFFER)
    second = alice.send_in_dialog("INVITE", OFFER)
    house.run(2)
    by_cseq = {response.cseq.number: response for response in alice.responses}
    refused = by_cseq.pop(second.request.cseq.number)
    assert refused.status == 500
    assert 0 <= int(refused.headers.get("retry-after") or "") <= 10
    assert [response.status for response in by_cseq.values()] == [200]
    assert len(bob.requests_of("INVITE")) == 1
    assert_up_until_hung_up(house, alice)


def test_a_reinvite_without_an_offer_is_answered_in_the_ack() -> None:
    house, alice, bob = a_call()
    bob.answer_body = OFFER
    alice.send_in_dialog("INVITE")
    house.run(2)
    assert bob.requests_of("INVITE")[0].body == b""
    assert alice.responses[-1].body == OFFER
    assert [(ack.body, ack.headers.get("content-type")) for ack in bob.acks] == [(ANSWER, "application/sdp")]
    assert_up_until_hung_up(house, alice)


@pytest.mark.parametrize("bobs_answer", [408, None])
def test_a_reinvite_that_times_out_at_the_other_side_ends_the_call(bobs_answer: int | None) -> None:
    house, alice, bob = a_call()
    if bobs_answer is None:
        house.link.detach(bob.address)
    else:
        bob.reinvite_status = bobs_answer
    alice.send_in_dialog("INVITE", OFFER)
    house.run(40)
    assert [status for status in alice.statuses if status > 100] == [408]
    assert alice.requests_of("BYE")
    assert_over(house)
    assert (house.journal.cdrs()[0].ended_by, house.journal.cdrs()[0].q850_cause) == ("callee", 41)


def open_reinvite(phone: Phone, house: House, other: Phone) -> ClientTransaction:
    """One that the other side rings on for ever."""
    other.reinvite_status = 0
    transaction = phone.send_in_dialog("INVITE", OFFER)
    house.run(1)
    assert other.requests_of("INVITE")
    assert phone.statuses == [100]
    phone.statuses.clear()
    return transaction


def test_a_cancelled_reinvite_is_487_and_leaves_the_call_up() -> None:
    house, alice, bob = a_call()
    reinvite = open_reinvite(alice, house, bob)
    alice.stack.cancel(reinvite, house.clock.now)
    house.run(1)
    assert alice.statuses == [487]
    assert bob.requests_of("CANCEL")
    bob.reinvite_status = 200
    bob.send_in_dialog("INVITE", OFFER)  # nothing of the first is in its way
    house.run(1)
    assert bob.statuses == [200]
    assert_up_until_hung_up(house, alice)


@pytest.mark.parametrize("who", ["alice", "bob", "exchange"])
def test_the_end_of_a_call_gives_an_open_reinvite_its_487(who: str) -> None:
    house, alice, bob = a_call()
    open_reinvite(alice, house, bob)
    if who == "exchange":
        house.exchange.drain(house.clock.now)
    else:
        (alice if who == "alice" else bob).hang_up()
    house.run(1)
    assert 487 in alice.statuses
    assert [bool(phone.requests_of("BYE")) for phone in (alice, bob)] == [who != "alice", who != "bob"]
    assert_over(house)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_the_end_of_a_call_acknowledges_an_answer_that_waits_for_its_own(who: str) -> None:
    """A re-INVITE without an offer: the 200 has crossed, the caller's ACK has not."""
    house, alice, bob = a_call()
    alice.acks_answers = False
    alice.send_in_dialog("INVITE")
    house.run(0.2)
    assert alice.statuses == [200]
    assert bob.acks == []
    (alice if who == "alice" else bob).hang_up()
    house.run(1)
    assert [ack.body for ack in bob.acks] == [b""]
    assert_over(house)


def test_a_second_answer_to_a_reinvite_from_elsewhere_changes_nothing() -> None:
    """A fork inside a dialog cannot be, but anybody can write a To tag."""
    house, alice, bob = a_call()
    alice.send_in_dialog("INVITE", OFFER)
    house.run(1)
    answer = next(sent for sent in reversed(house.link.sent) if sent.source == bob.address)
    tag = bob.dialogs[-1].local_tag.encode()
    assert answer.data.startswith(b"SIP/2.0 200")
    assert answer.data.count(tag) == 1
    house.exchange.receive(
        answer.data.replace(tag, b"elsewhere"), house.link.flow(EXCHANGE, bob.address), house.clock.now
    )
    house.run(1)
    assert alice.statuses == [200]
    assert house.exchange.counts.bugs == 0
    assert_up_until_hung_up(house, alice)


def test_an_end_that_rings_on_a_reinvite_for_ever_is_asked_to_stop() -> None:
    """Timer C (RFC 3261 16.6)."""
    house, alice, bob = a_call()
    open_reinvite(alice, house, bob)
    house.run(178)
    assert bob.requests_of("CANCEL") == []
    house.run(4)
    assert bob.requests_of("CANCEL")
    assert alice.statuses == [487]
    assert_up_until_hung_up(house, alice)


def test_a_challenge_that_crosses_the_cancel_of_a_reinvite_is_not_answered() -> None:
    house, alice, bob = a_call()
    (call,) = house.exchange.board.calls.values()
    call.answered_leg.challenge = CarrierChallenge(
        make_trunk("one", "192.0.2.50", username="us", password=Secret("open sesame")), house.exchange.board.tokens
    )
    reinvite = open_reinvite(alice, house, bob)
    bob.on_cancel = lambda transaction, cancel, now: transaction.respond(challenge_to(transaction.request), now)
    alice.stack.cancel(reinvite, house.clock.now)
    house.run(1)
    assert alice.statuses == [487]
    assert len(bob.requests_of("INVITE")) == 1
    assert_up_until_hung_up(house, alice)


def challenge_to(request: Request) -> Response:
    response = make_response(request, 407)
    response.headers.add("proxy-authenticate", 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5')
    return response


def test_an_answer_to_a_reinvite_from_elsewhere_is_not_passed_on() -> None:
    """It came first, so that the dialog's own cannot be waited for for ever either."""
    house, alice, bob = a_call()
    open_reinvite(alice, house, bob)
    trying = bob.requests_of("INVITE")[0]
    answer = make_response(trying, 200)
    answer.headers.set("to", f"<sip:bob@{EXCHANGE[0]}>;tag=elsewhere")
    answer.headers.add("contact", "<sip:evil@192.0.2.66>")
    flow = house.link.flow(EXCHANGE, bob.address)
    house.exchange.receive(format_message(answer), flow, house.clock.now)
    house.run(1)
    assert alice.statuses == []
    house.run(200)
    assert alice.statuses == [500]
    alice.hang_up()
    house.run(1)
    assert bob.requests_of("BYE")[0].uri == f"sip:bob@{bob.address[0]}:5060"
    assert_over(house)


# INFO


def test_an_info_without_an_answer_is_left_without_one() -> None:
    """RFC 4320 4.2: a 408 would arrive when nobody waits for it any more."""
    house, alice, bob = a_call()
    house.link.is_lost = lambda datagram: datagram.source == bob.address
    alice.send_in_dialog("INFO", b"Signal=5\r\n", "application/dtmf-relay")
    house.run(80)
    assert bob.requests_of("INFO")
    assert [status for status in alice.statuses if status > 100] == []
    assert not any(line.startswith("SIP/2.0 408") for line in house.link.start_lines())
    house.link.is_lost = lambda datagram: False
    assert_up_until_hung_up(house, alice)
