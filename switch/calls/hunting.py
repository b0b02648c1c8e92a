"""The search of one call for somebody who answers: whom to ring, what becomes of each, whom to ring next.

It works through the stages of a Hunt; where a line or a plan decides what comes after them, it asks the Journey. It
owns the legs that ring and the timers of ringing. What an answer means, and what the caller is told when nobody is
left, is the call's business (`on_found`, `on_nobody`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from switch.calls.call_waiting import announce_waiting
from switch.calls.callee_leg import CalleeLeg, LegOutcome
from switch.calls.carried_media import carry, takes
from switch.calls.concurrent_calls import hold_line, leave_line, lend_limits
from switch.calls.conversation import caller_id_of
from switch.calls.expires import expires_of
from switch.calls.hunt import NO_CODEC, Hunt, backup_for, best_outcome, may_fail_over
from switch.calls.invitation import invitation_for
from switch.calls.journey import redirected_journey
from switch.calls.line_targets import FLOW_FAILED
from switch.calls.passing import NO_BODY, Body, Fields
from switch.calls.payers import hold_onward, release_onward
from switch.calls.q850 import NO_ANSWER, RECOVERY_ON_TIMER_EXPIRY
from switch.calls.redirection import is_redirection
from switch.calls.target import LineTarget, Target, TrunkTarget, VoicemailTarget
from switch.calls.tracing import note_rung
from switch.calls.voicemail import REACTION_S
from switch.sip.timers import Timer

if TYPE_CHECKING:
    from provisioning.model import Line
    from switch.calls.call import Call
    from switch.calls.invitation import Invitation
    from switch.calls.journey import Journey
    from switch.calls.leg import Leg
    from switch.calls.refusal import Refusal
    from switch.calls.search import Search

# How long an emergency service may let a call ring, whatever is set for others: in a storm its calls queue.
EMERGENCY_RINGS_S: Final = 600.0
NOBODY_ANSWERED = LegOutcome(480, NO_ANSWER, "nobody answered", is_ours=True)
EXPIRED = LegOutcome(487, NO_ANSWER, "nobody answered in the time that the caller gave", is_ours=True)
NO_SIGN_OF_RINGING = LegOutcome(
    408, RECOVERY_ON_TIMER_EXPIRY, "the trunk did not react in time", is_ours=True
)
SILENT = LegOutcome(408, RECOVERY_ON_TIMER_EXPIRY, "no reaction in time", is_ours=True)
NOT_ANSWERED = LegOutcome(480, NO_ANSWER, "nobody answered before the divert", is_ours=True)


class Hunting:
    """For one end of a call, until the answer or the last refusal. `active` are the legs that have not failed."""

    __slots__ = (
        "_call",
        "_first_leg",
        "_hunt",
        "_is_limited",
        "_journey",
        "_lines",
        "_no_answer_timer",
        "_no_reply_timer",
        "_origin",
        "_outcomes",
        "_silence_timer",
        "_stage_timer",
        "active",
    )

    def __init__(self, call: "Call", origin: "Leg", journey: "Journey | None" = None) -> None:
        self._call = call
        self._origin = origin
        self._journey = journey
        self._hunt = Hunt(())
        self._lines: tuple[Line, ...] = ()  # whose phones ring
        self._outcomes: list[LegOutcome] = []
        self._is_limited = False  # as a whole, not search by search
        self._first_leg = 0  # of the present search, among the call's
        self._no_answer_timer: Timer | None = None
        self._no_reply_timer: Timer | None = None
        self._silence_timer: Timer | None = None
        self._stage_timer: Timer | None = None
        self.active: list[CalleeLeg] = []

    @property
    def is_serial(self) -> bool:
        """Whether one target rings, so that its early media may be passed on."""
        return self._hunt.is_serial

    @property
    def journey(self) -> "Journey | None":
        """Who decides whom to ring next; None: nobody does."""
        return self._journey

    # Going on

    def begin(
        self,
        stages: Sequence[Sequence[Target]],
        now: float,
        *,
        lines: "tuple[Line, ...]" = (),
        search: "Search | None" = None,
        within_s: float | None = None,
    ) -> None:
        """Ring the first stage; `lines` are those whose phones they are, `search` is where somebody else decides about
        the call. `within_s` is for what is no ordinary call; Expires (RFC 3261 13.3.1) can only shorten the ordinary
        time, and never an emergency call's."""
        call = self._call
        self._ring_lines(lines, now)
        timers = call.board.timers
        timeout_s = EMERGENCY_RINGS_S if call.is_emergency else call.board.conf.calls.no_answer_timeout_s
        is_free = call.is_emergency or self._origin.is_up
        expires_s = None if is_free else expires_of(call.caller_leg.request)
        self._is_limited = True
        if within_s is not None:
            self._no_answer_timer = timers.start(now, within_s, self._on_no_answer)
        elif expires_s is not None and expires_s < timeout_s:
            self._no_answer_timer = timers.start(now, expires_s, self._on_expired)
        else:
            self._is_limited = False
            self._no_answer_timer = timers.start(now, timeout_s, self._on_no_answer)
        self._hunt = Hunt(stages)
        if search is not None:
            self._start_line_timers(search, now)
        self._try_next_stage(now)

    def stop(self) -> None:
        """An answer, or the end: nothing is tried any more."""
        self._stop_line_timers()
        self._stop_stage_timer()
        self._no_answer_timer = _stop(self._no_answer_timer)

    def leave_lines(self, now: float, answered: "Line | None" = None) -> None:
        """Those whose phones rang are free again, but for the one that has answered."""
        for line in self._lines:
            if line is not answered:
                leave_line(self._call, line, now)
        self._lines = ()

    def cancel(self, now: float, outcome: LegOutcome, reason: str = "") -> None:
        """What still rings is given up, with this outcome on its record."""
        for leg in self.active:
            leg.cancel(now, reason, outcome)
            release_onward(self._call, leg, now)
        self.active = []

    def _ring_lines(self, lines: "tuple[Line, ...]", now: float) -> None:
        """They have one call more, and were called: the one that was dialled is told of that by who dialled it."""
        call = self._call
        dialled = None if self._origin.is_up or call.admission is None else call.admission.route.line
        self._lines = lines
        for line in lines:
            hold_line(call, line)
            if line is not dialled:
                journey = self._journey
                shown = caller_id_of(self._origin) if journey is None else journey.attempt.caller_id
                note_rung(self._origin, shown, line, now)

    def _try_next_stage(self, now: float) -> None:
        call, board = self._call, self._call.board
        stage = self._next_stage()
        if stage is None:
            self._exhausted(best_outcome(self._outcomes, is_emergency=call.is_emergency), now)
            return
        self._outcomes = []
        fresh = [call.add_leg(target, now) for target in stage]
        self.active = fresh.copy()
        for leg in fresh:
            if isinstance(leg.target, TrunkTarget):
                board.trunks.try_begins(leg.target, now)
        first = stage[0]
        if isinstance(first, TrunkTarget) and len(stage) == 1:
            self._stage_timer = board.timers.start(now, first.trunk.answer_timeout_s, self._on_stage_timeout)
        for leg in fresh:
            self._offer(leg, now)
        if not self.active:
            return  # none of them could be rung, and what comes next has begun
        # After the offers, whose branches it names; all the same nothing is on the wire before it (process.py).
        call.record_opened()
        board.failpoints.reached("offered")

    def _next_stage(self) -> Sequence[Target] | None:
        """The next targets that take a codec of the caller's; a trunk that takes none is passed over."""
        call = self._call
        while (stage := self._hunt.next_stage()) is not None:
            target, offer = stage[0], self._origin.own_body
            if call.is_emergency or not isinstance(target, TrunkTarget) or takes(target.trunk, offer):
                break
            self._outcomes = [NO_CODEC]
        return stage

    def _exhausted(self, outcome: LegOutcome, now: float) -> None:
        """Nobody of the present search took the call."""
        if self._journey is None and is_redirection(outcome):
            self._journey = self.redirected()
        journey = self._journey
        if journey is not None:
            search = self._after(journey, outcome, now)
            if search is not None:
                self._follow(search, outcome, now)
                return
        self.cancel(now, outcome)  # what still rings when the time is over
        self.nobody(outcome if journey is None else journey.outcome_for_caller(outcome), now)

    def _after(self, journey: "Journey", outcome: LegOutcome, now: float) -> "Search | None":
        """Whom to ring instead. Those who still ring are given up where there is somebody: he may have their place
        where a line, an account or a trunk has no other, and a phone that has rung alone may ring on with others."""
        board, ringing = self._call.board, [leg.target for leg in self.active]
        lend_limits(ringing, self._lines, board, -1)
        search = journey.after(outcome, now, has_rung=self._has_rung)
        lend_limits(ringing, self._lines, board, 1)
        return search

    def _follow(self, search: "Search", outcome: LegOutcome, now: float) -> None:
        """The call goes on to somebody else; what still rings is given up with this outcome."""
        call = self._call
        self.cancel(now, outcome)
        self._stop_line_timers()
        self._stop_stage_timer()
        if not self._is_limited:
            # Each has its own time: else what is tried late would be cut short, and the last might ring for ever.
            self._no_answer_timer = _stop(self._no_answer_timer)
            timeout_s = call.board.conf.calls.no_answer_timeout_s
            self._no_answer_timer = call.board.timers.start(now, timeout_s, self._on_no_answer)
        self._first_leg = len(call.callee_legs)
        self._hunt = Hunt(search.stages)
        self.leave_lines(now)
        self._ring_lines(search.lines, now)
        self._start_line_timers(search, now)
        self._try_next_stage(now)

    @property
    def _has_rung(self) -> bool:
        return any(leg.is_ringing for leg in self._call.callee_legs[self._first_leg :])

    def _offer(self, leg: CalleeLeg, now: float) -> None:
        call, target, board = self._call, leg.target, self._call.board
        short = None if target.onward is None else hold_onward(call, leg, target.onward)
        if short is not None:
            leg.give_up(short, now)
            self.on_refused(leg, short, now)
            return
        invitation = self.invitation(leg)
        if isinstance(target, LineTarget):
            announce_waiting(invitation, target.line, board)
        invitation.body = carry(self._origin, leg, invitation.body)
        leg.offer(invitation, now)
        if isinstance(target, VoicemailTarget):
            board.timers.start(now, REACTION_S, lambda later: self._on_silence(leg, later))
        elif isinstance(target, LineTarget) and target.backup is not None:
            timeout_s = board.conf.calls.reaction_timeout_s
            board.timers.start(now, timeout_s, lambda later: self._on_silence(leg, later))
        elif isinstance(target, TrunkTarget) and target.backup is not None:
            timeout_s = target.trunk.answer_timeout_s
            board.timers.start(now, timeout_s, lambda later: self._on_silence(leg, later))

    def _try_backup(self, backup: LineTarget | TrunkTarget, now: float) -> None:
        """In place of a target that could not be reached; it rings beside what else rings in this stage."""
        call = self._call
        leg = call.add_leg(backup, now)
        self.active.append(leg)
        if isinstance(backup, LineTarget):
            call.board.counts.flow_failovers += 1
        else:
            call.board.trunks.try_begins(backup, now)
        self._offer(leg, now)
        call.record_opened()

    def invitation(self, leg: CalleeLeg) -> "Invitation":
        """What the INVITE says."""
        call = self._call
        request, body = call.caller_leg.request, call.caller_leg.own_body
        return invitation_for(leg.terms, request, body, leg.target, call.caller, call.board)

    def redirected(self) -> "Journey | None":
        """Where a phone that answers 3xx sends the call, whose line nobody else decides about."""
        return redirected_journey(self._call)

    def nobody(self, outcome: "LegOutcome | Refusal", now: float) -> None:
        """Nobody has taken the call."""
        self._call.on_nobody(outcome, now)

    # What the legs report

    def on_answered(self, leg: CalleeLeg, body: Body, fields: Fields, now: float) -> None:
        """The first to do so has the call."""
        self._call.on_found(leg, body, fields, now)

    def on_ringing(
        self, leg: CalleeLeg, status: int, reason: str, body: Body, fields: Fields, now: float
    ) -> None:
        call = self._call
        self._stop_stage_timer()
        caller = call.caller_leg
        first = caller.ringing_at is None
        if self._hunt.is_serial:
            carried = carry(leg, caller, body)
            caller.ring(status, reason, carried, call.fields_back(leg, fields), now, leg.prack)
        elif first:
            # Several phones ring: the early media of one of them would shut out the others'.
            caller.ring(180, "Ringing", NO_BODY, [], now)
        if first:
            call.board.counts.post_dial_delay.observe(now - caller.setup_at)

    def on_sent_again(self, leg: CalleeLeg, now: float) -> None:
        """The trunk's address takes the INVITE another way, and has its time from now."""
        if self._stage_timer is not None and isinstance(leg.target, TrunkTarget):
            self._stop_stage_timer()
            timeout_s = leg.target.trunk.answer_timeout_s
            self._stage_timer = self._call.board.timers.start(now, timeout_s, self._on_stage_timeout)

    def on_refused(self, leg: CalleeLeg, outcome: LegOutcome, now: float) -> None:
        if leg not in self.active:
            return
        self.active.remove(leg)
        release_onward(self._call, leg, now)
        self._outcomes.append(outcome)
        target, board = leg.target, self._call.board
        if isinstance(target, LineTarget):
            if outcome.is_ours and target.binding is not None:
                board.binding_failed(target.binding, now)
            elif outcome.status == FLOW_FAILED and target.binding is not None:
                board.bindings.flow_failed(target.binding)
        backup = backup_for(target, outcome, has_rung=leg.is_ringing)
        if backup is not None:
            self._try_backup(backup, now)
            return
        if outcome.status >= 600:
            self.cancel(now, LegOutcome(487, outcome.q850_cause, "declined on another phone", is_ours=True))
        if self.active:
            return
        self._stop_stage_timer()
        if may_fail_over(target, outcome, has_rung=leg.is_ringing):
            self._try_next_stage(now)
        else:
            self._exhausted(best_outcome(self._outcomes), now)

    def on_unreachable(self, leg: CalleeLeg, now: float) -> None:
        """A target that rings or was to ring is given up: nobody is there."""
        leg.cancel(now, "", SILENT)
        self.on_refused(leg, SILENT, now)

    # Timers

    def _on_no_answer(self, now: float) -> None:
        self._no_answer_timer = None
        self._exhausted(NOBODY_ANSWERED, now)

    def _on_expired(self, now: float) -> None:
        """The caller's own limit is over (RFC 3261 13.3.1)."""
        self._no_answer_timer = None
        self.nobody(EXPIRED, now)

    def _on_stage_timeout(self, now: float) -> None:
        """The trunk gave no sign of ringing in its time: leave it for the next.

        A trunk that has taken the INVITE (100) and has none after it may take longer, as calls abroad and to mobiles
        do: a caller who hears nothing yet would hear a refusal instead.
        """
        self._stage_timer = None
        if self._hunt.is_last and any(not leg.is_silent for leg in self.active):
            return
        for leg in self.active:
            leg.note_silence(now)
        self.cancel(now, NO_SIGN_OF_RINGING)
        self._outcomes.append(NO_SIGN_OF_RINGING)
        self._try_next_stage(now)

    def _on_silence(self, leg: CalleeLeg, now: float) -> None:
        """Nothing came back by this way to the peer, and there is another way, or another answer."""
        if leg in self.active and leg.is_silent:
            if isinstance(leg.target, VoicemailTarget):
                self._call.board.voicemail.missed_call(now)
            elif isinstance(leg.target, TrunkTarget):
                leg.note_silence(now)
            self.on_unreachable(leg, now)

    def _start_line_timers(self, search: "Search", now: float) -> None:
        board = self._call.board
        if search.ring_s:
            self._no_reply_timer = board.timers.start(now, search.ring_s, self._on_no_reply)
        if search.watches_silence:
            # A phone without power is still registered for up to an hour. It must not be rung for as long as the
            # transaction takes to give up (32 s).
            timeout_s = board.conf.calls.reaction_timeout_s
            self._silence_timer = board.timers.start(now, timeout_s, self._on_phones_silent)

    def _on_no_reply(self, now: float) -> None:
        """If there is nowhere to go on to, the phones go on ringing, unless a plan has had enough."""
        self._no_reply_timer = None
        if self._journey is None:
            self._exhausted(NOT_ANSWERED, now)
        else:
            self._go_on(NOT_ANSWERED, now)

    def _on_phones_silent(self, now: float) -> None:
        """Nothing at all has come back from any phone."""
        self._silence_timer = None
        legs = self.active.copy()
        if not legs or not all(leg.is_silent for leg in legs):
            return
        board = self._call.board
        left_s = max(leg.setup_at for leg in legs) + board.conf.calls.reaction_timeout_s - now
        if left_s > 0:  # one of them is a second way to a phone whose first was silent
            self._silence_timer = board.timers.start(now, left_s, self._on_phones_silent)
        elif self._journey is not None and self._go_on(SILENT, now):
            for leg in legs:
                if isinstance(leg.target, LineTarget) and leg.target.binding is not None:
                    board.binding_failed(leg.target.binding, now)

    def _go_on(self, outcome: LegOutcome, now: float) -> bool:
        """Whether somebody else is asked now, although the phones may still ring."""
        assert self._journey is not None
        search = self._after(self._journey, outcome, now)
        if search is not None:
            self._follow(search, outcome, now)
        elif self._journey.is_over:
            self.cancel(now, outcome)
            self.nobody(self._journey.outcome_for_caller(outcome), now)
            return True
        return search is not None

    def _stop_line_timers(self) -> None:
        self._no_reply_timer = _stop(self._no_reply_timer)
        self._silence_timer = _stop(self._silence_timer)

    def _stop_stage_timer(self) -> None:
        self._stage_timer = _stop(self._stage_timer)


def _stop(timer: Timer | None) -> Timer | None:
    """Nothing, in its place."""
    if timer is not None:
        timer.cancel()
    return None
