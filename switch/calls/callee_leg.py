"""A callee's leg: we are the UAC of its INVITE (RFC 3261 13.2).

One attempt at one target, a binding of a line or a trunk. It reports ringing, answered or refused to its call, answers
a carrier's challenge, and cleans up after itself: an answer that nobody wants any more is acknowledged and hung up.
"""

from typing import TYPE_CHECKING

import msgspec

from provisioning.storable import storable
from switch.calls.carrier_challenge import CREDENTIALS_MISSING
from switch.calls.invitation import Invitation
from switch.calls.leg import Leg, LegState
from switch.calls.open_call import EarlyInvite
from switch.calls.passing import CHALLENGES, NO_BODY, Body, body_of, passed_fields, put_body
from switch.calls.q850 import RECOVERY_ON_TIMER_EXPIRY, cause_of_status, format_reason, read_reason
from switch.calls.sips_uri import is_sips
from switch.calls.stray_answer import hang_up_stray
from switch.calls.switchboard import ALLOW, USER_AGENT, Switchboard
from switch.calls.target import Target, TrunkTarget
from switch.sip.dialog import Dialog
from switch.sip.headers import Headers
from switch.sip.invite_client import InviteClientTransaction, State
from switch.sip.message import Request, Response

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.sip.stack import ClientTransaction


class LegOutcome(msgspec.Struct):
    """How an attempt failed. `is_ours` when no answer came from the peer: time-out or no way to reach it."""

    status: int
    q850_cause: int
    words: str
    is_ours: bool = False


