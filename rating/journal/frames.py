"""Length-prefixed frames over a socket pair, and the packed form of a batch's records.

The packed form is a msgpack array of the records as they were handed in, never decoded on the way.
"""

from typing import Final

import msgspec

LENGTH_BYTES: Final = 4
# The largest record is a tariff's text kept as a version; a deck of 200,000 rates is about 12 MB.
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024

_records: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])


class FrameError(Exception):
    """The other side sent what is not a frame. Both sides are ours: this is a bug, never a peer's fault."""


def frame_of(payload: bytes) -> bytes:
    """Raises FrameError for one that is too long."""
    if len(payload) > FRAME_BYTES_MAX:
        raise FrameError(f"a frame of {len(payload)} bytes, at most {FRAME_BYTES_MAX} are allowed")
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


class FrameSplitter:
    """Cuts a byte stream into payloads, however the stream was split on its way."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        buffer = self._buffer
        buffer += data
        payloads = []
        start, end = 0, len(buffer)
        while end - start >= LENGTH_BYTES:
            length = int.from_bytes(buffer[start : start + LENGTH_BYTES], "big")
            if length > FRAME_BYTES_MAX:
                raise FrameError(f"a frame announces {length} bytes, at most {FRAME_BYTES_MAX} are allowed")
            next_start = start + LENGTH_BYTES + length
            if next_start > end:
                break
            payloads.append(bytes(buffer[start + LENGTH_BYTES : next_start]))
            start = next_start
        del buffer[:start]
        return payloads


def pack_records(records: list[bytes]) -> bytes:
    """A msgpack array of values that are msgpack already; its header has three sizes."""
    count = len(records)
    if count < 16:
        header = bytes((0x90 | count,))
    elif count < 1 << 16:
        header = b"\xdc" + count.to_bytes(2, "big")
    else:
        header = b"\xdd" + count.to_bytes(4, "big")
    return header + b"".join(records)


def unpack_records(packed: bytes) -> list[msgspec.Raw]:
    """The records of one batch, each still encoded. Raises msgspec.DecodeError."""
    return _records.decode(packed)
