"""A phone that rings is picked up at another one: the caller and who picks up have both called us.

Each has made an offer, and each is answered with the other's (switch/sdp/joining.py). The call that rings is answered
as if the phone had been: its journal gate, its payers and its records are those of any answer. The new call costs
nothing; the two are joined, and end together. Where the phone rings for a call that is up already (SentOn), its caller
has had his answer and is asked for another, as in any taking over.
"""

from typing import TYPE_CHECKING, Final

from switch.calls import refusal
from switch.calls.answer_gate import await_journal, await_partner, note_closed, partner_answered, shut_gate
from switch.calls.call_records import answered_state
from switch.calls.callee_leg import CalleeLeg, LegOutcome
from switch.calls.caller_leg import CallerLeg
from switch.calls.carried_media import carry
from switch.calls.cdr import Ending, complete
from switch.calls.concurrent_calls import leave_line
from switch.calls.conversation import join
from switch.calls.identity import Caller, LineCaller
from switch.calls.meter import CALLERS_ROW, JOINED
from switch.calls.passing import NO_BODY, Body
from switch.calls.payers import meter_of, release_onward
from switch.calls.q850 import COMPLETED_ELSEWHERE
from switch.calls.renegotiation import Renegotiation
from switch.calls.retarget import Retarget
from switch.calls.take_over import TakeOver
from switch.calls.target import LineTarget
from switch.sdp.description import SdpError, parse_sdp
from switch.sdp.joining import answer as answer_from

if TYPE_CHECKING:
    from provisioning.model import Line
    from switch.calls.call import Call
    from switch.calls.leg import Leg
    from switch.calls.refusal import Refusal
    from switch.calls.switchboard import Switchboard
    from switch.sip.timers import Timer

ELSEWHERE: Final = 26  # Q.850: non-selected user clearing
NOT_TAKEN: Final = LegOutcome(480, ELSEWHERE, "who picked the phone up did not get the call", is_ours=True)


def may_pick_up(leg: "Leg", caller: Caller) -> bool:
    """Whether a ringing leg is a phone of the caller's account, and its call one that rings for an answer."""
    if not isinstance(leg, CalleeLeg) or not isinstance(leg.target, LineTarget) or leg.is_over:
        return False
    call = leg.call
    hunting, under_way = call.hunting, call.retarget
    if hunting is None or leg not in hunting.active or call.is_emergency:
        return False
    if call.talkers and not (isinstance(under_way, Retarget) and under_way.can_be_taken):
        return False
    return isinstance(caller, LineCaller) and caller.line.account_id == leg.target.line.account_id


def find_ringing(caller: "Line", wanted: "Line | None", board: "Switchboard") -> CalleeLeg | None:
    """The leg that has rung longest: of that line, or of any of the caller's pick-up group."""
    if wanted is not None:
        found = _ringing_of(wanted.user, caller, board)
    else:
        found = [
            leg for user in board.books.pickup_groups.of(caller) for leg in _ringing_of(user, caller, board)
        ]
    return min(found, key=lambda leg: leg.setup_at, default=None)


def _ringing_of(user: str, caller: "Line", board: "Switchboard") -> list[CalleeLeg]:
    asker = LineCaller(caller, None)
    legs = board.line_calls.of(user)
    return [leg for leg in legs if isinstance(leg, CalleeLeg) and may_pick_up(leg, asker)]


def pick_up(call: "Call", ringing: CalleeLeg, now: float) -> None:
    """`call` is opened; its caller gets the call that rings there."""
    under_way = ringing.call.retarget
    if isinstance(under_way, Retarget):
        if call.caller_leg.own_body:
            SentOn(call, ringing, under_way).begin(now)
        else:
            call.on_nobody(refusal.LATE_OFFER, now)
        return
    answers = _answers(ringing.call.caller_leg, call.caller_leg)
    if isinstance(answers, tuple):
        _answer(call, ringing, answers, now)
    else:
        _hear_again(ringing)
        call.on_nobody(answers, now)


def _answer(call: "Call", ringing: CalleeLeg, answers: tuple[Body, Body], now: float) -> None:
    rung, own = ringing.call, call.caller_leg
    target = ringing.target
    assert isinstance(target, LineTarget)
    call.board.counts.transfers["picked_up"] += 1
    call.rows[0].leg_reason = f"picks up the call to line {target.line.user}"
    rung.end_search(ringing, now)
    _give_up(ringing, own.line_user, now)
    call.rows[0].other_sip_call_id = rung.rows[0].sip_call_id
    rung.talkers = [rung.caller_leg]
    for meter in rung.meters:
        meter.legs = (CALLERS_ROW, JOINED)
    join(rung.caller_leg, own)
    to_caller, to_own = answers
    await_partner(call, to_own)
    call.record_opened()
    await_journal(rung, _answer_to(rung.caller_leg, to_caller), [], now)


