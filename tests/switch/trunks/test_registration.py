"""Registering with carriers: challenges, renewal, back-off, refusals, failover, drain, and calls to our Contact."""

from itertools import pairwise

import msgspec
import pytest

from switch.conf_addresses import TrunkAddress
from switch.conf_trunks import Trunk
from switch.conf_values import Secret, Transport
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.sip.stack import ClientTransaction
from switch.trunks.registration import (
    BACKOFF_MAX_S,
    REFUSED_WAIT_S,
    Registration,
    RegistrationState,
)
from tests.clock import HandClock
from tests.link import Link
from tests.switch.house import EXCHANGE, OFFER, House, Phone, make_conf, make_line
from tests.switch.trunks.registrar import Registrar

FIRST, SECOND = "192.0.2.50", "192.0.2.51"


def make_trunk(*hosts: str, **settings: object) -> Trunk:
    return Trunk(
        name="carrier",
        addresses=tuple(TrunkAddress(host, 5060) for host in hosts or (FIRST,)),
        register=True,
        username="offhook42",
        password=Secret("secret"),
        **settings,
    )


def make_house(*trunks: Trunk, link: Link | None = None) -> House:
    return House(
        conf=make_conf(trunks=list(trunks) or [make_trunk()]),
        lines=[make_line("alice")],
        numbers={"+441632960001": "alice"},
        link=link,
    )


def registration_of(house: House, name: str = "carrier") -> Registration:
    registration = house.exchange.trunks[name].registration
    assert registration is not None
    return registration


def test_it_registers_at_the_start_and_answers_the_challenge() -> None:
    house = make_house()
    carrier = Registrar(house, FIRST)
    house.run(1)
    first, second = carrier.registers
    assert first.uri == f"sip:{FIRST}"
    assert first.to.uri == f"sip:offhook42@{FIRST}"
    assert "authorization" not in first.headers
    assert "authorization" in second.headers
    assert (first.call_id, first.from_tag) == (second.call_id, second.from_tag)
    assert second.cseq.number > first.cseq.number
    assert first.headers.get("expires") == "600"
    contact = first.contacts[0]
    assert contact.uri == f"sip:{carrier.contact_user}@{EXCHANGE[0]}:{EXCHANGE[1]}"
    assert len(carrier.contact_user) >= 16, "nobody shall guess it"
    registration = registration_of(house)
    assert registration.state is RegistrationState.REGISTERED
    assert registration.is_registered(house.clock.now)


@pytest.mark.parametrize("granted_s", [60, 600, 120])
def test_it_renews_well_before_its_time_is_up(granted_s: int) -> None:
    house = make_house()
    carrier = Registrar(house, FIRST, granted_s=granted_s)
    carrier.challenges = False
    house.run(10 * granted_s)
    gaps = [after - before for before, after in pairwise(carrier.asked_at)]
    assert len(gaps) >= 10
    assert all(0.6 * granted_s <= gap <= 0.8 * granted_s + 0.1 for gap in gaps)
    assert len({round(gap) for gap in gaps}) > 3, "carriers with a thousand of us want them spread"


@pytest.mark.parametrize(
    ("fields", "expires_s"),
    [
        ([("expires", "60")], 60),
        ([("contact", "<sip:somebody@192.0.2.99>;expires=7"), ("expires", "60")], 60),
        ([], 600),
        ([("expires", "4294967295")], 600),
        ([("expires", "1_0")], 600),
        ([("expires", "\u0666\u0660")], 600),
    ],
)
def test_what_is_granted_is_read_with_care(fields: list[tuple[str, str]], expires_s: int) -> None:
    house = make_house()
    carrier = Registrar(house, FIRST)
    carrier.answers = [(200, fields)]
    house.run(0.5)
    assert registration_of(house).granted_s == expires_s


def test_too_short_an_expiry_is_asked_for_again_as_the_registrar_wants_it() -> None:
    house = make_house(make_trunk(register_expires_s=60))
    carrier = Registrar(house, FIRST)
    carrier.answers = [(423, [("min-expires", "900")])]
    house.run(1)
    assert [request.headers.get("expires") for request in carrier.registers] == ["60", "900", "900"]
    assert registration_of(house).granted_s == 900


