"""What our own messages say about us: Via, Contact, the domain, and which names and addresses are ours.

A listener on 0.0.0.0 or [::] has no address of its own to write into a message; the kernel's route to the peer tells
which local address the peer sees. That answer is kept for each peer, in a bounded table. Hosts are bare here
(switch.sip.host) and get their brackets where they are written.
"""

import socket
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from switch.config import Conf
from switch.sip.flow import TCP, TLS, UDP, WS, WSS, Flow
from switch.sip.host import bare_host, canonical_ip, host_port, is_link_local, is_same_family, uri_host
from switch.trunks.locate import Reach

WILDCARD = "0.0.0.0"  # noqa: S104 - recognised, not bound, here
WILDCARD_IPV6 = "::"
WILDCARDS = frozenset({WILDCARD, WILDCARD_IPV6})
LOOPBACK = "127.0.0.1"
LOOPBACK_IPV6 = "::1"
LOCAL_ADDRESSES_MAX = 10_000  # peers whose route is remembered; a lost entry costs one system call
FIB_TRIE = Path("/proc/net/fib_trie")
IF_INET6 = Path("/proc/net/if_inet6")
# The transport parameter of a URI by which a flow's peer reaches us. RFC 7118 5.2.2 has one word for both WebSockets.
_PARAMETER = {TCP: ";transport=tcp", TLS: ";transport=tls", WS: ";transport=ws", WSS: ";transport=ws"}

Listener = tuple[str, int]


class LocalNetwork:
    """Names and addresses of this exchange; no packets."""

    def __init__(
        self,
        conf: Conf,
        *,
        udp: list[Listener],
        expect_name: Callable[[str, str, int, str], None] | None = None,
    ) -> None:
        """`expect_name(transport, host, port, name)` tells the edge; None where there is no edge."""
        self._expect_name = expect_name
        self._listeners = _listeners(conf, udp)
        self.reach = self._reach()
        self._advertised = str(conf.exchange.advertised_host)
        media = conf.media
        self._advertised_media = (media.advertised_in(is_ipv6=False), media.advertised_in(is_ipv6=True))
        self._local_for: OrderedDict[str, str] = OrderedDict()
        hosts = {host for listeners in self._listeners.values() for host, _ in listeners}
        names = {bare_host(str(domain)) for domain in conf.exchange.domains} | hosts
        if self._advertised:
            names.add(self._advertised.lower())
        if hosts & WILDCARDS:
            names.add("localhost")
        if WILDCARD in hosts:
            names |= local_addresses()
        if WILDCARD_IPV6 in hosts:
            names |= local_ipv6_addresses()
        self._here = frozenset(names)
        domains = conf.exchange.domains
        self.domain = uri_host(str(domains[0]) if domains else self._advertised or self._own_address(hosts))

    def _reach(self) -> Reach:
        """What trunks can be spoken to by: UDP from a listener, connections through the edge, where there is one; the
        families that we listen on, so that answers find us."""
        families = {"AAAA" if ":" in host else "A" for found in self._listeners.values() for host, _ in found}
        streams = (TCP, TLS) if self._expect_name is not None else ()
        udp = (UDP,) if self._listeners[UDP] else ()
        return Reach((*udp, *streams), tuple(sorted(families)))

    def expect_name(self, flow: Flow, name: str) -> None:
        """The name that the certificate of a TLS peer must have; without one its address must be in it."""
        if flow.transport == TLS and self._expect_name is not None:
            is_address = canonical_ip(name) is not None
            self._expect_name(TLS, flow.remote_host, flow.remote_port, "" if is_address else name)

    def is_here(self, host: str) -> bool:
        """`host` as a URI has it: an IPv6 address in brackets, in any spelling."""
        return bare_host(host) in self._here

    def sent_by(self, flow: Flow) -> str:
        return self._host_port(flow)

    def contact_of(self, flow: Flow) -> str:
        return f"<sip:{self._host_port(flow)}{_PARAMETER.get(flow.transport, '')}>"

    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        """From the first listener of that transport and family. Port 0: there is none, so peers can only answer on the
        connection that they are called on."""
        listeners = self._listeners.get(transport, ())
        local = next((listener for listener in listeners if is_same_family(listener[0], host)), None)
        local_host, local_port = local or (WILDCARD_IPV6 if ":" in host else WILDCARD, 0)
        return Flow(transport, host, port, local_host, local_port)

    def media_host(self, listener: str, flow: Flow) -> str:
        """The address to write into a session description: one of our own that the peer reaches, never a name."""
        said = self._advertised_media[":" in listener]
        if said:
            return said
        advertised = self._advertised
        if canonical_ip(advertised) is not None and is_same_family(advertised, listener):
            return advertised
        return self._local_towards(flow) if listener in WILDCARDS else listener

    def _host_port(self, flow: Flow) -> str:
        host = self._host_for(flow)
        return host_port(host, flow.local_port) if flow.local_port else uri_host(host)

    def _host_for(self, flow: Flow) -> str:
        """The advertised host, unless it is an address that this peer cannot speak to: of the other family."""
        advertised = self._advertised
        if advertised and (canonical_ip(advertised) is None or is_same_family(advertised, flow.local_host)):
            return advertised
        return self._local_towards(flow)

    def _local_towards(self, flow: Flow) -> str:
        if flow.local_host not in WILDCARDS:
            return flow.local_host
        known = self._local_for.get(flow.remote_host)
        if known is None:
            known = local_address_towards(flow.remote_host)
            if len(self._local_for) >= LOCAL_ADDRESSES_MAX:
                self._local_for.popitem(last=False)
            self._local_for[flow.remote_host] = known
        return known

    def _own_address(self, hosts: set[str]) -> str:
        """The address for an exchange without a domain: the first listener's, IPv4 before IPv6."""
        ordered = [host for listeners in self._listeners.values() for host, _ in listeners]
        named = sorted((host for host in ordered if host not in WILDCARDS), key=lambda host: ":" in host)
        if named:
            return named[0]
        own = local_addresses() if WILDCARD in hosts else local_ipv6_addresses()
        public = sorted(address for address in own if not address.startswith("127.") and address != "::1")
        return public[0] if public else LOOPBACK


