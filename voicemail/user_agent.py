"""The voicemail server's transaction user: which call a request belongs to, and what is answered outside calls.

Only the switch is served; everything else has been dropped before it comes here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from switch.sip.dialog import Dialog, DialogKey
from switch.sip.flow import Flow
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.message import Request, Response, make_response
from switch.sip.stack import ServerTransaction, Stack
from switch.sip.tokens import Tokens
from switch.sip.user import Silence
from voicemail.sip_call import SipCall, with_allow

UNKNOWN_METHODS: Final = 405


class Receptionist(Protocol):
    """Decides what becomes of new calls."""

    def new_call(
        self, transaction: InviteServerTransaction, request: Request, dialog: Dialog, now: float
    ) -> SipCall | int:
        """What a new INVITE becomes, or the status with which it is refused."""

    def on_refer(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        """A REFER outside calls; it is answered. Raises SipParseError."""


class UserAgent:
    """Implements switch.sip.user.TransactionUser."""

    __slots__ = ("_calls", "_on_probe", "_reception", "_server", "_tokens", "stack")

    def __init__(
        self,
        tokens: Tokens,
        reception: Receptionist,
        *,
        server: str,
        on_probe: Callable[[str, float], None],
    ) -> None:
        """`server` tells the switch which life of ours answers; `on_probe` hears the Call-ID of each OPTIONS of its."""
        self._tokens = tokens
        self._reception = reception
        self._server = server
        self._on_probe = on_probe
        self._calls: dict[DialogKey, SipCall] = {}
        self.stack: Stack

    @property
    def dialogs_count(self) -> int:
        return len(self._calls)

    def remember(self, call: SipCall) -> None:
        """A call of our own."""
        self._calls[call.dialog.key] = call

    def forget(self, call: SipCall) -> None:
        """Nothing more is expected in its dialog."""
        self._calls.pop(call.dialog.key, None)

    def screen(self, request: Request, flow: Flow, now: float) -> Response | Silence | None:
        return None

    def takes_ack(self, request: Request, flow: Flow, now: float) -> bool:
        return True

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        if request.to_tag is not None:
            call = self._calls.get((request.call_id, request.to_tag, request.from_tag))
            if call is None:
                transaction.respond(make_response(request, 481), now)
            else:
                call.on_request(transaction, request, now)
        elif isinstance(transaction, InviteServerTransaction):
            self._on_invite(transaction, request, flow, now)
        elif request.method == "OPTIONS":
            response = with_allow(make_response(request, 200, to_tag=self._tokens.tag()))
            response.headers.add("server", self._server)
            transaction.respond(response, now)
            self._on_probe(request.call_id, now)
        elif request.method == "REFER":
            self._reception.on_refer(transaction, request, flow, now)
        else:
            status = 481 if request.method == "BYE" else UNKNOWN_METHODS
            transaction.respond(with_allow(make_response(request, status, to_tag=self._tokens.tag())), now)

    def _on_invite(
        self, transaction: InviteServerTransaction, request: Request, flow: Flow, now: float
    ) -> None:
        dialog = Dialog.from_request(request, self._tokens.tag(), flow)
        call = self._reception.new_call(transaction, request, dialog, now)
        if isinstance(call, int):
            transaction.respond(make_response(request, call, to_tag=dialog.local_tag), now)
            return
        self._calls[dialog.key] = call
        transaction.user_data = call

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        call = self._calls.get((request.call_id, request.to_tag or "", request.from_tag))
        if call is not None:
            call.on_ack(request, now)

    def on_cancel(self, transaction: InviteServerTransaction, cancel_request: Request, now: float) -> None:
        call = transaction.user_data
        if isinstance(call, SipCall):
            call.on_cancel(now)

    def on_ack_missing(self, transaction: InviteServerTransaction, now: float) -> None:
        call = transaction.user_data
        if isinstance(call, SipCall):
            call.on_ack_missing(now)

    def on_stray_response(self, response: Response, flow: Flow, now: float) -> None:
        """Late answers to a BYE or a PUBLISH: nothing waits for them."""
