"""One dialog and its media as a side of a call; only the leg knows SIP.

Here is what both sides share once a dialog exists: BYE, re-INVITE, INFO, and what happens to them in the wrong moment.
How a caller's leg begins is in caller_leg.py, a callee's in callee_leg.py. A re-INVITE is carried to the other leg by
reinvite.py: the exchange does not answer media itself.
"""

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from switch.calls.bye import Bye
from switch.calls.carrier_challenge import CarrierChallenge
from switch.calls.own_answers import answer_options, refuse_extensions, refuse_method
from switch.calls.passing import Body
from switch.calls.q850 import format_reason, read_reason
from switch.calls.referral import Referral, take_refer, take_subscribe
from switch.calls.reinvite import Reinvite, refuse_with_retry
from switch.calls.relayed_request import RelayedRequest
from switch.calls.sips_uri import sips_contact
from switch.calls.switchboard import Switchboard
from switch.sip.flow import Flow
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.message import Request, make_response

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.request_pace import RequestPace
    from switch.config import Trunk
    from switch.sip.dialog import Dialog
    from switch.sip.stack import ServerTransaction

RELAYED_METHODS: Final = frozenset({"INFO", "MESSAGE"})
NO_REFERRALS: Final[Mapping[int, Referral]] = {}


class LegState(enum.Enum):
    SETTING_UP = "setting up"
    UP = "up"
    ENDING = "ending"
    GONE = "gone"


class Leg:
    """A side of a call. `index` 0 is the caller's. Times are monotonic seconds or None."""

    __slots__ = (
        "answered_at",
        "board",
        "call",
        "challenge",
        "dialog",
        "ended_at",
        "flow",
        "has_been_referred",
        "index",
        "is_sips",
        "pace",
        "peer_user_agent",
        "referrals",
        "reinvite",
        "ringing_at",
        "setup_at",
        "state",
        "trunk",
    )

    def __init__(
        self, board: Switchboard, call: "Call", *, index: int, flow: Flow, trunk: "Trunk | None", now: float
    ) -> None:
        self.board = board
        self.call = call
        self.index = index
        self.is_sips = False
        self.flow = flow
        self.trunk = trunk
        self.dialog: Dialog | None = None
        self.state = LegState.SETTING_UP
        self.reinvite: Reinvite | None = None
        self.pace: RequestPace | None = None  # of the peer's requests, from the first one that is no BYE
        self.referrals: Mapping[int, Referral] = NO_REFERRALS  # by the CSeq of the REFER
        self.has_been_referred = False
        self.challenge = CarrierChallenge(trunk, board.tokens)
        self.peer_user_agent = ""
        self.setup_at = now
        self.ringing_at: float | None = None
        self.answered_at: float | None = None
        self.ended_at: float | None = None

    @property
    def other(self) -> "Leg | None":
        """The leg this one is talking with, once the call is up."""
        return self.call.other_leg(self)

    @property
    def is_up(self) -> bool:
        return self.state is LegState.UP

    @property
    def contact(self) -> str:
        contact = self.board.contact_of(self.flow)
        return sips_contact(contact) if self.is_sips else contact

    def on_request(self, transaction: "ServerTransaction", request: Request, now: float) -> None:
        """An in-dialog request whose three dialog ids matched."""
        dialog = self.dialog
        assert dialog is not None
        status = dialog.accept_request(request)
        if status is not None:
            transaction.respond(make_response(request, status), now)
            return
        if "require" in request.headers and request.method != "BYE":
            # 8.2.2.3; a BYE is served whatever it asks for, or a call would run on.
            transaction.respond(refuse_extensions(request), now)
            return
        match request.method:
            case "BYE":
                self._on_bye(transaction, request, now)
            case "INVITE":
                self._on_reinvite(transaction, request, now)
            case method if method in RELAYED_METHODS:
                self._on_relayed(transaction, request, now)
            case "REFER":
                take_refer(self, transaction, request, now)
            case "SUBSCRIBE":
                take_subscribe(self, transaction, request, now)
            case "NOTIFY":
                # RFC 6665 4.1.3: nobody here has subscribed to anything. It ends no call.
                transaction.respond(make_response(request, 481), now)
            case "OPTIONS":
                transaction.respond(answer_options(request), now)
            case _:
                transaction.respond(refuse_method(request), now)

    def on_ack(self, request: Request, body: Body, now: float) -> None:
        """The ACK for our 2xx. With a late offer it carries the answer that the other side waits for."""
        if self.reinvite is not None and self.reinvite.awaits_ack_from(self, request.cseq.number):
            self.reinvite.on_ack(body)

    def acknowledge_again(self, cseq_number: int) -> None:
        """A 2xx came once more after its transaction had ended: our ACK was lost."""
        if self.dialog is not None:
            self.board.stack.send_ack(self.dialog.create_ack(cseq_number), self.flow)

    def hang_up(self, now: float, *, cause: int, words: str) -> None:
        """Send BYE if there is a confirmed dialog. Safe to call in any state."""
        if self.state is not LegState.UP:
            return
        assert self.dialog is not None
        if self.reinvite is not None:
            self.reinvite.abandon(now)
        self.state = LegState.ENDING
        self.ended_at = self.ended_at or now
        bye = Bye(self.board.stack, self.dialog, self.challenge, self._on_bye_done)
        bye.send(now, format_reason(cause, words))

    def aim(self, now: float) -> None:
        """The dialog has been made, or its target is another: a trunk's requests go where that says."""
        if self.trunk is not None:
            self.board.trunks.aim(self, now)

    def move(self, flow: Flow) -> None:
        """The peer is reached by another connection from now on."""
        self.flow = flow
        if self.dialog is not None:
            self.dialog.flow = flow

    def free(self) -> None:
        """Leave the table; what comes later for this dialog is answered 481."""
        if self.dialog is not None:
            self.board.legs.pop((self.dialog.call_id, self.dialog.local_tag), None)
        self.state = LegState.GONE

    def _on_bye_done(self, now: float) -> None:
        self.call.on_leg_gone(self, now)

    def _on_bye(self, transaction: "ServerTransaction", request: Request, now: float) -> None:
        transaction.respond(make_response(request, 200), now)
        if self.state is LegState.UP:
            self.ended_at = now
            self.free()
            self.call.on_hung_up(self, now, read_reason(request.headers.values("reason")))
        elif self.state is LegState.SETTING_UP:
            # RFC 3261 15: a caller may end an early dialog with BYE; it is a CANCEL in all but name.
            self.call.on_cancelled(now)

    def _on_reinvite(self, transaction: "ServerTransaction", request: Request, now: float) -> None:
        other = self.other
        if self.state is not LegState.UP or other is None or other.state is not LegState.UP:
            refuse_with_retry(transaction, request, now)
        elif self.reinvite is not None:
            # RFC 3261 14.2: 491 when our own offer to this side is open, 500 when theirs is.
            if self.reinvite.origin is self:
                refuse_with_retry(transaction, request, now)
            else:
                transaction.respond(make_response(request, 491), now)
        elif other.reinvite is not None:
            transaction.respond(make_response(request, 491), now)
        else:
            assert isinstance(transaction, InviteServerTransaction)
            Reinvite(origin=self, target=other, transaction=transaction, request=request).start(now)

    def _on_relayed(self, transaction: "ServerTransaction", request: Request, now: float) -> None:
        other = self.other
        if self.state is not LegState.UP or other is None or other.state is not LegState.UP:
            transaction.respond(make_response(request, 481), now)
            return
        RelayedRequest(transaction, request, other).start(now)
