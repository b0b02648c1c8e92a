"""RTP packets of one sender -> 20 ms of sound each time it is asked for: put in order, late ones waited for briefly.

It begins to play when two frames are there, which is what a sender and a receiver without a common clock need at least
(40 ms). Each packet that comes too late makes it hold a frame more, up to 120 ms; when more has lain there unused for
two seconds, a frame is left out. A missing packet is 20 ms of silence. Pure: nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

SEQUENCES: Final = 1 << 16
FRAMES_MIN: Final = 2
FRAMES_MAX: Final = 6
# Beyond it, packets are of another stream under the same name, or of somebody who sends too fast: one second.
HELD_MAX: Final = 50
# Frames asked for between two looks at what lay unused.
LOOK_EACH: Final = 100


class JitterBuffer:
    """`take()` gives frames of `frame_bytes`. `late` and `lost` count packets, `dropped` what made the wait shorter."""

    __slots__ = (
        "_decode",
        "_frame_bytes",
        "_held",
        "_is_playing",
        "_least",
        "_next",
        "_packet_bytes",
        "_ready",
        "_source",
        "_taken",
        "_target",
        "dropped",
        "late",
        "lost",
    )

    def __init__(self, decode: Callable[[bytes], bytes], *, frame_bytes: int) -> None:
        """`decode` makes samples of a payload, b"" of what is none."""
        self._decode = decode
        self._frame_bytes = frame_bytes
        self._held: dict[int, bytes] = {}  # by sequence number, from _next on
        self._next: int | None = None
        self._source = 0
        self._ready = b""  # decoded, not yet taken
        self._packet_bytes = frame_bytes  # of the last packet's sound
        self._target = FRAMES_MIN
        self._is_playing = False
        self._taken = 0
        self._least = FRAMES_MAX * frame_bytes
        self.late = 0
        self.lost = 0
        self.dropped = 0

    @property
    def waiting_bytes(self) -> int:
        """Sound that is there."""
        return len(self._ready) + len(self._held) * self._packet_bytes

    def receive(self, *, source: int, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        """An empty payload is silence."""
        if self._next is None or source != self._source:
            self._begin(source, sequence)
        assert self._next is not None
        ahead = (sequence - self._next) % SEQUENCES
        if ahead >= SEQUENCES - HELD_MAX:
            self.late += 1
            self._target = min(self._target + 1, FRAMES_MAX)
            return
        if ahead > HELD_MAX:
            self._begin(source, sequence)
        self._held[sequence] = payload

    def take(self) -> bytes | None:
        """The next frame; None while nothing is there, or not enough to begin with."""
        if not self._is_playing:
            if self.waiting_bytes < self._target * self._frame_bytes:
                return None
            self._is_playing = True
            self._taken = 0
        while len(self._ready) < self._frame_bytes:
            if not self._held:
                self._is_playing = False
                self._ready = b""
                return None
            self._ready += self._next_sound()
        frame, self._ready = self._ready[: self._frame_bytes], self._ready[self._frame_bytes :]
        self._look()
        return frame

    def _next_sound(self) -> bytes:
        assert self._next is not None
        payload = self._held.pop(self._next, None)
        self._next = (self._next + 1) % SEQUENCES
        if payload is None:
            self.lost += 1
        sound = self._decode(payload) if payload else b""
        if sound:
            self._packet_bytes = len(sound)
        return sound or bytes(self._packet_bytes)

    def _look(self) -> None:
        """Whether less would do."""
        self._least = min(self._least, self.waiting_bytes)
        self._taken += 1
        if self._taken % LOOK_EACH:
            return
        if self._least >= self._frame_bytes:
            self._target = max(self._target - 1, FRAMES_MIN)
            if self._least >= self._target * self._frame_bytes and self._held:
                self._ready = (self._ready + self._next_sound())[self._frame_bytes :]
                self.dropped += 1
        self._least = FRAMES_MAX * self._frame_bytes

    def _begin(self, source: int, sequence: int) -> None:
        self._held.clear()
        self._ready = b""
        self._is_playing = False
        self._source = source
        self._next = sequence
