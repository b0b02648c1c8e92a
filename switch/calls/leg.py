"""One dialog and its media as a side of a call; only the leg knows SIP.

Here is what both sides share once a dialog exists: BYE, re-INVITE, UPDATE, INFO, and what happens to them in the
wrong moment. How a caller's leg begins is in caller_leg.py, a callee's in callee_leg.py. An offer is carried to the
other leg by reinvite.py and update.py: the exchange does not answer media itself.
"""

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from switch.calls.bye import Bye
from switch.calls.carried_media import takes_reoffer
from switch.calls.carrier_challenge import CarrierChallenge
from switch.calls.own_answers import answer_options, refuse_extensions, refuse_method
from switch.calls.passing import NO_BODY, Body, Fields, body_of, only_listed, passed_fields
from switch.calls.privacy import crossing
from switch.calls.q850 import format_reason, passed_reason, read_reason
from switch.calls.referral import Referral, take_refer, take_subscribe
from switch.calls.refresh import Refresh
from switch.calls.reinvite import Reinvite, refuse_with_retry
from switch.calls.relayed_request import RelayedRequest
from switch.calls.session_timer import SessionTimer, is_too_brief, refuse_brief_session
from switch.calls.sips_uri import sips_contact
from switch.calls.switchboard import ALLOW, Switchboard
from switch.calls.update import CarriedUpdate, answer, on_update
from switch.sip.flow import Flow
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.message import Request, Response, make_response
from switch.sip.option_tags import SUPPORTED_VALUE

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.callee_leg import LegOutcome
    from switch.calls.renegotiation import Renegotiation
    from switch.calls.request_pace import RequestPace
    from switch.config import Trunk
    from switch.relay.leg_media import LegMedia
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
    """A side of a call. `index` 0 is the caller's. Times are monotonic seconds or None.

    `own_body` is the session description that this end gave last, `sent_body` the one that it was given. `open_offer`
    is the one exchange of the two that may be under way. `last_seen_at` is when this end last gave a sign of life.
    """

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
        "last_seen_at",
        "line_user",
        "local_tag",
        "media",
        "open_offer",
        "outcome",
        "own_body",
        "pace",
        "parting",
        "peer_allow",
        "peer_user_agent",
        "referrals",
        "ringing_at",
        "sent_body",
        "session",
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
        self.line_user = ""  # the line whose leg it is; "" for a carrier's and voicemail's
        self.local_tag = board.tokens.tag()
        self.flow = flow
        self.trunk = trunk
        self.dialog: Dialog | None = None
        self.state = LegState.SETTING_UP
        self.pace: RequestPace | None = None  # of the peer's requests, from the first one that is no BYE
        self.referrals: Mapping[int, Referral] = NO_REFERRALS  # by the CSeq of the REFER
        self.has_been_referred = False
        self.parting: Referral | None = None  # whose last NOTIFY is on its way
        self.outcome: LegOutcome | None = None  # of one that failed, or has left before the end
        self.open_offer: Reinvite | CarriedUpdate | Refresh | Renegotiation | None = None
        self.own_body = NO_BODY
        self.sent_body = NO_BODY
        self.session = SessionTimer()
        self.media: LegMedia | None = None  # where the sound goes through the relay
        self.last_seen_at = now
        self.peer_allow = ""
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
    def is_over(self) -> bool:
        """Whether nobody rings or talks here any more."""
        return self.state is LegState.ENDING or self.state is LegState.GONE

    @property
    def contact(self) -> str:
        contact = self.board.contact_of(self.flow)
        return sips_contact(contact) if self.is_sips else contact

    @property
    def dialog_of_session(self) -> "Dialog":
        """The dialog that the media are agreed in: early, while a callee rings."""
        assert self.dialog is not None
        return self.dialog

    @property
    def session_partner(self) -> "Leg | None":
        """The leg that can be asked for an answer to this one's offer by now."""
        other = self.other
        return other if self.is_up and other is not None and other.is_up else None

    def dialog_for(self, request: Request) -> "Dialog":
        """The dialog of this leg that a request of the peer's belongs to."""
        return self.dialog_of_session

    def has_early_dialog(self, remote_tag: str) -> bool:
        """Whether the peer may send requests with this tag before it has answered."""
        return False

    def allows(self, method: str) -> bool:
        """Whether the peer's last Allow names the method. One that sent none is asked nothing beyond RFC 3261."""
        return method in self.peer_allow.replace(",", " ").split()

    def note_abilities(self, message: Request | Response) -> None:
        """Allow, as it says it last; read when it matters."""
        allow = message.headers.get("allow")
        if allow is not None:
            self.peer_allow = allow

    @property
    def hears_music(self) -> bool:
        """While it is on hold."""
        return True

    def repeats_its_offer(self, request: Request) -> bool:
        """Whether an offer is this end's last session description once more, and we know what answers it."""
        return bool(self.sent_body) and request.body == self.own_body.content

    def passed_to_peer(self, message: Request) -> Fields:
        """What of the other end's message goes on to this one."""
        fields = crossing(passed_fields(message), self)
        return fields if self.trunk is None else only_listed(fields, self.trunk.pass_headers)

    def session_request_fields(self, request: Request) -> Fields:
        """For a re-INVITE or UPDATE to this peer that carries the other's."""
        own = (("allow", ALLOW), ("supported", SUPPORTED_VALUE))
        return [*own, *self.session.request_fields(), *self.passed_to_peer(request)]

    def session_answer_fields(self, request: Request, now: float) -> Fields:
        """For our 2xx to this peer's re-INVITE or UPDATE. It counts as a refresh of the session."""
        fields = [("contact", self.contact), ("allow", ALLOW), ("supported", SUPPORTED_VALUE)]
        return [*fields, *self.session.accept(self, request, now)] if self.is_up else fields

    def on_session_due(self, now: float) -> None:
        """Half the session has passed: ask this end whether it is still there; or all of it without a word of its."""
        if not self.session.is_ours:
            self.call.on_vanished(self, now)
        elif self.is_up:
            Refresh(self).start(now)

    def on_request(self, transaction: "ServerTransaction", request: Request, now: float) -> None:
        """An in-dialog request whose three dialog ids matched."""
        status = self.dialog_for(request).accept_request(request)
        if status is not None:
            transaction.respond(make_response(request, status), now)
            return
        self.last_seen_at = now
        refused = refuse_extensions(request)
        if refused is not None and request.method != "BYE":
            # 8.2.2.3; a BYE is served whatever it asks for, or a call would run on.
            transaction.respond(refused, now)
            return
        match request.method:
            case "BYE":
                self._on_bye(transaction, request, now)
            case "INVITE":
                self._on_reinvite(transaction, request, now)
            case "UPDATE":
                self.note_abilities(request)
                on_update(self, transaction, request, now)
            case "PRACK":
                self._on_prack(transaction, request, now)
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
        self.last_seen_at = now
        if self.open_offer is not None and self.open_offer.awaits_ack_from(self, request.cseq.number):
            self.open_offer.on_ack(body)

    def acknowledge_again(self, cseq_number: int) -> None:
        """A 2xx came once more after its transaction had ended: our ACK was lost."""
        if self.dialog is not None:
            self.board.stack.send_ack(self.dialog.create_ack(cseq_number), self.flow)

    def hang_up(self, now: float, *, cause: int, words: str, reason: str = "") -> None:
        """Send BYE if there is a confirmed dialog. Safe to call in any state. `reason` is a peer's, in place of
        ours."""
        self.session.stop()
        if self.open_offer is not None:
            self.open_offer.abandon(now)
        if self.state is not LegState.UP:
            return
        assert self.dialog is not None
        self.state = LegState.ENDING
        self.ended_at = self.ended_at or now
        self.board.line_calls.changed(self, now)
        bye = Bye(self.board.stack, self.dialog, self.challenge, self._on_bye_done)
        reason = reason or format_reason(cause, words)
        if self.parting is None:
            bye.send(now, reason)
        else:
            # A phone that gets its BYE first hears no more of its transfer.
            self.parting.then(lambda later: bye.send(later, reason))

    def aim(self, now: float) -> None:
        """The dialog has been made, or its target is another: a trunk's requests go where that says."""
        if self.trunk is not None:
            self.board.trunks.aim(self, now)

    def move(self, flow: Flow) -> None:
        """The peer is reached by another connection from now on."""
        self.flow = flow
        if self.dialog is not None:
            self.dialog.flow = flow
        if self.media is not None:
            self.media.aim()

    def close_media(self) -> None:
        """Nothing more is heard from this end, nor sent there."""
        if self.media is not None:
            self.media.close()
            self.media = None

    def free(self) -> None:
        """Leave the table; what comes later for this dialog is answered 481."""
        self.session.stop()
        if self.dialog is not None:
            self.board.legs.pop((self.dialog.call_id, self.dialog.local_tag), None)
        self.board.line_calls.ends(self)
        self.state = LegState.GONE

    def _on_bye_done(self, now: float) -> None:
        self.call.on_leg_gone(self, now)

    def _on_bye(self, transaction: "ServerTransaction", request: Request, now: float) -> None:
        transaction.respond(make_response(request, 200), now)
        if self.state is LegState.UP:
            self.ended_at = now
            self.free()
            self.board.line_calls.changed(self, now)
            if "reason" in request.headers:
                reasons = request.headers.values("reason")
                self.call.on_hung_up(self, now, read_reason(reasons), passed_reason(reasons))
            else:
                self.call.on_hung_up(self, now, None, "")
        elif self.state is LegState.SETTING_UP:
            # RFC 3261 15: a caller may end an early dialog with BYE; it is a CANCEL in all but name.
            self.call.on_cancelled(now)

    def _on_prack(self, transaction: "ServerTransaction", request: Request, now: float) -> None:
        """RFC 3262 3: nothing of ours waits for this one."""
        transaction.respond(make_response(request, 481), now)

    def _on_reinvite(self, transaction: "ServerTransaction", request: Request, now: float) -> None:
        other = self.other
        self.note_abilities(request)
        if not self.is_up or other is None or not other.is_up:
            refuse_with_retry(transaction, request, now)
        elif is_too_brief(request):
            transaction.respond(refuse_brief_session(request), now)
        elif self.open_offer is not None:
            # RFC 3261 14.2: 491 when our own offer to this side is open, 500 when theirs is.
            if self.open_offer.is_from(self):
                refuse_with_retry(transaction, request, now)
            else:
                transaction.respond(make_response(request, 491), now)
        elif other.open_offer is not None:
            transaction.respond(make_response(request, 491), now)
        elif "session-expires" in request.headers and self.repeats_its_offer(request):
            answer(self, transaction, request, self.sent_body, now)
        elif not takes_reoffer(other, body_of(request)):
            transaction.respond(make_response(request, 488), now)
        else:
            assert isinstance(transaction, InviteServerTransaction)
            Reinvite(origin=self, target=other, transaction=transaction, request=request).start(now)

    def _on_relayed(self, transaction: "ServerTransaction", request: Request, now: float) -> None:
        other = self.other
        if not self.is_up or other is None or not other.is_up:
            transaction.respond(make_response(request, 481), now)
            return
        RelayedRequest(transaction, request, other).start(now)
