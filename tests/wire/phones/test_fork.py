"""Two phones on one line: both ring, the first answer wins, the other is told; and every phone has its record."""

from collections.abc import Callable

import pytest

from demo.phone import Phone, PhoneCall
from demo.phone_messages import CallState
from tests.wire.phones.calling import hang_up, header, received, talk
from tests.wire.phones.records import Record, check_times, records_of
from tests.wire.phones.town import Town

Registered = Callable[..., Phone]


@pytest.fixture
def ringing(town: Town, registered: Registered) -> tuple[PhoneCall, PhoneCall, PhoneCall]:
    """Alice's call, ringing on Bob's desk and in his kitchen."""
    alice = registered("alice")
    desk, kitchen = registered("bob", name="desk"), registered("bob", name="kitchen")
    call = alice.dial(town.uri("01632960002"))
    on_desk, in_kitchen = desk.expect_call(), kitchen.expect_call()
    on_desk.ring()
    in_kitchen.ring()
    call.wait_for(CallState.EARLY)
    return call, on_desk, in_kitchen


def leg_of(rows: list[Record], theirs: PhoneCall) -> Record:
    return next(row for row in rows[1:] if row.sip_call_id == theirs.sip_call_id)


def test_the_first_phone_to_answer_has_the_call_and_the_other_stops_ringing(
    town: Town, ringing: tuple[PhoneCall, PhoneCall, PhoneCall]
) -> None:
    call, on_desk, in_kitchen = ringing
    in_kitchen.answer()
    call.wait_for(CallState.CONFIRMED)
    in_kitchen.wait_for(CallState.CONFIRMED)
    on_desk.wait_ended()
    [cancel] = received(on_desk.phone, "CANCEL", sip_call_id=on_desk.sip_call_id)
    assert "200" in (header(cancel, "Reason") or "")  # so that the desk phone shows no missed call (RFC 3326)
    talk()
    hang_up(call, in_kitchen)
    rows = records_of(town, call.sip_call_id, legs=3)
    check_times(rows[:1], caller=call, callee=None)
    winner, loser = leg_of(rows, in_kitchen), leg_of(rows, on_desk)
    check_times([winner], caller=call, callee=in_kitchen)
    assert (winner.outcome, loser.outcome) == ("answered", "cancelled")
    assert rows[0].other_sip_call_id == winner.sip_call_id
    assert loser.answered_at is None


def test_a_busy_phone_does_not_stop_the_other(
    town: Town, ringing: tuple[PhoneCall, PhoneCall, PhoneCall]
) -> None:
    call, on_desk, in_kitchen = ringing
    on_desk.answer(486)
    on_desk.wait_ended()
    in_kitchen.answer()
    call.wait_for(CallState.CONFIRMED)
    hang_up(in_kitchen, call)
    rows = records_of(town, call.sip_call_id, legs=3)
    assert (leg_of(rows, on_desk).outcome, leg_of(rows, in_kitchen).outcome) == ("busy", "answered")
    assert rows[0].ended_by == "callee"


def test_when_all_phones_are_busy_so_is_the_line(
    town: Town, ringing: tuple[PhoneCall, PhoneCall, PhoneCall]
) -> None:
    call, on_desk, in_kitchen = ringing
    on_desk.answer(486)
    in_kitchen.answer(486)
    assert call.wait_ended().status == 486
    rows = records_of(town, call.sip_call_id, legs=3)
    assert [row.outcome for row in rows] == ["busy"] * 3


def test_one_phone_that_declines_for_all_ends_the_call(
    town: Town, ringing: tuple[PhoneCall, PhoneCall, PhoneCall]
) -> None:
    call, on_desk, in_kitchen = ringing
    on_desk.answer(603)
    assert call.wait_ended().status == 603
    in_kitchen.wait_ended()
    rows = records_of(town, call.sip_call_id, legs=3)
    assert rows[0].outcome == "declined"
