"""A browser's session descriptions to and from plain ones (RFC 8829 5, RFC 8839, RFC 8842), the codecs left alone.

Only the first sound of a description is joined; pictures and data channels are switched off. What a browser says beyond
that of its path, its streams and its header extensions means nothing to a telephone and is taken out.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from switch.sdp.description import Line, MediaDescription, SessionDescription, read_payload_type
from switch.sdp.offer_answer import Direction
from switch.sdp.relayed import Place
from switch.sip.errors import SipParseError
from switch.sip.grammar import parse_digits
from switch.sip.host import canonical_ip

DTLS_PROFILES: Final = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"})  # RFC 5764 8
PLAIN_PROFILES: Final = frozenset({"RTP/AVP", "RTP/AVPF"})
DTLS_PROFILE: Final = "UDP/TLS/RTP/SAVPF"
PLAIN_PROFILE: Final = "RTP/AVP"
# A browser has a few of each family; it is asked at each of them.
CANDIDATES_MAX: Final = 16
# RFC 8839 5.4: what a check carries must fit.
ICE_TEXT_MAX: Final = 256
FIRST_MID: Final = "0"

_OF_A_BROWSER: Final = frozenset(
    {
        # the path
        "candidate", "remote-candidates", "end-of-candidates", "ice-ufrag", "ice-pwd", "ice-lite", "ice-mismatch",
        "ice-options", "ice-pacing", "rtcp", "rtcp-mux", "rtcp-mux-only", "rtcp-rsize", "bundle-only", "group",
        # who it is
        "fingerprint", "setup", "tls-id", "identity", "crypto",
        # streams and what their packets carry besides sound
        "mid", "msid", "msid-semantic", "ssrc", "ssrc-group", "extmap", "extmap-allow-mixed", "rtcp-fb",
    }
)  # fmt: skip
# Redundant sound (RFC 2198) names payload types of one description, and no telephone asks for it.
_NOT_FOR_TELEPHONES: Final = frozenset({"red"})
_ABOUT_ONE_FORMAT: Final = frozenset({"rtpmap", "fmtp"})


class Browser(NamedTuple):
    """What a browser says of itself: where and by what words it is found, and whose certificate it will show.

    `setup` is actpass, active or passive. `mids` are the names of its media, in order.
    """

    username: str
    password: str
    fingerprint: tuple[str, str]
    setup: str
    candidates: tuple[tuple[str, int], ...]
    mids: tuple[str, ...]


class Door(NamedTuple):
    """What a browser is told of us, in place of what it says."""

    username: str
    password: str
    fingerprint: tuple[str, str]
    setup: str
    candidates: tuple[tuple[str, int], ...]
    mids: tuple[str, ...]


def read_browser(session: SessionDescription) -> Browser | None:
    """None where it is no browser's, or lacks what is needed to find it."""
    medium = _sound(session, DTLS_PROFILES)
    if medium is None:
        return None
    username, password, fingerprint, setup = (
        _said(session, medium, name) for name in ("ice-ufrag", "ice-pwd", "fingerprint", "setup")
    )
    algorithm, _, value = fingerprint.partition(" ")
    is_whole = username and password and algorithm and value and setup in ("actpass", "active", "passive")
    if not is_whole or max(len(username), len(password), len(fingerprint)) > ICE_TEXT_MAX:
        return None
    return Browser(
        username,
        password,
        (algorithm.lower(), value.strip(" ")),
        setup,
        _candidates(medium),
        tuple(each.attribute("mid") or "" for each in session.media),
    )


def make_plain(session: SessionDescription, place: Place) -> None:
    """A browser's description as a telephone's that hears at `place`. It is one that `read_browser` could read."""
    sound = _sound(session, DTLS_PROFILES)
    for medium in session.media:
        _strip(medium)
        if medium is sound:
            medium.protocol = PLAIN_PROFILE
            medium.port = place.port
            _drop_codecs(medium)
            medium.lines.insert(0, _connection(place.host))
        else:
            medium.port = 0
    session.lines = [line for line in session.lines if not _is_of_a_browser(line) and line.type != "c"]
    _after_time(session, [_connection(place.host)])


def plain_sound(session: SessionDescription) -> int | None:
    """Which medium `make_browsers` can join; None without one, or where the first sound is secured (SDES)."""
    sound = _sound(session, PLAIN_PROFILES)
    return next((number for number, medium in enumerate(session.media) if medium is sound), None)


