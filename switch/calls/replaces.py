"""INVITE with Replaces: which leg it wants to take the place of, and whether it may (RFC 3891 3).

The header names a dialog as we know it: Call-ID, our tag, the peer's tag. All three must match, as in a request inside
that dialog; whoever does not know them learns nothing but 481. Of a phone that rings the peer's tag is the one that it
rang with. Who may: a line of the account whose line is at that end.
"""

from typing import TYPE_CHECKING

from switch.calls import refusal
from switch.calls.callee_leg import CalleeLeg
from switch.calls.conversation import line_of
from switch.calls.identity import Caller, LineCaller
from switch.calls.leg import Leg, LegState
from switch.calls.pick_up import may_pick_up
from switch.calls.refusal import Refusal
from switch.sip.errors import SipParseError
from switch.sip.message import Request
from switch.sip.refer_fields import replaces_of

if TYPE_CHECKING:
    from switch.calls.switchboard import Switchboard

WITHOUT_TAG = "0"  # how a dialog with a peer of RFC 2543, which has no tag, is named


def leg_to_replace(request: Request, board: "Switchboard") -> Leg | Refusal | None:
    """None for an INVITE without Replaces. An early dialog can be replaced only where we sent the INVITE."""
    if "replaces" not in request.headers:
        return None
    try:
        replaces = replaces_of(request.headers)
    except SipParseError:
        return refusal.REPLACES_MALFORMED
    assert replaces is not None
    leg = board.legs.get((replaces.call_id, replaces.to_tag))
    if leg is None or (_peer_tag(leg) or WITHOUT_TAG) != replaces.from_tag:
        return refusal.REPLACED_UNKNOWN
    if leg.state is LegState.UP:
        return refusal.REPLACED_IS_UP if replaces.is_early_only else leg
    if leg.state is LegState.SETTING_UP:
        is_ringing = isinstance(leg, CalleeLeg) and leg.is_ringing
        return leg if is_ringing else refusal.REPLACED_UNKNOWN
    return refusal.REPLACED_IS_OVER


def replacing_refusal(leg: Leg, caller: Caller, request: Request) -> Refusal | None:
    """Why this caller does not get that end's place."""
    if leg.state is not LegState.UP:
        refused = None if may_pick_up(leg, caller) else refusal.REPLACES_DECLINED
    else:
        refused = _up_refusal(leg, caller)
    return refusal.LATE_OFFER if refused is None and not request.body else refused


def _up_refusal(leg: Leg, caller: Caller) -> Refusal | None:
    line, staying = line_of(leg), leg.other
    if line is None or not isinstance(caller, LineCaller) or caller.line.account_id != line.account_id:
        return refusal.REPLACES_DECLINED
    if staying is None or leg.call.is_emergency or staying.call.is_emergency:
        return refusal.REPLACES_DECLINED
    if leg.call.retarget is not None or staying.call.retarget is not None or not staying.is_up:
        return refusal.REPLACED_IS_BUSY
    return None


def _peer_tag(leg: Leg) -> str | None:
    if leg.dialog is not None:
        return leg.dialog.remote_tag
    return leg.peer_tag if isinstance(leg, CalleeLeg) else None
