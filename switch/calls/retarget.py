"""One end of a call that is up gets somebody new to talk with: the search, the answer, the change of partner.

Used by transfers, and by what is dialled into a voice of the exchange. Until somebody has answered the call is as it
was; the end that stays hears ringing when there is some. An answer that costs something is passed on when the journal
has it, like any other; then the end that stays is told the new session description, and the one that leaves is gone.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.answer_gate import note_closed, shut_gate
from switch.calls.call_records import answered_state
from switch.calls.callee_leg import CalleeLeg, LegOutcome
from switch.calls.conversation import depart, settle_departed, speaker_at
from switch.calls.hunting import NOBODY_ANSWERED, Hunting
from switch.calls.invitation import Invitation, onward_invitation
from switch.calls.passing import NO_BODY, Body, Fields
from switch.calls.payers import meter_of, release_onward
from switch.calls.refusal import Refusal
from switch.calls.renegotiation import Renegotiation
from switch.sdp.description import SdpError
from switch.sdp.joining import fresh_offer

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.journey import Journey
    from switch.calls.leg import Leg
    from switch.calls.search import Search
    from switch.sip.timers import Timer

RINGING: Final = "ringing"
NOT_RECORDED: Final = LegOutcome(503, 41, "the answer could not be recorded", is_ours=True)


class Retarget:
    """Of `call`: `leaving` is its end that goes (None: nobody is there), `staying` the one that gets a new partner,
    also of a joined call."""

    __slots__ = ("_answer", "_found", "_gate_timer", "_is_ringing", "call", "leaving", "staying")

    def __init__(self, call: "Call", leaving: "Leg | None", staying: "Leg") -> None:
        self.call = call
        self.leaving = leaving
        self.staying = staying
        self._found: CalleeLeg | None = None
        self._answer = NO_BODY
        self._gate_timer: Timer | None = None
        self._is_ringing = False
        call.retarget = self

    # What a kind of it says

    def rings(self, now: float) -> None:
        """Somebody's phone rings."""

    def found(self, leg: CalleeLeg, now: float) -> None:
        """The change of partner is made."""

    def failed(self, outcome: LegOutcome | Refusal, now: float) -> None:
        """It is not made."""

    @property
    def words(self) -> str:
        """Why who leaves has left, for his record."""
        raise NotImplementedError

    # The search

    def search(self, search: "Search", journey: "Journey | None", now: float) -> None:
        """Ring somebody."""
        self.call.hunting = _Rehunting(self, journey)
        self.call.hunting.begin(search.stages, now, lines=search.lines, search=search)

    def on_ringing(self, now: float) -> None:
        if not self._is_ringing:
            self._is_ringing = True
            sound = self.staying.media.sound if self.staying.media is not None else None
            if sound is not None:
                sound.play(RINGING, repeats=0)
            self.rings(now)

    def on_answered(self, leg: CalleeLeg, body: Body, now: float) -> None:
        """Somebody has."""
        call, board = self.call, self.call.board
        call.end_search(leg, now)
        self._found, self._answer = leg, body or leg.early_body
        meter = meter_of(call, leg)
        seq = board.record([answered_state(call, now)], is_urgent=True)
        if meter is None:
            self._change(now)
            return
        self._gate_timer = shut_gate(call, seq, self._on_gate_closed, now)

    def on_durable(self, now: float) -> None:
        """The journal has what was recorded last."""
        if self._gate_timer is not None:
            self._gate_timer.cancel()
            self._gate_timer = None
            self._change(now)

    def on_gone(self, leg: "Leg", now: float) -> bool:
        """An end has hung up; True where the search goes on all the same, or the answer that was found."""
        if leg is not self.leaving:
            return False
        depart(leg, self.words, now)
        settle_departed(self.call, now)
        return True

    def nobody(self, outcome: LegOutcome | Refusal, now: float) -> None:
        """Nobody has answered: things stay as they were, or the call is over where its other end has left."""
        self._stop_ringing()
        self._hear_again()
        self.call.retarget = None
        self.failed(outcome, now)
        if self.leaving not in self.call.talkers:
            words = outcome.words if isinstance(outcome, LegOutcome | Refusal) else ""
            self.staying.call.hang_up(now, words=words, ended_by="exchange")

    @property
    def can_be_taken(self) -> bool:
        """Whether a phone that rings for this may be picked up elsewhere: nobody has answered, and who stays is an
        end of this very call, so that what is paid for it runs on."""
        return self._found is None and self.staying.call is self.call and self.staying.is_up

    def picked_up(self, ringing: CalleeLeg, now: float) -> None:
        """Who picked the phone up talks with the end that stays."""
        self.call.retarget = None
        self.found(ringing, now)

    def hush(self) -> None:
        """The end that stays hears no ringing any more."""
        self._stop_ringing()

    def stop(self, now: float) -> None:
        """The call is over."""
        if self._gate_timer is not None:
            self._gate_timer.cancel()
        self._stop_ringing()

    def _on_gate_closed(self, now: float) -> None:
        self._gate_timer = None
        leg = self._found
        assert leg is not None
        self._found = None
        note_closed(self.call.board)
        leg.outcome = NOT_RECORDED
        leg.acknowledge(NO_BODY)
        leg.hang_up(now, cause=41, words=NOT_RECORDED.words)
        release_onward(self.call, leg, now)
        self.nobody(NOT_RECORDED, now)

    def _change(self, now: float) -> None:
        """From here on the two talk."""
        call, leg, staying = self.call, self._found, self.staying
        assert leg is not None
        if staying.media is not None:
            staying.media.stop_music()  # whoever had put it on hold is not its partner any more
        self._stop_ringing()
        leg.acknowledge(NO_BODY)
        meter = meter_of(call, leg)
        if meter is not None:
            meter.start(now)
        call.talkers = [end for end in call.talkers if end is not self.leaving]
        call.talkers.append(leg)
        if staying.call is not call:
            staying.call.joined = leg
            if call.board.tracer is not None:
                call.board.tracer.join(call.id, staying.call.id)
        call.retarget = None
        self.found(leg, now)
        if self.leaving is not None and self.leaving.is_up:
            depart(self.leaving, self.words, now)
        settle_departed(call, now)
        Renegotiation(staying, leg, call.on_renegotiated, known=self._answer).start(now)

    def _hear_again(self) -> None:
        """The relay has brought the end that stays together with who was rung."""
        staying, partner = self.staying, self.staying.other
        if staying.media is not None and partner is not None and partner.media is not None:
            staying.media.bridge(partner.media)

    def _stop_ringing(self) -> None:
        if self._is_ringing:
            self._is_ringing = False
            sound = self.staying.media.sound if self.staying.media is not None else None
            if sound is not None:
                sound.stop_playing()


