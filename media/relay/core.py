"""The endpoints of the relay and what the switch says of them. No socket, no clock: `now` comes in.

What is to be sent is in `outbox`, what the switch is to hear in `events`, what was closed in `closed`; whoever runs the
core empties all three after each turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import assert_never

from media.latch import SocketAddress, socket_address
from media.relay.addresses import Reach
from media.relay.endpoint import Endpoint
from media.relay.forwarding import Forwarding, Outgoing, forget_types
from media.relay.limits import (
    FORMATS_MAX,
    LABEL_CHARS_MAX,
    ORPHAN_S,
    SOURCES_MAX,
)
from media.relay.messages import (
    Aim,
    Ask,
    Bridge,
    Close,
    FromRelay,
    Heard,
    Latched,
    Open,
    Play,
    Played,
    Refused,
    RelayCounts,
    Silent,
    Stop,
    Watch,
)
from media.relay.playing import Player, Prompts

Command = Aim | Bridge | Play | Stop | Watch | Close | Ask
# Upper bounds of the histogram of opinion scores: G.107's table of "nearly all dissatisfied" to "very satisfied".
MOS_BOUNDS = (1.0, 2.0, 2.58, 3.1, 3.6, 4.03, 4.34, 4.5)


class RelayCore:
    """Owns every endpoint. `current` are those of the switch that is there, by its numbers."""

    __slots__ = (
        "_attached_epoch", "_counts", "_orphans", "_player", "_reach", "closed", "current", "events", "forwarding",
        "outbox", "send_errors",
    )  # fmt: skip

    def __init__(self, reach: Reach, prompts: Prompts, *, random_bits: Callable[[int], int]) -> None:
        self.outbox: list[Outgoing] = []
        self.events: list[FromRelay] = []
        self.closed: list[Endpoint] = []
        self.current: dict[int, Endpoint] = {}
        self.send_errors = 0
        self._orphans: dict[Endpoint, None] = {}
        self._attached_epoch = ""
        self._reach = reach
        self._counts = RelayCounts(dropped={}, mos_buckets={})
        self.forwarding = Forwarding(self.outbox, is_own=reach.is_own, on_latched=self._latched)
        self._player = Player(prompts, self.outbox, random_bits=random_bits, on_played=self._played)

    @property
    def play_due(self) -> float | None:
        return self._player.due

    def endpoints(self) -> list[Endpoint]:
        return [*self.current.values(), *self._orphans]

    def attach(self, epoch: str) -> bool:
        """A switch is there. Whether it is another one than before: then what was open is nobody's until Release."""
        is_other = epoch != self._attached_epoch
        if is_other:
            for endpoint in self.current.values():
                endpoint.is_current = False
                self._orphans[endpoint] = None
            self.current.clear()
            self._attached_epoch = epoch
        return is_other

    def release(self, now: float) -> None:
        for endpoint in list(self._orphans):
            self._close(endpoint, now)

    def open(self, message: Open, now: float) -> Endpoint:
        """The number must be free."""
        assert message.endpoint not in self.current, "looked up before"
        endpoint = Endpoint(
            message.endpoint,
            message.host,
            message.port,
            message.label[:LABEL_CHARS_MAX],
            is_rtp=message.is_rtp,
            now=now,
        )
        self.current[message.endpoint] = endpoint
        return endpoint

    def handle(self, message: Command, now: float) -> None:
        """Anything but Attach, Release and Open."""
        match message:
            case Ask():
                self._ask(message, now)
                return
            case Bridge():
                self._bridge(message, now)
                return
            case _:
                number = message.endpoint
        endpoint = self.current.get(number)
        if endpoint is None:
            self.refuse(number, "there is no such endpoint")
            return
        match message:
            case Aim():
                self._aim(endpoint, message, now)
            case Play():
                self._play(endpoint, message, now)
            case Stop():
                self._player.stop(endpoint)
            case Watch():
                endpoint.silence_s = max(0, message.silence_s)
                endpoint.restart_silence(now)
            case Close():
                self._close(endpoint, now)
            case _:
                assert_never(message)

    def end(self, now: float) -> None:
        """The relay stops: everything is closed."""
        for endpoint in self.endpoints():
            self._close(endpoint, now)

    def refuse(self, number: int, reason: str) -> None:
        self.events.append(Refused(number, reason))

    def play_tick(self, now: float) -> None:
        self._player.tick(now)

    def sweep(self, now: float, *, alone_since: float | None) -> None:
        """Every fraction of a second: windows, silence, what nobody will close.

        `alone_since`: when the last switch was there, None while one is.
        """
        for endpoint in self.endpoints():
            endpoint.latch.tick(now)
            if now >= endpoint.course.due:
                endpoint.course.tick(endpoint.stream, now, is_held=endpoint.may_be_silent)
            if endpoint.silence_s:
                self._watch(endpoint, now)
        is_alone = alone_since is not None and now - alone_since >= ORPHAN_S
        for endpoint in self.endpoints() if is_alone else list(self._orphans):
            if self._quiet_for(endpoint, now) >= ORPHAN_S:
                self._close(endpoint, now)

    def counts(self) -> RelayCounts:
        """Closed endpoints and those that are open, together."""
        counts, dropped = self._counts, Counter(self._counts.dropped)
        total = RelayCounts(
            endpoints=len(self.current) + len(self._orphans),
            packets_in=counts.packets_in,
            packets_out=counts.packets_out,
            octets_in=counts.octets_in,
            octets_out=counts.octets_out,
            send_errors=self.send_errors,
            lost=counts.lost,
            latches=counts.latches,
            silences=counts.silences,
            plays=self._player.plays,
            mos_buckets=dict(counts.mos_buckets),
        )
        for endpoint in self.endpoints():
            _add(total, endpoint)
            dropped.update(endpoint.dropped)
        total.dropped = dict(dropped)
        return total

    def _aim(self, endpoint: Endpoint, message: Aim, now: float) -> None:
        exact = self._usable(message.host, message.port)
        sources = tuple(host for host in message.sources[:SOURCES_MAX] if not self._reach.host_problem(host))
        is_new = message.version > endpoint.version
        endpoint.version = max(endpoint.version, message.version)
        endpoint.latch.aim(exact, sources, is_mute=message.port == 0, is_new=is_new, now=now)
        endpoint.is_muxed = message.rtcp_port == message.port
        rtcp_exact = self._usable(message.host, message.rtcp_port)
        endpoint.rtcp_exact = rtcp_exact if rtcp_exact is not None and message.host in sources else None
        if is_new:
            endpoint.rtcp_remote = None
        if message.latched is not None:
            self._restore(endpoint, *message.latched, now)
        endpoint.formats = {one.payload_type: one for one in message.formats[:FORMATS_MAX]}
        forget_types(endpoint)
        if message.may_be_silent or endpoint.may_be_silent:
            endpoint.stream.excuse_gap()
            endpoint.course.excuse()
        if message.may_be_silent != endpoint.may_be_silent:
            endpoint.may_be_silent = message.may_be_silent
            endpoint.restart_silence(now)
        self._player.described_anew(endpoint)

    def _usable(self, host: str, port: int) -> SocketAddress | None:
        """A description's address, if packets may be sent to it at all."""
        address = socket_address(host, port)
        return None if self._reach.problem(address) else address

    def _restore(self, endpoint: Endpoint, host: str, port: int, rtcp_port: int, now: float) -> None:
        address = self._usable(host, port)
        if address is not None and endpoint.latch.restore(address, now) and not endpoint.is_muxed:
            endpoint.rtcp_remote = self._usable(host, rtcp_port)

    def _bridge(self, message: Bridge, now: float) -> None:
        a = self.current.get(message.a)
        b = self.current.get(message.b) if message.b else None
        if a is None or (message.b and b is None):
            self.refuse(message.a if a is None else message.b, "there is no such endpoint")
            return
        if a is b:
            self.refuse(message.a, "it cannot be bridged to itself")
            return
        if a.peer is b:
            return
        for end in (a, b):
            if end is not None:
                _part(end)
                end.restart_silence(now)
        a.peer = b
        if b is not None:
            b.peer = a
        forget_types(a)

    def _play(self, endpoint: Endpoint, message: Play, now: float) -> None:
        is_played = self._player.play(
            endpoint, message.name, token=message.token, repeats=message.repeats, now=now
        )
        if not is_played:
            self._tell(endpoint, Refused(endpoint.number, "there is no such sound in a codec of the peer"))

    def _ask(self, message: Ask, now: float) -> None:
        for number in message.endpoints or tuple(self.current):
            endpoint = self.current.get(number)
            if endpoint is None:
                self.refuse(number, "there is no such endpoint")
            else:
                self.events.append(endpoint.figures(now, is_closed=False))

    def _close(self, endpoint: Endpoint, now: float) -> None:
        self._player.stop(endpoint)
        _part(endpoint)
        self._tell(endpoint, endpoint.figures(now, is_closed=True))
        if endpoint.is_current:
            del self.current[endpoint.number]
        else:
            del self._orphans[endpoint]
        counts = self._counts
        _add(counts, endpoint)
        for reason, number in endpoint.dropped.items():
            counts.dropped[reason] = counts.dropped.get(reason, 0) + number
        score = endpoint.score()
        if score:
            bucket = f"{next(bound for bound in MOS_BOUNDS if score <= bound):g}"
            counts.mos_buckets[bucket] = counts.mos_buckets.get(bucket, 0) + 1
        self.closed.append(endpoint)

    def _watch(self, endpoint: Endpoint, now: float) -> None:
        ends = [endpoint] if endpoint.peer is None else [endpoint, endpoint.peer]
        since = max(end.heard_at() for end in ends)
        if endpoint.silent_since is not None and since > endpoint.silent_since:
            endpoint.silent_since = None
            self._tell(endpoint, Heard(endpoint.number))
        if any(end.may_be_silent for end in ends):
            return
        if now - max(since, endpoint.said_silent_at) >= endpoint.silence_s:
            endpoint.said_silent_at = now
            endpoint.silent_since = since
            self._counts.silences += 1
            self._tell(endpoint, Silent(endpoint.number, now - since))

    def _quiet_for(self, endpoint: Endpoint, now: float) -> float:
        """How long nothing has come from either end of its bridge."""
        heard_at = endpoint.heard_at()
        if endpoint.peer is not None:
            heard_at = max(heard_at, endpoint.peer.heard_at())
        return now - heard_at

    def _latched(self, endpoint: Endpoint) -> None:
        accepted = endpoint.latch.accepted
        assert accepted is not None, "it has just been found"
        self._tell(endpoint, Latched(endpoint.number, accepted[0], accepted[1], endpoint.rtcp_port()))

    def _played(self, endpoint: Endpoint, token: int, is_whole: bool) -> None:
        self._tell(endpoint, Played(endpoint.number, token, is_whole))

    def _tell(self, endpoint: Endpoint, message: FromRelay) -> None:
        """Another switch's numbers mean nothing to the one that is there."""
        if endpoint.is_current:
            self.events.append(message)


def _part(endpoint: Endpoint) -> None:
    """Takes an endpoint out of its bridge."""
    peer = endpoint.peer
    if peer is not None:
        forget_types(endpoint)
        peer.peer = None
        endpoint.peer = None


def _add(counts: RelayCounts, endpoint: Endpoint) -> None:
    stream = endpoint.stream
    counts.packets_in += stream.packets + endpoint.rtcp_packets
    counts.octets_in += stream.octets
    counts.packets_out += endpoint.packets_sent
    counts.octets_out += endpoint.octets_sent
    counts.lost += stream.lost
    counts.latches += endpoint.latch.latches
