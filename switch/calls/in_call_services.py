"""New calls that are for a call that is there already: in the place of an end, of a phone that rings, of a voice.

They ring nobody. The ladder has let them through; here they begin.
"""

from typing import TYPE_CHECKING

from switch.calls.callee_leg import CalleeLeg
from switch.calls.pick_up import pick_up
from switch.calls.take_over import TakeOver

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.leg import Leg
    from switch.calls.terms import Admission


def replace_end(call: "Call", admission: "Admission", replaced: "Leg", now: float) -> None:
    """INVITE with Replaces."""
    if not call.open(admission, now):
        return
    if isinstance(replaced, CalleeLeg) and not replaced.is_up:
        pick_up(call, replaced, now)
        return
    staying = replaced.other
    assert staying is not None, "the ladder has looked"
    call.rows[0].leg_reason = f"in the place of line {replaced.line_user}"
    TakeOver(call, staying, replaced, f"replaced by line {call.caller_leg.line_user}").begin(now)
