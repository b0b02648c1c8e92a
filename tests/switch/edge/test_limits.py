"""What counts as one source, and how many names are remembered."""

from pathlib import Path

import pytest

from switch.edge.edge import source_of
from switch.edge.limits import EXPECTED_NAMES_MAX
from switch.sip.flow import TLS
from switch.transport.edge_link import EdgeLink


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::1", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("::1", "::"),
    ],
)
def test_a_source_is_an_ipv4_address_or_a_customers_ipv6_network(host: str, source: str) -> None:
    assert source_of(host) == source


def test_the_name_said_first_makes_room() -> None:
    link = EdgeLink(
        Path("edge.sock"),
        received=lambda data, flow: None,
        closed=lambda flow: None,
        failed=lambda flow: None,
    )
    for port in range(1, EXPECTED_NAMES_MAX + 2):
        link.expect_name(TLS, "192.0.2.1", port, "carrier.example")
    assert len(link._names) == EXPECTED_NAMES_MAX
    assert (TLS, "192.0.2.1", 1) not in link._names
    link.expect_name(TLS, "192.0.2.1", 2, "")
    assert (TLS, "192.0.2.1", 2) not in link._names
