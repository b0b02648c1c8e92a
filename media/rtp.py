"""RTP headers (RFC 3550 5.1): what a packet says of itself, and packets of our own. SRTP leaves all of it in clear.

Leaves out what only a receiver of sound needs: padding is not looked at, as SRTP encrypts its length.
"""

from __future__ import annotations

import struct
from typing import Final

VERSION_BITS: Final = 0x80
VERSION_MASK: Final = 0xC0
EXTENSION_BIT: Final = 0x10
CONTRIBUTORS_MASK: Final = 0x0F
MARKER_BIT: Final = 0x80
PAYLOAD_TYPE_MASK: Final = 0x7F
HEADER_BYTES: Final = 12
SEQUENCE_MASK: Final = 0xFFFF
TIMESTAMP_MASK: Final = 0xFFFFFFFF
# An Ethernet frame's worth, IP header included: voice takes 200, video and T.38 stay below it so as not to be cut in
# two on the way. What is larger came in fragments, which nobody who only wants to talk sends.
PACKET_BYTES_MAX: Final = 1500

# Why a packet was dropped; metric labels.
TRUNCATED: Final = "truncated"
OVERSIZED: Final = "oversized"
NOT_RTP: Final = "not_rtp"

unpack_header = struct.Struct("!BBHII").unpack_from
_pack_header = struct.Struct("!BBHII").pack
_unpack_length = struct.Struct("!H").unpack_from


class RtpError(Exception):
    """Not an RTP packet. `reason` is one of the words above."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RtpPacket:
    """One packet, read. `payload` is what stands behind CSRCs and extension, padding included."""

    __slots__ = ("is_marked", "payload", "payload_type", "sequence", "ssrc", "timestamp")

    def __init__(
        self, payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, *, is_marked: bool
    ) -> None:
        self.payload_type = payload_type
        self.sequence = sequence
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.payload = payload
        self.is_marked = is_marked


def payload_start(data: bytes) -> int:
    """Octets of the header with everything that it announces. Raises RtpError when that is not all there."""
    if len(data) < HEADER_BYTES:
        raise RtpError(TRUNCATED)
    first = data[0]
    if first & VERSION_MASK != VERSION_BITS:
        raise RtpError(NOT_RTP)
    start = HEADER_BYTES + 4 * (first & CONTRIBUTORS_MASK)
    if first & EXTENSION_BIT:
        if len(data) < start + 4:
            raise RtpError(TRUNCATED)
        start += 4 + 4 * int(_unpack_length(data, start + 2)[0])
    if len(data) < start:
        raise RtpError(TRUNCATED)
    return start


def header_problem(data: bytes) -> str:
    """Why this is no RTP packet, or ""."""
    if len(data) > PACKET_BYTES_MAX:
        return OVERSIZED
    try:
        payload_start(data)
    except RtpError as problem:
        return problem.reason
    return ""


def parse_packet(data: bytes) -> RtpPacket:
    """Raises RtpError."""
    if len(data) > PACKET_BYTES_MAX:
        raise RtpError(OVERSIZED)
    start = payload_start(data)
    _, second, sequence, timestamp, ssrc = unpack_header(data)
    is_marked = bool(second & MARKER_BIT)
    return RtpPacket(
        second & PAYLOAD_TYPE_MASK, sequence, timestamp, ssrc, bytes(data[start:]), is_marked=is_marked
    )


def format_packet(packet: RtpPacket) -> bytes:
    """Without CSRCs, extension or padding."""
    second = packet.payload_type | (MARKER_BIT if packet.is_marked else 0)
    return _pack_header(VERSION_BITS, second, packet.sequence, packet.timestamp, packet.ssrc) + packet.payload
