"""Somebody takes the place of an end of a conversation: an INVITE with Replaces, or who retrieves a parked call.

RFC 3891 5. The new caller's offer goes to the end that stays, by re-INVITE, and the answer of that is the answer to
the new caller's INVITE. Only then is the end that is replaced sent away; when it does not come about, everything stays
as it is and the new caller is refused. Who paid for the conversation goes on paying; the new call costs nothing.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from switch.calls import refusal
from switch.calls.agreed import agreed
from switch.calls.answer_gate import await_partner, partner_answered
from switch.calls.carried_media import carry
from switch.calls.conversation import join, leave, separate, settle_departed
from switch.calls.leg import Leg, LegState
from switch.calls.passing import NO_BODY, Body
from switch.calls.renegotiation import OnDone, Renegotiation

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.refusal import Refusal
    from switch.calls.retarget import Retarget

Taken = Callable[[float], None]


class TakeOver:
    """`call` is the new one, opened and not answered; `staying` gets its caller to talk with. `leaving` is who talks
    with that one now, None where nobody does; `words` say on its record why it has left."""

    __slots__ = (
        "_before",
        "_counted",
        "_is_done",
        "_on_taken",
        "_proposal",
        "call",
        "leaving",
        "staying",
        "words",
    )

    def __init__(
        self,
        call: "Call",
        staying: Leg,
        leaving: Leg | None,
        words: str,
        on_taken: Taken | None = None,
        *,
        counted: str = "taken_over",
    ) -> None:
        self.call = call
        self._counted = counted
        self.staying = staying
        self.leaving = leaving
        self.words = words
        self._on_taken = on_taken
        self._is_done = False
        self._before: list[tuple[Call, Retarget | TakeOver | None]] = []
        self._proposal = Proposal(staying, call.caller_leg, self._on_proposed)

    def begin(self, now: float) -> None:
        self._hold()
        self._proposal.start(now)

    def _hold(self) -> None:
        """Nothing else begins in these calls meanwhile."""
        calls = [self.call, self.staying.call]
        if self.leaving is not None and self.leaving.call is not self.staying.call:
            calls.append(self.leaving.call)
        self._before = [(call, call.retarget) for call in calls]
        for call in calls:
            call.retarget = self
        self.call.record_opened()

    # As what may be under way in a call (Retarget has the same)

    def on_durable(self, now: float) -> None:
        """Nothing waits for the journal: it costs nobody anything."""

    def on_gone(self, leg: Leg, now: float) -> bool:
        """An end has hung up; True where that changes nothing."""
        if self.leaving is None or leg is not self.leaving:
            return False
        if leg.call.talkers == [leg]:
            return False  # who stays is of another call, which ends with this one
        self.leaving = None
        leave(leg, self.words, now)
        return True

    def stop(self, now: float) -> None:
        """One of the calls is over."""
        if self._is_done:
            return
        before = [kept for _, kept in self._before if kept is not None]
        self._fail(refusal.REPLACED_IS_OVER, now)
        if not self.staying.is_up:
            for kept in before:
                kept.stop(now)

    # The answer

    def _on_proposed(self, is_joined: bool, now: float) -> None:
        if self._is_done:
            return
        if not is_joined:
            self._fail(refusal.NO_COMMON_MEDIA, now)
            return
        self._is_done = True
        for each, _ in self._before:
            each.retarget = None
        call, staying, leaving, own = self.call, self.staying, self.leaving, self.call.caller_leg
        call.board.counts.transfers[self._counted] += 1
        separate(staying.call)
        if leaving is not None:
            leave(leaving, self.words, now)
        await_partner(call, self._proposal.answer)
        join(staying, own)
        partner_answered(call, NO_BODY, now)
        settle_departed(staying.call, now)
        self._proposal.agree()
        if self._on_taken is not None:
            self._on_taken(now)

    def _fail(self, refused: "Refusal", now: float) -> None:
        self._free()
        self._proposal.cancel(now)
        if self.call.caller_leg.state is LegState.SETTING_UP:
            self.call.on_nobody(refused, now)
        if self.staying.is_up and self.staying.other is None and not self._before_has_place():
            self.staying.call.hang_up(now, words=self.words, ended_by="exchange")

    def _before_has_place(self) -> bool:
        """Whether who stays is looked after by what was under way before."""
        return any(kept is not None for _, kept in self._before)

    def _free(self) -> None:
        self._is_done = True
        for call, before in self._before:
            if call.retarget is self:
                call.retarget = before


class Proposal(Renegotiation):
    """The offer of somebody who is not up yet, `second`, is put to `first`. `answer` is what `second` is told."""

    __slots__ = ("_was_told", "answer")

    def __init__(self, first: Leg, second: Leg, on_done: OnDone) -> None:
        super().__init__(first, second, on_done, known=second.own_body)
        self._was_told: Body = NO_BODY
        self.answer = NO_BODY

    def agree(self) -> None:
        """The answer has been passed on: the two have a session, and nobody is on hold any more."""
        agreed(self.second, (self._known, self._carried_offer), self.first, (self._was_told, self.answer))
        media = self.first.media
        if media is not None and media.has_music and self.first.other is self.second:
            media.stop_music()

    def _are_there(self) -> bool:
        return self.first.is_up and self.second.state is LegState.SETTING_UP

    def _on_known_answered(self, body: Body, now: float) -> None:
        if self._is_done:
            self._go_back_by_offer(now)
        elif not body:
            self._finish(now, is_joined=False)
        else:
            self._was_told = body
            self.answer = carry(self.first, self.second, body)
            self._finish(now, is_joined=True)

    def _go_back_by_offer(self, now: float) -> None:
        """It has agreed to something that nobody wants any more: it is told again whom it talks with."""
        first, partner = self.first, self.first.other
        if first.is_up and partner is not None and partner.is_up:
            Renegotiation(first, partner, _nothing_more).start(now)


def _nothing_more(is_joined: bool, now: float) -> None:
    """The two go on as they can."""
