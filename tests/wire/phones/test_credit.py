"""Prepaid credit while phones talk: refused without it, cut at the last paid second, kept up by a top-up."""

from collections.abc import Callable

from demo.phone import Phone
from demo.phone_messages import CallArrived, CallState
from tests.wire.phones.calling import connect, hang_up, received, talk
from tests.wire.phones.records import answered_and_ended, check_times, records_of
from tests.wire.phones.town import MICROS_PER_MINUTE, Town

Registered = Callable[..., Phone]
Carrier = Callable[..., Phone]

LONDON = "02079460123"
FEE_MICROS = 10_000
CUT_WITHIN_S = 1.0


def cost_micros(seconds: int) -> int:
    return FEE_MICROS + seconds * MICROS_PER_MINUTE["landline"] // 60


def test_a_call_is_cut_at_the_last_paid_second_and_the_next_one_is_refused(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    town.add_subscriber("erin", account="three-seconds", credit="0.0175")
    erin, london = registered("erin"), carrier("carrier_a")
    call, theirs = connect(town, erin, LONDON, london)
    call.wait_ended()
    theirs.wait_ended()
    for phone, side in ((erin, call), (london, theirs)):
        assert received(phone, "BYE", sip_call_id=side.sip_call_id)
    answered, ended = answered_and_ended(call)
    assert 2.9 < ended - answered < 3.0 + CUT_WITHIN_S
    rows = records_of(town, call.sip_call_id, legs=2)
    check_times(rows, caller=call, callee=theirs)
    assert (rows[0].billed_s, rows[0].cost_micros) == (3, cost_micros(3))
    assert (rows[0].ended_by, rows[0].balance_after_micros) == ("credit", 1_500)
    assert town.balance("three-seconds") == 1_500
    mark = london.mark()
    refused = erin.dial(town.uri(LONDON))
    assert refused.wait_ended().status == 402
    assert not london.events_of(CallArrived, after=mark)
    [row] = records_of(town, refused.sip_call_id, legs=1)
    assert (row.outcome, row.cost_micros) == ("no_credit", 0)


def test_a_top_up_keeps_the_call_up(town: Town, registered: Registered, carrier: Carrier) -> None:
    town.add_subscriber("frank", account="topped-up", credit="0.02")
    frank, london = registered("frank"), carrier("carrier_a")
    call, theirs = connect(town, frank, LONDON, london)  # 5 s
    town.run("account", "topup", "topped-up", "0.10")
    talk(6.0)
    hang_up(call, theirs)
    row = records_of(town, call.sip_call_id, legs=2)[0]
    assert row.duration_ms > 6_000
    assert row.ended_by == "caller"
    assert row.billed_s == -(-row.duration_ms // 1000)
    assert row.cost_micros == cost_micros(row.billed_s)
    assert town.balance("topped-up") == 120_000 - row.cost_micros


def test_two_calls_share_the_credit_and_never_overspend_it(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    town.add_subscriber("grace", account="shared", credit="0.03")
    grace, london = registered("grace"), carrier("carrier_a")
    first, first_theirs = connect(town, grace, LONDON, london)
    second = grace.dial(town.uri(LONDON))
    assert second.wait_ended().status == 402  # the first call holds all of it
    hang_up(first, first_theirs)
    third, third_theirs = connect(town, grace, LONDON, london)  # what it did not use is free again
    hang_up(third, third_theirs)
    spent = sum(records_of(town, call.sip_call_id, legs=2)[0].cost_micros for call in (first, third))
    assert town.balance("shared") == 30_000 - spent >= 0


def test_a_suspended_account_keeps_its_call_but_makes_no_new_one(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    town.add_subscriber("heidi", account="late-payer", credit="1.00")
    heidi, london = registered("heidi"), carrier("carrier_a")
    call, theirs = connect(town, heidi, LONDON, london)
    town.run("account", "suspend", "late-payer")
    talk(1.2)  # the switch follows within a second
    refused = heidi.dial(town.uri(LONDON))
    assert refused.wait_ended().status == 403
    assert call.wait_for(CallState.CONFIRMED).state is CallState.CONFIRMED
    assert len(town.live_calls()) == 1
    hang_up(call, theirs)
    emergency, answered = connect(town, heidi, "999", london)
    hang_up(emergency, answered)
    [row] = records_of(town, refused.sip_call_id, legs=1)
    assert row.outcome == "account_suspended"
    records_of(town, call.sip_call_id, legs=2)
    records_of(town, emergency.sip_call_id, legs=2)
