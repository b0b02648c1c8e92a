"""Line to line: who hears what, in which order, and what is on record afterwards."""

import pytest

from switch.config import CallLimits
from switch.sip.message import Request
from tests.clock import HandClock
from tests.link import Link
from tests.switch.house import ANSWER, DOMAIN, OFFER, House, Phone, make_account, make_conf, make_line


def make_house(link: Link | None = None, **settings: object) -> House:
    return House(
        lines=[make_line("alice"), make_line("bob", 2)],
        accounts=[make_account(1), make_account(2)],
        numbers={"+441632960001": "alice", "+441632960002": "bob"},
        link=link,
        **settings,
    )


def registered_pair(house: House) -> tuple[Phone, Phone]:
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.11")
    alice.register()
    bob.register()
    alice.statuses.clear()
    return alice, bob


def test_an_answered_call_leaves_one_row_for_each_leg() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    alice.invite("01632960002")
    house.run(10)
    alice.hang_up()
    house.run(40)

    assert alice.statuses == [407, 180, 200, 200]
    assert [request.method for request in bob.requests] == ["INVITE", "BYE"]
    caller, callee = house.journal.cdrs()
    assert (caller.leg, callee.leg) == (0, 1)
    assert caller.call_id == callee.call_id
    assert (caller.line, callee.line) == ("alice", "bob")
    assert caller.destination == "+441632960002"
    assert caller.ddi == "+441632960002"
    assert caller.outcome == callee.outcome == "answered"
    assert caller.ended_by == "caller"
    assert caller.setup_at_ms < caller.ringing_at_ms < caller.answered_at_ms < caller.ended_at_ms
    assert caller.duration_ms == caller.ended_at_ms - caller.answered_at_ms
    assert caller.sip_call_id == callee.other_sip_call_id
    assert callee.sip_call_id == caller.other_sip_call_id
    assert caller.sip_call_id != callee.sip_call_id
    assert caller.cost_micros == 0  # on-net
    house.assert_clean()


def test_the_offer_and_the_answer_cross_unchanged() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    alice.invite("01632960002")
    house.run(2)
    assert bob.requests_of("INVITE")[0].body == OFFER
    assert alice.responses[-1].body == ANSWER


def test_a_late_offer_is_answered_in_the_ack() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    bob.answer_body = OFFER
    alice.invite("01632960002", body=b"")
    house.run(2)
    assert bob.requests_of("INVITE")[0].body == b""
    assert alice.responses[-1].body == OFFER
    assert [ack.body for ack in bob.acks] == [ANSWER]


@pytest.mark.parametrize(
    ("answer", "heard", "outcome", "cause"),
    [
        (486, 486, "busy", 17),
        (603, 603, "declined", 21),
        (404, 404, "not_found", 1),
        (480, 480, "unavailable", 18),
        (488, 488, "failed", 65),
        (302, 480, "failed", 127),
    ],
)
def test_a_refusal_by_the_phone_reaches_the_caller(answer: int, heard: int, outcome: str, cause: int) -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    bob.answer = answer
    alice.invite("01632960002")
    house.run(40)
    assert alice.statuses[-1] == heard
    row = house.journal.cdrs()[0]
    assert (row.outcome, row.sip_status, row.q850_cause, row.ended_by) == (outcome, heard, cause, "callee")
    house.assert_clean()


def test_a_cause_in_the_phones_reason_header_is_believed() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    bob.answer, bob.answer_headers = 480, [("reason", "SIP;cause=480, Q.850 ;cause=31;text=x")]
    alice.invite("01632960002")
    house.run(40)
    assert house.journal.cdrs()[0].q850_cause == 31
    assert "Q.850;cause=31" in (alice.responses[-1].headers.get("reason") or "")


def test_nobody_answers() -> None:
    house = make_house(conf=make_conf(calls=CallLimits(no_answer_timeout_s=20)))
    alice, bob = registered_pair(house)
    bob.answer_after_s = None
    alice.invite("01632960002")
    house.run(60)
    assert alice.statuses[-1] == 480
    assert [request.method for request in bob.requests] == ["INVITE", "CANCEL"]
    caller, callee = house.journal.cdrs()
    assert (caller.outcome, caller.q850_cause) == ("no_answer", 19)
    assert (callee.outcome, callee.sip_status, callee.q850_cause) == ("no_answer", 480, 19)
    assert caller.ended_at_ms - caller.setup_at_ms == pytest.approx(20_000, abs=100)
    house.assert_clean()


def test_the_caller_gives_up_while_it_rings() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    bob.answer_after_s = None
    invite = alice.invite("01632960002")
    house.run(3)
    alice.stack.cancel(alice.invites[-1], house.clock.now)
    house.run(40)
    assert alice.statuses[-1] == 487
    assert bob.requests_of("CANCEL")
    row = house.journal.cdrs()[0]
    assert (row.outcome, row.ended_by) == ("cancelled", "caller")
    assert invite is not None
    house.assert_clean()


