"""What the switch and its journal say to each other: msgpack, one message a frame (rating/journal/frames.py).

The switch sends Append, Forget and Stop; the journal sends Ready, Durable and Failed. Append's `seq` is
dense: the journal ignores what it already has and treats a gap as a bug. Durable is cumulative.
"""

from typing import Final

import msgspec

from rating.journal.frames import FrameError, frame_of

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


def encode_frame(frame: ToJournal | FromJournal) -> bytes:
    """Raises FrameError for one that is too long."""
    return frame_of(_encoder.encode(frame))


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
