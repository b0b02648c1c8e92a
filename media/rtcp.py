"""RTCP as far as somebody in between reads it (RFC 3550 6.4): who sent it, when, and which report it answers.

SRTCP has the first eight octets in clear and the rest encrypted, so a packet is sound when its first header is; what
follows is read only when every length adds up, which ciphertext with its tag does not.
"""

from __future__ import annotations

import struct
from typing import Final

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
# RFC 5761 4: with these second octets it is RTCP, also on a port that carries both.
PACKET_TYPE_MIN: Final = 192
PACKET_TYPE_MAX: Final = 223
HEADER_BYTES: Final = 8  # with the sender's SSRC
REPORT_BLOCK_BYTES: Final = 24
SENDER_INFO_BYTES: Final = 20
# RFC 3550 6.4: a report has at most 31 blocks; a conference has no more reports in one packet than this.
PACKETS_MAX: Final = 32

MALFORMED: Final = "rtcp_malformed"

_unpack_header = struct.Struct("!BBHI").unpack_from
_unpack_ntp = struct.Struct("!II").unpack_from
_unpack_block = struct.Struct("!IIIIII").unpack_from
# DLSR counts 1/65536 s.
SHORT_NTP_PER_S: Final = 65536


class Reports:
    """What a compound packet reports. `sent_ntp` is the middle 32 bits of the SR's time, 0 without an SR.

    `answers`: (last_sr, delay_since_last_sr) of each block that answers a report, in their own units.
    """

    __slots__ = ("answers", "sent_ntp", "ssrc")

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.sent_ntp = 0
        self.answers: list[tuple[int, int]] = []


def is_rtcp(data: bytes) -> bool:
    """Whether a packet on a port that carries both is RTCP."""
    return len(data) >= 2 and PACKET_TYPE_MIN <= data[1] <= PACKET_TYPE_MAX


def parse_reports(data: bytes) -> Reports | None:
    """None: not RTCP. An encrypted or odd rest leaves the reports empty."""
    if len(data) < HEADER_BYTES or data[0] & 0xC0 != 0x80 or not is_rtcp(data):
        return None
    if _size_at(data, 0) > len(data) or _size_at(data, 0) < HEADER_BYTES:
        return None
    reports = Reports(int(_unpack_header(data)[3]))
    starts = _starts(data)
    for start in starts:
        _read_report(data, start, reports)
    return reports


def _size_at(data: bytes, start: int) -> int:
    return 4 + 4 * ((data[start + 2] << 8) | data[start + 3])


def _starts(data: bytes) -> list[int]:
    """Where each packet of the compound begins; [] when the lengths do not add up."""
    starts: list[int] = []
    at = 0
    while at < len(data):
        if len(data) - at < 4 or data[at] & 0xC0 != 0x80 or len(starts) == PACKETS_MAX:
            return []
        starts.append(at)
        at += _size_at(data, at)
    return starts if at == len(data) else []


def _read_report(data: bytes, start: int, reports: Reports) -> None:
    kind, end = data[start + 1], start + _size_at(data, start)
    at = start + HEADER_BYTES
    if kind == SENDER_REPORT:
        if end - at < SENDER_INFO_BYTES:
            return
        seconds, fraction = _unpack_ntp(data, at)
        reports.sent_ntp = ((seconds & 0xFFFF) << 16) | (fraction >> 16)
        at += SENDER_INFO_BYTES
    elif kind != RECEIVER_REPORT:
        return
    for _ in range(data[start] & 0x1F):
        if end - at < REPORT_BLOCK_BYTES:
            return
        _, _, _, _, last_sr, delay = _unpack_block(data, at)
        if last_sr:
            reports.answers.append((last_sr, delay))
        at += REPORT_BLOCK_BYTES


class RoundTrip:
    """The round trip between whoever passes reports on and the peer that answers them.

    The peer says which report it last had (LSR) and how long ago (DLSR); we know when we sent that one on. Works on
    what passes through, and so without RTCP of our own.
    """

    __slots__ = ("_sent_at", "latest_s")

    # An answer is to one of the last few reports; older ones are forgotten.
    REPORTS_KEPT: Final = 8
    # A longer one is no telephone call; somebody counts wrongly.
    LONGEST_S: Final = 10.0

    def __init__(self) -> None:
        self._sent_at: dict[int, float] = {}
        self.latest_s = 0.0

    def sent(self, reports: Reports, now: float) -> None:
        if reports.sent_ntp:
            self._sent_at[reports.sent_ntp] = now
            if len(self._sent_at) > self.REPORTS_KEPT:
                del self._sent_at[next(iter(self._sent_at))]

    def answered(self, reports: Reports, now: float) -> None:
        for last_sr, delay in reports.answers:
            sent_at = self._sent_at.get(last_sr)
            if sent_at is not None:
                round_trip_s = now - sent_at - delay / SHORT_NTP_PER_S
                if 0.0 <= round_trip_s <= self.LONGEST_S:
                    self.latest_s = max(round_trip_s, 1e-6)
