"""A call's search for somebody who answers, without a call: the rules of hunting.py, with what every target is assumed
to do, second by second.

Whom to ring and what comes after it are asked of what live calls ask (Hunt, Journey); what they ask in turn of calls
at once, of money and of time is counted here as a call would, on a board that is for asking (asking.py). Left out: a
carrier that gives no sign of ringing in its time, codecs, and how many calls a carrier takes in a second.
"""

from collections.abc import Callable, Generator, Iterator

import msgspec

from provisioning.model import Line
from rating.engine import Engine, Shortage
from switch.calls import refusal
from switch.calls.attempt import Attempt
from switch.calls.callee_leg import LegOutcome
from switch.calls.cdr import facts_of
from switch.calls.concurrent_calls import count_target, lend_limits
from switch.calls.hunt import GLOBAL_FAILURE, Hunt, backup_for, best_outcome, may_fail_over
from switch.calls.hunting import NOBODY_ANSWERED, NOT_ANSWERED
from switch.calls.identity import LineCaller
from switch.calls.incoming_charge import refusal_of_short_owner
from switch.calls.refusal import Refusal
from switch.calls.search import Search
from switch.calls.switchboard import Switchboard
from switch.calls.target import Target
from switch.calls.terms import Admission, Price
from switch.journey.moves import Menu, Queue, Result

CALLER = "caller"
DECLINED_ELSEWHERE = LegOutcome(487, 21, "declined on another phone", is_ours=True)
ANSWERED_ELSEWHERE = LegOutcome(487, 26, "answered elsewhere", is_ours=True)


class Reaction(msgspec.Struct, frozen=True):
    """What a target does with the call: answers or fails (`outcome`) after so long; else it rings for ever."""

    outcome: LegOutcome | None = None
    after_s: float = 0.0
    answers: bool = False
    rings: bool = True


RINGS_ON = Reaction()


class RehearsedLeg(msgspec.Struct):
    """One target that is tried. `outcome` is how it failed or why it was given up; None of the one that answered."""

    target: Target
    index: int
    began_at: float
    ended_at: float = 0.0
    outcome: LegOutcome | None = None
    is_ringing: bool = False
    reaction: Reaction = RINGS_ON

    @property
    def due_at(self) -> float | None:
        reaction = self.reaction
        return self.began_at + reaction.after_s if reaction.answers or reaction.outcome is not None else None


class Searching(msgspec.Struct):
    """These are rung."""

    search: Search


class Failed(msgspec.Struct):
    """The search came to this."""

    outcome: LegOutcome
    has_rung: bool


class Asked(msgspec.Struct):
    """A voice of the exchange has answered, and this came of it. None: the caller stays with it."""

    result: Result | None


class Answered(msgspec.Struct):
    """Somebody has the call."""

    leg: RehearsedLeg


class Told(msgspec.Struct):
    """Nobody has it, and the caller is told so."""

    outcome: LegOutcome | Refusal


Step = Searching | Failed | Asked | Answered | Told


