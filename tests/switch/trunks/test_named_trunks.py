"""Trunks by name: calls by what is known, and on when nothing is; who a carrier by name is; TLS names; weights."""

from collections import Counter

import pytest

from switch.conf_addresses import TrunkAddress
from switch.conf_trunks import Trunk
from switch.conf_values import Transport
from switch.trunks.locate import Choice, Endpoint, Located, Reach, Wanted
from tests.switch.house import House, Phone, make_conf, make_line, make_trunk

FIRST, SECOND = "192.0.2.50", "192.0.2.51"
NAME = "sip.carrier.example"
WANTED = Wanted(NAME, 0, "UDP")
FAILED = Located((), 0.0, "the name servers do not answer")


def named(name: str = "named", **settings: object) -> Trunk:
    settings = {"addresses": (TrunkAddress(NAME, 0),), "answer_timeout_s": 2, **settings}
    return Trunk(name=name, **settings)


def make_house(*trunks: Trunk) -> House:
    return House(
        conf=make_conf(trunks=list(trunks) or [named(), make_trunk("other", SECOND)]),
        lines=[make_line("alice")],
        numbers={"+441632960001": "alice"},
    )


def one_by_one(*hosts: str, port: int = 5060, transport: str = "UDP") -> Located:
    """Hosts in the order of their priority."""
    return Located(tuple((Choice(0, (Endpoint(transport, host, port),)),) for host in hosts), 300.0)


def tell(house: House, located: Located, wanted: Wanted = WANTED) -> None:
    house.exchange.trunks.found(wanted, located, house.clock.now)


def caller(house: House) -> Phone:
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    return alice


def test_a_call_goes_to_the_address_of_the_name_which_stands_in_the_uri() -> None:
    house = make_house(named())
    carrier = house.phone("carrier", FIRST)
    tell(house, one_by_one(FIRST))
    alice = caller(house)
    alice.invite("01632960123")
    house.run(2)
    (invite,) = carrier.requests_of("INVITE")
    assert invite.uri == f"sip:+441632960123@{NAME}"
    assert invite.to.uri == f"sip:+441632960123@{NAME}"
    assert alice.statuses[-1] == 200


def test_a_trunk_of_which_nothing_is_known_is_skipped_and_the_record_says_so() -> None:
    house = make_house()
    other = house.phone("other", SECOND)
    alice = caller(house)
    alice.invite("01632960123")
    house.run(2)
    assert other.requests_of("INVITE")
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[1]
    assert (row.trunk, row.leg_reason) == ("other", "trunk other: named has no address that is known yet")
    assert house.exchange.trunks.skipped["named", "has no address that is known yet"] == 1


def test_where_no_trunk_has_an_address_the_caller_hears_it_at_once() -> None:
    house = make_house(named())
    alice = caller(house)
    alice.invite("01632960123")
    house.run(1)
    (row,) = house.journal.cdrs()
    assert (row.outcome, row.sip_status, row.q850_cause) == ("trunk_unavailable", 480, 38)
    assert row.reason == "no trunk: named has no address that is known yet"
    assert house.exchange.engine.reservations_count == 0


def test_a_call_hurries_the_look_up_of_a_name_that_fails() -> None:
    house = make_house(named())
    names = house.exchange.trunks.names
    for now in (0.0, 10.0, 20.0, 60.0, 120.0):
        names.due(now)
        house.exchange.trunks.found(WANTED, FAILED, now)
    house.clock.move_to(125.0)
    assert names.due(125.0) == []
    alice = caller(house)
    alice.invite("01632960123")
    house.run(1)
    assert names.due(house.clock.now) == [WANTED]


def test_srv_targets_are_tried_in_their_order_when_one_is_dead() -> None:
    house = make_house(named())
    second = house.phone("second", SECOND)
    tell(house, one_by_one(FIRST, SECOND))
    alice = caller(house)
    alice.invite("01632960123")
    house.run(5)
    assert alice.statuses[-1] == 200
    assert second.requests_of("INVITE")
    alice.hang_up()
    house.run(40)
    assert [(row.trunk, row.sip_status) for row in house.journal.cdrs()[1:]] == [
        ("named", 408),
        ("named", 200),
    ]
    house.assert_clean()


def test_calls_are_spread_by_weight() -> None:
    house = make_house(named())
    tell(
        house,
        Located(
            ((Choice(30, (Endpoint("UDP", FIRST, 5060),)), Choice(10, (Endpoint("UDP", SECOND, 5060),))),),
            300.0,
        ),
    )
    trunks = house.exchange.trunks
    first = Counter(
        trunks.ways(("named",), Counter(), 0.0, is_emergency=False)[0][0][0].flow.remote_host
        for _ in range(2000)
    )
    assert 1400 < first[FIRST] < 1600


