"""A session description on its way from one leg to the other: through the relay, and by a trunk's rule for codecs.

The one place that all of them pass: offers and answers in INVITE, 18x, 200, ACK, PRACK, UPDATE and re-INVITE. What is
no session description, or cannot be read as one, crosses as it is.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from switch.calls.browser_media import browser_media_of
from switch.calls.passing import Body
from switch.calls.privacy import hides_caller, without_people
from switch.relay.leg_media import LegMedia
from switch.sdp.description import SdpError, parse_sdp
from switch.sdp.door import is_session_description
from switch.sdp.offer_answer import keep_codecs
from switch.sip.flow import WEBSOCKETS

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.config import Trunk

SESSION_ID_DIGITS: Final = 15  # hexadecimal; some peers keep the number (RFC 8866 5.2) in 64 bits with a sign


def carry(origin: "Leg", target: "Leg", body: Body) -> Body:
    """What `target` is told of what `origin` said."""
    content = body.content
    if not content or not is_session_description(content):
        return body
    trunk, relay = target.trunk, target.board.relay
    if origin is origin.call.caller_leg and hides_caller(origin.call):
        content = without_people(content)
    if trunk is not None and trunk.codecs and not target.call.is_emergency:
        content = allowed(content, trunk.codecs)
    if relay is not None and not _may_be_direct(origin, target):
        content = _relayed(origin, target, content)
    return body if content is body.content else msgspec.structs.replace(body, content=content)


def allowed(content: bytes, codecs: frozenset[str]) -> bytes:
    """With the codecs of a trunk's rule only; unchanged where none would be left, which is refused before (`takes`)."""
    try:
        return keep_codecs(content, codecs) or content
    except SdpError:
        return content


def takes(trunk: "Trunk", offer: Body) -> bool:
    """Whether an offer leaves a trunk one codec that its rule allows."""
    if not trunk.codecs or not is_session_description(offer.content):
        return True
    try:
        return bool(keep_codecs(offer.content, trunk.codecs))
    except SdpError:
        return True


def _relayed(origin: "Leg", target: "Leg", content: bytes) -> bytes:
    from_media, to_media = media_of(origin), media_of(target)
    if from_media.is_direct or to_media.is_direct:
        return content
    if not to_media.is_relayed_now:
        to_media.is_direct = True
        return content
    try:
        session = parse_sdp(content)
    except SdpError:
        target.board.counts.unreadable_descriptions += 1
        return content
    from_media.hears(session)
    said = to_media.says(session)
    if said is None:
        to_media.is_direct = True
        return content
    to_media.bridge(from_media)
    return said


def heard(leg: "Leg", body: Body) -> None:
    """A description of this leg's peer that goes no further: its answer to our refresh."""
    if leg.media is None or not is_session_description(body.content):
        return
    try:
        leg.media.hears(parse_sdp(body.content))
    except SdpError:
        leg.board.counts.unreadable_descriptions += 1


def media_of(leg: "Leg") -> LegMedia:
    """The leg's own; made when it is first needed."""
    if leg.media is None:
        board = leg.board
        assert board.relay is not None
        leg.media = LegMedia(leg, board.relay, int(board.tokens.tag()[:SESSION_ID_DIGITS], 16))
        if board.relay.gates is not None:
            leg.media.browser = browser_media_of(leg, board.relay.gates)
    return leg.media


def _may_be_direct(origin: "Leg", target: "Leg") -> bool:
    """Two phones at one address hear each other without us, where the operator wants that; so do two browsers."""
    if not target.board.conf.media.bypass or origin.media is not None or target.media is not None:
        return False
    if (origin.flow.transport in WEBSOCKETS) is not (target.flow.transport in WEBSOCKETS):
        return False
    return origin.flow.remote_host == target.flow.remote_host
