"""The calls of a voicemail server that may have died under them.

It says nothing when it is killed, and a caller who speaks to nobody is not silent. So when it stops answering, or
answers as another life of itself, each of its calls is asked for: a new one knows none of them and says 481, a dead one
says nothing, and either way the call is over. One that was only slow knows its calls, and they go on. They cost what
they had cost when it was last heard.
"""

from switch.calls.refresh import Refresh
from switch.calls.switchboard import Switchboard
from switch.calls.target import VoicemailTarget


def ask_for_calls(board: Switchboard, heard_at: float, now: float) -> None:
    """`heard_at` is when it was last known to be there."""
    for call in list(board.calls.values()):
        leg = call.answered_leg
        if leg is not None and leg.is_up and isinstance(leg.target, VoicemailTarget):
            leg.last_seen_at = max(leg.last_seen_at, heard_at)
            Refresh(leg).start(now)
            continue
        for early in call.ringing_legs:
            if isinstance(early.target, VoicemailTarget):
                call.on_unreachable(early, now)
