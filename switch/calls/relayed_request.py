"""A request inside the dialog that concerns only the two ends (INFO, RFC 6086): carried over, answer carried back."""

from typing import TYPE_CHECKING

from switch.calls.passing import body_of, passed_response, put_body
from switch.sip.message import Request, Response, make_response

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.sip.stack import ClientTransaction, ServerTransaction


class RelayedRequest:
    """One request on its way over and its answer on its way back."""

    __slots__ = ("request", "target", "transaction")

    def __init__(self, transaction: "ServerTransaction", request: Request, target: "Leg") -> None:
        self.transaction = transaction
        self.request = request
        self.target = target

    def start(self, now: float) -> None:
        target = self.target
        assert target.dialog is not None
        relayed = target.dialog.create_request(self.request.method, contact=None)
        for name, value in target.passed_to_peer(self.request):
            relayed.headers.add(name, value)
        put_body(relayed, body_of(self.request))
        target.board.stack.send_request(relayed, target.flow, self, now)

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if response.status < 200:
            return
        self.target.last_seen_at = now
        answer = passed_response(self.request, response)
        put_body(answer, body_of(response))
        self.transaction.respond(answer, now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        """RFC 4320 4.2: no 408 to a non-INVITE. The asker's own transaction has ended by now too."""

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        self.transaction.respond(make_response(self.request, 503), now)
