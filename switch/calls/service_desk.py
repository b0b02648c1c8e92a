"""Service codes of live calls: from the code to the words, by way of the books where something is to be changed.

A code that changes something in PostgreSQL waits WAIT_S for the books process at most; until then the INVITE is
pending (the stack sends 100). When the answer comes too late, or nobody is there who could give one, the caller hears
that it was not changed; a change that is carried out all the same arrives as any change of the books does, and says
what shall be, so that dialling again comes to the same.

The confirmation is spoken, or there is none: without the media server a code is refused before anything is changed
(admission), because a tone says "no" to everybody, and must then be true.
"""

from collections import Counter
from typing import TYPE_CHECKING, Final

import structlog

from provisioning.books.messages import ChangeAsked, ChangeDone, ChangeResult
from switch.calls import refusal
from switch.calls.call import Call
from switch.calls.call_state import CallState
from switch.calls.identity import LineCaller
from switch.calls.in_call_services import IN_CALL, begin_code
from switch.calls.last_callers import LastCallers
from switch.calls.number_plan import E164, Emergency, ServiceCode, Short, read_dialled
from switch.calls.out_calls import OutCalls
from switch.calls.refusal import Refusal
from switch.calls.reminders import Reminders, read_time
from switch.calls.ring_back import RingBacks
from switch.calls.ring_back_calls import ring_back_free
from switch.calls.service_decision import (
    NOT_AVAILABLE,
    NOT_CHANGED,
    AskBooks,
    Asker,
    Local,
    Say,
    decide,
    reminder_words,
)
from switch.calls.service_records import Reminder
from switch.calls.short_dialling import LastDialled
from switch.calls.sips_promise import keeps_promise
from switch.calls.tracing import mark_last_call
from switch.sip.timers import Timer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.model import Line
    from switch.calls.attempt import Attempt
    from switch.calls.identity import Caller, CallerId
    from switch.calls.pressed import Pressed
    from switch.calls.service_codes import CodeRule
    from switch.calls.switchboard import Put, Switchboard
    from switch.calls.terms import Admission

# Longer, and people hang up and dial again; PostgreSQL takes some milliseconds.
WAIT_S: Final = 2.0
# Changes under way at once: each is a transaction of a millisecond, so that is more than can be dialled. Beyond it
# PostgreSQL hangs, and nothing is won by asking more.
WAITING_MAX: Final = 50
# Refusals at which the call had come as far as the line: who called is known there. Whatever a line itself refuses
# calls for, belongs here.
AT_THE_LINE: Final = frozenset(
    {
        refusal.NOT_REGISTERED.label,
        refusal.CALLEE_FULL.label,
        "divert_unavailable",
        "anonymous_refused",
        "caller_blocked",
        "incoming_barred",
        "do_not_disturb",
    }
)
REMINDER_WORDS: Final = ("reminder-call", "reminder-call")

log = structlog.get_logger(__name__)


class _Waiting:
    """A call whose change the books have been asked for."""

    __slots__ = ("admission", "call", "decision", "timer", "user")

    def __init__(
        self, call: Call, admission: "Admission", decision: AskBooks, user: str, timer: Timer
    ) -> None:
        self.call = call
        self.admission = admission
        self.decision = decision
        self.user = user
        self.timer = timer


