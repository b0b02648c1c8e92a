"""Calls between lines: who hangs up, what a callee may say, cancelling, early media, identity, INFO; the records."""

from collections.abc import Callable

import pytest

from demo.phone import Phone
from demo.phone_messages import CallState, MediaState, Transport
from tests.wire.phones.calling import connect, hang_up, header, received, ring, sent, talk, wait_until_heard
from tests.wire.phones.records import check_free, check_joined, check_times, records_of
from tests.wire.phones.town import LINES, Town

Registered = Callable[..., Phone]
BOB_DIALLED = "01632960002"


@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_a_call_is_answered_and_either_side_hangs_up(town: Town, registered: Registered, ends: str) -> None:
    alice, bob = registered("alice"), registered("bob")
    call, theirs = connect(town, alice, BOB_DIALLED, bob)
    [live] = town.live_calls()
    assert (live["caller"], live["dialled"], live["state"]) == ("alice", BOB_DIALLED, "up")
    wait_until_heard(call)
    wait_until_heard(theirs)
    hang_up(*((call, theirs) if ends == "caller" else (theirs, call)))
    rows = records_of(town, call.sip_call_id, legs=2)
    check_times(rows, caller=call, callee=theirs)
    check_joined(*rows)
    for row in rows:
        assert (row.outcome, row.sip_status, row.q850_cause, row.ended_by) == ("answered", 200, 16, ends)
        assert (row.network_number, row.presentation_number) == (LINES["alice"], LINES["alice"])
        assert (row.dialled, row.destination, row.ddi) == (BOB_DIALLED, LINES["bob"], LINES["bob"])
        check_free(row)
    assert (rows[0].line, rows[1].line) == ("alice", "bob")
    assert rows[0].user_agent == rows[1].other_user_agent == "pjsua2 (alice)"
    assert rows[0].source_address == f"udp:{alice.address}"
    assert rows[1].destination_address == f"udp:{bob.address}"


def test_both_hang_up_at_once(town: Town, registered: Registered) -> None:
    call, theirs = connect(town, registered("alice"), BOB_DIALLED, registered("bob"))
    call.hang_up()
    theirs.hang_up()
    call.wait_ended()
    theirs.wait_ended()
    rows = records_of(town, call.sip_call_id, legs=2)
    assert [row.outcome for row in rows] == ["answered", "answered"]


@pytest.mark.parametrize(
    "dialled", ["bob", "+441632960002", "00441632960002", "01632 960002", "tel:+441632960002"]
)
def test_a_line_is_reached_by_every_way_of_writing_its_number(
    town: Town, registered: Registered, dialled: str
) -> None:
    alice, bob = registered("alice"), registered("bob")
    mark = bob.mark()
    uri = dialled if dialled.startswith("tel:") else town.uri(dialled.replace(" ", "%20"))
    call = alice.dial(uri)
    theirs = bob.expect_call(after=mark)
    assert theirs.caller == f"<sip:{LINES['alice']}@127.0.0.1>"
    theirs.answer()
    call.wait_for(CallState.CONFIRMED)
    hang_up(call, theirs)
    assert records_of(town, call.sip_call_id, legs=2)[0].outcome == "answered"


@pytest.mark.parametrize(
    ("status", "outcome", "cause"),
    [
        (486, "busy", 17),
        (603, "declined", 21),
        (480, "unavailable", 18),
        (404, "not_found", 1),
        (500, "failed", 41),
    ],
)
def test_a_phone_that_refuses_is_heard_by_the_caller(
    town: Town, registered: Registered, status: int, outcome: str, cause: int
) -> None:
    call, theirs = ring(town, registered("alice"), BOB_DIALLED, registered("bob"))
    theirs.answer(status)
    assert call.wait_ended().status == status
    theirs.wait_ended()
    rows = records_of(town, call.sip_call_id, legs=2)
    assert [(row.outcome, row.sip_status, row.q850_cause) for row in rows] == [(outcome, status, cause)] * 2
    assert {row.ended_by for row in rows} == {"callee"}
    check_times(rows[:1], caller=call, callee=theirs)
    check_free(rows[0])


