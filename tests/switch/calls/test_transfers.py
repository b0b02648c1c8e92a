"""Transfers, blind and attended, by either end, to whatever there is: one conversation stays, everybody pays his part.

alice calls bob; one of them sends the other on to carol, to a mobile by the carrier, to carol's voicemail, or to
somebody who is busy or not there. alice, bob and carol are accounts 1, 2 and 3.
"""

import itertools

import msgspec
import pytest

from provisioning.model import LineChanged
from provisioning.settings import Bar, LineSettings
from tests.switch.calls.street import (
    BALANCE,
    BOB,
    CAROL,
    MOBILE,
    NAME,
    STRANGER,
    TARGETS,
    WHERE,
    Street,
    notified,
    street_for,
)
from tests.switch.house import (
    DOMAIN,
)


@pytest.mark.parametrize(("who", "target"), list(itertools.product(("caller", "callee"), TARGETS)))
def test_a_blind_transfer(who: str, target: str) -> None:
    street = street_for(target)
    street.answer(street.alice, "bob")
    street.talk(10)
    leaving, staying = (street.alice, street.bob) if who == "caller" else (street.bob, street.alice)
    payer = 1 if who == "caller" else 2
    assert street.refer(leaving, WHERE[target]).status == 202
    street.talk(3)
    assert notified(leaving)[0] == "SIP/2.0 100 Trying"
    assert notified(leaving)[-1] == "SIP/2.0 200 OK"
    assert leaving.requests_of("BYE"), "who has transferred is out of the call"
    assert street.conversations() == [{staying.user, NAME[target]}]
    reinvites = [invite for invite in staying.requests_of("INVITE") if invite.to_tag is not None]
    assert len(reinvites) == 1 and b"m=audio 5000" in reinvites[0].body
    street.talk(20)
    street.end(staying)
    costs = street.assert_money_adds_up()
    first = next(row for row in street.rows() if row.leg == 0)
    last = max(street.rows(), key=lambda row: row.leg)
    # alice's call is on-net, a penny and 3 a minute begun, and runs as long as anybody talks because of it.
    assert (first.payer_account_id, first.cost_micros) == (1, 40_000)
    assert last.leg_reason.startswith(
        f"transfer by line {leaving.user}" if target != "voicemail" else "divert_all"
    )
    if target == "voicemail":
        assert last.payer_account_id is None
    else:
        assert last.payer_account_id == payer
        expected = 40_000 if target == "line" else 10_000 + 1_000 * last.billed_s
        assert last.cost_micros == expected
        assert costs[payer] >= expected
    gone = street.rows()[0 if who == "caller" else 1]
    assert gone.reason == "transferred the call" and gone.outcome == "answered"
    assert gone.duration_ms < 16_000


@pytest.mark.parametrize("who", ["caller", "callee"])
@pytest.mark.parametrize("target", ["busy", "dead", "declined", "number"])
def test_a_blind_transfer_that_nobody_takes_leaves_the_call_as_it_was(who: str, target: str) -> None:
    street = Street()
    if target == "dead":
        street.house.exchange.bindings.remove_user("carol")
    street.carol.answer, street.carol.answer_after_s = {"busy": 486, "declined": 603}.get(target, 200), 0.2
    street.answer(street.alice, "bob")
    leaving, staying = (street.alice, street.bob) if who == "caller" else (street.bob, street.alice)
    where = "<sip:0500123456@example.com>" if target == "number" else WHERE["line"]
    assert street.refer(leaving, where).status == 202
    street.talk(5)
    assert notified(leaving)[-1].split()[1] == {"busy": "486", "declined": "603", "number": "484"}.get(
        target, "480"
    )
    assert not leaving.requests_of("BYE") and not staying.requests_of("BYE")
    assert street.conversations() == [{"alice", "bob"}]
    street.talk(20)
    street.end(street.alice)
    street.assert_money_adds_up()


