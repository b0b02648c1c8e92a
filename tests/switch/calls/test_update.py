"""UPDATE before the answer and after it: who answers it, how it crosses, and what it meets (RFC 3311)."""

import pytest

from switch.sip.dialog import Dialog
from tests.switch.calls.reliable_phone import ReliablePhone, Ring
from tests.switch.calls.test_100rel import SECOND_ANSWER, SECOND_OFFER, assert_over, make_house
from tests.switch.house import ANSWER, OFFER, House

THIRD_OFFER = OFFER.replace(b"- 1 1", b"- 1 3")


def a_call(*, allow: str = "INVITE, ACK, BYE, CANCEL, UPDATE") -> tuple[House, ReliablePhone, ReliablePhone]:
    """One that is up; both phones named `allow`."""
    house, alice, bob = make_house()
    bob.allow = allow
    bob.answer_headers = [("allow", allow)]
    alice.invite("01632960002", extra=[("allow", allow)])
    house.run(2)
    clear(alice, bob)
    return house, alice, bob


def an_early_call(
    *, speaks: str = "supported", rseq: int | None = 4
) -> tuple[House, ReliablePhone, ReliablePhone]:
    """One that rings with a session."""
    house, alice, bob = make_house()
    bob.rings, bob.answer_after_s, bob.answer_body = [Ring(0.1, 183, ANSWER, rseq=rseq)], 5.0, b""
    alice.invite("01632960002", extra=[("supported", "100rel"), ("allow", bob.allow)] if speaks else [])
    house.run(1)
    if alice.early is None:
        alice.early = Dialog.from_response(alice.invites[-1].request, alice.responses[-1], alice.flow)
    clear(alice, bob)
    return house, alice, bob


def clear(*phones: ReliablePhone) -> None:
    for phone in phones:
        for noted in (phone.statuses, phone.responses, phone.requests, phone.acks):
            noted.clear()


# In a call that is up


@pytest.mark.parametrize("side", ["alice", "bob"])
def test_without_an_offer_it_is_answered_here(side: str) -> None:
    house, alice, bob = a_call()
    asks, other = (alice, bob) if side == "alice" else (bob, alice)
    asks.update()
    house.run(1)
    assert asks.statuses == [200]
    assert asks.responses[0].headers.get("contact")
    assert "UPDATE" in asks.responses[0].headers.tokens("allow")
    assert other.requests == []
    assert_over(house, alice)


def test_its_contact_is_where_the_next_request_goes() -> None:
    house, alice, bob = a_call()
    bob.contact = "sip:bob-moved@192.0.2.11:5060"
    bob.update()
    house.run(1)
    alice.hang_up()
    house.run(1)
    assert bob.requests_of("BYE")[0].uri == bob.contact


@pytest.mark.parametrize("side", ["alice", "bob"])
def test_an_offer_crosses_as_update_and_its_answer_comes_back(side: str) -> None:
    house, alice, bob = a_call()
    asks, other = (alice, bob) if side == "alice" else (bob, alice)
    other.update_answer = SECOND_ANSWER
    asks.update(SECOND_OFFER)
    house.run(1)
    assert [(request.method, request.body) for request in other.requests] == [("UPDATE", SECOND_OFFER)]
    assert other.requests[0].headers.get("content-type") == "application/sdp"
    assert [(r.status, r.body) for r in asks.responses] == [(200, SECOND_ANSWER)]
    assert_over(house, alice)


def test_an_offer_to_a_phone_without_update_crosses_as_reinvite() -> None:
    house, alice, bob = a_call(allow="INVITE, ACK, BYE, CANCEL")
    bob.answer_body = SECOND_ANSWER
    alice.update(SECOND_OFFER)
    house.run(1)
    assert [(request.method, request.body) for request in bob.requests] == [("INVITE", SECOND_OFFER)]
    assert [(r.status, r.body) for r in alice.responses] == [(200, SECOND_ANSWER)]
    assert len(bob.acks) == 1
    assert_over(house, alice)


