"""What the switch and the process that stores traces say to each other over their Unix socket.

Frames are those of provisioning/message_frames.py. Every struct is array-like: a field may be appended with a default,
never moved.
"""

import msgspec

from provisioning.message_frames import FrameReader
from traces.call_trace import CallTrace, TraceFlow, TraceMessage

VERSION = 1

# From the switch


class Settings(msgspec.Struct, array_like=True, tag="settings"):
    """The answer to Hello, and again whenever they change. A `homer_host` of "" is none."""

    days: int
    disk_bytes: int
    homer_host: str = ""
    homer_port: int = 0
    homer_id: int = 0
    homer_password: str = ""
    version: int = VERSION


class Keep(msgspec.Struct, array_like=True, tag="keep"):
    """A call that has ended; Stored or NotStored is the answer."""

    trace: CallTrace


class Mirrored(msgspec.Struct, array_like=True, tag="mirrored"):
    """A message as it comes or goes, for Homer. `message.flow` has no meaning."""

    call_id: str
    flow: TraceFlow
    message: TraceMessage


# From the process


class Hello(msgspec.Struct, array_like=True, tag="hello"):
    """The first message."""

    version: int = VERSION


class Stored(msgspec.Struct, array_like=True, tag="stored"):
    """These are on the disk."""

    call_ids: list[str]


class NotStored(msgspec.Struct, array_like=True, tag="not_stored"):
    """These are not, and will not be: the disk is full, or broken. `problem` is in words."""

    call_ids: list[str]
    problem: str


class StoreCounts(msgspec.Struct, array_like=True, tag="counts"):
    """Running totals since the process started, and what there is now. Sent every few seconds.

    `problem` is what is wrong now, in words, "" for nothing.
    """

    stored: int = 0
    not_stored: int = 0
    damaged_files: int = 0
    days_removed: int = 0
    traces_removed: int = 0
    disk_bytes: int = 0
    days: int = 0
    mirrored: int = 0
    mirror_failed: int = 0
    problem: str = ""


FromSwitch = Settings | Keep | Mirrored
FromTraces = Hello | Stored | NotStored | StoreCounts


def reader_of_traces() -> FrameReader[FromTraces]:
    return FrameReader(msgspec.msgpack.Decoder(list[FromTraces]))


def reader_of_switch() -> FrameReader[FromSwitch]:
    return FrameReader(msgspec.msgpack.Decoder(list[FromSwitch]))
