"""The caller's leg: we are the UAS of its INVITE (RFC 3261 13.3).

It rings, answers or refuses as the call says, with one local tag for all provisionals and the final answer.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from provisioning.storable import storable
from switch.calls.leg import Leg, LegState
from switch.calls.open_call import EarlyInvite
from switch.calls.passing import NO_BODY, Body, Fields, put_body
from switch.calls.q850 import format_reason
from switch.calls.sips_uri import is_sips
from switch.calls.switchboard import ALLOW, USER_AGENT, Switchboard
from switch.sip.dialog import Dialog
from switch.sip.flow import Flow
from switch.sip.message import Request, Response, make_response

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.config import Trunk
    from switch.sip.invite_server import InviteServerTransaction


class CallerLeg(Leg):
    """Leg 0. `request` is the INVITE that began the call."""

    __slots__ = ("is_acknowledged", "local_tag", "request", "transaction")

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
        self.local_tag = board.tokens.tag()
        self.peer_user_agent = request.headers.get("user-agent") or ""
        self.is_acknowledged = False
        self.dialog = Dialog.from_request(request, self.local_tag, flow)
        board.legs[(self.dialog.call_id, self.local_tag)] = self

    def ring(self, status: int, reason: str, body: Body, fields: Fields, now: float) -> None:
        """Pass a provisional on."""
        if self.ringing_at is None:
            self.ringing_at = now
        response = self._response(status, reason, body, fields)
        self.transaction.respond(response, now)

    def answer(self, body: Body, fields: Fields, now: float) -> None:
        """200: from here on the dialog is confirmed and the stack repeats the answer until the ACK."""
        self.answered_at = now
        self.state = LegState.UP
        self.aim(now)
        self.transaction.respond(self._response(200, None, body, fields), now)

    def refuse(
        self, status: int, now: float, *, cause: int, words: str, extra: Iterable[tuple[str, str]] = ()
    ) -> None:
        """A final refusal, with the Q.850 cause in Reason (RFC 6432)."""
        if self.state is not LegState.SETTING_UP:
            return
        self.ended_at = now
        response = make_response(self.request, status, to_tag=self.local_tag)
        response.headers.add("reason", format_reason(cause, words))
        for name, value in extra:
            response.headers.add(name, value)
        self.transaction.respond(response, now)
        self.free()

    def hang_up(self, now: float, *, cause: int, words: str) -> None:
        if not self.is_acknowledged:
            self.transaction.stop_repeating()
        super().hang_up(now, cause=cause, words=words)

    def on_ack(self, request: Request, body: Body, now: float) -> None:
        if not self.is_acknowledged:
            self.is_acknowledged = True
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
