"""A request of ours in the dialog of a leg, until its final answer: PRACK, UPDATE, a refresh of the session.

A carrier's challenge is answered. Any answer but "no such dialog" is a sign of life of that end.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from switch.calls.passing import Body, Fields, put_body
from switch.sip.dialog import Dialog
from switch.sip.message import Request, Response

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.sip.stack import ClientTransaction

# (status, response, now): 408 without a response when none came in time, 503 when the way there is broken.
OnAnswer = Callable[[int, Response | None, float], None]
# RFC 3261 12.2.1.2: these say that the dialog is gone there.
DIALOG_IS_GONE: Final = frozenset({408, 481})
# Methods whose request has a Contact, because it refreshes the target (RFC 3261 12.2, RFC 3311 5.1).
WITH_CONTACT: Final = frozenset({"INVITE", "UPDATE"})


class OwnRequest:
    """`on_answer` hears the final answer; of an INVITE every 2xx, its repeats too."""

    __slots__ = ("_body", "_dialog", "_fields", "_leg", "_method", "_on_answer", "client", "is_cancelled")

    def __init__(
        self, leg: "Leg", dialog: Dialog, method: str, fields: Fields, body: Body, on_answer: OnAnswer
    ) -> None:
        self._leg = leg
        self._dialog = dialog
        self._method = method
        self._fields = fields
        self._body = body
        self._on_answer = on_answer
        self.client: ClientTransaction | None = None
        self.is_cancelled = False

    def send(self, now: float, credentials: Fields | None = None) -> None:
        leg = self._leg
        contact = leg.contact if self._method in WITH_CONTACT else None
        request = self._dialog.create_request(self._method, contact=contact)
        for name, value in (*self._fields, *(credentials or ())):
            request.headers.add(name, value)
        put_body(request, self._body)
        self.client = leg.board.stack.send_request(request, leg.flow, self, now)

    def cancel(self, now: float) -> None:
        """An INVITE that is not wanted any more; a challenge that crosses the CANCEL is not answered."""
        self.is_cancelled = True
        if self.client is not None:
            self._leg.board.stack.cancel(self.client, now)

    @property
    def request(self) -> Request:
        """As sent last."""
        assert self.client is not None
        return self.client.request

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if response.status not in DIALOG_IS_GONE:
            self._leg.last_seen_at = now
        if response.status < 200:
            return
        if not self.is_cancelled:
            credentials = self._leg.challenge.answer(transaction.request, response)
            if credentials is not None:
                self.send(now, credentials)
                return
        self._on_answer(response.status, response, now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        self._on_answer(408, None, now)

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        self._on_answer(503, None, now)
