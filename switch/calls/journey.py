"""Where a call goes when it does not stay where it was aimed at: the diverts of lines, one line after another.

Pure: it decides and counts nothing but its own moves; the hunt does what it says and tells it what came of it. A
journey is a stack of stops, each a line that sends the call on; when what a stop sent it to has failed, its next
destination is asked, then that of the stop before. What the first line came to is kept: where nobody takes the call,
that is what its caller hears.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from provisioning.model import Divert, DivertCondition, DivertKind, Line
from switch.calls.divert import NOWHERE, condition_of, condition_of_refusal, rules_for
from switch.calls.line_targets import line_refusal, line_targets
from switch.calls.number_plan import E164
from switch.calls.onward import HOPS_MAX, terms_outside, terms_to_line
from switch.calls.refusal import (
    DIVERT_LOOP,
    DIVERTED_TOO_OFTEN,
    NOT_ASSIGNED,
    REFUSES_DIVERTS,
    UNRECOGNISED,
    Refusal,
)
from switch.calls.sips_promise import keeps_promise
from switch.calls.terms import Admission, Hop, Route, Sender

if TYPE_CHECKING:
    from switch.calls.attempt import Attempt
    from switch.calls.callee_leg import LegOutcome
    from switch.calls.switchboard import Switchboard
    from switch.calls.target import Target

# Searches of one call. Lines that send calls to several destinations each could else keep one going for ever.
SEARCHES_MAX: Final = 20


class Search(msgspec.Struct):
    """Whom to ring next. `line` is whose phones ring, and which has one call more meanwhile. After `ring_s` (0: the
    call's own time) the journey is asked again while they ring on."""

    stages: "Sequence[Sequence[Target]]"
    line: Line | None = None
    ring_s: int = 0
    watches_silence: bool = False


class Journey:
    """Of one call. `search` is the first one; `notes` say in words what was passed over, and why; `refused` is why the
    last of that was."""

    __slots__ = ("_attempt", "_board", "_searches", "_stops", "notes", "refused", "search", "wants_sips")

    def __init__(self, board: "Switchboard", attempt: "Attempt") -> None:
        self._board = board
        self._attempt = attempt
        self._stops: list[_Stop] = []
        self._searches = 0
        self.wants_sips = attempt.wants_sips
        self.notes: list[str] = []
        self.refused = NOWHERE
        self.search = Search(())

    def begin(self, line: Line, number: str, ddi: str, now: float) -> Route | Refusal:
        """The call is for this line."""
        stop = _Stop(line, number, (), None, 0)
        found = stop.enter(self, now)
        if found is None:
            assert isinstance(stop.own, Refusal)
            return stop.own
        self._stops, self.search = [stop, *found.stops], found.search
        return Route(
            number, ddi, line, found.search.stages, holds_line=found.search.line is line, journey=self
        )

    def send_on(self, sender: Sender, now: float) -> Search | None:
        """Somebody sends the call on to what the attempt says that he dialled; None: nobody there can be rung, as
        `refused` says."""
        attempt = self._attempt
        if attempt.called_line is not None:
            found = self._line(attempt.called_line.user, "", sender, 0, now)
        elif isinstance(attempt.plan_result.destination, E164):
            found = self._number(attempt.plan_result.destination.number, sender, 0, now)
        else:
            self._pass_over(attempt.dialled, UNRECOGNISED)
            return None
        if found is None:
            return None
        self._stops, self.search = found.stops, found.search
        return found.search

    def after(self, outcome: "LegOutcome", now: float, *, has_rung: bool) -> Search | None:
        """The present search came to nothing, so far: whom to ring instead; None: nobody, everything stays as it
        is."""
        self._searches += 1
        if self._searches > SEARCHES_MAX:
            return None
        for depth in reversed(range(len(self._stops))):
            found = self._stops[depth].go_on(self, outcome, now, has_rung=has_rung)
            if found is not None:
                self._stops = [*self._stops[: depth + 1], *found.stops]
                return found.search
        return None

    def outcome_for_caller(self, outcome: "LegOutcome") -> "LegOutcome | Refusal":
        """What the first line came to, not where the call went on to in vain."""
        own = self._stops[0].own if self._stops else None
        return outcome if own is None else own

    def rules(self, stop: "_Stop", condition: DivertCondition, now: float) -> list[Divert]:
        """The diverts of a stop that apply to this call now."""
        board, caller_id = self._board, self._attempt.caller_id
        at_ms, sets = board.clock.ms(now), board.conf.time_sets
        return rules_for(stop.line, condition, caller_id=caller_id, called=stop.number, at_ms=at_ms, time_sets=sets)

    def ring(self, stop: "_Stop", now: float) -> "_Found | Refusal":
        """The phones of a stop's line."""
        board, line = self._board, stop.line
        targets = line_targets(line, board, now)
        refused = line_refusal(line, targets, self._attempt.caller_id, board, now)
        if refused is not None:
            return refused
        ring_s = stop.ring_s
        for rule in self.rules(stop, DivertCondition.NO_REPLY, now)[:1]:
            ring_s = min(rule.ring_s, ring_s or rule.ring_s)
        silence = bool(self.rules(stop, DivertCondition.UNREACHABLE, now)) or bool(stop.hops)
        search = Search([self._on_terms(targets, stop.terms)], line, ring_s, silence)
        return _Found([], search)

    def place(self, divert: Divert, stop: "_Stop", now: float) -> "_Found | None":
        """Where a divert leads; None where that cannot be rung at the moment, or must not be."""
        board = self._board
        hops = (*stop.hops, Hop(stop.line, stop.number, divert.condition))
        sender = Sender(stop.line, f"divert_{divert.condition.value} of line {stop.line.user}", hops)
        if divert.kind is DivertKind.VOICEMAIL:
            deposit = board.voicemail.deposit(stop.line, divert.condition)
            return None if deposit is None else self._found([[deposit]])
        if len(hops) + self._attempt.diversions > HOPS_MAX:
            self._pass_over(f"line {stop.line.user}", DIVERTED_TOO_OFTEN)
            return None
        if divert.kind is DivertKind.LINE:
            return self._line(divert.destination, "", sender, divert.answer_s, now)
        if divert.kind is DivertKind.NUMBER:
            return self._number(divert.destination, sender, divert.answer_s, now)
        self.notes.append(f"line {stop.line.user}: a divert to {divert.kind.value} is not known here")
        return None

    def _line(
        self, user: str, number: str, sender: Sender, answer_s: int, now: float
    ) -> "_Found | None":
        line = self._board.books.lines.get(user)
        if line is None:
            self._pass_over(f"line {user}", NOT_ASSIGNED)
            return None
        if any(hop.line.user == user for hop in sender.hops):
            self._pass_over(f"line {user}", DIVERT_LOOP)
            return None
        if sender.hops and line.settings.refuses_diverts:
            self._pass_over(f"line {user}", REFUSES_DIVERTS)
            return None
        terms = terms_to_line(line, number, sender, self._attempt.caller_id, self._board, now)
        if isinstance(terms, Refusal):
            self._pass_over(f"line {user}", terms)
            return None
        stop = _Stop(line, number, sender.hops, terms, answer_s)
        found = stop.enter(self, now)
        if found is not None:
            found.stops.insert(0, stop)
        elif isinstance(stop.own, Refusal):
            self._pass_over(f"line {user}", stop.own)
        return found

    def _number(self, number: str, sender: Sender, answer_s: int, now: float) -> "_Found | None":
        assigned = self._board.books.numbers.get(number)
        if assigned is not None:
            return self._line(assigned.line, number, sender, answer_s, now)
        terms = terms_outside(number, sender, self._attempt.caller_id, self._board, now)
        if isinstance(terms, Refusal):
            self._pass_over(f"number {number}", terms)
            return None
        return self._found([self._on_terms(stage, terms) for stage in terms.route.stages], ring_s=answer_s)

    def _pass_over(self, what: str, refused: Refusal) -> None:
        self.refused = refused
        self.notes.append(f"{what}: {refused.words}")

    def _on_terms(self, targets: "Sequence[Target]", terms: Admission | None) -> "Sequence[Target]":
        if terms is None:
            return targets
        return [msgspec.structs.replace(target, onward=terms) for target in targets]

    def _found(self, stages: "Sequence[Sequence[Target]]", ring_s: int = 0) -> "_Found | None":
        """A caller of a sips: address is sent on encrypted or not at all."""
        if self.wants_sips:
            stages = [[target for target in stage if keeps_promise(target)] for stage in stages]
            stages = [stage for stage in stages if stage]
        return _Found([], Search(stages, ring_s=ring_s)) if stages else None


class _Found(msgspec.Struct):
    """A search, and the stops that led there."""

    stops: "list[_Stop]"
    search: Search


class _Stop:
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

    def enter(self, journey: Journey, now: float) -> _Found | None:
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

    def go_on(self, journey: Journey, outcome: "LegOutcome", now: float, *, has_rung: bool) -> _Found | None:
        """The phones, or where the call was sent to, did not take it."""
        if self._destinations is not None:
            return self._next(journey, now)
        condition = condition_of(outcome, has_rung=has_rung)
        rules = journey.rules(self, condition, now) if condition is not None else []
        self._destinations = iter(rules)
        found = self._next(journey, now)
        if found is None:
            self._destinations = None  # the phones may ring on, and come to something else
        else:
            self.own = outcome
        return found

    def _next(self, journey: Journey, now: float) -> _Found | None:
        assert self._destinations is not None
        for divert in self._destinations:
            found = journey.place(divert, self, now)
            if found is not None:
                return found
        return None
