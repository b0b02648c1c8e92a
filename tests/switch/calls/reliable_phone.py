"""A phone of the house that speaks 100rel and UPDATE, as callee and as caller, and can be told to do so badly."""

from switch.sip.dialog import Dialog
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.message import Request, Response, make_response
from switch.sip.stack import ClientTransaction, ServerTransaction
from tests.switch.house import ANSWER, House, Phone

SDP = ("content-type", "application/sdp")
ALL_METHODS = "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE"


class Ring:
    """One provisional: when, what, and its RSeq (None: unreliable)."""

    def __init__(self, after_s: float, status: int, body: bytes = b"", rseq: int | None = None) -> None:
        self.after_s = after_s
        self.status = status
        self.body = body
        self.rseq = rseq


class ReliablePhone(Phone):
    """As callee it plays `rings`, then answers as told; as caller it acknowledges what is reliable."""

    def __init__(self, house: House, user: str, host: str, **settings: object) -> None:
        super().__init__(house, user, (host, 5060), **settings)
        self.rings: list[Ring] = []
        self.allow = ALL_METHODS
        self.early: Dialog | None = None
        self.pracks = True
        self.prack_body = b""
        self.prack_answer = b""
        self.prack_status = 200
        self.waits_for_prack = False
        self.update_status = 200
        self.update_answer = ANSWER
        self._rseq_heard = 0

    # As callee

    def _ring(self, transaction: InviteServerTransaction, request: Request, now: float) -> None:
        if not self.rings:
            super()._ring(transaction, request, now)
            return
        tag = self.tokens.tag()
        transaction.user_data = tag
        self._ringing.append(transaction)
        self.early = Dialog.from_request(request, tag, self.flow)
        for ring in self.rings:
            self.timers.start(
                now, ring.after_s, lambda later, ring=ring: self._send(transaction, tag, ring, later)
            )
        if self.answer_after_s is not None:
            self.timers.start(now, self.answer_after_s, lambda later: self._answer(transaction, tag, later))

    def _send(self, transaction: InviteServerTransaction, tag: str, ring: Ring, now: float) -> None:
        if transaction.is_final:
            return
        response = make_response(transaction.request, ring.status, to_tag=tag)
        response.headers.add("contact", f"<{self.contact}>")
        response.headers.add("allow", self.allow)
        if ring.body:
            response.body = ring.body
            response.headers.add(*SDP)
        if ring.rseq is None:
            transaction.respond(response, now)
            return
        response.headers.add("require", "100rel")
        response.headers.add("rseq", str(ring.rseq))
        transaction.respond_reliably(response, now, lambda later: self.statuses.append(-2))

    def _answer(self, transaction: InviteServerTransaction, tag: str, now: float) -> None:
        if self.waits_for_prack and not self.requests_of("PRACK"):
            self.timers.start(now, 0.1, lambda later: self._answer(transaction, tag, later))
            return
        if self.early is None or transaction.is_final:
            super()._answer(transaction, tag, now)
            return
        final = make_response(transaction.request, self.answer, to_tag=tag)
        for name, value in self.answer_headers:
            final.headers.add(name, value)
        if final.is_success:
            final.headers.add("contact", f"<{self.contact}>")
            final.headers.add("allow", self.allow)
            final.body = self.answer_body
            if final.body:
                final.headers.add(*SDP)
            self.dialogs.append(self.early)
        transaction.respond(final, now)

    def on_request(self, transaction: ServerTransaction, request: Request, flow: object, now: float) -> None:
        if request.method not in ("PRACK", "UPDATE"):
            super().on_request(transaction, request, flow, now)  # type: ignore[arg-type]
            return
        self.requests.append(request)
        for dialog in (self.early, *self.dialogs):
            if dialog is not None and (dialog.call_id, dialog.local_tag) == (request.call_id, request.to_tag):
                status = dialog.accept_request(request)
                assert status is None, "a CSeq out of order"
                break
        if request.method == "PRACK":
            for ringing in self._ringing:
                ringing.acknowledge_provisional()
            self._respond(transaction, request, self.prack_status, self.prack_answer, now)
        else:
            self._respond(
                transaction, request, self.update_status, self.update_answer if request.body else b"", now
            )

    def _respond(
        self, transaction: ServerTransaction, request: Request, status: int, body: bytes, now: float
    ) -> None:
        response = make_response(request, status)
        if response.is_success:
            response.headers.add("contact", f"<{self.contact}>")
            response.body = body
            if body:
                response.headers.add(*SDP)
        transaction.respond(response, now)

    # As caller

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if transaction.method == "INVITE" and response.is_success and self.early not in (None, *self.dialogs):
            self.early.confirm(response)
            self.dialogs.append(self.early)
        super().on_response(transaction, response, now)
        rseq = response.headers.get("rseq")
        if transaction.method != "INVITE" or rseq is None:
            return
        if self.early is None:
            self.early = Dialog.from_response(transaction.request, response, self.flow)
        if self.pracks and int(rseq) > self._rseq_heard:
            self._rseq_heard = int(rseq)
            self.prack(rseq, f"{response.cseq}", self.prack_body)

    def prack(self, rseq: str, cseq: str, body: bytes = b"") -> None:
        assert self.early is not None
        request = self.early.create_request("PRACK", contact=None)
        request.headers.add("rack", f"{rseq} {cseq}")
        self._send_with(request, body)

    def update(
        self, body: bytes = b"", dialog: Dialog | None = None, *fields: tuple[str, str]
    ) -> ClientTransaction:
        dialog = dialog or (self.dialogs[-1] if self.dialogs else self.early)
        assert dialog is not None
        request = dialog.create_request("UPDATE", contact=f"<{self.contact}>")
        for name, value in fields:
            request.headers.add(name, value)
        return self._send_with(request, body)

    def _send_with(self, request: Request, body: bytes) -> ClientTransaction:
        request.body = body
        if body:
            request.headers.add(*SDP)
        return self.stack.send_request(request, self.flow, self, self.house.clock.now)