class ServiceDesk:
    """One a process. `asked` is what the process has to hand to the books. Counters only grow."""

    __slots__ = (
        "_board",
        "_next_id",
        "_waiting",
        "_waiting_lines",
        "asked",
        "codes",
        "last_callers",
        "last_dialled",
        "out_calls",
        "reminders",
        "results",
        "ring_backs",
    )

    def __init__(self, board: "Switchboard") -> None:
        self._board = board
        self._next_id = 1
        self._waiting: dict[int, _Waiting] = {}
        self._waiting_lines: set[str] = set()
        self.asked: list[ChangeAsked] = []
        self.codes: Counter[str] = Counter()  # by what they are about
        # done, refused, away (books), too_late, late (done after that), busy; said: nothing had to be changed
        self.results: Counter[str] = Counter()
        self.last_callers = LastCallers(board.sign)
        self.last_dialled = LastDialled()
        self.reminders = Reminders()
        self.ring_backs = RingBacks()
        self.out_calls = OutCalls(board)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    # A code

    def begin(self, call: Call, admission: "Admission", rule: "CodeRule", now: float) -> None:
        """The ladder has let the call through."""
        caller, destination = call.caller, call.attempt.plan_result.destination
        assert isinstance(caller, LineCaller)
        assert isinstance(destination, ServiceCode)
        self.codes[rule.feature.value] += 1
        if rule.feature in IN_CALL:
            begin_code(call, admission, rule, now)
            return
        board = self._board
        asker = Asker(
            caller.line, board.books, board.conf.routing.plan, self.last_callers, board.clock.ms(now)
        )
        match decide(rule, destination, asker):
            case AskBooks() as decision:
                self._ask(call, admission, decision, caller.line.user, now)
            case Local() as local:
                self._say(call, admission, self._carry_out(local, caller.line, now), now)
            case Say() as words:
                self.results["said"] += 1
                self._say(call, admission, words, now)

    def _ask(self, call: Call, admission: "Admission", decision: AskBooks, user: str, now: float) -> None:
        if user in self._waiting_lines or len(self._waiting) >= WAITING_MAX:
            self.results["busy"] += 1
            self._say(call, admission, NOT_CHANGED, now)
            return
        number = self._next_id
        self._next_id += 1
        timer = self._board.timers.start(now, WAIT_S, lambda later: self._too_late(number, later))
        self._waiting[number] = _Waiting(call, admission, decision, user, timer)
        self._waiting_lines.add(user)
        self.asked.append(ChangeAsked(number, user, decision.change))

    def hear(self, done: ChangeDone, now: float) -> None:
        """What became of a change."""
        waiting = self._take(done.id)
        if waiting is None:
            self.results[f"late_{done.result.value}"] += 1
            return
        self.results[done.result.value] += 1
        if done.result is ChangeResult.REFUSED:
            log.info("service_code_refused", call_id=waiting.call.id, line=waiting.user, reason=done.words)
        words = {
            ChangeResult.DONE: waiting.decision.done,
            ChangeResult.REFUSED: waiting.decision.refused,
            ChangeResult.AWAY: NOT_CHANGED,
        }
        self._say(waiting.call, waiting.admission, words[done.result], now)

    def books_lost(self, now: float) -> None:
        """Nobody will answer what they were asked."""
        self.asked.clear()
        for number in list(self._waiting):
            self.hear(ChangeDone(number, ChangeResult.AWAY, "the books process ended"), now)

    def drain(self, now: float) -> None:
        """The exchange closes down: who waits is told so. What was asked for may still be carried out."""
        for number in list(self._waiting):
            waiting = self._take(number)
            if waiting is not None and waiting.call.state is CallState.HUNTING:
                waiting.call.refuse(refusal.DRAINING, now)

    def _too_late(self, number: int, now: float) -> None:
        waiting = self._take(number)
        if waiting is not None:
            self.results["too_late"] += 1
            self._say(waiting.call, waiting.admission, NOT_CHANGED, now)

    def _take(self, number: int) -> _Waiting | None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting.timer.cancel()
            self._waiting_lines.discard(waiting.user)
        return waiting

    def _say(self, call: Call, admission: "Admission", said: Say, now: float) -> None:
        if call.state is not CallState.HUNTING:  # the caller has hung up meanwhile
            return
        target = self._board.voicemail.saying(said.words, "".join(said.pressed))
        if target is None or (call.caller_leg.is_sips and not keeps_promise(target)):
            call.refuse(refusal.VOICEMAIL_AWAY, now)
            return
        admission.route.stages = [[target]]
        admission.route.pressed = said.pressed
        call.on_pressed = self
        call.begin(admission, now)

    def on_pressed(self, pressed: "Pressed", now: float) -> None:
        """The caller wants to be connected who has pressed keys while he was spoken to: after 1471 to who called."""
        admission = pressed.call.admission
        dialled = "" if admission is None else admission.route.pressed.get(pressed.keys, "")
        if dialled:
            pressed.dial(dialled, now)
        else:
            pressed.refuse(now)

    # What the switch itself keeps

    def _carry_out(self, local: Local, line: "Line", now: float) -> Say:
        user = line.user
        self.results["done"] += 1
        match local.action:
            case "last_caller erase":
                self.last_callers.erase(user)
                return Say(("last-caller-erased",))
            case "last_caller trace":
                marked = mark_last_call(line, self._board, now)
                return Say(("call-traced" if marked is not None else "no-last-caller",))
            case "reminder set":
                puts = self.reminders.set(user, local.at_ms, local.text)
                return self._kept(puts, Say(reminder_words([Reminder(user, local.at_ms, every=local.text)])))
            case "reminder check" | "reminder check_regular":
                is_regular = local.action.endswith("regular")
                found = [each for each in self.reminders.of(user) if bool(each.every) is is_regular]
                return Say(reminder_words(found) if found else ("reminder-is-not-set",))
            case "reminder cancel" | "reminder cancel_regular":
                is_regular = local.action.endswith("regular")
                puts = self.reminders.cancel(user, is_regular=is_regular, time=read_time(local.text))
                return self._kept(puts, Say(("reminder-cancelled" if puts else "reminder-is-not-set",)))
            case "ring_back ask":
                return self._ask_ring_back(line, now)
            case "ring_back cancel":
                gone = self.ring_backs.cancel(user)
                return Say(("ring-back-cancelled" if gone else "ring-back-is-not-set",))
            case unknown:
                raise AssertionError(unknown)

    def _kept(self, puts: "list[Put] | None", said: Say) -> Say:
        if puts is None:
            return NOT_CHANGED
        if puts:
            self._board.record(puts)
        return said

    def _ask_ring_back(self, line: "Line", now: float) -> Say:
        dialled = self.last_dialled.of(line.user)
        wanted = self._line_of_number(dialled)
        if wanted is None:
            return NOT_AVAILABLE
        is_withheld = self.last_dialled.was_withheld(line.user)
        is_set = self.ring_backs.ask(line.user, wanted.user, dialled, now, is_withheld=is_withheld)
        return Say(("ring-back-set",)) if is_set else NOT_CHANGED

    def _line_of_number(self, dialled: str) -> "Line | None":
        """A line of this exchange, by its name or by a number that was dialled."""
        board = self._board
        if dialled in board.books.lines:
            return board.books.lines[dialled]
        found = read_dialled(dialled, board.conf.routing.plan).destination
        number = board.books.numbers.get(found.number) if isinstance(found, E164) else None
        return board.books.lines.get(number.line) if number is not None else None

    # What every call tells

    def note(self, attempt: "Attempt", admission: "Admission | Refusal", now: float) -> None:
        """A call: to a line who called it last, of a line what it called last, whether or not it came about."""
        caller, destination = attempt.caller, attempt.plan_result.destination
        is_service = not isinstance(admission, Refusal) and admission.route.is_service
        if attempt.is_ours or is_service or isinstance(destination, Emergency):
            return
        is_number = attempt.called_line is not None or isinstance(destination, E164 | Short)
        if isinstance(caller, LineCaller) and is_number:
            is_withheld = attempt.caller_id.is_withheld
            self.last_dialled.note(caller.line.user, attempt.dialled, is_withheld=is_withheld)
        if not isinstance(admission, Refusal):
            called = admission.route.line
        elif admission.label in AT_THE_LINE:
            called = attempt.called_line or self._line_called(attempt)
        else:
            return
        if called is not None:
            self.note_caller(called.user, caller, attempt.caller_id, now)

    def note_caller(self, user: str, caller: "Caller", caller_id: "CallerId", now: float) -> None:
        """Who called this line."""
        board = self._board
        name = caller.line.user if isinstance(caller, LineCaller) else ""
        is_known = not board.conf.cli.is_stand_in(caller_id.network_number)
        self.last_callers.note(user, caller_id, board.clock.ms(now), name, is_known=is_known)

    def _line_called(self, attempt: "Attempt") -> "Line | None":
        found = attempt.plan_result.destination
        number = self._board.books.numbers.get(found.number) if isinstance(found, E164) else None
        return self._board.books.lines.get(number.line) if number is not None else None

    # Time

    def on_second(self, now: float) -> None:
        now_ms = self._board.clock.ms(now)
        self.ring_backs.on_second(now)
        self.out_calls.on_second(now)
        if self.ring_backs.waiting:
            ring_back_free(self.ring_backs, self.out_calls, self._board, now)
        due, puts = self.reminders.due(now_ms)
        for reminder in due:
            self._remind(reminder, now)
        puts += self.last_callers.on_second(now_ms)
        if puts:
            self._board.record(puts)

    def _remind(self, reminder: Reminder, now: float) -> None:
        def failed(later: float) -> None:
            self._kept(self.reminders.failed(reminder, self._board.clock.ms(later)), NOT_CHANGED)

        self.out_calls.ring(reminder.user, REMINDER_WORDS, now, failed=failed)

    def restore(self, state: "Mapping[str, bytes]") -> None:
        self.last_callers.restore(state)
        self.reminders.restore(state)

    def line_removed(self, user: str) -> None:
        """Nothing of a line outlives it: the next one of its name is somebody else's."""
        self.last_callers.erase(user)
        self.last_dialled.forget(user)
        self.ring_backs.line_removed(user)
        self._kept(self.reminders.cancel(user), NOT_CHANGED)