def test_a_phone_that_rings_on_that_reinvite_is_asked_to_stop_and_the_update_is_504() -> None:
    house, alice, bob = a_call(allow="INVITE, ACK, BYE, CANCEL")
    bob.reinvite_status = 0
    alice.update(SECOND_OFFER)
    house.run(30)
    assert [status for status in alice.statuses if status > 100] == [504]
    assert bob.requests_of("CANCEL")
    assert len(house.exchange.board.calls) == 1
    bob.reinvite_status = 200
    alice.send_in_dialog("INVITE", THIRD_OFFER)  # nothing is left in its way
    house.run(1)
    assert alice.statuses[-1] == 200
    assert_over(house, alice)


@pytest.mark.parametrize("status", [488, 500, 603])
def test_a_refused_offer_leaves_the_call_up(status: int) -> None:
    house, alice, bob = a_call()
    bob.update_status = status
    alice.update(SECOND_OFFER)
    house.run(1)
    assert alice.statuses == [status]
    assert_over(house, alice)


@pytest.mark.parametrize("status", [481, None])
def test_an_update_that_meets_a_lost_dialog_ends_the_call(status: int | None) -> None:
    house, alice, bob = a_call()
    if status is None:
        house.link.detach(bob.address)
    else:
        bob.update_status = status
    alice.update(SECOND_OFFER)
    house.run(40)
    assert alice.requests_of("BYE")
    assert not any(line.startswith("SIP/2.0 408") for line in house.link.start_lines())
    house.run(100)
    house.assert_clean()


def test_an_offer_that_repeats_the_last_one_needs_nobody_else() -> None:
    house, alice, bob = a_call()
    alice.update(OFFER)
    house.run(1)
    assert [(r.status, r.body) for r in alice.responses] == [(200, ANSWER)]
    assert bob.requests == []
    bob.update_answer = SECOND_ANSWER
    alice.update(SECOND_OFFER)
    house.run(1)
    alice.update(OFFER)  # no longer the last one
    house.run(1)
    assert [request.body for request in bob.requests] == [SECOND_OFFER, OFFER]
    assert_over(house, alice)


# Glare


def open_reinvite(asks: ReliablePhone, other: ReliablePhone, house: House) -> None:
    other.reinvite_status = 0
    asks.send_in_dialog("INVITE", SECOND_OFFER)
    house.run(0.1)


@pytest.mark.parametrize(("side", "status"), [("alice", 500), ("bob", 491)])
def test_an_offer_that_meets_an_open_one(side: str, status: int) -> None:
    """5.2: 500 with a time to come back when it is the peer's own offer that is open, 491 when it is ours."""
    house, alice, bob = a_call()
    open_reinvite(alice, bob, house)
    asks = alice if side == "alice" else bob
    asks.update(THIRD_OFFER)
    house.run(0.1)
    assert asks.statuses == [status]
    assert (asks.responses[0].headers.get("retry-after") is not None) is (status == 500)
    assert_over(house, alice)


def test_two_updates_of_one_side_are_one_at_a_time() -> None:
    house, alice, _ = a_call()
    alice.update(SECOND_OFFER)
    alice.update()
    house.run(1)
    assert sorted(alice.statuses) == [200, 500]
    assert_over(house, alice)


def test_offers_from_both_sides_at_once_are_491_and_the_call_goes_on() -> None:
    house, alice, bob = a_call()
    alice.update(SECOND_OFFER)
    bob.update(THIRD_OFFER)
    house.run(1)
    assert 491 in alice.statuses + bob.statuses
    clear(alice, bob)
    alice.update(THIRD_OFFER)
    house.run(1)
    assert alice.statuses == [200]
    assert_over(house, alice)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_the_end_of_a_call_answers_an_open_update(who: str) -> None:
    house, alice, bob = a_call()
    house.link.is_lost = lambda datagram: datagram.source == bob.address and b"UPDATE" in datagram.data
    alice.update(SECOND_OFFER)
    house.run(0.1)
    (alice if who == "alice" else bob).hang_up()
    house.run(1)
    assert 487 in alice.statuses
    house.run(120)
    house.assert_clean()
    assert house.exchange.stack.transactions_count == 0


# Before the answer


def test_without_an_offer_it_is_answered_here_while_it_rings() -> None:
    house, alice, bob = an_early_call()
    alice.update()
    house.run(0.5)
    assert alice.statuses == [200]
    assert bob.requests == []
    house.run(6)
    assert_over(house, alice)


