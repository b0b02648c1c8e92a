"""Addresses in their one spelling, and as they stand in a URI or a Via (RFC 3261 25.1, RFC 5952, RFC 5118 4).

In flows, tables and configuration a host is bare: an IPv4 address with four decimal parts, an IPv6 address as RFC 5952
writes it, compressed, in small letters, without brackets. Brackets are put round it where a URI, a Via or a person
reads it together with a port. An IPv4 address in IPv6 clothes (::ffff:192.0.2.1) and a scope id (fe80::1%eth0) have no
spelling here: the one has a plainer name, the other means nothing beyond its link.
"""

from typing import Final

from switch.sip.grammar import is_ipv4, parse_ipv6

# What a zone id is parted by from its address (RFC 4007 11).
SCOPE_MARK: Final = "%"
# fe80::/10, of which nobody uses more than the first /16.
LINK_LOCAL_PREFIXES: Final[tuple[str, ...]] = ("fe8", "fe9", "fea", "feb")


def canonical_ip(text: str) -> str | None:
    """A bare address in its one spelling; None for names, brackets, scope ids and whatever else is no address."""
    if ":" not in text:
        return text if is_ipv4(text) else None
    address = parse_ipv6(text)
    if address is None or address.ipv4_mapped is not None:
        return None
    return address.compressed


def bare_host(host: str) -> str:
    """The host of a URI or a Via as tables know it: in small letters, an IPv6 address canonical, without brackets."""
    if host[:1] != "[":
        return host.lower()
    address = parse_ipv6(host[1:-1])
    return host.lower() if address is None else address.compressed


def uri_host(host: str) -> str:
    """A bare host as a URI has it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def host_port(host: str, port: int) -> str:
    """host:port for a Via, a log line or a person."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_link_local(host: str) -> bool:
    """Whether an address is good on one link only, with or without its scope id."""
    return host.startswith(LINK_LOCAL_PREFIXES) or SCOPE_MARK in host


def is_loopback(host: str) -> bool:
    """Whether a bare address never leaves its machine: 127.0.0.0/8 or ::1."""
    return host.startswith("127.") or host == "::1"


def is_same_family(one: str, other: str) -> bool:
    """Whether two bare addresses are both IPv6 or both not."""
    return (":" in one) is (":" in other)
