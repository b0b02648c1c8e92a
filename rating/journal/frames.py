"""What the switch and its journal say to each other: length-prefixed msgpack over a socket pair.

The switch sends Append, Forget and Stop; the journal sends Ready, Durable and Failed. Append's `seq` is
dense: the journal ignores what it already has and treats a gap as a bug. Durable is cumulative. Also here:
the packed form of a batch's records in the outbox (a msgpack array of the records as they were handed in,
never decoded on the way).
"""

from typing import Final

import msgspec

LENGTH_BYTES: Final = 4
# The largest record is a tariff's text kept as a version; a deck of 200,000 rates is about 12 MB.
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024

StatePut = tuple[str, bytes | None]  # None deletes the key


class Append(msgspec.Struct, array_like=True, tag="append", gc=False):
    """Switch to journal: state to replace (or delete) and records for the outbox, as one indivisible step."""

    seq: int
    is_urgent: bool
    puts: list[StatePut]
    outbox: list[bytes]


class Forget(msgspec.Struct, array_like=True, tag="forget", gc=False):
    """Switch to journal: batches up to and including this one are safe elsewhere and may be deleted."""

    batch: int


class Stop(msgspec.Struct, array_like=True, tag="stop", gc=False):
    """Switch to journal: commit what you have and exit."""


class Ready(msgspec.Struct, array_like=True, tag="ready", gc=False):
    """Journal to switch: the file is open and ours. The next frame must be at most `last_seq` + 1."""

    epoch: str
    last_seq: int
    last_batch: int


class Durable(msgspec.Struct, array_like=True, tag="durable", gc=False):
    """Journal to switch: every frame up to `seq` survives a power cut. `batch` is the newest outbox batch."""

    seq: int
    batch: int


class Failed(msgspec.Struct, array_like=True, tag="failed", gc=False):
    """Journal to switch: nothing can be made durable now. Before Ready that is final."""

    reason: str


ToJournal = Append | Forget | Stop
FromJournal = Ready | Durable | Failed

_encoder: Final = msgspec.msgpack.Encoder()
_to_journal: Final = msgspec.msgpack.Decoder(ToJournal)
_from_journal: Final = msgspec.msgpack.Decoder(FromJournal)
_records: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])


class FrameError(Exception):
    """The other side sent what is not a frame. Both sides are ours: this is a bug, never a peer's fault."""


def encode_frame(frame: ToJournal | FromJournal) -> bytes:
    payload = _encoder.encode(frame)
    if len(payload) > FRAME_BYTES_MAX:
        raise FrameError(f"a frame of {len(payload)} bytes, at most {FRAME_BYTES_MAX} are allowed")
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


def decode_to_journal(payload: bytes) -> ToJournal:
    try:
        frame: ToJournal = _to_journal.decode(payload)
    except msgspec.DecodeError as error:
        raise FrameError(f"not a frame to the journal: {error}: {payload[:40]!r}") from error
    return frame


def decode_from_journal(payload: bytes) -> FromJournal:
    try:
        frame: FromJournal = _from_journal.decode(payload)
    except msgspec.DecodeError as error:
        raise FrameError(f"not a frame from the journal: {error}: {payload[:40]!r}") from error
    return frame


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
