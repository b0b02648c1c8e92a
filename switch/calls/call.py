"""The back-to-back user agent: one call of two or more legs, and every decision about it.

A call hunts for an answer, waits until the journal has the answer, is up, and ends. Legs report in call control's
words (ringing, answered, refused, hung up) and know SIP; the call decides and never formats a header. Money and
records: the reservation is made before the first target is tried, the answer is passed on when it is durable, and the
end record carries the charge and every CDR in one atomic step.
"""

import enum
from collections.abc import Sequence

from rating.engine import Reservation
from rating.records import Cdr
from switch.calls import refusal
from switch.calls.admission import Admission, Attempt
from switch.calls.announcement import announcement_for, ending_of_announced
from switch.calls.call_records import answered_state, dialogs_to_hang_up, emergency_note, opened_state
from switch.calls.callee_leg import CalleeLeg, LegOutcome
from switch.calls.caller_leg import CallerLeg
from switch.calls.carried_media import carry, takes
from switch.calls.cdr import Ending, callee_row, caller_row, facts_of, outcome_label, set_price
from switch.calls.concurrent_calls import count_in, count_out
from switch.calls.credit_watch import CreditWatch
from switch.calls.diverting import Diverting
from switch.calls.end_record import closing_puts, end_records, settle
from switch.calls.exhausted import ending_of_exhausted
from switch.calls.expires import expires_of
from switch.calls.hunt import NO_CODEC, Hunt, best_outcome, may_fail_over, status_for_caller
from switch.calls.identity import Caller
from switch.calls.invitation import invitation_for
from switch.calls.leg import Leg, LegState
from switch.calls.line_targets import FLOW_FAILED, backup_of
from switch.calls.open_call import HANGUP_KEY
from switch.calls.passing import NO_BODY, Body, Fields
from switch.calls.q850 import COMPLETED_ELSEWHERE
from switch.calls.referral import Referral
from switch.calls.refresh import Refresh
from switch.calls.refusal import Refusal
from switch.calls.switchboard import Put, Switchboard
from switch.calls.target import LineTarget, Target, TrunkTarget, VoicemailTarget
from switch.calls.vanished import Vanished
from switch.calls.voicemail import ANNOUNCEMENT_S_MAX, REACTION_S
from switch.sip.timers import Timer

CREDIT_PIPS = 3  # rounds of two


class CallState(enum.Enum):
    HUNTING = "ringing"
    AWAITING_JOURNAL = "answering"
    UP = "up"
    ENDED = "ended"


