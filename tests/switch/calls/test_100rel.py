"""Reliable provisional responses: on both sides of a call, on one, and with a peer that does it badly (RFC 3262)."""

import pytest

from switch.calls.reliable_uas import RSEQ_START_MAX, first_rseq
from tests.clock import HandClock
from tests.link import Link
from tests.switch.calls.reliable_phone import ReliablePhone, Ring
from tests.switch.house import ANSWER, OFFER, House, make_account, make_line

SECOND_OFFER = OFFER.replace(b"- 1 1", b"- 1 2")
SECOND_ANSWER = ANSWER.replace(b"- 1 1", b"- 1 2")


def make_house(link: Link | None = None) -> tuple[House, ReliablePhone, ReliablePhone]:
    house = House(
        lines=[make_line("alice"), make_line("bob", 2)],
        accounts=[make_account(1), make_account(2)],
        numbers={"+441632960001": "alice", "+441632960002": "bob"},
        link=link,
    )
    alice, bob = ReliablePhone(house, "alice", "192.0.2.10"), ReliablePhone(house, "bob", "192.0.2.11")
    alice.register()
    bob.register()
    alice.statuses.clear()
    alice.responses.clear()
    return house, alice, bob


def call(alice: ReliablePhone, speaks: str, body: bytes = OFFER) -> None:
    """`speaks` is "supported", "require" or "" for a caller that knows nothing of it."""
    alice.invite("01632960002", body=body, extra=[(speaks, "100rel")] if speaks else [])


def assert_over(house: House, phone: ReliablePhone) -> None:
    phone.hang_up()
    house.run(120)
    house.assert_clean()
    assert house.exchange.stack.transactions_count == 0


# A callee that rings reliably


def test_we_offer_it_to_every_callee() -> None:
    house, alice, bob = make_house()
    call(alice, "")
    house.run(2)
    assert "100rel" in bob.requests_of("INVITE")[0].headers.tokens("supported")


@pytest.mark.parametrize("speaks", ["", "supported"])
def test_a_callees_reliable_ringing_is_acknowledged_in_its_order(speaks: str) -> None:
    house, alice, bob = make_house()
    bob.rings, bob.answer_after_s = [Ring(0.1, 180, rseq=7), Ring(0.5, 182, rseq=8)], 2.0
    call(alice, speaks)
    house.run(4)
    racks = [prack.headers.get("rack") for prack in bob.requests_of("PRACK")]
    assert racks == ["7 1 INVITE", "8 1 INVITE"]
    assert [status for status in alice.statuses if status != 407] == [180, 182, 200]
    assert_over(house, alice)


def test_the_dialog_goes_on_counting_where_the_pracks_were() -> None:
    """The BYE's CSeq is above the PRACK's; else the callee would take it for an old request."""
    house, alice, bob = make_house()
    bob.rings, bob.answer_after_s = [Ring(0.1, 180, rseq=1)], 1.0
    call(alice, "")
    house.run(3)
    alice.hang_up()
    house.run(1)
    (prack,), (bye,) = bob.requests_of("PRACK"), bob.requests_of("BYE")
    assert (prack.cseq.number, bye.cseq.number) == (2, 3)
    assert [ack.cseq.number for ack in bob.acks] == [1]


def test_a_provisional_after_a_gap_is_neither_acknowledged_nor_passed_on() -> None:
    house, alice, bob = make_house()
    bob.rings, bob.answer_after_s = [Ring(0.1, 180, rseq=5), Ring(0.5, 183, ANSWER, rseq=7)], 2.0
    call(alice, "")
    house.run(1.5)
    assert [prack.headers.get("rack") for prack in bob.requests_of("PRACK")] == ["5 1 INVITE"]
    assert 183 not in alice.statuses
    house.run(2)
    assert_over(house, alice)


