"""What comes to the relay: RTP, RTCP, and both in sequences from a caller, a callee, a neighbour and a stranger."""

import struct

from fuzz.sessions import SEPARATOR, join
from media.relay.messages import Close
from media.rtcp import parse_reports
from media.rtp import PACKET_BYTES_MAX, RtpError, RtpPacket, format_packet, header_problem, parse_packet
from tests.media.relay.core_bench import CALLEE, CALLER, STRANGE, RelayBench

FIELDS = ("payload_type", "sequence", "timestamp", "ssrc", "payload", "is_marked")
NEIGHBOUR = (CALLER[0], 4444)
CALLER_RTCP, CALLEE_RTCP = (CALLER[0], CALLER[1] + 1), (CALLEE[0], CALLEE[1] + 1)
PEERS = (CALLER, CALLEE, NEIGHBOUR, STRANGE)
RTCP_PEERS = (CALLER_RTCP, CALLEE_RTCP, NEIGHBOUR, STRANGE)
PIECES_MAX = 200
# Bits of a piece's first octet.
WHO = 0x03
TO_CALLEE = 0x04
IS_RTCP = 0x08
WAITS = 0x10
IS_AIMED = 0x20

_PACKET = format_packet(RtpPacket(8, 1, 160, 7, b"\xd5" * 20, is_marked=True))
_KEY = format_packet(RtpPacket(101, 2, 160, 7, b"\x05\x8a\x01\x40", is_marked=False))
_REPORT = struct.pack("!BBHIIIIII", 0x81, 200, 12, 7, 1, 1 << 16, 0, 0, 0) + struct.pack(
    "!IIIIII", 8, 0, 0, 0, 1, 2
)
RTP_SEEDS: tuple[bytes, ...] = (
    _PACKET,
    _KEY,
    b"\x92" + _PACKET[1:12] + bytes(8) + b"\xbe\xde\x00\x01" + bytes(4) + b"x",
    b"\xb0" + _PACKET[1:],
)
RTCP_SEEDS: tuple[bytes, ...] = (
    _REPORT,
    _REPORT + b"\x81\xca\x00\x02\x00\x00\x00\x07\x01\x02ab",
    b"\x80\xc9\x00\x01\x00\x00\x00\x07",
)
RELAY_SEEDS: tuple[bytes, ...] = (
    join((0, _PACKET), (TO_CALLEE | 1, _PACKET), (3, _PACKET), (2, _KEY), (IS_RTCP, _REPORT)),
    join(
        (2, _PACKET),
        (IS_AIMED, b"\x02"),
        (2, _PACKET),
        (WAITS, b""),
        (0, _KEY),
        (TO_CALLEE | IS_RTCP | 1, _REPORT),
    ),
)


def rtp(data: bytes) -> int:
    """One packet: it has a problem or is read, never both; what is read and printed is read the same."""
    try:
        packet = parse_packet(data)
    except RtpError as error:
        assert error.reason == header_problem(data)
        return 1
    assert not header_problem(data)
    assert len(packet.payload) <= len(data) - 12 <= PACKET_BYTES_MAX
    again = parse_packet(format_packet(packet))
    assert all(getattr(again, name) == getattr(packet, name) for name in FIELDS)
    return 1


def rtcp(data: bytes) -> int:
    """One packet: never more answers than octets for them, nothing out of its range."""
    reports = parse_reports(data)
    if reports is not None:
        assert len(reports.answers) <= len(data) // 24
        assert 0 <= reports.sent_ntp < 2**32
        assert all(0 < last_sr < 2**32 and 0 <= delay < 2**32 for last_sr, delay in reports.answers)
    return 1


def relay(data: bytes) -> int:
    """Packets of four peers to a call of two. A stranger gets none and puts none in; figures add up."""
    bench = RelayBench()
    tried = 0
    for piece in data.split(SEPARATOR)[:PIECES_MAX]:
        if piece:
            _piece(bench, piece[0], piece[1:])
            tried += 1
    assert bench.receivers() <= {CALLER, CALLEE, NEIGHBOUR, CALLER_RTCP, CALLEE_RTCP}
    for number in (1, 2):
        figures = bench.figures(number)
        assert figures.lost >= 0
        assert figures.duplicates + figures.reordered <= figures.packets
        assert 0 <= figures.mos <= 450
        assert figures.gap_us >= 0
        bench.tell(Close(number))
    assert not bench.core.endpoints()
    return max(tried, 1)


def _piece(bench: RelayBench, how: int, data: bytes) -> None:
    number = 2 if how & TO_CALLEE else 1
    if how & WAITS:
        bench.wait(0.5)
    if how & IS_AIMED:
        peer = PEERS[number - 1]
        bench.aim(number, peer, version=data[0] if data else 0)
        return
    before = len(bench.sent)
    if how & IS_RTCP:
        bench.rtcp(number, RTCP_PEERS[how & WHO], data)
    else:
        bench.raw(number, PEERS[how & WHO], data)
    is_strange = PEERS[how & WHO] == STRANGE
    assert not is_strange or len(bench.sent) == before, "a stranger was heard"
    assert len(bench.sent) <= before + 1, "one packet became two"
    for _, _, sent, _ in bench.sent[before:]:
        assert sent == data, "a packet was changed"
