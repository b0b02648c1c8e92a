"""Sounds played to a peer instead of what the other end says: a frame every 20 ms (RFC 3550 5.1, RFC 3551 4.1).

All of them are sent on one beat. An endpoint plays with an SSRC of its own, kept from sound to sound: its sequence
numbers go on, its timestamps count the time between, and the first packet of each sound is marked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from media.latch import SocketAddress
from media.relay.limits import PLAY_LATE_MAX_S, PLAY_WAITS_S
from media.relay.messages import Format
from media.rtp import RtpPacket, format_packet

if TYPE_CHECKING:
    from media.relay.endpoint import Endpoint

FRAME_S: Final = 0.020
FRAMES_PER_S: Final = 50
UNTIL_STOPPED: Final = 0


class Prompts(Protocol):
    """Sounds by name, as payloads of 20 ms each."""

    def frames(self, name: str, codec: str) -> Sequence[bytes] | None:
        """None: there is no such sound in this codec."""
        ...


class NoPrompts:
    """A relay without a catalogue."""

    __slots__ = ()

    def frames(self, name: str, codec: str) -> Sequence[bytes] | None:
        return None


class Playing:
    """One sound on its way."""

    __slots__ = ("format", "frames", "index", "is_begun", "name", "repeats_left", "token", "waits_until")

    def __init__(
        self,
        name: str,
        found: Format,
        frames: Sequence[bytes],
        *,
        token: int,
        repeats: int,
        waits_until: float,
    ) -> None:
        self.name = name
        self.format = found
        self.frames = frames
        self.token = token
        self.repeats_left = repeats - 1 if repeats > 0 else -1
        self.waits_until = waits_until
        self.index = 0
        self.is_begun = False

    def step(self, frames: int) -> bool:
        """So many frames further; whether the sound goes on."""
        self.index += frames
        while self.index >= len(self.frames):
            if not self.repeats_left:
                return False
            self.repeats_left -= self.repeats_left > 0
            self.index -= len(self.frames)
        return True


class Player:
    """All sounds that are being played. `random_bits(n)` gives n random bits; `on_played` hears of every end."""

    __slots__ = ("_due", "_endpoints", "_on_played", "_outbox", "_prompts", "_random_bits", "plays")

    def __init__(
        self,
        prompts: Prompts,
        outbox: list[tuple[Endpoint, bool, bytes, SocketAddress]],
        *,
        random_bits: Callable[[int], int],
        on_played: Callable[[Endpoint, int, bool], None],
    ) -> None:
        self._prompts = prompts
        self._outbox = outbox
        self._random_bits = random_bits
        self._on_played = on_played
        self._endpoints: dict[Endpoint, None] = {}
        self._due = 0.0
        self.plays = 0

    @property
    def due(self) -> float | None:
        """When `tick` is to be called; None: nothing is played."""
        return self._due if self._endpoints else None

    def play(self, endpoint: Endpoint, name: str, *, token: int, repeats: int, now: float) -> bool:
        """Instead of what is played now. Whether there is such a sound in a codec of the peer."""
        self.stop(endpoint)
        found = self._find(endpoint, name)
        if found is None:
            self._on_played(endpoint, token, False)
            return False
        if not endpoint.own_ssrc:
            endpoint.own_ssrc = self._random_bits(32) or 1
            endpoint.own_sequence = self._random_bits(16)
            endpoint.own_timestamp = self._random_bits(32)
            endpoint.own_timestamp_at = now
        if not self._endpoints:
            self._due = now
        endpoint.playing = Playing(
            name, found[0], found[1], token=token, repeats=repeats, waits_until=now + PLAY_WAITS_S
        )
        self._endpoints[endpoint] = None
        self.plays += 1
        return True

    def stop(self, endpoint: Endpoint, *, is_whole: bool = False) -> None:
        playing = endpoint.playing
        if playing is not None:
            endpoint.playing = None
            del self._endpoints[endpoint]
            self._on_played(endpoint, playing.token, is_whole)

    def described_anew(self, endpoint: Endpoint) -> None:
        """The peer may speak another codec now: the sound goes on in that one."""
        playing = endpoint.playing
        if playing is None or endpoint.formats.get(playing.format.payload_type) == playing.format:
            return
        found = self._find(endpoint, playing.name)
        if found is None:
            self.stop(endpoint)
        else:
            playing.format, playing.frames = found
            playing.index = min(playing.index, len(playing.frames) - 1)

    def tick(self, now: float) -> None:
        """Sends the frames that are due."""
        late = now - self._due
        if late > PLAY_LATE_MAX_S:
            skipped = int(late * FRAMES_PER_S)
            self._due += skipped * FRAME_S
            self._skip(skipped)
        while self._endpoints and now >= self._due:
            for endpoint in list(self._endpoints):
                self._send_frame(endpoint, self._due)
            self._due += FRAME_S

    def _skip(self, frames: int) -> None:
        for endpoint in list(self._endpoints):
            playing = endpoint.playing
            assert playing is not None, "it is in the list"
            if playing.is_begun and not playing.step(frames):
                self.stop(endpoint, is_whole=True)

    def _send_frame(self, endpoint: Endpoint, at: float) -> None:
        playing = endpoint.playing
        assert playing is not None, "it is in the list"
        destination = endpoint.latch.destination
        if destination is None and not playing.is_begun and at < playing.waits_until:
            return
        if destination is not None:
            packet = RtpPacket(
                playing.format.payload_type,
                endpoint.own_sequence,
                self._timestamp(endpoint, playing.format.clock_rate, at),
                endpoint.own_ssrc,
                bytes(playing.frames[playing.index]),
                is_marked=not playing.is_begun,
            )
            data = format_packet(packet)
            endpoint.own_sequence = (endpoint.own_sequence + 1) & 0xFFFF
            endpoint.packets_sent += 1
            endpoint.octets_sent += len(data)
            self._outbox.append((endpoint, False, data, destination))
        playing.is_begun = True
        if not playing.step(1):
            self.stop(endpoint, is_whole=True)

    def _timestamp(self, endpoint: Endpoint, clock_rate: int, at: float) -> int:
        """The time since the last frame in the codec's clock; a whole number of frames within a sound."""
        passed = round((at - endpoint.own_timestamp_at) * FRAMES_PER_S) * (clock_rate // FRAMES_PER_S)
        endpoint.own_timestamp = (endpoint.own_timestamp + passed) & 0xFFFFFFFF
        endpoint.own_timestamp_at = at
        return endpoint.own_timestamp

    def _find(self, endpoint: Endpoint, name: str) -> tuple[Format, Sequence[bytes]] | None:
        for found in _by_agreement(endpoint):
            frames = self._prompts.frames(name, found.name)
            if frames:
                return found, frames
        return None


def _by_agreement(endpoint: Endpoint) -> list[Format]:
    """The peer's formats, first those that the other end has, too, and of these the one that it has been sending.

    A description that was an offer lists more than what was agreed in the end (RFC 3264 6.1).
    """
    peer, formats = endpoint.peer, list(endpoint.formats.values())
    if peer is None:
        return formats
    in_use = peer.codec.upper()
    common = {(each.name.upper(), each.clock_rate) for each in peer.formats.values()}

    def rank(found: Format) -> tuple[bool, bool]:
        name = found.name.upper()
        return (name, found.clock_rate) not in common, name != in_use

    return sorted(formats, key=rank)