def test_the_conversation_there_is_stays_while_the_target_rings_and_who_stays_may_hang_up() -> None:
    street = Street()
    street.carol.answer_after_s = None
    street.answer(street.alice, "bob")
    street.refer(street.bob, WHERE["line"])
    street.talk(5)
    assert notified(street.bob)[-1] == "SIP/2.0 180 Ringing"
    assert street.conversations() == [{"alice", "bob"}]
    street.alice.hang_up()
    street.talk(2)
    assert street.carol.requests_of("CANCEL") and street.bob.requests_of("BYE")
    street.house.assert_clean()
    street.assert_money_adds_up()


def test_a_target_that_never_answers_stops_ringing_and_the_call_stays() -> None:
    street = Street()
    street.carol.answer_after_s = None
    street.answer(street.alice, "bob")
    street.refer(street.bob, WHERE["line"])
    street.talk(130)
    assert street.carol.requests_of("CANCEL")
    assert notified(street.bob)[-1].split()[1] == "480"
    assert street.conversations() == [{"alice", "bob"}]
    street.end(street.alice)
    street.assert_money_adds_up()


@pytest.mark.parametrize("who", ["caller", "callee"])
@pytest.mark.parametrize("target", ["line", "trunk"])
def test_who_has_transferred_may_go_before_anybody_answers_and_pays_all_the_same(who: str, target: str) -> None:
    street = Street()
    street.carol.answer_after_s = street.mobile.answer_after_s = 8
    street.answer(street.alice, "bob")
    leaving, staying = (street.alice, street.bob) if who == "caller" else (street.bob, street.alice)
    street.refer(leaving, WHERE[target])
    leaving.hang_up()
    street.talk(3)
    assert street.conversations() == [{staying.user}]
    assert not staying.requests_of("BYE")
    street.talk(7)
    assert street.conversations() == [{staying.user, NAME[target]}]
    street.talk(20)
    street.end(staying)
    costs = street.assert_money_adds_up()
    last = max(street.rows(), key=lambda row: row.leg)
    payer = 1 if who == "caller" else 2
    assert last.cost_micros == (40_000 if target == "line" else 10_000 + 1_000 * last.billed_s)
    assert last.payer_account_id == payer and last.billed_s >= 20
    assert costs[payer] >= last.cost_micros


def test_who_has_transferred_may_go_while_the_answer_is_being_recorded() -> None:
    street = Street()
    street.answer(street.alice, "bob")
    street.house.journal.durable = "when told"
    street.refer(street.bob, WHERE["trunk"])
    street.talk(0.5)
    assert street.mobile.dialogs and not street.bob.requests_of("BYE"), "answered, and not yet passed on"
    street.bob.hang_up()
    street.talk(0.05)
    street.house.journal.tell()
    street.talk(1)
    street.house.journal.durable = "at once"
    assert street.conversations() == [{"alice", "out"}]
    street.talk(10)
    street.end(street.alice)
    assert street.assert_money_adds_up()[2] >= 20_000


def test_a_second_transfer_waits_for_the_first() -> None:
    street = Street()
    street.carol.answer_after_s = None
    street.answer(street.alice, "bob")
    assert street.refer(street.bob, WHERE["line"]).status == 202
    assert street.refer(street.alice, WHERE["line"]).status == 491
    assert street.refer(street.bob, WHERE["trunk"]).status == 491
    street.end(street.alice)


