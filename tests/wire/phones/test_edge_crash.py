"""The edge process is killed while calls are up: TCP phones come back, UDP ones notice nothing. On its own exchange."""

from collections.abc import Callable, Iterator

import pytest

from demo.exchange import ExchangeError
from demo.phone import Phone, PhoneCall
from demo.phone_messages import Transport
from tests.wire.phones.calling import connect, hang_up, received, wait_until_heard
from tests.wire.phones.records import (
    Record,
    answered_and_ended,
    check_free,
    check_joined,
    check_times,
    records_of,
)
from tests.wire.phones.town import MICROS_PER_MINUTE, Town, kill_part, town_of_its_own

Registered = Callable[..., Phone]
Carrier = Callable[..., Phone]

LONDON = "02079460123"
LONDON_FEE_MICROS = 10_000


@pytest.fixture(scope="module")
def running_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town_of_its_own(tmp_path_factory.mktemp("edge")) as town:
        yield town


def kill_edge(town: Town) -> None:
    """kill -9, and wait until another one holds TCP connections for the same switch."""
    switch = town.part_id("switch")
    kill_part(town, "switch.edge", lambda killed: is_back(town, killed))
    assert town.part_id("switch") == switch


def is_back(town: Town, killed: int) -> bool:
    try:
        return town.part_id("switch.edge") != killed and town.status()["edge"] == "connected"
    except ExchangeError:  # between two lives
        return False


def check_still_talking(*calls: PhoneCall) -> None:
    """Each hears more than it has heard so far."""
    for call in calls:
        wait_until_heard(call, more_than=call.count_audio().received)


def check_charged(town: Town, row: Record, call: PhoneCall, *, before: int) -> None:
    """The caller's row is complete, as long as the phone says, and so is what it cost."""
    answered, ended = answered_and_ended(call)
    assert abs(row.duration_ms - (ended - answered) * 1000) < 300
    assert (row.outcome, row.is_recovered, row.destination_name) == ("answered", False, "UK landline")
    assert row.billed_s == -(-row.duration_ms // 1000)
    assert row.connect_fee_micros == LONDON_FEE_MICROS
    assert row.usage_micros == row.billed_s * MICROS_PER_MINUTE["landline"] // 60
    assert row.cost_micros == row.connect_fee_micros + row.usage_micros
    assert town.balance("shop") == before - row.cost_micros == row.balance_after_micros


def test_udp_phones_notice_nothing_and_a_tcp_phone_can_be_called_when_it_has_registered_again(
    town: Town, registered: Registered
) -> None:
    alice, bob, carol = registered("alice"), registered("bob"), registered("carol", transport=Transport.TCP)
    call, theirs = connect(town, alice, "01632960002", bob)
    [before] = town.registrations("carol")
    kill_edge(town)
    town.wait_until("dead binding", lambda: bool(town.registrations("carol")[0]["is_dead"]))
    lost = alice.dial(town.uri("01632960003"))
    assert lost.wait_ended(timeout_s=2.0).status == 480

    carol.register()
    [after] = town.registrations("carol")
    assert not after["is_dead"]
    assert after["source"].startswith("tcp:")
    assert after["source"] != before["source"]
    to_carol, at_carol = connect(town, alice, "01632960003", carol)
    hang_up(to_carol, at_carol)

    check_still_talking(call, theirs)
    assert [live["state"] for live in town.live_calls()] == ["up"]
    hang_up(theirs, call)
    rows = records_of(town, call.sip_call_id, legs=2)
    check_times(rows, caller=call, callee=theirs)
    check_joined(*rows)
    assert {(row.outcome, row.ended_by) for row in rows} == {("answered", "callee")}
    rows = records_of(town, lost.sip_call_id, legs=2)
    assert rows[0].ringing_at is None
    check_free(rows[0])
    rows = records_of(town, to_carol.sip_call_id, legs=2)
    check_times(rows, caller=to_carol, callee=at_carol)
    assert rows[1].destination_address == after["source"]


@pytest.mark.parametrize("registers_again", [True, False])
def test_the_calls_of_tcp_phones_go_on_and_are_charged_to_their_end(
    town: Town, registered: Registered, carrier: Carrier, *, registers_again: bool
) -> None:
    alice, london = registered("alice"), carrier("carrier_a")
    tcp = {user: registered(user, transport=Transport.TCP) for user in ("bob", "carol", "dave")}
    ended_by_tcp, ended_by_udp = (connect(town, tcp[user], LONDON, london) for user in ("bob", "carol"))
    to_dave, at_dave = connect(town, alice, "01632960004", tcp["dave"])
    kill_edge(town)
    if registers_again:
        for phone in tcp.values():
            phone.register()
    check_still_talking(*ended_by_tcp, *ended_by_udp, to_dave, at_dave)
    assert [live["state"] for live in town.live_calls()] == ["up"] * 3
    before = town.balance("shop")

    call, at_london = ended_by_tcp
    hang_up(call, at_london)
    rows = records_of(town, call.sip_call_id, legs=2)
    check_joined(*rows)
    check_charged(town, rows[0], at_london, before=before)
    check_free(rows[1])
    assert {row.ended_by for row in rows} == {"caller"}

    before -= rows[0].cost_micros
    call, at_london = ended_by_udp
    at_london.hang_up()
    at_london.wait_ended()
    rows = records_of(town, call.sip_call_id, legs=2)
    check_joined(*rows)
    check_charged(town, rows[0], at_london, before=before)
    check_free(rows[1])
    assert {row.ended_by for row in rows} == {"callee"}
    call.hang_up()  # a phone that could not be told ends its call by itself, and is answered
    call.wait_ended()

    hang_up(at_dave, to_dave)
    rows = records_of(town, to_dave.sip_call_id, legs=2)
    check_joined(*rows)
    assert {(row.outcome, row.ended_by) for row in rows} == {("answered", "callee")}


def test_a_tcp_phone_that_has_registered_again_is_told_of_the_end_of_its_calls(
    town: Town, registered: Registered
) -> None:
    alice, bob, carol = registered("alice"), registered("bob"), registered("carol", transport=Transport.TCP)
    from_carol, at_alice = connect(town, carol, "01632960001", alice)
    at_bob, to_carol = connect(town, bob, "01632960003", carol)
    kill_edge(town)
    carol.register()
    for far, near in ((at_alice, from_carol), (at_bob, to_carol)):
        far.hang_up()
        far.wait_ended()
        near.wait_ended(timeout_s=3.0)
        assert received(carol, "BYE", sip_call_id=near.sip_call_id)
        records_of(town, far.sip_call_id, legs=2)
