"""Whom to ring, in what order, and what a failed attempt means (RFC 3261 16.7, without the proxy).

A hunt is a list of stages. The targets of one stage ring together and the first answer wins; the next stage begins
when the one before it has failed in a way that allows it. A line is one stage with all its phones; a route over
several trunks is one stage a trunk. Pure: it decides, the call acts.
"""

from collections.abc import Sequence
from typing import Final

from switch.calls.callee_leg import LegOutcome
from switch.calls.line_targets import FLOW_FAILED, backup_of
from switch.calls.passing import BETWEEN_US, CHALLENGES
from switch.calls.q850 import cause_of_status, status_of_cause
from switch.calls.target import LineTarget, Target, TrunkTarget
from switch.config import Trunk

GLOBAL_FAILURE: Final = 600
NO_CODEC: Final = LegOutcome(488, 88, "no codec of the caller's that the carrier takes", is_ours=True)
UNREACHABLE: Final = LegOutcome(480, 20, "no phone of the line could be reached", is_ours=True)
NO_EMERGENCY_TRUNK: Final = LegOutcome(500, 38, "no trunk for emergency calls is there", is_ours=True)
_PREFERENCE: Final[tuple[int, ...]] = (486, 480, 603)  # within 4xx: busy tells a caller more than unreachable does


class Hunt:
    """The stages still to be tried."""

    __slots__ = ("_next", "_stages")

    def __init__(self, stages: Sequence[Sequence[Target]]) -> None:
        self._stages = stages
        self._next = 0

    def next_stage(self) -> Sequence[Target] | None:
        """The next targets to ring together, or None when nothing is left."""
        if self._next >= len(self._stages):
            return None
        stage = self._stages[self._next]
        self._next += 1
        return stage

    @property
    def is_last(self) -> bool:
        """Whether nobody is left to be tried after the present stage."""
        return self._next >= len(self._stages)

    @property
    def is_serial(self) -> bool:
        """Whether the present stage has one target, so that its early media may be passed on."""
        return len(self._stages[self._next - 1]) == 1


def backup_for(target: Target, outcome: LegOutcome, *, has_rung: bool) -> LineTarget | TrunkTarget | None:
    """The next way to whom this target was for, tried in its place beside what else rings."""
    if isinstance(target, LineTarget):
        return backup_of(target, outcome.status, is_ours=outcome.is_ours, has_rung=has_rung)
    if not isinstance(target, TrunkTarget) or not may_fail_over(target, outcome, has_rung=has_rung):
        return None
    return target.backup


def may_fail_over(target: Target, outcome: LegOutcome, *, has_rung: bool) -> bool:
    """Whether the next trunk may be tried: by the trunk's own codes, never after its first 18x."""
    if has_rung or not isinstance(target, TrunkTarget):
        return False
    return outcome.is_ours or fails_over(target.trunk, outcome.status)


def fails_over(trunk: Trunk, status: int) -> bool:
    """A trunk that does not know us says nothing about the callee, whatever its codes."""
    return status in CHALLENGES or status in trunk.failover_codes


def status_for_caller(outcome: LegOutcome) -> int:
    """What a failed target means to the caller.

    A redirection is not ours to pass on, nor is what concerns only that peer and us, nor that the flow to a phone is
    gone. And a 503 from behind would tell the phone that this exchange is down, so that it goes elsewhere (RFC 3261
    16.7 step 6, RFC 3263 4.3): a carrier's becomes 500, an unreachable phone's 480. Where a 5xx of a gateway has a
    Reason that says more (a cause that the status does not stand for), the caller hears what the cause means.
    """
    if outcome.status < 400 or outcome.status == FLOW_FAILED:
        return 480
    if outcome.status in BETWEEN_US:
        return 500
    if 500 <= outcome.status < 600 and not outcome.is_ours:
        said = status_of_cause(outcome.q850_cause)
        if said < 500 and outcome.q850_cause != cause_of_status(outcome.status):
            return said
    if outcome.status == 503:
        return 480 if outcome.is_ours else 500
    return outcome.status


def best_outcome(outcomes: Sequence[LegOutcome], *, is_emergency: bool = False) -> LegOutcome:
    """What the caller is told when every attempt failed: a 6xx first, then the lowest class (16.7 step 6).

    A peer's own answer goes before our time-outs, so that "busy" from one phone is not lost behind a dead one. Where
    there was nobody to try, an emergency call has no trunk.
    """
    return min(outcomes, key=_rank, default=NO_EMERGENCY_TRUNK if is_emergency else UNREACHABLE)


def _rank(outcome: LegOutcome) -> tuple[int, int, int]:
    if outcome.status >= GLOBAL_FAILURE:
        return (0, 0, outcome.status)
    preference = _PREFERENCE.index(outcome.status) if outcome.status in _PREFERENCE else len(_PREFERENCE)
    return (2 if outcome.is_ours else 1, outcome.status // 100, preference)
