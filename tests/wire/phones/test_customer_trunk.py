"""A customer's PBX, played by softphones: known by its address or registered, called on its range of numbers."""

from collections.abc import Callable

import pytest

from demo.free_ports import free_port
from demo.phone import Phone
from demo.phone_messages import CallState
from tests.wire.phones.calling import connect, hang_up, header, received, ring
from tests.wire.phones.records import records_of
from tests.wire.phones.town import PASSWORD, Town

Registered = Callable[..., Phone]
Starter = Callable[..., Phone]

LONDON = "02079460123"


@pytest.fixture
def addresses(town: Town) -> list[str]:
    """Of the trunk `pbx`, which is made with the first test."""
    if not town.query("SELECT 1 FROM lines WHERE user_part = 'pbx'"):
        places = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        town.run("account", "add", "hotel", "--prepaid", "--credit", "10.00")
        known = town.status()["lines"]
        options = [part for place in places for part in ("--address", place)]
        town.run(
            "line", "add", "pbx", "--account", "hotel", "--kind", "trunk", *options,
            "--max-calls-per-second", "10", "--password-stdin", stdin=PASSWORD,
        )  # fmt: skip
        town.run("number", "assign", "01632960100-01632960199", "--line", "pbx")
        town.wait_for_status(5.0, lines=known + 1)
    line = town.run_json("line", "show", "pbx")
    assert len(line["numbers"]) == 100
    return [place.removeprefix("udp:") for place in line["addresses"]]


def start_pbx(town: Town, phone: Starter, address: str) -> Phone:
    return phone(town.settings("pbx", name="pbx", password="", port=int(address.rpartition(":")[2])))


def test_a_pbx_at_its_address_calls_and_is_called(
    town: Town, addresses: list[str], registered: Registered, phone: Starter, carrier: Starter
) -> None:
    pbx, london, alice = start_pbx(town, phone, addresses[0]), carrier("carrier_a"), registered("alice")
    call, theirs = connect(town, pbx, LONDON, london)
    [invite] = received(london, "INVITE", sip_call_id=theirs.sip_call_id)
    assert header(invite, "P-Asserted-Identity") == "<sip:441632960100@127.0.0.1>"
    hang_up(call, theirs)
    row = records_of(town, call.sip_call_id, legs=2)[0]
    assert (row.line, row.cost_micros > 0) == ("pbx", True)
    assert town.balance("hotel") == row.balance_after_micros

    call, theirs = connect(town, alice, "01632960142", pbx)
    [invite] = received(pbx, "INVITE", sip_call_id=theirs.sip_call_id)
    assert invite.text.startswith(f"INVITE sip:+441632960142@{addresses[0]} SIP/2.0")
    assert (header(invite, "To") or "").startswith("<sip:+441632960142@")
    hang_up(theirs, call)
    call, theirs = connect(town, london, "441632960199", pbx)
    hang_up(call, theirs)
    assert records_of(town, call.sip_call_id, legs=2)[0].ddi == "+441632960199"


def test_its_second_address_is_called_when_the_first_is_dead(
    town: Town, addresses: list[str], registered: Registered, phone: Starter
) -> None:
    alice, second = registered("alice"), start_pbx(town, phone, addresses[1])
    call, theirs = connect(town, alice, "01632960100", second)
    hang_up(call, theirs)
    rows = records_of(town, call.sip_call_id, legs=3)
    assert [row.destination_address for row in rows[1:]] == [f"udp:{place}" for place in addresses]


def test_another_address_is_a_stranger(town: Town, addresses: list[str], phone: Starter) -> None:
    stranger = start_pbx(town, phone, f"127.0.0.1:{free_port()}")
    assert stranger.address not in addresses
    assert stranger.dial(town.uri(LONDON)).wait_ended().status == 407


def test_a_pbx_that_registers_is_told_the_number_too(
    town: Town, registered: Registered, phone: Starter, carrier: Starter
) -> None:
    known = town.status()["lines"]
    town.run("account", "add", "school", "--prepaid", "--credit", "10.00")
    town.run(
        "line", "add", "pbx2", "--account", "school", "--kind", "trunk", "--password-stdin", stdin=PASSWORD
    )
    town.run("number", "assign", "01632960200-9", "--line", "pbx2")
    town.wait_for_status(5.0, lines=known + 1)
    alice, pbx, london = registered("alice"), registered("pbx2"), carrier("carrier_a")
    call, theirs = ring(town, alice, "01632960205", pbx)
    [invite] = received(pbx, "INVITE", sip_call_id=theirs.sip_call_id)
    assert invite.text.startswith(f"INVITE sip:+441632960205@{pbx.address};ob SIP/2.0")
    theirs.answer()
    call.wait_for(CallState.CONFIRMED)
    hang_up(call, theirs)
    call, theirs = connect(town, pbx, LONDON, london)
    hang_up(call, theirs)
    assert records_of(town, call.sip_call_id, legs=2)[0].line == "pbx2"


def test_an_address_that_is_a_carriers_is_told_and_stays_the_carriers(town: Town, carrier: Starter) -> None:
    london = carrier("carrier_a")
    town.run("account", "add", "clash", "--prepaid")
    known = town.status()["lines"]
    town.run(
        "line", "add", "pbx3", "--account", "clash", "--kind", "trunk", "--address", london.address,
        "--password-stdin", stdin=PASSWORD,
    )  # fmt: skip
    town.wait_for_status(5.0, lines=known + 1)
    conflict = {"line": "pbx3", "address": f"udp:{london.address}", "carrier": "carrier_a"}
    assert town.run_json("check")["address_conflicts"] == [conflict]
    assert london.dial(town.uri("07700900456")).wait_ended().status == 403  # carrier to carrier
    town.run("line", "set", "pbx3", "--no-address")
    assert town.run_json("check")["address_conflicts"] == []
    assert town.run_json("line", "show", "pbx3")["addresses"] == []


def test_a_range_is_taken_back(town: Town) -> None:
    town.run("account", "add", "mover", "--prepaid")
    town.run(
        "line", "add", "pbx4", "--account", "mover", "--kind", "trunk", "--password-stdin", stdin=PASSWORD
    )
    assert "10 numbers, +441632960300 to +441632960309, ring line pbx4" in town.run(
        "number", "assign", "01632 960300-309", "--line", "pbx4"
    )
    assert "10 numbers" in town.run("number", "unassign", "01632960300-01632960309")
    assert town.run_json("line", "show", "pbx4")["numbers"] == []
