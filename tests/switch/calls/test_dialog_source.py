"""Requests in a call from elsewhere than its peer: who is challenged, who is obeyed, and who is followed."""

import pytest

from switch.calls.request_pace import BURST, REQUESTS_PER_S, RequestPace
from switch.sip.dialog import Dialog
from switch.sip.flow import TCP, UDP, Flow
from switch.sip.message import Response, format_message
from switch.sip.parser import parse_message
from tests.switch.calls.test_update import an_early_call
from tests.switch.house import ANSWER, EXCHANGE, House, Phone, make_conf, make_line, make_trunk
from tests.switch.strangers import Stranger, flow_from

CARRIER, SECOND = "192.0.2.50", "192.0.2.51"
ELSEWHERE = ("203.0.113.200", 40_000)


@pytest.fixture
def house() -> House:
    conf = make_conf(trunks=[make_trunk("carrier", CARRIER), make_trunk("other", "192.0.2.60")])
    return House(conf=conf, lines=[make_line("alice"), make_line("bob")])


@pytest.fixture
def alice(house: House) -> Phone:
    phone = house.phone("alice", "192.0.2.10")
    phone.register()
    return phone


@pytest.fixture
def bob(house: House) -> Phone:
    phone = house.phone("bob", "192.0.2.11")
    phone.register()
    return phone


@pytest.fixture
def call(house: House, alice: Phone, bob: Phone) -> Dialog:
    """Alice talks with Bob; the dialog is Alice's."""
    alice.invite("bob")
    house.run(3)
    assert len(house.exchange.board.calls) == 1
    return alice.dialogs[-1]


class Elsewhere(Stranger):
    """Whoever has the tags of a dialog and speaks from another address."""

    def say(self, dialog: Dialog, method: str, *, fields: str = "", body: bytes = b"") -> Response | None:
        request = dialog.create_request(
            method, contact=f"<sip:x@{ELSEWHERE[0]}>" if method == "INVITE" else None
        )
        host, port = self.flow.remote_host, self.flow.remote_port
        self.count += 1
        request.headers.prepend(
            "via", f"SIP/2.0/{self.flow.transport} {host}:{port};rport;branch=z9hG4bKe{port}-{self.count}"
        )
        for line in filter(None, fields.split("\r\n")):
            name, _, value = line.partition(": ")
            request.headers.add(name.lower(), value)
        if body:
            request.body = body
            request.headers.add("content-type", "application/sdp")
        answers = [answer for answer in self.send(format_message(request)) if answer.status > 100]
        self.sent = request
        return answers[0] if answers else None

    def say_with_login(
        self, dialog: Dialog, method: str, user: str, password: str = "secret"
    ) -> Response | None:
        challenge = self.say(dialog, method)
        assert challenge is not None and challenge.status == 407
        line = self.credentials(challenge, method, user=user, password=password, uri=self.sent.uri)
        return self.say(dialog, method, fields=line)


def is_up(house: House) -> bool:
    return bool(house.exchange.board.calls)


@pytest.mark.parametrize("method", ["BYE", "INVITE", "INFO", "OPTIONS", "UPDATE", "PRACK"])
def test_right_tags_from_elsewhere_are_challenged_and_nothing_happens(
    house: House, call: Dialog, bob: Phone, method: str
) -> None:
    before = len(bob.requests)
    answer = Elsewhere(house, ELSEWHERE).say(call, method)
    assert answer is not None and answer.status == 407
    house.run(5)
    assert is_up(house)
    assert len(bob.requests) == before
    assert house.exchange.dialog_screening.challenged == 1


