"""What is said to one caller, as payloads of 20 ms: prompts made before, messages encoded as they are played. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from media.codecs import Codec
from voicemail.coder import Coder


class Samples(NamedTuple):
    """Sound at the coder's own rate, to be encoded."""

    data: bytes


class Silence(NamedTuple):
    packets: int


class Round:
    """Payloads that are played over and over, shared by all who listen. Played again, it goes on where it was."""

    __slots__ = ("_at", "_codec", "_frames", "name")

    def __init__(self, name: str, codec: Codec, frames: Sequence[bytes]) -> None:
        """`frames` are one or more, as encode_round makes them."""
        self.name = name
        self._codec = codec
        self._frames = frames
        self._at = 0

    def is_of(self, name: str, codec: Codec) -> bool:
        return (self.name, self._codec) == (name, codec)

    def payloads(self) -> Iterator[bytes]:
        """Without end."""
        frames = self._frames
        while True:
            payload = frames[self._at]
            self._at = (self._at + 1) % len(frames)
            yield payload


Piece = Sequence[bytes] | Samples | Silence | Round


class Player:
    """A queue of pieces. `next_payload` is asked every 20 ms."""

    __slots__ = ("_coder", "_current", "_pieces", "silence")

    def __init__(self, coder: Coder) -> None:
        self._coder = coder
        self._pieces: deque[Piece] = deque()
        self._current: Iterator[bytes] | None = None
        self.silence = coder.encode(bytes(coder.packet_bytes))

    @property
    def is_playing(self) -> bool:
        return self._current is not None or bool(self._pieces)

    def play(self, pieces: Sequence[Piece]) -> None:
        """Instead of what is being played."""
        self.stop()
        self._pieces.extend(pieces)

    def stop(self) -> None:
        self._pieces.clear()
        self._current = None

    def next_payload(self) -> bytes | None:
        """None at the end."""
        while True:
            if self._current is None:
                if not self._pieces:
                    return None
                self._current = self._payloads(self._pieces.popleft())
            payload = next(self._current, None)
            if payload is not None:
                return payload
            self._current = None

    def _payloads(self, piece: Piece) -> Iterator[bytes]:
        if isinstance(piece, Silence):
            return iter((self.silence,) * piece.packets)
        if isinstance(piece, Samples):
            return self._encoded(piece.data)
        if isinstance(piece, Round):
            return piece.payloads()
        return iter(piece)

    def _encoded(self, data: bytes) -> Iterator[bytes]:
        size = self._coder.packet_bytes
        encode = self._coder.encode
        for start in range(0, len(data), size):
            part = data[start : start + size]
            yield encode(part if len(part) == size else part + bytes(size - len(part)))
