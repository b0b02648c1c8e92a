"""Outbound (RFC 5626) with pjsua2, which asks for it over every connection: one flow, and two of one phone."""

import os
import signal
from collections.abc import Callable

import pytest

from demo.phone import Phone
from demo.phone_messages import CallState, Transport
from tests.wire.phones.calling import connect, hang_up, header, received, ring, sent
from tests.wire.phones.records import records_of
from tests.wire.phones.town import Town

Registered = Callable[..., Phone]

INSTANCE = "00000000-0000-1000-8000-000a95a0e128"


def test_a_phone_on_tcp_gets_outbound_and_is_called_by_its_flow(town: Town, registered: Registered) -> None:
    alice, bob = registered("alice"), registered("bob", transport=Transport.TCP)
    answer = received(bob, "SIP/2.0 200")[0]
    assert (header(answer, "Require"), header(answer, "Flow-Timer")) == ("outbound", "120")
    assert ";reg-id=1" in (header(answer, "Contact") or "")
    [binding] = town.run_json("registrations")[1:]
    assert (binding["user"], binding["reg_id"], binding["path_hops"]) == ("bob", 1, 0)
    assert binding["instance"].startswith("<urn:uuid:")
    for caller, callee, dialled in ((alice, bob, "bob"), (bob, alice, "alice")):
        call, theirs = connect(town, caller, dialled, callee)
        hang_up(call, theirs)
    assert {seen.transport for seen in bob.trace} == {"TCP"}


def test_over_udp_it_is_not_promised(town: Town, registered: Registered) -> None:
    alice = registered("alice")
    assert header(received(alice, "SIP/2.0 200")[0], "Require") is None
    [binding] = town.registrations("alice")
    assert binding["reg_id"] == 0


@pytest.fixture
def two_flows(town: Town, registered: Registered) -> tuple[Phone, Phone]:
    """One phone by two connections, each served by a process of its own; the second is the latest."""
    flows = [
        registered("bob", name=f"flow{reg_id}", transport=Transport.TCP, instance=INSTANCE, reg_id=reg_id)
        for reg_id in (1, 2)
    ]
    assert [row["reg_id"] for row in town.registrations("bob")] == [1, 2]
    return flows[0], flows[1]


def test_one_of_two_flows_rings_and_the_other_when_its_connection_is_gone(
    town: Town, registered: Registered, two_flows: tuple[Phone, Phone]
) -> None:
    alice, (first, second) = registered("alice"), two_flows
    call, theirs = connect(town, alice, "bob", second)
    assert not received(first, "INVITE")
    hang_up(call, theirs)
    second.kill()
    town.wait_until(
        "flow that is known to be dead",
        lambda: [row["is_dead"] for row in town.registrations("bob")] == [False, True],
    )
    call, theirs = connect(town, alice, "bob", first)
    hang_up(call, theirs)
    assert len(records_of(town, call.sip_call_id, legs=2)) == 2
    first.stop()
    registered("bob", name="again", transport=Transport.TCP, instance=INSTANCE, reg_id=2)
    assert [row["reg_id"] for row in town.registrations("bob") if not row["is_dead"]] == [2]


def test_a_flow_that_says_nothing_is_followed_by_the_other(
    town: Town, registered: Registered, two_flows: tuple[Phone, Phone]
) -> None:
    alice, (first, second) = registered("alice"), two_flows
    os.kill(second.process_id, signal.SIGSTOP)
    try:
        call, theirs = ring(town, alice, "bob", first)
        theirs.answer()
        call.wait_for(CallState.CONFIRMED)
        hang_up(call, theirs)
    finally:
        os.kill(second.process_id, signal.SIGCONT)
    assert len(records_of(town, call.sip_call_id, legs=3)) == 3
    second.wait_for_message("CANCEL")
    assert sent(first, "BYE") or received(first, "BYE")
