"""What the switch and the relay say to each other over their Unix socket (provisioning/message_frames.py).

An *endpoint* is one pair of ports, RTP and RTCP, that one peer sends to and hears from: one media line of one leg. The
switch numbers the endpoints and takes their ports from those it was granted, so that it never waits for the relay; the
relay opened them before. Two endpoints that are bridged forward to each other.

Every struct is array-like: a field may be appended with a default, never moved, so that a relay which outlives an
upgrade of the switch is still understood. Addresses are bare IPv4 or IPv6 literals in their one spelling.
"""

import msgspec

from provisioning.message_frames import FrameReader

VERSION = 1


class Format(msgspec.Struct, array_like=True, frozen=True):
    """A payload type that was agreed, as the peer's SDP names it: (0, "PCMU", 8000)."""

    payload_type: int
    name: str
    clock_rate: int


# From the switch


class Attach(msgspec.Struct, array_like=True, tag="attach"):
    """The first message after each connect.

    Endpoints of another `epoch` belong to a switch that died: they go on until Release. Ports that were granted to
    it and not used are free again.
    """

    epoch: str
    version: int = VERSION


class Release(msgspec.Struct, array_like=True, tag="release"):
    """The calls of earlier switches have been ended: their endpoints are closed."""


class Open(msgspec.Struct, array_like=True, tag="open"):
    """Use a port that was granted; RTCP is on the next one. Until Aim and Bridge everything that comes is dropped.

    A port that was not granted is opened now: a relay that starts anew is told of all endpoints again. `label` is for
    people: call id and leg. `is_rtp` is false for T.38 over UDPTL, which is forwarded unread.
    """

    endpoint: int
    host: str
    port: int
    label: str
    is_rtp: bool = True


class Aim(msgspec.Struct, array_like=True, tag="aim"):
    """What the peer's last session description says of where it hears and what may be sent.

    `host` and `port` are the SDP's; port 0: nothing may be sent. `rtcp_port` is where its RTCP goes (`port` itself
    with rtcp-mux). `sources` are the addresses that it may send from, most trusted first: usually the SDP's, if it
    could be reached at all, and the one that its signalling comes from. `version` grows with each description that
    names another address: only then may a latched peer be looked for anew. `formats` are the payload types of this
    description. `may_be_silent`: held, inactive or T.38, so that silence means nothing. `latched` is where a relay
    before this one had found the peer: "host", port, RTCP port.
    """

    endpoint: int
    version: int
    host: str
    port: int
    rtcp_port: int
    sources: tuple[str, ...]
    formats: tuple[Format, ...]
    may_be_silent: bool = False
    latched: tuple[str, int, int] | None = None


class Bridge(msgspec.Struct, array_like=True, tag="bridge"):
    """From now on what `a` receives is sent by `b`, and the other way round. `b` 0: `a` is heard by nobody."""

    a: int
    b: int


class Play(msgspec.Struct, array_like=True, tag="play"):
    """Send the peer of this endpoint a tone or an announcement instead of what the other end says.

    `name` is one of the catalogue (media/prompts). `repeats` 0: until Stop. `token` comes back in Played.
    """

    endpoint: int
    name: str
    token: int
    repeats: int = 1


class Stop(msgspec.Struct, array_like=True, tag="stop"):
    """Play no more to this endpoint."""

    endpoint: int


class Watch(msgspec.Struct, array_like=True, tag="watch"):
    """How long both ends of a bridge may be silent before Silent is said; 0: for ever. Seconds."""

    endpoint: int
    silence_s: int


class Close(msgspec.Struct, array_like=True, tag="close"):
    """Its Figures are the last that is heard of an endpoint."""

    endpoint: int


class Ask(msgspec.Struct, array_like=True, tag="ask"):
    """Figures of these endpoints now, please; of all for ()."""

    endpoints: tuple[int, ...] = ()


# From the relay


class Hello(msgspec.Struct, array_like=True, tag="hello"):
    """The first message after each connect. Another `epoch` than before: the relay is new and knows no endpoint."""

    epoch: str
    version: int = VERSION


class Granted(msgspec.Struct, array_like=True, tag="granted"):
    """Pairs that are open and wait to be used: their address and even ports, in the order in which to use them.

    What was granted on an earlier connection is not any more. A port that the switch has in use already, from a relay
    before this one, is to be passed over.
    """

    host: str
    ports: tuple[int, ...]


class Refused(msgspec.Struct, array_like=True, tag="refused"):
    """Something that was asked for an endpoint cannot be done; the call goes on without it."""

    endpoint: int
    reason: str


class Latched(msgspec.Struct, array_like=True, tag="latched"):
    """The peer has been found at this address, and media goes there. RTCP port 0: not yet heard."""

    endpoint: int
    host: str
    port: int
    rtcp_port: int


class Silent(msgspec.Struct, array_like=True, tag="silent"):
    """Neither end of the bridge that this endpoint is part of has sent anything for `for_s`, since `for_s` ago."""

    endpoint: int
    for_s: float


class Heard(msgspec.Struct, array_like=True, tag="heard"):
    """The silence that was reported of this endpoint is over: one of the two ends has sent something again, or was
    described anew and may be silent from now on."""

    endpoint: int


class Played(msgspec.Struct, array_like=True, tag="played"):
    """A Play is over; `is_whole` unless it was stopped, replaced or could not be played."""

    endpoint: int
    token: int
    is_whole: bool


class Figures(msgspec.Struct, array_like=True, tag="figures"):
    """What the peer of an endpoint has sent, and what was done with it. Counts since Open; octets are UDP's, RTP
    header included. With 0 packets `first_ago_s` and `last_ago_s` are 0.

    `lost`, `reordered` and `duplicates` are of RTP sequence numbers; `jitter_us` is RFC 3550's at its highest and in
    the mean; `gap_us` the longest time between two packets that was not a hold. `round_trip_us` is between the relay
    and the peer, by RTCP, 0 when nobody said. `mos` is hundredths (441 is 4.41) by the E-model, 0 for an unknown
    codec or none. `dropped` are packets by reason. `is_closed`: the last ones, and these alone have
    the `course`, how it went over time (media/course.py).
    """

    endpoint: int
    codec: str
    packets: int
    octets: int
    lost: int
    reordered: int
    duplicates: int
    jitter_us: int
    jitter_max_us: int
    gap_us: int
    round_trip_us: int
    mos: int
    packets_sent: int
    octets_sent: int
    first_ago_s: float
    last_ago_s: float
    remote_host: str
    remote_port: int
    dropped: dict[str, int]
    is_closed: bool = False
    course: bytes = b""


class RelayCounts(msgspec.Struct, array_like=True, tag="counts"):
    """Running totals since the relay started, and what there is now. Sent every few seconds."""

    endpoints: int = 0
    ports_free: int = 0
    ports_max: int = 0
    packets_in: int = 0
    packets_out: int = 0
    octets_in: int = 0
    octets_out: int = 0
    send_errors: int = 0
    lost: int = 0
    latches: int = 0
    silences: int = 0
    plays: int = 0
    dropped: dict[str, int] = {}
    mos_buckets: dict[str, int] = {}


FromSwitch = Attach | Release | Open | Aim | Bridge | Play | Stop | Watch | Close | Ask
FromRelay = Hello | Granted | Refused | Latched | Silent | Heard | Played | Figures | RelayCounts


def reader_of_relay() -> FrameReader[FromRelay]:
    return FrameReader(msgspec.msgpack.Decoder(list[FromRelay]))


def reader_of_switch() -> FrameReader[FromSwitch]:
    return FrameReader(msgspec.msgpack.Decoder(list[FromSwitch]))
