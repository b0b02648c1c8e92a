"""Two ends that have each made an offer are joined: what each is answered (RFC 3264 6), made from the other's offer.

That is how a ringing phone is picked up: the caller and who picks up have both called us. And an end's last
description becomes an offer for another partner, as it may have been an answer given on hold.

A payload type is taken only where both ends mean the same by it, so that nobody has to change numbers in packets. The
answers name the same payload types, each in the order of its own offer. Left out: media over TCP, and keys other than
those of SDES (RFC 4568); a browser's description is a plain one before it comes here, or `other` is one for a browser
(switch/calls/carried_media.py does both).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from switch.sdp.description import (
    STATIC_CODECS,
    Codec,
    Line,
    MediaDescription,
    SessionDescription,
    format_sdp,
    parse_sdp,
)
from switch.sdp.offer_answer import Direction, direction
from switch.sip.host import canonical_ip

UDPTL: Final = "udptl"
_DIRECTIONS: Final = frozenset(each.value for each in Direction)
# Not what is talked in, but company of it (RFC 4733, RFC 3389, RFC 2198).
_COMPANIONS: Final = frozenset({"telephone-event", "cn", "red"})
# Parameters of a codec without which two ends do not understand each other, and what holds when they are not said:
# RFC 4867 8.1, RFC 3952 4.2, RFC 5577 5, RFC 6184 8.1.
_SHAPES: Final = {
    "amr": (("octet-align", "0"), ("crc", "0"), ("interleaving", ""), ("robust-sorting", "0")),
    "amr-wb": (("octet-align", "0"), ("crc", "0"), ("interleaving", ""), ("robust-sorting", "0")),
    "ilbc": (("mode", "30"),),
    "g7221": (("bitrate", ""),),
    "h264": (("packetization-mode", "0"),),
}
# Attributes of an answer that must have been offered (RFC 5761 5.1.1, RFC 5506 5, RFC 8285 6).
_IF_OFFERED: Final = frozenset({"rtcp-mux", "rtcp-rsize", "extmap-allow-mixed"})
# Names that belong to one description and numbers that are agreed one by one; nothing is lost without them.
_NOT_CARRIED: Final = frozenset({"group", "mid", "bundle-only", "extmap", "crypto", "rtcp-mux-only"})
_ABOUT_ONE_FORMAT: Final = frozenset({"rtpmap", "fmtp", "rtcp-fb"})
_ALL_FORMATS: Final = "*"


class Joined(NamedTuple):
    """The answer to each offer."""

    to_first: bytes
    to_second: bytes


def join(first: bytes, second: bytes) -> Joined | None:
    """None when the two have nothing in common to talk in. Raises SdpError for what is no description."""
    to_first, to_second = answer(first, second), answer(second, first)
    return None if to_first is None or to_second is None else Joined(to_first, to_second)


def answer(offer: bytes, other: bytes) -> bytes | None:
    """The answer to `offer` that lets its maker talk with the maker of the offer `other`; None: with no codec.

    Media stay in the order of `offer`; those that `other` has no partner for are refused with port 0. Raises SdpError.
    """
    ours, theirs = parse_sdp(offer), parse_sdp(other)
    partners = _partners(ours, theirs)
    media = [
        _refused(medium, theirs) if partner is None else _accepted(ours, medium, theirs, partner)
        for medium, partner in zip(ours.media, partners, strict=True)
    ]
    if not _is_enough(ours, media):
        return None
    lines = [
        line for line in theirs.lines if line.type not in "tr" and not _is_attribute(line, _LEFT_AT_SESSION)
    ]
    at = next((number for number, line in enumerate(lines) if line.type in "zka"), len(lines))
    lines[at:at] = [line for line in ours.lines if line.type in "tr"]
    return format_sdp(SessionDescription(_with_ends(lines), media))


def refuse_all(offer: bytes) -> bytes:
    """The answer that takes none of the media. Raises SdpError."""
    ours = parse_sdp(offer)
    lines = [line for line in ours.lines if not _is_attribute(line, _LEFT_AT_SESSION)]
    return format_sdp(
        SessionDescription(_with_ends(lines), [_refused(medium, ours) for medium in ours.media])
    )


def fresh_offer(body: bytes) -> bytes:
    """What an end has said last, as an offer that it might make: it speaks and listens on every medium.

    One that held in the older way (0.0.0.0) is looked for at the address of its o= line. Raises SdpError.
    """
    session = parse_sdp(body)
    origin = session.origin
    host = None if origin is None else canonical_ip(origin.address)
    session.lines = [_found_again(line, host) for line in session.lines if not _is_direction(line)]
    for medium in session.media:
        medium.lines = [_found_again(line, host) for line in medium.lines if not _is_direction(line)]
        medium.lines = _with_ends(medium.lines)
        if not medium.is_rejected:
            medium.lines.append(Line("a", Direction.SENDRECV.value))
    session.lines = _with_ends(session.lines)
    return format_sdp(_ended(session))


def _partners(ours: SessionDescription, theirs: SessionDescription) -> list[MediaDescription | None]:
    """For each medium the first of its kind that is not another's already and shares a format."""
    free = [medium for medium in theirs.media if not medium.is_rejected]
    found: list[MediaDescription | None] = []
    for medium in ours.media:
        partner = next((each for each in free if _goes_with(medium, each)), None)
        if partner is not None:
            free.remove(partner)
        found.append(partner)
    return found


