"""The next hop of a request within a dialog, as a table; and which addresses of a peer are believed."""

import pytest

from switch.sip.flow import Flow
from switch.trunks.addresses import is_unicast, may_be_peers
from switch.trunks.locate import Endpoint, Wanted
from switch.trunks.next_hop import NextHop, is_same_way, next_hop

UDP_BASE = Flow("UDP", "203.0.113.7", 5060, "192.0.2.1", 5060)
TCP_BASE = Flow("TCP", "203.0.113.7", 40_000, "192.0.2.1", 5060, "7")


@pytest.mark.parametrize(
    ("routes", "target", "expected"),
    [
        ([], "sip:a@203.0.113.8:5070", NextHop("203.0.113.8", 5070, "")),
        ([], "sip:203.0.113.8;transport=TCP", NextHop("203.0.113.8", 0, "TCP")),
        ([], "sips:203.0.113.8", NextHop("203.0.113.8", 0, "TLS")),
        ([], "sip:a@[2001:db8::7]:5060", NextHop("2001:db8::7", 5060, "")),
        ([], "sip:a@Edge.Carrier.Example.", NextHop("edge.carrier.example", 0, "")),
        # the first Route goes before the target, loose router or strict
        (
            ["<sip:203.0.113.9;lr>", "<sip:203.0.113.10;lr>"],
            "sip:a@203.0.113.8",
            NextHop("203.0.113.9", 0, ""),
        ),
        (["<sip:203.0.113.9>"], "sip:a@203.0.113.8", NextHop("203.0.113.9", 0, "")),
        (
            ['"Edge" <sip:edge.example:5061;transport=tls;lr>;x=y'],
            "sip:a@b",
            NextHop("edge.example", 5061, "TLS"),
        ),
        # nothing that can be sent to; maddr is no way to send us elsewhere
        ([], "tel:+441632960123", None),
        ([], "urn:service:sos", None),
        ([], "sip:a@203.0.113.8;transport=sctp", None),
        ([], "sip:a@203.0.113.8:0", None),
        ([], "nonsense", None),
        (["nonsense"], "sip:a@203.0.113.8", None),
        ([], "sip:a@203.0.113.8;maddr=203.0.113.99", NextHop("203.0.113.8", 0, "")),
    ],
)
def test_the_first_route_or_else_the_target_is_the_next_hop(
    routes: list[str], target: str, expected: NextHop | None
) -> None:
    assert next_hop(routes, target) == expected


@pytest.mark.parametrize(
    ("hop", "base", "endpoint"),
    [
        (NextHop("203.0.113.8", 0, ""), UDP_BASE, Endpoint("UDP", "203.0.113.8", 5060)),
        (NextHop("203.0.113.8", 0, ""), TCP_BASE, Endpoint("TCP", "203.0.113.8", 5060)),
        (NextHop("203.0.113.8", 0, "TLS"), UDP_BASE, Endpoint("TLS", "203.0.113.8", 5061)),
        (NextHop("203.0.113.8", 5070, "TCP"), UDP_BASE, Endpoint("TCP", "203.0.113.8", 5070)),
    ],
)
def test_what_the_uri_leaves_out_is_as_before(hop: NextHop, base: Flow, endpoint: Endpoint) -> None:
    assert hop.endpoint(base) == endpoint


def test_a_name_is_looked_up_for_the_transport_of_the_dialog() -> None:
    assert NextHop("edge.example", 0, "").wanted(TCP_BASE) == Wanted("edge.example", 0, "TCP")
    assert NextHop("edge.example", 5070, "UDP").wanted(TCP_BASE) == Wanted("edge.example", 5070, "UDP")


def test_a_connection_to_the_host_is_used_again() -> None:
    assert is_same_way(Endpoint("TCP", "203.0.113.7", 5060), TCP_BASE)
    assert not is_same_way(Endpoint("TCP", "203.0.113.7", 5062), TCP_BASE._replace(connection=""))
    assert not is_same_way(Endpoint("UDP", "203.0.113.7", 5062), UDP_BASE)
    assert is_same_way(Endpoint("UDP", "203.0.113.7", 5060), UDP_BASE)
    assert not is_same_way(Endpoint("UDP", "203.0.113.7", 5060), TCP_BASE)


@pytest.mark.parametrize(
    ("host", "known", "believed"),
    [
        ("203.0.113.8", "203.0.113.7", True),
        ("10.0.0.1", "203.0.113.7", False),  # its own network, behind its NAT
        ("172.31.0.1", "203.0.113.7", False),
        ("100.64.0.1", "203.0.113.7", False),
        ("127.0.0.1", "203.0.113.7", False),
        ("169.254.1.1", "203.0.113.7", False),
        ("fd00::1", "2001:db8::7", False),
        ("10.0.0.1", "10.9.9.9", True),  # a carrier within the operator's network
        ("203.0.113.8", "10.9.9.9", True),
        ("0.0.0.0", "10.9.9.9", False),
        ("224.0.0.1", "203.0.113.7", False),
        ("255.255.255.255", "203.0.113.7", False),
        ("240.0.0.1", "203.0.113.7", False),
        ("edge.example", "203.0.113.7", False),
    ],
)
def test_an_address_that_cannot_be_the_peers_is_not_believed(host: str, known: str, believed: bool) -> None:
    assert may_be_peers(host, known) is believed


@pytest.mark.parametrize("host", ["", "1.2.3", "1.2.3.04", "fe80::1%eth0", "x", "::"])
def test_what_is_no_address_of_one_host(host: str) -> None:
    assert not is_unicast(host)
