"""Which addresses from elsewhere (a Contact, a DNS answer) a message of ours may be sent to.

A carrier behind a NAT writes an address of its own network into Contact (RFC 3261 has nothing against it), and a name
server can be made to say anything. What cannot be an address of that peer is not followed.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

_ANSWERS_KEPT: Final = 4096  # carriers have few addresses; this is a bound, not a size
# Reachable from within somebody's network only: RFC 1918, 6598, 3927, 4193, 4291 and loopback.
_LOCAL: Final = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
        "fc00::/7", "fe80::/10", "::1/128",
    )
)  # fmt: skip


@lru_cache(_ANSWERS_KEPT)
def is_address(host: str) -> bool:
    """Whether this is an IP address, and not a name."""
    return _parse(host) is not None


@lru_cache(_ANSWERS_KEPT)
def is_unicast(host: str) -> bool:
    """Whether one host can have this address: not 0.0.0.0, multicast, broadcast or reserved."""
    address = _parse(host)
    if address is None:
        return False
    return not (
        address.is_unspecified or address.is_multicast or address.is_reserved or host == "255.255.255.255"
    )


@lru_cache(_ANSWERS_KEPT)
def is_local(host: str) -> bool:
    """Whether it means something only within a network (or a machine) of its own."""
    address = _parse(host)
    return address is not None and any(address.version == net.version and address in net for net in _LOCAL)


def may_be_peers(host: str, known: str) -> bool:
    """Whether the peer that we know at `known` can be at `host`, too. Loopback is each machine's own."""
    return is_unicast(host) and (not is_local(host) or is_local(known))


def _parse(host: str) -> IPv4Address | IPv6Address | None:
    if "%" in host:  # a zone id means nothing beyond the sender's own machine
        return None
    try:
        return ip_address(host)
    except ValueError:
        return None
