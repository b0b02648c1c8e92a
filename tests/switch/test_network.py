"""Which names and addresses are ours, and what we write into our own messages."""

import msgspec
import pytest

from switch.config import Address, Exchange, Listen
from switch.network import LocalNetwork, local_addresses, local_ipv6_addresses
from switch.sip.flow import Flow
from tests.switch.house import make_conf


def network(*, host: str = "127.0.0.1", domains: tuple[str, ...] = (), advertised: str = "") -> LocalNetwork:
    conf = msgspec.structs.replace(
        make_conf(),
        exchange=Exchange(domains=domains, advertised_host=advertised),
        listen=Listen(tcp=(Address(host, 5060),)),
    )
    return LocalNetwork(conf, udp=[(host, 5060)])


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


@pytest.mark.parametrize("written", ["[2001:db8::1]", "[2001:DB8:0:0::1]"])
def test_an_ipv6_listener_is_here_in_every_spelling(written: str) -> None:
    assert network(host="2001:db8::1").is_here(written)
    assert not network(host="2001:db8::1").is_here("[2001:db8::2]")


def test_our_ipv6_address_stands_in_brackets() -> None:
    net = network(host="::1")
    local = Flow("TCP", "2001:db8::9", 40000, "::1", 5060, "x-1")
    assert net.sent_by(local) == "[::1]:5060"
    assert net.contact_of(local) == "<sip:[::1]:5060;transport=tcp>"
    assert net.domain == "[::1]"


def test_an_ipv6_wildcard_answers_with_the_address_towards_the_peer() -> None:
    everywhere = network(host="::")
    assert everywhere.sent_by(Flow("UDP", "::1", 40000, "::", 5060)) == "[::1]:5060"
    assert everywhere.is_here("[::1]")
    assert all(everywhere.is_here(f"[{address}]") for address in local_ipv6_addresses())
    assert not any(address.startswith("fe80") for address in local_ipv6_addresses())


@pytest.mark.parametrize(
    ("advertised", "local", "told"),
    [
        ("203.0.113.1", "192.0.2.1", "203.0.113.1:5060"),
        ("203.0.113.1", "2001:db8::1", "[2001:db8::1]:5060"),
        ("2001:db8::5", "2001:db8::1", "[2001:db8::5]:5060"),
        ("2001:db8::5", "192.0.2.1", "192.0.2.1:5060"),
        ("pbx.example.com", "2001:db8::1", "pbx.example.com:5060"),
    ],
)
def test_an_advertised_address_is_told_to_peers_of_its_family(advertised: str, local: str, told: str) -> None:
    remote = "2001:db8::9" if ":" in local else "192.0.2.9"
    assert network(advertised=advertised).sent_by(Flow("UDP", remote, 5060, local, 5060)) == told


@pytest.mark.parametrize(
    ("transport", "parameter"),
    [("TLS", ";transport=tls"), ("WS", ";transport=ws"), ("WSS", ";transport=ws"), ("UDP", "")],
)
def test_a_contact_says_the_transport(transport: str, parameter: str) -> None:
    assert network().contact_of(flow(transport)) == f"<sip:127.0.0.1:5060{parameter}>"


def two_families() -> LocalNetwork:
    both = (Address("192.0.2.1", 5060), Address("2001:db8::1", 5062))
    conf = msgspec.structs.replace(make_conf(), listen=Listen(tcp=both, tls=(Address("::", 5061),)))
    return LocalNetwork(conf, udp=[("192.0.2.1", 5060), ("2001:db8::1", 5062)])


@pytest.mark.parametrize(
    ("transport", "host", "local"),
    [
        ("UDP", "192.0.2.9", ("192.0.2.1", 5060)),
        ("UDP", "2001:db8::9", ("2001:db8::1", 5062)),
        ("TCP", "2001:db8::9", ("2001:db8::1", 5062)),
        ("TLS", "2001:db8::9", ("::", 5061)),
        ("TLS", "192.0.2.9", ("0.0.0.0", 0)),
    ],
)
def test_a_peer_is_reached_from_a_listener_of_its_transport_and_family(
    transport: str, host: str, local: tuple[str, int]
) -> None:
    assert two_families().flow_to(transport, host, 5060) == Flow(transport, host, 5060, *local)


def test_without_a_listener_the_contact_has_no_port_that_nobody_answers() -> None:
    contact = two_families().contact_of(Flow("TLS", "127.0.0.1", 5061, "0.0.0.0", 0))
    assert contact == "<sip:127.0.0.1;transport=tls>"
