"""baresip registers, calls and is called, by its own kind and by pjsua2; and the records have it right."""

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from demo.phone import Phone
from demo.phone_messages import CallState, MediaState, SipSeen
from tests.wire.phones.baresip import Baresip
from tests.wire.phones.calling import header, talk, wait_until_heard
from tests.wire.phones.records import (
    check_free,
    check_joined,
    check_times,
    records_of,
)
from tests.wire.phones.town import LINES, MICROS_PER_MINUTE, Town

EVENT_DELAY_S = 1.0

Starter = Callable[[str], Baresip]
Registered = Callable[..., Phone]


@pytest.fixture
def baresip(town: Town) -> Iterator[Starter]:
    """Starts and registers one, and ends it after the test."""
    phones: list[Baresip] = []

    def start(user: str) -> Baresip:
        phones.append(Baresip(town, user))
        phones[-1].start()
        return phones[-1]

    yield start
    for phone in phones:
        phone.stop()


def shortly_before(found: datetime | None, at: float) -> bool:
    """An event of baresip's is read here some time after it happened."""
    return found is not None and -0.02 < at - found.timestamp() < EVENT_DELAY_S


def test_it_registers_and_unregisters(town: Town, baresip: Starter) -> None:
    carol = baresip("carol")
    [binding] = town.registrations("carol")
    assert str(binding["user_agent"]).startswith("baresip")
    carol.stop()
    town.wait_for_status(2.0, registrations=0)


@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_two_of_them_talk_and_either_hangs_up(town: Town, baresip: Starter, ends: str) -> None:
    carol, dave = baresip("carol"), baresip("dave")
    carol.dial("01632960004")
    incoming = dave.wait_for("CALL_INCOMING")
    assert LINES["carol"] in incoming.peeruri
    carol.wait_for("CALL_RINGING")
    dave.accept()
    up = carol.wait_for("CALL_ESTABLISHED")
    dave.wait_for("CALL_ESTABLISHED")
    talk(1.0)
    (carol if ends == "caller" else dave).hang_up()
    down = carol.wait_for("CALL_CLOSED")
    dave.wait_for("CALL_CLOSED")
    rows = records_of(town, up.id, legs=2)
    check_joined(*rows)
    assert rows[1].sip_call_id == incoming.id
    assert (rows[0].outcome, rows[0].ended_by) == ("answered", ends)
    assert shortly_before(rows[0].answered_at, up.at)
    assert shortly_before(rows[0].ended_at, down.at)
    check_free(rows[0])


def test_it_is_busy(town: Town, baresip: Starter) -> None:
    carol, dave = baresip("carol"), baresip("dave")
    carol.dial("01632960004")
    dave.wait_for("CALL_INCOMING")
    dave.hang_up()
    closed = carol.wait_for("CALL_CLOSED")
    assert "486" in closed.param
    rows = records_of(town, closed.id, legs=2)
    assert [row.outcome for row in rows] == ["busy", "busy"]


def test_it_gives_up_while_it_rings(town: Town, baresip: Starter) -> None:
    carol, dave = baresip("carol"), baresip("dave")
    carol.dial("01632960004")
    carol.wait_for("CALL_RINGING")
    carol.hang_up()
    closed = carol.wait_for("CALL_CLOSED")
    dave.wait_for("CALL_CLOSED")
    rows = records_of(town, closed.id, legs=2)
    assert [row.outcome for row in rows] == ["cancelled", "cancelled"]


def test_it_calls_a_pjsua2_phone(town: Town, baresip: Starter, registered: Registered) -> None:
    carol, bob = baresip("carol"), registered("bob")
    mark = bob.mark()
    carol.dial("01632960002")
    theirs = bob.expect_call(after=mark)
    theirs.ring()
    theirs.answer()
    up = carol.wait_for("CALL_ESTABLISHED")
    wait_until_heard(theirs)
    theirs.hang_up()
    carol.wait_for("CALL_CLOSED")
    rows = records_of(town, up.id, legs=2)
    check_times(rows, caller=None, callee=theirs)
    assert rows[0].user_agent.startswith("baresip")
    assert rows[0].ended_by == "callee"


def test_a_pjsua2_phone_calls_it_and_settles_on_one_codec(
    town: Town, baresip: Starter, registered: Registered
) -> None:
    """baresip answers with two codecs; pjsua2 asks for one of them by UPDATE, which reaches baresip as re-INVITE."""
    alice, dave = registered("alice"), baresip("dave")
    call = alice.dial(town.uri("01632960004"))
    dave.wait_for("CALL_INCOMING")
    dave.accept()
    call.wait_for(CallState.CONFIRMED)
    [offer] = [seen for seen in alice.trace if seen.is_sent and seen.text.startswith("UPDATE")] or [
        alice.wait_for(SipSeen, "its UPDATE", lambda seen: seen.is_sent and seen.text.startswith("UPDATE"))
    ]
    assert "RTP/AVP 0 120" in offer.text
    alice.wait_for_message("SIP/2.0 200", containing="CSeq: " + (header(offer, "CSeq") or "?"))
    wait_until_heard(call)
    dave.hang_up()
    call.wait_ended()
    rows = records_of(town, call.sip_call_id, legs=2)
    check_times(rows, caller=call, callee=None)
    assert rows[1].user_agent.startswith("baresip")


def test_it_holds_a_pjsua2_phone_and_is_held_by_it(
    town: Town, baresip: Starter, registered: Registered
) -> None:
    alice, dave = registered("alice", insists_on_one_codec=False), baresip("dave")
    call = alice.dial(town.uri("01632960004"))
    dave.wait_for("CALL_INCOMING")
    dave.accept()
    call.wait_for(CallState.CONFIRMED)
    mark = alice.mark()
    call.hold()
    alice.wait_for_message("SIP/2.0 200", containing="a=recvonly", after=mark)
    call.wait_for_media(MediaState.HELD_HERE, after=mark)
    mark = alice.mark()
    call.resume()
    alice.wait_for_message("SIP/2.0 200", containing="a=sendrecv", after=mark)
    call.wait_for_media(MediaState.ACTIVE, after=mark)
    mark = alice.mark()
    dave.hold()
    alice.wait_for_message("INVITE", containing="a=sendonly", after=mark)
    call.wait_for_media(MediaState.HELD_THERE, after=mark)
    mark = alice.mark()
    dave.resume()
    call.wait_for_media(MediaState.ACTIVE, after=mark)
    dave.hang_up()
    call.wait_ended()
    records_of(town, call.sip_call_id, legs=2)


def test_it_pays_for_a_call_to_a_carrier(town: Town, baresip: Starter, carrier: Callable[..., Phone]) -> None:
    carol, london = baresip("carol"), carrier("carrier_a")
    before = town.balance("shop")
    carol.dial("02079460123")
    theirs = london.expect_call()
    theirs.answer()
    up = carol.wait_for("CALL_ESTABLISHED")
    talk(1.2)
    carol.hang_up()
    theirs.wait_ended()
    row = records_of(town, up.id, legs=2)[0]
    assert row.billed_s == -(-row.duration_ms // 1000) == 2
    assert row.cost_micros == 10_000 + 2 * MICROS_PER_MINUTE["landline"] // 60
    assert town.balance("shop") == before - row.cost_micros
