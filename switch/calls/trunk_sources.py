"""Which trunk a message comes from, by its source address. Pure; asked for every new request.

A trunk's own addresses match with their port, so that a phone behind the same address is not taken for a
carrier. Source rules add networks, with any port, or single addresses with one. The narrowest match
wins: address and port, then the longest network.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Source(NamedTuple):
    """A network as integers (host bits are 0) and a port, or None for any port."""

    network: int
    prefix_bits: int
    port: int | None

    def __str__(self) -> str:
        host = ".".join(str(self.network >> shift & 255) for shift in (24, 16, 8, 0))
        if self.port is not None:
            return f"{host}:{self.port}"
        return host if self.prefix_bits == 32 else f"{host}/{self.prefix_bits}"


class TrunkSources:
    """Immutable once built. `find` costs one dictionary look-up per length of network in use."""

    __slots__ = ("_by_port", "_networks")

    def __init__(self, sources: Iterable[tuple[Source, str]]) -> None:
        self._by_port: dict[tuple[int, int], str] = {}
        networks: dict[int, dict[int, str]] = {}
        for source, trunk in sources:
            if source.port is not None:
                self._by_port[source.network, source.port] = trunk
            else:
                networks.setdefault(source.prefix_bits, {})[source.network] = trunk
        self._networks = sorted(networks.items(), reverse=True)

    def find(self, host: str, port: int) -> str | None:
        """The trunk's name, or None for everybody else. `host` is a dotted IPv4 address."""
        bits = ipv4_bits(host)
        if bits is None:
            return None
        trunk = self._by_port.get((bits, port))
        if trunk is not None:
            return trunk
        for prefix_bits, of_network in self._networks:
            trunk = of_network.get(masked(bits, prefix_bits))
            if trunk is not None:
                return trunk
        return None


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


def masked(bits: int, prefix_bits: int) -> int:
    """The network that an address belongs to."""
    return bits & (0xFFFFFFFF << (32 - prefix_bits)) & 0xFFFFFFFF