def test_a_phone_that_nobody_answers_stops_ringing(town: Town, registered: Registered) -> None:
    alice, bob = registered("alice"), registered("bob")
    call, theirs = ring(town, alice, BOB_DIALLED, bob)
    ended = call.wait_ended(timeout_s=10.0)
    assert ended.status == 480
    theirs.wait_ended()
    assert received(bob, "CANCEL", sip_call_id=theirs.sip_call_id)
    rows = records_of(town, call.sip_call_id, legs=2)
    assert [row.outcome for row in rows] == ["no_answer", "no_answer"]
    assert rows[0].q850_cause == 19
    assert {row.ended_by for row in rows} == {"exchange"}
    assert 4.9 < (rows[0].ended_at - rows[0].setup_at).total_seconds() < 6.0


def test_a_caller_who_gives_up_while_it_rings_stops_the_ringing(town: Town, registered: Registered) -> None:
    alice, bob = registered("alice"), registered("bob")
    call, theirs = ring(town, alice, BOB_DIALLED, bob)
    talk()
    call.hang_up()
    assert call.wait_ended().status == 487
    theirs.wait_ended()
    assert received(bob, "CANCEL", sip_call_id=theirs.sip_call_id)
    rows = records_of(town, call.sip_call_id, legs=2)
    assert [row.outcome for row in rows] == ["cancelled", "cancelled"]
    assert rows[0].ended_by == "caller"
    check_times(rows[:1], caller=call, callee=theirs)
    check_free(rows[0])


def test_a_caller_who_gives_up_before_it_rings_leaves_no_ringing_phone(
    town: Town, registered: Registered
) -> None:
    alice, bob = registered("alice"), registered("bob")
    mark = bob.mark()
    call = alice.dial(town.uri(BOB_DIALLED))
    theirs = bob.expect_call(after=mark)  # it has answered 100 only
    call.hang_up()
    assert call.wait_ended().status == 487
    theirs.wait_ended()
    assert [row.outcome for row in records_of(town, call.sip_call_id, legs=2)] == ["cancelled", "cancelled"]


def test_audio_before_the_answer_reaches_the_caller_and_is_not_an_answer(
    town: Town, registered: Registered
) -> None:
    alice, bob = registered("alice"), registered("bob")
    mark = bob.mark()
    call = alice.dial(town.uri(BOB_DIALLED))
    theirs = bob.expect_call(after=mark)
    theirs.answer(183)
    call.wait_for_media(MediaState.ACTIVE)
    assert call.wait_for(CallState.EARLY).status == 183
    wait_until_heard(call)
    theirs.answer(603)
    assert call.wait_ended().status == 603
    rows = records_of(town, call.sip_call_id, legs=2)
    assert rows[0].ringing_at is not None
    assert rows[0].answered_at is None
    check_free(rows[0])


def test_a_number_that_nobody_has_and_a_line_without_a_phone_are_told_apart(
    town: Town, registered: Registered
) -> None:
    alice = registered("alice")
    nobody = alice.dial(town.uri("01632960999"))
    assert nobody.wait_ended().status == 404
    away = alice.dial(town.uri("01632960003"))
    assert away.wait_ended().status == 480
    [row] = records_of(town, nobody.sip_call_id, legs=1)
    assert (row.outcome, row.destination) == ("number_not_in_use", "+441632960999")
    [row] = records_of(town, away.sip_call_id, legs=1)
    assert (row.outcome, row.destination) == ("not_registered", LINES["carol"])


def test_a_phone_cannot_call_in_another_lines_name(town: Town, registered: Registered) -> None:
    alice, bob = registered("alice"), registered("bob")
    mark = bob.mark()
    claims = [("P-Asserted-Identity", "<sip:+441632960003@example.com>"), ("X-Colour", "green")]
    call = alice.dial(town.uri(BOB_DIALLED), claims)
    theirs = bob.expect_call(after=mark)
    [invite] = received(bob, "INVITE", sip_call_id=theirs.sip_call_id)
    assert "960003" not in invite.text
    assert header(invite, "X-Colour") == "green"  # what the exchange does not know passes between lines
    theirs.answer(486)
    call.wait_ended()
    assert records_of(town, call.sip_call_id, legs=2)[0].network_number == LINES["alice"]


