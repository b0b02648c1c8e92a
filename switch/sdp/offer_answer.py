"""What an offer or an answer means for a call: RFC 3264. Direction, hold, and which codecs are left after a rule.

Left out: making answers, which the ends of a call do between themselves.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Final

from switch.sdp.description import (
    STATIC_CODECS,
    Codec,
    MediaDescription,
    SessionDescription,
    format_sdp,
    parse_sdp,
    read_payload_type,
)


class Direction(Enum):
    """RFC 8866 6.7, as the one who wrote the description sees it."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


_DIRECTIONS: Final = {direction.value: direction for direction in Direction}
# Not codecs of their own but company of one, at its clock rate: digits (RFC 4733) and silence (RFC 3389).
_COMPANIONS: Final = frozenset({"telephone-event", "cn"})
# Attributes whose value begins with the payload type that they are about (RFC 8866 6.6, 6.15, RFC 4585 4.2).
_ABOUT_ONE_FORMAT: Final = frozenset({"rtpmap", "fmtp", "rtcp-fb"})


def direction(session: SessionDescription, medium: MediaDescription) -> Direction:
    """The medium's own direction, else the session's, else both ways (6.7). The first one counts."""
    return _direction_in(medium) or _direction_in(session) or Direction.SENDRECV


def _direction_in(section: SessionDescription | MediaDescription) -> Direction | None:
    for line in section.lines:
        if line.type == "a":
            found = _DIRECTIONS.get(line.value.rstrip(" "))
            if found is not None:
                return found
    return None


def is_hold(session: SessionDescription) -> bool:
    """Whether an offer puts the other side on hold (RFC 3264 8.4): no sound of theirs is wanted.

    That is `sendonly` or `inactive`, or the older way, the address 0.0.0.0. Media that are switched off do not count.
    """
    sound = [medium for medium in session.media if medium.media == "audio" and not medium.is_rejected]
    return bool(sound) and all(_is_held(session, medium) for medium in sound)


def _is_held(session: SessionDescription, medium: MediaDescription) -> bool:
    if direction(session, medium) in (Direction.SENDONLY, Direction.INACTIVE):
        return True
    connection = session.connection_of(medium)
    return connection is not None and connection.is_unspecified


def heard_sound(session: SessionDescription) -> int | None:
    """Which of its media is the first sound that the maker wants to hear, and can be sent; None: it hears none."""
    for number, medium in enumerate(session.media):
        if medium.media == "audio" and not medium.is_rejected:
            connection = session.connection_of(medium)
            is_reached = connection is None or not connection.is_unspecified
            if is_reached and direction(session, medium) in (Direction.SENDRECV, Direction.RECVONLY):
                return number
    return None


def is_speaking(session: SessionDescription) -> bool:
    """Whether the maker sends sound. Who says that it is nowhere (0.0.0.0) is silent, too."""
    for medium in session.media:
        if medium.media == "audio" and not medium.is_rejected:
            connection = session.connection_of(medium)
            is_somewhere = connection is None or not connection.is_unspecified
            if is_somewhere and direction(session, medium) in (Direction.SENDRECV, Direction.SENDONLY):
                return True
    return False


def codec_names(session: SessionDescription) -> list[str]:
    """The codecs of the sound in order of preference, each once, in the spelling of the description."""
    names: dict[str, str] = {}
    for medium in session.media:
        if medium.media == "audio" and medium.is_rtp:
            for codec in medium.codecs:
                names.setdefault(codec.name.lower(), codec.name)
    names.pop("", None)
    return list(names.values())


def keep_codecs(body: bytes, names: Collection[str]) -> bytes:
    """The description with only these codecs of sound, case-blind; all else as it came, octet for octet.

    A payload type with a fixed meaning has that name, too: 18 is G729, also where a phone calls it G729a. Digits and
    comfort noise stay while a codec of their clock rate does. Other media are left alone: the names are of sound.
    Empty when no sound would be left of what had some: such an offer is refused (488), not sent. Raises SdpError.
    """
    session = parse_sdp(body)
    if not leaves_sound(session, names):
        return b""
    return format_sdp(session) if drop_codecs(session, names) else body


def leaves_sound(session: SessionDescription, names: Collection[str]) -> bool:
    """Whether every medium of sound has one of these codecs."""
    allowed = {name.lower() for name in names}
    return all(_kept(medium.codecs, allowed) for medium in _sounds(session))


def drop_codecs(session: SessionDescription, names: Collection[str]) -> bool:
    """Takes out what `keep_codecs` does; whether that was anything."""
    allowed = {name.lower() for name in names}
    is_changed = False
    for medium in _sounds(session):
        kept = _kept(medium.codecs, allowed)
        if len(kept) < len(medium.formats):
            _keep_formats(medium, kept)
            is_changed = True
    return is_changed


def _sounds(session: SessionDescription) -> list[MediaDescription]:
    return [
        medium
        for medium in session.media
        if medium.media == "audio" and medium.is_rtp and not medium.is_rejected
    ]


def _kept(codecs: list[Codec], allowed: set[str]) -> set[int]:
    kept = [codec for codec in codecs if _is_allowed(codec, allowed)]
    rates = {codec.clock_rate for codec in kept}
    company = [codec for codec in codecs if codec.name.lower() in _COMPANIONS and codec.clock_rate in rates]
    return {codec.payload_type for codec in (*kept, *company)}


def _is_allowed(codec: Codec, allowed: set[str]) -> bool:
    name = codec.name.lower()
    fixed = STATIC_CODECS.get(codec.payload_type)
    return name not in _COMPANIONS and (
        name in allowed or (fixed is not None and fixed[0].lower() in allowed)
    )


def _keep_formats(medium: MediaDescription, kept: set[int]) -> None:
    dropped = {text for text in medium.formats if read_payload_type(text) not in kept}
    medium.formats = [text for text in medium.formats if text not in dropped]
    medium.lines = [
        line for line in medium.lines if not (line.type == "a" and _is_about(line.value, dropped))
    ]


def _is_about(attribute: str, formats: set[str]) -> bool:
    name, _, value = attribute.partition(":")
    return name in _ABOUT_ONE_FORMAT and value.strip(" ").partition(" ")[0] in formats
