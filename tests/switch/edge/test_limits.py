"""How many names are remembered."""

from pathlib import Path

from switch.edge.limits import EXPECTED_NAMES_MAX
from switch.sip.flow import TLS
from switch.transport.edge_link import EdgeLink


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
