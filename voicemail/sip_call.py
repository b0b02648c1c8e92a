"""The SIP of one call with voicemail: a UAS's side of a dialog (RFC 3261 12.1.1, 13.3, 14.2, 15.1). No clock, no sound.

Calls of our own (call_out.py) are such a dialog, too, once they are answered. REFER in the dialog (RFC 3515) gives the
call back to the switch, without a subscription (RFC 4488). `UserAgent` finds the call of a request; this says what is
answered. The owner of the call hears of it through `CallOwner`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from media.codecs import CODECS, Codec
from switch.sip.dialog import Dialog
from switch.sip.host import host_port
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.message import Request, Response, make_response
from switch.sip.refer_fields import NO_REFER_SUB
from switch.sip.user import NO_USER
from voicemail.sdp_answer import Agreed, agree, format_answer, format_offer, read_session
from voicemail.service_target import letters_of
from voicemail.target import queue_position_of

if TYPE_CHECKING:
    from switch.sip.non_invite_server import NonInviteServerTransaction
    from switch.sip.stack import ClientTransaction, Stack

ALLOW: Final = "INVITE, ACK, BYE, CANCEL, INFO, NOTIFY, OPTIONS, REFER, UPDATE"
SDP_TYPE: Final = "application/sdp"
_SIGNAL: Final = re.compile(
    rb"(?:\A|\n)[ \t]*Signal[ \t]*=[ \t]*([0-9A-D*#])[ \t\r]*(?:\n|\Z)", re.IGNORECASE
)
_KEYS: Final = b"0123456789*#ABCD"


class CallOwner(Protocol):
    """Hears what the caller does."""

    def media_agreed(self, agreed: Agreed, now: float) -> None:
        """At first, and again whenever the caller's description changes."""

    def digit_by_info(self, digit: str, now: float) -> None: ...

    def positioned(self, position: int, now: float) -> None:
        """The caller's place in the queue."""

    def referred(self, is_accepted: bool, now: float) -> None:
        """What became of `refer`. Once."""

    def caller_gone(self, now: float) -> None:
        """BYE, CANCEL, or an answer that nobody acknowledged. The call is over."""