class _Rehunting(Hunting):
    """The search for the end that stays."""

    __slots__ = ("_retarget",)

    def __init__(self, retarget: Retarget, journey: "Journey | None") -> None:
        super().__init__(retarget.call, retarget.staying, journey)
        self._retarget = retarget

    def invitation(self, leg: CalleeLeg) -> Invitation:
        staying = self._retarget.staying
        speaker = speaker_at(staying) or self._retarget.call.caller
        return onward_invitation(leg.terms, _offer_of(staying), leg.target, speaker, self.fields(), leg.board)

    def fields(self) -> Fields:
        return []

    def on_ringing(
        self, leg: CalleeLeg, status: int, reason: str, body: Body, fields: Fields, now: float
    ) -> None:
        self._stop_stage_timer()
        self._retarget.on_ringing(now)

    def on_answered(self, leg: CalleeLeg, body: Body, fields: Fields, now: float) -> None:
        self._retarget.on_answered(leg, body, now)

    def redirected(self) -> "Journey | None":
        """None: the line that rings here, a queue's or a parked call's, is not the one that was called."""
        return None

    def nobody(self, outcome: LegOutcome | Refusal, now: float) -> None:
        self.cancel(now, NOBODY_ANSWERED)  # what still rings when the time is over
        self.leave_lines(now)
        self._call.stop_hunting()
        self._retarget.nobody(outcome, now)


def _offer_of(leg: "Leg") -> Body:
    """What the end said last, on hold or not, as it would offer it to somebody new."""
    body = leg.own_body
    try:
        return body.with_content(fresh_offer(body.content)) if body.content else body
    except SdpError:
        return body
