"""What a transaction user implements (RFC 3261 5 and 17): the two protocols through which the stack calls up.

The stack calls these within `Stack.receive`, `TimerQueue.run` and `Stack.handle_transport_error`; they may
call the stack back at once. An exception of theirs ends in the caller of those three.
"""

from typing import TYPE_CHECKING, Final, Protocol

from switch.sip.flow import Flow
from switch.sip.message import Request, Response

if TYPE_CHECKING:
    from switch.sip.invite_server import InviteServerTransaction
    from switch.sip.stack import ClientTransaction, ServerTransaction


class Silence:
    """The answer that is none: the request is dropped and counted under `reason`, a word of our own."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class AnswerGate(Protocol):
    """Says who is answered when nothing has been kept of a request."""

    def silence(self, request: Request, flow: Flow, now: float) -> Silence | None:
        """Why the stack's own refusals do not go there, or None. What the TU says to a request does go."""

    def is_stranger(self, flow: Flow, now: float) -> bool:
        """Whether the limits of stateless answers hold for this flow."""

    def refusal_to_answer(self, flow: Flow, octets: int, now: float) -> str:
        """Why this stranger is not sent an answer of so many octets, or ""."""


class TransactionUser(Protocol):
    """Takes every request of the peers."""

    def screen(self, request: Request, flow: Flow, now: float) -> Response | Silence | None:
        """Asked before a transaction is made for a new request (not for ACK and CANCEL).

        A response is sent statelessly and nothing is kept; when it has no To tag it gets
        `Stack.stateless_tag`, which is the same for every copy of the request. An ACK for it is swallowed.
        """

    def takes_ack(self, request: Request, flow: Flow, now: float) -> bool:
        """Asked of an ACK with a body for a 2xx of ours; if not, it is dropped as if it had not come."""

    def on_request(self, transaction: "ServerTransaction", request: Request, flow: Flow, now: float) -> None:
        """A new request, never ACK or CANCEL, never a repeat. It is answered by `transaction.respond`, now or
        later.
        """

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        """The first ACK for a 2xx of ours; the 2xx is no longer repeated. Repeats of the ACK are absorbed."""

    def on_cancel(self, transaction: "InviteServerTransaction", cancel_request: Request, now: float) -> None:
        """The INVITE was cancelled before its final response. The CANCEL is answered; the TU answers the
        INVITE 487.
        """

    def on_ack_missing(self, transaction: "InviteServerTransaction", now: float) -> None:
        """64*T1 without an ACK for our 2xx (13.3.1.4): the dialog is confirmed, the session should be ended
        by BYE.
        """

    def on_stray_response(self, response: Response, flow: Flow, now: float) -> None:
        """A response without a client transaction that could take it.

        That is a late 2xx (after Timer M, after a non-2xx final, from before a restart), or noise. A 2xx to
        an INVITE left alone would be a call that nobody hangs up.
        """


class MessageTap(Protocol):
    """Notes what is received, once it is read; what is sent is noted where it leaves."""

    def received(self, message: Request | Response, data: bytes, flow: Flow, now: float) -> None:
        """A message, before anything is made of it; a broken one that can be answered, too."""


class ClientUser(Protocol):
    """Takes what becomes of one request of ours.

    After a final response, `on_timeout` or `on_transport_error` nothing more comes, but for more 2xx to an
    INVITE.
    """

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        """Each provisional (100 too), each final once, and every 2xx to an INVITE.

        A 2xx to an INVITE is to be acknowledged each time (`Stack.send_ack`), also when
        `transaction.is_repeat(response)`. A 2xx with another To tag is another dialog (a fork downstream).
        Non-2xx finals are acknowledged by the stack.
        """

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        """Timer B or F, or no final response within 64*T1 of our CANCEL."""

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        """The request's flow broke before a final response."""


class _NoUser:
    """Nobody asks: the user of a CANCEL, and of every transaction that has ended."""

    __slots__ = ()

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        pass

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        pass

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        pass


NO_USER: Final = _NoUser()
