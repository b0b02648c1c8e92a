"""A session description on its way from one leg to the other: through the relay, and by a trunk's rule for codecs.

The one place that all of them pass: offers and answers in INVITE, 18x, 200, ACK, PRACK, UPDATE and re-INVITE. What is
no session description, or cannot be read as one, crosses as it is.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.browser_media import browser_media_of
from switch.calls.passing import Body
from switch.calls.privacy import hides_caller, without_people
from switch.relay.leg_media import LegMedia
from switch.sdp.description import SdpError, parse_sdp
from switch.sdp.door import is_session_description
from switch.sdp.offer_answer import drop_codecs, keep_codecs, leaves_sound
from switch.sip.flow import WEBSOCKETS

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.config import Trunk

NO_RULE: Final[frozenset[str]] = frozenset()
SESSION_ID_DIGITS: Final = 15  # hexadecimal; some peers keep the number (RFC 8866 5.2) in 64 bits with a sign


def carry(origin: "Leg", target: "Leg", body: Body) -> Body:
    """What `target` is told of what `origin` said."""
    content = body.content
    if not content or not is_session_description(content):
        return body
    if origin is origin.call.caller_leg and hides_caller(origin.call):
        content = without_people(content)
    codecs = _codecs_of(target)
    carried: bytes | None = None
    if target.board.relay is not None and not _may_be_direct(origin, target):
        carried = _relayed(origin, target, content, codecs)
    if carried is None:
        carried = _unrelayed(content, codecs)
    return body if carried is body.content else body.with_content(carried)


def takes(trunk: "Trunk", offer: Body) -> bool:
    """Whether an offer leaves a trunk one codec that its rule allows."""
    return _leaves_codec(offer, trunk.codecs)


def takes_reoffer(target: "Leg", offer: Body) -> bool:
    """The same of an offer in a re-INVITE or UPDATE to this leg."""
    return _leaves_codec(offer, _codecs_of(target))


def _leaves_codec(offer: Body, codecs: frozenset[str]) -> bool:
    if not codecs or not is_session_description(offer.content):
        return True
    try:
        return leaves_sound(parse_sdp(offer.content), codecs)
    except SdpError:
        return True


def _codecs_of(target: "Leg") -> frozenset[str]:
    """The rule of its trunk, which an emergency call does not mind; empty for none."""
    trunk = target.trunk
    return trunk.codecs if trunk is not None and not target.call.is_emergency else NO_RULE


def _unrelayed(content: bytes, codecs: frozenset[str]) -> bytes:
    """By the rule; unchanged where it would leave nothing. Offers of that kind are refused before, but for those in a
    PRACK."""
    if not codecs:
        return content
    try:
        return keep_codecs(content, codecs) or content
    except SdpError:
        return content


def _relayed(origin: "Leg", target: "Leg", content: bytes, codecs: frozenset[str]) -> bytes | None:
    """By the rule and through the relay; None when it crosses without the relay."""
    from_media, to_media = media_of(origin), media_of(target)
    if from_media.is_direct or to_media.is_direct:
        return None
    if not to_media.is_relayed_now:
        to_media.is_direct = True
        return None
    try:
        session = parse_sdp(content)
    except SdpError:
        target.board.counts.unreadable_descriptions += 1
        return None
    if codecs and leaves_sound(session, codecs):
        drop_codecs(session, codecs)
    said = to_media.says(session, from_media.hears(session))
    if said is None:
        to_media.is_direct = True
        return None
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