class SipCall:
    """From the INVITE until the BYE. Made with an INVITE whose offer, if any, has been agreed to."""

    __slots__ = (
        "_agreed",
        "_among",
        "_contact",
        "_has_described",
        "_host",
        "_offer_pending",
        "_owner",
        "_port",
        "_session_id",
        "_stack",
        "_switch_host",
        "_transaction",
        "_version",
        "dialog",
        "is_over",
    )

    def __init__(
        self,
        stack: Stack,
        transaction: InviteServerTransaction | None,
        dialog: Dialog,
        *,
        contact: str,
        host: str,
        port: int,
        session_id: int,
        owner: CallOwner,
        switch_host: str,
        among: Sequence[Codec] = CODECS,
    ) -> None:
        """`host` and `port` are where we hear; `transaction` is None for an answered call of our own, in which we made
        the offer. `switch_host` is what the switch knows itself by, `among` what may be spoken, if the offer has it.
        """
        self._stack = stack
        self._transaction = transaction
        self.dialog = dialog
        self._contact = contact
        self._host = host
        self._port = port
        self._session_id = session_id
        self._owner = owner
        self._switch_host = switch_host
        self._among = among
        self._version = 1
        self._agreed: Agreed | None = None
        self._offer_pending = False
        self._has_described = transaction is None
        self.is_over = False

    @property
    def is_answered(self) -> bool:
        return not self.dialog.is_early

    @property
    def may_send(self) -> bool:
        """Whether the caller wants to hear anything, and has been told where from."""
        return self._agreed is not None and self._agreed.may_send and self._has_described

    @property
    def awaits_description(self) -> bool:
        """We made the offer, and its answer comes with the ACK."""
        return self._offer_pending

    def read_offer(self, request: Request, now: float) -> bool:
        """False: there is one that cannot be agreed to."""
        if not request.body:
            return True
        return self._agree(request.body, now)

    def take_answer(self, body: bytes, now: float) -> bool:
        """To our offer; False: it cannot be agreed to."""
        return self._agree(body, now)

    # What the owner asks for

    def progress(self, now: float) -> bool:
        """183 with sound; False where the caller made no offer, so that nothing could be heard."""
        transaction = self._transaction
        if transaction is None or self._agreed is None:
            return False
        response = self._response(transaction.request, 183)
        self._describe(response, transaction.request)
        transaction.respond(response, now)
        return True

    def answer(self, now: float) -> None:
        transaction = self._transaction
        if transaction is None:
            return
        request = transaction.request
        response = self._response(request, 200)
        if self._agreed is not None:
            self._describe(response, request)
        else:
            self._offer(response)
        self.dialog.is_early = False
        transaction.respond(response, now)

    def refuse(self, status: int, cause: int, now: float) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return
        self.is_over = True
        response = make_response(transaction.request, status, to_tag=self.dialog.local_tag)
        if cause:
            response.headers.add("reason", f"Q.850;cause={cause}")
        transaction.respond(response, now)

    def refer(self, digits: str, now: float) -> None:
        """To sip:pressed.<digits>@HOST. `referred` of the owner hears what becomes of it."""
        if self.is_over:
            return
        user = f"pressed.{letters_of(digits)}" if digits else "pressed"
        request = self.dialog.create_request("REFER", contact=self._contact)
        request.headers.add("refer-to", f"<sip:{user}@{self._switch_host}>")
        request.headers.add("refer-sub", "false")
        request.headers.add("supported", NO_REFER_SUB)
        self._stack.send_request(request, self.dialog.flow, _Referral(self._owner), now)

    def hang_up(self, now: float) -> None:
        if self.is_over:
            return
        if not self.is_answered:
            self.refuse(480, 0, now)
            return
        self.is_over = True
        self._stop_repeating()
        bye = self.dialog.create_request("BYE", contact=None)
        self._stack.send_request(bye, self.dialog.flow, NO_USER, now)

    # What the caller does

    def on_cancel(self, now: float) -> None:
        if not self.is_answered:
            self.refuse(487, 0, now)
            self._owner.caller_gone(now)

    def on_ack(self, request: Request, now: float) -> None:
        self._transaction = None
        if self._offer_pending and request.body:
            self._offer_pending = False
            if not self._agree(request.body, now):
                self.hang_up(now)
                self._owner.caller_gone(now)

    def on_ack_missing(self, now: float) -> None:
        """13.3.1.4: the dialog is confirmed, and ended."""
        self._transaction = None
        self.hang_up(now)
        self._owner.caller_gone(now)

    def on_request(
        self, transaction: InviteServerTransaction | NonInviteServerTransaction, request: Request, now: float
    ) -> None:
        """In the dialog."""
        status = self.dialog.accept_request(request)
        if status is not None:
            transaction.respond(make_response(request, status), now)
            return
        match request.method:
            case "BYE":
                self._on_bye(transaction, request, now)
            case "INVITE" | "UPDATE":
                self._on_offer(transaction, request, now)
            case "INFO":
                transaction.respond(make_response(request, 200), now)
                digit = info_digit(request)
                position = queue_position_of(request)
                if digit:
                    self._owner.digit_by_info(digit, now)
                elif position is not None:
                    self._owner.positioned(position, now)
            case "OPTIONS":
                transaction.respond(with_allow(make_response(request, 200)), now)
            case "NOTIFY":  # of a REFER, from a switch that knows no Refer-Sub
                transaction.respond(make_response(request, 200), now)
            case _:
                transaction.respond(with_allow(make_response(request, 405)), now)

    def _on_bye(
        self, transaction: InviteServerTransaction | NonInviteServerTransaction, request: Request, now: float
    ) -> None:
        transaction.respond(make_response(request, 200), now)
        if self.is_over:
            return
        if not self.is_answered:  # 15.1.2: the pending INVITE gets its 487
            self.refuse(487, 0, now)
        self.is_over = True
        self._stop_repeating()
        self._owner.caller_gone(now)

    def _on_offer(
        self, transaction: InviteServerTransaction | NonInviteServerTransaction, request: Request, now: float
    ) -> None:
        """14.2, RFC 3311 5.2. A refused one changes nothing."""
        if self.is_over:
            transaction.respond(make_response(request, 481), now)
            return
        if request.method == "INVITE" and not self.is_answered:
            response = make_response(request, 500)
            response.headers.add("retry-after", "2")
            transaction.respond(response, now)
            return
        response = self._response(request, 200)
        if request.body:
            if not self._agree(request.body, now):
                transaction.respond(make_response(request, 488), now)
                return
            self._version += 1
            self._describe(response, request)
        elif request.method == "INVITE":
            self._version += 1
            self._offer(response)
        self.dialog.refresh_target(request.contact)
        transaction.respond(response, now)

    # Descriptions

    def _agree(self, body: bytes, now: float) -> bool:
        session = read_session(body)
        agreed = None if session is None else agree(session, self._among)
        if agreed is None:
            return False
        self._agreed = agreed
        self._owner.media_agreed(agreed, now)
        return True

    def _describe(self, response: Response, request: Request) -> None:
        session = read_session(request.body)
        assert session is not None and self._agreed is not None, "agreed to before"
        self._add_sdp(
            response,
            format_answer(
                session,
                self._agreed,
                host=self._host,
                port=self._port,
                session_id=self._session_id,
                version=self._version,
            ),
        )

    def _offer(self, response: Response) -> None:
        self._offer_pending = True
        self._add_sdp(
            response,
            format_offer(
                host=self._host, port=self._port, session_id=self._session_id, version=self._version
            ),
        )

    def _add_sdp(self, response: Response, body: bytes) -> None:
        self._has_described = True
        response.headers.add("content-type", SDP_TYPE)
        response.body = body

    def _response(self, request: Request, status: int) -> Response:
        response = make_response(request, status, to_tag=self.dialog.local_tag)
        response.headers.add("contact", self._contact)
        return with_allow(response)

    def _stop_repeating(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is not None and transaction.is_accepted:
            transaction.stop_repeating()


class _Referral:
    """A REFER until its final answer. Implements switch.sip.user.ClientUser."""

    __slots__ = ("_owner",)

    def __init__(self, owner: CallOwner) -> None:
        self._owner = owner

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if response.status >= 200:
            self._owner.referred(response.status < 300, now)

    def on_timeout(self, transaction: ClientTransaction, now: float) -> None:
        self._owner.referred(False, now)

    def on_transport_error(self, transaction: ClientTransaction, now: float) -> None:
        self._owner.referred(False, now)


def with_allow(response: Response) -> Response:
    response.headers.add("allow", ALLOW)
    return response


def contact_at(host: str, port: int) -> str:
    return f"<sip:voicemail@{host_port(host, port)}>"


def info_digit(request: Request) -> str:
    """A key sent by INFO, as application/dtmf-relay ("Signal=5") or application/dtmf ("5"); "" for anything else."""
    kind = (request.headers.get("content-type") or "").partition(";")[0].strip(" \t").lower()
    if kind == "application/dtmf-relay":
        found = _SIGNAL.search(request.body)
        return found[1].decode().upper() if found else ""
    body = request.body.strip(b" \t\r\n").upper()
    if kind == "application/dtmf" and len(body) == 1 and body in _KEYS:
        return body.decode()
    return ""
