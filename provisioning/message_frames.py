"""How processes of an exchange that may be of different releases talk over a Unix socket.

A frame is a four-byte big-endian length and a MessagePack array of messages: everything of one turn of the event loop
travels, and is decoded, at once. The messages are those of the link; each is an array-like struct with a tag.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

LENGTH_BYTES = 4
# So many messages go into one frame; with the stream limit of 256 KiB a SIP message it bounds a frame.
FRAME_MESSAGES_MAX = 256
FRAME_BYTES_MAX = 80 * 1024 * 1024

Message = TypeVar("Message")

_encoder = msgspec.msgpack.Encoder()


class FrameError(Exception):
    """The other end does not speak this protocol; the link is closed and opened again."""


def encode_frames(messages: Sequence[msgspec.Struct]) -> bytes:
    """All messages in order, in as few frames as the limit allows."""
    frames = bytearray()
    for start in range(0, len(messages), FRAME_MESSAGES_MAX):
        payload = _encoder.encode(messages[start : start + FRAME_MESSAGES_MAX])
        frames += len(payload).to_bytes(LENGTH_BYTES, "big")
        frames += payload
    return bytes(frames)


class FrameReader(Generic[Message]):
    """Turns the bytes of the socket into messages, however they are cut."""

    __slots__ = ("_buffer", "_decoder")

    def __init__(self, decoder: msgspec.msgpack.Decoder[list[Message]]) -> None:
        self._decoder = decoder
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are whole now. Raises FrameError on anything that is not this protocol."""
        buffer = self._buffer
        buffer += data
        messages: list[Message] = []
        start = 0
        while len(buffer) - start >= LENGTH_BYTES:
            length = int.from_bytes(buffer[start : start + LENGTH_BYTES], "big")
            if length > FRAME_BYTES_MAX:
                raise FrameError(f"a frame of {length} bytes; at most {FRAME_BYTES_MAX} are possible")
            end = start + LENGTH_BYTES + length
            if len(buffer) < end:
                break
            try:
                messages += self._decoder.decode(buffer[start + LENGTH_BYTES : end])
            except msgspec.MsgspecError as problem:
                raise FrameError(str(problem)) from None
            start = end
        if start:
            del buffer[:start]
        return messages
