"""To whom nothing is ever sent."""

import pytest

from media.latch import socket_address
from media.relay.addresses import Reach


def reach(*listen: str) -> Reach:
    return Reach(
        listen, 20_000, 29_999, is_local=lambda host: host in ("192.0.2.1", "127.0.0.1", "2001:db8::1")
    )


@pytest.mark.parametrize(
    ("listen", "host", "problem"),
    [
        ("192.0.2.1", "127.0.0.1", "loopback"),
        ("192.0.2.1", "::1", "loopback"),
        ("127.0.0.1", "127.0.0.9", ""),
        ("0.0.0.0", "127.0.0.1", ""),
        ("::1", "::1", ""),
        ("192.0.2.1", "198.51.100.1", ""),
        ("192.0.2.1", "10.0.0.1", ""),
        ("192.0.2.1", "2001:db8::5", ""),
        ("192.0.2.1", "2001:DB8::5", "not the address's usual spelling"),
        ("192.0.2.1", "fe80::1%eth0", "link-local"),
        ("192.0.2.1", "2002:7f00:1::", "an IPv4 address inside IPv6"),
    ],
)
def test_hosts(listen: str, host: str, problem: str) -> None:
    assert reach(listen).host_problem(host) == problem


@pytest.mark.parametrize(
    ("host", "port", "problem"),
    [
        ("198.51.100.1", 0, "port 0"),
        ("198.51.100.1", 65_536, "port 0"),
        ("198.51.100.1", 20_000, ""),
        ("192.0.2.1", 20_000, "own port"),
        ("192.0.2.1", 29_999, "own port"),
        ("192.0.2.1", 19_999, ""),
        ("2001:db8::1", 25_000, "own port"),
    ],
)
def test_ports(host: str, port: int, problem: str) -> None:
    assert reach("192.0.2.1").problem(socket_address(host, port)) == problem
