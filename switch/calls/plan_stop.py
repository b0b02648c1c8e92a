"""A plan that a call was sent to: its walk (switch/journey/plan_walk.py), move by move, as searches of the call.

Who owns the number that leads to the plan pays for every leg that leaves by it, and for calls to other lines as if it
had called them. Lines that a plan rings are rung for the plan, as the number that was called: their diverts apply where
the plan says so, and those for that number, too. What only a
call that is answered can do (a menu, a queue) is a search for a voice of the exchange; what the caller presses there,
and that somebody is free, comes back by `pressed` and `came`.
"""

from typing import TYPE_CHECKING, assert_never

import msgspec

from provisioning.model import DivertCondition, Line
from switch.calls.divert import condition_of
from switch.calls.line_targets import line_refusal, line_targets
from switch.calls.onward import terms_outside, terms_to_line
from switch.calls.plan_facts import CallFacts
from switch.calls.refusal import (
    CALLEE_FULL,
    DO_NOT_DISTURB,
    PLAN_ENDED,
    QUEUE_FULL,
    REFUSES_DIVERTS,
    VOICEMAIL_AWAY,
    Refusal,
)
from switch.calls.search import Found, Search
from switch.calls.sips_promise import keeps_promise
from switch.calls.target import VOICEMAIL, LineTarget, Target, TrunkTarget
from switch.calls.terms import Admission, Hop, Sender
from switch.journey.moves import (
    Announce,
    Came,
    Deposit,
    Menu,
    Move,
    Place,
    PlaceKind,
    Queue,
    Refuse,
    Result,
    Ring,
)
from switch.journey.plan_walk import PlanWalk

if TYPE_CHECKING:
    from switch.calls.callee_leg import LegOutcome
    from switch.calls.journey import Journey

CAME = {
    DivertCondition.BUSY: Came.BUSY,
    DivertCondition.NO_REPLY: Came.NO_ANSWER,
    DivertCondition.UNREACHABLE: Came.UNREACHABLE,
    DivertCondition.DECLINED: Came.DECLINED,
}