@pytest.mark.parametrize("least", ["0", "60", "x", "99999999999", "604801"])
def test_a_423_that_asks_for_nonsense_is_a_failure_and_no_loop(least: str) -> None:
    house = make_house(make_trunk(register_expires_s=60))
    carrier = Registrar(house, FIRST)
    carrier.answers = [(423, [("min-expires", least)])] * 50
    house.run(10)
    assert len(carrier.registers) == 1
    assert registration_of(house).state is RegistrationState.WAITING


def test_a_registrar_that_is_never_pleased_is_asked_thrice() -> None:
    house = make_house(make_trunk(register_expires_s=60))
    carrier = Registrar(house, FIRST)
    carrier.answers = [(423, [("min-expires", str(100 * n))]) for n in range(1, 50)]
    house.run(10)
    assert [request.headers.get("expires") for request in carrier.registers] == ["60", "100", "200"]


@pytest.mark.parametrize("status", [403, 404, 405])
def test_a_no_is_not_asked_again_for_an_hour(status: int) -> None:
    house = make_house(make_trunk(FIRST, SECOND))
    carrier, other = Registrar(house, FIRST), Registrar(house, SECOND)
    carrier.refusal = status
    house.run(REFUSED_WAIT_S - 10)
    assert len(carrier.registers) == 2, "without credentials and with them"
    assert other.registers == []
    registration = registration_of(house)
    assert registration.state is RegistrationState.REFUSED
    assert registration.last_error.startswith(str(status))
    carrier.refusal = 0
    house.run(REFUSED_WAIT_S / 4 + 20)
    assert registration.state is RegistrationState.REGISTERED


def test_a_wrong_password_is_tried_once() -> None:
    house = make_house()
    carrier = Registrar(house, FIRST, password="another")
    house.run(1800)
    assert len(carrier.registers) == 2
    assert registration_of(house).state is RegistrationState.REFUSED


def test_another_password_in_the_configuration_is_tried_at_once() -> None:
    house = make_house()
    carrier = Registrar(house, FIRST, password="another")
    house.run(10)
    house.exchange.take_over(
        make_conf(trunks=[msgspec.structs.replace(make_trunk(), password=Secret("another"))]), house.clock.now
    )
    house.run(1)
    assert registration_of(house).state is RegistrationState.REGISTERED
    assert len(carrier.registers) == 4


def test_failures_back_off_ever_longer_and_recover() -> None:
    house = make_house()
    carrier = Registrar(house, FIRST)
    carrier.answers = [(500, [])] * 12
    house.run(6 * BACKOFF_MAX_S)
    gaps = [after - before for before, after in pairwise(carrier.asked_at[:12])]
    for round_, gap in enumerate(gaps):
        longest = min(BACKOFF_MAX_S, 30 * 2**round_)
        assert 0.5 * longest <= gap <= longest + 0.1
    assert registration_of(house).state is RegistrationState.REGISTERED
    assert registration_of(house).last_error == ""


def test_retry_after_is_obeyed() -> None:
    house = make_house()
    carrier = Registrar(house, FIRST)
    carrier.answers = [(503, [("retry-after", "500 (maintenance);duration=60")])]
    house.run(499)
    assert len(carrier.registers) == 1
    house.run(3)
    assert len(carrier.registers) == 3


def test_a_registrar_that_is_silent_is_followed_by_the_next_address() -> None:
    house = make_house(make_trunk(FIRST, SECOND))
    second = Registrar(house, SECOND)
    house.run(40)
    registration = registration_of(house)
    assert str(registration.endpoint) == f"udp:{SECOND}:5060"
    assert registration.state is RegistrationState.REGISTERED
    assert len(second.registers) == 2


def test_registrars_of_their_own_are_tried_in_their_order() -> None:
    trunk = make_trunk("192.0.2.60", registrars=(TrunkAddress(FIRST, 5060), TrunkAddress(SECOND, 5060)))
    house = make_house(trunk)
    first, second = Registrar(house, FIRST), Registrar(house, SECOND)
    first.answers = [(480, [])]
    house.run(1)
    assert (len(first.registers), len(second.registers)) == (1, 2)
    assert second.registers[0].uri == f"sip:{FIRST}", "the domain is the first one's"


