"""Calls to and from carriers, which are softphones of their own: money to the micro, failover, DDIs, 999, strangers."""

from collections.abc import Callable

import pytest

from demo.phone import Phone
from demo.phone_messages import CallState
from tests.wire.phones.calling import connect, hang_up, header, received, ring, talk
from tests.wire.phones.records import check_free, check_joined, check_times, records_of
from tests.wire.phones.town import LINES, MICROS_PER_MINUTE, Town

Registered = Callable[..., Phone]
Carrier = Callable[..., Phone]

LONDON = "02079460123"
LONDON_FEE_MICROS = 10_000
MOBILE = "07700900456"


def test_a_call_to_a_carrier_is_charged_to_the_micro(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    alice, london = registered("alice"), carrier("carrier_a")
    before = town.balance("shop")
    call, theirs = connect(town, alice, LONDON, london)
    [invite] = received(london, "INVITE", sip_call_id=theirs.sip_call_id)
    assert invite.text.startswith(f"INVITE sip:442079460123@{london.address} SIP/2.0")
    assert header(invite, "P-Asserted-Identity") == "<sip:441632960001@127.0.0.1>"
    assert (header(invite, "From") or "").startswith("<sip:441632960001@127.0.0.1>;tag=")
    talk(1.2)
    hang_up(theirs, call)
    rows = records_of(town, call.sip_call_id, legs=2)
    row = rows[0]
    check_times(rows, caller=call, callee=theirs)
    check_joined(*rows)
    assert (rows[1].trunk, row.ended_by, row.destination_name) == ("carrier_a", "callee", "UK landline")
    assert row.billed_s == -(-row.duration_ms // 1000)
    assert row.connect_fee_micros == LONDON_FEE_MICROS
    assert row.usage_micros == row.billed_s * MICROS_PER_MINUTE["landline"] // 60
    assert row.cost_micros == row.connect_fee_micros + row.usage_micros
    assert town.balance("shop") == before - row.cost_micros == row.balance_after_micros
    check_free(rows[1])


def test_begun_intervals_are_charged_in_full(town: Town, registered: Registered, carrier: Carrier) -> None:
    alice, mobile = registered("alice"), carrier("carrier_b")
    call, theirs = connect(town, alice, MOBILE, mobile)
    [invite] = received(mobile, "INVITE", sip_call_id=theirs.sip_call_id)
    assert invite.text.startswith(f"INVITE sip:+447700900456@{mobile.address} SIP/2.0")
    assert (header(invite, "Remote-Party-ID") or "").startswith("<sip:+441632960001@127.0.0.1>;")
    assert header(invite, "P-Asserted-Identity") is None
    hang_up(call, theirs)
    row = records_of(town, call.sip_call_id, legs=2)[0]
    assert (row.billed_s, row.cost_micros) == (6, 60_000)


@pytest.mark.parametrize(("status", "outcome"), [(486, "busy"), (404, "not_found")])
def test_what_a_carrier_says_of_the_callee_is_final_and_free(
    town: Town, registered: Registered, carrier: Carrier, status: int, outcome: str
) -> None:
    alice, london, other = registered("alice"), carrier("carrier_a"), carrier("carrier_b")
    before = town.balance("shop")
    call = alice.dial(town.uri(LONDON))
    london.expect_call().answer(status)
    assert call.wait_ended().status == status
    rows = records_of(town, call.sip_call_id, legs=2)
    assert [row.outcome for row in rows] == [outcome, outcome]
    check_free(rows[0])
    assert town.balance("shop") == before
    assert not received(other, "INVITE")


def test_a_carrier_that_has_no_line_free_is_followed_by_the_next(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    alice, full, other = registered("alice"), carrier("carrier_a"), carrier("carrier_b")
    call = alice.dial(town.uri(LONDON))
    full.expect_call().answer(503)
    theirs = other.expect_call()
    theirs.answer()
    call.wait_for(CallState.CONFIRMED)
    hang_up(call, theirs)
    rows = records_of(town, call.sip_call_id, legs=3)
    assert [(row.trunk, row.outcome) for row in rows[1:]] == [
        ("carrier_a", "failed"),
        ("carrier_b", "answered"),
    ]
    assert rows[1].sip_status == 503
    assert rows[0].cost_micros == LONDON_FEE_MICROS + rows[0].billed_s * MICROS_PER_MINUTE["landline"] // 60


def test_a_carrier_that_is_not_there_is_followed_by_the_next(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    alice, other = registered("alice"), carrier("carrier_b")
    call, theirs = connect(town, alice, LONDON, other)
    hang_up(call, theirs)
    rows = records_of(town, call.sip_call_id, legs=3)
    assert [row.trunk for row in rows[1:]] == ["carrier_a", "carrier_b"]
    assert rows[2].outcome == "answered"


def test_a_carrier_that_rang_is_not_left_for_another(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    alice, london, other = registered("alice"), carrier("carrier_a"), carrier("carrier_b")
    call, theirs = ring(town, alice, LONDON, london)
    theirs.answer(503)
    ended = call.wait_ended()
    assert ended.status >= 500
    assert not received(other, "INVITE")
    assert len(records_of(town, call.sip_call_id, legs=2)) == 2


def test_a_call_from_a_carrier_rings_the_line_that_has_the_number(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    bob, london = registered("bob"), carrier("carrier_a")
    before = town.balance("shop")
    identity = [("P-Asserted-Identity", "<sip:442079460777@carrier.example>")]
    mark = bob.mark()
    call = london.dial(town.uri("441632960002"), identity)
    theirs = bob.expect_call(after=mark)
    assert received(bob, "INVITE", sip_call_id=theirs.sip_call_id)
    theirs.answer()
    call.wait_for(CallState.CONFIRMED)
    talk()
    hang_up(call, theirs)
    rows = records_of(town, call.sip_call_id, legs=2)
    check_times(rows, caller=call, callee=theirs)
    assert (rows[0].trunk, rows[0].ddi, rows[1].line) == ("carrier_a", LINES["bob"], "bob")
    assert rows[0].network_number == "+442079460777"
    check_free(rows[0])
    assert town.balance("shop") == before


@pytest.mark.parametrize(("number", "status"), [("441632960999", 404), ("442079460123", 403)])
def test_a_carrier_reaches_only_numbers_assigned_here(
    town: Town, carrier: Carrier, number: str, status: int
) -> None:
    london = carrier("carrier_a")
    call = london.dial(town.uri(number))
    assert call.wait_ended().status == status
    [row] = records_of(town, call.sip_call_id, legs=1)
    assert (row.trunk, row.sip_status) == ("carrier_a", status)


def test_a_stranger_is_challenged_and_leaves_no_record(town: Town, phone: Callable[..., Phone]) -> None:
    stranger = phone(town.settings("442079460777", name="stranger", password=""))
    call = stranger.dial(town.uri("441632960002"))
    assert call.wait_ended().status == 407
    assert not town.query("SELECT 1 FROM cdrs WHERE sip_call_id = %s", call.sip_call_id)


@pytest.mark.parametrize("dialled", ["999", "112", "141999"])
def test_an_emergency_call_goes_out_free_and_with_the_full_number(
    town: Town, registered: Registered, carrier: Carrier, dialled: str
) -> None:
    """To our own carrier; never dial these where a real one listens."""
    alice, london = registered("alice"), carrier("carrier_a")
    call, theirs = connect(town, alice, dialled, london)
    [invite] = received(london, "INVITE", sip_call_id=theirs.sip_call_id)
    assert header(invite, "P-Asserted-Identity") == "<sip:441632960001@127.0.0.1>"
    assert header(invite, "Privacy") is None
    hang_up(theirs, call)
    rows = records_of(town, call.sip_call_id, legs=2)
    assert all(row.is_emergency for row in rows)
    check_free(rows[0])
    logged = town.query("SELECT * FROM emergency_calls WHERE call_id = %s", rows[0].call_id)
    assert [(row["line"], row["network_number"]) for row in logged] == [("alice", LINES["alice"])]
