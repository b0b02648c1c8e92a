"""Two legs are brought together by us: what each end is asked and told, and that every way ends once."""

from random import Random

import pytest

from switch.calls.call import Call
from switch.calls.leg import Leg
from switch.calls.passing import Body
from switch.calls.renegotiation import WHOLE_TIMEOUT_S, Renegotiation
from switch.sdp.description import parse_sdp
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.message import Request, make_response
from tests.switch.house import OFFER, House, Phone, make_account, make_line
from tests.switch.relay.relay_stub import RelayStub

SDP = "application/sdp"
USERS = ("alice", "bob", "carol", "dave")
GONE = 0  # a re-INVITE has no final answer


def described(number: int, formats: str = "8 0") -> bytes:
    """What the phone of that number says of itself."""
    body = OFFER.replace(
        b"m=audio 4000 RTP/AVP 8", f"m=audio {4000 + 100 * number} RTP/AVP {formats}".encode()
    )
    return body.replace(b"192.0.2.9", b"192.0.2.1%d" % number)


class WilfulPhone(Phone):
    """Answers re-INVITEs with these statuses, one after the other, then with 200."""

    def __init__(self, house: House, user: str, number: int) -> None:
        super().__init__(house, user, (f"192.0.2.1{number}", 5060))
        self.own = described(number)
        self.answer_body = self.own
        self.reinvite_statuses: list[int] = []

    def _answer_reinvite(self, transaction: InviteServerTransaction, request: Request, now: float) -> None:
        self.reinvite_status = self.reinvite_statuses.pop(0) if self.reinvite_statuses else 200
        super()._answer_reinvite(transaction, request, now)

    @property
    def reinvites(self) -> list[Request]:
        return [request for request in self.requests_of("INVITE") if request.to_tag is not None]


class Bench:
    """Alice talks with Bob, Carol with Dave: calls of their own."""

    def __init__(self, *, has_relay: bool = True) -> None:
        self.house = House(
            lines=[make_line(user, number + 1) for number, user in enumerate(USERS)],
            accounts=[make_account(number + 1) for number in range(len(USERS))],
            numbers={f"+44163296000{number + 1}": user for number, user in enumerate(USERS)},
        )
        self.relay = RelayStub(self.house)
        if has_relay:
            self.relay.arrive()
        self.phones = {user: WilfulPhone(self.house, user, number) for number, user in enumerate(USERS)}
        for phone in self.phones.values():
            phone.register()
        self.legs: dict[str, Leg] = {}
        self.calls = [self._connect("alice", "bob"), self._connect("carol", "dave")]
        self.done: list[bool] = []
        for phone in self.phones.values():
            phone.acks.clear()

    def _connect(self, caller: str, callee: str) -> Call:
        before = set(self.house.exchange.board.calls)
        number = f"0163296000{USERS.index(callee) + 1}"
        self.phones[caller].invite(number, body=self.phones[caller].own)
        self.house.run(2)
        [call_id] = set(self.house.exchange.board.calls) - before
        call = self.house.exchange.board.calls[call_id]
        assert call.answered_leg is not None
        self.legs |= {caller: call.caller_leg, callee: call.answered_leg}
        return call

    def leg(self, user: str) -> Leg:
        return self.legs[user]

    def join(self, first: str, second: str, *, known: Body | None = None) -> Renegotiation:
        renegotiation = Renegotiation(
            self.leg(first), self.leg(second), lambda ok, now: self.done.append(ok), known=known or Body()
        )
        renegotiation.start(self.house.clock.now)
        return renegotiation

    def bridged(self, user: str) -> str:
        """With whom the relay has the phone."""
        numbers = {
            media.sound.number: each
            for each in USERS
            if (media := self.leg(each).media) is not None and media.sound is not None
        }
        [own] = [number for number, each in numbers.items() if each == user]
        endpoint = self.house.exchange.relay.endpoints[own]
        return numbers.get(endpoint.bridged_to, "")

    def hang_up_and_check(self) -> None:
        for user in ("alice", "carol"):
            if self.phones[user].dialogs:
                self.phones[user].hang_up()
        self.house.run(120)
        self.house.assert_clean()
        assert self.house.exchange.stack.transactions_count == 0


def codecs(body: bytes) -> list[str]:
    return parse_sdp(body).media[0].formats