@pytest.mark.parametrize("method", ["BYE", "INVITE", "INFO"])
def test_with_the_lines_own_password_it_is_obeyed(
    house: House, call: Dialog, bob: Phone, method: str
) -> None:
    stranger = Elsewhere(house, ELSEWHERE)
    answer = stranger.say_with_login(call, method, "alice")
    if method == "BYE":
        assert answer is not None and answer.status == 200
    house.run(1)
    assert bob.requests_of(method if method != "INVITE" else "INVITE")[-1].from_tag
    assert len(bob.requests_of(method)) == (2 if method == "INVITE" else 1)
    house.run(40)
    if method == "BYE":
        house.assert_clean()


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("bob", "secret"), ("nobody", "secret")])
def test_with_anybody_elses_it_is_challenged_again(
    house: House, call: Dialog, user: str, password: str
) -> None:
    answer = Elsewhere(house, ELSEWHERE).say_with_login(call, "BYE", user, password)
    assert answer is not None and answer.status == 407
    assert is_up(house)


def test_the_callee_is_challenged_by_its_lines_policy_whatever_number_was_dialled(
    house: House, call: Dialog, bob: Phone
) -> None:
    stranger = Elsewhere(house, ELSEWHERE)
    answer = stranger.say_with_login(bob.dialogs[-1], "BYE", "bob")
    assert answer is not None and answer.status == 200
    house.run(40)
    house.assert_clean()


def test_who_guesses_in_a_call_is_counted_like_at_the_door(house: House, call: Dialog) -> None:
    stranger = Elsewhere(house, ELSEWHERE)
    for _ in range(20):
        answer = stranger.say_with_login(call, "BYE", "alice", "wrong")
        assert answer is not None and answer.status == 407
    assert house.exchange.door.bans.count == 1
    answer = stranger.say_with_login(call, "BYE", "alice")
    assert answer is not None and answer.status == 407  # who guessed so often has lost the right to be right
    assert is_up(house)


def test_a_bye_from_elsewhere_is_heard_even_behind_a_banned_address(house: House, call: Dialog) -> None:
    house.exchange.door.ban(ELSEWHERE[0], 3600.0, house.clock.now)
    stranger = Elsewhere(house, ELSEWHERE)
    assert stranger.ask("OPTIONS") is None
    answer = stranger.say_with_login(call, "BYE", "alice", "wrong")
    assert answer is not None and answer.status == 407
    answer = stranger.say_with_login(call, "BYE", "alice")
    assert answer is not None and answer.status == 200
    house.run(40)
    assert not is_up(house)


def test_a_phone_that_got_another_port_is_followed_after_it_proved_who_it_is(
    house: House, call: Dialog
) -> None:
    moved = Elsewhere(house, ("192.0.2.10", 40_123))
    moved.say_with_login(call, "INVITE", "alice")
    leg = next(leg for leg in house.exchange.board.legs.values() if leg.index == 0)
    assert leg.flow == moved.flow
    assert leg.dialog is not None and leg.dialog.flow == moved.flow
    assert house.exchange.dialog_screening.moved == 1
    challenged = house.exchange.dialog_screening.challenged
    moved.say(call, "INFO")
    assert house.exchange.dialog_screening.challenged == challenged


def test_a_phone_that_registered_at_its_new_flow_is_taken_without_a_challenge(
    house: House, call: Dialog
) -> None:
    moved = Elsewhere(house, ("192.0.2.10", 40_123))
    assert moved.log_in("alice", "secret") == 200
    answer = moved.say(call, "BYE")
    assert answer is not None and answer.status == 200
    house.run(40)
    assert not is_up(house)


def test_another_lines_registered_flow_is_elsewhere(house: House, call: Dialog, bob: Phone) -> None:
    neighbour = Elsewhere(house, bob.address)
    answer = neighbour.say(call, "BYE")
    assert answer is not None and answer.status == 407


def test_one_large_request_over_tcp_does_not_take_the_call_off_a_registered_flow(
    house: House, call: Dialog
) -> None:
    over_tcp = Elsewhere(house, ("192.0.2.10", 40_124), transport=TCP)
    over_tcp.say_with_login(call, "INVITE", "alice")
    leg = next(leg for leg in house.exchange.board.legs.values() if leg.index == 0)
    assert leg.flow.transport == UDP
    assert house.exchange.dialog_screening.moved == 0


