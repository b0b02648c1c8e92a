"""The back-to-back user agent: one call of two or more legs, and every decision about it.

A call hunts for an answer, waits until the journal has the answer, is up, and ends. Legs report in call control's
words (ringing, answered, refused, hung up) and know SIP; the call decides and never formats a header. Money and
records: the reservation is made before the first target is tried, the answer is passed on when it is durable, and the
end record carries the charge and every CDR in one atomic step.
"""

from provisioning.model import Line
from rating.records import Cdr
from switch.calls.announcement import announcement_for, ending_of_announced
from switch.calls.answer_gate import AnswerGate, await_journal, note_closed, partner_answered
from switch.calls.attempt import Attempt
from switch.calls.buying import begin_leg, count_try
from switch.calls.call_records import answered_state, dialogs_to_hang_up, emergency_note, opened_state
from switch.calls.call_state import CallState
from switch.calls.callee_leg import CalleeLeg, LegOutcome
from switch.calls.caller_leg import CallerLeg
from switch.calls.carried_media import carry
from switch.calls.cdr import Ending, callee_row, caller_row, facts_of, outcome_label, set_price
from switch.calls.concurrent_calls import count_in, count_leg_in, count_out
from switch.calls.conversation import separate
from switch.calls.end_record import closing_puts, end_records
from switch.calls.endings import (
    FORGOTTEN,
    GATE_CLOSED,
    NO_COMMON_SOUND,
    RINGING_UNACKNOWLEDGED,
    TOO_LONG,
    UNCONFIRMED,
)
from switch.calls.exhausted import ending_of_exhausted
from switch.calls.hunt import best_outcome, status_for_caller
from switch.calls.hunting import Hunting
from switch.calls.identity import Caller
from switch.calls.leg import Leg, LegState
from switch.calls.meter import CALLERS_ROW, Meter
from switch.calls.number_plan import Emergency
from switch.calls.open_call import HANGUP_KEY
from switch.calls.passing import NO_BODY, Body, Fields
from switch.calls.payers import callers_meter, hold_first, release_onward
from switch.calls.pick_up import on_picked_up
from switch.calls.plan_course import PlanCourse
from switch.calls.pressed import OnPressed
from switch.calls.q850 import COMPLETED_ELSEWHERE
from switch.calls.referral import Referral
from switch.calls.refusal import Refusal
from switch.calls.retarget import Retarget
from switch.calls.switchboard import Put, Switchboard
from switch.calls.take_over import TakeOver
from switch.calls.target import LineTarget, Target
from switch.calls.terms import Admission
from switch.calls.transfer import take_transfer
from switch.calls.trunk_endings import count_answer, count_failure, count_seizure
from switch.calls.vanished import WORDS, Vanished, ask_silent_ends
from switch.calls.voicemail import ANNOUNCEMENT_S_MAX
from switch.sip.timers import Timer


