"""REFER inside a call: what a phone asks to be done with the other side, and how it hears what became of it (RFC 3515).

The layer reads the request, answers it as the call decides, and carries the implicit subscription: NOTIFYs with the
status line of the call that was referred to, in the dialog that the REFER came in. The call gets `on_refer` and then
says `refuse`, or `accept` and `report` until a final status. Without NOTIFYs where the phone wants none (RFC 4488).
Left out: REFER outside a dialog (405 at the door), any method but INVITE to be sent, and SUBSCRIBE in a dialog whose
call is over.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from switch.sip.event_fields import ENDS_SUBSCRIPTION, Event, SubscriptionState, event_of
from switch.sip.fields import parse_delta_seconds
from switch.sip.message import Request, Response, make_response, reason_phrase
from switch.sip.refer_fields import Refer, refer_of

if TYPE_CHECKING:
    from switch.calls.leg import Leg
    from switch.sip.stack import ClientTransaction, ServerTransaction
    from switch.sip.timers import Timer

REFER: Final = "refer"
SIPFRAG: Final = "message/sipfrag;version=2.0"
# A phone that transfers has one under way, or two when the first came to nothing.
REFERRALS_PER_LEG_MAX: Final = 4
# As long as a phone may ring, and a minute: by then the referred call is answered or has failed.
REFERRAL_S: Final = 180


def take_refer(leg: "Leg", transaction: "ServerTransaction", request: Request, now: float) -> None:
    """A REFER in the leg's dialog. Raises SipParseError for one that cannot be read."""
    refer = refer_of(request.headers, request.cseq.number)
    referral = Referral(leg, transaction, request, refer, is_first=not leg.has_been_referred)
    if refer.method != "INVITE":
        referral.refuse(501, "Only INVITE Can Be Referred", now)
    elif len(leg.referrals) >= REFERRALS_PER_LEG_MAX:
        referral.refuse(403, "Too Many Transfers At Once", now)
    elif leg.other is None or not leg.is_up:
        referral.refuse(403, "No Call To Transfer", now)
    else:
        leg.call.on_refer(leg, referral, now)


def take_subscribe(leg: "Leg", transaction: "ServerTransaction", request: Request, now: float) -> None:
    """SUBSCRIBE in a call's dialog renews or ends what a REFER began there. All else gets a dialog of its own."""
    event = event_of(request.headers)
    if event is None or event.package != REFER:
        transaction.respond(make_response(request, 403, "Subscribe Outside The Call"), now)
        return
    for referral in leg.referrals.values():
        if event.id == str(referral.refer.cseq) or (event.id is None and referral.event.id is None):
            referral.on_subscribe(transaction, request, now)
            return
    transaction.respond(make_response(request, 481), now)


