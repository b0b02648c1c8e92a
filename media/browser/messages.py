"""What the switch and the browsers' process say to each other over their Unix socket (provisioning/message_frames.py).

A *gate* joins one browser to one stream of plain RTP: on the outer side ICE and DTLS-SRTP, on the inner side a pair of
ports on the loopback address. The process opens gates before they are needed and grants them with everything that a
session description has to say of them, so that the switch writes descriptions without waiting for anybody.

Every struct is array-like: a field may be appended with a default, never moved.
"""

import msgspec

from provisioning.message_frames import FrameReader

VERSION = 1

# From the switch


class Attach(msgspec.Struct, array_like=True, tag="attach"):
    """The first message after each connect. Gates in use by another `epoch` belong to a switch that died; of its own
    the switch names those that it still uses."""

    epoch: str
    version: int = VERSION
    in_use: tuple[int, ...] = ()


class Take(msgspec.Struct, array_like=True, tag="take"):
    """A granted gate is in use now."""

    gate: int


class Aim(msgspec.Struct, array_like=True, tag="aim"):
    """Where the inner side's peer is: an endpoint of the relay. What comes from elsewhere is dropped."""

    gate: int
    host: str
    port: int
    rtcp_port: int


class Connect(msgspec.Struct, array_like=True, tag="connect"):
    """What the browser's description says of it, once each side has, or is about to have, the other's. Once a gate.

    `fingerprint` is (hash, value) of RFC 8122. `candidates` are (address, port); none is well, too: the browser is
    found by its own checks.
    """

    gate: int
    username: str
    password: str
    fingerprint: tuple[str, str]
    is_dtls_client: bool
    is_controlling: bool
    candidates: tuple[tuple[str, int], ...]


class Close(msgspec.Struct, array_like=True, tag="close"):
    gate: int


# From the browsers' process


class Hello(msgspec.Struct, array_like=True, tag="hello"):
    """The first message. `epoch` names this life of the process, whose gates all show one certificate."""

    epoch: str
    fingerprint: tuple[str, str] = ("", "")
    version: int = VERSION


class Gate(msgspec.Struct, array_like=True, frozen=True):
    """`candidates` are where the browser may send; `host` and `port` the inner side, RTCP on the next port."""

    number: int
    username: str
    password: str
    candidates: tuple[tuple[str, int], ...]
    host: str
    port: int


class Granted(msgspec.Struct, array_like=True, tag="granted"):
    gates: tuple[Gate, ...]


class Connected(msgspec.Struct, array_like=True, tag="connected"):
    """The browser is found and is who its description says."""

    gate: int


class Lost(msgspec.Struct, array_like=True, tag="lost"):
    """The browser was not found in time, is somebody else, or has gone. The gate is closed."""

    gate: int
    reason: str


class BrowserCounts(msgspec.Struct, array_like=True, tag="counts"):
    """Running totals since the process started, and what there is now. Sent every few seconds."""

    gates: int = 0
    gates_max: int = 0
    packets_in: int = 0
    packets_out: int = 0
    connected: int = 0
    lost: dict[str, int] = {}
    dropped: dict[str, int] = {}


FromSwitch = Attach | Take | Aim | Connect | Close
FromBrowsers = Hello | Granted | Connected | Lost | BrowserCounts


def reader_of_browsers() -> FrameReader[FromBrowsers]:
    return FrameReader(msgspec.msgpack.Decoder(list[FromBrowsers]))


def reader_of_switch() -> FrameReader[FromSwitch]:
    return FrameReader(msgspec.msgpack.Decoder(list[FromSwitch]))