PAIRS = [("alice", "bob"), ("bob", "alice"), ("bob", "carol"), ("alice", "dave"), ("dave", "bob")]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_firsts_offer_goes_to_the_second_and_its_answer_comes_in_our_ack(first: str, second: str) -> None:
    bench = Bench(has_relay=False)
    bench.join(first, second)
    bench.house.run(3)
    one, other = bench.phones[first], bench.phones[second]
    assert bench.done == [True]
    assert [request.body for request in one.reinvites] == [b""]
    assert [request.body for request in other.reinvites] == [one.own]
    assert [ack.body for ack in one.acks] == [other.own]
    assert one.acks[0].headers.get("content-type") == SDP
    assert [ack.body for ack in other.acks] == [b""]
    legs = bench.leg(first), bench.leg(second)
    assert [leg.own_body.content for leg in legs] == [one.own, other.own]
    assert [leg.sent_body.content for leg in legs] == [other.own, one.own]
    assert all(leg.open_offer is None for leg in legs)
    bench.hang_up_and_check()


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_relay_brings_the_two_together_and_parts_them_from_the_others(first: str, second: str) -> None:
    bench = Bench()
    before = {user: bench.bridged(user) for user in USERS}
    bench.join(first, second)
    bench.house.run(3)
    assert bench.bridged(first) == second and bench.bridged(second) == first
    left = {before[first], before[second]} - {first, second}
    assert all(bench.bridged(user) == "" for user in left)
    # One who listens hears of the relay only, and by the port that it knows already.
    one, other = bench.phones[first], bench.phones[second]
    ports = {parse_sdp(each).media[0].port for each in (one.acks[0].body, other.reinvites[0].body)}
    assert ports == {bench.leg(user).media.sound.port for user in (first, second)}
    bench.hang_up_and_check()


def test_what_the_second_has_said_already_is_offered_to_the_first() -> None:
    bench = Bench(has_relay=False)
    known = Body(described(9), (("content-type", SDP),))
    bench.join("bob", "carol", known=known)
    bench.house.run(3)
    assert bench.done == [True]
    [request] = bench.phones["bob"].reinvites
    assert request.body == known.content
    assert bench.phones["carol"].reinvites == []
    assert [ack.body for ack in bench.phones["bob"].acks] == [b""]
    assert bench.leg("carol").own_body is known
    assert bench.leg("bob").own_body.content == bench.phones["bob"].own
    bench.hang_up_and_check()


# Who does not want


@pytest.mark.parametrize("status", [488, 500, 606])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_first_that_refuses_leaves_all_as_it_was(status: int, is_known: bool) -> None:
    bench = Bench()
    bench.phones["bob"].reinvite_statuses = [status]
    bench.join("bob", "carol", known=bench.leg("carol").own_body if is_known else None)
    bench.house.run(3)
    assert bench.done == [False]
    assert bench.phones["carol"].reinvites == []
    assert (bench.bridged("bob"), bench.bridged("carol")) == ("alice", "dave")
    assert all(bench.leg(user).open_offer is None for user in USERS)
    bench.hang_up_and_check()


@pytest.mark.parametrize("status", [488, 500])
def test_a_second_that_refuses_leaves_the_first_with_its_partner(status: int) -> None:
    bench = Bench()
    bench.phones["carol"].reinvite_statuses = [status]
    bench.phones["bob"].answer_body = described(1, "0 8")
    bench.join("bob", "carol")
    bench.house.run(3)
    assert bench.done == [False]
    [ack] = bench.phones["bob"].acks
    assert codecs(ack.body) == ["0", "8"]
    assert parse_sdp(ack.body).media[0].port == bench.leg("bob").media.sound.port
    assert (bench.bridged("bob"), bench.bridged("alice")) == ("alice", "bob")
    assert (bench.bridged("carol"), bench.bridged("dave")) == ("dave", "carol")
    bench.hang_up_and_check()


def test_a_first_whose_offer_fits_nobody_is_refused_all_its_media() -> None:
    bench = Bench()
    bench.phones["carol"].reinvite_statuses = [488]
    bench.phones["bob"].answer_body = described(1, "9")
    bench.join("bob", "carol")
    bench.house.run(3)
    [ack] = bench.phones["bob"].acks
    assert parse_sdp(ack.body).media[0].is_rejected
    assert bench.done == [False]
    bench.hang_up_and_check()


