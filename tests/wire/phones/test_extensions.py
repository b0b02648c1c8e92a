"""What phones of somebody else's make do with 100rel, UPDATE and session timers (RFC 3262, 3311, 4028)."""

from collections.abc import Callable

import pytest

from demo.phone import Phone
from demo.phone_messages import CallState, MediaState, SipSeen
from tests.wire.phones.calling import connect, hang_up, header, received, sent, wait_until_heard
from tests.wire.phones.records import records_of
from tests.wire.phones.town import Town

Registered = Callable[..., Phone]

REFRESH_TIMEOUT_S = 70.0  # half of the shortest session that there is, and some


@pytest.mark.parametrize(
    ("caller_requires", "callee_requires"), [(True, False), (False, True), (True, True), (False, False)]
)
@pytest.mark.parametrize("ringing", [180, 183])
def test_reliable_ringing_on_one_side_or_both(
    town: Town, registered: Registered, caller_requires: bool, callee_requires: bool, ringing: int
) -> None:
    alice = registered("alice", requires_100rel=caller_requires)
    bob = registered("bob", requires_100rel=callee_requires)
    mark = bob.mark()
    call = alice.dial(town.uri("01632960002"))
    theirs = bob.expect_call(after=mark)
    theirs.answer(ringing)
    call.wait_for(CallState.EARLY)
    if callee_requires:
        bob.wait_for_message("PRACK")
    theirs.answer()
    call.wait_for(CallState.CONFIRMED)
    theirs.wait_for(CallState.CONFIRMED)
    wait_until_heard(call)
    wait_until_heard(theirs)
    reliable = [seen for seen in received(alice, "SIP/2.0 18") if header(seen, "RSeq")]
    # pjsua2 names 100rel in Supported at all times, so ringing with a session reaches it reliably in any case
    assert bool(reliable) is (caller_requires or ringing == 183)
    assert len(sent(alice, "PRACK")) == len({header(seen, "RSeq") for seen in reliable})
    assert len(received(bob, "PRACK")) == int(callee_requires)
    hang_up(call, theirs)
    records_of(town, call.sip_call_id, legs=2)


def test_a_cancel_after_reliable_ringing_leaves_nothing(town: Town, registered: Registered) -> None:
    alice, bob = registered("alice", requires_100rel=True), registered("bob", requires_100rel=True)
    mark = bob.mark()
    call = alice.dial(town.uri("01632960002"))
    theirs = bob.expect_call(after=mark)
    theirs.answer(183)
    bob.wait_for_message("PRACK")
    call.hang_up()
    call.wait_ended()
    theirs.wait_ended()
    records_of(town, call.sip_call_id, legs=2)


def test_an_offer_by_update_crosses_and_one_that_repeats_itself_does_not(
    town: Town, registered: Registered
) -> None:
    alice = registered("alice", insists_on_one_codec=False)
    bob = registered("bob", insists_on_one_codec=False)
    call, theirs = connect(town, alice, "01632960002", bob)
    call.wait_for_media(MediaState.ACTIVE)
    mark = alice.mark()
    call.update()  # pjsua2 says what its INVITE said
    assert has_session(alice.wait_for_message("SIP/2.0 200", containing=" UPDATE"))
    call.wait_for_media(MediaState.ACTIVE, after=mark)  # until then it refuses offers
    assert received(bob, "UPDATE") == []
    mark = bob.mark()
    theirs.update()  # an offer reads otherwise than its answer did
    assert has_session(alice.wait_for_message("UPDATE"))
    assert has_session(bob.wait_for_message("SIP/2.0 200", containing=" UPDATE"))
    theirs.wait_for_media(MediaState.ACTIVE, after=mark)
    mark = alice.mark()
    call.update()
    assert has_session(bob.wait_for_message("UPDATE"))
    assert has_session(alice.wait_for_message("SIP/2.0 200", containing=" UPDATE", after=mark))
    wait_until_heard(call, more_than=call.count_audio().received)
    wait_until_heard(theirs, more_than=theirs.count_audio().received)
    hang_up(call, theirs)
    records_of(town, call.sip_call_id, legs=2)


def test_an_offer_by_update_crosses_before_the_answer(town: Town, registered: Registered) -> None:
    alice = registered("alice", requires_100rel=True, insists_on_one_codec=False)
    bob = registered("bob", requires_100rel=True, insists_on_one_codec=False)
    mark = bob.mark()
    call = alice.dial(town.uri("01632960002"))
    theirs = bob.expect_call(after=mark)
    theirs.answer(183)
    bob.wait_for_message("PRACK")
    theirs.update()
    assert has_session(alice.wait_for_message("UPDATE"))
    assert has_session(bob.wait_for_message("SIP/2.0 200", containing=" UPDATE"))
    theirs.answer()
    call.wait_for(CallState.CONFIRMED)
    theirs.wait_for(CallState.CONFIRMED)
    wait_until_heard(call)
    hang_up(call, theirs)
    records_of(town, call.sip_call_id, legs=2)


def has_session(message: SipSeen) -> bool:
    return header(message, "Content-Type") == "application/sdp"


def test_sessions_are_refreshed_on_each_side_by_itself(town: Town, registered: Registered) -> None:
    alice = registered("alice", session_s=90, insists_on_one_codec=False)
    bob = registered("bob", session_s=90, insists_on_one_codec=False)
    call, theirs = connect(town, alice, "01632960002", bob)
    answer = alice.wait_for_message("SIP/2.0 200", containing=" INVITE")
    assert header(answer, "Session-Expires") == "90;refresher=uac"
    assert header(answer, "Require") == "timer"
    marks = (alice.mark(), bob.mark())
    for phone, mark in zip((alice, bob), marks, strict=True):
        phone.wait_for(
            SipSeen,
            "its session to be refreshed",
            lambda seen: seen.text.startswith("SIP/2.0 200") and header(seen, "Session-Expires") is not None,
            after=mark,
            timeout_s=REFRESH_TIMEOUT_S,
        )
    wait_until_heard(call, more_than=call.count_audio().received)
    hang_up(call, theirs)
    records_of(town, call.sip_call_id, legs=2)