@pytest.mark.parametrize("who", ["caller", "callee"])
@pytest.mark.parametrize("target", TARGETS)
def test_an_attended_transfer(who: str, target: str) -> None:
    street = street_for(target)
    first = street.answer(street.alice, "bob")
    leaving, staying = (street.alice, street.bob) if who == "caller" else (street.bob, street.alice)
    dialog = first if who == "caller" else street.bob.dialogs[-1]
    street.talk(10)
    second = street.answer(leaving, "07700900123" if target == "trunk" else "carol")
    street.talk(5)
    replaces = f"{second.call_id}%3Bto-tag%3D{second.remote_tag}%3Bfrom-tag%3D{second.local_tag}"
    answer = street.refer(leaving, f"<sip:{NAME[target]}@{DOMAIN}?Replaces={replaces}>", dialog)
    assert answer.status == 202
    street.talk(3)
    assert notified(leaving)[-1] == "SIP/2.0 200 OK"
    assert len(leaving.requests_of("BYE")) == 2
    assert street.conversations() == [{staying.user, NAME[target]}]
    street.talk(30)
    street.end(staying)
    costs = street.assert_money_adds_up()
    payer = 1 if who == "caller" else 2
    outer = [row for row in street.rows() if row.leg == 0]
    assert [
        (row.payer_account_id, row.cost_micros > 0) for row in sorted(outer, key=lambda row: row.setup_at_ms)
    ] == [
        (1, True),
        (payer, True),
    ]
    if target == "trunk":
        leg = next(row for row in street.rows() if row.trunk == "out")
        call = next(row for row in outer if row.call_id == leg.call_id)
        assert call.billed_s == pytest.approx(leg.duration_ms / 1000, abs=1.1)
        assert call.duration_ms < leg.duration_ms - 25_000, "who pays has been gone for half a minute"
    assert costs[payer] > 0


def test_either_far_end_ends_an_attended_transfer_for_both() -> None:
    for which in range(2):
        street = Street()
        first = street.answer(street.alice, "bob")
        second = street.answer(street.alice, "carol")
        replaces = f"{second.call_id}%3Bto-tag%3D{second.remote_tag}%3Bfrom-tag%3D{second.local_tag}"
        street.refer(street.alice, f"<sip:carol@{DOMAIN}?Replaces={replaces}>", first)
        street.talk(3)
        ends = (street.bob, street.carol)
        ends[which].hang_up()
        street.talk(2)
        assert ends[1 - which].requests_of("BYE")
        street.house.assert_clean()
        street.assert_money_adds_up()


def test_who_was_transferred_may_transfer_again() -> None:
    street = Street()
    first = street.answer(street.alice, "bob")
    second = street.answer(street.alice, "carol")
    replaces = f"{second.call_id}%3Bto-tag%3D{second.remote_tag}%3Bfrom-tag%3D{second.local_tag}"
    street.refer(street.alice, f"<sip:carol@{DOMAIN}?Replaces={replaces}>", first)
    street.talk(3)
    assert street.refer(street.carol, WHERE["trunk"]).status == 202
    street.talk(3)
    assert street.conversations() == [{"bob", "out"}]
    street.end(street.bob)
    costs = street.assert_money_adds_up()
    assert costs[3] > 0, "carol pays for the mobile"


def test_a_call_that_nobody_talks_in_any_more_is_over_and_paid_for() -> None:
    """alice has brought bob and carol together; carol sends bob on by asking a mobile first."""
    street = Street()
    first = street.answer(street.alice, "bob")
    second = street.answer(street.alice, "carol")
    replaces = f"{second.call_id}%3Bto-tag%3D{second.remote_tag}%3Bfrom-tag%3D{second.local_tag}"
    street.refer(street.alice, f"<sip:carol@{DOMAIN}?Replaces={replaces}>", first)
    street.talk(3)
    carols = street.carol.dialogs[-1]
    third = street.answer(street.carol, "07700900123")
    replaces = f"{third.call_id}%3Bto-tag%3D{third.remote_tag}%3Bfrom-tag%3D{third.local_tag}"
    assert street.refer(street.carol, f"<sip:x@{DOMAIN}?Replaces={replaces}>", carols).status == 202
    street.talk(3)
    assert street.conversations() == [{"bob", "out"}]
    assert len(street.house.exchange.board.calls) == 2
    assert [row.line for row in street.rows() if row.leg == 1 and row.reason == "transferred the call"] == ["carol"]
    street.end(street.bob)
    street.assert_money_adds_up()


