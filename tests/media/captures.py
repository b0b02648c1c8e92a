"""RTP out of captures: classic pcap files (not pcapng) of Ethernet and IPv4, as those in ../shared/corpora/rtp are."""

import struct
from pathlib import Path
from typing import NamedTuple

import pytest

CORPUS = Path(__file__).parents[3] / "shared" / "corpora" / "rtp"
_ETHERNET = 1


class RtpPacket(NamedTuple):
    at_s: float
    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def capture(name: str) -> list[RtpPacket]:
    """The RTP packets of a file of the corpus, which is not part of this repository."""
    path = CORPUS / name
    if not path.exists():
        pytest.skip(f"{name} is not there: ../shared/corpora/rtp lies beside the repository, or not")
    return read_rtp(path.read_bytes())


def read_rtp(data: bytes) -> list[RtpPacket]:
    magic, *_, link = struct.unpack("<IHHiIII", data[:24])
    assert magic == 0xA1B2C3D4
    assert link == _ETHERNET
    packets = []
    position = 24
    while position < len(data):
        seconds, micros, captured, _ = struct.unpack_from("<IIII", data, position)
        frame = data[position + 16 : position + 16 + captured]
        position += 16 + captured
        packets.append(_rtp_of(frame, seconds + micros / 1e6))
    return packets


def _rtp_of(frame: bytes, at_s: float) -> RtpPacket:
    assert frame[12:14] == b"\x08\x00", "IPv4"
    total = int.from_bytes(frame[16:18], "big")
    packet = frame[14 : 14 + total]
    datagram = packet[4 * (packet[0] & 15) + 8 :]
    flags, kind, sequence, timestamp, ssrc = struct.unpack_from(">BBHII", datagram)
    assert flags == 0x80, "version 2, no padding, extension or CSRC"
    return RtpPacket(at_s, kind > 127, kind & 127, sequence, timestamp, ssrc, datagram[12:])
