"""A call of our own, as the switch asks by REFER: it INVITEs a line through the switch (RFC 3261 13.2, the UAC's side).

From is sip:call.TOKEN@SWITCH, by which the switch knows the call for the one that it asked for. Once answered it is a
dialog like any other (sip_call.py). Busy, no answer and every other refusal end it quietly: whether to try again is the
switch's business, which learns of it by NOTIFY if its REFER began a subscription (RFC 3515 2.4.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from switch.sip.dialog import Dialog
from switch.sip.flow import Flow
from switch.sip.headers import Headers
from switch.sip.message import Request, Response
from switch.sip.timers import Timer, TimerQueue
from switch.sip.tokens import Tokens
from switch.sip.user import NO_USER
from voicemail.sdp_answer import format_offer
from voicemail.service_target import CallOut
from voicemail.sip_call import ALLOW, SDP_TYPE

if TYPE_CHECKING:
    from switch.sip.stack import ClientTransaction, Stack
    from voicemail.rtp_port import RtpPort

# A minute of ringing wakes everybody whom ringing wakes.
RING_S_MAX: Final = 60.0
# What a NOTIFY says of its time: ringing, and what a lost datagram costs.
SUBSCRIPTION_S: Final = 120
FRAGMENT_TYPE: Final = "message/sipfrag;version=2.0"


class CallOutOwner(Protocol):
    """The process."""

    def call_out_answered(self, call: OutgoingCall, dialog: Dialog, body: bytes, now: float) -> bool:
        """Goes on in this dialog; False when that cannot be."""

    def call_out_over(self, call: OutgoingCall, result: str) -> None:
        """Nobody has answered, or it goes on as a call. `result` is a metric's label."""


class ReferSubscription:
    """What the switch hears of a call that it asked for."""

    __slots__ = ("_contact", "_dialog", "_stack")

    def __init__(self, stack: Stack, dialog: Dialog, *, contact: str) -> None:
        dialog.is_early = False
        self._stack = stack
        self._dialog = dialog
        self._contact = contact

    def notify(self, status: int, reason: str, now: float) -> None:
        """A final status is the last."""
        request = self._dialog.create_request("NOTIFY", contact=self._contact)
        over = status >= 200
        state = "terminated;reason=noresource" if over else f"active;expires={SUBSCRIPTION_S}"
        request.headers.add("event", "refer")
        request.headers.add("subscription-state", state)
        request.headers.add("content-type", FRAGMENT_TYPE)
        request.body = f"SIP/2.0 {status} {reason}\r\n".encode("utf-8", "replace")
        self._stack.send_request(request, self._dialog.flow, NO_USER, now)


class OutgoingCall:
    """From the INVITE until its answer. Implements switch.sip.user.ClientUser."""

    __slots__ = (
        "_contact",
        "_dialog",
        "_flow",
        "_is_over",
        "_line",
        "_owner",
        "_stack",
        "_subscription",
        "_timer",
        "_timers",
        "_transaction",
        "asked",
        "rtp",
        "session_id",
        "switch_host",
    )

    def __init__(
        self,
        asked: CallOut,
        *,
        line: str,
        switch_host: str,
        flow: Flow,
        stack: Stack,
        timers: TimerQueue,
        contact: str,
        rtp: RtpPort,
        session_id: int,
        subscription: ReferSubscription | None,
        owner: CallOutOwner,
    ) -> None:
        """`line` is the URI to INVITE, without its parameters; `flow` is the switch's."""
        self.asked = asked
        self.rtp = rtp
        self.session_id = session_id
        self.switch_host = switch_host
        self._line = line
        self._flow = flow
        self._stack = stack
        self._timers = timers
        self._contact = contact
        self._subscription = subscription
        self._owner = owner
        self._timer: Timer | None = None
        self._transaction: ClientTransaction | None = None
        self._dialog: Dialog | None = None
        self._is_over = False

    def start(self, tokens: Tokens, now: float) -> None:
        self._tell(100, "Trying", now)
        self._timer = self._timers.start(now, RING_S_MAX, self.cancel)
        self._transaction = self._stack.send_request(self._invite(tokens), self._flow, self, now)

    def cancel(self, now: float) -> None:
        """It has rung for long enough, or the house closes."""
        if self._transaction is not None and self._dialog is None:
            self._stack.cancel(self._transaction, now)

    def _invite(self, tokens: Tokens) -> Request:
        headers = Headers(
            (
                ("Max-Forwards", "70"),
                ("From", f"<sip:call.{self.asked.token}@{self.switch_host}>;tag={tokens.tag()}"),
                ("To", f"<{self._line}>"),
                ("Call-ID", tokens.call_id()),
                ("CSeq", "1 INVITE"),
                ("Contact", self._contact),
                ("Allow", ALLOW),
                ("Content-Type", SDP_TYPE),
            )
        )
        offer = format_offer(host=self.rtp.host, port=self.rtp.port, session_id=self.session_id, version=1)
        return Request("INVITE", self._line, headers, offer)

    # The switch's answers

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if response.status >= 300:
            result = "busy" if response.status in (486, 600) else "no_answer"
            self._end(result, response.status, response.reason, now)
        elif response.status >= 200:
            self._answered(transaction, response, now)

    def on_timeout(self, transaction: ClientTransaction, now: float) -> None:
        self._end("no_answer", 408, "Request Timeout", now)

    def on_transport_error(self, transaction: ClientTransaction, now: float) -> None:
        self._end("no_answer", 503, "Service Unavailable", now)

    def _answered(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """Each 2xx is acknowledged (13.2.2.4); of another dialog, or too late, it is ended at once."""
        dialog = Dialog.from_response(transaction.request, response, self._flow)
        if self._dialog is not None and self._dialog.key == dialog.key:
            dialog = self._dialog
        self._stack.send_ack(dialog.create_ack(transaction.request.cseq.number), self._flow)
        if dialog is self._dialog:
            return
        is_first = self._dialog is None and not self._is_over
        self._dialog = self._dialog or dialog
        if is_first and self._owner.call_out_answered(self, dialog, response.body, now):
            self._end("answered", response.status, response.reason, now)
            return
        self._stack.send_request(dialog.create_request("BYE", contact=None), self._flow, NO_USER, now)
        if is_first:
            self._end("no_answer", 488, "Not Acceptable Here", now)

    def _end(self, result: str, status: int, reason: str, now: float) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._tell(status, reason, now)
        self._owner.call_out_over(self, result)

    def _tell(self, status: int, reason: str, now: float) -> None:
        if self._subscription is not None:
            self._subscription.notify(status, reason, now)
