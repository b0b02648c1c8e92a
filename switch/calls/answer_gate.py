"""The gate between an answer and the one who called: it is passed on when the journal has it.

An answer that costs nothing passes at once; so does one whose payers are another call's, when that is answered. One
that the journal has not taken in `answer_gate_ms` is lost: nobody talks for money of which nothing is on record.

What is answered within a call that is up (a transfer, a pick-up) waits for the journal by the same two functions.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from switch.calls.call_records import answered_state
from switch.calls.call_state import CallState
from switch.calls.passing import NO_BODY, Body, Fields

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.switchboard import Switchboard
    from switch.sip.timers import Timer


def shut_gate(call: "Call", seq: int, on_closed: Callable[[float], None], now: float) -> "Timer":
    """The call's `on_durable` comes when the journal has `seq`; else, when that takes too long, `on_closed`."""
    board = call.board
    board.await_durable(seq, call)
    return board.timers.start(now, board.conf.calls.answer_gate_ms / 1000, on_closed)


def note_closed(board: "Switchboard") -> None:
    """The journal did not take an answer in time."""
    board.counts.gate_closed += 1
    board.journal.answer_lost()


class AnswerGate:
    """Of one call, from the answer until it is passed on. `body` and `fields` are what the caller is told."""

    __slots__ = ("_call", "_is_kept", "_timer", "body", "fields")

    def __init__(self, call: "Call", body: Body, fields: Fields) -> None:
        self._call = call
        self._is_kept = False  # by the journal, or it need not be
        self._timer: Timer | None = None
        self.body = body
        self.fields = fields

    def await_journal(self, now: float) -> None:
        call, board = self._call, self._call.board
        seq = board.record([answered_state(call, now)], is_urgent=True)
        if not call.meters:
            self.kept(now)
            return
        self._timer = shut_gate(call, seq, self._on_closed, now)

    def kept(self, now: float) -> None:
        """The journal has the answer, or need not have it."""
        self._is_kept = True
        self._pass(now)

    def on_partner_answered(self, body: Body, now: float) -> None:
        if body:
            self.body = body
        if self.body:
            self._call.board.record([answered_state(self._call, now)])
            self.kept(now)

    def on_prack(self, now: float) -> None:
        """The answer may have waited for it."""
        if self._is_kept:
            self._pass(now)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pass(self, now: float) -> None:
        call = self._call
        call.board.failpoints.reached("answer_durable")
        self.stop()
        leg = call.answered_leg
        if leg is not None and leg.has_offer and not leg.is_acknowledged:
            # Not before: a callee that has its ACK repeats its answer no more, and a process that knows of no answer
            # would leave it talking to nobody.
            leg.acknowledge(NO_BODY)
        if not call.caller_leg.holds_2xx:  # on_prack comes back here
            call.on_gate_passed(self.body, self.fields, now)

    def _on_closed(self, now: float) -> None:
        self._timer = None
        self._call.on_gate_closed(now)


def await_journal(call: "Call", answer: Body, fields: Fields, now: float) -> None:
    """The answer is passed on when it is on record; one that costs nothing, at once."""
    call.state = CallState.AWAITING_JOURNAL
    call.answer_gate = AnswerGate(call, answer, fields)
    call.answer_gate.await_journal(now)


def await_partner(call: "Call", answer: Body) -> None:
    """The answer is passed on with that of the call that this one is joined with."""
    call.talkers = [call.caller_leg]
    call.state = CallState.AWAITING_JOURNAL
    call.answer_gate = AnswerGate(call, answer, [])


def partner_answered(call: "Call", answer: Body, now: float) -> None:
    """The other call's caller has its answer; `answer` is this one's, where that was not known before."""
    if call.answer_gate is not None:
        call.answer_gate.on_partner_answered(answer, now)
