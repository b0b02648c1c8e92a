"""Which names and addresses are ours, and what we write into our own messages."""

import msgspec
import pytest

from switch.config import Address, Exchange
from switch.network import LocalNetwork, local_addresses
from switch.sip.flow import Flow
from tests.switch.house import make_conf


def network(*, host: str = "127.0.0.1", domains: tuple[str, ...] = (), advertised: str = "") -> LocalNetwork:
    conf = msgspec.structs.replace(
        make_conf(), exchange=Exchange(domains=domains, advertised_host=advertised)
    )
    return LocalNetwork(conf, udp=[(host, 5060)], tcp=[Address(host, 5060)])


def flow(transport: str = "UDP", local: str = "127.0.0.1") -> Flow:
    return Flow(transport, "127.0.0.1", 40000, local, 5060)


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("sip.example.com", True), ("SIP.EXAMPLE.COM", True), ("127.0.0.1", True), ("elsewhere.example", False)],
)
def test_domains_and_listeners_are_here(host: str, is_here: bool) -> None:
    assert network(domains=("sip.example.com",)).is_here(host) is is_here


def test_a_wildcard_listener_answers_for_every_address_of_the_machine() -> None:
    everywhere = network(host="0.0.0.0")
    assert all(everywhere.is_here(address) for address in local_addresses())
    assert not everywhere.is_here("192.0.2.77")
    assert everywhere.sent_by(flow(local="0.0.0.0")) == "127.0.0.1:5060"


def test_an_advertised_host_is_what_peers_are_told() -> None:
    behind_nat = network(advertised="pbx.example.com")
    assert behind_nat.sent_by(flow()) == "pbx.example.com:5060"
    assert behind_nat.contact_of(flow()) == "<sip:pbx.example.com:5060>"
    assert behind_nat.is_here("pbx.example.com")


def test_a_contact_names_its_stream() -> None:
    assert network().contact_of(flow("TCP")) == "<sip:127.0.0.1:5060;transport=tcp>"


def test_the_domain_is_the_first_configured_or_our_address() -> None:
    assert network(domains=("one.example", "two.example")).domain == "one.example"
    assert network().domain == "127.0.0.1"


def test_a_trunk_is_reached_from_the_listener_of_its_transport() -> None:
    assert network().flow_to("TCP", "192.0.2.50", 5070) == Flow("TCP", "192.0.2.50", 5070, "127.0.0.1", 5060)
