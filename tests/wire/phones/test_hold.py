"""Hold and resume by re-INVITE: the exchange passes the offer on and the answer back, from either side."""

from collections.abc import Callable

import pytest

from demo.phone import Phone, PhoneCall
from demo.phone_messages import SipSeen
from tests.wire.phones.calling import connect, hang_up, header, hold, resume, wait_until_heard
from tests.wire.phones.records import check_times, records_of
from tests.wire.phones.town import Town

Registered = Callable[..., Phone]


@pytest.mark.parametrize("holder", ["caller", "callee"])
def test_either_side_holds_and_resumes(town: Town, registered: Registered, holder: str) -> None:
    alice, bob = registered("alice"), registered("bob")
    call, theirs = connect(town, alice, "01632960002", bob)
    holds, held = (call, theirs) if holder == "caller" else (theirs, call)
    hold(holds, held)
    resume(holds, held)
    wait_until_heard(held, more_than=held.count_audio().received)
    hang_up(held, holds)
    rows = records_of(town, call.sip_call_id, legs=2)
    check_times(rows, caller=call, callee=theirs)
    assert len(rows) == 2  # a re-INVITE is the same call


def test_each_side_holds_in_turn(town: Town, registered: Registered) -> None:
    call, theirs = connect(town, registered("alice"), "01632960002", registered("bob"))
    for holds, held in ((call, theirs), (theirs, call), (call, theirs)):
        hold(holds, held)
        resume(holds, held)
    hang_up(call, theirs)
    records_of(town, call.sip_call_id, legs=2)


def test_both_hold_at_once_and_the_call_survives(town: Town, registered: Registered) -> None:
    """Glare: the exchange is held still until both re-INVITEs are on the way; both are told 491 (RFC 3261 14.1)."""
    alice, bob = registered("alice"), registered("bob")
    call, theirs = connect(town, alice, "01632960002", bob)
    with town.standing_still():
        call.hold()
        theirs.hold()
        alice.wait_for(SipSeen, "its re-INVITE to go out", lambda seen: is_reinvite(seen, call))
        bob.wait_for(SipSeen, "its re-INVITE to go out", lambda seen: is_reinvite(seen, theirs))
    alice.wait_for_message("SIP/2.0 491")
    bob.wait_for_message("SIP/2.0 491")
    hold(call, theirs)
    resume(call, theirs)
    hang_up(call, theirs)
    records_of(town, call.sip_call_id, legs=2)


def is_reinvite(seen: SipSeen, call: PhoneCall) -> bool:
    """An INVITE that the phone sends in the dialog: its To has a tag."""
    is_mine = seen.is_sent and seen.text.startswith("INVITE") and call.sip_call_id in seen.text
    return is_mine and ";tag=" in (header(seen, "To") or "")