def test_a_new_answer_is_taken_by_the_next_call_and_keeps_the_health_of_the_old_addresses() -> None:
    house = make_house(named())
    tell(house, one_by_one(FIRST))
    breakers = house.exchange.trunks["named"].breakers
    kept = breakers[Endpoint("UDP", FIRST, 5060)]
    tell(house, one_by_one(SECOND, FIRST))
    breakers = house.exchange.trunks["named"].breakers
    assert breakers[Endpoint("UDP", FIRST, 5060)] is kept
    second = house.phone("second", SECOND)
    alice = caller(house)
    alice.invite("01632960123")
    house.run(1)
    assert second.requests_of("INVITE")
    tell(house, one_by_one(SECOND))
    assert list(house.exchange.trunks["named"].breakers) == [Endpoint("UDP", SECOND, 5060)]


def test_a_name_server_that_dies_changes_nothing_for_calls() -> None:
    house = make_house(named())
    carrier = house.phone("carrier", FIRST)
    tell(house, one_by_one(FIRST))
    alice = caller(house)
    for _ in range(5):
        house.exchange.trunks.names.due(house.clock.now + 10_000)
        tell(house, FAILED)
        alice.invite("01632960123")
        house.run(2)
        assert alice.statuses[-1] == 200
        alice.hang_up()
        house.run(1)
    assert len(carrier.requests_of("INVITE")) == 5


def test_an_emergency_call_uses_what_was_known_of_a_name_that_is_gone() -> None:
    house = make_house(named())
    carrier = house.phone("carrier", FIRST)
    tell(house, one_by_one(FIRST))
    tell(house, Located((), 60.0))
    alice = caller(house)
    alice.invite("01632960123")
    house.run(1)
    assert carrier.requests_of("INVITE") == []
    alice.invite("999")
    house.run(2)
    assert carrier.requests_of("INVITE")
    assert alice.statuses[-1] == 200


@pytest.mark.parametrize(("port", "is_carrier"), [(5060, True), (5061, False)])
def test_a_carrier_by_name_is_known_by_its_address_and_port(port: int, is_carrier: bool) -> None:
    house = make_house(named())
    tell(house, one_by_one(FIRST))
    alice = caller(house)
    carrier = Phone(house, "carrier", (FIRST, port), password="")
    carrier.invite("+441632960001", from_="<sip:+442079460999@carrier.example>")
    house.run(2)
    assert bool(alice.requests_of("INVITE")) is is_carrier
    assert (407 in carrier.statuses) is not is_carrier


def test_a_name_of_sources_stands_for_any_port_of_its_addresses() -> None:
    house = make_house(named(source_names=("out.carrier.example",)))
    wanted = Wanted("out.carrier.example", 5060, "UDP")
    assert wanted in house.exchange.trunks.names.due(0.0)
    tell(house, one_by_one(FIRST))
    tell(house, one_by_one("192.0.2.55"), wanted)
    alice = caller(house)
    Phone(house, "out", ("192.0.2.55", 40_000)).invite(
        "+441632960001", from_="<sip:+442079460999@carrier.example>"
    )
    house.run(2)
    assert alice.requests_of("INVITE")
    assert house.exchange.trunks["named"].ways()[0].flow.remote_host == FIRST, "calls to it do not go there"


def test_a_carrier_by_name_reaches_only_numbers_assigned_here() -> None:
    house = make_house()
    tell(house, one_by_one(FIRST))
    carrier = house.phone("carrier", FIRST)
    carrier.invite("+441632960999", from_="<sip:+442079460999@carrier.example>")
    house.run(1)
    assert carrier.statuses[-1] == 403


def test_an_address_that_left_the_name_is_a_stranger() -> None:
    house = make_house(named())
    tell(house, one_by_one(FIRST))
    tell(house, one_by_one(SECOND))
    carrier = Phone(house, "carrier", (FIRST, 5060), password="")
    carrier.invite("+441632960001")
    house.run(1)
    assert carrier.statuses[0] == 407


def test_what_the_configuration_says_literally_goes_before_what_a_name_server_says() -> None:
    """A name server cannot make one carrier's calls another's."""
    house = make_house()
    tell(house, one_by_one(SECOND))
    trunk = house.exchange.trunks.trunk_at(SECOND, 5060)
    assert trunk is not None and trunk.name == "other"


@pytest.mark.parametrize("host", ["0.0.0.0", "224.0.0.1", "255.255.255.255"])
def test_an_address_that_no_host_has_is_no_way(host: str) -> None:
    house = make_house(named())
    tell(house, one_by_one(host, FIRST))
    ways = house.exchange.trunks["named"].ways()
    assert [way.flow.remote_host for way in ways] == [FIRST]


def test_a_tls_peer_must_show_the_name_that_was_looked_up() -> None:
    """RFC 5922 4: the name of the configuration, whatever the DNS made of it."""
    house = make_house(named(transport=Transport.TLS))
    tell(house, one_by_one(FIRST, port=5061, transport="TLS"), Wanted(NAME, 0, "TLS"))
    assert house.network.expected_names[FIRST, 5061] == NAME


def test_a_transport_of_its_choice_is_asked_for() -> None:
    house = make_house(named(transport=Transport.AUTO))
    assert house.exchange.trunks.names.due(0.0) == [Wanted(NAME, 0, "")]
    assert house.network.reach == Reach()