@pytest.mark.parametrize("who", ["bob", "carol"])
def test_an_answer_without_a_description_joins_nobody(who: str) -> None:
    bench = Bench()
    bench.phones[who].answer_body = b""
    bench.join("bob", "carol")
    bench.house.run(3)
    assert bench.done == [False]
    assert len(bench.phones["bob"].acks) == 1
    bench.hang_up_and_check()


# Glare


@pytest.mark.parametrize("who", ["alice", "bob", "carol"])
def test_491_is_tried_again_after_its_time(who: str) -> None:
    """Alice's dialog is her own; Bob's is ours, so he waits longer (RFC 3261 14.1)."""
    bench = Bench()
    first, second = ("alice", "carol") if who == "alice" else ("bob", "carol")
    bench.phones[who].reinvite_statuses = [491]
    bench.join(first, second)
    bench.house.run(0.05)
    assert len(bench.phones[who].reinvites) == 1
    assert all(bench.leg(user).open_offer is None for user in USERS)  # what is in the way can end
    bench.house.run(2.0)
    assert bench.done == ([True] if who != "bob" else [])
    bench.house.run(2.2)
    assert bench.done == [True]
    assert (bench.bridged(first), bench.bridged(second)) == (second, first)
    assert [codecs(ack.body) for ack in bench.phones[first].acks if ack.body] != []
    bench.hang_up_and_check()


def test_491_for_ever_ends() -> None:
    bench = Bench()
    bench.phones["bob"].reinvite_statuses = [491] * 100
    bench.join("bob", "carol")
    bench.house.run(WHOLE_TIMEOUT_S + 1)
    assert bench.done == [False]
    count = len(bench.phones["bob"].reinvites)
    assert WHOLE_TIMEOUT_S / 4.0 - 1 < count <= WHOLE_TIMEOUT_S / 2.1 + 1
    bench.house.run(30)
    assert len(bench.phones["bob"].reinvites) == count
    bench.hang_up_and_check()


@pytest.mark.parametrize("whose", ["bob", "alice", "carol", "dave"])
def test_an_end_whose_own_reinvite_is_open_is_waited_for(whose: str) -> None:
    bench = Bench()
    partner = {"bob": "alice", "alice": "bob", "carol": "dave", "dave": "carol"}[whose]
    answering = bench.phones[partner]
    held: list[tuple[InviteServerTransaction, Request]] = []
    answering._answer_reinvite = lambda transaction, request, now: held.append((transaction, request))
    bench.phones[whose].send_in_dialog("INVITE", bench.phones[whose].own, SDP)
    bench.house.run(0.5)
    assert len(held) == 1
    bench.join("bob", "carol")
    bench.house.run(5)
    assert bench.done == []
    del answering._answer_reinvite
    transaction, request = held[0]
    response = make_response(request, 200)
    response.headers.add("contact", f"<{answering.contact}>")
    response.headers.add("content-type", SDP)
    response.body = answering.own
    transaction.respond(response, bench.house.clock.now)
    bench.house.run(6)
    assert bench.done == [True]
    bench.hang_up_and_check()


@pytest.mark.parametrize("who", ["bob", "carol"])
def test_a_reinvite_that_meets_ours_is_491(who: str) -> None:
    bench = Bench()
    bench.phones["bob" if who == "carol" else "carol"].reinvite_statuses = [GONE]
    bench.join("bob", "carol")
    bench.house.run(0.3)
    bench.phones[who].send_in_dialog("INVITE", bench.phones[who].own, SDP)
    bench.house.run(0.3)
    assert bench.phones[who].statuses[-1] == 491
    bench.house.run(40)
    assert bench.done == [False]
    bench.hang_up_and_check()


# Who is gone


@pytest.mark.parametrize("who", ["bob", "carol"])
def test_an_end_that_does_not_answer_is_given_up_in_time(who: str) -> None:
    bench = Bench()
    bench.phones[who].reinvite_statuses = [GONE]
    bench.join("bob", "carol")
    bench.house.run(WHOLE_TIMEOUT_S - 1)
    assert bench.done == []
    bench.house.run(2)
    assert bench.done == [False]
    assert [request.method for request in bench.phones[who].requests][-1] == "CANCEL"
    assert (bench.bridged("bob"), bench.bridged("carol")) == ("alice", "dave")
    bench.hang_up_and_check()


