"""A call to a line with diverts: the times after which it goes on, and going on (divert.py says where).

What the line itself came to is kept: where the destination does not take the call either, that is what the caller
hears. A call goes on once: a chain of diverts needs to know of loops and payers.
"""

from typing import TYPE_CHECKING, Final

from provisioning.model import DivertCondition, Line
from switch.calls.callee_leg import LegOutcome
from switch.calls.concurrent_calls import leave_line
from switch.calls.divert import next_destination, rule_for, target_of
from switch.calls.q850 import NO_ANSWER, RECOVERY_ON_TIMER_EXPIRY
from switch.calls.sips import keeps_promise
from switch.calls.target import LineTarget
from switch.sip.timers import Timer

if TYPE_CHECKING:
    from switch.calls.call import Call

NOT_ANSWERED: Final = LegOutcome(480, NO_ANSWER, "nobody answered before the divert", is_ours=True)
SILENT: Final = LegOutcome(408, RECOVERY_ON_TIMER_EXPIRY, "no reaction in time", is_ours=True)


class Diverting:
    """Of one call, from the moment its phones ring until it is answered or over."""

    __slots__ = ("_call", "_has_gone_on", "_line", "_no_reply", "_own", "_silence")

    def __init__(self, call: "Call", line: Line) -> None:
        self._call = call
        self._line = line
        self._own: LegOutcome | None = None
        self._has_gone_on = False
        self._no_reply: Timer | None = None
        self._silence: Timer | None = None

    def begin(self, now: float) -> None:
        """The phones are about to ring."""
        board = self._call.board
        no_reply = rule_for(self._line, DivertCondition.NO_REPLY)
        if no_reply is not None:
            self._no_reply = board.timers.start(now, no_reply.ring_s, self._on_no_reply)
        if rule_for(self._line, DivertCondition.UNREACHABLE) is not None:
            # A phone without power is still registered for up to an hour. It must not be rung for as long as the
            # transaction takes to give up (32 s).
            self._silence = board.timers.start(now, board.conf.calls.reaction_timeout_s, self._on_silence)

    def goes_on(self, outcome: LegOutcome, now: float) -> bool:
        """The line did not take the call: whether somebody else is asked now."""
        if self._has_gone_on:
            return False
        has_rung = any(leg.is_ringing for leg in self._call.callee_legs)
        divert = next_destination(self._line, outcome, has_rung=has_rung)
        target = target_of(divert, self._line, self._call.board) if divert is not None else None
        if target is None or (self._call.caller_leg.is_sips and not keeps_promise(target)):
            return False
        self.stop()
        self._has_gone_on = True
        self._own = outcome
        admission = self._call.admission
        assert admission is not None
        leave_line(self._call, admission)
        self._call.go_on_to(target, outcome, now)
        return True

    def outcome_of_line(self, outcome: LegOutcome) -> LegOutcome:
        """What the caller is told: what the line came to, not where the call went on to in vain."""
        return outcome if self._own is None else self._own

    def stop(self) -> None:
        for timer in (self._no_reply, self._silence):
            if timer is not None:
                timer.cancel()
        self._no_reply = self._silence = None

    def _on_no_reply(self, now: float) -> None:
        """If there is nowhere to go on to, the phones go on ringing."""
        self._no_reply = None
        self.goes_on(NOT_ANSWERED, now)

    def _on_silence(self, now: float) -> None:
        """Nothing at all has come back from any phone."""
        self._silence = None
        legs = self._call.ringing_legs
        if not legs or not all(leg.is_silent for leg in legs):
            return
        board = self._call.board
        left_s = max(leg.setup_at for leg in legs) + board.conf.calls.reaction_timeout_s - now
        if left_s > 0:  # one of them is a second way to a phone whose first was silent
            self._silence = board.timers.start(now, left_s, self._on_silence)
        elif self.goes_on(SILENT, now):
            for leg in legs:
                if isinstance(leg.target, LineTarget) and leg.target.binding is not None:
                    board.binding_failed(leg.target.binding, now)
