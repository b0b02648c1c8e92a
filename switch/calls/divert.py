"""Which divert of a line applies, and where it leads. Pure; what a call does about it is diverting.py's.

A divert on all calls goes before everything: no phone rings. The others are asked when the line has failed: busy is a
486, or as many calls as the line may have; unreachable is a line where nothing is registered, reacts or is in order; no
reply is the ring time of the rule, or a phone that gave up ringing by itself.

- A phone that DECLINES (603) is not diverted: its owner saw the call and said no, which is a condition of its own.
- 600 (Busy Everywhere) is not diverted either: a phone says it only where it knows that nobody else will take the
  call, "such as a voice mail system" (RFC 3261 21.6.1).
- What says something of the call and not of the line (401, 415, 488, a redirection) is the caller's to hear.
- A call to one device by its GRUU is meant for that device, and an emergency call is for no line: neither is diverted.
"""

from typing import TYPE_CHECKING, Final

from provisioning.model import Divert, DivertCondition, DivertKind, Line
from switch.calls.line_targets import FAILOVER_CODES, FLOW_FAILED
from switch.calls.q850 import NO_ANSWER
from switch.calls.refusal import CALLEE_FULL, NOT_REGISTERED, Refusal

if TYPE_CHECKING:
    from switch.calls.callee_leg import LegOutcome
    from switch.calls.switchboard import Switchboard
    from switch.calls.target import Target

BUSY_HERE: Final = 486
# 404 and 410 of a phone: it has forgotten its account, or somebody else has its address by now.
UNREACHABLE_CODES: Final = frozenset({404, 410, 480, FLOW_FAILED}) | FAILOVER_CODES
# A phone's own time is over. Before it has rung the same codes say that it cannot be reached.
GAVE_UP_RINGING: Final = frozenset({408, 480})
NOWHERE: Final = Refusal(
    "divert_unavailable", 480, 20, "the line diverts all calls to where they cannot go at the moment"
)


def before_ringing(line: Line, refused: Refusal | None) -> Divert | None:
    """Where a call to the line goes at once; `refused` is why its phones cannot be rung, if so."""
    always = rule_for(line, DivertCondition.ALL)
    if always is not None:
        return always
    if refused is NOT_REGISTERED:
        return rule_for(line, DivertCondition.UNREACHABLE)
    return rule_for(line, DivertCondition.BUSY) if refused is CALLEE_FULL else None


def next_destination(line: Line, outcome: "LegOutcome", *, has_rung: bool) -> Divert | None:
    """Where the call goes on after the line's phones failed so; None: nowhere, the caller is told."""
    condition = condition_of(outcome, has_rung=has_rung)
    return None if condition is None else rule_for(line, condition)


def condition_of(outcome: "LegOutcome", *, has_rung: bool) -> DivertCondition | None:
    """What the failure means for the line; None: nothing that a divert is for."""
    status = outcome.status
    if status == BUSY_HERE:
        return DivertCondition.BUSY
    if outcome.is_ours and outcome.q850_cause == NO_ANSWER and status in GAVE_UP_RINGING:
        return DivertCondition.NO_REPLY
    if status in GAVE_UP_RINGING and has_rung:
        return DivertCondition.NO_REPLY
    return DivertCondition.UNREACHABLE if status in UNREACHABLE_CODES else None


def rule_for(line: Line, condition: DivertCondition) -> Divert | None:
    """The first destination of a condition."""
    for divert in line.diverts:
        if divert.condition is condition:
            return divert
    return None


def target_of(divert: Divert, line: Line, board: "Switchboard") -> "Target | None":
    """None when it cannot be reached at the moment."""
    assert divert.kind is DivertKind.VOICEMAIL
    return board.voicemail.deposit(line, divert.condition)
