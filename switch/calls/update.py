"""UPDATE (RFC 3311), in early dialogs and in confirmed ones.

Without a session description it refreshes the session or the target and is answered here. An offer is the other end's
to answer: it crosses as UPDATE where that end allows UPDATE, else, once the call is up, as re-INVITE. An offer that
only repeats the last one needs nobody: it is answered with what answered it then. Where nobody can be asked just now
(the INVITE's own offer is still open, a phone that rings knows no UPDATE), the answer is 500 with a time to come
back, as 5.2 has it for an offer that meets an open one.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.agreed import agreed
from switch.calls.carried_media import carry, takes_reoffer
from switch.calls.own_request import DIALOG_IS_GONE, OwnRequest
from switch.calls.passing import NO_BODY, Body, body_of, passed_response, put_body
from switch.calls.reinvite import refuse_with_retry
from switch.calls.session_timer import is_too_brief, refuse_brief_session
from switch.sip.message import Request, Response, make_response

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.sip.stack import ServerTransaction
    from switch.sip.timers import Timer

# 5.2 wants an UPDATE answered at once, and its sender gives up after Timer F (32 s): a re-INVITE that carries one and
# rings at the other end is taken back in time to say so.
ANSWER_TIMEOUT_S: Final = 25.0


def on_update(leg: "Leg", transaction: "ServerTransaction", request: Request, now: float) -> None:
    """An UPDATE of this leg's peer."""
    if is_too_brief(request):
        transaction.respond(refuse_brief_session(request), now)
        return
    target = leg.session_partner
    pending = leg.open_offer or (None if target is None else target.open_offer)
    if pending is not None and isinstance(pending, CarriedUpdate) and pending.is_from(leg):
        refuse_with_retry(transaction, request, now)  # 5.2: one UPDATE at a time, with an offer or without
    elif not request.body:
        answer(leg, transaction, request, NO_BODY, now)
    elif pending is not None:
        # 5.2: 500 when the peer's own offer is open here, 491 when ours to it is.
        if pending.is_from(leg):
            refuse_with_retry(transaction, request, now)
        else:
            transaction.respond(make_response(request, 491), now)
    elif leg.repeats_its_offer(request):
        answer(leg, transaction, request, leg.sent_body, now)
    elif target is None or not (leg.is_up or target.allows("UPDATE")):
        refuse_with_retry(transaction, request, now)
    elif not takes_reoffer(target, body_of(request)):
        transaction.respond(make_response(request, 488), now)
    else:
        CarriedUpdate(leg, target, transaction, request).start(now)


def answer(leg: "Leg", transaction: "ServerTransaction", request: Request, body: Body, now: float) -> None:
    """200 from here, to an UPDATE or a re-INVITE that concerns nobody else."""
    leg.dialog_for(request).refresh_target(request.contact)
    response = make_response(request, 200)
    for name, value in leg.session_answer_fields(request, now):
        response.headers.add(name, value)
    put_body(response, body)
    transaction.respond(response, now)


class CarriedUpdate:
    """An offer on its way over by UPDATE or re-INVITE, and its answer on its way back."""

    __slots__ = (
        "_ask",
        "_carried_offer",
        "_has_ended",
        "_method",
        "_offer",
        "_timer",
        "origin",
        "request",
        "target",
        "transaction",
    )

    def __init__(
        self, origin: "Leg", target: "Leg", transaction: "ServerTransaction", request: Request
    ) -> None:
        self.origin = origin
        self.target = target
        self.transaction = transaction
        self.request = request
        self._has_ended = False
        self._timer: Timer | None = None
        self._offer = body_of(request)
        self._carried_offer = carry(origin, target, self._offer)
        self._method = "UPDATE" if target.allows("UPDATE") else "INVITE"
        fields = target.session_request_fields(request)
        self._ask = OwnRequest(
            target, target.dialog_of_session, self._method, fields, self._carried_offer, self._on_answer
        )

    def start(self, now: float) -> None:
        self.origin.open_offer = self
        self.target.open_offer = self
        if self._method == "INVITE":
            self._timer = self.target.board.timers.start(now, ANSWER_TIMEOUT_S, self._on_too_late)
        self._ask.send(now)

    def is_from(self, leg: "Leg") -> bool:
        return leg is self.origin

    def awaits_ack_from(self, leg: "Leg", cseq_number: int) -> bool:
        return False

    def on_ack(self, body: Body) -> None: ...

    def abandon(self, now: float) -> None:
        """The call is over: what was asked is answered 487 (RFC 3261 15.1.2)."""
        if not self._has_ended:
            self._end()
            self.transaction.respond(make_response(self.request, 487), now)
            self._ask.cancel(now)

    def _on_too_late(self, now: float) -> None:
        self._end()
        self.transaction.respond(make_response(self.request, 504), now)
        self._ask.cancel(now)

    def _on_answer(self, status: int, response: Response | None, now: float) -> None:
        target = self.target
        is_accepted = response is not None and response.is_success
        if is_accepted and response is not None and self._method == "INVITE":
            target.acknowledge_again(response.cseq.number)
        if self._has_ended:
            return
        self._end()
        if response is None:
            # RFC 4320 4.2: no 408 to a non-INVITE.
            self.transaction.respond(make_response(self.request, 504 if status == 408 else status), now)
        elif is_accepted:
            self._pass_answer(response, now)
        else:
            self.transaction.respond(passed_response(self.request, response), now)
        if status in DIALOG_IS_GONE and target.is_up:
            target.call.on_dialog_lost(target, now)

    def _pass_answer(self, response: Response, now: float) -> None:
        target, origin = self.target, self.origin
        target.dialog_of_session.refresh_target(response.contact)
        if target.is_up:
            target.session.conclude(target, response, now)
        body = body_of(response)
        carried = carry(target, origin, body)
        agreed(origin, (self._offer, self._carried_offer), target, (body, carried))
        answer(origin, self.transaction, self.request, carried, now)

    def _end(self) -> None:
        self._has_ended = True
        if self._timer is not None:
            self._timer.cancel()
        for leg in (self.origin, self.target):
            if leg.open_offer is self:
                leg.open_offer = None
