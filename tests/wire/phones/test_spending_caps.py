"""Spending caps and bars set by command, while phones talk and the switch is killed. On an exchange of its own."""

from collections.abc import Callable, Iterator

import pytest

from demo.phone import Phone
from tests.wire.phones.calling import connect, received
from tests.wire.phones.records import records_of
from tests.wire.phones.town import MICROS_PER_MINUTE, Town, kill_part, town_of_its_own

Registered = Callable[..., Phone]
Carrier = Callable[..., Phone]

LONDON = "02079460123"
FEE_MICROS = 10_000


@pytest.fixture(scope="module")
def running_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town_of_its_own(tmp_path_factory.mktemp("caps")) as town:
        yield town


def cost_micros(seconds: int) -> int:
    return FEE_MICROS + seconds * MICROS_PER_MINUTE["landline"] // 60


def test_a_daily_cap_cuts_a_call_and_holds_after_the_switch_was_killed(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    town.add_subscriber("erin", account="capped", credit="10.00")
    town.run("account", "set", "capped", "daily_cap=0.0175")
    erin, london = registered("erin"), carrier("carrier_a")
    call, theirs = connect(town, erin, LONDON, london)
    call.wait_ended()
    theirs.wait_ended()
    for phone, side in ((erin, call), (london, theirs)):
        assert received(phone, "BYE", sip_call_id=side.sip_call_id)
    row = records_of(town, call.sip_call_id, legs=2)[0]
    assert (row.billed_s, row.cost_micros, row.ended_by) == (3, cost_micros(3), "cap")
    assert row.reason == "the daily spending cap was reached"
    for _ in range(2):
        refused = erin.dial(town.uri(LONDON))
        assert refused.wait_ended().status == 402
        assert records_of(town, refused.sip_call_id, legs=1)[0].outcome == "daily_cap"
        # What the cap holds is in PostgreSQL by now, or only in the journal: either way a new process knows it.
        kill_part(town, "switch", town.is_serving_without)
    live = town.run_json("account", "show", "capped")["live"]
    assert (live["day_micros"], live["month_micros"]) == (cost_micros(3), cost_micros(3))
    assert "daily_cap_near" in [alarm["rule"] for alarm in town.run_json("alarms", "list", "capped")]
    town.run("account", "set", "capped", "daily_cap=none")
    call, theirs = connect(town, erin, LONDON, london)
    call.hang_up()
    call.wait_ended()
    theirs.wait_ended()
    assert records_of(town, call.sip_call_id, legs=2)[0].outcome == "answered"


def test_a_bar_set_by_command_stops_the_next_call(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    alice, london = registered("alice"), carrier("carrier_a")
    town.run("line", "set", "alice", "bars+=national")
    refused = alice.dial(town.uri(LONDON))
    assert refused.wait_ended().status == 403
    [row] = records_of(town, refused.sip_call_id, legs=1)
    assert (row.outcome, row.reason) == (
        "barred",
        'barred for the line: "national"; the customer can lift it',
    )
    town.run("line", "set", "alice", "bars-=national")
    call, theirs = connect(town, alice, LONDON, london)
    call.hang_up()
    call.wait_ended()
    theirs.wait_ended()
