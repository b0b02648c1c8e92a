"""To which addresses the relay never sends, whatever a description says (the class of coturn's CVE-2020-26262).

Loopback, when the relay does not listen there itself; this network, link-local, multicast, broadcast and reserved ones;
its own ports, as two endpoints that send to each other never stop.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

from media.latch import SocketAddress

WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, not bound, here
PORT_MAX = 65_535


class Reach:
    """What the relay may send to. `is_local(host)` says whether an address is this machine's own."""

    __slots__ = ("_first_port", "_is_local", "_last_port", "_listens_on_loopback")

    def __init__(
        self, listen: Sequence[str], first_port: int, last_port: int, *, is_local: Callable[[str], bool]
    ) -> None:
        self._first_port = first_port
        self._last_port = last_port
        self._is_local = is_local
        self._listens_on_loopback = any(
            host in WILDCARDS or ipaddress.ip_address(host).is_loopback for host in listen
        )

    def host_problem(self, host: str) -> str:
        """Why nothing is sent to this address, or ""."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return "no address"
        if str(address) != host:
            return "not the address's usual spelling"
        if address.is_loopback:
            return "" if self._listens_on_loopback else "loopback"
        if address.is_unspecified or (address.version == 4 and host.startswith("0.")):
            return "unspecified"
        if address.is_multicast:
            return "multicast"
        if address.is_link_local:
            return "link-local"
        if address.version == 4 and address.is_reserved:
            return "reserved or broadcast"
        if address.version == 6 and (address.ipv4_mapped is not None or address.sixtofour is not None):
            return "an IPv4 address inside IPv6"
        return ""

    def problem(self, address: SocketAddress) -> str:
        """Why nothing is sent to this address and port, or ""."""
        host, port = address[0], address[1]
        if not 0 < port <= PORT_MAX:
            return "port 0"
        return self.host_problem(host) or ("own port" if self.is_own(address) else "")

    def is_own(self, address: SocketAddress) -> bool:
        """Whether it is, or may become, a port of the relay."""
        return self._first_port <= address[1] <= self._last_port and self._is_local(address[0])
