"""A re-INVITE carried from one leg to the other: hold, resume, codec change (RFC 3261 14).

The exchange relays the offer and the answer, so that media stays between the two ends. One at a time per call: a
second one meets 491 or 500. A re-INVITE without an offer waits for the ACK, which then carries the answer.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.passing import Body, body_of, only_listed, passed_fields, passed_response, put_body
from switch.sip.message import Request, Response, make_response

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.sip.invite_server import InviteServerTransaction
    from switch.sip.stack import ClientTransaction, ServerTransaction

RETRY_AFTER_S: Final = 3  # RFC 3261 14.2: a random value of 0 to 10 s; the middle is as good where we need no spread


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
        "_client",
        "_target_cseq",
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
        self._client: ClientTransaction | None = None
        self._target_cseq = 0
        self._ack_cseq: int | None = None
        self._ack_body: Body | None = None
        self._abandoned = False

    def start(self, now: float) -> None:
        self.transaction.user_data = self
        self.origin.reinvite = self
        self.target.reinvite = self
        self._send(now)

    def awaits_ack_from(self, leg: "Leg", cseq_number: int) -> bool:
        return leg is self.origin and self._ack_cseq == cseq_number

    def on_ack(self, body: Body) -> None:
        """The origin's ACK. After a re-INVITE without an offer it carries the answer for the target."""
        self._acknowledge(body)
        self._finish()

    def cancel(self, now: float) -> None:
        """The origin gave the re-INVITE up; the target's 487 (or 200) decides."""
        if self._client is not None and self._ack_cseq is None:
            self.target.board.stack.cancel(self._client, now)

    def abandon(self, now: float) -> None:
        """The call is over: whatever was asked is answered 487."""
        if self._abandoned:
            return
        self._abandoned = True
        if self._ack_cseq is None:
            self.transaction.respond(make_response(self.request, 487), now)
            if self._client is not None:
                # A peer that never answers, not even after its BYE, would keep the transaction for ever.
                self.target.board.stack.cancel(self._client, now)
        elif self._ack_body is None:
            self._acknowledge(Body())
        self._finish()

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if response.status < 200:
            return
        if response.status < 300:
            self._on_accepted(transaction, response, now)
        elif not self._abandoned and not self._answered_challenge(response, now):
            self._finish()
            self.transaction.respond(passed_response(self.request, response), now)
            if response.status in (408, 481):
                # RFC 3261 12.2.1.2: the other side no longer knows the dialog.
                self.target.call.on_dialog_lost(self.target, now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        if not self._abandoned:
            self._finish()
            self.transaction.respond(make_response(self.request, 408), now)
            self.target.call.on_dialog_lost(self.target, now)

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        if not self._abandoned:
            self._finish()
            self.transaction.respond(make_response(self.request, 503), now)

    def _send(self, now: float, credentials: tuple[str, str] | None = None) -> None:
        target = self.target
        dialog = target.dialog
        assert dialog is not None
        relayed = dialog.create_request("INVITE", contact=target.contact)
        fields = passed_fields(self.request)
        if target.trunk is not None:
            fields = only_listed(fields, target.trunk.pass_headers)
        for name, value in fields:
            relayed.headers.add(name, value)
        if credentials is not None:
            relayed.headers.add(*credentials)
        put_body(relayed, body_of(self.request))
        self._target_cseq = relayed.cseq.number
        self._client = target.board.stack.send_request(relayed, target.flow, self, now)

    def _answered_challenge(self, response: Response, now: float) -> bool:
        assert self._client is not None
        credentials = self.target.challenge.answer(self._client.request, response)
        if credentials is None:
            return False
        self._send(now, credentials)
        return True

    def _on_accepted(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        dialog = self.target.dialog
        assert dialog is not None
        if transaction.is_repeat(response) or self._ack_cseq is not None:
            # Once more, or with a To tag that is not the dialog's: the first one was passed on.
            if self._ack_body is not None:
                self._acknowledge(self._ack_body)
            return
        dialog.refresh_target(response.contact)
        self.target.aim(now)
        if self._abandoned:
            self._acknowledge(Body())
            return
        if self.request.body:
            self._acknowledge(Body())
        if self.origin.dialog is not None:
            self.origin.dialog.refresh_target(self.request.contact)
            self.origin.aim(now)
        self._ack_cseq = self.request.cseq.number
        answer = make_response(self.request, response.status, response.reason)
        answer.headers.add("contact", self.origin.contact)
        put_body(answer, body_of(response))
        self.transaction.respond(answer, now)
        if self.request.body:
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
        if self.origin.reinvite is self:
            self.origin.reinvite = None
        if self.target.reinvite is self:
            self.target.reinvite = None