def test_a_caller_who_dials_141_first_is_shown_as_anonymous(town: Town, registered: Registered) -> None:
    alice, bob = registered("alice"), registered("bob")
    mark = bob.mark()
    call = alice.dial(town.uri("141" + BOB_DIALLED))
    theirs = bob.expect_call(after=mark)
    assert "anonymous.invalid" in theirs.caller
    [invite] = received(bob, "INVITE", sip_call_id=theirs.sip_call_id)
    assert "960001" not in invite.text
    theirs.answer()
    call.wait_for(CallState.CONFIRMED)
    hang_up(call, theirs)
    row = records_of(town, call.sip_call_id, legs=2)[0]
    assert (row.network_number, row.privacy, row.dialled) == (LINES["alice"], "id", "141" + BOB_DIALLED)


def test_info_passes_through_in_both_directions(town: Town, registered: Registered) -> None:
    alice, bob = registered("alice"), registered("bob")
    call, theirs = connect(town, alice, BOB_DIALLED, bob)
    call.send_info("5")
    assert "Signal=5" in bob.wait_for_message("INFO").text
    theirs.send_info("#")
    assert "Signal=#" in alice.wait_for_message("INFO").text
    hang_up(call, theirs)
    assert [seen for seen in received(alice, "SIP/2.0 200") if "INFO" in (header(seen, "CSeq") or "")]
    records_of(town, call.sip_call_id, legs=2)


@pytest.mark.parametrize(
    ("caller", "callee"),
    [(Transport.TCP, Transport.UDP), (Transport.UDP, Transport.TCP), (Transport.TCP, Transport.TCP)],
)
def test_a_call_crosses_from_one_transport_to_the_other(
    town: Town, registered: Registered, caller: Transport, callee: Transport
) -> None:
    alice, bob = registered("alice", transport=caller), registered("bob", transport=callee)
    call, theirs = connect(town, alice, BOB_DIALLED, bob)
    talk()
    hang_up(theirs, call)
    assert {seen.transport for seen in sent(alice, "")} == {caller.value.upper()}
    assert {seen.transport for seen in received(bob, "")} == {callee.value.upper()}
    rows = records_of(town, call.sip_call_id, legs=2)
    check_times(rows[:1], caller=call, callee=theirs)
    assert rows[0].source_address.startswith(f"{caller.value}:")
    assert rows[1].destination_address.startswith(f"{callee.value}:")


def test_a_phone_that_is_wrong_about_its_address_gets_calls_where_it_is(
    town: Town, registered: Registered
) -> None:
    alice, bob = registered("alice"), registered("bob", claimed_host="192.0.2.10")
    call, theirs = connect(town, alice, BOB_DIALLED, bob)
    talk()
    hang_up(call, theirs)  # the BYE finds it too
    assert records_of(town, call.sip_call_id, legs=2)[1].destination_address == f"udp:127.0.0.1:{bob.port}"


def test_lines_that_are_challenged_by_sha_256_call_each_other(town: Town, registered: Registered) -> None:
    sha, both = registered("sha"), registered("both")
    call, theirs = connect(town, sha, "01632960005", both)
    [invite] = [seen for seen in sent(sha, "INVITE") if header(seen, "Proxy-Authorization") is not None]
    assert "algorithm=SHA-256" in (header(invite, "Proxy-Authorization") or "")
    hang_up(theirs, call)
    check_times(records_of(town, call.sip_call_id, legs=2), caller=call, callee=theirs)


def test_the_operator_ends_a_call_on_both_sides(town: Town, registered: Registered) -> None:
    alice, bob = registered("alice"), registered("bob")
    call, theirs = connect(town, alice, BOB_DIALLED, bob)
    [live] = town.live_calls()
    town.run("calls", "end", live["call_id"])
    call.wait_ended()
    theirs.wait_ended()
    assert received(alice, "BYE") and received(bob, "BYE")
    rows = records_of(town, call.sip_call_id, legs=2)
    assert {row.ended_by for row in rows} == {"operator"}