def test_an_answer_that_crosses_the_cancel_is_hung_up() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    bob.answer_after_s = 1.0
    alice.invite("01632960002")
    house.run(0.994)  # the 200 leaves at 1.03 s, the CANCEL reaches the exchange just before it
    house.run(0.036)
    alice.stack.cancel(alice.invites[-1], house.clock.now)
    house.run(60)
    assert not bob.dialogs
    assert {row.outcome for row in house.journal.cdrs()} <= {"cancelled", "answered"}
    house.assert_clean()


def test_a_phone_that_is_not_registered() -> None:
    house = make_house()
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    alice.invite("01632960002")
    house.run(40)
    assert alice.statuses[-1] == 480
    assert house.journal.cdrs()[0].outcome == "not_registered"
    house.assert_clean()


def test_every_phone_of_a_line_rings_and_the_first_answer_wins() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    other = house.phone("bob", "192.0.2.12")
    other.register()
    other.answer_after_s = 2.0
    bob.answer_after_s = None
    alice.invite("01632960002")
    house.run(10)
    assert bob.requests_of("CANCEL")
    assert 'text="Call completed elsewhere"' in (bob.requests_of("CANCEL")[0].headers.get("reason") or "")
    assert len(other.dialogs) == 1
    other.hang_up()
    house.run(40)
    rows = house.journal.cdrs()
    assert len(rows) == 3
    assert rows[0].ended_by == "callee"
    assert sorted(row.sip_status for row in rows[1:]) == [200, 487]
    house.assert_clean()


def test_two_answers_at_once_leave_one_call() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    other = house.phone("bob", "192.0.2.12")
    other.register()
    bob.answer_after_s = other.answer_after_s = 1.0
    alice.invite("01632960002")
    house.run(10)
    assert len(bob.dialogs) + len(other.dialogs) == 1
    alice.hang_up()
    house.run(40)
    assert not bob.dialogs
    assert not other.dialogs
    house.assert_clean()


def test_a_decline_stops_the_other_phones() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    other = house.phone("bob", "192.0.2.12")
    other.register()
    bob.answer = 603
    other.answer_after_s = None
    alice.invite("01632960002")
    house.run(40)
    assert alice.statuses[-1] == 603
    assert other.requests_of("CANCEL")
    house.assert_clean()


def test_busy_on_one_phone_goes_before_silence_on_another() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    other = house.phone("bob", "192.0.2.12")
    other.register()
    bob.answer = 486
    house.link.detach(other.address)
    alice.invite("01632960002")
    house.run(80)
    assert alice.statuses[-1] == 486
    house.assert_clean()


def test_early_media_passes_while_one_phone_rings() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    bob.ring_status, bob.ring_body = 183, ANSWER
    alice.invite("01632960002")
    house.run(0.4)
    assert alice.statuses[-1] == 183
    assert alice.responses[-1].body == ANSWER


def test_early_media_is_held_back_while_several_phones_ring() -> None:
    """That of the first one would shut out the others'."""
    house = make_house()
    alice, bob = registered_pair(house)
    other = house.phone("bob", "192.0.2.12")
    other.register()
    for phone in (bob, other):
        phone.ring_status, phone.ring_body, phone.answer_after_s = 183, ANSWER, None
    alice.invite("01632960002")
    house.run(1)
    assert bob.requests_of("INVITE")
    assert other.requests_of("INVITE")
    assert alice.statuses == [407, 180]
    assert alice.responses[-1].body == b""
    assert alice.responses[-1].headers.get("content-type") is None


def test_hold_and_resume_from_either_side() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    alice.invite("01632960002")
    house.run(2)
    hold = OFFER + b"a=sendonly\r\n"
    alice.send_in_dialog("INVITE", hold)
    house.run(2)
    assert bob.requests_of("INVITE")[-1].body == hold
    bob.send_in_dialog("INVITE", OFFER)
    house.run(2)
    assert alice.requests_of("INVITE")[-1].body == OFFER
    assert alice.statuses[-1] == 200
    bob.hang_up()
    house.run(40)
    assert house.journal.cdrs()[0].ended_by == "callee"
    house.assert_clean()


def test_glare_is_491_and_the_call_goes_on() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    alice.invite("01632960002")
    house.run(2)
    alice.statuses.clear()
    alice.send_in_dialog("INVITE", OFFER)
    bob.send_in_dialog("INVITE", OFFER)
    house.run(5)
    assert 491 in alice.statuses + bob.statuses
    assert len(house.exchange.board.calls) == 1
    alice.hang_up()
    house.run(40)
    house.assert_clean()


def test_a_refused_reinvite_leaves_the_call_up() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    alice.invite("01632960002")
    house.run(2)
    bob.reinvite_status = 488
    alice.send_in_dialog("INVITE", OFFER)
    house.run(2)
    assert alice.statuses[-1] == 488
    assert len(house.exchange.board.calls) == 1


def test_a_reinvite_that_meets_a_lost_dialog_ends_the_call() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    alice.invite("01632960002")
    house.run(2)
    bob.reinvite_status = 481
    alice.send_in_dialog("INVITE", OFFER)
    house.run(40)
    assert alice.requests_of("BYE")
    assert not house.exchange.board.calls