class Rehearsal:
    """Of one call that was admitted. `steps` are what comes of it; `legs` whom it has tried by now."""

    def __init__(
        self,
        board: Switchboard,
        attempt: Attempt,
        admission: Admission,
        react: Callable[[Target, Search], Reaction],
        ask: Callable[[Menu | Queue], Result | None],
        now: float,
    ) -> None:
        self._board = board
        self._attempt = attempt
        self._admission = admission
        self._journey = admission.route.journey
        self._react = react
        self._ask = ask
        self._purse = Engine()
        self._held: list[Line] = []
        self._hunt = Hunt(())
        self._present = Search(())
        self._active: list[RehearsedLeg] = []
        self._outcomes: list[LegOutcome] = []
        self._first_leg = 0
        self.now = now
        self.legs: list[RehearsedLeg] = []

    def steps(self) -> Iterator[Step]:
        """From the moment that the call is admitted."""
        refused = self._short(self._admission.price)
        if refused is not None:
            yield Told(refused)
            return
        self._count_caller()
        route = self._admission.route
        search: Search | None = Search(route.stages, route.lines) if self._journey is None else self._journey.search
        while search is not None:
            yield Searching(search)
            came = self._search(search)
            if isinstance(came, RehearsedLeg):
                search = yield from self._answered(came)
                continue
            outcome, search = came
            yield Failed(outcome, self._has_rung)
            if search is None:
                yield Told(outcome if self._journey is None else self._journey.outcome_for_caller(outcome))

    def _answered(self, leg: RehearsedLeg) -> Generator[Step, None, Search | None]:
        """Somebody has; what comes of it where that is a voice which asks something."""
        move = None if self._journey is None else self._journey.move
        if self._journey is None or not isinstance(move, Menu | Queue):
            yield Answered(leg)
            return None
        self._journey.is_answered = True
        result = self._ask(move)
        yield Asked(result)
        if result is None:
            return None
        search = self._journey.came(result, self.now)
        self._leave_lines()
        if search is None:
            yield Told(self._journey.refused)
        return search

    # One search

    def _search(self, search: Search) -> "RehearsedLeg | tuple[LegOutcome, Search | None]":
        """Who answers; or what came of it, and the next search."""
        self._present, self._hunt = search, Hunt(search.stages)
        self._first_leg = len(self.legs)
        self._outcomes = []
        for line in search.lines:
            self._board.of_line[line.user] += 1
            self._held.append(line)
        ring_until = self.now + search.ring_s if search.ring_s else None
        until = self.now + self._board.conf.calls.no_answer_timeout_s
        ended = self._next_stage()
        while ended is None:
            leg = min((leg for leg in self._active if leg.due_at is not None), key=_due_at, default=None)
            at = until if leg is None else min(_due_at(leg), until)
            if ring_until is not None and ring_until <= at:
                self.now, ring_until = ring_until, None
                following = self._after(NOT_ANSWERED)
                if following is not None or (self._journey is not None and self._journey.is_over):
                    return self._gone_on(NOT_ANSWERED, following)
                continue
            self.now = at
            if leg is None or at < _due_at(leg):
                ended = NOBODY_ANSWERED
            elif leg.reaction.answers:
                self._end(leg, None)
                self._give_up(ANSWERED_ELSEWHERE)
                return leg
            else:
                assert leg.reaction.outcome is not None
                ended = self._refused(leg, leg.reaction.outcome)
        return self._gone_on(ended, self._after(ended))

    def _after(self, outcome: LegOutcome) -> Search | None:
        if self._journey is None:
            return None
        ringing = [leg.target for leg in self._active]
        lend_limits(ringing, self._held, self._board, -1)
        search = self._journey.after(outcome, self.now, has_rung=self._has_rung)
        lend_limits(ringing, self._held, self._board, 1)
        return search

    def _gone_on(self, outcome: LegOutcome, search: Search | None) -> tuple[LegOutcome, Search | None]:
        self._give_up(outcome)
        self._leave_lines()
        return outcome, search

    def _leave_lines(self) -> None:
        board = self._board
        for line in self._held:
            board.of_line[line.user] -= 1
            if board.books.plans:
                board.turns.call_ended(line.user, board.clock.ms(self.now))
        self._held = []

    def _next_stage(self) -> LegOutcome | None:
        """What the search came to, where nobody is left to be tried."""
        stage = self._hunt.next_stage()
        if stage is None:
            return best_outcome(self._outcomes, is_emergency=self._admission.route.is_emergency)
        self._outcomes = []
        fresh = [self._try(target) for target in stage]
        self._active = fresh.copy()
        ended = None
        for leg in fresh:
            ended = self._offer(leg)
        return ended

    def _try(self, target: Target) -> RehearsedLeg:
        leg = RehearsedLeg(target, len(self.legs) + 1, self.now)
        self.legs.append(leg)
        count_target(target, self._board, 1)
        return leg

    def _offer(self, leg: RehearsedLeg) -> LegOutcome | None:
        onward = leg.target.onward
        number = "" if onward is None else onward.route.number or leg.target.name
        short = None if onward is None else self._hold(str(leg.index), onward.price, number)
        if short is not None:
            refused = refusal.of_shortage(short)
            return self._refused(leg, LegOutcome(refused.status, refused.q850_cause, refused.words, is_ours=True))
        leg.reaction = self._react(leg.target, self._present)
        leg.is_ringing = leg.reaction.rings
        return None

    def _refused(self, leg: RehearsedLeg, outcome: LegOutcome) -> LegOutcome | None:
        """As hunting.py's on_refused."""
        self._end(leg, outcome)
        self._outcomes.append(outcome)
        target = leg.target
        backup = backup_for(target, outcome, has_rung=leg.is_ringing)
        if backup is not None:
            again = self._try(backup)
            self._active.append(again)
            return self._offer(again)
        if outcome.status >= GLOBAL_FAILURE:
            self._give_up(DECLINED_ELSEWHERE)
        if self._active:
            return None
        if may_fail_over(target, outcome, has_rung=leg.is_ringing):
            return self._next_stage()
        return best_outcome(self._outcomes)

    def _give_up(self, outcome: LegOutcome) -> None:
        for leg in self._active.copy():
            self._end(leg, outcome)

    def _end(self, leg: RehearsedLeg, outcome: LegOutcome | None) -> None:
        self._active.remove(leg)
        leg.ended_at, leg.outcome = self.now, outcome
        if outcome is not None:
            self._purse.release(str(leg.index))
            count_target(leg.target, self._board, -1)

    @property
    def _has_rung(self) -> bool:
        return any(leg.is_ringing for leg in self.legs[self._first_leg :])

    # What a call counts

    def _count_caller(self) -> None:
        board, caller = self._board, self._attempt.caller
        if not isinstance(caller, LineCaller):
            board.of_trunk[caller.trunk.name] += 1
            return
        board.of_line[caller.line.user] += 1
        if caller.account is not None:
            board.of_account[caller.account.id] += 1

    def _short(self, price: Price) -> Refusal | None:
        """As call.py's open."""
        number = facts_of("", self._attempt, "").destination
        short = self._hold(CALLER, price, None if price.origin else number)
        if short is not None and price.origin:
            return refusal_of_short_owner(self._board)
        if short is None and price.attempt is not None:
            short = self._hold("attempt", Price(price.account_id, price.attempt), None)
        return None if short is None else refusal.of_shortage(short)

    def _hold(self, key: str, price: Price, number: str | None) -> Shortage | None:
        """The money for the first minute, in copies of the accounts. `number` as the engine takes it."""
        rate = price.rate
        if rate is None or rate.is_free or price.account_id is None:
            return None
        self._board.engine.lend(price.account_id, self._purse)
        ahead_s = self._board.conf.prepaid.reserve_ahead_s
        at_ms = self._board.clock.ms(self.now)
        held = self._purse.reserve(
            key, price.account_id, rate, initial_ahead_s=ahead_s, at_ms=at_ms, number=number
        )
        return held if isinstance(held, Shortage) else None


def _due_at(leg: RehearsedLeg) -> float:
    assert leg.due_at is not None
    return leg.due_at