def _goes_with(medium: MediaDescription, other: MediaDescription) -> bool:
    if medium.is_rejected or medium.media != other.media or medium.protocol.lower() != other.protocol.lower():
        return False
    if _is_keyed(medium) and _common_suite(medium, other) is None:
        return False
    return bool(_common_formats(medium, other))


def _common_formats(medium: MediaDescription, other: MediaDescription) -> list[str]:
    """In the medium's order; none where only company of a codec is left."""
    if not medium.is_rtp or medium.protocol.startswith("TCP/"):
        is_same = medium.protocol.lower() == UDPTL and medium.formats == other.formats
        return list(medium.formats) if is_same else []
    theirs = {codec.payload_type: codec for codec in _meant(other)}
    kept = [
        codec
        for codec in _meant(medium)
        if codec.name
        and codec == theirs.get(codec.payload_type)
        and _shape(medium, codec) == _shape(other, codec)
    ]
    if all(codec.name.lower() in _COMPANIONS for codec in kept):
        return []
    return list(dict.fromkeys(str(codec.payload_type) for codec in kept))


def _meant(medium: MediaDescription) -> list[Codec]:
    """A number with a fixed meaning has it whatever it is called: 18 is G729, also as G729a."""
    return [
        Codec(codec.payload_type, *STATIC_CODECS[codec.payload_type])
        if codec.payload_type in STATIC_CODECS
        else codec
        for codec in medium.codecs
    ]


def _shape(medium: MediaDescription, codec: Codec) -> tuple[str, ...]:
    """The values of those parameters that both ends must mean alike."""
    shape = _SHAPES.get(codec.name.lower())
    if shape is None:
        return ()
    said: dict[str, str] = {}
    for parameter in (medium.fmtp(codec.payload_type) or "").split(";"):
        name, _, value = parameter.strip(" ").partition("=")
        said.setdefault(name.lower(), value.strip(" "))
    return tuple(said.get(name, default) for name, default in shape)


def _accepted(
    ours: SessionDescription, medium: MediaDescription, theirs: SessionDescription, partner: MediaDescription
) -> MediaDescription:
    formats = _common_formats(medium, partner)
    taken = MediaDescription(
        Line("m", f"{medium.media} {partner.port} {medium.protocol} {' '.join(formats)}")
    )
    offered = {line.value for line in medium.lines if line.type == "a"}
    for line in partner.lines:
        if line.type == "i" or _is_attribute(line, _NOT_CARRIED) or _is_direction(line):
            continue
        name = line.value.partition(":")[0]
        if line.type == "a" and name in _IF_OFFERED and line.value not in offered:
            continue
        if line.type == "a" and name in _ABOUT_ONE_FORMAT and not _is_about(line.value, formats):
            continue
        taken.lines.append(line)
    if (mid := medium.attribute("mid")) is not None:
        taken.lines.append(Line("a", f"mid:{mid}"))
    if _is_keyed(medium):
        taken.lines.append(Line("a", f"crypto:{_answered_key(medium, partner)}"))
    way = _answered_direction(direction(ours, medium), direction(theirs, partner))
    taken.lines = [*_with_ends(taken.lines), Line("a", way.value)]
    return taken


