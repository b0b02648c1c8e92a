"""What the edge and the switch say to each other over their Unix socket (provisioning/message_frames.py).

Pure; both ends use it. Every struct is array-like: a field may be appended with a default, never moved, so that an
edge which outlives an upgrade of the switch is still understood.
"""

import msgspec

from provisioning.message_frames import FrameReader
from switch.sip.flow import Flow

# Since 1 the edge understands ExpectName and Alias.
VERSION = 1


class Hello(msgspec.Struct, array_like=True, tag="hello"):
    """The first message after each connect.

    Another `epoch` than before: the edge is new, old connections are gone. `version`: what may be said to it.
    """

    epoch: str
    version: int = 0


class Received(msgspec.Struct, array_like=True, tag="received"):
    """One whole SIP message came in."""

    flow: Flow
    data: bytes


class Closed(msgspec.Struct, array_like=True, tag="closed"):
    """This connection is gone; nothing can be sent on it any more."""

    flow: Flow


class Failed(msgspec.Struct, array_like=True, tag="failed"):
    """A message for this flow was not sent."""

    flow: Flow
    reason: str


class TransportCounts(msgspec.Struct, array_like=True):
    """The same for one transport: connections now, the rest since the edge started."""

    transport: str
    connections: int = 0
    accepted: int = 0
    opened: int = 0
    closed: int = 0
    messages_in: int = 0
    messages_out: int = 0


class CertificateState(msgspec.Struct, array_like=True):
    """A certificate in use: its file as configured, its names, and when it ends (UTC seconds)."""

    file: str
    names: tuple[str, ...]
    not_after_s: float


class EdgeCounts(msgspec.Struct, array_like=True, tag="counts"):
    """Running totals since the edge started, and the connections now. Sent every few seconds."""

    connections: int = 0
    accepted: int = 0
    opened: int = 0
    refused_total_limit: int = 0
    refused_source_limit: int = 0
    closed_broken_stream: int = 0
    closed_half_message: int = 0
    closed_silent: int = 0
    closed_idle: int = 0
    closed_not_reading: int = 0
    dials_failed: int = 0
    pings: int = 0
    messages_in: int = 0
    messages_out: int = 0
    messages_dropped: int = 0
    refused_link_local: int = 0
    refused_handshakes: int = 0
    refused_no_certificate: int = 0
    refused_websocket: int = 0
    refused_peer_certificate: int = 0
    closed_handshake: int = 0
    closed_tls: int = 0
    transports: list[TransportCounts] = []
    certificates: list[CertificateState] = []
    files_refused: dict[str, str] = {}


class Send(msgspec.Struct, array_like=True, tag="send"):
    """Send this. An empty `flow.connection`: reuse a connection to the remote address, or open one."""

    flow: Flow
    data: bytes


class CloseConnection(msgspec.Struct, array_like=True, tag="close"):
    """The switch is done with this connection."""

    flow: Flow


class ExpectName(msgspec.Struct, array_like=True, tag="expect"):
    """The name that the certificate of the peer at this address must have, and that it is asked for (SNI).

    It holds for connections opened later. "" forgets it: then the certificate must have the address.
    """

    transport: str
    host: str
    port: int
    name: str


class Alias(msgspec.Struct, array_like=True, tag="alias"):
    """RFC 5923: messages for this port at the flow's remote host take this connection from now on.

    Over TLS only if the peer has shown a certificate with the name expected there.
    """

    flow: Flow
    port: int


FromEdge = Hello | Received | Closed | Failed | EdgeCounts
FromSwitch = Send | CloseConnection | ExpectName | Alias

def reader_of_edge() -> FrameReader[FromEdge]:
    return FrameReader(msgspec.msgpack.Decoder(list[FromEdge]))


def reader_of_switch() -> FrameReader[FromSwitch]:
    return FrameReader(msgspec.msgpack.Decoder(list[FromSwitch]))