def test_a_consultation_that_still_rings_becomes_a_blind_transfer() -> None:
    street = Street()
    street.carol.answer_after_s = 6
    first = street.answer(street.alice, "bob")
    street.alice.invite("carol")
    street.house.run(1)
    ringing = next(r for r in reversed(street.alice.responses) if r.status == 180)
    replaces = f"{ringing.call_id}%3Bto-tag%3D{ringing.to_tag}%3Bfrom-tag%3D{ringing.from_tag}"
    assert street.refer(street.alice, f"<sip:carol@{DOMAIN}?Replaces={replaces}>", first).status == 202
    street.talk(10)
    assert street.conversations() == [{"bob", "carol"}]
    street.end(street.bob)
    street.assert_money_adds_up()


def test_nobody_takes_over_what_is_not_his() -> None:
    street = Street()
    first = street.answer(street.alice, "bob")
    street.answer(street.carol, "07700900123")
    theirs = street.carol.dialogs[-1]
    replaces = f"{theirs.call_id}%3Bto-tag%3D{theirs.remote_tag}%3Bfrom-tag%3D{theirs.local_tag}"
    assert street.refer(street.alice, f"<sip:x@{DOMAIN}?Replaces={replaces}>", first).status == 403
    wrong = f"{theirs.call_id}%3Bto-tag%3D{theirs.remote_tag}%3Bfrom-tag%3Dother"
    assert street.refer(street.alice, f"<sip:x@{DOMAIN}?Replaces={wrong}>", first).status == 481
    assert sorted(map(sorted, street.conversations())) == [["alice", "bob"], ["carol", "out"]]


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_line_whose_settings_change_meanwhile_transfers_as_before(who: str) -> None:
    street = Street()
    first = street.answer(street.alice, "bob")
    leaving, staying = (street.alice, street.bob) if who == "caller" else (street.bob, street.alice)
    dialog = first if who == "caller" else street.bob.dialogs[-1]
    line = street.house.exchange.books.lines[leaving.user]
    line = msgspec.structs.replace(line, settings=LineSettings(has_call_waiting=False))
    street.house.exchange.apply_changes([LineChanged(line)], street.house.clock.now)
    second = street.answer(leaving, "carol")
    replaces = f"{second.call_id}%3Bto-tag%3D{second.remote_tag}%3Bfrom-tag%3D{second.local_tag}"
    assert street.refer(leaving, f"<sip:carol@{DOMAIN}?Replaces={replaces}>", dialog).status == 202
    street.talk(3)
    assert street.conversations() == [{staying.user, "carol"}]
    street.end(staying)
    street.assert_money_adds_up()


def test_a_line_that_is_barred_meanwhile_transfers_nothing_outside() -> None:
    street = Street()
    street.answer(street.alice, "bob")
    line = street.house.exchange.books.lines["bob"]
    line = msgspec.structs.replace(line, settings=LineSettings(bars=(Bar("all"),)))
    street.house.exchange.apply_changes([LineChanged(line)], street.house.clock.now)
    assert street.refer(street.bob, WHERE["trunk"]).status == 202
    street.talk(3)
    assert notified(street.bob)[-1].split()[1] == "403" and not street.mobile.requests_of("INVITE")
    assert street.conversations() == [{"alice", "bob"}]
    street.end(street.alice)


@pytest.mark.parametrize(
    ("target", "name"), [("**7", "carol"), ("**8", "out"), ("101", "out"), ("141%2B441632960003", "carol")]
)
def test_a_call_is_transferred_to_a_stored_or_a_short_number(target: str, name: str) -> None:
    street = Street()
    line = street.house.exchange.books.lines["bob"]
    settings = LineSettings(speed_dials={"7": CAROL, "8": MOBILE})
    street.house.exchange.apply_changes(
        [LineChanged(msgspec.structs.replace(line, settings=settings))], street.house.clock.now
    )
    street.answer(street.alice, "bob")
    assert street.refer(street.bob, f"<sip:{target}@{DOMAIN}>").status == 202
    street.talk(3)
    assert street.conversations() == [{"alice", name}]
    invite = (street.carol if name == "carol" else street.mobile).requests_of("INVITE")[0]
    assert ("960001" in str(invite.headers.get("from"))) is not target.startswith("141")
    street.end(street.alice)
    street.assert_money_adds_up()


