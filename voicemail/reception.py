"""Which machine a call gets, and whether it is taken: INVITEs of the switch, and REFERs by which it has a line called.

Wiring of one call: its machine, its port for sound, its session. Limits are looked at here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import structlog

from media.codecs import CODECS, Codec
from switch.sip.dialog import Dialog
from switch.sip.flow import Flow
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.message import Request, Response, make_response
from switch.sip.refer_fields import Refer, refer_of
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from switch.sip.uri import SipUri, escape_user
from voicemail.announcement import Announcement
from voicemail.call_out import OutgoingCall, ReferSubscription
from voicemail.conference import G711
from voicemail.conferring import Conferring
from voicemail.deposit import Deposit, DepositRule
from voicemail.digit_menu import DigitMenu
from voicemail.mailbox import Message
from voicemail.menu import Menu
from voicemail.queueing import Queueing
from voicemail.rtp_port import RtpPort
from voicemail.service_target import (
    CallOut,
    ConferenceOf,
    MenuOf,
    MusicFor,
    QueueFor,
    SayTo,
    call_out_of,
)
from voicemail.session import Machine, Session
from voicemail.sip_call import SipCall, contact_at
from voicemail.speaking import Speaking
from voicemail.target import (
    AnnouncementOf,
    DepositFor,
    RetrievalBy,
    Target,
    called_number,
    caller_of,
    host_of,
    reason_of,
    switch_host_of,
    target_of,
)
from voicemail.ticker import Ticker
from voicemail.wording import Wording

if TYPE_CHECKING:
    from switch.conf_voicemail import Voicemail
    from switch.sip.stack import ServerTransaction, Stack
    from voicemail.house import House
    from voicemail.user_agent import UserAgent

# Calls of our own that ring at once: reminders of a morning come by the dozen, and the switch asks again for what is
# refused. Each holds a port.
RINGING_MAX: Final = 30
# A conference that is full, to its next party (RFC 3261 21.4.21).
BUSY: Final = 486

log = structlog.get_logger("voicemail")


class Reception:
    """Implements SessionOwner and CallOutOwner. `stack`, `agent` and `ticker` are set before the first call."""

    __slots__ = (
        "_conf",
        "_host",
        "_house",
        "_port",
        "_ringing",
        "_rule",
        "_timers",
        "_tokens",
        "_wording",
        "agent",
        "sessions",
        "stack",
        "ticker",
    )

    def __init__(
        self,
        conf: Voicemail,
        *,
        house: House,
        wording: Wording,
        rule: DepositRule,
        host: str,
        port: int,
        timers: TimerQueue,
        tokens: Tokens,
    ) -> None:
        """`host` and `port` are where we hear SIP; sound is heard at ports of the same host."""
        self.stack: Stack
        self.agent: UserAgent
        self.ticker: Ticker
        self._conf = conf
        self._house = house
        self._wording = wording
        self._rule = rule
        self._host = host
        self._port = port
        self._timers = timers
        self._tokens = tokens
        self._ringing: set[OutgoingCall] = set()
        self.sessions: set[Session] = set()

    @property
    def ringing(self) -> int:
        """Calls of our own that nobody has answered yet."""
        return len(self._ringing)

    @property
    def is_busy(self) -> bool:
        return bool(self.sessions or self._ringing)

    @property
    def is_full(self) -> bool:
        return len(self.sessions) + len(self._ringing) >= self._conf.calls_max

    def tick(self, now: float) -> bool:
        """Every 20 ms while there are calls; False: there are none."""
        self._house.conferences.beat(now)
        for session in list(self.sessions):
            try:
                session.tick(now)
            except Exception:  # noqa: BLE001 - the border: logged and counted there
                self.session_broken(session)
        return bool(self.sessions)

    def close(self, now: float) -> None:
        """End the calls, keep what was said."""
        for call in list(self._ringing):
            call.cancel(now)
        for session in list(self.sessions):
            session.end(now)

    # INVITE

    def new_call(
        self, transaction: InviteServerTransaction, request: Request, dialog: Dialog, now: float
    ) -> SipCall | int:
        """A call, or the status with which it is refused."""
        counts = self._house.counts
        target = target_of(request)
        if target is None:
            counts.refuse("unknown")
            return 404
        if self.is_full:
            counts.refuse("calls_max")
            return 503
        if isinstance(target, ConferenceOf):
            refusal = self._house.conferences.refusal(target.name)
            if refusal:
                counts.refuse(refusal)
                return BUSY
        rtp = self._open_port()
        if rtp is None:
            return 503
        machine, kind, draft = self._machine_for(target, request)
        among = G711 if isinstance(target, ConferenceOf) else CODECS
        session = self._make_session(machine, kind, rtp, draft, now)
        session.call = self._make_call(transaction, dialog, session, rtp, switch_host_of(request), among)
        if not session.call.read_offer(request, now):
            rtp.close()
            counts.refuse("media")
            return 488
        self._begin(session, rtp, now)
        return session.call

    def _open_port(self) -> RtpPort | None:
        house = self._house
        try:
            return RtpPort(self._host, loop=house.loop, counts=house.rtp_counts)
        except OSError as problem:
            log.error("voicemail_no_port", problem=str(problem))
            house.counts.refuse("no_port")
            return None

    def _make_session(
        self, machine: Machine, kind: str, rtp: RtpPort, draft: Message | None, now: float
    ) -> Session:
        return Session(machine, kind=kind, house=self._house, rtp=rtp, owner=self, draft=draft, now=now)

    def _make_call(
        self,
        transaction: InviteServerTransaction | None,
        dialog: Dialog,
        session: Session,
        rtp: RtpPort,
        switch_host: str,
        among: tuple[Codec, ...] = CODECS,
        session_id: int | None = None,
    ) -> SipCall:
        return SipCall(
            self.stack,
            transaction,
            dialog,
            contact=contact_at(self._host, self._port),
            host=rtp.host,
            port=rtp.port,
            session_id=_session_id() if session_id is None else session_id,
            owner=session,
            switch_host=switch_host,
            among=among,
        )

    def _begin(self, session: Session, rtp: RtpPort, now: float) -> None:
        rtp.received = session.receive
        self.sessions.add(session)
        self._house.counts.call(session.kind)
        session.start(now)
        self.ticker.start()

    def _machine_for(self, target: Target, request: Request) -> tuple[Machine, str, Message | None]:
        clips = self._wording.clips
        match target:
            case AnnouncementOf(words=words, status=status, cause=cause):
                return Announcement(clips(words), status=status, cause=cause), "announcement", None
            case RetrievalBy(user=user):
                menu = Menu(user, self._wording, greeting_max_s=self._conf.greeting_max_s)
                return menu, "retrieval", None
            case DepositFor(user=user):
                return Deposit(user, self._rule), "deposit", _draft_of(request)
            case SayTo():
                return self._speaking(target), "say", None
            case MenuOf(prompt=words, choices=choices, extension_digits=digits):
                digit_menu = DigitMenu(
                    clips(words),
                    choices=choices,
                    extension_digits=digits,
                    timeout_s=target.timeout_s,
                    tries=target.tries,
                )
                return digit_menu, "menu", None
            case QueueFor(music=music, position=position, says_position=says):
                return Queueing(music, position=position, says_position=says), "queue", None
            case MusicFor(music=music):
                return Queueing(music), "music", None
            case ConferenceOf(name=name):
                return Conferring(name), "conference", None

    def _speaking(self, say: SayTo) -> Speaking:
        return Speaking(self._wording.clips(say.words), keys=say.keys, refers=say.refers)

    # REFER

    def on_refer(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        """202, and a call goes out; or a refusal. Raises SipParseError for a REFER that cannot be read."""
        refer = refer_of(request.headers, request.cseq.number)
        uri, line = request.request_uri, refer.target.parsed_uri
        asked = call_out_of(uri) if isinstance(uri, SipUri) else None
        if asked is None or not isinstance(line, SipUri) or not line.user or refer.method != "INVITE":
            self._refuse_refer(transaction, request, 404, "unknown", now)
            return
        if self.is_full or len(self._ringing) >= RINGING_MAX:
            self._refuse_refer(transaction, request, 503, "calls_max", now)
            return
        dialog = Dialog.from_request(request, self._tokens.tag(), flow)
        rtp = self._open_port()
        if rtp is None:
            transaction.respond(make_response(request, 503, to_tag=dialog.local_tag), now)
            return
        transaction.respond(self._accepted(request, refer, dialog), now)
        self._call_out(asked, line, refer, dialog, rtp, now)

    def _refuse_refer(
        self, transaction: ServerTransaction, request: Request, status: int, reason: str, now: float
    ) -> None:
        self._house.counts.refuse(reason)
        transaction.respond(make_response(request, status, to_tag=self._tokens.tag()), now)

    def _accepted(self, request: Request, refer: Refer, dialog: Dialog) -> Response:
        response = make_response(request, 202, to_tag=dialog.local_tag)
        response.headers.add("contact", contact_at(self._host, self._port))
        if not refer.wants_notifies:
            response.headers.add("refer-sub", "false")
        return response

    def _call_out(
        self, asked: CallOut, line: SipUri, refer: Refer, dialog: Dialog, rtp: RtpPort, now: float
    ) -> None:
        contact = contact_at(self._host, self._port)
        switch_host = host_of(line)
        subscription = (
            ReferSubscription(self.stack, dialog, contact=contact) if refer.wants_notifies else None
        )
        call = OutgoingCall(
            asked,
            line=f"sip:{escape_user(line.unescaped_user)}@{switch_host}",
            switch_host=switch_host,
            flow=dialog.flow,
            stack=self.stack,
            timers=self._timers,
            contact=contact,
            rtp=rtp,
            session_id=_session_id(),
            subscription=subscription,
            owner=self,
        )
        self._ringing.add(call)
        call.start(self._tokens, now)

    def call_out_answered(self, call: OutgoingCall, dialog: Dialog, body: bytes, now: float) -> bool:
        machine = self._speaking(call.asked.say)
        session = self._make_session(machine, "call_out", call.rtp, None, now)
        session.call = self._make_call(
            None, dialog, session, call.rtp, call.switch_host, session_id=call.session_id
        )
        if not session.call.take_answer(body, now):
            return False
        self.agent.remember(session.call)
        self._begin(session, call.rtp, now)
        return True

    def call_out_over(self, call: OutgoingCall, result: str) -> None:
        self._ringing.discard(call)
        self._house.counts.called_out(result)
        if result != "answered":
            call.rtp.close()

    # The end of a call

    def session_over(self, session: Session) -> None:
        self.sessions.discard(session)
        self.agent.forget(session.call)
        self._house.turn_over()

    def session_broken(self, session: Session) -> None:
        """A bug ends its call, and no other. Called within the exception."""
        if session not in self.sessions:
            return
        self._house.counts.bugs += 1
        log.exception("voicemail_bug", kind=session.kind)
        self.sessions.discard(session)
        session.abandon(self._house.now())
        self.agent.forget(session.call)
        self._house.turn_over()


def _session_id() -> int:
    return int.from_bytes(os.urandom(4), "big")


def _draft_of(request: Request) -> Message:
    """What is known of a message before it is spoken."""
    number, name = caller_of(request)
    return Message(
        id="",
        received_ms=0,
        duration_ms=0,
        caller=number,
        name=name,
        called=called_number(request),
        reason=reason_of(request),
        call_id=request.call_id[:200],
    )
