"""Where a customer's PBX is that does not register: "203.0.113.9:5060", or "tcp:203.0.113.9:5060".

Calls to the line go to its addresses in their order, and who calls from one of them is that line without a password.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from provisioning.model import LineAddress
from provisioning.problems import InvalidValue

ADDRESSES_MAX: Final = 8  # two sites with two border controllers each, and as many spare ones
TRANSPORTS: Final = ("udp", "tcp")
DEFAULT_PORT: Final = 5060
PORT_MAX: Final = 65_535
EXPECTED: Final = (
    'an address and a port, like "203.0.113.9:5060" or "[2001:db8::9]:5060",'
    ' with "tcp:" before it where it speaks TCP'
)
# An address, in brackets if it is IPv6, and perhaps a port.
_host_and_port = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?").fullmatch


def parse_line_address(text: str) -> LineAddress:
    """Without a transport it is UDP, without a port 5060. Raises InvalidValue."""
    transport, rest = "udp", text
    first, colon, after = text.partition(":")
    if colon and first in TRANSPORTS:
        transport, rest = first, after
    found = _host_and_port(rest)
    if found is None:
        raise InvalidValue("address", text, EXPECTED)
    ipv6, ipv4, port_text = found.groups()
    port = int(port_text or DEFAULT_PORT)
    if not 1 <= port <= PORT_MAX:
        raise InvalidValue("address", text, EXPECTED)
    return LineAddress(transport, _host(ipv6, ipv4, text), port)


def check_line_addresses(texts: Sequence[str]) -> tuple[LineAddress, ...]:
    """A line's whole list. Raises InvalidValue."""
    if len(texts) > ADDRESSES_MAX:
        raise InvalidValue("addresses", f"{len(texts)} addresses", f"at most {ADDRESSES_MAX}")
    addresses = tuple(parse_line_address(text) for text in texts)
    # Over a connection, which may come from any port, the host alone says who calls.
    sources = [(address.host, address.port if address.is_datagram else 0) for address in addresses]
    for text, source in zip(texts, sources, strict=True):
        if sources.count(source) > 1:
            raise InvalidValue("address", text, "each address once, and over TCP each host once")
    return addresses


def _host(ipv6: str | None, ipv4: str | None, text: str) -> str:
    """In its one spelling (RFC 5952)."""
    try:
        address = ipaddress.IPv6Address(ipv6) if ipv6 else ipaddress.IPv4Address(ipv4)
    except ValueError:
        raise InvalidValue("address", text, EXPECTED) from None
    if address.is_multicast or address.is_unspecified or address == ipaddress.IPv4Address("255.255.255.255"):
        raise InvalidValue("address", text, "the address of one machine")
    if isinstance(address, ipaddress.IPv6Address) and (address.is_link_local or address.ipv4_mapped):
        raise InvalidValue("address", text, "an address that means the same everywhere")
    return str(address)
