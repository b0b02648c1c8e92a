"""A re-INVITE carried from one leg to the other: hold, resume, codec change (RFC 3261 14).

The exchange relays the offer and the answer, so that media stays between the two ends. One at a time per call: a
second one meets 491 or 500. A re-INVITE without an offer waits for the ACK, which then carries the answer. It has a
Timer C of its own (16.6 step 11): an end that rings on it for ever is asked to stop.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.agreed import agreed
from switch.calls.carried_media import carry
from switch.calls.own_request import DIALOG_IS_GONE, OwnRequest
from switch.calls.passing import CHALLENGES, NO_BODY, Body, body_of, passed_response, put_body
from switch.sip.message import Request, Response, make_response

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.sip.invite_server import InviteServerTransaction
    from switch.sip.stack import ServerTransaction
    from switch.sip.timers import Timer

RETRY_AFTER_S: Final = (
    3  # RFC 3261 14.2: a random value of 0 to 10 s; the middle is as good where we need no spread
)
TIMER_C_S: Final = 180.0


def refuse_with_retry(transaction: "ServerTransaction", request: Request, now: float) -> None:
    response = make_response(request, 500)
    response.headers.add("retry-after", str(RETRY_AFTER_S))
    transaction.respond(response, now)


class Reinvite:
    """One re-offer in flight. `origin` asked, `target` is asked."""

    __slots__ = (
        "_abandoned",
        "_ack_body",
        "_ack_cseq",
        "_ask",
        "_carried_offer",
        "_late_offer",
        "_offer",
        "_target_cseq",
        "_timer_c",
        "origin",
        "request",
        "target",
        "transaction",
    )

    def __init__(
        self, *, origin: "Leg", target: "Leg", transaction: "InviteServerTransaction", request: Request
    ) -> None:
        self.origin = origin
        self.target = target
        self.transaction = transaction
        self.request = request
        self._offer = body_of(request)
        self._carried_offer = carry(origin, target, self._offer)
        self._late_offer = (NO_BODY, NO_BODY)  # the target's, where the origin made none
        assert target.dialog is not None
        self._ask = OwnRequest(
            target,
            target.dialog,
            "INVITE",
            target.session_request_fields(request),
            self._carried_offer,
            self._on_answer,
        )
        self._timer_c: Timer | None = None
        self._target_cseq = 0
        self._ack_cseq: int | None = None
        self._ack_body: Body | None = None
        self._abandoned = False

    def start(self, now: float) -> None:
        self.transaction.user_data = self
        self.origin.open_offer = self
        self.target.open_offer = self
        self._timer_c = self.target.board.timers.start(now, TIMER_C_S, self._on_timer_c)
        self._ask.send(now)

    def is_from(self, leg: "Leg") -> bool:
        return leg is self.origin

    def awaits_ack_from(self, leg: "Leg", cseq_number: int) -> bool:
        return leg is self.origin and self._ack_cseq == cseq_number

    def on_ack(self, body: Body) -> None:
        """The origin's ACK. After a re-INVITE without an offer it carries the answer for the target."""
        carried = carry(self.origin, self.target, body)
        self._acknowledge(carried)
        agreed(self.target, self._late_offer, self.origin, (body, carried))
        self._finish()

    def cancel(self, now: float) -> None:
        """The origin gave the re-INVITE up; the target's 487 (or 200) decides."""
        if self._ack_cseq is None:
            self._ask.cancel(now)

    def abandon(self, now: float) -> None:
        """The call is over: whatever was asked is answered 487."""
        if self._abandoned:
            return
        self._abandoned = True
        if self._ack_cseq is None:
            self.transaction.respond(make_response(self.request, 487), now)
            # A peer that never answers, not even after its BYE, would keep the transaction for ever.
            self._ask.cancel(now)
        elif self._ack_body is None:
            self._acknowledge(Body())
        self._finish()

    def _on_timer_c(self, now: float) -> None:
        client = self._ask.client
        if client is not None and client.is_final:
            # Answered by somebody who is not the other end of this dialog, and by nobody else.
            self._finish()
            self.transaction.respond(make_response(self.request, 500), now)
        else:
            self._ask.cancel(now)

    def _on_answer(self, status: int, response: Response | None, now: float) -> None:
        if response is not None and response.is_success:
            self._on_accepted(response, now)
            return
        if self._abandoned:
            return
        self._finish()
        if response is None:
            self.transaction.respond(make_response(self.request, status), now)
        elif self._ask.is_cancelled and status in CHALLENGES:
            self.transaction.respond(make_response(self.request, 487), now)
        else:
            self.transaction.respond(passed_response(self.request, response), now)
        if status in DIALOG_IS_GONE:
            self.target.call.on_dialog_lost(self.target, now)

    def _on_accepted(self, response: Response, now: float) -> None:
        dialog = self.target.dialog
        assert dialog is not None
        if response.to_tag != dialog.remote_tag:
            return  # no answer of this dialog's, whoever wrote it
        if self._ack_cseq is not None:
            if self._ack_body is not None:
                self._acknowledge(self._ack_body)
            return
        self._target_cseq = response.cseq.number
        if self._abandoned:
            self._acknowledge(Body())
            return
        dialog.refresh_target(response.contact)
        self.target.aim(now)
        self.target.session.conclude(self.target, response, now)
        body = body_of(response)
        carried = carry(self.target, self.origin, body)
        if self._offer:
            self._acknowledge(Body())
            agreed(self.origin, (self._offer, self._carried_offer), self.target, (body, carried))
        else:
            self._late_offer = (body, carried)
        origin = self.origin
        if origin.dialog is not None:
            origin.dialog.refresh_target(self.request.contact)
            origin.aim(now)
        self._ack_cseq = self.request.cseq.number
        answer = make_response(self.request, response.status, response.reason)
        for name, value in origin.session_answer_fields(self.request, now):
            answer.headers.add(name, value)
        put_body(answer, carried)
        self.transaction.respond(answer, now)
        if self._offer:
            self._finish()

    def _acknowledge(self, body: Body) -> None:
        target = self.target
        if target.dialog is None:
            return
        self._ack_body = body
        ack = target.dialog.create_ack(self._target_cseq)
        put_body(ack, body)
        target.board.stack.send_ack(ack, target.flow)

    def _finish(self) -> None:
        if self._timer_c is not None:
            self._timer_c.cancel()
        if self.origin.open_offer is self:
            self.origin.open_offer = None
        if self.target.open_offer is self:
            self.target.open_offer = None
