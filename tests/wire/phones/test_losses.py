"""The switch is killed or told to end, phones lose power, connections break. On an exchange of its own."""

import time
from collections.abc import Callable, Iterator

import pytest

from demo.phone import Phone
from demo.phone_messages import Transport
from tests.wire.phones.calling import connect, hang_up, received, ring, talk
from tests.wire.phones.records import answered_and_ended, check_times, records_of
from tests.wire.phones.town import MICROS_PER_MINUTE, Town, kill_part, town_of_its_own

Registered = Callable[..., Phone]
Carrier = Callable[..., Phone]

LONDON = "02079460123"
# One heartbeat a second is what a crash can cost, in the customer's favour.
HEARTBEAT_MS = 1_000


@pytest.fixture(scope="module")
def running_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town_of_its_own(tmp_path_factory.mktemp("crash")) as town:
        yield town


def kill_switch(town: Town) -> None:
    kill_part(town, "switch", town.is_serving_without)


def test_registrations_survive_and_phones_call_on(town: Town, registered: Registered) -> None:
    alice, bob = registered("alice"), registered("bob", transport=Transport.TCP)
    before = town.registrations("")
    kill_switch(town)
    assert binding_facts(town.registrations("")) == binding_facts(before)
    call, theirs = connect(town, alice, "01632960002", bob)
    talk()
    hang_up(call, theirs)
    check_times(records_of(town, call.sip_call_id, legs=2), caller=call, callee=theirs)


def binding_facts(rows: list[dict[str, object]]) -> list[tuple[object, object]]:
    return sorted((row["user"], row["source"]) for row in rows)


def test_a_call_that_was_up_is_ended_on_both_sides_and_charged_to_the_last_heartbeat(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    alice, london = registered("alice"), carrier("carrier_a")
    before = town.balance("shop")
    call, theirs = connect(town, alice, LONDON, london)
    talk(2.5)
    killed_at = time.time()
    kill_switch(town)
    call.wait_ended()
    theirs.wait_ended()
    assert received(alice, "BYE", sip_call_id=call.sip_call_id)
    assert received(london, "BYE", sip_call_id=theirs.sip_call_id)
    row = records_of(town, call.sip_call_id, legs=2)[0]
    assert row.is_recovered
    answered, _ = answered_and_ended(call)
    talked_ms = (killed_at - answered) * 1000
    assert talked_ms - HEARTBEAT_MS - 300 < row.duration_ms < talked_ms + 100
    assert row.cost_micros == 10_000 + row.billed_s * MICROS_PER_MINUTE["landline"] // 60
    assert town.balance("shop") == before - row.cost_micros


def test_a_call_that_was_ringing_ends_and_the_caller_can_call_again(
    town: Town, registered: Registered
) -> None:
    alice, bob = registered("alice"), registered("bob")
    lost, ringing = ring(town, alice, "01632960002", bob)
    kill_switch(town)
    assert lost.wait_ended().status == 500
    ringing.wait_ended()
    assert received(bob, "CANCEL", sip_call_id=ringing.sip_call_id)
    call, theirs = connect(town, alice, "01632960002", bob)
    hang_up(call, theirs)
    records_of(town, call.sip_call_id, legs=2)


def test_a_phone_without_power_does_not_stop_the_other_on_its_line(
    town: Town, registered: Registered
) -> None:
    alice = registered("alice")
    desk, kitchen = registered("bob", name="desk"), registered("bob", name="kitchen")
    desk.kill()
    call, in_kitchen = connect(town, alice, "01632960002", kitchen)
    talk()
    hang_up(call, in_kitchen)
    rows = records_of(town, call.sip_call_id, legs=3)
    answered, silent = sorted(rows[1:], key=lambda row: row.sip_call_id != in_kitchen.sip_call_id)
    assert (answered.outcome, silent.ringing_at) == ("answered", None)


def test_a_call_to_a_phone_whose_connection_broke_fails_at_once(town: Town, registered: Registered) -> None:
    alice, carol = registered("alice"), registered("carol", transport=Transport.TCP)
    carol.kill()
    town.wait_until("a dead binding", lambda: bool(town.registrations("carol")[0]["is_dead"]))
    call = alice.dial(town.uri("01632960003"))
    ended = call.wait_ended(timeout_s=2.0)
    assert ended.status == 480
    rows = records_of(town, call.sip_call_id, legs=2)
    assert rows[0].ringing_at is None


def test_sigterm_ends_live_calls_and_ships_their_records(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    alice, london = registered("alice"), carrier("carrier_a")
    before = town.balance("shop")
    call, theirs = connect(town, alice, LONDON, london)
    talk(1.1)
    town.stop()
    call.wait_ended()
    theirs.wait_ended()
    assert received(alice, "BYE", sip_call_id=call.sip_call_id)
    assert received(london, "BYE", sip_call_id=theirs.sip_call_id)
    town.start()
    rows = records_of(town, call.sip_call_id, legs=2)
    check_times(rows, caller=call, callee=theirs)
    row = rows[0]
    assert row.ended_by == "exchange"
    assert not row.is_recovered
    assert town.balance("shop") == before - row.cost_micros
    assert town.registrations("alice")
