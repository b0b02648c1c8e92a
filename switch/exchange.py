"""The transaction user above the stack: which request goes to whom (RFC 3261 5's TU).

State, input and `now` go in; bytes for peers and records for the journal come out. No socket, no clock, no await: the
process round it (switch/process.py) brings datagrams, timers, journal and books events, and afterwards flushes the
journal before it sends what is in `outgoing`.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from provisioning.model import Account, AccountChanged, Change, Credited, LineRemoved, Snapshot
from rating.account import AccountTerms
from rating.engine import Engine
from rating.records import ConfVersion
from switch.books import Books
from switch.calls.admission import admit, is_for_us, read_attempt
from switch.calls.call import Call
from switch.calls.caller_leg import CallerLeg
from switch.calls.counts import CallCounts
from switch.calls.identity import Caller, LineCaller, TrunkCaller
from switch.calls.passing import body_of
from switch.calls.q850 import passed_reason
from switch.calls.recovery import HEARTBEAT_KEY, encode_heartbeat
from switch.calls.refusal import Refusal
from switch.calls.reinvite import Reinvite
from switch.calls.restart import hang_up_recovered, signing_key
from switch.calls.stray_answer import hang_up_stray
from switch.calls.switchboard import Failpoints, Journal, Put, Switchboard, WallClock
from switch.config import Conf
from switch.keepalive import Keepalive
from switch.registrar.bindings import Bindings, RegistrarLimits, decode_bindings, encode_bindings
from switch.registrar.pings import PingLimits, PingSchedule
from switch.registrar.registrar import Registrar
from switch.screening import Screening
from switch.sip.counts import SipCounts
from switch.sip.digest import DigestAuthority
from switch.sip.flow import Flow
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.message import Request, Response, make_response
from switch.sip.stack import ServerTransaction, Stack
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens

BINDING_KEY = "b/"
CREDIT_KEY = "k/"

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
        self.stack = Stack(tokens, self.timers, self, sent_by=network.sent_by, counts=self.sip_counts)
        self.outgoing = self.stack.outgoing
        self.books = Books()
        self.engine = Engine()
        limits = _registrar_limits(conf)
        self.bindings = Bindings(limits)
        pings = PingSchedule(
            _ping_limits(conf),
            lambda: int.from_bytes(random_bytes(4)) / 2**32,
        )
        self.registrar = Registrar(self.bindings, limits, pings)
        self.keepalive = Keepalive(pings, self.stack, tokens, network)
        key, self._first_puts = signing_key(state, random_bytes)
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
        )
        self._screening = Screening(
            self.board,
            DigestAuthority(
                conf.digest.realm,
                random_bytes(32),
                nonce_lifetime_s=conf.digest.nonce_lifetime_s,
                domains=conf.exchange.domains,
            ),
        )
        self._caller: Caller | None = None

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """One datagram or frame. A bug in here ends what it met, is counted and logged, and the exchange goes on."""
        try:
            self.stack.receive(data, flow, now)
        except Exception:
            self.counts.bugs += 1
            log.exception(
                "bug_while_receiving", remote=f"{flow.remote_host}:{flow.remote_port}", size=len(data)
            )

    def run_timers(self, now: float) -> bool:
        """Fire what is due; True if more is due at once. A bug in one timer does not stop the others."""
        try:
            return self.timers.run(now)
        except Exception:
            self.counts.bugs += 1
            log.exception("bug_in_timer")
            return True

    # Starting

    def load_books(
        self,
        snapshot: Snapshot,
        usage_since: Mapping[int, int],
        credits_since: Mapping[int, list[tuple[int, int]]],
    ) -> None:
        """Start from the books, then replay what the journal has above them: usage, and credits known here."""
        self.books.load(snapshot)
        for account in snapshot.accounts:
            self._set_account(account)
        for balance in snapshot.balances:
            self.engine.load_balance(balance.account_id, balance.balance_micros, balance.credit_seq)
        for account_id, rows in credits_since.items():
            for credit_seq, amount_micros in sorted(rows):
                self.engine.apply_credit(account_id, credit_seq, amount_micros)
        for account_id, amount_micros in usage_since.items():
            if self.engine.totals(account_id) is not None:
                self.engine.debit_usage(account_id, amount_micros)

    def restore(self, state: Mapping[str, bytes], now: float) -> None:
        """Take over what the journal kept: bindings live on, calls that were up are ended and recorded."""
        offset_ms = self._offset_ms
        for key, value in state.items():
            if key.startswith(BINDING_KEY):
                user = key[len(BINDING_KEY) :]
                for binding in self.bindings.restore(decode_bindings(user, value, offset_ms), now):
                    self.keepalive.watch(binding, now)
        if self._first_puts:
            self.board.record(self._first_puts)
        hang_up_recovered(self.board, state, now)

    def record_conf(self, now: float) -> None:
        """Every loaded version of trunks, routing and tariffs goes to the books, once for each load."""
        at_ms = self.board.clock.ms(now)
        versions = [
            ConfVersion(text.kind, text.name, text.version, at_ms, text.content)
            for text in self.board.conf.versions
        ]
        self.board.record([], versions)

    def take_over(self, conf: Conf, now: float) -> None:
        """A changed configuration, valid as a whole. Calls that are up keep the rate and route they began with."""
        self.board.conf = conf
        self.bindings.limits = self.registrar.limits = _registrar_limits(conf)
        self.keepalive.schedule.limits = _ping_limits(conf)
        self.record_conf(now)

    # What the books say

    def apply_changes(self, changes: list[Change], now: float) -> None:
        """Accounts, lines, numbers and credits as they changed, in order."""
        for change in changes:
            self.books.apply(change)
            if isinstance(change, AccountChanged):
                self._set_account(change.account)
            elif isinstance(change, Credited):
                self._credit(change)
            elif isinstance(change, LineRemoved) and self.bindings.remove_user(change.user):
                self.board.record([(BINDING_KEY + change.user, None)])

    def _set_account(self, account: Account) -> None:
        terms = AccountTerms(
            id=account.id,
            vat=account.vat,
            floor_micros=account.floor_micros,
            is_suspended=account.is_suspended,
        )
        self.engine.set_account(terms)

    def _credit(self, change: Credited) -> None:
        """A top-up counts at once. The journal remembers it, so that a restart without the books keeps it."""
        credit = change.credit
        if self.engine.apply_credit(credit.account_id, credit.credit_seq, credit.amount_micros):
            key = f"{CREDIT_KEY}{credit.account_id}/{credit.credit_seq}"
            self.board.record([(key, str(credit.amount_micros).encode())])

    # The stack's transaction user

    def screen(self, request: Request, flow: Flow, now: float) -> Response | None:
        """Asked before anything is kept of a new request."""
        self._caller = None
        if request.to_tag is not None:
            return None
        verdict = self._screening.screen(request, flow, now)
        if isinstance(verdict, Response):
            return verdict
        self._caller = verdict.caller
        return None

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        """A new request that passed the screen."""
        if request.to_tag is not None:
            leg = self.board.leg_of(request)
            if leg is None:
                transaction.respond(make_response(request, 481), now)
            else:
                leg.on_request(transaction, request, now)
            return
        caller, self._caller = self._caller, None
        assert caller is not None, "a request outside a dialog that nobody screened"
        if request.method == "REGISTER":
            self._register(transaction, request, flow, caller, now)
        else:
            assert isinstance(transaction, InviteServerTransaction)
            self._invite(transaction, request, flow, caller, now)

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
        """A 2xx that no transaction takes: a repeat in a live dialog is acknowledged, a ghost is hung up."""
        if not 200 <= response.status < 300 or response.cseq.method != "INVITE":
            return
        leg = self.board.legs.get((response.call_id, response.from_tag or ""))
        if leg is not None and leg.dialog is not None and leg.dialog.remote_tag == response.to_tag:
            leg.acknowledge_again(response.cseq.number)
        elif self.board.is_our_call_id(response.call_id):
            hang_up_stray(self.board, response, flow, now)

    def _invite(
        self, transaction: InviteServerTransaction, request: Request, flow: Flow, caller: Caller, now: float
    ) -> None:
        board = self.board
        attempt = read_attempt(request, caller, board)
        call = Call(board, self._mint_call_id(now), attempt)
        trunk = caller.trunk if isinstance(caller, TrunkCaller) else None
        leg = CallerLeg(
            board, call, transaction=transaction, request=request, flow=flow, trunk=trunk, now=now
        )
        call.take(leg)
        transaction.user_data = leg
        admission = admit(request, attempt, board, now)
        if isinstance(admission, Refusal):
            call.refuse(admission, now)
        else:
            call.begin(admission, now)

    def _mint_call_id(self, now: float) -> str:
        """Sortable by time, unguessable behind it: neighbours in time are neighbours in the database."""
        return f"{self.board.clock.ms(now):012x}-{self.board.tokens.tag()}"

    def _register(
        self, transaction: ServerTransaction, request: Request, flow: Flow, caller: Caller, now: float
    ) -> None:
        assert isinstance(caller, LineCaller)
        user = caller.line.user
        if not is_for_us(request, self.board):
            response = make_response(request, 404)
        else:
            lost = [b.flow for b in self.bindings.of(user, now) if b.is_dead and b.flow.is_reliable]
            result = self.registrar.register(request, user, flow, now)
            if lost and self.board.of_line[user]:
                self._take_calls_along(user, lost, flow, now)
            response = make_response(request, result.status, result.reason)
            for name, value in result.headers:
                response.headers.add(name, value)
            if result.changed:
                self._record_bindings(user, now)
        self.counts.registrations[str(response.status)] += 1
        transaction.respond(response, now)

    def _take_calls_along(self, user: str, lost: list[Flow], flow: Flow, now: float) -> None:
        """A phone that registered over a new connection in place of a lost one is reached there in its calls, too."""
        left = {binding.flow for binding in self.bindings.of(user, now)}
        replaced = [old for old in lost if old not in left]
        for leg in self.board.legs.values():
            if leg.flow in replaced:
                leg.move(flow)

    def _record_bindings(self, user: str, now: float) -> None:
        live = self.bindings.of(user, now)
        value = encode_bindings(live, self._offset_ms) if live else None
        self.board.record([(BINDING_KEY + user, value)])

    @property
    def _offset_ms(self) -> int:
        return int(self.board.clock.offset_s * 1000)

    # Time

    def on_second(self, now: float) -> None:
        """Once a second: the heartbeat that bounds what a crash can cost, expired bindings, keep-alive pings."""
        silent = [call.id for call in self.board.calls.values() if call.is_unacknowledged]
        puts: list[Put] = [(HEARTBEAT_KEY, encode_heartbeat(now, self.board.clock.ms(now), silent))]
        for user in self.bindings.expire(now):
            live = self.bindings.of(user, now)
            puts.append((BINDING_KEY + user, encode_bindings(live, self._offset_ms) if live else None))
        self.board.record(puts)
        self.keepalive.run(now)

    def on_flow_lost(self, flow: Flow, now: float) -> None:
        """A connection is gone: requests on it fail, its phones are dead until they register again."""
        self.bindings.flow_lost(flow)
        self.stack.handle_transport_error(flow, now)

    # Stopping

    def drain(self, now: float) -> None:
        """No new calls; live ones are ended and settled."""
        self.board.is_draining = True
        for call in list(self.board.calls.values()):
            call.hang_up(now, words="the exchange is closing down", ended_by="exchange")


def _registrar_limits(conf: Conf) -> RegistrarLimits:
    settings = conf.registrar
    return RegistrarLimits(
        min_expires_s=settings.min_expires_s,
        max_expires_s=settings.max_expires_s,
        default_expires_s=settings.max_expires_s,
        expires_jitter_percent=settings.expires_jitter_percent,
        bindings_per_aor_max=settings.bindings_per_aor_max,
    )


def _ping_limits(conf: Conf) -> PingLimits:
    settings = conf.registrar
    return PingLimits(settings.ping_interval_s, settings.ping_rate_max, settings.ping_failures_max)
