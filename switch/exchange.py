"""The transaction user above the stack: which request goes to whom (RFC 3261 5's TU).

State, input and `now` go in; bytes for peers and records for the journal come out. No socket, no clock, no await: the
process round it (switch/process.py) brings datagrams, timers, journal and books events, and afterwards flushes the
journal before it sends what is in `outgoing`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import structlog

from media.browser.messages import FromBrowsers
from media.relay.messages import Figures, FromRelay
from provisioning.model import (
    AccountChanged,
    BundleChanged,
    Change,
    Credited,
    LineChanged,
    LineRemoved,
    Snapshot,
)
from rating.engine import Engine
from rating.records import ConfVersion
from switch.address_conflicts import warn_of_conflicts
from switch.balances import load_balances, set_account, take_credit
from switch.books import Books
from switch.bundles import load_bundles, take_grant
from switch.calls.admission import admit
from switch.calls.attempt import Attempt, read_attempt
from switch.calls.call import Call
from switch.calls.caller_leg import CallerLeg
from switch.calls.counts import CallCounts
from switch.calls.identity import Caller, LineCaller, TrunkCaller
from switch.calls.in_call_services import replace_end
from switch.calls.leg import Leg
from switch.calls.passing import body_of
from switch.calls.q850 import passed_reason
from switch.calls.queue_desk import QueueDesk
from switch.calls.recovery import HEARTBEAT_KEY, encode_heartbeat
from switch.calls.refusal import Refusal
from switch.calls.reinvite import Reinvite
from switch.calls.restart import hang_up_recovered, signing_key
from switch.calls.service_desk import ServiceDesk
from switch.calls.sips import keep_promise
from switch.calls.stray_answer import hang_up_stray
from switch.calls.switchboard import Failpoints, Journal, Put, Switchboard, WallClock
from switch.calls.tracing import note_attempt, note_begun
from switch.calls.voicemail import VoicemailServer
from switch.calls.voicemail_calls import ask_for_calls
from switch.conf_versions import BIG_CONTENT_CHARS, content_for_books
from switch.config import Conf
from switch.dialog_screening import DialogScreening
from switch.door.door import BANNED, Door
from switch.events.service import Events
from switch.keepalive import Keepalive
from switch.messaging.service import Messaging
from switch.registrar.bindings import Bindings
from switch.registrar.gruu import Gruus
from switch.registrar.pings import PingSchedule
from switch.registrar.registrar import Registrar
from switch.registration_events import RegistrationEvents
from switch.registrations import Registrations, binding_put, ping_limits, registrar_limits
from switch.relay.browser_gates import BrowserGates
from switch.relay.figures import media_figures
from switch.relay.relay import Relay
from switch.screening import SHUT_OUT, Screening, claimed_user
from switch.sip.counts import SipCounts
from switch.sip.digest import DigestAuthority
from switch.sip.flow import Flow
from switch.sip.host import host_port
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.message import Request, Response, make_response
from switch.sip.response_route import SIP_PORT, SIPS_PORT
from switch.sip.stack import ServerTransaction, Stack
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from switch.sip.user import Silence
from switch.spends import load_spends
from switch.tracing.tracer import Tracer, payer_of
from switch.trunks.locate import Reach
from switch.trunks.trunks import Trunks

log = structlog.get_logger(__name__)


class Network(Protocol):
    """What the exchange has to know of sockets: names and addresses, no I/O."""

    @property
    def domain(self) -> str: ...

    def is_here(self, host: str) -> bool:
        """Whether a host in a Request-URI is one of our domains or addresses."""

    def sent_by(self, flow: Flow) -> str:
        """host[:port] for our Via on this flow."""

    def contact_of(self, flow: Flow) -> str:
        """Our Contact on this flow, in angle brackets."""

    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        """The flow by which a trunk is reached."""

    @property
    def reach(self) -> Reach:
        """The transports and address families that we have listeners for."""

    def media_host(self, listener: str, flow: Flow) -> str:
        """The address by which the peer at this flow reaches a port of the relay, which listens on `listener`."""

    def expect_name(self, flow: Flow, name: str) -> None:
        """The certificate that a TLS peer at this flow shows must be one for `name`."""


class Exchange:
    """One switch's SIP: registrations and calls."""

    def __init__(
        self,
        *,
        conf: Conf,
        network: Network,
        journal: Journal,
        clock: WallClock,
        random_bytes: Callable[[int], bytes],
        failpoints: Failpoints,
        state: Mapping[str, bytes],
    ) -> None:
        tokens = Tokens(random_bytes)
        self.timers = TimerQueue()
        self.counts = CallCounts()
        self.sip_counts = SipCounts()
        self.books = Books()
        limits = registrar_limits(conf)
        self.bindings = Bindings(limits)
        self.door = Door(
            conf,
            self.bindings,
            self.books,
            is_trunk=lambda host, port: self.trunks.trunk_at(host, port) is not None,
            record=lambda puts: journal.append(puts, [], is_urgent=False),
            offset_ms=lambda: int(clock.offset_s * 1000),
        )
        self.stack = Stack(
            tokens, self.timers, self, sent_by=network.sent_by, counts=self.sip_counts, gate=self.door
        )
        self.outgoing = self.stack.outgoing
        self.engine = Engine()

        def random() -> float:
            return int.from_bytes(random_bytes(4)) / 2**32

        pings = PingSchedule(ping_limits(conf), random)
        self.keepalive = Keepalive(pings, self.stack, tokens, network)
        self.trunks = Trunks(
            stack=self.stack, timers=self.timers, tokens=tokens, network=network, random=random
        )
        self.stack.stream_for = self.trunks.large.stream_for
        self.voicemail = VoicemailServer(conf.voicemail, self.stack, tokens, network)
        key, self._first_puts = signing_key(state, random_bytes)
        gruus = Gruus(network.domain, key)
        self.relay = Relay(tokens.tag(), self._record_figures) if conf.media.relay else None
        if self.relay is not None and conf.media.browsers and conf.listen.has_websockets:
            self.relay.gates = BrowserGates(tokens.tag())
        self.board = Switchboard(
            conf=conf,
            books=self.books,
            bindings=self.bindings,
            engine=self.engine,
            journal=journal,
            stack=self.stack,
            timers=self.timers,
            tokens=tokens,
            clock=clock,
            counts=self.counts,
            failpoints=failpoints,
            domain=network.domain,
            is_here=network.is_here,
            contact_of=network.contact_of,
            flow_to=network.flow_to,
            sign=key,
            binding_failed=self.keepalive.failed,
            gruus=gruus,
            trunks=self.trunks,
            relay=self.relay,
            media_host=network.media_host,
            voicemail=self.voicemail,
        )
        told = RegistrationEvents(self.board, lambda user, now: binding_put(self.board, user, now))
        self.registration_events = told
        self.keepalive.on_silent, self.keepalive.on_back = told.silent, told.back
        self.services = self.board.services = ServiceDesk(self.board)
        self.board.queue_desk = QueueDesk(self.board)
        self.voicemail.on_doubt = lambda heard_at, at: ask_for_calls(self.board, heard_at, at)
        self._screening = Screening(
            self.board,
            DigestAuthority(
                conf.digest.realm,
                random_bytes(32),
                nonce_lifetime_s=conf.digest.nonce_lifetime_s,
                domains=conf.exchange.domains,
            ),
            self.door,
            self.registration_events.refused,
        )
        self.dialog_screening = DialogScreening(self.board, self._screening)
        self._caller: Caller | None = None
        self._leg: Leg | None = None
        self.on_alias: Callable[[Flow, int], None] = _ignore_alias
        self.events = Events(self.board, self._screening.login)
        self.messaging = Messaging(self.board)
        self.tracer = Tracer(conf.trace, clock)
        self._connect_tracer()
        registrar = Registrar(self.bindings, limits, pings, gruus)
        self.registrations = Registrations(
            self.board, registrar, self.keepalive, self.events, self.messaging, self.registration_events
        )

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """One datagram or frame. A bug in here ends what it met, is counted and logged, and the exchange goes on."""
        try:
            self.stack.receive(data, flow, now)
        except Exception:  # the border
            self.counts.bugs += 1
            log.exception(
                "bug_while_receiving", remote=host_port(flow.remote_host, flow.remote_port), size=len(data)
            )

    def run_timers(self, now: float) -> bool:
        """Fire what is due; True if more is due at once. A bug in one timer does not stop the others."""
        try:
            return self.timers.run(now)
        except Exception:  # the border
            self.counts.bugs += 1
            log.exception("bug_in_timer")
            return True

    # Starting

    def load_books(
        self,
        snapshot: Snapshot,
        usage_since: Mapping[int, int],
        credits_since: Mapping[int, list[tuple[int, int]]],
        usage_by_day: Mapping[tuple[int, int], int] = MappingProxyType({}),
        *,
        state: Mapping[str, bytes] = MappingProxyType({}),
        bundle_uses: Mapping[tuple[int, str], tuple[int, int]] = MappingProxyType({}),
    ) -> None:
        """Start from the books, then replay what the journal has above them: usage, and credits known here.

        `usage_by_day` is that usage again, by account and London day, for the spending caps; `bundle_uses` are seconds
        of bundles, and `state` may hold grants.
        """
        self.books.load(snapshot)
        warn_of_conflicts(self.books.lines_with_addresses(), self.board.conf)
        load_balances(self.engine, snapshot, usage_since, credits_since)
        load_spends(self.engine, snapshot, usage_by_day)
        self._first_puts += load_bundles(self.engine, snapshot, state, bundle_uses)

    def restore(self, state: Mapping[str, bytes], now: float) -> None:
        """Take over what the journal kept: bindings live on, calls that were up are ended and recorded."""
        self.board.safety.begin(now)
        self.board.safety.restore(state, now)
        self.trunks.take_over(self.board.conf, now)
        self.registrations.restore(state, now)
        self.door.restore(state, now)
        if self._first_puts:
            self.board.record(self._first_puts)
        hang_up_recovered(self.board, state, now)
        self.events.restore(state, now)
        self.messaging.restore(state, now)
        self.services.restore(state)

    def record_conf(self, now: float) -> None:
        """Every loaded version of trunks, routing, tariffs and decks goes to the books, once for each load."""
        at_ms = self.board.clock.ms(now)
        versions = [
            ConfVersion(text.kind, text.name, text.version, at_ms, content_for_books(text.kind, text.content))
            for text in self.board.conf.versions
        ]
        small = [version for version in versions if len(version.content) < BIG_CONTENT_CHARS]
        self.board.record([], small)
        for version in versions:
            if len(version.content) >= BIG_CONTENT_CHARS:
                self.board.record([], [version])  # a frame of the journal has a limit

    def take_over(self, conf: Conf, now: float) -> None:
        """A changed configuration, valid as a whole. Calls that are up keep the rate and route they began with."""
        self.board.conf = conf
        self.registrations.take_over(conf)
        warn_of_conflicts(self.books.lines_with_addresses(), conf)
        self.door.take_over(conf)
        self.registration_events.take_over(conf)
        self.trunks.take_over(conf, now)
        self.voicemail.take_over(conf.voicemail)
        self.tracer.take_over(conf.trace)
        self._connect_tracer()
        self.record_conf(now)

    def _connect_tracer(self) -> None:
        """Switched off, it costs a call a few looks."""
        self.board.tracer = self.tracer if self.tracer.is_on else None
        self.stack.tap = self.tracer.tap if self.tracer.is_on else None

    # What the books say

    def apply_changes(self, changes: list[Change], now: float) -> None:
        """Accounts, lines, numbers and credits as they changed, in order."""
        for change in changes:
            self.books.apply(change)
            if isinstance(change, AccountChanged):
                set_account(self.engine, change.account)
            elif isinstance(change, Credited):
                put = take_credit(self.engine, change.credit)
                if put is not None:
                    self.board.record([put])
            elif isinstance(change, BundleChanged):
                self.board.record([take_grant(self.engine, change.bundle)])
            elif isinstance(change, LineChanged):
                warn_of_conflicts((change.line,), self.board.conf)
                self.events.line_changed(change.line.user, now)
            elif isinstance(change, LineRemoved):
                self.registrations.remove(change.user, now)
                self.events.line_removed(change.user, now)
                self.messaging.line_removed(change.user)
                self.services.line_removed(change.user)

    # The stack's transaction user

    def screen(self, request: Request, flow: Flow, now: float) -> Response | Silence | None:
        """Asked before anything is kept of a new request."""
        self._caller = self._leg = None
        if request.to_tag is not None:
            leg = self._leg = self.board.leg_of(request)
            if leg is None and self.events.notifier.find(request) is not None:
                return None
            if leg is None:
                return BANNED if self.door.is_silenced(flow, now) else make_response(request, 481)
            return self.dialog_screening.screen(leg, request, flow, now)
        if request.method == "PUBLISH" and self.voicemail.is_from(flow):
            return None
        if request.method == "INVITE" and self.services.out_calls.expects(request, flow):
            return None
        silence = self.door.silence(request, flow, now)
        if silence is not None:
            refused = self.registration_events.refused
            if silence is BANNED and refused.takes_banned():
                refused.note(SHUT_OUT, claimed_user(request), request, flow, now)
            return silence
        verdict = self._screening.screen(request, flow, now)
        if isinstance(verdict, Response):
            return verdict
        self._caller = verdict.caller
        if flow.connection and isinstance(verdict.caller, TrunkCaller):
            self._note_alias(request, flow)
        return None

    def _note_alias(self, request: Request, flow: Flow) -> None:
        """RFC 5923 8.1: a trunk that has connected to us asks to be called on that connection."""
        via = request.top_via
        if "alias" in via.params:
            self.on_alias(flow, via.port or (SIPS_PORT if flow.is_secure else SIP_PORT))

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        """A new request that passed the screen."""
        leg, self._leg = self._leg, None
        if leg is not None:
            leg.on_request(transaction, request, now)
            return
        if request.to_tag is not None:
            if not self.events.serve_in_dialog(transaction, request, flow, now):
                transaction.respond(make_response(request, 481), now)
            return
        caller, self._caller = self._caller, None
        if caller is None and isinstance(transaction, InviteServerTransaction):
            self._ring_out(transaction, request, flow, now)
            return
        if caller is None and request.method == "PUBLISH":
            self.voicemail.heard(request.headers.get("user-agent") or "", now)
            self.events.mailboxes.publish(transaction, request, now)
            return
        assert caller is not None, "a request outside a dialog that nobody screened"
        if isinstance(transaction, InviteServerTransaction):
            attempt = read_attempt(request, caller, self.board, now)
            self._invite(transaction, request, flow, attempt, now)
            return
        if request.method == "MESSAGE":
            self.messaging.deliver(transaction, request, caller, now)
            return
        assert isinstance(caller, LineCaller)
        match request.method:
            case "REGISTER":
                self.registrations.register(transaction, request, caller.line.user, flow, now)
            case _:
                self.events.serve(transaction, request, caller.line, flow, now)

    def takes_ack(self, request: Request, flow: Flow, now: float) -> bool:
        """Whether what an ACK says about media is from the dialog's peer."""
        leg = self.board.leg_of(request)
        return leg is None or self.dialog_screening.takes_ack(leg, flow, now)

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        leg = self.board.leg_of(request)
        if leg is not None:
            leg.on_ack(request, body_of(request), now)

    def on_cancel(self, transaction: InviteServerTransaction, cancel_request: Request, now: float) -> None:
        match transaction.user_data:
            case CallerLeg() as leg:
                leg.call.on_cancelled(now, passed_reason(cancel_request.headers.values("reason")))
            case Reinvite() as reinvite:
                reinvite.cancel(now)
            case _:
                transaction.respond(make_response(transaction.request, 487), now)

    def on_ack_missing(self, transaction: InviteServerTransaction, now: float) -> None:
        match transaction.user_data:
            case CallerLeg() as leg:
                leg.call.on_ack_missing(now)
            case Reinvite() as reinvite:
                reinvite.origin.call.on_dialog_lost(reinvite.origin, now)
            case _:
                pass

    def on_stray_response(self, response: Response, flow: Flow, now: float) -> None:
        """A 2xx that no transaction takes: a repeat in a live dialog is acknowledged, a ghost is hung up.

        Voicemail's word that it is there comes here, too.
        """
        if self.voicemail.takes(response, flow, now):
            return
        if not 200 <= response.status < 300 or response.cseq.method != "INVITE":
            return
        leg = self.board.legs.get((response.call_id, response.from_tag or ""))
        if leg is not None and leg.dialog is not None and leg.dialog.remote_tag == response.to_tag:
            leg.acknowledge_again(response.cseq.number)
        elif self.board.is_our_call_id(response.call_id):
            hang_up_stray(self.board, response, flow, now)

    def _ring_out(
        self, transaction: InviteServerTransaction, request: Request, flow: Flow, now: float
    ) -> None:
        """The media server calls a line for the exchange."""
        attempt = self.services.out_calls.attempt_of(request, flow, now)
        if attempt is None:
            transaction.respond(make_response(request, 404), now)
        else:
            self._invite(transaction, request, flow, attempt, now)

    def _invite(
        self, transaction: InviteServerTransaction, request: Request, flow: Flow, attempt: Attempt, now: float
    ) -> None:
        board = self.board
        caller = attempt.caller
        call = Call(board, self._mint_call_id(now), attempt)
        trunk = caller.trunk if isinstance(caller, TrunkCaller) else None
        leg = CallerLeg(
            board, call, transaction=transaction, request=request, flow=flow, trunk=trunk, now=now
        )
        call.take(leg)
        if board.tracer is not None:
            board.tracer.begin(call.id, request.call_id, payer_of(call), now)
        transaction.user_data = leg
        note_attempt(attempt, board)
        admission = keep_promise(request, flow, admit(request, attempt, board, now))
        self.services.note(attempt, admission, now)
        if isinstance(admission, Refusal):
            if attempt.failed is not None:
                attempt.failed(now)
            call.refuse(admission, now)
        elif admission.route.replaces is not None:
            replace_end(call, admission, admission.route.replaces, now)
        elif admission.route.code is not None:
            self.services.begin(call, admission, admission.route.code, now)
        else:
            call.begin(admission, now)
            note_begun(call, admission, now)

    def _mint_call_id(self, now: float) -> str:
        """Sortable by time, unguessable behind it: neighbours in time are neighbours in the database."""
        return f"{self.board.clock.ms(now):012x}-{self.board.tokens.tag()}"

    # Time

    def on_second(self, now: float) -> None:
        """Once a second: the heartbeat that bounds what a crash can cost, expired bindings, keep-alive pings."""
        silent = [call.id for call in self.board.calls.values() if call.is_unacknowledged]
        puts: list[Put] = [(HEARTBEAT_KEY, encode_heartbeat(now, self.board.clock.ms(now), silent))]
        puts += self.registrations.expire(now)
        self.board.record(puts)
        self.board.safety.on_second(now)
        self.door.on_second(now)
        self.keepalive.run(now)
        self.trunks.run(now)
        self.voicemail.run(now)
        self.board.line_calls.on_second(now)
        self.board.queue_desk.on_second(now)
        self.services.on_second(now)
        self.tracer.on_second(now)
        self.registration_events.on_second(now)

    def hear_browsers(self, message: FromBrowsers, now: float) -> None:
        """What the browsers' process says of its gates."""
        if self.relay is not None and self.relay.gates is not None:
            self.relay.gates.hear(message, now)

    def hear_relay(self, message: FromRelay, now: float) -> None:
        """What the relay says of its endpoints."""
        if self.relay is not None:
            self.relay.hear(message, now)

    def _record_figures(self, label: str, figures: Figures, now: float) -> None:
        record = media_figures(label, figures, self.board.clock.ms(now))
        self.board.record([], [record])
        self.tracer.hear(record)

    def on_flow_lost(self, flow: Flow, now: float) -> None:
        """A connection is gone: requests on it fail, its phones are dead until they register again."""
        self.registrations.flow_lost(flow, now)
        self.stack.handle_transport_error(flow, now)
        self.trunks.flow_lost(flow, now)

    # Stopping

    def drain(self, now: float) -> None:
        """No new calls; live ones are ended and settled."""
        self.board.is_draining = True
        self.trunks.leave(now)
        self.services.drain(now)
        self.registration_events.drain(now)
        for call in list(self.board.calls.values()):
            call.hang_up(now, words="the exchange is closing down", ended_by="exchange")


def _ignore_alias(flow: Flow, port: int) -> None:
    """Until the process has an edge."""
