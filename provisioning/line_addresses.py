"""Where a customer's PBX is that does not register: "203.0.113.9:5060", or "tcp:203.0.113.9:5060".

Calls to the line go to its addresses in their order, and who calls from one of them is that line without a password.
"""

import ipaddress
from collections.abc import Sequence
from typing import Final

from provisioning.model import LineAddress
from provisioning.problems import InvalidValue

ADDRESSES_MAX: Final = 8  # two sites with two border controllers each, and as many spare ones
TRANSPORTS: Final = ("udp", "tcp")
DEFAULT_PORT: Final = 5060
EXPECTED: Final = (
    'an IPv4 address and a port, like "203.0.113.9:5060", with "tcp:" before it where it speaks TCP'
)


def parse_line_address(text: str) -> LineAddress:
    """Without a transport it is UDP, without a port 5060. Raises InvalidValue."""
    transport, rest = "udp", text
    first, colon, after = text.partition(":")
    if colon and first in TRANSPORTS:
        transport, rest = first, after
    host, colon, port_text = rest.partition(":")
    port = _port(port_text) if colon else DEFAULT_PORT
    if port is None:
        raise InvalidValue("address", text, EXPECTED)
    return LineAddress(transport, _host(host, text), port)


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


def _host(host: str, text: str) -> str:
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        raise InvalidValue("address", text, EXPECTED) from None
    if address.is_multicast or address.is_unspecified or address == ipaddress.IPv4Address("255.255.255.255"):
        raise InvalidValue("address", text, "the address of one machine")
    return str(address)


def _port(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        return None
    return int(text) if 1 <= int(text) <= 65_535 else None
