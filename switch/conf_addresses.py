"""Addresses of peers in conf/, which may be names: "sip.carrier.example", "203.0.113.7:5060", "[2001:db8::7]".

As conf_values.py, which has the values that are not about names.
"""

from typing import Annotated

from msgspec import Struct

from switch.calls.trunk_sources import ipv4_bits
from switch.conf_values import Expected, Reads, list_reader, read_host
from switch.sip.host import canonical_ip, is_link_local
from switch.trunks.addresses import is_address, is_unicast

_EXPECTED = (
    'a host name or an address, with a port or without, like "sip.carrier.example" or "203.0.113.7:5060"'
)


class TrunkAddress(Struct, frozen=True, order=True):
    """A host (a name in lower case, or an IP address without brackets) and a port, 0 where none is written."""

    host: str
    port: int

    @property
    def is_name(self) -> bool:
        return not is_address(self.host)

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host

    def __str__(self) -> str:
        host = f"[{self.host}]" if self.is_ipv6 else self.host
        return f"{host}:{self.port}" if self.port else host


def read_trunk_address(value: object) -> TrunkAddress:
    """A host or IP address and perhaps a port; IPv6 in square brackets where a port follows."""
    if not isinstance(value, str):
        raise Expected(_EXPECTED)
    host, port = _split(value)
    if is_address(host) and not is_unicast(host):
        raise Expected(f"the address of a peer, not {TrunkAddress(host, 0)}")
    return TrunkAddress(host, port)


def read_name_server(value: object) -> TrunkAddress:
    """An IP address and perhaps a port, else 53."""
    address = read_trunk_address(value)
    if address.is_name:
        raise Expected('the IP address of a name server, with a port or without, like "192.0.2.53"')
    return TrunkAddress(address.host, address.port or 53)


def _split(text: str) -> tuple[str, int]:
    if text.startswith("["):
        inner, bracket, rest = text[1:].partition("]")
        address = _ipv6(inner)
        if not bracket or address is None or (rest and not rest.startswith(":")):
            raise Expected(_EXPECTED)
        return address, _port(rest[1:]) if rest else 0
    if (address := _ipv6(text)) is not None:
        return address, 0
    host, colon, port_text = text.partition(":")
    try:
        host = read_host(host)
    except Expected:
        raise Expected(_EXPECTED) from None
    if is_address(host) and ipv4_bits(host) is None:
        raise Expected(_EXPECTED)
    return host, _port(port_text) if colon else 0


def _ipv6(text: str) -> str | None:
    address = canonical_ip(text) if ":" in text else None
    if address is not None and is_link_local(address):
        raise Expected("an address that is good beyond one link, not fe80::")
    return address


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65_535):
        raise Expected("a port from 1 to 65535 behind the colon")
    return int(text)


TrunkAddresses = Annotated[tuple[TrunkAddress, ...], Reads(list_reader(read_trunk_address))]
NameServers = Annotated[tuple[TrunkAddress, ...], Reads(list_reader(read_name_server))]
