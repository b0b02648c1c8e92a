"""A carrier by name: SRV targets of which one is dead, a name server that dies while calls go on, calls from it."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.free_ports import free_port
from demo.phone import Phone
from demo.phone_messages import CallState
from tests.name_server import NameServer, Zone
from tests.wire.phones.calling import connect, hang_up, header, received
from tests.wire.phones.records import records_of
from tests.wire.phones.town import Town, kill_part

LONDON = "02079460123"
NAME = "sip.carrier.example"
TRUNKS = f"""
[trunk.carrier_a]
addresses = ["{NAME}"]
answer_timeout_s = 1
breaker_failures = 2
breaker_open_s = 600

[trunk.carrier_b]
addresses = ["127.0.0.1:{{b}}"]
"""


class NamedTown(Town):
    """Carrier A is found by SRV: first at a port where nobody is, then at its own."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.dead_port = free_port()
        zone: Zone = {
            (f"_sip._udp.{NAME}", "SRV"): [
                f"10 0 {self.dead_port} dead.carrier.example.",
                f"20 0 {self.carrier_ports['carrier_a']} live.carrier.example.",
            ],
            ("dead.carrier.example", "A"): ["127.0.0.1"],
            ("live.carrier.example", "A"): ["127.0.0.1"],
        }
        self.names = NameServer(zone, ttl_s=1)
        main = self.conf / "offhook.toml"
        main.write_text(
            main.read_text() + f'\n[dns]\nservers = ["127.0.0.1:{self.names.port}"]\n', encoding="utf-8"
        )
        (self.conf / "trunks.toml").write_text(
            TRUNKS.format(b=self.carrier_ports["carrier_b"]), encoding="utf-8"
        )

    def is_name_known(self) -> bool:
        trunk = self.status()["trunks"]["carrier_a"]
        return bool(trunk["names"][NAME] == "known")


@pytest.fixture
def named(tmp_path: Path) -> Iterator[NamedTown]:
    town = NamedTown(tmp_path)
    with town.names.running():
        try:
            town.start()
            town.populate()
            town.wait_until("address of the carrier", town.is_name_known)
            yield town
        finally:
            town.stop()


def started_at(town: NamedTown, started: list[Phone], user: str) -> Phone:
    phone = Phone.start(town.settings(user))
    started.append(phone)
    phone.register()
    return phone


def test_calls_go_on_past_a_dead_target_a_dead_name_server_and_a_restart_without_one(
    named: NamedTown, started: list[Phone]
) -> None:
    alice = started_at(named, started, "alice")
    started += [live := named.start_carrier("carrier_a"), other := named.start_carrier("carrier_b")]

    call, theirs = connect(named, alice, LONDON, live)
    [invite] = received(live, "INVITE", sip_call_id=theirs.sip_call_id)
    assert invite.text.startswith(f"INVITE sip:+442079460123@{NAME} SIP/2.0")
    hang_up(call, theirs)
    rows = records_of(named, call.sip_call_id, legs=3)
    assert [row.trunk for row in rows[1:]] == ["carrier_a", "carrier_a"]
    assert [row.destination_address for row in rows[1:]] == [
        f"udp:127.0.0.1:{named.dead_port}",
        f"udp:127.0.0.1:{live.port}",
    ]

    named.names.close()
    for expected_legs in (3, 2):  # then the dead target is known to be dead
        call, theirs = connect(named, alice, LONDON, live)
        hang_up(theirs, call)
        records_of(named, call.sip_call_id, legs=expected_legs)
    up = _metrics(named, "offhook_trunk_up{")
    assert up[f'address="udp:127.0.0.1:{named.dead_port}",trunk="carrier_a"'] == 0.0
    assert up[f'address="udp:127.0.0.1:{live.port}",trunk="carrier_a"'] == 1.0

    kill_part(named, "switch", named.is_serving_without)
    alice.register()
    call, theirs = connect(named, alice, LONDON, other)
    hang_up(call, theirs)
    row = records_of(named, call.sip_call_id, legs=2)[1]
    assert (row.trunk, row.leg_reason) == (
        "carrier_b",
        "trunk carrier_b: carrier_a has no address that is known yet",
    )


def test_a_call_from_an_address_of_the_name_is_the_carriers(named: NamedTown, started: list[Phone]) -> None:
    bob = started_at(named, started, "bob")
    started.append(carrier := named.start_carrier("carrier_a"))
    mark = bob.mark()
    call = carrier.dial(
        named.uri("+441632960002"), [("P-Asserted-Identity", "<sip:+442079460777@carrier.example>")]
    )
    theirs = bob.expect_call(after=mark)
    theirs.answer()
    call.wait_for(CallState.CONFIRMED)
    [invite] = received(bob, "INVITE", sip_call_id=theirs.sip_call_id)
    assert "+442079460777" in (header(invite, "From") or "")
    hang_up(theirs, call)
    assert records_of(named, call.sip_call_id, legs=2)[0].trunk == "carrier_a"


def _metrics(town: Town, beginning: str) -> dict[str, float]:
    """Labels -> value, of the series that begin so."""
    with urllib.request.urlopen(f"http://127.0.0.1:{town.metrics_port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = {}
    for line in text.splitlines():
        if line.startswith(beginning):
            series, _, value = line.rpartition(" ")
            found[series.partition("{")[2].removesuffix("}")] = float(value)
    return found