def test_a_renewal_that_fails_leaves_the_registration_until_its_time_is_up() -> None:
    house = make_house()
    carrier = Registrar(house, FIRST, granted_s=100)
    house.run(1)
    house.link.detach(carrier.address)
    registration = registration_of(house)
    house.run(98)
    assert len(house.link.sent) > 4, "it tries"
    assert registration.is_registered(house.clock.now)
    assert registration.state is RegistrationState.REGISTERED
    house.run(2)
    assert not registration.is_registered(house.clock.now)
    assert registration.state is not RegistrationState.REGISTERED
    house.run(20)
    assert registration.last_error == f"udp:{FIRST}:5060: no answer"


def test_it_unregisters_when_the_exchange_closes_down() -> None:
    house = make_house()
    carrier = Registrar(house, FIRST)
    house.run(1)
    user = carrier.contact_user
    house.exchange.drain(house.clock.now)
    assert house.exchange.trunks.is_leaving
    house.run(1)
    assert not house.exchange.trunks.is_leaving
    last = carrier.registers[-1]
    assert (last.headers.get("expires"), carrier.contact_user) == ("0", user)
    assert "authorization" in last.headers
    count = len(carrier.registers)
    house.run(2000)
    assert len(carrier.registers) == count


def test_a_registrar_that_is_silent_does_not_hold_up_the_end() -> None:
    house = make_house()
    carrier = Registrar(house, FIRST)
    house.run(1)
    house.link.detach(carrier.address)
    house.exchange.drain(house.clock.now)
    house.run(33)
    assert not house.exchange.trunks.is_leaving


def test_a_trunk_that_leaves_the_configuration_is_unregistered() -> None:
    house = make_house()
    carrier = Registrar(house, FIRST)
    house.run(1)
    house.exchange.take_over(make_conf(), house.clock.now)
    house.run(1)
    assert carrier.registers[-1].headers.get("expires") == "0"


def test_a_change_that_does_not_concern_it_leaves_the_registration_alone() -> None:
    house = make_house()
    carrier = Registrar(house, FIRST)
    house.run(1)
    user = carrier.contact_user
    house.exchange.take_over(make_conf(trunks=[make_trunk(calls_max=3)]), house.clock.now)
    house.run(5)
    assert len(carrier.registers) == 2
    assert registration_of(house).token == user
    assert house.exchange.trunks["carrier"].trunk.calls_max == 3


def test_registrations_of_two_processes_have_nothing_in_common() -> None:
    users = set()
    for seed in (1, 2):
        house = House(conf=make_conf(trunks=[make_trunk()]), seed=seed)
        carrier = Registrar(house, FIRST)
        house.run(1)
        users.add(carrier.contact_user)
    assert len(users) == 2


def test_it_registers_over_a_bad_link() -> None:
    clock = HandClock()
    link = Link(clock, seed=5, loss=0.3, duplication=0.2, reorder=0.3)
    house = make_house(link=link)
    carrier = Registrar(house, FIRST, granted_s=120)
    up = 0
    for _ in range(1800):
        house.run(1)
        up += registration_of(house).is_registered(house.clock.now)
    assert up > 1700
    assert house.exchange.counts.bugs == 0
    numbers = [request.cseq.number for request in carrier.registers]
    assert len(set(numbers)) == len(numbers), "no copy counts twice"


def test_a_lost_connection_is_a_registration_to_be_made_again() -> None:
    """Over TCP the carrier calls us by the connection of the REGISTER; without it no call would come."""
    house = make_house(make_trunk(transport=Transport.TCP))
    carrier = Registrar(house, FIRST)
    house.run(10)
    assert registration_of(house).state is RegistrationState.REGISTERED
    count = len(carrier.registers)
    house.exchange.on_flow_lost(Flow("TCP", FIRST, 5060, *EXCHANGE, "7"), house.clock.now)
    assert not registration_of(house).is_registered(house.clock.now)
    house.run(3)
    assert len(carrier.registers) > count
    assert registration_of(house).state is RegistrationState.REGISTERED
    house.exchange.on_flow_lost(Flow("TCP", SECOND, 5060, *EXCHANGE, "8"), house.clock.now)
    assert registration_of(house).is_registered(house.clock.now), "somebody else's connection"


# Calls


