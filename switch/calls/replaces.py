"""INVITE with Replaces: which leg it wants to take the place of (RFC 3891 3).

The header names a dialog as we know it: Call-ID, our tag, the peer's tag. All three must match, as in a request inside
that dialog; whoever does not know them learns nothing but 481.
"""

from typing import TYPE_CHECKING

from switch.calls.leg import Leg, LegState
from switch.calls.refusal import (
    REPLACED_IS_OVER,
    REPLACED_IS_UP,
    REPLACED_UNKNOWN,
    REPLACES_MALFORMED,
    Refusal,
)
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
        return REPLACES_MALFORMED
    assert replaces is not None
    leg = board.legs.get((replaces.call_id, replaces.to_tag))
    if leg is None or leg.dialog is None or (leg.dialog.remote_tag or WITHOUT_TAG) != replaces.from_tag:
        return REPLACED_UNKNOWN
    if leg.state is LegState.UP:
        return REPLACED_IS_UP if replaces.is_early_only else leg
    if leg.state is LegState.SETTING_UP:
        return REPLACED_UNKNOWN if leg.index == 0 else leg
    return REPLACED_IS_OVER
