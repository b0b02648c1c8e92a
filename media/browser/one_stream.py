"""What a browser is sent as one RTP stream: one SSRC, with sequence numbers and timestamps that go on.

Behind a telephone number stand several senders in turn: the telephone, the relay's music, the media server, whoever the
call was transferred to. A browser that was not told of them in SDP (`a=ssrc`) plays the one that came last and does not
return to one that it has known. So each gate has one SSRC, and RTCP is rewritten to suit (RFC 3550 6.4). Pure.
"""

import struct
from typing import Final

from media.rtcp import RECEIVER_REPORT, REPORT_BLOCK_BYTES, SENDER_INFO_BYTES, SENDER_REPORT

SDES: Final = 202
BYE: Final = 203
# RTPFB and PSFB (RFC 4585), whose second SSRC is the stream that they are about.
FEEDBACK: Final = (205, 206)

# A packet of the sender before, which was overtaken by the first ones of the next.
STRAGGLER_S: Final = 0.2
# A new sender begins one frame after the last packet at least.
FRAME_S: Final = 0.02
# Static payload types are telephony's at 8 kHz; what is dynamic here is Opus, whose clock is 48 kHz (RFC 7587).
STATIC_CLOCK: Final = 8000
OPUS_CLOCK: Final = 48000
DYNAMIC_TYPES: Final = range(96, 128)

_rtp: Final = struct.Struct("!BBHII")
_ssrc: Final = struct.Struct("!I")
_16_BITS: Final = 0xFFFF
_32_BITS: Final = 0xFFFFFFFF
_HALF: Final = 1 << 15
_MARKER: Final = 0x80
_RTCP_HEADER: Final = 8
_RTP_TIME_AT: Final = 16  # in a sender report, after its NTP time
_HIGHEST_AT: Final = 8  # of a report block: the extended highest sequence number


class OneStream:
    """Of one gate. `ssrc` is what the browser sees; `sender` is whose packets pass now, None before the first."""

    __slots__ = (
        "_before", "_began_at", "_last_at", "_last_sequence", "_last_time", "_sequence_offset", "_time_offset",
        "sender", "ssrc",
    )  # fmt: skip

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.sender: int | None = None
        self._before: int | None = None
        self._began_at = 0.0
        self._last_at = 0.0
        self._last_sequence = 0
        self._last_time = 0
        self._sequence_offset = 0
        self._time_offset = 0

    def rtp(self, data: bytes, now: float) -> bytes | None:
        """The packet as the browser gets it; None of one that came too late, after another sender had begun."""
        flags, kind, sequence, time, sender = _rtp.unpack_from(data)
        if sender != self.sender:
            if sender == self._before and now - self._began_at < STRAGGLER_S:
                return None
            if self.sender is None:
                self._last_sequence = (sequence - 1) & _16_BITS
            else:
                self._follow(kind, sequence, time, now)
                kind |= _MARKER  # a talkspurt begins: what is waiting may be played now
            self._before, self.sender, self._began_at = self.sender, sender, now
        sequence = (sequence + self._sequence_offset) & _16_BITS
        time = (time + self._time_offset) & _32_BITS
        if (sequence - self._last_sequence) & _16_BITS < _HALF:
            self._last_sequence, self._last_time, self._last_at = sequence, time, now
        return _rtp.pack(flags, kind, sequence, time, self.ssrc) + data[_rtp.size :]

    def rtcp_to_browser(self, data: bytes) -> bytes:
        """Reports of the sender at the moment, in the browser's numbers; b"" where nothing is left to say."""
        kept = bytearray()
        for packet in _packets(data):
            sender, kind = _ssrc.unpack_from(packet, 4)[0], packet[1]
            if kind == BYE or (sender != self.sender and kind in (SENDER_REPORT, SDES)):
                continue
            _ssrc.pack_into(packet, 4, self.ssrc)
            if kind == SENDER_REPORT and len(packet) >= _RTCP_HEADER + SENDER_INFO_BYTES:
                _add(packet, _RTP_TIME_AT, self._time_offset)
            kept += packet
        return bytes(kept)

    def rtcp_from_browser(self, data: bytes) -> bytes:
        """What it reports of our stream, in the numbers of who sends at the moment."""
        kept = bytearray()
        sender = self.ssrc if self.sender is None else self.sender
        for packet in _packets(data):
            for at in _blocks(packet):
                if _ssrc.unpack_from(packet, at)[0] == self.ssrc:
                    _ssrc.pack_into(packet, at, sender)
                    _add(packet, at + _HIGHEST_AT, -self._sequence_offset)
            if packet[1] in FEEDBACK and _ssrc.unpack_from(packet, _RTCP_HEADER)[0] == self.ssrc:
                _ssrc.pack_into(packet, _RTCP_HEADER, sender)
            kept += packet
        return bytes(kept)

    def _follow(self, kind: int, sequence: int, time: int, now: float) -> None:
        """Another sender than the first is put behind what was sent."""
        clock = OPUS_CLOCK if kind & ~_MARKER in DYNAMIC_TYPES else STATIC_CLOCK
        passed = round(max(now - self._last_at, FRAME_S) * clock)
        self._sequence_offset = (self._last_sequence + 1 - sequence) & _16_BITS
        self._time_offset = (self._last_time + passed - time) & _32_BITS


def _packets(data: bytes) -> list[bytearray]:
    """Those of a compound one; [] when its lengths do not add up."""
    packets = []
    at = 0
    while at < len(data):
        size = 4 + 4 * int.from_bytes(data[at + 2 : at + 4])
        least = _RTCP_HEADER + (4 if data[at + 1 : at + 2] and data[at + 1] in FEEDBACK else 0)
        if size < least or at + size > len(data):
            return []
        packets.append(bytearray(data[at : at + size]))
        at += size
    return packets


def _blocks(packet: bytearray) -> range:
    """Where the report blocks begin."""
    if packet[1] not in (SENDER_REPORT, RECEIVER_REPORT):
        return range(0)
    begin = _RTCP_HEADER + (SENDER_INFO_BYTES if packet[1] == SENDER_REPORT else 0)
    count = min(packet[0] & 0x1F, max(0, len(packet) - begin) // REPORT_BLOCK_BYTES)
    return range(begin, begin + count * REPORT_BLOCK_BYTES, REPORT_BLOCK_BYTES)


def _add(packet: bytearray, at: int, amount: int) -> None:
    _ssrc.pack_into(packet, at, (_ssrc.unpack_from(packet, at)[0] + amount) & _32_BITS)