@pytest.mark.parametrize(("who", "is_over"), [("bob", 0), ("carol", 1)])
def test_a_dialog_that_is_not_known_there_ends_its_call_and_the_other_goes_on(who: str, is_over: int) -> None:
    bench = Bench()
    bench.phones[who].reinvite_statuses = [481]
    bench.join("bob", "carol")
    bench.house.run(3)
    assert bench.done == [False]
    live = bench.house.exchange.board.calls.values()
    assert bench.calls[is_over] not in live and bench.calls[1 - is_over] in live
    bench.hang_up_and_check()


@pytest.mark.parametrize("who", USERS)
@pytest.mark.parametrize("silent", ["bob", "carol"])
def test_whoever_hangs_up_in_the_middle_ends_it_once(who: str, silent: str) -> None:
    bench = Bench()
    bench.phones[silent].reinvite_statuses = [GONE]
    bench.join("bob", "carol")
    bench.house.run(0.5)
    assert bench.done == []
    bench.phones[who].hang_up()
    bench.house.run(3)
    assert bench.done == [False]
    assert all(leg.open_offer is None for leg in bench.house.exchange.board.legs.values())
    if silent == "carol" and who in ("carol", "dave"):
        # Bob's 200 has its answer: he goes on with Alice.
        assert codecs(bench.phones["bob"].acks[-1].body) == ["8", "0"]
        assert bench.bridged("bob") == "alice"
    bench.house.run(60)
    assert bench.done == [False]
    bench.hang_up_and_check()


def test_a_leg_that_is_over_joins_nobody() -> None:
    bench = Bench()
    legs = bench.leg("bob"), bench.leg("carol")
    bench.phones["alice"].hang_up()
    bench.house.run(1)
    Renegotiation(*legs, lambda ok, now: bench.done.append(ok)).start(bench.house.clock.now)
    assert bench.done == [False]
    bench.hang_up_and_check()


def test_a_200_that_comes_after_we_gave_up_is_acknowledged() -> None:
    bench = Bench()
    late: list[tuple[InviteServerTransaction, Request]] = []
    bob = bench.phones["bob"]
    bob._answer_reinvite = lambda transaction, request, now: late.append((transaction, request))
    bob.on_cancel = lambda transaction, cancel_request, now: None
    bench.join("bob", "carol")
    bench.house.run(WHOLE_TIMEOUT_S + 1)
    assert bench.done == [False]
    transaction, request = late[0]
    response = make_response(request, 200)
    response.headers.add("contact", f"<{bob.contact}>")
    response.headers.add("content-type", SDP)
    response.body = bob.own
    transaction.respond(response, bench.house.clock.now)
    bench.house.run(2)
    assert codecs(bob.acks[-1].body) == ["8", "0"]
    assert bench.done == [False]
    bench.hang_up_and_check()


def test_what_is_cancelled_while_it_waits_asks_nobody_again() -> None:
    bench = Bench()
    bench.phones["bob"].reinvite_statuses = [491]
    renegotiation = bench.join("bob", "carol")
    bench.house.run(0.5)
    renegotiation.cancel(bench.house.clock.now)
    renegotiation.cancel(bench.house.clock.now)
    assert bench.done == [False]
    bench.house.run(30)
    assert len(bench.phones["bob"].reinvites) == 1
    assert bench.done == [False]
    bench.hang_up_and_check()


@pytest.mark.parametrize("seed", range(12))
def test_over_a_bad_link_it_ends_once_and_both_ends_are_acknowledged(seed: int) -> None:
    bench = Bench()
    link = bench.house.link
    link.loss, link.duplication, link.reorder, link._random = 0.2, 0.2, 0.2, Random(seed)
    bench.join("bob", "carol")
    bench.house.run(WHOLE_TIMEOUT_S + 10)
    assert len(bench.done) == 1
    for user in ("bob", "carol"):
        phone = bench.phones[user]
        if phone.reinvites:
            numbers = {request.cseq.number for request in phone.reinvites}
            assert {ack.cseq.number for ack in phone.acks} == numbers
            bodies = {ack.body for ack in phone.acks}
            assert len(bodies) == 1  # an ACK that is repeated says the same
    link.loss = link.duplication = link.reorder = 0.0
    bench.hang_up_and_check()