def test_info_is_passed_on_with_its_body() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    alice.invite("01632960002")
    house.run(2)
    alice.send_in_dialog("INFO", b"Signal=5\r\n", "application/dtmf-relay")
    house.run(2)
    info = bob.requests_of("INFO")[0]
    assert info.body == b"Signal=5\r\n"
    assert info.headers.get("content-type") == "application/dtmf-relay"
    assert alice.statuses[-1] == 200


def test_both_sides_hang_up_at_once() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    alice.invite("01632960002")
    house.run(2)
    alice.hang_up()
    bob.hang_up()
    house.run(40)
    assert alice.statuses[-1] == 200
    assert bob.statuses[-1] == 200
    assert len(house.journal.cdrs()) == 2
    house.assert_clean()


def test_a_caller_that_never_acknowledges_is_hung_up() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    alice.acks_answers = False
    alice.invite("01632960002")
    house.run(80)
    assert alice.requests_of("BYE")
    assert bob.requests_of("BYE")
    assert house.journal.cdrs()[0].outcome == "unconfirmed"
    house.assert_clean()


def test_unknown_headers_pass_between_lines_and_identity_headers_do_not() -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    extra = [
        ("X-Colour", "blue"),
        ("P-Asserted-Identity", "<sip:+441632960999@evil.example>"),
        ("Subject", "tea"),
    ]
    alice.invite("01632960002", extra=extra)
    house.run(1)
    headers = bob.requests_of("INVITE")[0].headers
    assert headers.get("x-colour") == "blue"
    assert headers.get("subject") == "tea"
    assert headers.get("p-asserted-identity") is None
    assert headers.get("max-forwards") == "69"


def test_a_missing_max_forwards_is_taken_for_70() -> None:
    """RFC 2543 had none."""
    house = make_house()
    alice, bob = registered_pair(house)
    headers = alice._headers("INVITE", f"<sip:01632960002@{DOMAIN}>")
    headers.remove("max-forwards")
    headers.add("contact", f"<{alice.contact}>")
    alice._send_invite(Request("INVITE", f"sip:01632960002@{DOMAIN}", headers), house.clock.now)
    house.run(1)
    assert bob.requests_of("INVITE")[0].headers.get_all("max-forwards") == ["69"]


@pytest.mark.parametrize(("callees_account", "display"), [(1, 'Al "Ice" \\ B'), (2, "")])
def test_a_name_is_shown_within_an_account_only(callees_account: int, display: str) -> None:
    house = House(
        lines=[make_line("alice"), make_line("bob", callees_account)],
        accounts=[make_account(1), make_account(2)],
        numbers={"+441632960001": "alice", "+441632960002": "bob"},
    )
    alice, bob = registered_pair(house)
    alice.invite("01632960002", from_='"Al \\"Ice\\" \\\\ B" <sip:alice@example.com>')
    house.run(1)
    sender = bob.requests_of("INVITE")[0].from_
    assert sender.uri == f"sip:+441632960001@{DOMAIN}"
    assert sender.display == display


@pytest.mark.parametrize("hostile", ["caf\udce9", "\udcff" * 200, "\u202e\x1b[31m"])
def test_bytes_that_are_no_text_do_not_stop_a_record(hostile: str) -> None:
    house = make_house()
    alice, bob = registered_pair(house)
    bob.answer_headers = [("User-Agent", hostile)]
    alice.invite("01632960002", extra=[("User-Agent", hostile)], from_=f'"{hostile}" <sip:alice@example.com>')
    house.run(3)
    alice.hang_up()
    house.run(40)
    assert [row.outcome for row in house.journal.cdrs()] == ["answered", "answered"]
    house.assert_clean()


def test_a_request_in_an_unknown_dialog_is_481() -> None:
    house = make_house()
    alice, _bob = registered_pair(house)
    alice.invite("01632960002")
    house.run(2)
    alice.dialogs[-1].remote_tag = "somebody-elses"
    alice.send_in_dialog("INFO")
    house.run(1)
    assert alice.statuses[-1] == 481
    assert len(house.exchange.board.calls) == 1


@pytest.mark.parametrize("seed", range(6))
def test_calls_complete_over_a_bad_link(seed: int) -> None:
    clock = HandClock()
    link = Link(clock, seed=seed, loss=0.1, duplication=0.1, reorder=0.1)
    house = make_house(link)
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.11")
    for phone in (alice, bob):
        phone.register()
        house.run(40)
    alice.invite("01632960002")
    house.run(40)
    assert len(alice.dialogs) == 1
    alice.hang_up()
    house.run(120)
    rows = house.journal.cdrs()
    assert [row.leg for row in rows] == [0, 1]
    assert rows[0].outcome == "answered"
    house.assert_clean()


def test_a_reregistered_phone_is_called_at_its_new_address() -> None:
    house = make_house()
    alice, _ = registered_pair(house)
    moved = house.phone("bob", "192.0.2.99")
    moved.register()
    alice.invite("01632960002")
    house.run(3)
    assert moved.requests_of("INVITE")