def make_browsers(session: SessionDescription, joined: int, door: Door) -> None:
    """A telephone's description, of which the medium `joined` is joined, as one for a browser that comes by `door`."""
    sound = session.media[joined]
    connection = session.connection_of(sound)
    if connection is not None and connection.is_unspecified:
        # Hold as before RFC 3264, which browsers do not know.
        _set_direction(sound, Direction.SENDONLY)
    host, port = door.candidates[0]
    mid = FIRST_MID
    for number, medium in enumerate(session.media):
        _strip(medium)
        name = door.mids[number] if number < len(door.mids) else str(number)
        if name:
            medium.lines.append(Line("a", f"mid:{name}"))
        if medium is not sound:
            medium.port = 0
            continue
        mid = name
        medium.protocol = DTLS_PROFILE
        medium.port = port
        medium.lines.insert(0, _connection(host))
        medium.lines += _path_lines(door)
    session.lines = [line for line in session.lines if not _is_of_a_browser(line) and line.type != "c"]
    _after_time(session, [Line("a", f"group:BUNDLE {mid}")] if mid else [])


def _set_direction(medium: MediaDescription, direction: Direction) -> None:
    words = {each.value for each in Direction}
    medium.lines = [
        line for line in medium.lines if not (line.type == "a" and line.value.rstrip(" ") in words)
    ]
    medium.lines.append(Line("a", direction.value))


def _path_lines(door: Door) -> list[Line]:
    lines = [
        Line("a", "rtcp-mux"),
        Line("a", f"ice-ufrag:{door.username}"),
        Line("a", f"ice-pwd:{door.password}"),
        Line("a", f"fingerprint:{' '.join(door.fingerprint)}"),
        Line("a", f"setup:{door.setup}"),
    ]
    for number, (host, port) in enumerate(door.candidates):
        # RFC 8445 5.1.2.1: host candidates of one component; the order is the preference.
        priority = (126 << 24) + ((65_535 - number) << 8) + 255
        lines.append(Line("a", f"candidate:{number + 1} 1 udp {priority} {host} {port} typ host"))
    lines.append(Line("a", "end-of-candidates"))
    return lines


def _sound(session: SessionDescription, profiles: frozenset[str]) -> MediaDescription | None:
    """The first sound that is not switched off, if it is of one of these profiles."""
    for medium in session.media:
        if medium.media == "audio" and not medium.is_rejected:
            return medium if medium.protocol in profiles else None
    return None


def _said(session: SessionDescription, medium: MediaDescription, name: str) -> str:
    value = medium.attribute(name)
    return (session.attribute(name) or "" if value is None else value).strip(" ")


def _candidates(medium: MediaDescription) -> tuple[tuple[str, int], ...]:
    """Host, reflexive and relayed ones by UDP, by address; names (mDNS) are for a network that is not ours."""
    found: dict[tuple[str, int], None] = {}
    for value in medium.attributes("candidate"):
        words = value.split(" ")
        if len(words) < 8 or words[1] != "1" or words[2].lower() != "udp" or words[6] != "typ":
            continue
        host = canonical_ip(words[4])
        try:
            port = parse_digits(words[5], maximum=65_535, what="port")
        except SipParseError:
            continue
        if host is not None and port and len(found) < CANDIDATES_MAX:
            found[host, port] = None
    return tuple(found)


def _strip(medium: MediaDescription) -> None:
    medium.lines = [line for line in medium.lines if line.type != "c" and not _is_of_a_browser(line)]


def _is_of_a_browser(line: Line) -> bool:
    return line.type == "a" and line.value.partition(":")[0] in _OF_A_BROWSER


def _drop_codecs(medium: MediaDescription) -> None:
    dropped = {codec.payload_type for codec in medium.codecs if codec.name.lower() in _NOT_FOR_TELEPHONES}
    kept = [text for text in medium.formats if read_payload_type(text) not in dropped]
    if not dropped or not kept:
        return
    medium.formats = kept
    names = {str(payload_type) for payload_type in dropped}
    medium.lines = [line for line in medium.lines if not (line.type == "a" and _is_about(line.value, names))]


def _is_about(attribute: str, formats: set[str]) -> bool:
    name, _, value = attribute.partition(":")
    return name in _ABOUT_ONE_FORMAT and value.strip(" ").partition(" ")[0] in formats


def _after_time(session: SessionDescription, lines: list[Line]) -> None:
    """c= before t=, attributes at the end (RFC 8866 5)."""
    for line in lines:
        at = len(session.lines)
        if line.type == "c":
            at = next((n for n, each in enumerate(session.lines) if each.type not in "vosiuep"), at)
        session.lines.insert(at, line)


def _connection(host: str) -> Line:
    return Line("c", f"IN {'IP6' if ':' in host else 'IP4'} {host}")
