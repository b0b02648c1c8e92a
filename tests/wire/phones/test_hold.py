"""Hold and resume by re-INVITE: the exchange passes the offer on and the answer back, from either side."""

from collections.abc import Callable

import pytest

from demo.phone import Phone, PhoneCall
from demo.phone_messages import MediaState
from tests.wire.phones.calling import connect, hang_up, received, talk
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
    heard = held.count_audio().received
    talk()
    assert held.count_audio().received > heard
    hang_up(held, holds)
    rows = records_of(town, call.sip_call_id, legs=2)
    check_times(rows[0], call)
    assert len(rows) == 2  # a re-INVITE is the same call


def test_each_side_holds_in_turn(town: Town, registered: Registered) -> None:
    call, theirs = connect(town, registered("alice"), "01632960002", registered("bob"))
    for holds, held in ((call, theirs), (theirs, call), (call, theirs)):
        hold(holds, held)
        resume(holds, held)
    hang_up(call, theirs)
    records_of(town, call.sip_call_id, legs=2)


def test_both_hold_at_once_and_the_call_survives(town: Town, registered: Registered) -> None:
    """Glare: one or both re-INVITEs meet 491 (RFC 3261 14.1); whoever is refused may try again."""
    alice, bob = registered("alice"), registered("bob")
    call, theirs = connect(town, alice, "01632960002", bob)
    marks = (alice.mark(), bob.mark())
    call.hold()
    theirs.hold()
    alice.wait_for_message("SIP/2.0 ", after=marks[0])
    bob.wait_for_message("SIP/2.0 ", after=marks[1])
    talk(1.0)  # an answered 491 is tried again by itself
    refused = [*received(alice, "SIP/2.0 5"), *received(bob, "SIP/2.0 5")]
    assert not refused
    hang_up(call, theirs)
    records_of(town, call.sip_call_id, legs=2)


def hold(holds: PhoneCall, held: PhoneCall) -> None:
    marks = (holds.phone.mark(), held.phone.mark())
    holds.hold()
    holds.wait_for_media(MediaState.HELD_HERE, after=marks[0])
    held.wait_for_media(MediaState.HELD_THERE, after=marks[1])


def resume(holds: PhoneCall, held: PhoneCall) -> None:
    marks = (holds.phone.mark(), held.phone.mark())
    holds.resume()
    holds.wait_for_media(MediaState.ACTIVE, after=marks[0])
    held.wait_for_media(MediaState.ACTIVE, after=marks[1])
