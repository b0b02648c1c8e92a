"""One endpoint: a pair of ports and the peer that it talks with; where that is, what it may send, what it has sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from media.latch import Latch, SocketAddress
from media.quality import Stream, stream_score
from media.relay.course_count import CourseCount
from media.relay.limits import PACKETS_PER_S_MAX
from media.relay.messages import Figures, Format
from media.relay.playing import Playing
from media.rtcp import RoundTrip

TELEPHONE_EVENT: Final = "TELEPHONE-EVENT"
COMFORT_NOISE: Final = "CN"
NO_TYPE: Final = -1
MICROS: Final = 1_000_000
HUNDREDTHS: Final = 100


def _nowhere(_data: bytes, _address: object) -> int:
    """Before it has a socket."""
    return 0


class Allowance:
    """How many packets a peer may send: up to the count of `limit` nothing needs to be asked. A second's worth may come
    at once, as after a stall."""

    __slots__ = ("_since", "limit")

    def __init__(self, now: float) -> None:
        self.limit = PACKETS_PER_S_MAX
        self._since = now

    def is_used_up(self, count: int, now: float) -> bool:
        """At the limit: whether the time since the last one has not earned a packet more."""
        earned = int((now - self._since) * PACKETS_PER_S_MAX)
        if earned <= 0:
            return True
        self.limit = count + min(earned, PACKETS_PER_S_MAX)
        self._since = now
        return False


class Endpoint:
    """Owned by the core. `owner` is whatever the shell hangs its sockets on; the core does not look at it.

    `send_rtp` is its RTP socket's. `payload_type` is the one that was last found good, NO_TYPE when the next packet is
    to be looked up.
    """

    __slots__ = (
        "allowance", "codec", "course", "dropped", "formats", "host", "is_current", "is_event", "is_muxed",
        "is_rtp", "label", "latch", "may_be_silent", "number", "octets_sent", "own_sequence", "own_ssrc",
        "own_timestamp", "own_timestamp_at", "owner", "packets_sent", "payload_type", "peer", "playing", "port",
        "quiet_since", "round_trip", "rtcp_allowance", "rtcp_at", "rtcp_exact", "rtcp_packets", "rtcp_remote",
        "said_silent_at", "send_rtp", "silence_s", "silent_since", "stream", "version",
    )  # fmt: skip

    def __init__(self, number: int, host: str, port: int, label: str, *, is_rtp: bool, now: float) -> None:
        self.number = number
        self.host = host
        self.port = port
        self.label = label
        self.is_rtp = is_rtp
        self.is_current = True
        self.owner: object = None
        self.send_rtp: Callable[[bytes, Any], int] = _nowhere
        self.peer: Endpoint | None = None
        self.latch = Latch(is_unread=not is_rtp)
        self.stream = Stream()
        self.course = CourseCount(now)
        self.version = -1
        self.formats: dict[int, Format] = {}
        self.payload_type = NO_TYPE
        self.is_event = False
        self.codec = ""
        self.is_muxed = False
        self.rtcp_exact: SocketAddress | None = None
        self.rtcp_remote: SocketAddress | None = None
        self.rtcp_at = 0.0
        self.rtcp_packets = 0
        self.round_trip = RoundTrip()
        self.packets_sent = 0
        self.octets_sent = 0
        self.dropped: dict[str, int] = {}
        self.may_be_silent = False
        self.silence_s = 0
        self.quiet_since = now
        self.said_silent_at = 0.0
        self.silent_since: float | None = None  # of the silence that was reported, while it lasts
        self.playing: Playing | None = None
        self.own_ssrc = 0
        self.own_sequence = 0
        self.own_timestamp = 0
        self.own_timestamp_at = 0.0
        self.allowance = Allowance(now)
        self.rtcp_allowance = Allowance(now)

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def heard_at(self) -> float:
        """When the peer last gave a sign of life, or silence began to count."""
        return max(self.stream.last_at, self.rtcp_at, self.quiet_since)

    def restart_silence(self, now: float) -> None:
        self.quiet_since = now

    def rtcp_destination(self) -> SocketAddress | None:
        """Where its RTCP goes on the port of its own: where it was heard, or where its SDP says if that is usable."""
        if self.latch.destination is None:
            return None
        if self.rtcp_remote is not None:
            return self.rtcp_remote
        accepted, exact = self.latch.accepted, self.rtcp_exact
        if exact is None or (accepted is not None and accepted[0] != exact[0]):
            return None
        return exact

    def rtcp_port(self) -> int:
        """Where its RTCP was heard; 0: not yet."""
        if self.is_muxed:
            return self.latch.accepted[1] if self.latch.accepted is not None else 0
        return self.rtcp_remote[1] if self.rtcp_remote is not None else 0

    def score(self) -> float:
        return stream_score(self.stream, self.codec, round_trip_s=self.round_trip.latest_s)

    def figures(self, now: float, *, is_closed: bool) -> Figures:
        stream = self.stream
        remote = self.latch.accepted or self.latch.destination
        return Figures(
            endpoint=self.number,
            codec=self.codec,
            packets=stream.packets,
            octets=stream.octets,
            lost=stream.lost,
            reordered=stream.reordered,
            duplicates=stream.duplicates,
            jitter_us=round(stream.jitter_mean_s * MICROS),
            jitter_max_us=round(stream.jitter_max_s * MICROS),
            gap_us=round(stream.gap_s * MICROS),
            round_trip_us=round(self.round_trip.latest_s * MICROS),
            mos=round(self.score() * HUNDREDTHS),
            packets_sent=self.packets_sent,
            octets_sent=self.octets_sent,
            first_ago_s=now - stream.first_at if stream.packets else 0.0,
            last_ago_s=now - stream.last_at if stream.packets else 0.0,
            remote_host=remote[0] if remote is not None else "",
            remote_port=remote[1] if remote is not None else 0,
            dropped=dict(self.dropped),
            is_closed=is_closed,
            course=self.course.packed(stream, now, is_held=self.may_be_silent) if is_closed else b"",
        )