def test_a_repeated_provisional_is_acknowledged_once() -> None:
    house, alice, bob = make_house()
    bob.rings, bob.answer_after_s = [Ring(0.1, 180, rseq=5)], None
    call(alice, "")
    house.run(0.3)
    ringing = next(sent for sent in reversed(house.link.sent) if sent.data.startswith(b"SIP/2.0 180"))
    ringing = next(s for s in reversed(house.link.sent) if s.source == bob.address and b"RSeq: 5" in s.data)
    for _ in range(3):
        house.exchange.receive(
            ringing.data, house.link.flow(("192.0.2.1", 5060), bob.address), house.clock.now
        )
    house.run(2)
    assert len(bob.requests_of("PRACK")) == 1
    assert alice.statuses.count(180) == 1


@pytest.mark.parametrize("rseq", ["", "0x1", "1_0", "+1", "-1", "4294967296", "\u0661"])
def test_an_rseq_that_is_no_number_leaves_the_ringing_unreliable(rseq: str) -> None:
    house, alice, bob = make_house()
    bob.rings, bob.answer_after_s = [Ring(0.1, 180, rseq=rseq)], 1.0  # type: ignore[arg-type]
    call(alice, "")
    house.run(3)
    assert bob.requests_of("PRACK") == []
    assert alice.statuses[-1] == 200
    assert house.exchange.counts.bugs == 0
    assert_over(house, alice)


def test_an_answer_that_came_reliably_is_given_to_a_caller_that_could_not_hear_it_so() -> None:
    """The callee's 200 has none then (RFC 3262 5); the caller's needs one."""
    house, alice, bob = make_house()
    bob.rings, bob.answer_after_s, bob.answer_body = [Ring(0.1, 183, ANSWER, rseq=1)], 1.0, b""
    call(alice, "")
    house.run(3)
    assert (alice.responses[-1].status, alice.responses[-1].body) == (200, ANSWER)
    assert len(bob.requests_of("PRACK")) == 1
    assert_over(house, alice)


def test_forks_behind_a_proxy_have_an_order_of_their_own() -> None:
    house, alice, bob = make_house()
    bob.rings, bob.answer_after_s = [Ring(0.1, 180, rseq=1)], None
    call(alice, "")
    house.run(0.5)
    ringing = next(s for s in reversed(house.link.sent) if s.source == bob.address and b"RSeq: 1" in s.data)
    tag = bob.early.local_tag.encode()
    flow = house.link.flow(("192.0.2.1", 5060), bob.address)
    for n in range(40):
        data = ringing.data.replace(tag, b"fork%d" % n).replace(b"RSeq: 1", b"RSeq: %d" % (90 + n))
        house.exchange.receive(data, flow, house.clock.now)
    house.run(1)
    assert len(bob.requests_of("PRACK")) == 16  # the limit
    assert house.exchange.counts.bugs == 0


# A caller that speaks it


def test_ringing_with_a_session_goes_out_reliably_and_the_answer_waits_for_its_prack() -> None:
    house, alice, bob = make_house()
    alice.pracks = False
    bob.rings, bob.answer_after_s = [Ring(0.1, 183, ANSWER)], 0.5
    call(alice, "supported")
    house.run(3)
    ringing = alice.responses[-1]
    assert (ringing.status, ringing.headers.tokens("require")) == (183, ["100rel"])
    assert 1 <= int(ringing.headers.get("rseq") or "") <= RSEQ_START_MAX
    assert 200 not in alice.statuses  # RFC 3262 3
    alice.prack(ringing.headers.get("rseq") or "", str(ringing.cseq))
    house.run(1)
    assert alice.statuses[-1] == 200
    assert alice.statuses.count(200) == 2  # to the PRACK and to the INVITE
    caller = house.exchange.board.calls[next(iter(house.exchange.board.calls))].caller_leg
    assert caller.answered_at == pytest.approx(house.clock.now, abs=1.1)  # nothing is charged before
    assert_over(house, alice)


def test_it_is_repeated_at_t1_doubled_until_the_prack() -> None:
    house, alice, bob = make_house()
    alice.pracks = False
    bob.rings, bob.answer_after_s = [Ring(0.1, 183, ANSWER)], None
    call(alice, "supported")
    house.run(20)
    times = [s.sent_at for s in house.link.sent if s.destination == alice.address and b" 183 " in s.data[:20]]
    assert [round(time - times[0], 2) for time in times] == [0, 0.5, 1.5, 3.5, 7.5, 15.5]


