"""The answer to an offer (RFC 3264 6): the first sound that we can speak, in the caller's order; all else is refused.

Pure. SRTP is not spoken here: what comes through the house's own switch and relay is on this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from media.codecs import (
    CODECS,
    FRAME_MS,
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    TELEPHONE_EVENT_PAYLOAD_TYPE,
    Chosen,
    Codec,
    choose,
)
from switch.sdp.description import SdpError, SessionDescription, parse_sdp
from switch.sdp.offer_answer import Direction, direction
from switch.sip.host import canonical_ip

EVENTS: Final = "0-15"  # RFC 4733 3.2: the keys
PROTOCOLS: Final = frozenset({"RTP/AVP", "RTP/AVPF"})
# What is offered where the INVITE had no offer: what every phone speaks.
OFFERED: Final = (PCMA, PCMU)

_ANSWERS: Final = {
    Direction.SENDRECV: Direction.SENDRECV,
    Direction.SENDONLY: Direction.RECVONLY,
    Direction.RECVONLY: Direction.SENDONLY,
    Direction.INACTIVE: Direction.INACTIVE,
}


class Agreed:
    """What was agreed, and where the caller hears it. `host` is "" where nothing may be sent."""

    __slots__ = ("codec", "direction", "event_rate", "event_type", "host", "index", "payload_type", "port")

    def __init__(self, chosen: Chosen, *, host: str, port: int, direction: Direction, index: int) -> None:
        self.codec = chosen.codec
        self.payload_type = chosen.payload_type
        self.event_type = chosen.event_payload_type
        self.event_rate = chosen.event_clock_rate
        self.host = host
        self.port = port
        self.direction = direction  # ours
        self.index = index  # of the medium

    @property
    def may_send(self) -> bool:
        return bool(self.host) and self.direction in (Direction.SENDRECV, Direction.SENDONLY)


def agree(session: SessionDescription, among: Sequence[Codec] = CODECS) -> Agreed | None:
    """None: nothing in it that can be spoken (488). Also reads the answer to an offer of ours.

    `among` is what should be spoken; an offer without any of it is agreed to as it is.
    """
    for index, medium in enumerate(session.media):
        if medium.media != "audio" or medium.protocol not in PROTOCOLS or medium.is_rejected:
            continue
        chosen = choose(medium.codecs, among) or choose(medium.codecs)
        connection = session.connection_of(medium)
        if chosen is None or connection is None:
            continue
        return Agreed(
            chosen,
            host="" if connection.is_unspecified else canonical_ip(connection.address) or "",
            port=medium.port,
            direction=_ANSWERS[direction(session, medium)],
            index=index,
        )
    return None


def read_session(body: bytes) -> SessionDescription | None:
    try:
        return parse_sdp(body)
    except SdpError:
        return None


def format_answer(
    offer: SessionDescription, agreed: Agreed, *, host: str, port: int, session_id: int, version: int
) -> bytes:
    lines = _session_lines(host, session_id, version)
    for index, medium in enumerate(offer.media):
        if index == agreed.index:
            encodings = [(agreed.payload_type, agreed.codec.rtpmap)]
            events = agreed.event_type
            lines += _media_lines(
                medium.protocol, port, encodings, events, agreed.event_rate, agreed.direction
            )
        else:
            lines.append(f"m={medium.media} 0 {medium.protocol} {' '.join(medium.formats)}")
    return _text(lines)


def format_offer(*, host: str, port: int, session_id: int, version: int) -> bytes:
    encodings = [(codec.payload_type, codec.rtpmap) for codec in OFFERED]
    lines = _session_lines(host, session_id, version)
    lines += _media_lines(
        "RTP/AVP", port, encodings, TELEPHONE_EVENT_PAYLOAD_TYPE, OFFERED[0].clock_rate, Direction.SENDRECV
    )
    return _text(lines)


def _session_lines(host: str, session_id: int, version: int) -> list[str]:
    address = f"IN {'IP6' if ':' in host else 'IP4'} {host}"
    return ["v=0", f"o=- {session_id} {version} {address}", "s=-", f"c={address}", "t=0 0"]


def _media_lines(
    protocol: str,
    port: int,
    encodings: list[tuple[int, str]],
    event_type: int | None,
    event_rate: int,
    ours: Direction,
) -> list[str]:
    types = [payload_type for payload_type, _ in encodings]
    lines = [f"a=rtpmap:{payload_type} {rtpmap}" for payload_type, rtpmap in encodings]
    if event_type is not None:
        types.append(event_type)
        lines.append(f"a=rtpmap:{event_type} {TELEPHONE_EVENT}/{event_rate}")
        lines.append(f"a=fmtp:{event_type} {EVENTS}")
    head = f"m=audio {port} {protocol} {' '.join(map(str, types))}"
    return [head, *lines, f"a=ptime:{FRAME_MS}", f"a={ours.value}"]


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")