def _refused(medium: MediaDescription, theirs: SessionDescription) -> MediaDescription:
    taken = MediaDescription(Line("m", f"{medium.media} 0 {medium.protocol} {' '.join(medium.formats)}"))
    if theirs.connection is None:
        # RFC 8866 5.7: each medium has one where the session has none.
        taken.lines.extend(line for each in theirs.media for line in each.lines if line.type == "c")
        taken.lines = _with_ends(taken.lines[:1])
    if (mid := medium.attribute("mid")) is not None:
        taken.lines.append(Line("a", f"mid:{mid}"))
    return taken


def _is_enough(ours: SessionDescription, media: list[MediaDescription]) -> bool:
    """Sound where sound was offered; else anything."""
    has_sound = any(medium.media == "audio" and not medium.is_rejected for medium in ours.media)
    return any(not medium.is_rejected and (medium.media == "audio" or not has_sound) for medium in media)


def _answered_direction(offered: Direction, wished: Direction) -> Direction:
    """RFC 3264 6.1: to somebody who only speaks one can only listen; `wished` is what the other would do."""
    speaks = wished in (Direction.SENDRECV, Direction.SENDONLY)
    listens = wished in (Direction.SENDRECV, Direction.RECVONLY)
    may_speak = speaks and offered in (Direction.SENDRECV, Direction.RECVONLY)
    may_listen = listens and offered in (Direction.SENDRECV, Direction.SENDONLY)
    if may_speak:
        return Direction.SENDRECV if may_listen else Direction.SENDONLY
    return Direction.RECVONLY if may_listen else Direction.INACTIVE


# Keys in the description (RFC 4568)


def _is_keyed(medium: MediaDescription) -> bool:
    return "SAVP" in medium.protocol and not medium.protocol.startswith("UDP/TLS/")


def _keys(medium: MediaDescription) -> dict[str, tuple[str, str]]:
    """By suite in order of preference: tag and key. One with session parameters is negotiated further: not taken."""
    found: dict[str, tuple[str, str]] = {}
    for value in medium.attributes("crypto"):
        words = value.split(" ")
        if len(words) == 3 and all(words):
            found.setdefault(words[1], (words[0], words[2]))
    return found


def _common_suite(medium: MediaDescription, other: MediaDescription) -> str | None:
    """The same one whichever of the two is asked for."""
    ours, theirs = list(_keys(medium)), list(_keys(other))
    common = [suite for suite in ours if suite in theirs]
    return min(common, key=lambda suite: (ours.index(suite) + theirs.index(suite), suite), default=None)


def _answered_key(medium: MediaDescription, partner: MediaDescription) -> str:
    """5.1.2: the offer's tag and suite with the key of who answers."""
    suite = _common_suite(medium, partner)
    assert suite is not None, "they go with each other"
    return f"{_keys(medium)[suite][0]} {suite} {_keys(partner)[suite][1]}"


# Lines

_LEFT_AT_SESSION: Final = _NOT_CARRIED | _DIRECTIONS


def _is_attribute(line: Line, names: frozenset[str]) -> bool:
    return line.type == "a" and line.value.partition(":")[0].rstrip(" ") in names


def _is_direction(line: Line) -> bool:
    return line.type == "a" and line.value.rstrip(" ") in _DIRECTIONS


def _is_about(attribute: str, formats: list[str]) -> bool:
    about = attribute.partition(":")[2].strip(" ").partition(" ")[0]
    return about in formats or about == _ALL_FORMATS


def _with_ends(lines: list[Line]) -> list[Line]:
    """The last line of a text may have had none."""
    return [line if line.end else Line(line.type, line.value) for line in lines]


def _ended(session: SessionDescription) -> SessionDescription:
    media = [_copy_of(medium) if not medium.line.end else medium for medium in session.media]
    return SessionDescription(session.lines, media)


def _copy_of(medium: MediaDescription) -> MediaDescription:
    copy = MediaDescription(Line("m", medium.line.value))
    copy.lines = medium.lines
    return copy


def _found_again(line: Line, host: str | None) -> Line:
    """c= of one who held in the older way."""
    if line.type != "c" or host is None:
        return line
    words = line.value.split(" ")
    is_ipv6 = ":" in host
    unspecified = "::" if is_ipv6 else "0.0.0.0"  # noqa: S104 - recognised, not bound
    if len(words) != 3 or canonical_ip(words[2]) != unspecified or host == unspecified:
        return line
    return Line("c", f"{words[0]} {'IP6' if is_ipv6 else 'IP4'} {host}", line.end)