class SentOn(TakeOver):
    """A phone rings for a call that is up: somebody sent it there, by a transfer, a menu, a queue, or it returns from
    where it was parked. Who picks it up is offered to the end that stays, as the answer of that phone would have been.
    Where that comes to nothing it is as if nobody had answered."""

    __slots__ = ("_gate_timer", "_ringing", "_under_way")

    def __init__(self, call: "Call", ringing: CalleeLeg, under_way: Retarget) -> None:
        leaving = under_way.leaving
        is_there = leaving is not None and leaving in ringing.call.talkers
        super().__init__(
            call,
            under_way.staying,
            leaving if is_there else None,
            under_way.words,
            self._on_joined,
            counted="picked_up",
        )
        self._ringing = ringing
        self._under_way = under_way
        self._gate_timer: Timer | None = None

    def begin(self, now: float) -> None:
        """The phone stops ringing; what its answer would have cost is on record before anybody hears one."""
        call, ringing = self.call, self._ringing
        rung, target = ringing.call, ringing.target
        assert isinstance(target, LineTarget)
        call.rows[0].leg_reason = f"picks up the call to line {target.line.user}"
        call.rows[0].other_sip_call_id = rung.rows[0].sip_call_id
        rung.end_search(ringing, now)
        self._under_way.hush()
        _give_up(ringing, call.caller_leg.line_user, now)
        self._hold()
        meter = meter_of(rung, ringing)
        if meter is None:
            self._proposal.start(now)
            return
        meter.legs = (self.staying.index,)
        seq = call.board.record([answered_state(rung, now)], is_urgent=True)
        self._gate_timer = shut_gate(rung, seq, self._on_gate_closed, now)

    def on_durable(self, now: float) -> None:
        if self._gate_timer is not None:
            self._stop_gate()
            self._proposal.start(now)

    def stop(self, now: float) -> None:
        self._stop_gate()
        super().stop(now)

    def _on_joined(self, now: float) -> None:
        rung = self._ringing.call
        meter = meter_of(rung, self._ringing)
        if meter is not None:
            meter.legs = (self.staying.index, JOINED)
            meter.start(now)
            rung.board.record([answered_state(rung, now)])
        self._under_way.picked_up(self._ringing, now)

    def _on_gate_closed(self, now: float) -> None:
        self._gate_timer = None
        note_closed(self.call.board)
        self._fail(refusal.JOURNAL_FAILED, now)

    def _fail(self, refused: "Refusal", now: float) -> None:
        self._stop_gate()
        super()._fail(refused, now)
        if self.staying.is_up:
            release_onward(self._ringing.call, self._ringing, now)
            self._under_way.nobody(NOT_TAKEN, now)

    def _stop_gate(self) -> None:
        if self._gate_timer is not None:
            self._gate_timer.cancel()
            self._gate_timer = None


def _give_up(ringing: CalleeLeg, by: str, now: float) -> None:
    """It has been picked up by that line's phone."""
    rung, target = ringing.call, ringing.target
    assert isinstance(target, LineTarget)
    words = f"picked up by line {by}"
    ringing.cancel(now, COMPLETED_ELSEWHERE, LegOutcome(487, ELSEWHERE, words, is_ours=True))
    ending = Ending("cancelled", 487, ELSEWHERE, words, "exchange")
    complete(rung.rows[ringing.index], ringing, ending, rung.board.clock, now)
    leave_line(rung, target.line, now)


def on_picked_up(call: "Call", own: "Leg", body: Body, now: float) -> None:
    """The caller has acknowledged the answer. Where it made no offer the answer to ours is in its ACK; where a phone
    had let it hear something, it is told now who speaks."""
    caller = call.caller_leg
    if body:
        partner_answered(own.call, carry(caller, own, body), now)
    elif own.is_up and any(leg.early_body for leg in call.callee_legs):
        Renegotiation(caller, own, call.on_renegotiated, known=own.own_body).start(now)


def _answers(caller: "Leg", own: "Leg") -> "tuple[Body, Body] | Refusal":
    """What the one is told and what the other, NO_BODY for what is known only with the first one's ACK."""
    if not own.own_body:
        return refusal.LATE_OFFER
    if caller.sent_body and not caller.own_body:
        return refusal.NO_COMMON_MEDIA  # a phone's offer is open
    to_caller = carry(own, caller, own.own_body)
    if not caller.own_body:
        return to_caller, NO_BODY
    to_own = carry(caller, own, caller.own_body)
    try:
        if not _has_same_order(caller.own_body.content, own.own_body.content):
            return refusal.NO_COMMON_MEDIA
        first = answer_from(caller.own_body.content, to_caller.content)
        second = answer_from(own.own_body.content, to_own.content)
    except SdpError:
        return refusal.NO_COMMON_MEDIA
    if first is None or second is None:
        return refusal.NO_COMMON_MEDIA
    return to_caller.with_content(first), to_own.with_content(second)


def _has_same_order(first: bytes, second: bytes) -> bool:
    """The relay brings media together by their place in the descriptions."""
    kinds = zip(parse_sdp(first).media, parse_sdp(second).media, strict=False)
    return all(one.media == other.media for one, other in kinds)


def _answer_to(caller: CallerLeg, answer: Body) -> Body:
    """One that has heard a phone while it rang has had the answer to its offer (RFC 3261 13.2.1, RFC 3262 5), until
    it is asked again."""
    return NO_BODY if caller.is_session_set else caller.sent_body or answer


def _hear_again(ringing: CalleeLeg) -> None:
    """The caller, which the phone may have let hear something."""
    caller = ringing.call.caller_leg
    if caller.media is not None and ringing.media is not None:
        caller.media.bridge(ringing.media)
