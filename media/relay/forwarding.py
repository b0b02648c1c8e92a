"""What happens to each packet: taken or dropped, and whose port it leaves by. No socket, no clock.

Every packet comes through `rtp` or `rtcp`; the first lines of `rtp` are the hot path of the relay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from media.latch import ACCEPTED, LATCHING, STRANGER, SocketAddress
from media.relay.endpoint import COMFORT_NOISE, NO_TYPE, TELEPHONE_EVENT, Endpoint
from media.relay.messages import Format
from media.rtcp import MALFORMED, Reports, parse_reports
from media.rtp import (
    HEADER_BYTES,
    OVERSIZED,
    PACKET_BYTES_MAX,
    PAYLOAD_TYPE_MASK,
    TRUNCATED,
    VERSION_BITS,
    header_problem,
    unpack_header,
)

# Reasons to drop; metric labels, beside those of media.rtp, media.rtcp and media.latch.
PAYLOAD_TYPE: Final = "payload_type"
TOO_FAST: Final = "too_fast"
NOT_BRIDGED: Final = "not_bridged"
NO_ADDRESS: Final = "no_address"
PLAYED_OVER: Final = "played_over"
RTCP_NOT_MUXED: Final = "rtcp_not_muxed"
OWN_PORT: Final = "own_port"

# The smallest UDPTL packet: sequence number, length and what it carries (T.38 9.1.3).
UDPTL_BYTES_MIN: Final = 4

# A packet to be sent: by whose port, whether by its RTCP port, the octets, to whom.
Outgoing = tuple[Endpoint, bool, bytes, SocketAddress]


class Forwarding:
    """The packet path of all endpoints. `outbox` is what is to be sent beside the packet at hand.

    `on_latched` is told of peers that were found.
    """

    __slots__ = ("_is_own", "_on_latched", "outbox")

    def __init__(
        self,
        outbox: list[Outgoing],
        *,
        is_own: Callable[[SocketAddress], bool],
        on_latched: Callable[[Endpoint], None],
    ) -> None:
        self.outbox = outbox
        self._is_own = is_own
        self._on_latched = on_latched

    def rtp(self, endpoint: Endpoint, data: bytes, source: SocketAddress, now: float) -> Endpoint | None:
        """A packet on an RTP port. The endpoint by whose RTP port it leaves, to the peer's `latch.destination`."""
        length = len(data)
        if length > PACKET_BYTES_MAX:
            endpoint.drop(OVERSIZED)
            return None
        if not endpoint.is_rtp:
            return self._unread(endpoint, data, source, now)
        if length < HEADER_BYTES:
            self._short(endpoint, data, source, now)
            return None
        first, second, sequence, timestamp, ssrc = unpack_header(data)
        if first != VERSION_BITS:
            problem = header_problem(data)
            if problem:
                endpoint.drop(problem)
                return None
        if 192 <= second <= 223:
            self._muxed(endpoint, data, source, now)
            return None
        if source != endpoint.latch.accepted and not self._latch(endpoint, source, ssrc, sequence, now):
            return None
        stream = endpoint.stream
        if stream.packets >= endpoint.allowance.limit and endpoint.allowance.is_used_up(stream.packets, now):
            endpoint.drop(TOO_FAST)
            return None
        payload_type = second & PAYLOAD_TYPE_MASK
        if payload_type != endpoint.payload_type and not self._change_type(endpoint, payload_type):
            endpoint.drop(PAYLOAD_TYPE)
            return None
        stream.received(sequence, timestamp, ssrc, length, now, is_timed=not endpoint.is_event)
        return self._other_end(endpoint, length)

    def _other_end(self, endpoint: Endpoint, length: int) -> Endpoint | None:
        """Who sends on what this endpoint has accepted."""
        peer = endpoint.peer
        if peer is None:
            endpoint.drop(NOT_BRIDGED)
            return None
        if peer.playing is not None:
            endpoint.drop(PLAYED_OVER)
            return None
        if peer.latch.destination is None:
            endpoint.drop(NO_ADDRESS)
            return None
        peer.packets_sent += 1
        peer.octets_sent += length
        return peer

    def _short(self, endpoint: Endpoint, data: bytes, source: SocketAddress, now: float) -> None:
        """Too short for RTP; an empty RR has eight octets."""
        if len(data) >= 2 and 192 <= data[1] <= 223:
            self._muxed(endpoint, data, source, now)
        else:
            endpoint.drop(TRUNCATED)

    def _latch(self, endpoint: Endpoint, source: SocketAddress, ssrc: int, sequence: int, now: float) -> bool:
        """A packet from an address that is not the peer's: whether it is now."""
        latch = endpoint.latch
        if not latch.may_come_from(source[0]):
            endpoint.drop(STRANGER)
            return False
        if source[1] == 0 or self._is_own(source):
            endpoint.drop(OWN_PORT)
            return False
        reason = latch.heard(source, ssrc, sequence, now, endpoint.stream)
        if reason != ACCEPTED:
            endpoint.drop(reason)
            return False
        remote = endpoint.rtcp_remote
        if remote is not None and remote[0] != source[0]:
            endpoint.rtcp_remote = None
        self._on_latched(endpoint)
        return True

    def _change_type(self, endpoint: Endpoint, payload_type: int) -> bool:
        """Another payload type than the packet before: whether either end has agreed to it."""
        found = format_of(endpoint, payload_type)
        if found is None:
            return False
        name = found.name.upper()
        endpoint.payload_type = payload_type
        endpoint.is_event = name == TELEPHONE_EVENT
        if not endpoint.is_event and name != COMFORT_NOISE:
            endpoint.codec = found.name
            endpoint.stream.change_clock(found.clock_rate)
        return True

    def _unread(self, endpoint: Endpoint, data: bytes, source: SocketAddress, now: float) -> Endpoint | None:
        """UDPTL: as it is, from the peer alone."""
        length = len(data)
        if length < UDPTL_BYTES_MIN:
            endpoint.drop(TRUNCATED)
            return None
        if source != endpoint.latch.accepted and not self._latch(endpoint, source, 0, 0, now):
            return None
        stream = endpoint.stream
        if stream.packets >= endpoint.allowance.limit and endpoint.allowance.is_used_up(stream.packets, now):
            endpoint.drop(TOO_FAST)
            return None
        stream.heard(length, now)
        return self._other_end(endpoint, length)

    def rtcp(self, endpoint: Endpoint, data: bytes, source: SocketAddress, now: float) -> None:
        """A packet on an RTCP port."""
        if not endpoint.latch.may_come_from(source[0]):
            endpoint.drop(STRANGER)
            return
        reports = self._reports(endpoint, data)
        if reports is None:
            return
        if source != endpoint.rtcp_remote and not self._rtcp_latch(endpoint, source, reports.ssrc):
            return
        self._pass_reports(endpoint, data, reports, now)

    def _muxed(self, endpoint: Endpoint, data: bytes, source: SocketAddress, now: float) -> None:
        """RTCP on the RTP port (RFC 5761). It finds nobody: it must come from where RTP comes from."""
        latch = endpoint.latch
        if not latch.may_come_from(source[0]):
            endpoint.drop(STRANGER)
        elif not endpoint.is_muxed:
            endpoint.drop(RTCP_NOT_MUXED)
        elif source != (latch.accepted if latch.accepted is not None else latch.exact):
            endpoint.drop(LATCHING)
        else:
            reports = self._reports(endpoint, data)
            if reports is not None:
                self._pass_reports(endpoint, data, reports, now)

    def _reports(self, endpoint: Endpoint, data: bytes) -> Reports | None:
        if len(data) > PACKET_BYTES_MAX:
            endpoint.drop(OVERSIZED)
            return None
        reports = parse_reports(data)
        if reports is None:
            endpoint.drop(MALFORMED)
        return reports

    def _rtcp_latch(self, endpoint: Endpoint, source: SocketAddress, ssrc: int) -> bool:
        """RTCP from another address than before. Its port cannot be guessed: it must be RTP's host, and RTP's SSRC
        where we know it; the SDP's own address needs neither and stays."""
        latch, stream, exact = endpoint.latch, endpoint.stream, endpoint.rtcp_exact
        accepted = latch.accepted
        is_exact = source == exact
        is_settled = endpoint.rtcp_remote is not None and endpoint.rtcp_remote == exact
        if accepted is None:
            is_taken = is_exact
        elif source[0] != accepted[0] or is_settled or endpoint.is_muxed:
            is_taken = False
        else:
            is_taken = is_exact or (stream.packets > 0 and ssrc == stream.ssrc)
        if not is_taken or source[1] == 0 or self._is_own(source):
            endpoint.drop(LATCHING)
            return False
        endpoint.rtcp_remote = source
        if accepted is not None:
            self._on_latched(endpoint)
        return True

    def _pass_reports(self, endpoint: Endpoint, data: bytes, reports: Reports, now: float) -> None:
        allowance = endpoint.rtcp_allowance
        if endpoint.rtcp_packets >= allowance.limit and allowance.is_used_up(endpoint.rtcp_packets, now):
            endpoint.drop(TOO_FAST)
            return
        endpoint.rtcp_packets += 1
        endpoint.rtcp_at = now
        endpoint.round_trip.answered(reports, now)
        peer = endpoint.peer
        if peer is None:
            endpoint.drop(NOT_BRIDGED)
            return
        destination = peer.latch.destination if peer.is_muxed else peer.rtcp_destination()
        if destination is None:
            endpoint.drop(NO_ADDRESS)
            return
        peer.round_trip.sent(reports, now)
        self.outbox.append((peer, not peer.is_muxed, data, destination))


def format_of(endpoint: Endpoint, payload_type: int) -> Format | None:
    """What a payload type means on this endpoint: by its own last description, or by the other end's."""
    found = endpoint.formats.get(payload_type)
    if found is None and endpoint.peer is not None:
        found = endpoint.peer.formats.get(payload_type)
    return found


def forget_types(endpoint: Endpoint) -> None:
    """After a description or a bridge: what was agreed is looked up again, on both ends."""
    endpoint.payload_type = NO_TYPE
    if endpoint.peer is not None:
        endpoint.peer.payload_type = NO_TYPE