@pytest.mark.parametrize("method", ["UPDATE", "PRACK"])
def test_tags_of_a_phone_that_rings_are_challenged_from_elsewhere_and_its_move_is_followed(
    method: str,
) -> None:
    house, _, bob = an_early_call()
    assert bob.early is not None
    stranger = Elsewhere(house, ELSEWHERE)
    answer = stranger.say(bob.early, method)
    assert answer is not None and answer.status == 407
    answer = stranger.say_with_login(bob.early, method, "bob")
    assert answer is not None and answer.status == (200 if method == "UPDATE" else 481)
    house.run(5)  # Bob answers from where he was, to the INVITE that he got there
    leg = house.exchange.board.leg_of(bob.early.create_request("BYE", contact=None))
    assert leg is not None and leg.dialog is not None
    assert leg.flow == leg.dialog.flow == stranger.flow


def test_a_phone_that_rings_is_heard_without_a_challenge_where_it_is() -> None:
    house, _, bob = an_early_call()
    bob.update()
    house.run(1)
    assert bob.statuses == [200]
    assert house.exchange.dialog_screening.challenged == 0


# Carriers


@pytest.fixture
def carrier_call(house: House, alice: Phone) -> Dialog:
    """Alice talks with somebody behind the carrier; the dialog is the carrier's."""
    carrier = house.phone("carrier", CARRIER)
    alice.invite("07700900123")
    house.run(3)
    return carrier.dialogs[-1]


def test_a_carrier_may_send_from_any_of_its_addresses(house: House, carrier_call: Dialog) -> None:
    house.exchange.trunks._source_hosts[SECOND] = "carrier"  # as a name in `source_names` would have led to it
    answer = Elsewhere(house, (SECOND, 5062)).say(carrier_call, "BYE")
    assert answer is not None and answer.status == 200


def test_a_carrier_may_send_from_another_port(house: House, carrier_call: Dialog) -> None:
    answer = Elsewhere(house, (CARRIER, 40_000)).say(carrier_call, "BYE")
    assert answer is not None and answer.status == 200


@pytest.mark.parametrize("host", [SECOND, "192.0.2.60", "192.0.2.10"])
def test_from_elsewhere_a_carriers_request_is_403(house: House, carrier_call: Dialog, host: str) -> None:
    """A carrier cannot answer a challenge; another carrier and a phone are elsewhere, too."""
    answer = Elsewhere(house, (host, 40_000)).say(carrier_call, "BYE")
    assert answer is not None and answer.status == 403
    assert is_up(house)
    assert house.exchange.dialog_screening.refused == 1


# ACK


def late_offer(house: House, alice: Phone) -> Dialog:
    alice.acks_answers = False
    alice.invite("bob", body=b"")
    house.run(2)
    return alice.dialogs[-1]


def ack(dialog: Dialog, body: bytes) -> bytes:
    request = dialog.create_ack(2)
    request.headers.prepend("via", "SIP/2.0/UDP 203.0.113.200:40000;rport;branch=z9hG4bKack")
    if body:
        request.headers.add("content-type", "application/sdp")
        request.body = body
    return format_message(request)


def test_an_answer_in_an_ack_from_elsewhere_is_dropped_and_the_right_one_still_counts(
    house: House, alice: Phone, bob: Phone
) -> None:
    dialog = late_offer(house, alice)
    Elsewhere(house, ELSEWHERE).send(ack(dialog, ANSWER.replace(b"192.0.2.9", b"203.0.113.200")))
    assert house.exchange.sip_counts.dropped["ACK with a body from elsewhere"] == 1
    assert not bob.acks
    house.exchange.receive(ack(dialog, ANSWER), flow_from(alice.address), house.clock.now)
    house.run(1)
    assert [acknowledged.body for acknowledged in bob.acks] == [ANSWER]


