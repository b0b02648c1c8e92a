"""What the switch and its books process say to each other: length-prefixed msgpack over a socket pair.

The switch speaks first, with Begin. The framing is the journal's (`rating.journal.frames`). Both ends are
ours and of one release, so a frame that does not decode is a bug and nothing is negotiated.
"""

import enum
from typing import Final

import msgspec

from provisioning.books.line_changes import LineChange
from provisioning.model import Change
from rating.journal.frames import frame_of


class CreditMark(msgspec.Struct, array_like=True, frozen=True):
    """The last credit row of an account that the switch has been told of."""

    account_id: int
    credit_seq: int


class Resume(msgspec.Struct, array_like=True):
    """Where a switch that is running stands, when its books process has been started anew."""

    change_seq: int
    credit_marks: list[CreditMark]


class Begin(msgspec.Struct, array_like=True, tag="begin"):
    """Switch to books, once, first. Without `resume` the switch is starting and waits for a snapshot."""

    resume: Resume | None


class Durable(msgspec.Struct, array_like=True, tag="durable"):
    """Switch to books: the journal now holds this batch. A hint to look; the file is the truth."""

    batch: int


class Stop(msgspec.Struct, array_like=True, tag="stop"):
    """Switch to books: exit, and before that ship everything that is in the journal if `is_flushed`."""

    is_flushed: bool


class ChangeResult(enum.Enum):
    """What became of a change: it is in the books, the books said no, or they did not answer."""

    DONE = "done"
    REFUSED = "refused"
    AWAY = "away"


class ChangeAsked(msgspec.Struct, array_like=True, tag="change"):
    """Switch to books: a customer has dialled a code. `id` is the switch's own."""

    id: int
    user: str
    change: LineChange


class ChangeDone(msgspec.Struct, array_like=True, tag="change_done"):
    """Books to switch: the answer to a ChangeAsked. `words` say why not, for the log and the record."""

    id: int
    result: ChangeResult
    words: str


class DatabaseUp(msgspec.Struct, array_like=True, tag="up"):
    """Books to switch: PostgreSQL answers and its schema is usable."""


class DatabaseDown(msgspec.Struct, array_like=True, tag="down"):
    """Books to switch: PostgreSQL cannot be used now. Said again when the reason changes."""

    reason: str


class SnapshotReady(msgspec.Struct, array_like=True, tag="snapshot"):
    """Books to switch: start from the checkpoint file at `path`.

    `is_old`: PostgreSQL does not answer, and the file is what an earlier run left; what has changed since
    follows when it does.
    """

    path: str
    is_old: bool


class Changes(msgspec.Struct, array_like=True, tag="changes"):
    """Books to switch: apply these in order; they hold everything up to `seq`."""

    seq: int
    changes: list[Change]


class Shipped(msgspec.Struct, array_like=True, tag="shipped"):
    """Books to switch: the journal's batches up to `batch` are in PostgreSQL.

    `records` of them in this transaction: `repeated` were there already with the same content, `quarantined`
    could not be taken and stand in the table quarantine with their bytes.
    """

    epoch: str
    batch: int
    records: int
    repeated: int
    quarantined: int


class Checkpointed(msgspec.Struct, array_like=True, tag="checkpoint"):
    """Books to switch: the checkpoint file contains the journal up to `batch`.

    The journal may forget batches only up to here: a start without PostgreSQL replays all that lies above.
    """

    epoch: str
    batch: int


ToBooks = Begin | Durable | Stop | ChangeAsked
FromBooks = DatabaseUp | DatabaseDown | SnapshotReady | Changes | Shipped | Checkpointed | ChangeDone

_encoder: Final = msgspec.msgpack.Encoder()
_to_books: Final = msgspec.msgpack.Decoder(ToBooks)
_from_books: Final = msgspec.msgpack.Decoder(FromBooks)


def encode_message(message: ToBooks | FromBooks) -> bytes:
    return frame_of(_encoder.encode(message))


def decode_to_books(payload: bytes) -> ToBooks:
    """Raises msgspec.DecodeError."""
    message: ToBooks = _to_books.decode(payload)
    return message


def decode_from_books(payload: bytes) -> FromBooks:
    """Raises msgspec.DecodeError."""
    message: FromBooks = _from_books.decode(payload)
    return message
