"""Session descriptions that cross the exchange when the sound goes through the relay (RFC 3264, RFC 8866).

Read: where the maker of a description wants to hear, medium by medium. Written: the same description with the relay's
addresses in place of the maker's. Codecs, crypto (SRTP with SDES keys), directions and everything that nobody here
understands stay as they are, so the two ends still agree between themselves. What belongs to a path that is not the
relay's is taken out: candidates of ICE, bundles, a separate address for RTCP.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from switch.sdp.description import Connection, Line, MediaDescription, SessionDescription
from switch.sdp.offer_answer import Direction, direction
from switch.sip.errors import SipParseError
from switch.sip.grammar import parse_digits
from switch.sip.host import canonical_ip

# Media of one description that are forwarded; the next are switched off. A phone has sound, picture and a document.
RELAYED_MEDIA_MAX: Final = 4
UDPTL: Final = "udptl"
ICE: Final = "ice-ufrag"

# Of the path between two ends, which the relay is not: RFC 8839 5, RFC 8840, RFC 3605, RFC 9143.
_OF_THE_PATH: Final = frozenset(
    {
        "candidate", "remote-candidates", "end-of-candidates", "ice-ufrag", "ice-pwd", "ice-lite", "ice-mismatch",
        "ice-options", "ice-pacing", "rtcp", "bundle-only",
    }
)  # fmt: skip
_BUNDLE: Final = "group:BUNDLE"
# What stands before c= in the session's part (RFC 8866 5).
_BEFORE_CONNECTION: Final = "vosiuep"


class Codec(NamedTuple):
    """A payload type and what it stands for."""

    payload_type: int
    name: str
    clock_rate: int


class Hearing(NamedTuple):
    """Where the maker of a description hears one of its media.

    `host` is a canonical address, "" for a name or none at all. Port 0: switched off or refused. `may_be_silent`: held,
    one way, or no sound, so that silence means nothing. `is_rtp` is false for T.38 over UDPTL.
    """

    host: str
    port: int
    rtcp_port: int
    codecs: tuple[Codec, ...]
    may_be_silent: bool
    is_rtp: bool


class Place(NamedTuple):
    """The relay's address and port that stand in for the maker's."""

    host: str
    port: int


def hearings(session: SessionDescription) -> list[Hearing | None]:
    """One for each medium in order; None for what is no relay's business (TCP, what is beyond the limit)."""
    found: list[Hearing | None] = []
    for number, medium in enumerate(session.media):
        is_ours = number < RELAYED_MEDIA_MAX and is_relayed(session, medium)
        found.append(_hearing(session, medium) if is_ours else None)
    return found


def is_relayed(session: SessionDescription, medium: MediaDescription) -> bool:
    """RTP of every profile, plain or secured, and UDPTL: what is sent in datagrams to one port.

    Not what a browser offers: it agrees on keys only with who answers its connectivity checks (RFC 8826), so without
    its candidates it hears nobody.
    """
    protocol = medium.protocol
    if protocol.lower() == UDPTL:
        return True
    if protocol.startswith("UDP/TLS/") and (medium.attribute(ICE) or session.attribute(ICE)) is not None:
        return False
    return medium.is_rtp and not protocol.startswith("TCP/") and medium.port_count in (None, 1)


def _hearing(session: SessionDescription, medium: MediaDescription) -> Hearing:
    connection = session.connection_of(medium)
    is_held = connection is None or connection.is_unspecified
    host = "" if connection is None or is_held else canonical_ip(connection.address) or ""
    is_both_ways = direction(session, medium) is Direction.SENDRECV
    return Hearing(
        host,
        medium.port,
        _rtcp_port(medium),
        tuple(Codec(codec.payload_type, codec.name, codec.clock_rate) for codec in medium.codecs),
        is_held or not is_both_ways or medium.media != "audio" or not medium.is_rtp,
        medium.is_rtp,
    )


def _rtcp_port(medium: MediaDescription) -> int:
    """RFC 3605, RFC 5761, else the next one up. An address other than the medium's own is not followed."""
    if medium.attribute("rtcp-mux") is not None:
        return medium.port
    said = (medium.attribute("rtcp") or "").strip(" ").partition(" ")[0]
    try:
        port = parse_digits(said, maximum=65_535, what="RTCP port")
    except SipParseError:
        port = 0
    if port:
        return port
    return min(medium.port + 1, 65_535) if medium.port else 0


def point_at(session: SessionDescription, places: list[Place | None]) -> None:
    """Write the relay's places into a description; `set_origin` follows.

    `places` is as long as the media, and one of them at least is no None; a medium without one keeps its own address,
    and is switched off when it is beyond the limit.
    """
    whole = session.connection
    first = next(place for place in places if place is not None)
    for number, (medium, place) in enumerate(zip(session.media, places, strict=True)):
        own = medium.connection or whole
        medium.lines = [line for line in medium.lines if line.type != "c"]
        if place is None:
            if number >= RELAYED_MEDIA_MAX:
                medium.port = 0
            if own is not None:
                _put_connection(medium.lines, "i", own)
            continue
        if medium.port:
            medium.port = place.port
        medium.lines = [line for line in medium.lines if not _is_of_the_path(line)]
        if own is not None and own.is_unspecified:
            _put_connection(medium.lines, "i", _unspecified(place.host))
        elif place.host != first.host:
            _put_connection(medium.lines, "i", _connection(place.host))
    session.lines = [line for line in session.lines if line.type not in "co" and not _is_of_the_path(line)]
    session.lines.insert(1, Line("o", ""))
    _put_connection(session.lines, _BEFORE_CONNECTION, _connection(first.host))


def set_origin(session: SessionDescription, host: str, session_id: int, version: int) -> None:
    """Whose description it is now, once it points at the relay (RFC 3264 8)."""
    session.lines[1].value = f"- {session_id} {version} IN {'IP6' if ':' in host else 'IP4'} {host}"


def _is_of_the_path(line: Line) -> bool:
    if line.type != "a":
        return False
    return line.value.partition(":")[0] in _OF_THE_PATH or line.value.startswith(_BUNDLE)


def _put_connection(lines: list[Line], before: str, connection: Connection) -> None:
    at = 0
    while at < len(lines) and lines[at].type in before:
        at += 1
    value = f"{connection.network_type} {connection.address_type} {connection.address}"
    lines.insert(at, Line("c", value))


def _connection(host: str) -> Connection:
    return Connection("IN", "IP6" if ":" in host else "IP4", host)


def _unspecified(host: str) -> Connection:
    return _connection("::" if ":" in host else "0.0.0.0")  # noqa: S104 - held (RFC 3264 8.4), no listener