class PlanStop:
    """One plan of one call. `number` led to it, "" for none; `sender` is who sent the call there, None where it was
    dialled. `move` is what is being done."""

    __slots__ = ("_hops", "_line", "_name", "_number", "_reason", "_walk", "move", "own")

    def __init__(
        self, journey: "Journey", name: str, number: str, line: Line, sender: Sender | None, now: float
    ) -> None:
        board, attempt = journey.board, journey.attempt
        self._name = name
        self._number = number
        self._line = line
        self._reason = f"plan {name}" if sender is None else f"{sender.reason}, plan {name}"
        self._hops = () if sender is None else sender.hops
        if not self._hops or self._hops[-1].line.user != line.user or self._hops[-1].number != number:
            self._hops = (*self._hops, Hop(line, number, DivertCondition.ALL))
        account_id = line.account_id
        facts = CallFacts(board, account_id, attempt.caller_id, number, now, attempt.call_id)
        self._walk = PlanWalk(board.books.plans.get(account_id, {}), name, facts, journey.notes)
        self.move: Move | None = None
        self.own: LegOutcome | Refusal | None = None

    def enter(self, journey: "Journey", now: float) -> Found | None:
        """What is done first; None: the plan refuses the call, as `own` says."""
        return self._make(journey, self._walk.first(), now)

    def go_on(self, journey: "Journey", outcome: "LegOutcome", now: float, *, has_rung: bool) -> Found | None:
        """Nobody took the call."""
        condition = condition_of(outcome, has_rung=has_rung)
        return self.came(journey, Came.FAILED if condition is None else CAME[condition], now)

    def came(self, journey: "Journey", result: Result, now: float) -> Found | None:
        """What came of the move."""
        return self._make(journey, self._walk.next(result), now)

    def _make(self, journey: "Journey", move: Move, now: float) -> Found | None:
        """The search that makes a move, or the first of those after it that can be made. The walk ends by itself."""
        while True:
            self.move = move
            match move:
                case Refuse(status=status, cause=cause, words=words):
                    self.own = msgspec.structs.replace(
                        PLAN_ENDED, status=status, q850_cause=cause, words=words
                    )
                    return None
                case Ring():
                    done = self._ring(journey, move, now)
                case Deposit(user=user):
                    done = self._deposit(journey, user)
                case Announce():
                    done = self._announce(journey, move)
                case Menu():
                    menu = journey.board.voicemail.menu(move, self._name)
                    done = Came.FAILED if menu is None else Found([], Search([[menu]]))
                case Queue():
                    done = self._queue(journey, move)
                case unknown:
                    assert_never(unknown)
            if isinstance(done, Found):
                return done
            if not isinstance(move, Ring):
                journey.pass_over(f"plan {self._name}", QUEUE_FULL if done is Came.QUEUE_FULL else VOICEMAIL_AWAY)
            move = self._walk.next(done)

    def _ring(self, journey: "Journey", move: Ring, now: float) -> Found | Came:
        if move.follows_diverts and len(move.places) == 1:
            place = move.places[0]
            found = journey.to_line(place.value, self._number, self._sender(), move.ring_s, now)
            return found if found is not None else Came.UNREACHABLE
        if len(move.places) == 1 and move.places[0].kind is PlaceKind.NUMBER:
            found = journey.to_number(move.places[0].value, self._sender_outside(), move.ring_s, now)
            return found if found is not None else Came.FAILED
        return self._together(journey, move.places, move.ring_s, now)

    def search_for(
        self, journey: "Journey", places: tuple[Place, ...], ring_s: int, now: float
    ) -> Search | None:
        """These ring for a call that waits; None: none of them can."""
        found = self._together(journey, places, ring_s, now)
        return found.search if isinstance(found, Found) else None

    def _together(
        self, journey: "Journey", places: tuple[Place, ...], ring_s: int, now: float
    ) -> Found | Came:
        targets: list[Target] = []
        lines: list[Line] = []
        is_busy = False
        for place in places:
            ringing = self._targets(journey, place, now)
            if isinstance(ringing, Refusal):
                journey.pass_over(str(place), ringing)
                is_busy = is_busy or ringing in (CALLEE_FULL, DO_NOT_DISTURB)
                continue
            targets += ringing
            lines += [target.line for target in ringing[:1] if isinstance(target, LineTarget)]
        found = journey.found([targets] if targets else [], ring_s=ring_s)
        if found is None:
            return Came.BUSY if is_busy else Came.UNREACHABLE
        found.search.lines, found.search.watches_silence = tuple(lines), True
        return found

    def _targets(self, journey: "Journey", place: Place, now: float) -> "list[Target] | Refusal":
        """What rings for one place of several that ring together."""
        board, caller_id = journey.board, journey.attempt.caller_id
        user, number = place.value, self._number
        if place.kind is PlaceKind.NUMBER and (assigned := board.books.numbers.get(place.value)) is not None:
            user, number = assigned.line, place.value  # it is one of ours, and no carrier's business
        elif place.kind is PlaceKind.NUMBER:
            outside = terms_outside(place.value, self._sender_outside(), caller_id, board, now)
            if isinstance(outside, Refusal):
                return outside
            return _ways_outside(journey, outside)
        line = board.books.lines.get(user)
        if line is None:
            return PLAN_ENDED
        targets = line_targets(line, board, now)
        refused = line_refusal(line, targets, caller_id, board, now)
        if refused is None and place.kind is PlaceKind.NUMBER and line.settings.refuses_diverts:
            refused = REFUSES_DIVERTS
        if refused is not None:
            return refused
        terms = terms_to_line(line, number, self._sender(), caller_id, board, now)
        return terms if isinstance(terms, Refusal) else list(journey.on_terms(targets, terms))

    def _deposit(self, journey: "Journey", user: str) -> Found | Came:
        board = journey.board
        owner = board.books.lines.get(user)
        target = None if owner is None else board.voicemail.deposit(owner, DivertCondition.ALL)
        if target is None:
            return Came.FAILED
        found = journey.found([[msgspec.structs.replace(target, reason=f"{self._reason}: {VOICEMAIL}")]])
        return Came.FAILED if found is None else found

    def _announce(self, journey: "Journey", move: Announce) -> Found | Came:
        refused = msgspec.structs.replace(PLAN_ENDED, status=move.status, q850_cause=move.cause)
        voicemail = journey.board.voicemail
        target = (
            voicemail.saying([move.prompt]) if journey.is_answered else voicemail.words(move.prompt, refused)
        )
        ends_with = 0 if journey.is_answered else move.status
        return Came.FAILED if target is None else Found([], Search([[target]], ends_with=ends_with))

    def _queue(self, journey: "Journey", move: Queue) -> Found | Came:
        """The call enters the row when the voice has answered (queue_desk.py): until then it has no place in it."""
        if not journey.board.queues.has_room(self._line.account_id, move):
            return Came.QUEUE_FULL
        target = journey.board.voicemail.queue(move, 1)
        return Came.FAILED if target is None else Found([], Search([[target]]))

    @property
    def account_id(self) -> int:
        return self._line.account_id

    def _sender(self) -> Sender:
        return Sender(self._line, self._reason, is_plan=True)

    def _sender_outside(self) -> Sender:
        """A carrier wants to know by whose number the call came."""
        return Sender(self._line, self._reason, self._hops, is_plan=True)


def _ways_outside(journey: "Journey", outside: Admission) -> list[Target]:
    """To a number that rings beside others: its first trunk, and behind that the others."""
    way: TrunkTarget | None = None
    for stage in reversed(outside.route.stages):
        for target in stage:
            if isinstance(target, TrunkTarget) and (keeps_promise(target) or not journey.wants_sips):
                way = msgspec.structs.replace(target, backup=way, onward=outside)
    return [] if way is None else [way]
