"""A source, as bans and budgets count it: an IPv4 address, or the /64 of an IPv6 one, with the /48 around it.

A subscriber's line usually has a whole /64, from which every request may come from another address; who has more is
given a /48 or a /56. So what one /64 does counts for its /48, too, where it takes more to matter.
"""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network

from switch.sip.grammar import parse_ipv6

IPV6_SOURCE_BITS = 64
IPV6_SITE_BITS = 48
# Nobody outside this machine can send from here: the kernel drops such packets.

Network = IPv4Network | IPv6Network


def source_of(host: str) -> str:
    """The source that a remote host counts as. A host that is no address stands for itself."""
    if ":" not in host:
        return host
    address = parse_ipv6(host.strip("[]"))
    if address is None:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return _network_text(address, IPV6_SOURCE_BITS)


def sources_of(host: str) -> tuple[str, ...]:
    """The source, and for IPv6 the site around it."""
    source = source_of(host)
    if not source.endswith("/64"):
        return (source,)
    address = parse_ipv6(host.strip("[]"))
    assert address is not None
    return (source, _network_text(address, IPV6_SITE_BITS))


def read_ban_address(text: str) -> str | None:
    """The source that an operator means by an address, or by a /64 or /48 as a list of bans shows it."""
    host, slash, bits = text.strip().partition("/")
    if slash and bits not in ("64", "48"):
        return None
    address = parse_network(host)
    if address is None or (slash and address.version == 4):
        return None
    if bits == "48":
        return sources_of(host)[-1]
    return source_of(host)


def parse_network(text: str) -> Network | None:
    """An address or a network without host bits; None for anything else."""
    try:
        return ip_network(text, strict=True) if text.isascii() else None
    except ValueError:
        return None


class Networks:
    """A few networks that an address may be in. Asked only of strangers, and only about what is rare."""

    __slots__ = ("_v4", "_v6")

    def __init__(self, networks: Iterable[Network]) -> None:
        self._v4: list[IPv4Network] = []
        self._v6: list[IPv6Network] = []
        for network in networks:
            if isinstance(network, IPv4Network):
                self._v4.append(network)
            else:
                self._v6.append(network)

    def __contains__(self, host: str) -> bool:
        if not self._v4 and not self._v6:
            return False
        address = parse_network(host.strip("[]"))
        if isinstance(address, IPv6Network):
            mapped = address.network_address.ipv4_mapped
            if mapped is None:
                return any(address.subnet_of(network) for network in self._v6)
            address = IPv4Network(mapped)
        return isinstance(address, IPv4Network) and any(address.subnet_of(network) for network in self._v4)


def _network_text(address: IPv6Address, bits: int) -> str:
    first = int(address) >> (128 - bits) << (128 - bits)
    return f"{IPv6Address(first)}/{bits}"
