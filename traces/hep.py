"""HEP version 3 (Homer Encapsulation Protocol): one SIP message as a capture server takes it, and reads back.

A packet is "HEP3", its whole length, and chunks: vendor 0, type, length with these six octets, value; all numbers are
big-endian (hep3_rev12 of the sipcapture project). Only the chunks that a SIP message needs are known here.
"""

import ipaddress
import struct
from typing import Final

from traces.call_trace import TraceFlow, TraceMessage

MAGIC: Final = b"HEP3"
# The length field has 16 bits, and so has the length of a datagram; a longer message is cut.
PACKET_BYTES_MAX: Final = 65_000
# A correlation id or a password of more is none of ours.
TEXT_BYTES_MAX: Final = 255

_HEAD: Final = struct.Struct("!4sH")
_CHUNK: Final = struct.Struct("!HHH")
_GENERIC_VENDOR: Final = 0

FAMILY: Final = 1
PROTOCOL: Final = 2
SOURCE_IPV4: Final = 3
DESTINATION_IPV4: Final = 4
SOURCE_IPV6: Final = 5
DESTINATION_IPV6: Final = 6
SOURCE_PORT: Final = 7
DESTINATION_PORT: Final = 8
SECONDS: Final = 9
MICROSECONDS: Final = 10
PROTOCOL_TYPE: Final = 11
CAPTURE_ID: Final = 12
PASSWORD: Final = 14
PAYLOAD: Final = 15
CORRELATION_ID: Final = 17

_SIP: Final = 1
# Address families as the specification counts them: those of Linux.
_AF_INET: Final = 2
_AF_INET6: Final = 10
# IANA's protocol numbers.
_UDP: Final = 17
_TCP: Final = 6
_UNSPECIFIED: Final = ipaddress.IPv4Address(0)


class HepError(ValueError):
    """These octets are no HEP packet."""


def hep_packet(
    message: TraceMessage, flow: TraceFlow, correlation_id: str, *, capture_id: int, password: str
) -> bytes:
    """One datagram for a capture server.

    What came over TLS or WebSocket is given as TCP: it is the message, not the encryption, that is captured.
    A capture id is 32 bits. No password, no chunk for it.
    """
    remote, local = (flow.remote_host, flow.remote_port), (flow.local_host, flow.local_port)
    source, destination = (local, remote) if message.is_sent else (remote, local)
    chunks = _addresses(source[0], destination[0])
    chunks.append(_chunk(PROTOCOL, bytes([_UDP if flow.transport == "UDP" else _TCP])))
    chunks += [_chunk(SOURCE_PORT, _port(source[1])), _chunk(DESTINATION_PORT, _port(destination[1]))]
    seconds, microseconds = divmod(max(0, message.at_us), 1_000_000)
    chunks.append(_chunk(SECONDS, struct.pack("!I", seconds & 0xFFFFFFFF)))
    chunks.append(_chunk(MICROSECONDS, struct.pack("!I", microseconds)))
    chunks.append(_chunk(PROTOCOL_TYPE, bytes([_SIP])))
    chunks.append(_chunk(CAPTURE_ID, struct.pack("!I", capture_id & 0xFFFFFFFF)))
    if password:
        chunks.append(_chunk(PASSWORD, _text(password)))
    chunks.append(_chunk(CORRELATION_ID, _text(correlation_id)))
    before = b"".join(chunks)
    room = PACKET_BYTES_MAX - _HEAD.size - len(before) - _CHUNK.size
    body = before + _chunk(PAYLOAD, message.data[:room])
    return _HEAD.pack(MAGIC, _HEAD.size + len(body)) + body


def read_hep(packet: bytes) -> dict[int, bytes]:
    """Chunk type -> value, of the chunks that are nobody's own. Raises HepError for what is cut or no packet."""
    if len(packet) < _HEAD.size:
        raise HepError(f"{len(packet)} octets are no HEP packet")
    magic, length = _HEAD.unpack_from(packet)
    if magic != MAGIC or length != len(packet):
        raise HepError(f"a packet of {len(packet)} octets that says {length}")
    chunks: dict[int, bytes] = {}
    at = _HEAD.size
    while at < len(packet):
        if at + _CHUNK.size > len(packet):
            raise HepError("a chunk is cut")
        vendor, kind, size = _CHUNK.unpack_from(packet, at)
        if size < _CHUNK.size or at + size > len(packet):
            raise HepError(f"a chunk of {size} octets")
        if vendor == _GENERIC_VENDOR:
            chunks[kind] = packet[at + _CHUNK.size : at + size]
        at += size
    return chunks


def _addresses(source: str, destination: str) -> list[bytes]:
    one, other = _address(source), _address(destination)
    if one.version == 4 and other.version == 4:
        kinds, family = (SOURCE_IPV4, DESTINATION_IPV4), _AF_INET
    else:
        kinds, family = (SOURCE_IPV6, DESTINATION_IPV6), _AF_INET6
        one, other = _as_ipv6(one), _as_ipv6(other)
    return [_chunk(FAMILY, bytes([family])), _chunk(kinds[0], one.packed), _chunk(kinds[1], other.packed)]


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """A name, or nothing, is the unspecified address: the message goes all the same."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return _UNSPECIFIED


def _as_ipv6(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv6Address:
    """RFC 4291 2.5.5.2."""
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)


def _port(port: int) -> bytes:
    return struct.pack("!H", port & 0xFFFF)


def _text(text: str) -> bytes:
    return text.encode("utf-8", "replace")[:TEXT_BYTES_MAX]


def _chunk(kind: int, value: bytes) -> bytes:
    return _CHUNK.pack(_GENERIC_VENDOR, kind, _CHUNK.size + len(value)) + value