class Call:
    """One call. `id` is minted at ingress and is on every leg's record."""

    __slots__ = (
        "_active",
        "_answer",
        "_diverting",
        "_gate_timer",
        "_hunt",
        "_is_answer_kept",
        "_limit_timer",
        "_no_answer_timer",
        "_stage_outcomes",
        "_stage_timer",
        "_vanished",
        "_watch",
        "admission",
        "answered_leg",
        "attempt",
        "board",
        "callee_legs",
        "caller_leg",
        "facts",
        "id",
        "reservation",
        "rows",
        "state",
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
        self.reservation: Reservation | None = None
        self.state = CallState.HUNTING
        self._active: list[CalleeLeg] = []
        self._stage_outcomes: list[LegOutcome] = []
        self._hunt = Hunt(())
        self._diverting: Diverting | None = None
        self._answer: tuple[Body, Fields] = (NO_BODY, [])
        self._is_answer_kept = False  # by the journal, or it need not be
        self._vanished: Vanished | None = None
        self._watch: CreditWatch | None = None
        self._gate_timer: Timer | None = None
        self._limit_timer: Timer | None = None
        self._no_answer_timer: Timer | None = None
        self._stage_timer: Timer | None = None

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

    @property
    def granted_s(self) -> int | None:
        """Seconds paid for so far, counted from the answer; None when nothing needs paying."""
        if self._watch is not None:
            return self._watch.granted_s
        return self.reservation.granted_s if self.reservation is not None else None

    def other_leg(self, leg: Leg) -> Leg | None:
        if self.state is CallState.ENDED:
            return None
        return self.answered_leg if leg is self.caller_leg else self.caller_leg

    @property
    def ringing_legs(self) -> list[CalleeLeg]:
        """The targets of the present stage that have not failed."""
        return self._active.copy()

    @property
    def can_answer_early(self) -> bool:
        """Whether a callee's offer in a reliable provisional could be answered by the caller, in its PRACK."""
        return self._hunt.is_serial and self.caller_leg.speaks_100rel

    @property
    def early_callee(self) -> CalleeLeg | None:
        """The one ringing callee whose session is agreed already, so that it could be asked to change it."""
        if self.state is not CallState.HUNTING or len(self._active) != 1:
            return None
        early = self._active[0].early_dialog
        return self._active[0] if early is not None and early.is_set else None

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
        self._hunt = Hunt(spoken.route.stages)
        self._no_answer_timer = self.board.timers.start(now, ANNOUNCEMENT_S_MAX, self._on_no_answer)
        self._try_next_stage(now)

    def _refuse(self, refused: Refusal, now: float) -> None:
        words = "the announcement took too long"
        self._cancel_active(now, LegOutcome(487, refused.q850_cause, words, is_ours=True))
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
        board = self.board
        self.admission = admission
        set_price(self.rows[0], admission)
        rate = admission.price.rate
        if rate is not None and not rate.is_free and admission.price.account_id is not None:
            reserved = board.engine.reserve(
                self.id, admission.price.account_id, rate, initial_ahead_s=board.conf.prepaid.reserve_ahead_s
            )
            if not isinstance(reserved, Reservation):
                self.refuse(refusal.of_shortage(reserved), now)
                return
            self.reservation = reserved
        board.failpoints.reached("reserved")
        board.calls[self.id] = self
        count_in(self, admission)
        self._hunt = Hunt(admission.route.stages)
        self._start_no_answer_timer(admission, now)
        line = admission.route.line
        if line is not None and line.diverts and admission.route.refused is None:
            self._diverting = Diverting(self, line)
            self._diverting.begin(now)
        if admission.route.is_emergency:
            board.counts.emergency_calls += 1
            board.record([], [emergency_note(self, now)], is_urgent=True)
        self._try_next_stage(now)

    def _start_no_answer_timer(self, admission: Admission, now: float) -> None:
        """Expires (RFC 3261 13.3.1) can only shorten it, and never an emergency call."""
        timers, timeout_s = self.board.timers, self.board.conf.calls.no_answer_timeout_s
        expires_s = None if admission.route.is_emergency else expires_of(self.caller_leg.request)
        if expires_s is not None and expires_s < timeout_s:
            self._no_answer_timer = timers.start(now, expires_s, self._on_expired)
        else:
            self._no_answer_timer = timers.start(now, timeout_s, self._on_no_answer)

    def _try_next_stage(self, now: float) -> None:
        stage = self._next_stage()
        assert self.admission is not None
        if stage is None:
            self._fail(best_outcome(self._stage_outcomes), now)
            return
        board = self.board
        fresh = [self._add_leg(target, now) for target in stage]
        self._active = fresh.copy()
        self._stage_outcomes = []
        first = stage[0]
        if isinstance(first, TrunkTarget):
            board.of_trunk[first.trunk.name] += 1
            board.trunks.try_begins(first, now)
            self._stage_timer = board.timers.start(now, first.trunk.answer_timeout_s, self._on_stage_timeout)
        for leg in fresh:
            self._offer(leg, self.admission, now)
        # After the offers, whose branches it names; all the same nothing is on the wire before it (process.py).
        board.record([opened_state(self)])
        board.failpoints.reached("offered")

    def _next_stage(self) -> Sequence[Target] | None:
        """The next targets that take a codec of the caller's; a trunk that takes none is passed over."""
        while (stage := self._hunt.next_stage()) is not None:
            target, offer = stage[0], self.caller_leg.own_body
            if self.is_emergency or not isinstance(target, TrunkTarget) or takes(target.trunk, offer):
                break
            self._stage_outcomes = [NO_CODEC]
        return stage

    def go_on_to(self, target: Target, outcome: LegOutcome, now: float) -> None:
        """Diverted: what still rings is given up with this outcome, and a further stage begins."""
        self._cancel_active(now, outcome)
        self._stop_stage_timer()
        self._hunt = Hunt(((target,),))
        self._try_next_stage(now)

    def _add_leg(self, target: Target, now: float) -> CalleeLeg:
        board = self.board
        leg = CalleeLeg(board, self, index=len(self.callee_legs) + 1, target=target, now=now)
        self.callee_legs.append(leg)
        self.rows.append(callee_row(self.facts, leg, self.rows[0], board.clock))
        return leg

    def _offer(self, leg: CalleeLeg, admission: Admission, now: float) -> None:
        target, board = leg.target, self.board
        invitation = invitation_for(admission, self.caller_leg, target, self.caller, board)
        invitation.body = carry(self.caller_leg, leg, invitation.body)
        leg.offer(invitation, now)
        if isinstance(target, VoicemailTarget):
            board.timers.start(now, REACTION_S, lambda later: self._on_silence(leg, later))
        elif isinstance(target, LineTarget) and target.backup is not None:
            timeout_s = board.conf.calls.reaction_timeout_s
            board.timers.start(now, timeout_s, lambda later: self._on_silence(leg, later))

    def _try_backup(self, backup: LineTarget, now: float) -> None:
        """In place of a target that could not be reached; it rings beside what else rings in this stage."""
        assert self.admission is not None
        self.board.counts.flow_failovers += 1
        leg = self._add_leg(backup, now)
        self._active.append(leg)
        self._offer(leg, self.admission, now)
        self.board.record([opened_state(self)])

    # What the callee legs report

    def on_ringing(
        self, leg: CalleeLeg, status: int, reason: str, body: Body, fields: Fields, now: float
    ) -> None:
        if self.state is not CallState.HUNTING:
            return
        self._stop_stage_timer()
        first = self.caller_leg.ringing_at is None
        if self._hunt.is_serial:
            carried = carry(leg, self.caller_leg, body)
            self.caller_leg.ring(status, reason, carried, self._fields_back(leg, fields), now, leg.prack)
        elif first:
            # Several phones ring: the early media of one of them would shut out the others'.
            self.caller_leg.ring(180, "Ringing", NO_BODY, [], now)
        if first:
            self.board.counts.post_dial_delay.observe(now - self.caller_leg.setup_at)

    def on_sent_again(self, leg: CalleeLeg, now: float) -> None:
        """The trunk's address takes the INVITE another way, and has its time from now."""
        if self._stage_timer is not None and isinstance(leg.target, TrunkTarget):
            self._stop_stage_timer()
            timeout_s = leg.target.trunk.answer_timeout_s
            self._stage_timer = self.board.timers.start(now, timeout_s, self._on_stage_timeout)

    def on_answered(self, leg: CalleeLeg, body: Body, fields: Fields, now: float) -> None:
        if self.state is not CallState.HUNTING:
            leg.acknowledge(NO_BODY)
            leg.hang_up(now, cause=26, words="answered elsewhere")
            return
        self.board.failpoints.reached("answer_received")
        if self.admission is not None and self.admission.route.is_announcement:
            leg.acknowledge(NO_BODY)
            leg.hang_up(now, cause=21, words="an announcement is not to be answered")
            self._active = []
            self._fail(best_outcome(()), now)
            return
        self.answered_leg = leg
        self._active = []
        if not body and leg.has_offer and not self.caller_leg.is_session_set:
            body = leg.early_body
        self._answer = (carry(leg, self.caller_leg, body), self._fields_back(leg, fields))
        self._stop_ringing_timers()
        for other in self.callee_legs:
            if other is not leg:
                other.cancel(
                    now, COMPLETED_ELSEWHERE, LegOutcome(487, 26, "answered elsewhere", is_ours=True)
                )
        self.state = CallState.AWAITING_JOURNAL
        seq = self.board.record([answered_state(self, now)], is_urgent=True)
        if self.reservation is None:
            self._is_answer_kept = True
            self._pass_answer(now)
            return
        self.board.await_durable(seq, self)
        gate_s = self.board.conf.calls.answer_gate_ms / 1000
        self._gate_timer = self.board.timers.start(now, gate_s, self._on_gate_closed)

    def on_refused(self, leg: CalleeLeg, outcome: LegOutcome, now: float) -> None:
        if self.state is not CallState.HUNTING or leg not in self._active:
            return
        self._active.remove(leg)
        self._stage_outcomes.append(outcome)
        target = leg.target
        if isinstance(target, LineTarget):
            if outcome.is_ours and target.binding is not None:
                self.board.binding_failed(target.binding, now)
            elif outcome.status == FLOW_FAILED and target.binding is not None:
                self.board.bindings.flow_failed(target.binding)
            status, has_rung = outcome.status, leg.is_ringing
            backup = backup_of(target, status, is_ours=outcome.is_ours, has_rung=has_rung)
            if backup is not None:
                self._try_backup(backup, now)
                return
        if outcome.status >= 600:
            self._cancel_active(
                now, LegOutcome(487, outcome.q850_cause, "declined on another phone", is_ours=True)
            )
        if self._active:
            return
        self._stop_stage_timer()
        if may_fail_over(leg.target, outcome, has_rung=leg.is_ringing):
            self._try_next_stage(now)
        else:
            self._fail(best_outcome(self._stage_outcomes), now)

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
        if self.state is CallState.AWAITING_JOURNAL and self._is_answer_kept:
            self._pass_answer(now)

    def on_prack_missing(self, now: float) -> None:
        """No PRACK for 64*T1: the caller does not hear us (RFC 3262 3)."""
        if self.state in (CallState.HUNTING, CallState.AWAITING_JOURNAL):
            words = "the caller never acknowledged that it rings"
            self.caller_leg.refuse(504, now, cause=102, words=words)
            self._end(Ending("failed", 504, 102, words, "exchange"), now)

    def on_acknowledged(self, body: Body, now: float) -> None:
        """The caller's ACK. It carries the answer where the INVITE had no offer."""
        if self.state is not CallState.UP:
            return
        leg = self.answered_leg
        if leg is not None and not leg.has_offer and leg.state is LegState.UP:
            leg.acknowledge(carry(self.caller_leg, leg, body))

    def on_ack_missing(self, now: float) -> None:
        """No ACK for 64*T1: without it nobody can say that the caller heard anything, so it costs nothing."""
        if self.state is CallState.UP:
            self._end(
                Ending("unconfirmed", 408, 102, "the caller never acknowledged the answer", "exchange"),
                now,
                free=True,
            )

    def on_hung_up(self, leg: Leg, now: float, cause: int | None, reason: str) -> None:
        """A BYE; `reason` is what its Reason says to the other end."""
        if self.state is CallState.UP:
            who = "caller" if leg is self.caller_leg else "callee"
            self._end(Ending("answered", 200, cause or 16, f"the {who} hung up", who), now, reason=reason)
        elif self.state is CallState.AWAITING_JOURNAL:
            # The callee hung up before its answer could be passed on.
            if self.answered_leg is not None and not self.answered_leg.is_acknowledged:
                self.answered_leg.acknowledge(NO_BODY)
            self.caller_leg.refuse(480, now, cause=16, words="hung up at once")
            self._end(Ending("unavailable", 480, cause or 16, "the callee hung up at once", "callee"), now)

    def on_dialog_lost(self, leg: Leg, now: float) -> None:
        """One side no longer knows the call."""
        if self.state is CallState.UP:
            who = "caller" if leg is self.caller_leg else "callee"
            self._end(Ending("answered", 200, 41, f"the {who}'s phone no longer knew the call", who), now)

    def on_refer(self, leg: Leg, referral: Referral, now: float) -> None:
        """A phone asks for a transfer. There are none yet, and 603 says so before anything is promised."""
        referral.refuse(603, "Transfers Are Not Offered Here", now)

    def on_vanished(self, leg: Leg, now: float) -> None:
        """No sign of life from one end when one was due."""
        if self.state is CallState.UP and self.answered_leg is not None:
            if self._vanished is None:
                self._vanished = Vanished(self.caller_leg, self.answered_leg, self._on_vanished_known)
            self._vanished.take(leg, now)

    def on_silent(self, for_s: float, now: float) -> None:
        """The relay has heard nothing from either end for so long: both are asked whether they are there.

        Silence ends no call by itself. An end that does not answer has vanished, and its last sign of life is the last
        packet.
        """
        if self.state is not CallState.UP:
            return
        self.board.counts.silences += 1
        for leg in (self.caller_leg, self.answered_leg):
            if leg is not None and leg.is_up:
                leg.last_seen_at = max(leg.last_seen_at, now - for_s)
                Refresh(leg).start(now)

    def _on_vanished_known(self, words: str, until: float, now: float) -> None:
        if self.state is CallState.UP:
            self._end(Ending("answered", 200, 102, words, "exchange"), now, until=until)

    def on_leg_gone(self, leg: Leg, now: float) -> None:
        """A BYE was answered, or will never be; or a cancelled attempt has ended."""
        leg.free()
        if self.state is CallState.ENDED and not dialogs_to_hang_up(self):
            self.board.record([(HANGUP_KEY + self.id, None)])
            self._let_go_of_legs()

    def hang_up(self, now: float, *, words: str, ended_by: str) -> None:
        """End the call from our side, whatever state it is in."""
        if self.state is CallState.UP:
            self._end(Ending("answered", 200, 16, words, ended_by), now)
        elif self.state is not CallState.ENDED:
            self.caller_leg.refuse(480, now, cause=41, words=words)
            self._end(Ending("failed", 480, 41, words, ended_by), now)

    # Answering

    def on_durable(self, now: float) -> None:
        if self.state is CallState.AWAITING_JOURNAL:
            self._is_answer_kept = True
            self._pass_answer(now)
        elif self.state is CallState.ENDED:
            self.board.failpoints.reached("settlement_durable")

    def _pass_answer(self, now: float) -> None:
        board = self.board
        board.failpoints.reached("answer_durable")
        self._stop(self._gate_timer)
        leg = self.answered_leg
        if leg is not None and leg.has_offer and not leg.is_acknowledged:
            # Not before: a callee that has its ACK repeats its answer no more, and a process that knows of no answer
            # would leave it talking to nobody.
            leg.acknowledge(NO_BODY)
        if self.caller_leg.holds_2xx:
            return  # on_prack comes back here
        self.state = CallState.UP
        self.caller_leg.answer(*self._answer, now)
        self._watch_sound()
        board.counts.answer_delay.observe(now - self.caller_leg.setup_at)
        self._limit_timer = board.timers.start(now, board.conf.calls.call_duration_max_s, self._on_too_long)
        if self.reservation is not None:
            self._watch = CreditWatch(
                call_id=self.id,
                granted_s=self.reservation.granted_s,
                engine=board.engine,
                timers=board.timers,
                ahead_s=board.conf.prepaid.reserve_ahead_s,
                before_s=board.conf.prepaid.renew_before_s,
                on_renewed=self._on_renewed,
                on_exhausted=self._on_exhausted,
                on_low=self._on_credit_low,
            )
            self._watch.start(now)
        board.failpoints.reached("answered")

    # Timers

    def _on_no_answer(self, now: float) -> None:
        self._no_answer_timer = None
        self._fail(LegOutcome(480, 19, "nobody answered", is_ours=True), now)

    def _on_expired(self, now: float) -> None:
        """The caller's own limit is over (RFC 3261 13.3.1)."""
        self._no_answer_timer = None
        self._fail(LegOutcome(487, 19, "nobody answered in the time that the caller gave", is_ours=True), now)

    def _on_stage_timeout(self, now: float) -> None:
        """The trunk gave no sign of ringing in its time: leave it for the next.

        A trunk that has taken the INVITE (100) and has none after it may take longer, as calls abroad and to mobiles
        do: a caller who hears nothing yet would hear a refusal instead.
        """
        self._stage_timer = None
        if self._hunt.is_last and any(not leg.is_silent for leg in self._active):
            return
        outcome = LegOutcome(408, 102, "the trunk did not react in time", is_ours=True)
        for leg in self._active:
            leg.note_silence(now)
        self._cancel_active(now, outcome)
        self._stage_outcomes.append(outcome)
        self._try_next_stage(now)

    def _on_silence(self, leg: CalleeLeg, now: float) -> None:
        """Nothing came back by this way to the peer, and there is another way, or another answer."""
        if self.state is CallState.HUNTING and leg in self._active and leg.is_silent:
            if isinstance(leg.target, VoicemailTarget):
                self.board.voicemail.missed_call(now)
            self.on_unreachable(leg, now)

    def on_unreachable(self, leg: CalleeLeg, now: float) -> None:
        """A target that rings or was to ring is given up: nobody is there."""
        outcome = LegOutcome(408, 102, "no reaction in time", is_ours=True)
        leg.cancel(now, "", outcome)
        self.on_refused(leg, outcome, now)

    def _on_gate_closed(self, now: float) -> None:
        """The journal did not take the answer in time: ACK and BYE to the callee, 503 to the caller, charge 0."""
        self._gate_timer = None
        if self.state is CallState.AWAITING_JOURNAL:
            self.board.counts.gate_closed += 1
            self.board.journal.answer_lost()
            self.caller_leg.refuse(503, now, cause=41, words="the answer could not be recorded")
            self._end(
                Ending("gate_closed", 503, 41, "the answer could not be recorded in time", "exchange"), now
            )

    def _on_renewed(self, now: float) -> None:
        self.board.failpoints.reached("renewed")
        self.board.record([answered_state(self, now)])

    def _on_credit_low(self, now: float) -> None:
        """The caller is told by pips that the credit ends; the other side is not."""
        sound = self.caller_leg.media.sound if self.caller_leg.media is not None else None
        if sound is not None:
            sound.play("credit-pips", repeats=CREDIT_PIPS)

    def _on_exhausted(self, now: float) -> None:
        self._end(ending_of_exhausted(self), now)

    def _on_too_long(self, now: float) -> None:
        self._limit_timer = None
        self._end(
            Ending("answered", 200, 16, "the longest allowed call duration was reached", "exchange"), now
        )

    # The end

    def _fail(self, outcome: LegOutcome, now: float) -> None:
        """No target answered: the caller hears the best of what they said."""
        if self.state is not CallState.HUNTING:
            return
        if self.admission is not None and self.admission.route.refused is not None:
            self._refuse(self.admission.route.refused, now)
            return
        if self._diverting is not None:
            if self._diverting.goes_on(outcome, now):
                return
            outcome = self._diverting.outcome_of_line(outcome)
        status = status_for_caller(outcome)
        extra = outcome.fields if status == outcome.status else ()
        self.caller_leg.refuse(status, now, cause=outcome.q850_cause, words="", extra=extra)
        ended_by = "exchange" if outcome.is_ours else "callee"
        label = outcome_label(outcome.status, outcome.q850_cause)
        self._end(Ending(label, status, outcome.q850_cause, outcome.words, ended_by), now)

    def _end(
        self, ending: Ending, now: float, *, free: bool = False, until: float | None = None, reason: str = ""
    ) -> None:
        """`until` is when the call really ended, where that was before now; `reason` is passed on from a peer."""
        self.board.failpoints.reached("ending")
        self._cancel_active(now, LegOutcome(487, ending.q850_cause, ending.words, is_ours=True), reason)
        for leg in (self.caller_leg, self.answered_leg):
            if leg is not None:
                leg.ended_at = leg.ended_at or until
                leg.hang_up(now, cause=ending.q850_cause, words=ending.words, reason=reason)
        self._close(ending, now, free=free, until=until)

    def _close(self, ending: Ending, now: float, *, free: bool = False, until: float | None = None) -> None:
        """The end record: charge, CDRs, and what still needs a BYE, in one atomic step."""
        board = self.board
        was_live = board.calls.pop(self.id, None) is not None
        self.state = CallState.ENDED
        self._stop_ringing_timers()
        self._stop(self._gate_timer)
        self._stop(self._limit_timer)
        if self._watch is not None:
            self._watch.stop()
        ended_at = now if until is None else until
        settlement = settle(self, ended_at, free=free) if self.reservation is not None else None
        self.reservation = None
        records = end_records(self, ending, settlement, now)
        puts: list[Put] = []
        if was_live:
            assert self.admission is not None
            count_out(self, self.admission)
            puts = closing_puts(self)
        seq = board.record(puts, records)
        board.await_durable(seq, self)
        board.counts.on_ended(ending.outcome, self.rows[0].duration_ms, self.rows[0].cost_micros)
        self._watch = self._vanished = None
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

    def _fields_back(self, leg: CalleeLeg, fields: Fields) -> Fields:
        """Unknown headers of a callee's answer pass between lines; a trunk's stay at the border."""
        return fields if leg.trunk is None and self.caller_leg.trunk is None else []

    def _cancel_active(self, now: float, outcome: LegOutcome, reason: str = "") -> None:
        for leg in self._active:
            leg.cancel(now, reason, outcome)
        self._active = []

    def _stop_ringing_timers(self) -> None:
        self._stop_stage_timer()
        if self._diverting is not None:
            self._diverting.stop()
        self._stop(self._no_answer_timer)
        self._no_answer_timer = None

    def _stop_stage_timer(self) -> None:
        self._stop(self._stage_timer)
        self._stage_timer = None

    @staticmethod
    def _stop(timer: Timer | None) -> None:
        if timer is not None:
            timer.cancel()
