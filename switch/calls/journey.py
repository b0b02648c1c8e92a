"""Where a call goes when somebody decides about it: the diverts of lines, the plans of numbers, one after another.

Pure: it decides and counts nothing but its own searches; the hunt does what it says and tells it what came of it. A
journey is a stack of stops, each a line or a plan that sends the call on; when what a stop sent it to has failed, its
next destination is asked, then that of the stop before. What the first one came to is kept: where nobody takes the
call, that is what its caller hears.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from provisioning.model import Divert, DivertCondition, DivertKind, Line, Number
from provisioning.plans.plan import filed_prompt
from switch.calls.callee_leg import LegOutcome
from switch.calls.divert import NOWHERE, rules_for
from switch.calls.incoming_screen import incoming_refusal
from switch.calls.line_stop import LineStop
from switch.calls.line_targets import line_refusal, line_targets
from switch.calls.number_plan import E164, Short
from switch.calls.onward import HOPS_MAX, terms_outside, terms_to_line
from switch.calls.plan_stop import PlanStop
from switch.calls.q850 import NO_ANSWER
from switch.calls.refusal import (
    DIVERT_LOOP,
    DIVERTED_TO_WORDS,
    DIVERTED_TOO_OFTEN,
    DO_NOT_DISTURB,
    NOT_ASSIGNED,
    REFUSES_DIVERTS,
    UNRECOGNISED,
    VOICEMAIL_AWAY,
    Refusal,
)
from switch.calls.search import Found, Search, Stop
from switch.calls.sips_promise import keeps_promise
from switch.calls.terms import Admission, Hop, Route, Sender

if TYPE_CHECKING:
    from switch.calls.attempt import Attempt
    from switch.calls.call import Call
    from switch.calls.switchboard import Switchboard
    from switch.calls.target import Target
    from switch.journey.moves import Move, Result

# Searches of one call. Lines that send calls to several destinations each could else keep one going for ever.
SEARCHES_MAX: Final = 20
PASSED_OVER: Final = "passed over: "
# To those who sent the call to a plan that a caller has heard in vain.
NOT_TAKEN: Final = LegOutcome(480, NO_ANSWER, "nobody took the call", is_ours=True)


class Journey:
    """Of one call. `search` is the present one; `notes` say in words what was decided and what was passed over, and
    why, as it comes; `refused` is why the last of that was."""

    __slots__ = (
        "_has_had_last_words",
        "_planned",
        "_searches",
        "_stops",
        "attempt",
        "board",
        "is_answered",
        "notes",
        "refused",
        "search",
        "wants_sips",
    )

    def __init__(self, board: "Switchboard", attempt: "Attempt") -> None:
        self.board = board
        self.attempt = attempt
        self._stops: list[Stop] = []
        self._searches = 0
        self._planned: set[str] = set()
        self._has_had_last_words = False
        self.is_answered = False  # by a voice of the exchange: nothing can be said before an answer any more
        self.wants_sips = attempt.wants_sips
        self.notes: list[str] = [] if attempt.notes is None else attempt.notes
        self.refused = NOWHERE
        self.search = Search(())

    def begin(self, line: Line, number: str, ddi: str, now: float) -> Route | Refusal:
        """The call is for this line."""
        stop = LineStop(line, number, (), None, 0)
        found = stop.enter(self, now)
        if found is None:
            assert isinstance(stop.own, Refusal)
            return stop.own
        self._stops, self.search = [stop, *found.stops], found.search
        return Route(
            number, ddi, line, found.search.stages, lines=found.search.lines, journey=self
        )

    def redirected(self, line: Line, number: str) -> None:
        """A phone of the line, which nobody else decides about, has sent the call on."""
        self._stops = [LineStop(line, number, (), None, 0)]

    def begin_plan(self, number: Number, line: Line, now: float) -> Route | Refusal:
        """The call is for a number that has a plan. `line` owns the number, pays for where the plan leads, and its
        lists say who may not call."""
        unwanted = incoming_refusal(line, self.board.books.account_of(line), self.attempt.caller_id, self.board, now)
        if unwanted is not None and unwanted is not DO_NOT_DISTURB:
            return unwanted
        found = self.to_plan(number.plan, number.e164, line, None, now)
        if found is None:
            return self.refused
        self._stops, self.search = found.stops, found.search
        return Route(number.e164, number.e164, line, found.search.stages, lines=found.search.lines, journey=self)

    def send_on(self, sender: Sender, now: float) -> Search | None:
        """Somebody sends the call on to what the attempt says that he dialled; None: nobody there can be rung, as
        `refused` says."""
        attempt = self.attempt
        if attempt.called_line is not None:
            found = self.to_line(attempt.called_line.user, "", sender, 0, now)
        elif isinstance(attempt.plan_result.destination, E164 | Short):
            found = self.to_number(attempt.plan_result.destination.number, sender, 0, now)
        else:
            self.pass_over(attempt.dialled, UNRECOGNISED)
            return None
        if found is None:
            return None
        self._stops, self.search = found.stops, found.search
        return found.search

    def after(self, outcome: "LegOutcome", now: float, *, has_rung: bool) -> Search | None:
        """The present search came to nothing, so far: whom to ring instead; None: nobody, everything stays as it
        is."""
        ends_with = self.search.ends_with
        if ends_with and outcome.status == ends_with and not outcome.is_ours:
            self._has_had_last_words = True
            return None
        return self._go_on(len(self._stops), outcome, now, has_rung=has_rung)

    def came(self, result: "Result", now: float) -> Search | None:
        """What came of a voice that the innermost plan sent the call to: whom to ring next; None: nobody, for what
        `refused` says."""
        depth = max(at for at, stop in enumerate(self._stops) if isinstance(stop, PlanStop))
        plan = self._stops[depth]
        assert isinstance(plan, PlanStop)
        found = plan.came(self, result, now)
        if found is not None:
            return self._take(depth, found)
        search = self._go_on(depth, NOT_TAKEN, now, has_rung=False)
        if search is None and isinstance(plan.own, Refusal):
            self.refused = plan.own
        return search

    def _go_on(self, below: int, outcome: "LegOutcome", now: float, *, has_rung: bool) -> Search | None:
        """What the last of the stops below says that has something to say."""
        self._searches += 1
        if self._searches > SEARCHES_MAX:
            return None
        for depth in reversed(range(below)):
            found = self._stops[depth].go_on(self, outcome, now, has_rung=has_rung)
            if found is not None:
                return self._take(depth, found)
        return None

    def _take(self, depth: int, found: Found) -> Search:
        """The stop at this depth has found somebody."""
        self._stops = [*self._stops[: depth + 1], *found.stops]
        self.search = found.search
        return found.search

    @property
    def plan(self) -> PlanStop | None:
        """The innermost plan that has the call."""
        return next((stop for stop in reversed(self._stops) if isinstance(stop, PlanStop)), None)

    @property
    def move(self) -> "Move | None":
        """What a plan does with the call now; None where a line decides."""
        top = self._stops[-1] if self._stops else None
        return top.move if isinstance(top, PlanStop) else None

    @property
    def is_over(self) -> bool:
        """A plan has ended the call: what it lets ring has had its time."""
        return any(isinstance(stop, PlanStop) and stop.own is not None for stop in self._stops)

    def outcome_for_caller(self, outcome: "LegOutcome") -> "LegOutcome | Refusal":
        """What the first line came to, not where the call went on to in vain. After words that a plan or a line chose
        for the end it is what they end with."""
        if self._has_had_last_words:
            return outcome
        own = self._stops[0].own if self._stops else None
        return outcome if own is None else own

    def rules(self, stop: "LineStop", condition: DivertCondition, now: float) -> list[Divert]:
        """The diverts of a stop that apply to this call now."""
        board, caller_id = self.board, self.attempt.caller_id
        at_ms, sets = board.clock.ms(now), board.conf.time_sets
        return rules_for(stop.line, condition, caller_id=caller_id, called=stop.number, at_ms=at_ms, time_sets=sets)

    def ring(self, stop: "LineStop", now: float) -> "Found | Refusal":
        """The phones of a stop's line."""
        board, line = self.board, stop.line
        targets = line_targets(line, board, now)
        refused = line_refusal(line, targets, self.attempt.caller_id, board, now)
        if refused is not None:
            return refused
        ring_s = stop.ring_s
        for rule in self.rules(stop, DivertCondition.NO_REPLY, now)[:1]:
            ring_s = min(rule.ring_s, ring_s or rule.ring_s)
        silence = bool(self.rules(stop, DivertCondition.UNREACHABLE, now)) or bool(stop.hops)
        search = Search([self.on_terms(targets, stop.terms)], (line,), ring_s, silence)
        return Found([], search)

    def place(self, divert: Divert, stop: "LineStop", now: float) -> "Found | None":
        """Where a divert leads; None where that cannot be rung at the moment, or must not be."""
        board = self.board
        hops = (*stop.hops, Hop(stop.line, stop.number, divert.condition))
        sender = Sender(stop.line, f"divert_{divert.condition.value} of line {stop.line.user}", hops)
        if divert.kind is DivertKind.VOICEMAIL:
            deposit = board.voicemail.deposit(stop.line, divert.condition)
            if deposit is None:
                self.pass_over("voicemail", VOICEMAIL_AWAY)
            return None if deposit is None else self.found([[deposit]])
        if len(hops) + self.attempt.diversions > HOPS_MAX:
            self.pass_over(f"line {stop.line.user}", DIVERTED_TOO_OFTEN)
            return None
        if divert.kind is DivertKind.LINE:
            return self.to_line(divert.destination, "", sender, divert.answer_s, now)
        if divert.kind is DivertKind.PLAN:
            led_by = f"line {stop.line.user} to plan {divert.destination}"
            return self.to_plan(divert.destination, stop.number, stop.line, sender, now, led_by)
        if divert.kind is DivertKind.ANNOUNCEMENT:
            prompt = filed_prompt(divert.destination, stop.line.account_id)
            words = board.voicemail.words(prompt, DIVERTED_TO_WORDS)
            if words is None:
                self.pass_over(f"announcement {divert.destination}", VOICEMAIL_AWAY)
                return None
            found = self.found([[msgspec.structs.replace(words, reason=f"{sender.reason}: {words.reason}")]])
            if found is not None:
                found.search.ends_with = DIVERTED_TO_WORDS.status
            return found
        if divert.kind is DivertKind.NUMBER:
            return self.to_number(divert.destination, sender, divert.answer_s, now)
        self.notes.append(f"{PASSED_OVER}line {stop.line.user}: a divert to {divert.kind.value} is not known here")
        return None

    def to_line(
        self, user: str, number: str, sender: Sender, answer_s: int, now: float
    ) -> "Found | None":
        line = self.board.books.lines.get(user)
        if line is None:
            self.pass_over(f"line {user}", NOT_ASSIGNED)
            return None
        # A plan's own number has an owner, who has sent nothing on, and whose phones it may ring.
        before = sender.hops[:-1] if sender.is_plan else sender.hops
        if any(hop.line.user == user for hop in before):
            self.pass_over(f"line {user}", DIVERT_LOOP)
            return None
        if sender.hops and line.settings.refuses_diverts:
            self.pass_over(f"line {user}", REFUSES_DIVERTS)
            return None
        terms = terms_to_line(line, number, sender, self.attempt.caller_id, self.board, now)
        if isinstance(terms, Refusal):
            self.pass_over(f"line {user}", terms)
            return None
        stop = LineStop(line, number, sender.hops, terms, answer_s)
        found = stop.enter(self, now)
        if found is not None:
            found.stops.insert(0, stop)
        elif isinstance(stop.own, Refusal):
            self.pass_over(f"line {user}", stop.own)
        return found

    def to_number(self, number: str, sender: Sender, answer_s: int, now: float) -> "Found | None":
        assigned = self.board.books.numbers.get(number)
        owner = None if assigned is None else self.board.books.lines.get(assigned.line)
        if assigned is not None and owner is not None and assigned.plan:
            return self.to_plan(assigned.plan, number, owner, sender, now)
        if assigned is not None:
            return self.to_line(assigned.line, number, sender, answer_s, now)
        terms = terms_outside(number, sender, self.attempt.caller_id, self.board, now)
        if isinstance(terms, Refusal):
            self.pass_over(f"number {number}", terms)
            return None
        return self.found([self.on_terms(stage, terms) for stage in terms.route.stages], ring_s=answer_s)

    def to_plan(
        self, name: str, number: str, line: Line, sender: Sender | None, now: float, led_by: str = ""
    ) -> "Found | None":
        """A plan of the line's account. A call comes there once by each number, or by what else leads there."""
        led_by = led_by or f"number {number}"
        if led_by in self._planned:
            self.pass_over(led_by, DIVERT_LOOP)
            return None
        self._planned.add(led_by)
        stop = PlanStop(self, name, number, line, sender, now)
        found = stop.enter(self, now)
        if found is not None:
            found.stops.insert(0, stop)
        elif isinstance(stop.own, Refusal):
            self.pass_over(f"plan {name}", stop.own)
        return found

    def pass_over(self, what: str, refused: Refusal) -> None:
        self.refused = refused
        self.notes.append(f"{PASSED_OVER}{what}: {refused.words}")
        if refused.label not in self.attempt.not_sent_on:
            self.attempt.not_sent_on = (*self.attempt.not_sent_on, refused.label)

    def on_terms(self, targets: "Sequence[Target]", terms: Admission | None) -> "Sequence[Target]":
        if terms is None:
            return targets
        return [msgspec.structs.replace(target, onward=terms) for target in targets]

    def found(self, stages: "Sequence[Sequence[Target]]", ring_s: int = 0) -> "Found | None":
        """A caller of a sips: address is sent on encrypted or not at all."""
        if self.wants_sips:
            stages = [[target for target in stage if keeps_promise(target)] for stage in stages]
            stages = [stage for stage in stages if stage]
        return Found([], Search(stages, ring_s=ring_s)) if stages else None


def redirected_journey(call: "Call") -> Journey | None:
    """A phone has answered 3xx: its line sends the call on. None: it was no line's to send on."""
    route = None if call.admission is None else call.admission.route
    if route is None or route.line is None or route.is_service or call.attempt.instance is not None:
        return None
    journey = Journey(call.board, call.attempt)
    journey.redirected(route.line, route.number)
    return journey
