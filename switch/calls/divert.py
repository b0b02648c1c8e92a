"""Which divert of a line applies. Pure; where it leads is journey.py's.

A divert on all calls goes before everything: no phone rings. The others are asked when the line has failed: busy is a
486, or as many calls as the line may have; unreachable is a line where nothing is registered, reacts or is in order; no
reply is the ring time of the rule, or a phone that gave up ringing by itself.

- A phone that DECLINES (603) is a condition of its own: its owner saw the call and said no.
- 600 (Busy Everywhere) is not diverted either: a phone says it only where it knows that nobody else will take the
  call, "such as a voice mail system" (RFC 3261 21.6.1).
- What says something of the call and not of the line (401, 415, 488, a redirection) is the caller's to hear.
- A call to one device by its GRUU is meant for that device, and an emergency call is for no line: neither is diverted.
"""

from typing import TYPE_CHECKING, Final

from provisioning.model import Divert, DivertCondition, Line
from switch.calls.line_targets import FAILOVER_CODES, FLOW_FAILED
from switch.calls.number_pattern import is_listed, lists_withheld
from switch.calls.q850 import NO_ANSWER
from switch.calls.refusal import CALLEE_FULL, DO_NOT_DISTURB, NOT_REGISTERED, Refusal

if TYPE_CHECKING:
    from switch.calls.callee_leg import LegOutcome
    from switch.calls.identity import CallerId
    from switch.journey.time_sets import TimeSets

BUSY_HERE: Final = 486
DECLINED: Final = 603
# 404 and 410 of a phone: it has forgotten its account, or somebody else has its address by now.
UNREACHABLE_CODES: Final = frozenset({404, 410, 480, FLOW_FAILED}) | FAILOVER_CODES
# A phone's own time is over. Before it has rung the same codes say that it cannot be reached.
GAVE_UP_RINGING: Final = frozenset({408, 480})
NOWHERE: Final = Refusal(
    "divert_unavailable", 480, 20, "the line diverts all calls to where they cannot go at the moment"
)


def condition_of_refusal(refused: Refusal) -> DivertCondition | None:
    """What it means for the line that its phones cannot be rung; None: it does not want this call at all."""
    if refused is NOT_REGISTERED:
        return DivertCondition.UNREACHABLE
    return DivertCondition.BUSY if refused in (CALLEE_FULL, DO_NOT_DISTURB) else None


def condition_of(outcome: "LegOutcome", *, has_rung: bool) -> DivertCondition | None:
    """What the failure means for the line; None: nothing that a divert is for."""
    status = outcome.status
    if status == BUSY_HERE:
        return DivertCondition.BUSY
    if status == DECLINED and not outcome.is_ours:
        return DivertCondition.DECLINED
    if outcome.is_ours and outcome.q850_cause == NO_ANSWER and status in GAVE_UP_RINGING:
        return DivertCondition.NO_REPLY
    if status in GAVE_UP_RINGING and has_rung:
        return DivertCondition.NO_REPLY
    return DivertCondition.UNREACHABLE if status in UNREACHABLE_CODES else None


def rules_for(
    line: Line,
    condition: DivertCondition,
    *,
    caller_id: "CallerId",
    called: str,
    at_ms: int,
    time_sets: "TimeSets",
) -> list[Divert]:
    """The destinations of a condition for this caller, this number and this time, in their order."""
    return [
        divert
        for divert in line.diverts
        if divert.condition is condition
        and divert.is_enabled
        and (not divert.sources or _is_from(caller_id, divert.sources))
        and (not divert.ddis or called in divert.ddis)
        and (not divert.time_set or time_sets.is_in(divert.time_set, at_ms))
    ]


def _is_from(caller_id: "CallerId", sources: tuple[str, ...]) -> bool:
    """A number that is withheld is nobody's to choose by."""
    if caller_id.is_withheld:
        return lists_withheld(sources)
    return is_listed(caller_id.presentation_number or caller_id.network_number, sources)