def test_an_ack_without_a_body_is_taken_from_anywhere(house: House, alice: Phone, bob: Phone) -> None:
    """It only ends the repeats of our answer."""
    alice.acks_answers = False
    alice.invite("bob")
    house.run(2)
    Elsewhere(house, ELSEWHERE).send(ack(alice.dialogs[-1], b""))
    house.run(40)
    assert is_up(house)


# CANCEL


@pytest.mark.parametrize(
    ("flow", "status"),
    [
        (Flow(UDP, "192.0.2.10", 5060, *EXCHANGE), 200),
        (Flow(UDP, "192.0.2.10", 5060, "192.0.2.2", 5060), 200),  # the same peer, another address of ours
        (Flow(UDP, "192.0.2.10", 40_000, *EXCHANGE), 481),
        (Flow(UDP, "203.0.113.9", 5060, *EXCHANGE), 481),
        (Flow(TCP, "192.0.2.10", 5060, *EXCHANGE, "c9"), 481),
    ],
)
def test_a_cancel_must_come_on_the_flow_of_its_invite(
    house: House, alice: Phone, bob: Phone, flow: Flow, status: int
) -> None:
    bob.answer_after_s = None
    invite = alice.invite("bob")
    house.run(1)
    invite = alice.invites[-1]
    via = invite.request.headers.get("via")
    cancel = (
        f"CANCEL {invite.request.uri} SIP/2.0\r\nVia: {via}\r\nFrom: {invite.request.headers.get('from')}\r\n"
        f"To: {invite.request.headers.get('to')}\r\nCall-ID: {invite.request.call_id}\r\n"
        f"CSeq: {invite.request.cseq.number} CANCEL\r\nMax-Forwards: 70\r\n\r\n"
    )
    house.exchange.outgoing.clear()
    house.exchange.receive(cancel.encode(), flow, house.clock.now)
    statuses = [
        answer.status
        for _, data in house.exchange.outgoing
        if isinstance(answer := parse_message(data), Response) and answer.cseq.method == "CANCEL"
    ]
    assert statuses == [status]
    house.run(1)
    assert bool(bob.requests_of("CANCEL")) is (status == 200)


# Floods


def test_more_requests_than_any_phone_sends_are_refused_with_a_time_to_wait(
    house: House, call: Dialog, alice: Phone, bob: Phone
) -> None:
    phone = Elsewhere(house, alice.address)
    answers = [phone.say(call, "INFO") for _ in range(200)]
    refused = [answer for answer in answers if answer is not None and answer.status == 500]
    assert len(refused) == 200 - BURST
    assert refused[0].headers.get("retry-after") == "2"
    house.run(1)
    assert len(bob.requests_of("INFO")) == BURST
    assert house.exchange.dialog_screening.throttled == 200 - BURST
    house.run(2)
    assert phone.say(call, "INFO") is None  # it waits for Bob's answer
    answer = phone.say(call, "BYE")
    assert answer is not None and answer.status == 200


def test_who_has_only_the_tags_cannot_use_up_the_peers_requests(
    house: House, call: Dialog, alice: Phone, bob: Phone
) -> None:
    stranger = Elsewhere(house, ELSEWHERE)
    answers = [stranger.say(call, "INFO") for _ in range(200)]
    assert {answer.status for answer in answers if answer is not None} == {407}
    Elsewhere(house, alice.address).say(call, "INFO")
    house.run(1)
    assert len(bob.requests_of("INFO")) == 1


def test_digits_sent_ten_a_second_are_never_refused() -> None:
    pace = RequestPace(0.0)
    assert all(pace.take(n / 10) for n in range(10_000))
    assert sum(pace.take(1000.0) for _ in range(1000)) == BURST
    assert sum(pace.take(1001.0) for _ in range(1000)) == REQUESTS_PER_S


def test_a_plain_call_makes_no_bucket(house: House, call: Dialog, alice: Phone) -> None:
    legs = list(house.exchange.board.legs.values())
    alice.hang_up()
    house.run(40)
    assert [leg.pace for leg in legs] == [None, None]