class Referral:
    """One REFER and its implicit subscription. `event` has an id from the second REFER of a dialog on (2.4.6)."""

    __slots__ = (
        "_expiry",
        "_is_on_its_way",
        "_next",
        "_request",
        "_said",
        "_then",
        "_transaction",
        "event",
        "expires_at",
        "leg",
        "refer",
    )

    def __init__(
        self, leg: "Leg", transaction: "ServerTransaction", request: Request, refer: Refer, *, is_first: bool
    ) -> None:
        self.leg = leg
        self.refer = refer
        self.event = Event(REFER, None if is_first else str(refer.cseq))
        self.expires_at = 0.0
        self._transaction = transaction
        self._request = request
        self._expiry: Timer | None = None
        self._is_on_its_way = False
        self._next: tuple[str, SubscriptionState | None] | None = None
        self._said = ""
        self._then: Callable[[float], None] | None = None

    # What the call says

    def refuse(self, status: int, reason: str, now: float) -> None:
        """Nothing is done, and nothing more is said."""
        self.leg.board.counts.refers[str(status)] += 1
        self._transaction.respond(make_response(self._request, status, reason), now)

    def accept(self, now: float) -> None:
        """202, and the first NOTIFY at once (2.4.4)."""
        leg = self.leg
        leg.board.counts.refers["202"] += 1
        assert leg.dialog is not None
        leg.dialog.refresh_target(self._request.contact)
        response = make_response(self._request, 202)
        response.headers.add("contact", leg.contact)
        if not self.refer.wants_notifies:
            response.headers.add("refer-sub", "false")
            self._transaction.respond(response, now)
            return
        leg.has_been_referred = True
        leg.referrals = {**leg.referrals, self.refer.cseq: self}
        self._transaction.respond(response, now)
        self._renew(REFERRAL_S, now)
        self.report(100, "", now)

    def report(self, status: int, reason: str, now: float) -> None:
        """How the referred call goes. A final status ends the subscription; after it nothing is sent."""
        if self.refer.cseq not in self.leg.referrals:
            return
        line = f"SIP/2.0 {status} {reason or reason_phrase(status)}"
        if status < 200:
            self._say(line, None, now)
        else:
            self._finish(line, "noresource", now)

    def then(self, do: "Callable[[float], None]") -> None:
        """What waits until the phone has heard the last of it."""
        self._then = do

    # The subscription

    def on_subscribe(self, transaction: "ServerTransaction", request: Request, now: float) -> None:
        """Renewed, or with Expires 0 ended. Raises SipParseError."""
        value = request.headers.get("expires")
        expires_s = REFERRAL_S if value is None else min(parse_delta_seconds(value), REFERRAL_S)
        response = make_response(request, 200)
        response.headers.add("contact", self.leg.contact)
        response.headers.add("expires", str(expires_s))
        transaction.respond(response, now)
        if expires_s:
            self._renew(expires_s, now)
            self._say(self._said, None, now)
        else:
            self._finish(self._said, "timeout", now)

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if response.status < 200:
            return
        self._is_on_its_way = False
        if response.status in ENDS_SUBSCRIPTION:
            self._end(now)
        elif self._next is not None:
            line, state = self._next
            self._next = None
            self._say(line, state, now)
        else:
            self._part(now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        self._end(now)

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        self._end(now)

    def _say(self, line: str, state: SubscriptionState | None, now: float) -> None:
        """One NOTIFY at a time: of what comes meanwhile only the last is told. Without a state it goes on."""
        if self._is_on_its_way:
            self._next = (line, state)
            return
        leg = self.leg
        assert leg.dialog is not None
        self._said = line
        self._is_on_its_way = True
        notify = leg.dialog.create_request("NOTIFY", contact=leg.contact)
        headers = notify.headers
        headers.add("event", str(self.event))
        active = SubscriptionState("active", expires_s=max(0, round(self.expires_at - now)))
        headers.add("subscription-state", str(state or active))
        headers.add("content-type", SIPFRAG)
        notify.body = f"{line}\r\n".encode("utf-8", "surrogateescape")
        leg.board.stack.send_request(notify, leg.flow, self, now)

    def _renew(self, expires_s: int, now: float) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self.expires_at = now + expires_s
        self._expiry = self.leg.board.timers.start(now, expires_s, self._on_expiry)

    def _on_expiry(self, now: float) -> None:
        self._finish(self._said, "timeout", now)

    def _finish(self, line: str, reason: str, now: float) -> None:
        self._leave()
        self.leg.parting = self
        self._say(line, SubscriptionState("terminated", reason=reason), now)

    def _end(self, now: float) -> None:
        self._leave()
        self._next = None
        self._part(now)

    def _part(self, now: float) -> None:
        """Nothing more is on its way."""
        if self.leg.parting is self:
            self.leg.parting = None
        do, self._then = self._then, None
        if do is not None:
            do(now)

    def _leave(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        left = dict(self.leg.referrals)
        left.pop(self.refer.cseq, None)
        self.leg.referrals = left