class Call:
    """One call. `id` is minted at ingress and is on every leg's record."""

    __slots__ = (
        "_limit_timer",
        "_vanished",
        "admission",
        "answer_gate",
        "answered_leg",
        "attempt",
        "board",
        "callee_legs",
        "caller_leg",
        "facts",
        "held_lines",
        "hunting",
        "id",
        "joined",
        "meters",
        "on_pressed",
        "retarget",
        "rows",
        "silent_since",
        "state",
        "talkers",
    )
    __deletable__ = ("caller_leg",)  # mypyc asks for it

    def __init__(self, board: Switchboard, call_id: str, attempt: Attempt) -> None:
        self.board = board
        self.id = call_id
        self.attempt = attempt
        self.admission: Admission | None = None
        self.facts = facts_of(call_id, attempt, board.conf.routing.version)
        self.caller_leg: CallerLeg
        self.callee_legs: list[CalleeLeg] = []  # every target that was tried, in order
        self.rows: list[Cdr] = []  # one a leg, by the leg's index; complete when the call ends
        self.answered_leg: CalleeLeg | None = None
        self.answer_gate: AnswerGate | None = None  # while an answer is not passed on
        self.meters: list[Meter] = []  # who pays for what of it; the caller's first, where the caller pays
        self.held_lines: list[Line] = []  # that have one call more, this one
        self.hunting: Hunting | None = None  # while somebody is looked for
        self.talkers: list[Leg] = []  # the ends that talk with each other (conversation.py)
        self.joined: Leg | None = None  # the end of another call that ours talks with
        self.retarget: Retarget | TakeOver | None = None  # while an end that talks is to get another partner
        self.on_pressed: OnPressed | None = attempt.on_pressed  # what keys mean while a voice of the exchange speaks
        self.silent_since: float | None = None  # of a silence of both ends that lasts
        self.state = CallState.HUNTING
        self._vanished: Vanished | None = None
        self._limit_timer: Timer | None = None

    @property
    def caller(self) -> Caller:
        return self.attempt.caller

    @property
    def is_emergency(self) -> bool:
        return self.admission is not None and self.admission.route.is_emergency

    @property
    def destination(self) -> str:
        return self.facts.destination

    @property
    def is_unacknowledged(self) -> bool:
        """Answered by the callee, and the caller has not said that it heard it: it may not even have been told."""
        is_answered = self.state in (CallState.AWAITING_JOURNAL, CallState.UP)
        return is_answered and not self.caller_leg.is_acknowledged

    def other_leg(self, leg: Leg) -> Leg | None:
        if self.state is CallState.ENDED:
            return None
        if not self.talkers:
            return self.caller_leg if leg is not self.caller_leg else None
        if leg not in self.talkers:
            return None
        return next((end for end in self.talkers if end is not leg), self.joined)

    @property
    def ringing_legs(self) -> list[CalleeLeg]:
        """The targets of the present stage that have not failed."""
        return [] if self.hunting is None else self.hunting.active.copy()

    @property
    def can_answer_early(self) -> bool:
        """Whether a callee's offer in a reliable provisional could be answered by the caller, in its PRACK."""
        hunting, is_new = self.hunting, self.state is CallState.HUNTING
        return is_new and hunting is not None and hunting.is_serial and self.caller_leg.speaks_100rel

    @property
    def early_callee(self) -> CalleeLeg | None:
        """The one ringing callee whose session is agreed already, so that it could be asked to change it."""
        if self.state is not CallState.HUNTING or self.hunting is None or len(self.hunting.active) != 1:
            return None
        leg = self.hunting.active[0]
        early = leg.early_dialog
        return leg if early is not None and early.is_set else None

    # The beginning

    def take(self, caller_leg: CallerLeg) -> None:
        """The leg that the call came in on."""
        self.caller_leg = caller_leg
        self.rows.append(caller_row(self.facts, caller_leg, self.board.clock))

    def refuse(self, refused: Refusal, now: float) -> None:
        """The ladder said no: the caller is told, in words where that can be, and the attempt is on record."""
        spoken = announcement_for(self, refused, now)
        if spoken is None:
            self._refuse(refused, now)
            return
        self.admission = spoken
        self.board.calls[self.id] = self
        self.hunting = Hunting(self, self.caller_leg)
        self.hunting.begin(spoken.route.stages, now, within_s=ANNOUNCEMENT_S_MAX)

    def _refuse(self, refused: Refusal, now: float) -> None:
        words = "the announcement took too long"
        self._cancel_ringing(now, LegOutcome(487, refused.q850_cause, words, is_ours=True))
        extra = [("retry-after", str(refused.retry_after_s))] if refused.retry_after_s else []
        if refused.warning:
            extra.append(("warning", refused.warning))
        self.caller_leg.refuse(
            refused.status, now, cause=refused.q850_cause, words=refused.words, extra=extra
        )
        self.board.counts.refusals[refused.label] += 1
        self._close(Ending(refused.label, refused.status, refused.q850_cause, refused.words, "exchange"), now)

    def begin(self, admission: Admission, now: float) -> None:
        """Reserve, make the attempt durable in the background, and ring the first target."""
        if not self.open(admission, now):
            return
        route = admission.route
        self.hunting = Hunting(self, self.caller_leg, route.journey)
        search = None if route.journey is None else route.journey.search
        self.hunting.begin(route.stages, now, lines=route.lines, search=search)

    def open(self, admission: Admission, now: float) -> bool:
        """Reserve, and count as one of the calls there are. False: it has been refused for want of money."""
        board = self.board
        self.admission = admission
        refused = hold_first(self, admission, now)
        if refused is not None:
            self.refuse(refused, now)
            return False
        board.failpoints.reached("reserved")
        board.calls[self.id] = self
        count_in(self, admission)
        if admission.route.is_emergency:
            board.counts.emergency_calls += 1
            board.record([], [emergency_note(self, now)], is_urgent=True)
        return True

    def add_leg(self, target: Target, now: float) -> CalleeLeg:
        """One target is about to be tried."""
        board = self.board
        leg = CalleeLeg(board, self, index=len(self.callee_legs) + 1, target=target, now=now)
        self.callee_legs.append(leg)
        row = callee_row(self.facts, leg, self.rows[0], board.clock)
        self.rows.append(row)
        if board.tracer is not None:
            board.tracer.add_leg(self.id, leg.sip_call_id, leg.index)
        if target.onward is not None:
            set_price(row, target.onward)
        count_leg_in(leg, now)
        if leg.trunk is not None:
            begin_leg(leg, row, now)
            count_seizure(leg, leg.trunk.name)
        return leg

    def record_opened(self) -> None:
        self.board.record([opened_state(self)])

    # What the callee legs report

    def on_ringing(
        self, leg: CalleeLeg, status: int, reason: str, body: Body, fields: Fields, now: float
    ) -> None:
        if self.hunting is not None:
            self.hunting.on_ringing(leg, status, reason, body, fields, now)

    def on_sent_again(self, leg: CalleeLeg, now: float) -> None:
        """The trunk's address takes the INVITE another way."""
        if self.hunting is not None:
            self.hunting.on_sent_again(leg, now)

    def on_answered(self, leg: CalleeLeg, body: Body, fields: Fields, now: float) -> None:
        if self.hunting is not None and leg in self.hunting.active:
            self.hunting.on_answered(leg, body, fields, now)
        else:
            leg.acknowledge(NO_BODY)
            leg.hang_up(now, cause=26, words="answered elsewhere")

    def on_found(self, leg: CalleeLeg, body: Body, fields: Fields, now: float) -> None:
        """Somebody has answered the caller."""
        self.board.failpoints.reached("answer_received")
        if self.admission is not None and self.admission.route.is_announcement:
            leg.acknowledge(NO_BODY)
            leg.hang_up(now, cause=21, words="an announcement is not to be answered")
            self.stop_hunting()
            self.on_nobody(best_outcome(()), now)
            return
        self.answered_leg = leg
        count_answer(leg, now)
        self.talkers = [self.caller_leg, leg]
        if not body and leg.has_offer and not self.caller_leg.is_session_set:
            body = leg.early_body
        answer = carry(leg, self.caller_leg, body)
        journey = None if self.hunting is None else self.hunting.journey
        if journey is not None and journey.plan is not None:  # the number's, or that a divert has led to
            self.on_pressed = PlanCourse(self, journey)
        self.end_search(leg, now)
        meter = callers_meter(self)
        if meter is not None:
            meter.legs = (CALLERS_ROW, leg.index)
        await_journal(self, answer, self.fields_back(leg, fields), now)

    def end_search(self, answered: CalleeLeg, now: float) -> None:
        """Who else rings is told that somebody has answered; what was held for them is free."""
        hunting = self.hunting
        assert hunting is not None
        hunting.active.remove(answered)
        for other in hunting.active:
            release_onward(self, other, now)
            elsewhere = LegOutcome(487, 26, "answered elsewhere", is_ours=True)
            other.cancel(now, COMPLETED_ELSEWHERE, elsewhere)
        hunting.active = []
        target = answered.target
        hunting.leave_lines(now, target.line if isinstance(target, LineTarget) else None)
        self.stop_hunting()

    def on_refused(self, leg: CalleeLeg, outcome: LegOutcome, now: float) -> None:
        if leg.bought is not None:
            count_try(leg, now)
        count_failure(leg, outcome.q850_cause)
        if self.hunting is not None:
            self.hunting.on_refused(leg, outcome, now)

    def on_unreachable(self, leg: CalleeLeg, now: float) -> None:
        """Whoever rings there is not there any more."""
        if self.hunting is not None:
            self.hunting.on_unreachable(leg, now)

    def on_nobody(self, outcome: LegOutcome | Refusal, now: float) -> None:
        """No target answered: the caller hears the best of what they said."""
        if self.state is not CallState.HUNTING:
            return
        refused = outcome if isinstance(outcome, Refusal) else None
        if self.admission is not None and self.admission.route.refused is not None:
            refused = self.admission.route.refused
        if refused is not None:
            self._refuse(refused, now)
            return
        assert isinstance(outcome, LegOutcome)
        status = status_for_caller(outcome)
        extra = outcome.fields if status == outcome.status else ()
        self.caller_leg.refuse(status, now, cause=outcome.q850_cause, words="", extra=extra)
        ended_by = "exchange" if outcome.is_ours else "callee"
        label = outcome_label(outcome.status, outcome.q850_cause)
        self._end(Ending(label, status, outcome.q850_cause, outcome.words, ended_by), now)

    # What both sides report

    def on_cancelled(self, now: float, reason: str = "") -> None:
        """The caller gave up. In the gap between answer and journal, the callee gets its BYE and nothing is
        charged."""
        if self.state not in (CallState.HUNTING, CallState.AWAITING_JOURNAL):
            return
        self.caller_leg.refuse(487, now, cause=16, words="the caller gave up")
        ending = ending_of_announced(self) or Ending(
            "cancelled", 487, 16, "the caller gave up before the answer", "caller"
        )
        self._end(ending, now, reason=reason)

    def on_prack(self, now: float) -> None:
        """The caller has acknowledged what rang reliably; the answer may have waited for that."""
        if self.answer_gate is not None:
            self.answer_gate.on_prack(now)

    def on_prack_missing(self, now: float) -> None:
        """No PRACK for 64*T1: the caller does not hear us (RFC 3262 3)."""
        if self.state in (CallState.HUNTING, CallState.AWAITING_JOURNAL):
            words = RINGING_UNACKNOWLEDGED
            self.caller_leg.refuse(504, now, cause=102, words=words)
            self._end(Ending("failed", 504, 102, words, "exchange"), now)

    def on_acknowledged(self, body: Body, now: float) -> None:
        """The caller's ACK. It carries the answer where the INVITE had no offer."""
        if self.state is not CallState.UP:
            return
        leg = self.answered_leg
        if leg is not None and not leg.has_offer and leg.state is LegState.UP:
            leg.acknowledge(carry(self.caller_leg, leg, body))
        elif leg is None and self.joined is not None:
            on_picked_up(self, self.joined, body, now)

    def on_ack_missing(self, now: float) -> None:
        """No ACK for 64*T1: without it nobody can say that the caller heard anything, so it costs nothing."""
        if self.state is CallState.UP:
            self._end(
                Ending(UNCONFIRMED, 408, 102, "the caller never acknowledged the answer", "exchange"),
                now,
                free=True,
            )

    def on_hung_up(self, leg: Leg, now: float, cause: int | None, reason: str) -> None:
        """A BYE; `reason` is what its Reason says to the other end."""
        if self.state is CallState.UP:
            if leg in self.talkers and not self._goes_on_without(leg, now):
                who = _who(leg)
                self._end(Ending("answered", 200, cause or 16, f"the {who} hung up", who), now, reason=reason)
        elif self.state is CallState.AWAITING_JOURNAL:
            # The callee hung up before its answer could be passed on.
            if self.answered_leg is not None and not self.answered_leg.is_acknowledged:
                self.answered_leg.acknowledge(NO_BODY)
            self.caller_leg.refuse(480, now, cause=16, words="hung up at once")
            self._end(Ending("unavailable", 480, cause or 16, "the callee hung up at once", "callee"), now)

    def on_dialog_lost(self, leg: Leg, now: float) -> None:
        """One side no longer knows the call."""
        if self.state is CallState.UP and leg in self.talkers and not self._goes_on_without(leg, now):
            who = _who(leg)
            self._end(Ending("answered", 200, 41, f"the {who}'s {FORGOTTEN}", who), now)

    def _goes_on_without(self, leg: Leg, now: float) -> bool:
        return self.retarget is not None and self.retarget.on_gone(leg, now)

    def on_refer(self, leg: Leg, referral: Referral, now: float) -> None:
        """An end asks for a transfer."""
        take_transfer(self, leg, referral, now)

    def on_renegotiated(self, is_joined: bool, now: float) -> None:
        """Whether a new partner and who was there already have a session."""
        if is_joined:
            self._watch_sound()
        elif self.state is CallState.UP:
            self.hang_up(now, words=NO_COMMON_SOUND, ended_by="exchange")

    def on_vanished(self, leg: Leg, now: float) -> None:
        """No sign of life from one end when one was due."""
        if self.state is not CallState.UP or leg not in self.talkers or self._goes_on_without(leg, now):
            return
        if self.talkers != [self.caller_leg, self.answered_leg]:
            # Who pays what has begun at different times: all of it is over with this end's last sign of life.
            self._on_vanished_known(WORDS, leg.last_seen_at, now)
        elif self.answered_leg is not None:
            if self._vanished is None:
                self._vanished = Vanished(self.caller_leg, self.answered_leg, self._on_vanished_known)
            self._vanished.take(leg, now)

    def on_silent(self, for_s: float, now: float) -> None:
        """The relay has heard nothing from either end for so long."""
        if self.state is CallState.UP:
            self.silent_since = now - for_s
            ask_silent_ends(self, now)

    def _on_vanished_known(self, words: str, until: float, now: float) -> None:
        if self.state is CallState.UP:
            self._end(Ending("answered", 200, 102, words, "exchange"), now, until=until)

    def on_leg_gone(self, leg: Leg, now: float) -> None:
        """A BYE was answered, or will never be; or a cancelled attempt has ended."""
        leg.free()
        if self.state is CallState.ENDED and not dialogs_to_hang_up(self):
            self.board.record([(HANGUP_KEY + self.id, None)])
            self._let_go_of_legs()
        elif self.state is CallState.UP and leg.outcome is not None and leg.answered_at is not None:
            self.board.record([answered_state(self, now)])  # who left before needs no BYE any more

    def hang_up(self, now: float, *, words: str, ended_by: str) -> None:
        """End the call from our side, whatever state it is in."""
        if self.state is CallState.UP:
            self._end(Ending("answered", 200, 16, words, ended_by), now)
        elif self.state is not CallState.ENDED:
            self.caller_leg.refuse(480, now, cause=41, words=words)
            self._end(Ending("failed", 480, 41, words, ended_by), now)

    # Answering

    def on_durable(self, now: float) -> None:
        if self.answer_gate is not None:
            self.answer_gate.kept(now)
        elif self.state is CallState.ENDED:
            self.board.failpoints.reached("settlement_durable")
        elif self.retarget is not None:
            self.retarget.on_durable(now)

    def on_gate_passed(self, answer: Body, fields: Fields, now: float) -> None:
        """The caller is told; from here it costs."""
        board, leg = self.board, self.answered_leg
        self.answer_gate = None
        self.state = CallState.UP
        self.caller_leg.answer(answer, fields, now)
        self._watch_sound()
        board.counts.answer_delay.observe(now - self.caller_leg.setup_at)
        if not self.is_emergency:
            self._limit_timer = board.timers.start(now, board.conf.calls.call_duration_max_s, self._on_too_long)
        for meter in self.meters:
            meter.start(now)
        if self.joined is not None:
            partner_answered(self.joined.call, NO_BODY, now)
        course = self.on_pressed
        if leg is not None and isinstance(course, PlanCourse):
            course.voice_answered(leg, now)
        board.failpoints.reached("answered")

    def on_gate_closed(self, now: float) -> None:
        """The journal did not take the answer in time: ACK and BYE to the callee, 503 to the caller, charge 0."""
        if self.state is CallState.AWAITING_JOURNAL:
            note_closed(self.board)
            self.caller_leg.refuse(503, now, cause=41, words="the answer could not be recorded")
            self._end(
                Ending(GATE_CLOSED, 503, 41, "the answer could not be recorded in time", "exchange"), now
            )

    # Timers

    def on_renewed(self, now: float) -> None:
        """More seconds are paid for."""
        self.board.failpoints.reached("renewed")
        self.board.record([answered_state(self, now)])

    def on_exhausted(self, now: float) -> None:
        """The last paid second is over."""
        self._end(ending_of_exhausted(self, now), now)

    def _on_too_long(self, now: float) -> None:
        self._limit_timer = None
        self._end(Ending("answered", 200, 16, TOO_LONG, "exchange"), now)

    # The end

    def _end(
        self, ending: Ending, now: float, *, free: bool = False, until: float | None = None, reason: str = ""
    ) -> None:
        """`until` is when the call really ended, where that was before now; `reason` is passed on from a peer."""
        self.board.failpoints.reached("ending")
        self._cancel_ringing(now, LegOutcome(487, ending.q850_cause, ending.words, is_ours=True), reason)
        for leg in self.talkers or (self.caller_leg,):
            leg.ended_at = leg.ended_at or until
            leg.hang_up(now, cause=ending.q850_cause, words=ending.words, reason=reason)
        partner = separate(self)
        self._close(ending, now, free=free, until=until)
        if partner is not None:
            partner.hang_up(now, words=f"{ending.words}, at the other end of a transfer", ended_by=ending.ended_by)

    def _close(self, ending: Ending, now: float, *, free: bool = False, until: float | None = None) -> None:
        """The end record: charge, CDRs, and what still needs a BYE, in one atomic step."""
        board = self.board
        was_live = board.calls.pop(self.id, None) is not None
        self.state = CallState.ENDED
        self.stop_hunting()
        if self.retarget is not None:
            retarget, self.retarget = self.retarget, None
            retarget.stop(now)
        if self.answer_gate is not None:
            self.answer_gate.stop()
            self.answer_gate = None
        if self._limit_timer is not None:
            self._limit_timer.cancel()
        ended_at = now if until is None else until
        settled = [(meter, meter.close(ended_at, free=free)) for meter in self.meters]
        self.meters = []
        records = end_records(self, ending, settled, now)
        if board.tracer is not None:
            board.tracer.end(self, now)
        puts: list[Put] = []
        if was_live:
            assert self.admission is not None
            count_out(self, self.admission, now)
            puts = closing_puts(self)
        seq = board.record(puts, records)
        board.await_durable(seq, self)
        board.counts.on_ended(ending.outcome, self.rows[0].duration_ms, self.rows[0].cost_micros)
        if isinstance(self.attempt.plan_result.destination, Emergency):
            board.counts.on_emergency_ended(ending.outcome)
        self._vanished = None
        if isinstance(self.on_pressed, PlanCourse):
            self.on_pressed.over(now)
        self.on_pressed = None
        self.talkers = []
        for leg in (self.caller_leg, *self.callee_legs):
            leg.close_media()
        self._let_go_of_legs()

    # Small steps

    def _watch_sound(self) -> None:
        silence_s = self.board.conf.media.silence_timeout_s
        if self.caller_leg.media is not None and silence_s:
            self.caller_leg.media.watch(silence_s)

    def _let_go_of_legs(self) -> None:
        """Once all have ended: legs know their call, and a call that knew them for ever would be a cycle, which only
        the garbage collector frees. Whatever comes later is stopped by the state."""
        if all(leg.state is LegState.GONE for leg in (self.caller_leg, *self.callee_legs)):
            self.callee_legs = []
            self.answered_leg = None
            del self.caller_leg

    def fields_back(self, leg: CalleeLeg, fields: Fields) -> Fields:
        """Unknown headers of a callee's answer pass between lines; a trunk's stay at the border."""
        return fields if leg.trunk is None and self.caller_leg.trunk is None else []

    def _cancel_ringing(self, now: float, outcome: LegOutcome, reason: str = "") -> None:
        if self.hunting is not None:
            self.hunting.cancel(now, outcome, reason)

    def stop_hunting(self) -> None:
        """It knows its call: one that stayed would be a cycle, as legs are."""
        if self.hunting is not None:
            self.hunting.stop()
            self.hunting = None


def _who(leg: Leg) -> str:
    """As records name an end."""
    return "callee" if leg.index else "caller"