def test_an_early_offer_crosses_in_the_early_dialog() -> None:
    house, alice, bob = an_early_call()
    bob.update_answer = SECOND_ANSWER
    alice.update(SECOND_OFFER)
    house.run(0.5)
    assert [(request.method, request.body) for request in bob.requests] == [("UPDATE", SECOND_OFFER)]
    assert [(r.status, r.body) for r in alice.responses] == [(200, SECOND_ANSWER)]
    house.run(6)
    assert alice.statuses[-1] == 200
    assert_over(house, alice)


def test_an_early_offer_of_the_callee_crosses_to_a_caller_that_allows_it() -> None:
    house, alice, bob = an_early_call()
    alice.update_answer = SECOND_ANSWER
    bob.update(SECOND_OFFER)
    house.run(0.5)
    assert [(request.method, request.body) for request in alice.requests] == [("UPDATE", SECOND_OFFER)]
    assert [(r.status, r.body) for r in bob.responses] == [(200, SECOND_ANSWER)]
    house.run(6)
    assert_over(house, alice)


def test_an_early_offer_that_nobody_can_answer_yet_is_500_with_a_time_to_come_back() -> None:
    house, alice, bob = an_early_call(speaks="", rseq=None)
    alice.update(SECOND_OFFER)
    house.run(0.5)
    assert alice.statuses == [500]
    assert alice.responses[0].headers.get("retry-after")
    assert bob.requests == []
    house.run(6)
    assert_over(house, alice)


def test_an_early_offer_of_the_callee_to_a_caller_that_heard_no_answer_reliably_is_500() -> None:
    house, alice, bob = an_early_call(speaks="")
    bob.update(SECOND_OFFER)
    house.run(0.5)
    assert bob.statuses == [500]
    assert alice.requests == []
    house.run(6)
    assert_over(house, alice)


def test_the_callees_bye_before_its_answer_is_481_and_it_rings_on() -> None:
    house, alice, bob = an_early_call()
    assert bob.early is not None
    bye = bob.early.create_request("BYE", contact=None)
    bob.stack.send_request(bye, bob.flow, bob, house.clock.now)
    house.run(0.5)
    assert bob.statuses == [481]
    house.run(6)
    assert alice.statuses[-1] == 200
    assert_over(house, alice)


def test_a_cancel_ends_an_early_update_with_the_call() -> None:
    house, alice, bob = an_early_call()
    house.link.is_lost = lambda datagram: datagram.source == bob.address and b"UPDATE" in datagram.data
    alice.update(SECOND_OFFER)
    house.run(0.1)
    alice.stack.cancel(alice.invites[-1], house.clock.now)
    house.run(1)
    assert sorted(alice.statuses) == [487, 487]
    house.run(120)
    house.assert_clean()
    assert house.exchange.stack.transactions_count == 0


def test_the_callee_refuses_while_its_update_is_open() -> None:
    house, alice, bob = an_early_call()
    house.link.is_lost = lambda datagram: datagram.source == bob.address and b"UPDATE" in datagram.data
    bob.answer, bob.answer_after_s = 486, 0.2
    alice.update(SECOND_OFFER)
    house.run(10)
    assert 487 in alice.statuses
    house.run(120)
    house.assert_clean()
    assert house.exchange.counts.bugs == 0


@pytest.mark.parametrize("seed", range(10))
def test_over_a_bad_link_offers_from_both_sides_are_answered_or_refused_and_the_call_stays(seed: int) -> None:
    house, alice, bob = a_call()
    link = house.link
    link.loss, link.duplication, link.reorder = 0.15, 0.1, 0.1
    for turn in range(2, 8):
        asks = alice if (turn + seed) % 2 else bob
        asks.update(OFFER.replace(b"- 1 1", b"- 1 %d" % turn))
        house.run(1 if turn % 3 else 30)
    house.run(40)
    assert house.exchange.counts.bugs == 0
    assert len(house.exchange.board.calls) == 1
    assert 200 in alice.statuses + bob.statuses
    link.loss = link.duplication = link.reorder = 0.0
    assert_over(house, alice)