def test_without_a_prack_the_call_is_refused_and_nobody_rings_any_more() -> None:
    house, alice, bob = make_house()
    alice.pracks = False
    bob.rings, bob.answer_after_s = [Ring(0.1, 183, ANSWER)], None
    call(alice, "supported")
    house.run(40)
    assert alice.statuses[-1] == 504
    assert bob.requests_of("CANCEL")
    house.run(80)
    house.assert_clean()
    assert house.journal.cdrs()[0].cost_micros == 0


def test_without_a_prack_an_answered_call_is_ended_too() -> None:
    house, alice, bob = make_house()
    alice.pracks = False
    bob.rings, bob.answer_after_s = [Ring(0.1, 183, ANSWER)], 1.0
    call(alice, "supported")
    house.run(40)
    assert alice.statuses[-1] == 504
    assert bob.requests_of("BYE")
    house.run(80)
    house.assert_clean()


def test_a_caller_that_requires_it_hears_all_ringing_reliably() -> None:
    house, alice, bob = make_house()
    bob.rings, bob.answer_after_s = [Ring(0.1, 180), Ring(0.15, 182), Ring(0.2, 183, ANSWER)], 2.0
    call(alice, "require")
    house.run(4)
    ringing = [r for r in alice.responses if 100 < r.status < 200]
    assert [r.status for r in ringing] == [180, 182, 183]
    numbers = [int(r.headers.get("rseq") or "") for r in ringing]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert alice.statuses[-1] == 200
    assert_over(house, alice)


@pytest.mark.parametrize("speaks", ["", "supported"])
def test_plain_ringing_stays_unreliable(speaks: str) -> None:
    house, alice, _ = make_house()
    call(alice, speaks)
    house.run(3)
    ringing = next(r for r in alice.responses if r.status == 180)
    assert ringing.headers.get("rseq") is None
    assert_over(house, alice)


@pytest.mark.parametrize(
    "rack",
    [
        "",
        "1",
        "1 INVITE",
        "99 1 INVITE",
        "{rseq} 9 INVITE",
        "{rseq} 2 BYE",
        "{rseq} x INVITE",
        "+{rseq} 2 INVITE",
    ],
)
def test_a_prack_that_matches_nothing_is_481(rack: str) -> None:
    house, alice, bob = make_house()
    alice.pracks = False
    bob.rings, bob.answer_after_s = [Ring(0.1, 183, ANSWER)], None
    call(alice, "supported")
    house.run(0.4)
    alice.statuses.clear()
    rseq = alice.responses[-1].headers.get("rseq") or ""
    number, _, rest = rack.format(rseq=rseq).partition(" ")
    alice.prack(number, rest)
    house.run(0.4)
    assert 481 in alice.statuses


def test_a_second_prack_is_481_and_changes_nothing() -> None:
    house, alice, bob = make_house()
    bob.rings, bob.answer_after_s = [Ring(0.1, 183, ANSWER)], 2.0
    call(alice, "supported")
    house.run(1)
    ringing = next(r for r in alice.responses if r.status == 183)
    alice.prack(ringing.headers.get("rseq") or "", str(ringing.cseq))
    house.run(4)
    assert 481 in alice.statuses
    assert alice.statuses[-1] == 200
    assert_over(house, alice)


def test_cancel_ends_what_waits_for_its_prack() -> None:
    house, alice, bob = make_house()
    alice.pracks = False
    bob.rings, bob.answer_after_s = [Ring(0.1, 183, ANSWER, rseq=4)], None
    call(alice, "supported")
    house.run(1)
    alice.stack.cancel(alice.invites[-1], house.clock.now)
    house.run(1)
    assert alice.statuses[-1] == 487
    sent = len(house.link.sent)
    house.run(100)
    assert not [
        s for s in house.link.sent[sent:] if b" 183 " in s.data[:20] and s.destination == alice.address
    ]
    house.assert_clean()
    assert house.exchange.stack.transactions_count == 0


# Both sides


