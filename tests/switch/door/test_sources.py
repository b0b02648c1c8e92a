"""What counts as one source."""

import pytest

from switch.door.sources import Networks, parse_network, read_ban_address, source_of, sources_of
from switch.sip.host import is_loopback


@pytest.mark.parametrize(
    ("host", "sources"),
    [
        ("192.0.2.7", ("192.0.2.7",)),
        ("2001:db8:1:2:3:4:5:6", ("2001:db8:1:2::/64", "2001:db8:1::/48")),
        ("2001:db8:1:2::9", ("2001:db8:1:2::/64", "2001:db8:1::/48")),
        ("[2001:db8:1:2::9]", ("2001:db8:1:2::/64", "2001:db8:1::/48")),
        ("::ffff:192.0.2.7", ("192.0.2.7",)),
        ("no address", ("no address",)),
        ("no:address", ("no:address",)),
    ],
)
def test_a_source_is_an_ipv4_address_or_an_ipv6_64(host: str, sources: tuple[str, ...]) -> None:
    assert sources_of(host) == sources
    assert source_of(host) == sources[0]


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::/64", "2001:db8::/64"),
        ("2001:db8::/48", "2001:db8::/48"),
        ("192.0.2.0/24", None),
        ("192.0.2.0/64", None),
        ("2001:db8::/32", None),
        ("192.0.2", None),
        ("1\u0669\u0662.0.2.7", None),
        ("", None),
        ("\x1b[31m", None),
    ],
)
def test_what_an_operator_may_name(text: str, source: str | None) -> None:
    assert read_ban_address(text) == source


def test_an_address_is_in_a_network_of_its_own_kind() -> None:
    networks = Networks([parse_network("203.0.113.0/28"), parse_network("2001:db8::/32")])
    assert "203.0.113.15" in networks
    assert "::ffff:203.0.113.15" in networks
    assert "203.0.113.16" not in networks
    assert "2001:db8:ffff::1" in networks
    assert "2001:db9::1" not in networks
    assert "nonsense" not in networks
    assert "203.0.113.1" not in Networks([])


@pytest.mark.parametrize(
    "text", ["203.0.113.1/28", "1_0.0.0.0/8", "10.0.0.0/+8", " 10.0.0.0", "\u0661.0.0.0", "x", ""]
)
def test_what_is_no_network_is_none(text: str) -> None:
    assert parse_network(text) is None


def test_nobody_outside_sends_from_the_loopback_address() -> None:
    assert is_loopback("127.0.0.1") and is_loopback("127.3.2.1") and is_loopback("::1")
    assert not is_loopback("128.0.0.1") and not is_loopback("::2")
