"""A callee's leg: we are the UAC of its INVITE (RFC 3261 13.2).

One attempt at one target, a binding of a line or a trunk. It reports ringing, answered or refused to its call,
answers a carrier's challenge, and cleans up after itself: an answer that nobody wants any more is acknowledged and
hung up.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from provisioning.storable import storable
from switch.calls.carrier_challenge import CREDENTIALS_MISSING
from switch.calls.invitation import Invitation
from switch.calls.leg import Leg, LegState
from switch.calls.open_call import EarlyInvite
from switch.calls.passing import CHALLENGES, NO_BODY, Body, Fields, body_of, passed_fields, put_body
from switch.calls.q850 import (
    INTERWORKING,
    RECOVERY_ON_TIMER_EXPIRY,
    cause_of_status,
    format_reason,
    read_reason,
)
from switch.calls.redirection import CONTACT, CONTACTS_MAX
from switch.calls.reliable_uac import EARLY_DIALOGS_MAX, EarlyDialog, Prack, rseq_of
from switch.calls.session_timer import INTERVAL_MAX_S, min_se
from switch.calls.sips_uri import is_sips
from switch.calls.stray_answer import hang_up_stray
from switch.calls.switchboard import ALLOW, USER_AGENT, Switchboard
from switch.calls.target import LineTarget, Target, TrunkTarget, VoicemailTarget
from switch.sip.dialog import Dialog
from switch.sip.headers import Headers
from switch.sip.invite_client import InviteClientTransaction, State
from switch.sip.message import Request, Response, make_response
from switch.sip.option_tags import supported_value

if TYPE_CHECKING:
    from switch.calls.buying import Bought
    from switch.calls.call import Call
    from switch.calls.terms import Admission
    from switch.sip.stack import ClientTransaction, ServerTransaction
    from switch.trunks.endings import TrunkEndings


class LegOutcome(msgspec.Struct):
    """How an attempt failed. `is_ours` when no answer came from the peer: time-out or no way to reach it.

    `fields` are those of the answer that its status is nothing without, for the caller.
    """

    status: int
    q850_cause: int
    words: str
    is_ours: bool = False
    fields: Fields = []


# What a refusal has to say besides its status (RFC 3261 21.4.13, 21.4.26): which bodies or media would do.
_REFUSAL_FIELDS: Final = {
    415: ("accept", "accept-encoding", "accept-language"),
    488: ("warning",),
    606: ("warning",),
}
SESSION_TRIES_MAX: Final = (
    2  # INVITEs with a longer session after a 422: one, and one for a second proxy behind it
)


class CalleeLeg(Leg):
    """One target being tried.

    `prack` is the acknowledgement that the provisional being reported waits for, if it is a reliable one.
    """

    __slots__ = (
        "_ack_body",
        "_credentials",
        "_early",
        "_early_body",
        "_interval_s",
        "_invitation",
        "_invite_cseq",
        "_is_heard",
        "_longer_tries",
        "_min_se_s",
        "_takes_reliable",
        "_transaction",
        "bought",
        "endings",
        "is_cancelled",
        "is_counted",
        "is_ringing",
        "peer_tag",
        "prack",
        "sip_call_id",
        "target",
    )

    def __init__(self, board: Switchboard, call: "Call", *, index: int, target: Target, now: float) -> None:
        trunk = target.trunk if isinstance(target, TrunkTarget) else None
        super().__init__(board, call, index=index, flow=target.flow, trunk=trunk, now=now)
        self.target = target
        self.is_cancelled = False
        self.is_ringing = False
        self.line_user = target.line.user if isinstance(target, LineTarget) else ""
        self.peer_tag = ""  # as it rings; of several behind a proxy the last one's
        self.sip_call_id = board.new_leg_call_id()
        self._invitation: Invitation | None = None
        self._invite_cseq = 1
        self._ack_body: Body | None = None
        self._early: dict[str, EarlyDialog] | None = None  # by To tag, those heard in reliable provisionals
        self._early_body = NO_BODY
        self._takes_reliable = False
        self._interval_s = board.conf.calls.session_expires_s
        self._min_se_s = 0  # as a 422 asked for it
        self._longer_tries = 0
        self.prack: Prack | None = None
        self.bought: Bought | None = None
        self.is_counted = False  # by its trunk, and by the account that sent the call there (concurrent_calls.py)
        self.endings: TrunkEndings | None = None  # until its end is counted there
        self._transaction: ClientTransaction | None = None
        self._credentials: Fields | None = None
        self._is_heard = False

    @property
    def terms(self) -> "Admission":
        """Those of who sends the call here, or of the call."""
        if self.target.onward is not None:
            return self.target.onward
        assert self.call.admission is not None
        return self.call.admission

    @property
    def is_acknowledged(self) -> bool:
        return self._ack_body is not None

    @property
    def is_over(self) -> bool:
        return self.is_cancelled or super().is_over

    @property
    def shown_caller(self) -> str:
        """Who calls, as the callee is told: a name-addr."""
        return self._invitation.from_ if self._invitation is not None else ""

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

    @property
    def hears_music(self) -> bool:
        """Voicemail would record it."""
        return not isinstance(self.target, VoicemailTarget)

    @property
    def early_dialog(self) -> EarlyDialog | None:
        """The one in which media are agreed before the answer; None with several, as nobody can tell which counts."""
        early = self._early
        if early is None or len(early) != 1:
            return None
        return next(iter(early.values()))

    @property
    def dialog_of_session(self) -> Dialog:
        if self.dialog is not None:
            return self.dialog
        early = self.early_dialog
        assert early is not None
        return early.dialog

    @property
    def session_partner(self) -> Leg | None:
        if self.is_up:
            return super().session_partner
        caller = self.call.caller_leg
        return caller if self.call.early_callee is self and caller.is_session_set else None

    def dialog_for(self, request: Request) -> Dialog:
        if self.dialog is None and self._early is not None:
            return self._early[request.from_tag or ""].dialog
        return self.dialog_of_session

    def has_early_dialog(self, remote_tag: str) -> bool:
        return self._early is not None and remote_tag in self._early

    def offer(self, invitation: Invitation, now: float) -> None:
        """Without an offer in our INVITE, a reliable provisional would bring one, which somebody has to answer at
        once."""
        self._invitation = invitation
        self.is_sips = is_sips(invitation.request_uri)
        self.sent_body = invitation.body
        self._takes_reliable = bool(invitation.body) or self.call.can_answer_early
        self.board.legs[(self.sip_call_id, self.local_tag)] = self
        self.board.line_calls.begins(self, now)
        self._send_invite(now)

    def give_up(self, outcome: LegOutcome, now: float) -> None:
        """It was never offered."""
        self.outcome = outcome
        self.ended_at = now
        self.state = LegState.GONE

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
        self.board.line_calls.changed(self, now)

    def acknowledge(self, body: Body) -> None:
        """ACK for the 2xx; with a late offer the body is the caller's answer."""
        assert self.dialog is not None
        self._ack_body = body
        self.sent_body = body or self.sent_body
        ack = self.dialog.create_ack(self._invite_cseq)
        put_body(ack, body)
        self.board.stack.send_ack(ack, self.flow)

    def hang_up(self, now: float, *, cause: int, words: str, reason: str = "") -> None:
        """A callee that still waits for the answer to its late offer gets an empty ACK before the BYE."""
        if self.state is LegState.UP and self._ack_body is None:
            self.acknowledge(NO_BODY)
        super().hang_up(now, cause=cause, words=words, reason=reason)

    def free(self) -> None:
        super().free()
        if isinstance(self._transaction, InviteClientTransaction):
            self._transaction.let_go()

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
        status = response.status
        if status < 200:
            self._on_provisional(transaction, response, now)
        elif status < 300:
            self._on_2xx(transaction, response, now)
        elif not self._asks_again(transaction, response, now):
            cause = read_reason(response.headers.values("reason")) or cause_of_status(status)
            words = CREDENTIALS_MISSING if status in CHALLENGES else response.reason
            self._fail(LegOutcome(status, cause, words, fields=_refusal_fields(response)), now)

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

    def _send_invite(self, now: float, credentials: Fields | None = None) -> None:
        assert self._invitation is not None
        self._credentials = credentials
        request = self._invite(self._invitation)
        for field in credentials or ():
            request.headers.add(*field)
        self._transaction = self.board.stack.send_request(request, self.flow, self, now)

    def _invite(self, invitation: Invitation) -> Request:
        lines = [
            f"Max-Forwards: {invitation.max_forwards}",
            f"From: {invitation.from_};tag={self.local_tag}",
            f"To: {invitation.to}",
            f"Call-ID: {self.sip_call_id}",
            f"CSeq: {self._invite_cseq} INVITE",
            f"Contact: {self.contact}",
            f"Allow: {ALLOW}",
            f"Supported: {supported_value(reliable_provisionals=self._takes_reliable)}",
            f"User-Agent: {USER_AGENT}",
        ]
        if self._interval_s:
            lines.append(f"Session-Expires: {self._interval_s}")
        if self._min_se_s:
            lines.append(f"Min-SE: {self._min_se_s}")
        headers = Headers.from_lines(lines)
        for name, value in invitation.fields:
            headers.add(name, value)
        request = Request("INVITE", invitation.request_uri, headers, b"")
        put_body(request, invitation.body)
        return request

    def _on_provisional(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if self.state is not LegState.SETTING_UP or self.is_cancelled or response.status == 100:
            return
        self.prack = None
        rseq = rseq_of(response) if self._takes_reliable and "rseq" in response.headers else None
        if rseq is not None:
            early = self._early_dialog_of(transaction, response, now)
            if early is None or not early.takes(rseq):
                return
            self.prack = Prack(self, early, response, rseq)
        self.is_ringing = True
        self.peer_tag = response.to_tag or ""
        if self.ringing_at is None:
            self.ringing_at = now
            self.board.line_calls.changed(self, now)
        self._note_peer(response)
        body, fields = body_of(response), passed_fields(response)
        self._early_body = self.own_body = body or self._early_body
        self.call.on_ringing(self, response.status, response.reason, body, fields, now)
        if self.prack is not None and not self.prack.is_held:
            self.prack.send(now)

    def _early_dialog_of(
        self, transaction: "ClientTransaction", response: Response, now: float
    ) -> EarlyDialog | None:
        """The early dialog of a reliable provisional's To tag; None where one more would be too many."""
        tag = response.to_tag or ""
        if self._early is None:
            self._early = {}
        early = self._early.get(tag)
        if early is None and len(self._early) < EARLY_DIALOGS_MAX:
            dialog = Dialog.from_response(transaction.request, response, self.flow)
            if self.trunk is not None:
                dialog.flow = self.board.trunks.next_flow(dialog, self.flow, self.trunk, None, now)
            early = self._early[tag] = EarlyDialog(dialog)
        return early

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
        early = self._early.get(response.to_tag or "") if self._early is not None else None
        if early is None:
            self.dialog = Dialog.from_response(transaction.request, response, self.flow)
        else:
            self.dialog = early.dialog
            self.dialog.confirm(response)
            self.dialog.flow = self.flow
        self.state = LegState.UP
        self.board.line_calls.changed(self, now)
        self.aim(now)
        self._note_peer(response)
        if self.is_cancelled:
            # The answer crossed our CANCEL (RFC 3261 9.1): take it and hang up at once.
            self.acknowledge(NO_BODY)
            self.hang_up(now, cause=16, words="the call was given up before the answer")
            return
        body = body_of(response)
        if self.has_offer and not body and not self._early_body:
            self._reject_answer(now)
            return
        self.answered_at = self.last_seen_at = now
        self.own_body = body or self._early_body
        self.session.conclude(self, response, now)
        self.call.on_answered(self, body, passed_fields(response), now)

    @property
    def early_body(self) -> Body:
        """The last session description that it rang with. One that rang with it may leave it out of its answer: it
        has to when it rang reliably (RFC 3262 5), and it is understood from one that did not."""
        return self._early_body

    def _reject_answer(self, now: float) -> None:
        """Our offer was never answered (RFC 3261 13.2.1): no media can flow, and nobody pays for silence."""
        self.acknowledge(NO_BODY)
        self.outcome = LegOutcome(500, INTERWORKING, "answered without a session description")
        self.hang_up(now, cause=INTERWORKING, words=self.outcome.words)
        self.call.on_refused(self, self.outcome, now)

    def _on_bye(self, transaction: "ServerTransaction", request: Request, now: float) -> None:
        if self.state is LegState.SETTING_UP:
            # RFC 3261 15: a callee must not end an early dialog so; its refusal is on its way or is not.
            transaction.respond(make_response(request, 481), now)
        else:
            super()._on_bye(transaction, request, now)

    def _asks_again(self, transaction: "ClientTransaction", response: Response, now: float) -> bool:
        """Whether the INVITE goes out once more, with credentials or for a longer session."""
        if self.is_cancelled:
            return False
        credentials = None
        if response.status == 422:
            longer_s = min_se(response.headers)
            if not self._min_se_s < longer_s <= INTERVAL_MAX_S or self._longer_tries >= SESSION_TRIES_MAX:
                return False
            self._longer_tries += 1
            self._min_se_s = longer_s
            self._interval_s = max(self._interval_s, longer_s)
        else:
            credentials = self.challenge.answer(transaction.request, response)
            if credentials is None:
                return False
        self._early = None  # of the INVITE that was refused
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
        self.board.line_calls.ends(self)
        self.state = LegState.GONE
        self.board.line_calls.changed(self, now)
        self.close_media()
        if self.open_offer is not None:
            self.open_offer.abandon(now)
        if was_cancelled:
            self.call.on_leg_gone(self, now)
        else:
            self.call.on_refused(self, outcome, now)

    def _note_peer(self, response: Response) -> None:
        self.note_abilities(response)
        if not self.peer_user_agent:
            headers = response.headers
            self.peer_user_agent = headers.get("user-agent") or headers.get("server") or ""


def _refusal_fields(response: Response) -> Fields:
    if response.status < 400:
        return [(CONTACT, value) for value in response.headers.values(CONTACT)[:CONTACTS_MAX]]
    names = _REFUSAL_FIELDS.get(response.status)
    if names is None:
        return []
    return [(name, value) for name in names if (value := response.headers.get(name)) is not None]
