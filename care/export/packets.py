"""IP packets round the messages of a trace, with right lengths and checksums: RFC 791, 768, 9293, 8200, 1071.

A trace has messages, no packets: what is made here carries a message from its real address to its real address, and
says nothing of how many packets there were on the wire.
"""

import ipaddress
import struct
from typing import Final

import msgspec

UDP: Final = 17
TCP: Final = 6
# What a stream is cut into: an Ethernet frame's worth.
SEGMENT_BYTES: Final = 1_460
# An IP packet's length has 16 bits; the larger of the two headers, and UDP's, go off.
UDP_BYTES_MAX: Final = 65_507
_IPV6_UDP_BYTES_MAX: Final = 65_527
_TTL: Final = 64
_PUSH_ACK: Final = 0x18
_WINDOW: Final = 65_535

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Endpoint(msgspec.Struct, frozen=True):
    host: Address
    port: int


def udp_fits(data: bytes, host: Address) -> bool:
    """Whether one datagram can hold it."""
    return len(data) <= (UDP_BYTES_MAX if host.version == 4 else _IPV6_UDP_BYTES_MAX)


def udp_packet(source: Endpoint, destination: Endpoint, data: bytes) -> bytes:
    length = 8 + len(data)
    head = struct.pack("!HHHH", source.port, destination.port, length, 0)
    checksum = _checksum(_pseudo_header(source.host, destination.host, UDP, length) + head + data)
    # 0 would mean that there is none (RFC 768).
    return _ip(source.host, destination.host, UDP, head[:6] + struct.pack("!H", checksum or 0xFFFF) + data)


def tcp_packet(source: Endpoint, destination: Endpoint, data: bytes, *, seq: int, ack: int) -> bytes:
    """One segment with PSH and ACK."""
    head = struct.pack(
        "!HHIIBBHHH", source.port, destination.port, seq, ack, 5 << 4, _PUSH_ACK, _WINDOW, 0, 0
    )
    whole = _pseudo_header(source.host, destination.host, TCP, len(head) + len(data)) + head + data
    return _ip(
        source.host, destination.host, TCP, head[:16] + struct.pack("!H", _checksum(whole)) + head[18:] + data
    )


def _ip(source: Address, destination: Address, protocol: int, payload: bytes) -> bytes:
    if source.version == 6:
        head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, _TTL)
        return head + source.packed + destination.packed + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, _TTL, protocol, 0)
    addresses = source.packed + destination.packed
    return head[:10] + struct.pack("!H", _checksum(head + addresses)) + addresses + payload


def _pseudo_header(source: Address, destination: Address, protocol: int, length: int) -> bytes:
    form = "!BBH" if source.version == 4 else "!IBBBB"
    if source.version == 4:
        return source.packed + destination.packed + struct.pack(form, 0, protocol, length)
    return source.packed + destination.packed + struct.pack(form, length, 0, 0, 0, protocol)


def _checksum(data: bytes) -> int:
    """RFC 1071: the ones' complement of the ones' complement sum."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