class CalleeLeg(Leg):
    """One target being tried. `has_reacted` from the first provisional response on, be it only 100."""

    __slots__ = (
        "_ack_body",
        "_credentials",
        "_invitation",
        "_invite_cseq",
        "_is_heard",
        "_transaction",
        "has_reacted",
        "is_cancelled",
        "is_ringing",
        "local_tag",
        "outcome",
        "sip_call_id",
        "target",
    )

    def __init__(self, board: Switchboard, call: "Call", *, index: int, target: Target, now: float) -> None:
        trunk = target.trunk if isinstance(target, TrunkTarget) else None
        super().__init__(board, call, index=index, flow=target.flow, trunk=trunk, now=now)
        self.target = target
        self.has_reacted = False
        self.is_cancelled = False
        self.is_ringing = False
        self.outcome: LegOutcome | None = None
        self.local_tag = board.tokens.tag()
        self.sip_call_id = board.new_leg_call_id()
        self._invitation: Invitation | None = None
        self._invite_cseq = 1
        self._ack_body: Body | None = None
        self._transaction: ClientTransaction | None = None
        self._credentials: tuple[str, str] | None = None
        self._is_heard = False

    @property
    def has_offer(self) -> bool:
        """Whether our INVITE carried an SDP offer; if not, the ACK must carry the answer."""
        return self._invitation is not None and bool(self._invitation.body)

    @property
    def is_silent(self) -> bool:
        """Whether nothing at all has come back yet, not even a 100."""
        transaction = self._transaction
        return (
            self.state is LegState.SETTING_UP
            and isinstance(transaction, InviteClientTransaction)
            and transaction.state is State.CALLING
        )

    def offer(self, invitation: Invitation, now: float) -> None:
        self._invitation = invitation
        self.is_sips = is_sips(invitation.request_uri)
        self.board.legs[(self.sip_call_id, self.local_tag)] = self
        self._send_invite(now)

    def cancel(self, now: float, reason: str, outcome: LegOutcome) -> None:
        """Stop ringing; `reason` is a Reason header value or "". A 200 may cross the CANCEL: the leg stays for it."""
        if self.is_cancelled or self.state is not LegState.SETTING_UP or self._transaction is None:
            return
        self.is_cancelled = True
        self.ended_at = now
        if self.outcome is None:
            self.outcome = outcome
        reason = reason or format_reason(outcome.q850_cause, outcome.words)
        self.board.stack.cancel(self._transaction, now, [("reason", reason)])

    def acknowledge(self, body: Body) -> None:
        """ACK for the 2xx; with a late offer the body is the caller's answer."""
        assert self.dialog is not None
        self._ack_body = body
        ack = self.dialog.create_ack(self._invite_cseq)
        put_body(ack, body)
        self.board.stack.send_ack(ack, self.flow)

    def hang_up(self, now: float, *, cause: int, words: str) -> None:
        """A callee that still waits for the answer to its late offer gets an empty ACK before the BYE."""
        if self.state is LegState.UP and self._ack_body is None:
            self.acknowledge(NO_BODY)
        super().hang_up(now, cause=cause, words=words)

    def early_invite(self) -> EarlyInvite | None:
        """What a later process would need to cancel it; None when it is answered, refused or cancelled."""
        transaction = self._transaction
        if transaction is None or self.is_cancelled or self.state is not LegState.SETTING_UP:
            return None
        request = transaction.request
        headers = request.headers
        return EarlyInvite(
            storable(request.uri),
            [headers.get("via") or ""],
            storable(headers.get("from") or ""),
            storable(headers.get("to") or ""),
            self.sip_call_id,
            self._invite_cseq,
            transaction.flow,
        )

    def note_silence(self, now: float) -> None:
        """No answer of the trunk in its time, or no way to it: its health is kept by address."""
        target = self.target
        if self._is_heard or not isinstance(target, TrunkTarget):
            return
        if self._is_over_stream:
            self.board.trunks.large.takes_no_tcp(self.flow, now)
        elif target.breaker is not None:
            target.breaker.silent(now)

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if not self._is_heard:
            self._hear(transaction, now)
        if response.status < 200:
            self._on_provisional(response, now)
        elif response.status < 300:
            self._on_2xx(transaction, response, now)
        elif not self._answered_challenge(transaction, response, now):
            cause = read_reason(response.headers.values("reason")) or cause_of_status(response.status)
            words = CREDENTIALS_MISSING if response.status in CHALLENGES else response.reason
            self._fail(LegOutcome(response.status, cause, words), now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        self.note_silence(now)
        self._fail(LegOutcome(408, RECOVERY_ON_TIMER_EXPIRY, "no answer to our INVITE", is_ours=True), now)

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        self.note_silence(now)
        if self._is_over_stream and not self._is_heard and not self.is_cancelled:
            # RFC 3261 18.1.1: no connection, so the large request goes by UDP after all.
            self._send_invite(now, self._credentials)
            self.call.on_sent_again(self, now)
            return
        self._fail(LegOutcome(503, 20, "the address cannot be reached", is_ours=True), now)

    @property
    def _is_over_stream(self) -> bool:
        """Whether the INVITE left the trunk's UDP for a connection, because of its size."""
        return self._transaction is not None and self._transaction.flow.is_reliable and not self.flow.is_reliable

    def _hear(self, transaction: "ClientTransaction", now: float) -> None:
        self._is_heard = True
        target = self.target
        if isinstance(target, TrunkTarget):
            if target.breaker is not None:
                target.breaker.heard(now)
            if transaction.flow != self.flow:
                self.board.trunks.large.takes_tcp(self.flow, now)

    def _send_invite(self, now: float, credentials: tuple[str, str] | None = None) -> None:
        assert self._invitation is not None
        self._credentials = credentials
        request = self._invite(self._invitation)
        if credentials is not None:
            request.headers.add(*credentials)
        self._transaction = self.board.stack.send_request(request, self.flow, self, now)

    def _invite(self, invitation: Invitation) -> Request:
        headers = Headers.from_lines(
            [
                f"Max-Forwards: {invitation.max_forwards}",
                f"From: {invitation.from_};tag={self.local_tag}",
                f"To: {invitation.to}",
                f"Call-ID: {self.sip_call_id}",
                f"CSeq: {self._invite_cseq} INVITE",
                f"Contact: {self.contact}",
                f"Allow: {ALLOW}",
                f"User-Agent: {USER_AGENT}",
            ]
        )
        for name, value in invitation.fields:
            headers.add(name, value)
        request = Request("INVITE", invitation.request_uri, headers, b"")
        put_body(request, invitation.body)
        return request

    def _on_provisional(self, response: Response, now: float) -> None:
        if self.state is not LegState.SETTING_UP or self.is_cancelled:
            return
        self.has_reacted = True
        if response.status > 100:
            self.is_ringing = True
            if self.ringing_at is None:
                self.ringing_at = now
            self._note_user_agent(response)
            body, fields = body_of(response), passed_fields(response)
            self.call.on_ringing(self, response.status, response.reason, body, fields, now)

    def _on_2xx(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if self.dialog is not None:
            if self.dialog.remote_tag == response.to_tag:
                if self._ack_body is not None:
                    self.acknowledge(self._ack_body)
            else:
                # A second answer from behind a forking proxy: nobody waits for it (RFC 3261 13.2.2.4).
                hang_up_stray(self.board, response, self.flow, now)
            return
        if self.state is LegState.GONE:
            hang_up_stray(self.board, response, self.flow, now)
            return
        self.dialog = Dialog.from_response(transaction.request, response, self.flow)
        self.state = LegState.UP
        self.aim(now)
        self._note_user_agent(response)
        if self.is_cancelled:
            # The answer crossed our CANCEL (RFC 3261 9.1): take it and hang up at once.
            self.acknowledge(NO_BODY)
            self.hang_up(now, cause=16, words="the call was given up before the answer")
            return
        self.answered_at = now
        self.call.on_answered(self, body_of(response), passed_fields(response), now)

    def _answered_challenge(self, transaction: "ClientTransaction", response: Response, now: float) -> bool:
        if self.is_cancelled:
            return False
        credentials = self.challenge.answer(transaction.request, response)
        if credentials is None:
            return False
        self._invite_cseq += 1
        self._send_invite(now, credentials)
        return True

    def _fail(self, outcome: LegOutcome, now: float) -> None:
        if self.state is not LegState.SETTING_UP:
            return
        was_cancelled = self.is_cancelled
        if self.outcome is None:
            self.outcome = outcome
        self.ended_at = self.ended_at or now
        self.board.legs.pop((self.sip_call_id, self.local_tag), None)
        self.state = LegState.GONE
        if was_cancelled:
            self.call.on_leg_gone(self, now)
        else:
            self.call.on_refused(self, outcome, now)

    def _note_user_agent(self, response: Response) -> None:
        if not self.peer_user_agent:
            headers = response.headers
            self.peer_user_agent = headers.get("user-agent") or headers.get("server") or ""
