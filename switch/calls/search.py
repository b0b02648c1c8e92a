"""Whom to ring next, and where that was decided: what the stops of a journey give back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from provisioning.model import Line

if TYPE_CHECKING:
    from switch.calls.callee_leg import LegOutcome
    from switch.calls.journey import Journey
    from switch.calls.refusal import Refusal
    from switch.calls.target import Target


class Search(msgspec.Struct):
    """`lines` are those whose phones ring, and which have one call more meanwhile. After `ring_s` (0: the call's own
    time) the journey is asked again while they ring on. `ends_with` is the status after words that are the call's end,
    0 for everything else."""

    stages: "Sequence[Sequence[Target]]"
    lines: tuple[Line, ...] = ()
    ring_s: int = 0
    watches_silence: bool = False
    ends_with: int = 0


class Found(msgspec.Struct):
    """A search, and the stops that led there."""

    stops: "list[Stop]"
    search: Search


class Stop(Protocol):
    """Somebody who decides about a call: a line, by its diverts, or a plan. `own` is what the call came to there."""

    own: "LegOutcome | Refusal | None"

    def go_on(self, journey: "Journey", outcome: "LegOutcome", now: float, *, has_rung: bool) -> Found | None:
        """What was searched last did not take the call: whom to ring instead."""