def test_the_callee_gets_its_prack_when_the_caller_has_sent_one() -> None:
    house, alice, bob = make_house()
    alice.pracks = False
    bob.rings, bob.answer_after_s = [Ring(0.1, 183, ANSWER, rseq=4)], None
    call(alice, "supported")
    house.run(1)
    assert bob.requests_of("PRACK") == []
    ringing = alice.responses[-1]
    alice.prack(ringing.headers.get("rseq") or "", str(ringing.cseq))
    house.run(1)
    assert [prack.headers.get("rack") for prack in bob.requests_of("PRACK")] == ["4 1 INVITE"]


def test_a_new_offer_in_the_prack_crosses_and_its_answer_comes_back_in_the_200() -> None:
    house, alice, bob = make_house()
    alice.prack_body, bob.prack_answer = SECOND_OFFER, SECOND_ANSWER
    bob.rings, bob.answer_after_s, bob.answer_body = [Ring(0.1, 183, ANSWER, rseq=4)], 2.0, b""
    call(alice, "supported")
    house.run(4)
    assert [prack.body for prack in bob.requests_of("PRACK")] == [SECOND_OFFER]
    answers = [r for r in alice.responses if r.cseq.method == "PRACK"]
    assert [(r.status, r.body) for r in answers] == [(200, SECOND_ANSWER)]
    invite = alice.responses[-1]
    assert (invite.status, invite.body) == (200, b"")  # all was said before
    assert_over(house, alice)


def test_a_late_offer_is_answered_in_the_prack() -> None:
    house, alice, bob = make_house()
    alice.prack_body = ANSWER
    bob.rings, bob.answer_after_s, bob.answer_body = [Ring(0.1, 183, OFFER, rseq=4)], 2.0, b""
    call(alice, "supported", body=b"")
    house.run(4)
    assert next(r for r in alice.responses if r.status == 183).body == OFFER
    assert [prack.body for prack in bob.requests_of("PRACK")] == [ANSWER]
    assert [r.status for r in alice.responses if r.cseq.method == "PRACK"] == [200]
    assert [ack.body for ack in bob.acks] == [b""]
    assert_over(house, alice)


def test_a_late_offer_is_not_invited_where_the_caller_could_not_answer_it_in_time() -> None:
    house, alice, bob = make_house()
    bob.answer_body = OFFER
    call(alice, "", body=b"")
    house.run(3)
    assert "100rel" not in bob.requests_of("INVITE")[0].headers.tokens("supported")
    assert [ack.body for ack in bob.acks] == [ANSWER]
    assert_over(house, alice)


def test_an_offer_in_the_prack_that_nobody_can_answer_is_488_and_the_call_goes_on() -> None:
    house, alice, bob = make_house()
    alice.prack_body = SECOND_OFFER
    bob.rings, bob.answer_after_s = [Ring(0.1, 183, ANSWER)], 1.0
    call(alice, "supported")
    house.run(3)
    assert [r.status for r in alice.responses if r.cseq.method == "PRACK"] == [488]
    assert alice.statuses[-1] == 200
    assert_over(house, alice)


@pytest.mark.parametrize("seed", range(12))
def test_over_a_bad_link_it_completes(seed: int) -> None:
    clock = HandClock()
    link = Link(clock, seed=seed)
    house, alice, bob = make_house(link)
    link.loss, link.duplication, link.reorder = 0.15, 0.1, 0.1
    alice.prack_body, bob.prack_answer = SECOND_OFFER, SECOND_ANSWER
    bob.waits_for_prack = True
    bob.rings, bob.answer_after_s, bob.answer_body = [Ring(0.1, 183, ANSWER, rseq=4)], 3.0, b""
    call(alice, "supported")
    house.run(40)
    assert len(bob.requests_of("PRACK")) == 1
    assert alice.dialogs
    link.loss = link.duplication = link.reorder = 0.0
    assert_over(house, alice)


def test_the_first_rseq_is_within_its_bounds() -> None:
    assert first_rseq("0" * 16) == 1
    assert first_rseq("f" * 16) == 0xFFFFFFFF % RSEQ_START_MAX + 1 <= RSEQ_START_MAX
