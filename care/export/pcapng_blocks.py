"""The blocks of a pcapng file that a trace needs: section header, interfaces, packets (draft-ietf-opsawg-pcapng).

Little-endian, as most readers are. Every block and option is padded to four octets.
"""

import struct
from typing import Final

from provisioning.printable import shorten

RAW_IP: Final = 101  # LINKTYPE_RAW: the packet begins with its IP header
UPPER_PDU: Final = 252  # LINKTYPE_WIRESHARK_UPPER_PDU: tags, then what a dissector is given
# What an honest reader takes for a packet (tcpdump's and Wireshark's own limit).
SNAPLEN: Final = 262_144
COMMENT_CHARS_MAX: Final = 500

_SECTION_HEADER: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_ENHANCED_PACKET: Final = 6
_BYTE_ORDER: Final = 0x1A2B3C4D
_UNKNOWN_LENGTH: Final = 0xFFFFFFFFFFFFFFFF

_END: Final = 0
_COMMENT: Final = 1
_APPLICATION: Final = 4
_NAME: Final = 2
_TIME_RESOLUTION: Final = 9
_FLAGS: Final = 2
_MICROSECONDS: Final = 6
_INBOUND: Final = 1
_OUTBOUND: Final = 2


def section_header(comment: str) -> bytes:
    body = struct.pack("<IHHQ", _BYTE_ORDER, 1, 0, _UNKNOWN_LENGTH)
    options = [_text_option(_COMMENT, comment), _text_option(_APPLICATION, "Offhook")]
    return _block(_SECTION_HEADER, body + _options(options))


def interface(name: str, link_type: int) -> bytes:
    """Times of its packets are in microseconds."""
    body = struct.pack("<HHI", link_type, 0, SNAPLEN)
    options = [_text_option(_NAME, name), _option(_TIME_RESOLUTION, bytes([_MICROSECONDS]))]
    return _block(_INTERFACE, body + _options(options))


def packet(interface_id: int, at_us: int, data: bytes, *, comment: str, is_sent: bool) -> bytes:
    """`at_us` is UTC. What is longer than SNAPLEN is kept to that and says how long it was."""
    at_us = max(0, at_us)
    kept = data[:SNAPLEN]
    body = struct.pack(
        "<IIIII", interface_id, at_us >> 32 & 0xFFFFFFFF, at_us & 0xFFFFFFFF, len(kept), len(data)
    )
    flags = _option(_FLAGS, struct.pack("<I", _OUTBOUND if is_sent else _INBOUND))
    return _block(_ENHANCED_PACKET, body + _padded(kept) + _options([_text_option(_COMMENT, comment), flags]))


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _options(options: list[bytes]) -> bytes:
    return b"".join([*options, _option(_END, b"")])


def _text_option(code: int, text: str) -> bytes:
    """Wireshark shows it: without control characters, and no longer than a person reads."""
    return _option(code, shorten(text, COMMENT_CHARS_MAX).encode("utf-8", "backslashreplace"))


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