def test_a_call_to_our_contact_is_the_carriers_and_for_the_number_in_its_to() -> None:
    """A carrier that sends calls to what we registered, from another port than its own."""
    house = make_house()
    carrier = Registrar(house, FIRST)
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    border = house.phone("border", FIRST)
    border.address = (FIRST, 40_000)
    house.link.attach(border.stack, border.timers, border.address)
    border.flow = border.flow._replace(local_port=40_000)
    uri = f"sip:{carrier.contact_user}@{EXCHANGE[0]}"
    _invite_to(border, uri, "<sip:+441632960001@carrier.example>")
    house.run(2)
    assert border.statuses[-1] == 200
    assert alice.requests_of("INVITE")
    border.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.trunk, row.ddi) == ("carrier", "+441632960001")


def test_a_stranger_who_knows_our_contact_is_a_stranger() -> None:
    house = make_house()
    carrier = Registrar(house, FIRST)
    house.run(1)
    stranger = house.phone("stranger", "192.0.2.99", password="")
    _invite_to(stranger, f"sip:{carrier.contact_user}@{EXCHANGE[0]}", "<sip:+441632960001@carrier.example>")
    house.run(1)
    assert stranger.statuses[0] == 407


def _invite_to(phone: Phone, uri: str, to: str) -> ClientTransaction:
    headers = phone._headers("INVITE", to, from_="<sip:+442079460999@carrier.example>")
    headers.add("contact", f"<{phone.contact}>")
    headers.add("content-type", "application/sdp")
    return phone._send_invite(Request("INVITE", uri, headers, OFFER), phone.house.clock.now)


def test_a_trunk_that_needs_its_registration_is_passed_over_without() -> None:
    second = Trunk(name="second", addresses=(TrunkAddress(SECOND, 5060),))
    house = make_house(make_trunk(needs_registration=True), second)
    carrier, other = Registrar(house, FIRST), house.phone("second", SECOND)
    carrier.refusal = 403
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    alice.invite("01632960123")
    house.run(3)
    assert carrier.requests_of("INVITE") == []
    assert other.requests_of("INVITE")
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[1]
    assert (row.trunk, row.leg_reason) == ("second", "trunk second: carrier is not registered")
    carrier.refusal = 0
    house.run(REFUSED_WAIT_S * 1.3)
    alice.invite("01632960123")
    house.run(3)
    assert carrier.requests_of("INVITE")


def test_an_emergency_call_tries_a_trunk_that_is_not_registered() -> None:
    house = make_house(make_trunk(needs_registration=True))
    carrier = Registrar(house, FIRST)
    carrier.refusal = 403
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    alice.invite("999")
    house.run(3)
    assert carrier.requests_of("INVITE")
    assert alice.statuses[-1] == 200


def test_the_service_route_is_taken_by_calls() -> None:
    house = make_house()
    carrier, edge = Registrar(house, FIRST), house.phone("edge", "192.0.2.77")
    carrier.fields_of_200 = [("service-route", "<sip:192.0.2.77;lr>, <sip:home.carrier.example;lr>")]
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    alice.invite("01632960123")
    house.run(3)
    assert carrier.requests_of("INVITE") == []
    (invite,) = edge.requests_of("INVITE")
    assert invite.headers.values("route") == ["<sip:192.0.2.77;lr>", "<sip:home.carrier.example;lr>"]
    assert invite.uri == f"sip:+441632960123@{FIRST}:5060"
    assert alice.statuses[-1] == 200


@pytest.mark.parametrize(
    "route", ["<sip:192.0.2.77>", "nonsense", "<tel:+441632960123>", ",".join(["<sip:192.0.2.77;lr>"] * 9)]
)
def test_a_service_route_that_cannot_be_used_is_none(route: str) -> None:
    house = make_house()
    carrier = Registrar(house, FIRST)
    carrier.fields_of_200 = [("service-route", route)]
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    alice.invite("01632960123")
    house.run(3)
    (invite,) = carrier.requests_of("INVITE")
    assert "route" not in invite.headers


def test_calls_go_first_where_we_are_registered() -> None:
    house = make_house(make_trunk(FIRST, SECOND))
    second = Registrar(house, SECOND)
    house.run(40)
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    alice.invite("01632960123")
    house.run(3)
    assert second.requests_of("INVITE")
    assert alice.statuses[-1] == 200
