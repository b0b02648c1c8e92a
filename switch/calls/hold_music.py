"""Music for an end that is on hold (RFC 3264 8.4; RFC 5359 2.3 has the service).

Looked at when an offer of a call that is up and its answer have crossed. An end hears music when the other end's
description wants no sound of it any more (`sendonly`, `inactive` or the address 0.0.0.0) and its own says that it still
listens: so two ends that hold each other hear nothing, and neither does a phone that answered `inactive`. An end that
never wanted to hear anything, as a loudspeaker does that is only spoken to, has put nobody on hold.

Left alone: emergency calls; our own voicemail, which would record the music; a carrier's end that goes on to speak
(`sendonly`), as its network has an announcement or music of its own.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.passing import Body
from switch.sdp.description import SdpError, SessionDescription, parse_sdp
from switch.sdp.door import is_session_description
from switch.sdp.offer_answer import heard_sound, is_hold, is_speaking

if TYPE_CHECKING:
    from switch.calls.leg import Leg

# The relay's name of it (media/relay/tones.py), whatever the operator has chosen to be played.
HOLD_MUSIC: Final = "hold-music"


def follow_hold(offerer: "Leg", answerer: "Leg", before: tuple[Body, Body]) -> None:
    """After each agreement; `before` is what the two had said until then."""
    if not offerer.board.conf.media.hold_music or offerer.call.is_emergency:
        return
    for leg, said in zip((offerer, answerer), before, strict=True):
        if leg.media is None:
            return
        if not leg.media.has_listened:
            session = _read(said)
            leg.media.has_listened = session is not None and not is_hold(session)
    offer, answer = _read(offerer.own_body), _read(answerer.own_body)
    if offer is None or answer is None:
        return
    _serve(answerer, answer, holds=_is_holding(offerer, offer))
    # Who is offered nothing to hear can only answer that it hears nothing: it holds nobody, unless it did before.
    may_hold = is_speaking(offer) or (offerer.media is not None and offerer.media.has_music)
    _serve(offerer, offer, holds=may_hold and _is_holding(answerer, answer))


def _serve(held: "Leg", session: SessionDescription, *, holds: bool) -> None:
    number = heard_sound(session) if holds and held.hears_music else None
    assert held.media is not None
    if number is None:
        held.media.stop_music()
    else:
        held.media.play_music(number, HOLD_MUSIC)


def _is_holding(holder: "Leg", session: SessionDescription) -> bool:
    if holder.media is None or not holder.media.has_listened or not is_hold(session):
        return False
    return holder.trunk is None or not is_speaking(session)


def _read(body: Body) -> SessionDescription | None:
    if not is_session_description(body.content):
        return None
    try:
        return parse_sdp(body.content)
    except SdpError:
        return None
