"""A line that a call was sent to: its phones, and the destinations of its diverts in their order."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from provisioning.model import Divert, DivertCondition, Line
from switch.calls.divert import NOWHERE, condition_of, condition_of_refusal
from switch.calls.redirection import diverts_of, is_redirection
from switch.calls.refusal import Refusal
from switch.calls.search import Found
from switch.calls.terms import Admission, Hop

if TYPE_CHECKING:
    from switch.calls.callee_leg import LegOutcome
    from switch.calls.journey import Journey


class LineStop:
    """One line that the call was sent to. `own` is what it came to there, once it has left; `terms` are None for the
    line that was called, `ring_s` is how long who sent it here wants it to ring, 0 for ever."""

    __slots__ = ("_destinations", "hops", "line", "number", "own", "ring_s", "terms")

    def __init__(
        self, line: Line, number: str, hops: tuple[Hop, ...], terms: Admission | None, ring_s: int
    ) -> None:
        self.line = line
        self.number = number
        self.hops = hops
        self.terms = terms
        self.ring_s = ring_s
        self.own: LegOutcome | Refusal | None = None
        self._destinations: Iterator[Divert] | None = None

    def enter(self, journey: "Journey", now: float) -> Found | None:
        """Ring the phones, or go on at once."""
        always = journey.rules(self, DivertCondition.ALL, now)
        rung = journey.ring(self, now)
        if isinstance(rung, Refusal) and condition_of_refusal(rung) is None:
            self.own = rung  # the line does not want this call: not here, and not by its diverts either
            return None
        if always:
            self.own = rung if isinstance(rung, Refusal) else NOWHERE
            self._destinations = iter(always)
            return self._next(journey, now)
        if not isinstance(rung, Refusal):
            return rung
        self.own = rung
        condition = condition_of_refusal(rung)
        assert condition is not None
        self._destinations = iter(journey.rules(self, condition, now))
        return self._next(journey, now)

    def go_on(self, journey: "Journey", outcome: "LegOutcome", now: float, *, has_rung: bool) -> Found | None:
        """The phones, or where the call was sent to, did not take it."""
        if self._destinations is not None:
            return self._next(journey, now)
        condition = condition_of(outcome, has_rung=has_rung)
        if is_redirection(outcome):
            rules = diverts_of(outcome, journey.board)
        else:
            rules = journey.rules(self, condition, now) if condition is not None else []
        self._destinations = iter(rules)
        found = self._next(journey, now)
        if found is None:
            self._destinations = None  # the phones may ring on, and come to something else
        else:
            self.own = outcome
        return found

    def _next(self, journey: "Journey", now: float) -> Found | None:
        assert self._destinations is not None
        for divert in self._destinations:
            found = journey.place(divert, self, now)
            if found is not None:
                return found
        return None