@pytest.mark.parametrize("target", ["09098790123", "118500"])
def test_nobody_is_transferred_to_premium_or_directory_numbers(target: str) -> None:
    street = Street()
    street.answer(street.alice, "bob")
    street.refer(street.bob, f"<sip:{target}@{DOMAIN}>")
    street.talk(3)
    assert notified(street.bob)[-1].split()[1] == "403"
    assert street.conversations() == [{"alice", "bob"}]
    street.end(street.alice)


def test_a_carriers_call_is_transferred_and_the_line_pays_for_where_it_goes() -> None:
    street = Street()
    street.stranger.invite(BOB, from_=f"<sip:{STRANGER}@192.0.2.50>")
    street.house.run(2)
    assert street.refer(street.bob, WHERE["trunk"]).status == 202
    street.talk(5)
    assert street.conversations() == [{"in", "out"}]
    (invite,) = street.mobile.requests_of("INVITE")
    assert STRANGER in (invite.headers.get("from") or "")
    street.talk(20)
    street.end(street.stranger)
    assert set(street.assert_money_adds_up()) == {2}


def test_a_carrier_transfers_nothing() -> None:
    street = Street()
    street.answer(street.alice, "07700900123")
    assert street.refer(street.mobile, WHERE["line"]).status == 603
    street.end(street.alice)


def test_an_emergency_call_stays_where_it_is() -> None:
    street = Street()
    street.answer(street.alice, "999")
    assert street.refer(street.alice, WHERE["line"]).status == 403
    street.end(street.alice)
    street.answer(street.alice, "bob")
    assert street.refer(street.bob, f"<sip:999@{DOMAIN}>").status == 403
    street.end(street.alice)


def test_without_credit_nothing_is_transferred_outside() -> None:
    street = Street()
    street.house.exchange.engine.debit_usage(2, BALANCE)
    street.answer(street.alice, "bob")
    street.refer(street.bob, WHERE["trunk"])
    street.talk(3)
    assert notified(street.bob)[-1].split()[1] == "402"
    assert street.conversations() == [{"alice", "bob"}]
    street.end(street.alice)


def test_when_the_ends_have_no_sound_in_common_the_call_ends_and_says_so() -> None:
    street = Street()
    street.answer(street.alice, "bob")
    street.alice.reinvite_status = 488
    street.refer(street.bob, WHERE["line"])
    street.talk(5)
    assert street.carol.requests_of("BYE") and street.alice.requests_of("BYE")
    street.house.assert_clean()
    assert any("no sound in common" in row.reason for row in street.rows())


def test_the_answer_of_the_target_waits_for_the_journal() -> None:
    street = Street()
    street.answer(street.alice, "bob")
    street.house.journal.durable = "never"
    street.refer(street.bob, WHERE["trunk"])
    street.talk(3)
    assert notified(street.bob)[-1].split()[1] == "480"
    assert street.mobile.requests_of("BYE")
    assert street.conversations() == [{"alice", "bob"}]
    street.house.journal.durable = "at once"
    street.end(street.alice)
    assert street.assert_money_adds_up()[2] == 0


def test_a_crash_after_a_transfer_ends_the_new_conversation_and_charges_both_payers() -> None:
    street = Street()
    street.answer(street.alice, "bob")
    street.refer(street.bob, WHERE["trunk"])
    street.talk(21)
    reborn = street.house.killed_and_started_again()
    rows = {row.leg: row for row in reborn.journal.cdrs()}
    assert rows[0].cost_micros == 40_000 and rows[0].payer_account_id == 1
    assert rows[2].payer_account_id == 2 and rows[2].cost_micros == 10_000 + 1_000 * rows[2].billed_s
    assert 18 <= rows[2].billed_s <= 21
    assert rows[1].reason == "transferred the call"
    hung_up = {datagram for flow, datagram in reborn.exchange.outgoing if datagram.startswith(b"BYE")}
    assert len(hung_up) == 2