def _listeners(conf: Conf, udp: list[Listener]) -> Mapping[str, Sequence[Listener]]:
    listen = conf.listen
    streams = {TCP: listen.tcp, TLS: listen.tls, WS: listen.ws, WSS: listen.wss}
    return {
        UDP: udp,
        **{name: [(address.host, address.port) for address in found] for name, found in streams.items()},
    }


def local_address_towards(host: str) -> str:
    """The address that a peer sees us under, by the kernel's routing table; nothing is sent."""
    is_ipv6 = ":" in host
    with socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except (OSError, UnicodeError):
            return LOOPBACK_IPV6 if is_ipv6 else LOOPBACK
        return str(probe.getsockname()[0])


def local_addresses() -> set[str]:
    """Every IPv4 address of this machine, from the kernel's own table."""
    found = {LOOPBACK}
    try:
        lines = FIB_TRIE.read_text().split("\n")
    except OSError:
        return found
    for before, line in pairwise(lines):
        if "host LOCAL" in line and "|--" in before:
            found.add(before.split("|--")[1].strip(" \t"))
    return found


def local_ipv6_addresses() -> set[str]:
    """Every IPv6 address of this machine that can be written into a message: those of one link are left out."""
    found = {LOOPBACK_IPV6}
    try:
        lines = IF_INET6.read_text().split("\n")
    except OSError:
        return found
    for line in lines:
        digits = line[:32]
        address = canonical_ip(":".join(digits[at : at + 4] for at in range(0, 32, 4))) if digits else None
        if address is not None and not is_link_local(address):
            found.add(address)
    return found
