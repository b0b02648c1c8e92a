"""The caller's leg: we are the UAS of its INVITE (RFC 3261 13.3).

It rings, answers or refuses as the call says, with one local tag for all provisionals and the final answer.
Provisionals go out reliably (reliable_uas.py) when the caller speaks 100rel and they have a session description, or
when it requires all of them to be reliable.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from provisioning.storable import storable
from switch.calls.carried_media import carry
from switch.calls.identity import LineCaller
from switch.calls.leg import Leg, LegState
from switch.calls.open_call import EarlyInvite
from switch.calls.passing import NO_BODY, Body, Fields, body_of, put_body
from switch.calls.q850 import format_reason
from switch.calls.reliable_uac import Prack, PrackAsker
from switch.calls.reliable_uas import ReliableProvisionals, Sent, first_rseq
from switch.calls.sips_uri import is_sips
from switch.calls.switchboard import ALLOW, USER_AGENT, Switchboard
from switch.config import MIN_SE_S
from switch.sip.dialog import Dialog
from switch.sip.flow import Flow
from switch.sip.message import Request, Response, make_response
from switch.sip.option_tags import RELIABLE_PROVISIONALS, SUPPORTED_VALUE, names

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.config import Trunk
    from switch.sip.invite_server import InviteServerTransaction
    from switch.sip.stack import ServerTransaction


class CallerLeg(Leg):
    """Leg 0. `request` is the INVITE that began the call.

    `is_session_set` says that the answer to its offer is known to have arrived before the call's own answer.
    """

    __slots__ = ("_reliable", "is_acknowledged", "is_session_set", "request", "transaction")

    def __init__(
        self,
        board: Switchboard,
        call: "Call",
        *,
        transaction: "InviteServerTransaction",
        request: Request,
        flow: Flow,
        trunk: "Trunk | None",
        now: float,
    ) -> None:
        super().__init__(board, call, index=0, flow=flow, trunk=trunk, now=now)
        self.transaction = transaction
        self.request = request
        self.is_sips = is_sips(request.uri)
        self.peer_user_agent = request.headers.get("user-agent") or ""
        self.is_acknowledged = False
        self.is_session_set = False
        self._reliable: ReliableProvisionals | None = None
        self.own_body = body_of(request)
        self.note_abilities(request)
        self.dialog = Dialog.from_request(request, self.local_tag, flow)
        board.legs[(self.dialog.call_id, self.local_tag)] = self
        caller = call.caller
        if isinstance(caller, LineCaller):
            self.line_user = caller.line.user
            board.line_calls.begins(self, now)

    @property
    def speaks_100rel(self) -> bool:
        headers = self.request.headers
        return self.requires_100rel or names(headers, "supported", RELIABLE_PROVISIONALS)

    @property
    def requires_100rel(self) -> bool:
        return names(self.request.headers, "require", RELIABLE_PROVISIONALS)

    @property
    def holds_2xx(self) -> bool:
        """Whether the answer has to wait for a PRACK (RFC 3262 3)."""
        return self._reliable is not None and self._reliable.holds_2xx

    @property
    def session_partner(self) -> "Leg | None":
        return super().session_partner if self.is_up else self.call.early_callee

    def ring(
        self, status: int, reason: str, body: Body, fields: Fields, now: float, prack: Prack | None = None
    ) -> None:
        """Pass a provisional on. `prack` is the callee's that waits, if it was reliable there."""
        if self.ringing_at is None:
            self.ringing_at = now
            self.board.line_calls.changed(self, now)
        response = self._response(status, reason, body, fields)
        if body:
            self.sent_body = body
        if (body and self.speaks_100rel) or self.requires_100rel:
            self._ring_reliably(response, prack, now)
        else:
            self.transaction.respond(response, now)

    def _ring_reliably(self, response: Response, prack: Prack | None, now: float) -> None:
        if self._reliable is None:
            start = first_rseq(self.board.tokens.tag())
            self._reliable = ReliableProvisionals(self.transaction, start, self.call.on_prack_missing)
        if prack is not None and prack.has_body:
            prack.is_held = True
            self._reliable.send(Sent(response, prack), now)
        else:
            self._reliable.send(Sent(response, None), now)

    def answer(self, body: Body, fields: Fields, now: float) -> None:
        """200: from here on the dialog is confirmed and the stack repeats the answer until the ACK."""
        self.answered_at = self.last_seen_at = now
        self.state = LegState.UP
        self.board.line_calls.changed(self, now)
        self.aim(now)
        if self._reliable is not None:
            self._reliable.drop_waiting(now)
        self.sent_body = body or self.sent_body
        response = self._response(200, None, body, fields)
        response.headers.add("supported", SUPPORTED_VALUE)
        for name, value in self.session.accept(self, self.request, now):
            response.headers.add(name, value)
        self.transaction.respond(response, now)

    def refuse(
        self, status: int, now: float, *, cause: int, words: str, extra: Iterable[tuple[str, str]] = ()
    ) -> None:
        """A final refusal, with the Q.850 cause in Reason (RFC 6432)."""
        if self.state is not LegState.SETTING_UP:
            return
        self.ended_at = now
        response = make_response(self.request, status, to_tag=self.local_tag)
        response.headers.add("reason", format_reason(cause, words))
        if status == 422:
            response.headers.add("min-se", str(MIN_SE_S))
        for name, value in extra:
            response.headers.add(name, value)
        self.transaction.respond(response, now)
        self.free()
        self.board.line_calls.changed(self, now)

    def hang_up(self, now: float, *, cause: int, words: str, reason: str = "") -> None:
        if not self.is_acknowledged:
            self.transaction.stop_repeating()
        super().hang_up(now, cause=cause, words=words, reason=reason)

    def free(self) -> None:
        super().free()
        if self.transaction.is_final:
            self.transaction.user_data = None  # it waits for repeats half a minute, and would keep the call as long

    def on_ack(self, request: Request, body: Body, now: float) -> None:
        if not self.is_acknowledged:
            self.is_acknowledged = True
            self.own_body = body or self.own_body
            self.call.on_acknowledged(body, now)
        super().on_ack(request, body, now)

    def early_invite(self) -> EarlyInvite:
        """What a later process would need to refuse it."""
        request = self.request
        headers = request.headers
        return EarlyInvite(
            None,
            [storable(via) for via in headers.get_all("via")],
            storable(headers.get("from") or ""),
            storable(f"{headers.get('to')};tag={self.local_tag}"),
            storable(request.call_id),
            request.cseq.number,
            self.transaction.response_flow,
        )

    def _on_prack(self, transaction: "ServerTransaction", request: Request, now: float) -> None:
        """RFC 3262 3 and 5. An offer in it crosses in our own PRACK, if the callee still waits for that."""
        reliable = self._reliable
        sent = reliable.take_prack(request, now) if reliable is not None else None
        if reliable is None or sent is None:
            transaction.respond(make_response(request, 481), now)
            return
        body = body_of(request)
        is_offer = bool(body) and bool(self.own_body)
        if body:
            self.own_body = body
        if sent.has_body:
            self.is_session_set = True
        if is_offer and sent.prack is None:
            # The callee rang unreliably: it can be asked for nothing before it has answered.
            transaction.respond(make_response(request, 488), now)
        elif is_offer and sent.prack is not None:
            callee = sent.prack.leg
            sent.prack.send(now, carry(self, callee, body), PrackAsker(self, callee, transaction, request))
        else:
            transaction.respond(make_response(request, 200), now)
            if sent.prack is not None:
                sent.prack.send(now, carry(self, sent.prack.leg, body))
        reliable.send_next(now)
        self.call.on_prack(now)

    def _response(self, status: int, reason: str | None, body: Body, fields: Fields) -> Response:
        response = make_response(self.request, status, reason, to_tag=self.local_tag)
        headers = response.headers
        headers.add("contact", self.contact)
        headers.add("allow", ALLOW)
        headers.add("server", USER_AGENT)
        for name, value in fields:
            headers.add(name, value)
        put_body(response, body or NO_BODY)
        return response
