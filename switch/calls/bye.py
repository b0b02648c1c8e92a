"""Our BYE in a dialog, until it is answered or known to be lost (RFC 3261 15.1.1).

Used by a live leg, and after a restart for dialogs that only the journal remembers.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from switch.calls.carrier_challenge import CarrierChallenge
from switch.calls.passing import Fields
from switch.sip.dialog import Dialog
from switch.sip.message import Response

if TYPE_CHECKING:
    from switch.sip.stack import ClientTransaction, Stack


class Bye:
    """One dialog being ended. `on_done` is called once: answered, timed out or unreachable.

    Where the next hop of a carrier does not answer, the address of the INVITE is told.
    """

    __slots__ = ("_challenge", "_dialog", "_on_done", "_stack")

    def __init__(
        self, stack: "Stack", dialog: Dialog, challenge: CarrierChallenge, on_done: Callable[[float], None]
    ) -> None:
        self._stack = stack
        self._dialog = dialog
        self._challenge = challenge
        self._on_done = on_done

    def send(self, now: float, reason: str, credentials: Fields | None = None) -> None:
        """`reason` is a Reason header value (RFC 3326)."""
        bye = self._dialog.create_request("BYE", contact=None)
        bye.headers.add("reason", reason)
        for field in credentials or ():
            bye.headers.add(*field)
        self._stack.send_request(bye, self._dialog.flow, self, now)

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if response.status < 200:
            return
        credentials = self._challenge.answer(transaction.request, response)
        if credentials is None:
            self._on_done(now)
        else:
            self.send(now, transaction.request.headers.get("reason") or "", credentials)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        self._fall_back(transaction, now)

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        self._fall_back(transaction, now)

    def _fall_back(self, transaction: "ClientTransaction", now: float) -> None:
        dialog = self._dialog
        if dialog.fallback_flow is None:
            self._on_done(now)
            return
        dialog.flow, dialog.fallback_flow = dialog.fallback_flow, None
        self.send(now, transaction.request.headers.get("reason") or "")
