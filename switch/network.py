"""What our own messages say about us: Via, Contact, the domain, and which names and addresses are ours.

A listener on 0.0.0.0 has no address of its own to write into a message; the kernel's route to the peer tells which
local address the peer sees. That answer is kept for each peer, in a bounded table.
"""

import socket
from collections import OrderedDict
from itertools import pairwise
from pathlib import Path

from switch.config import Address, Conf
from switch.sip.flow import TCP, UDP, Flow
from switch.trunks.locate import Reach

WILDCARD = "0.0.0.0"  # noqa: S104 - recognised, not bound, here
LOCAL_ADDRESSES_MAX = 10_000  # peers whose route is remembered; a lost entry costs one system call
FIB_TRIE = Path("/proc/net/fib_trie")


class LocalNetwork:
    """Names and addresses of this exchange; no packets."""

    def __init__(self, conf: Conf, *, udp: list[tuple[str, int]], tcp: list[Address]) -> None:
        self._udp = udp
        self._tcp = [(address.host, address.port) for address in tcp]
        self._advertised = str(conf.exchange.advertised_host)
        self._local_for: OrderedDict[str, str] = OrderedDict()
        self._is_wildcard = any(host == WILDCARD for host, _ in [*self._udp, *self._tcp])
        names = {str(domain).lower() for domain in conf.exchange.domains}
        names |= {host for host, _ in [*self._udp, *self._tcp]}
        if self._advertised:
            names.add(self._advertised.lower())
        if self._is_wildcard:
            names |= local_addresses()
            names.add("localhost")
        self._here = frozenset(names)
        domains = conf.exchange.domains
        self.domain = str(domains[0]) if domains else self._advertised or self._own_address()

    @property
    def reach(self) -> Reach:
        """The transports that we listen on. A trunk is reached from a listener, so that its answers find us."""
        listeners = ((UDP, self._udp), (TCP, self._tcp))
        return Reach(tuple(transport for transport, bound in listeners if bound), ("A",))

    def expect_name(self, flow: Flow, name: str) -> None:
        """Nothing is spoken yet that shows a certificate."""

    def is_here(self, host: str) -> bool:
        return host.lower() in self._here

    def sent_by(self, flow: Flow) -> str:
        return f"{self._host_for(flow)}:{flow.local_port}"

    def contact_of(self, flow: Flow) -> str:
        transport = "" if flow.transport == UDP else f";transport={flow.transport.lower()}"
        return f"<sip:{self._host_for(flow)}:{flow.local_port}{transport}>"

    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        """From the first listener of that transport."""
        listeners = self._tcp if transport == TCP else self._udp
        local_host, local_port = listeners[0] if listeners else (WILDCARD, 0)
        return Flow(transport, host, port, local_host, local_port)

    def _host_for(self, flow: Flow) -> str:
        if self._advertised:
            return self._advertised
        if flow.local_host != WILDCARD:
            return flow.local_host
        known = self._local_for.get(flow.remote_host)
        if known is None:
            known = local_address_towards(flow.remote_host)
            if len(self._local_for) >= LOCAL_ADDRESSES_MAX:
                self._local_for.popitem(last=False)
            self._local_for[flow.remote_host] = known
        return known

    def _own_address(self) -> str:
        named = [host for host, _ in [*self._udp, *self._tcp] if host != WILDCARD]
        if named:
            return named[0]
        public = sorted(address for address in local_addresses() if not address.startswith("127."))
        return public[0] if public else "127.0.0.1"


def local_address_towards(host: str) -> str:
    """The address that a peer sees us under, by the kernel's routing table; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except (OSError, UnicodeError):
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def local_addresses() -> set[str]:
    """Every IPv4 address of this machine, from the kernel's own table."""
    found = {"127.0.0.1"}
    try:
        lines = FIB_TRIE.read_text().split("\n")
    except OSError:
        return found
    for before, line in pairwise(lines):
        if "host LOCAL" in line and "|--" in before:
            found.add(before.split("|--")[1].strip(" \t"))
    return found
