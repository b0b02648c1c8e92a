"""Which trunk a message comes from, by its source address. Pure; asked for every new request.

A trunk's own addresses match with their port, so that a phone behind the same address is not taken for a
carrier. Source rules add networks, with any port, or single addresses with one. The narrowest match
wins: address and port, then the longest network. IPv4 and IPv6 never meet in one table.
"""

from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from switch.sip.grammar import parse_ipv6
from switch.sip.host import host_port

IPV4_BITS: Final = 32
IPV6_BITS: Final = 128


class Source(NamedTuple):
    """A network as integers (host bits are 0) and a port, or None for any port."""

    network: int
    prefix_bits: int
    port: int | None
    is_ipv6: bool = False

    def __str__(self) -> str:
        if self.is_ipv6:
            host, whole = IPv6Address(self.network).compressed, IPV6_BITS
        else:
            host, whole = ".".join(str(self.network >> shift & 255) for shift in (24, 16, 8, 0)), IPV4_BITS
        if self.port is not None:
            return host_port(host, self.port)
        return host if self.prefix_bits == whole else f"{host}/{self.prefix_bits}"


class _Family:
    """The sources of IPv4 or of IPv6."""

    __slots__ = ("_bits", "_by_port", "_networks", "is_empty")

    def __init__(self, sources: Iterable[tuple[Source, str]], bits: int) -> None:
        self._bits = bits
        self._by_port: dict[tuple[int, int], str] = {}
        networks: dict[int, dict[int, str]] = {}
        for source, trunk in sources:
            if source.port is not None:
                self._by_port[source.network, source.port] = trunk
            else:
                networks.setdefault(source.prefix_bits, {})[source.network] = trunk
        self._networks = sorted(networks.items(), reverse=True)
        self.is_empty = not (self._by_port or networks)

    def find(self, address: int, port: int) -> str | None:
        trunk = self._by_port.get((address, port))
        if trunk is not None:
            return trunk
        for prefix_bits, of_network in self._networks:
            trunk = of_network.get(masked(address, prefix_bits, self._bits))
            if trunk is not None:
                return trunk
        return None


class TrunkSources:
    """Immutable once built. `find` costs one dictionary look-up per length of network in use."""

    __slots__ = ("_ipv4", "_ipv6")

    def __init__(self, sources: Iterable[tuple[Source, str]]) -> None:
        known = list(sources)
        self._ipv4 = _Family([entry for entry in known if not entry[0].is_ipv6], IPV4_BITS)
        self._ipv6 = _Family([entry for entry in known if entry[0].is_ipv6], IPV6_BITS)

    def find(self, host: str, port: int) -> str | None:
        """The trunk's name, or None for everybody else. `host` is a bare address."""
        if ":" in host:
            address = None if self._ipv6.is_empty else ipv6_bits(host)
            return None if address is None else self._ipv6.find(address, port)
        address = ipv4_bits(host)
        return None if address is None else self._ipv4.find(address, port)


def ipv4_bits(host: str) -> int | None:
    """The address as 32 bits; None for anything but four decimal parts."""
    parts = host.split(".", 4)
    if len(parts) != 4:
        return None
    bits = 0
    for part in parts:
        if not (part.isascii() and part.isdigit() and len(part) <= 3):
            return None
        # Leading zeros are octal to some and decimal to others, so they are nobody's (RFC 6943 3.1.1).
        if (part[0] == "0" and len(part) > 1) or int(part) > 255:
            return None
        bits = bits << 8 | int(part)
    return bits


def ipv6_bits(host: str) -> int | None:
    """The address as 128 bits; None for anything else, and for one with a scope id."""
    address = parse_ipv6(host)
    return None if address is None else int(address)


def masked(bits: int, prefix_bits: int, whole: int = IPV4_BITS) -> int:
    """The network that an address belongs to."""
    host_bits = whole - prefix_bits
    return bits >> host_bits << host_bits
