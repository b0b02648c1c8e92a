"""The sound of one call: packets in to keys and recording, packets out every 20 ms. Pure: no socket, no clock.

Sending goes on while nothing is said and while a message is recorded, so that the way through every NAT and relay stays
open and nobody takes the call for dead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from media.dtmf import KeyReader
from media.rtp import SEQUENCE_MASK, TIMESTAMP_MASK, RtpError, RtpPacket, format_packet, parse_packet
from voicemail.coder import Coder
from voicemail.player import Piece, Player
from voicemail.recorder import Recorder
from voicemail.rtp_port import RtpCounts
from voicemail.sdp_answer import Agreed

if TYPE_CHECKING:
    from voicemail.conference import Party

COMFORT_NOISE: Final = 13  # RFC 3389; it says that there is silence, which is what its absence says, too


class Ear(Protocol):
    """Who hears the caller."""

    def receive(self, *, source: int, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        """One packet of the agreed codec; an empty payload for one of digits or comfort noise."""


class Voice(Protocol):
    """Who speaks to the caller."""

    @property
    def payload(self) -> bytes | None:
        """Of this beat; None is silence."""


class Stream:
    """For one agreed codec; another codec is another stream."""

    __slots__ = (
        "_coder",
        "_counts",
        "_ear",
        "_event_type",
        "_is_marked",
        "_keys",
        "_on_digit",
        "_payload_type",
        "_sequence",
        "_ssrc",
        "_step",
        "_timestamp",
        "_voice",
        "codec",
        "player",
    )

    def __init__(
        self,
        agreed: Agreed,
        *,
        random: Callable[[int], bytes],
        on_digit: Callable[[str, float], None],
        counts: RtpCounts,
        now: float,
    ) -> None:
        self.codec = agreed.codec
        self._coder = coder = Coder(agreed.codec)
        self._payload_type = agreed.payload_type
        self._event_type = agreed.event_type
        self._keys = KeyReader(agreed.event_rate, now)
        self._on_digit = on_digit
        self._counts = counts
        self._ssrc = int.from_bytes(random(4), "big")
        self._sequence = int.from_bytes(random(2), "big")
        self._timestamp = int.from_bytes(random(4), "big")
        self._step = agreed.codec.ticks_per_frame
        self._is_marked = True
        self.player = Player(coder)
        self._ear: Ear | None = None
        self._voice: Voice | None = None

    @property
    def sample_rate(self) -> int:
        return self._coder.sample_rate

    def is_for(self, agreed: Agreed) -> bool:
        return (self.codec, self._payload_type, self._event_type) == (
            agreed.codec,
            agreed.payload_type,
            agreed.event_type,
        )

    def record(self, now: float) -> Recorder:
        """From now on."""
        self._ear = recorder = Recorder(self._coder, now)
        return recorder

    def confer(self, party: Party) -> None:
        """What comes goes to the others, what they say is sent while nothing is played."""
        self._ear = party.buffer
        self._voice = party

    def play(self, pieces: Sequence[Piece]) -> None:
        self.player.play(pieces)
        self._is_marked = True

    def receive(self, data: bytes, now: float) -> None:
        try:
            packet = parse_packet(data)
        except RtpError as problem:
            self._counts.drop(problem.reason)
            return
        if packet.payload_type == self._payload_type:
            self._hear(packet, packet.payload, now)
            if self._keys.is_in_event:
                self._say(self._keys.pass_time(packet.timestamp, now), now)
        elif packet.payload_type == self._event_type:
            self._hear(packet, b"", now)
            self._say(self._keys.receive(packet.payload, packet.timestamp, packet.is_marked, now), now)
        elif packet.payload_type == COMFORT_NOISE:
            self._hear(packet, b"", now)
        else:
            self._counts.drop("payload_type")

    def next_packet(self) -> bytes:
        """What to send now."""
        player = self.player
        payload = player.next_payload() if player.is_playing else None
        if payload is None and self._voice is not None:
            payload = self._voice.payload
        packet = RtpPacket(
            self._payload_type,
            self._sequence,
            self._timestamp,
            self._ssrc,
            player.silence if payload is None else payload,
            is_marked=self._is_marked,
        )
        self._is_marked = False
        self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        self._timestamp = (self._timestamp + self._step) & TIMESTAMP_MASK
        return format_packet(packet)

    def _hear(self, packet: RtpPacket, payload: bytes, now: float) -> None:
        if self._ear is not None:
            self._ear.receive(
                source=packet.ssrc,
                sequence=packet.sequence,
                timestamp=packet.timestamp,
                payload=payload,
                now=now,
            )

    def _say(self, keys: Sequence[tuple[str, int]], now: float) -> None:
        for digit, _ in keys:
            self._on_digit(digit, now)
