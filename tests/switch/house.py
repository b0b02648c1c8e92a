"""A whole exchange without a socket, and phones and carriers that speak to it over a link.

The journal is a list: `durable` decides whether records become durable at once, when told, or never. The phones are our
own stack with a will of their own; somebody else's phones have their turn in tests/wire.
"""

from random import Random

import msgspec

from provisioning.model import (
    Account,
    AccountBalance,
    AccountKind,
    BundleBalance,
    DigestPolicy,
    Line,
    Number,
    Snapshot,
)
from rating.money import VatMode
from rating.records import Cdr, ConfVersion, EmergencyCall, MediaFigures, OutboxRecord, UsageEntry
from rating.tariff import Tariff, load_tariff
from switch.calls.routing import Routing, make_routing
from switch.calls.switchboard import Put, WallClock
from switch.calls.trunk_sources import Source, TrunkSources, ipv4_bits
from switch.conf_addresses import TrunkAddress
from switch.conf_media import Media
from switch.conf_trunks import Trunk
from switch.config import (
    CallLimits,
    Conf,
    Database,
    DigestSettings,
    Listen,
    Prepaid,
    RegistrarSettings,
    Security,
)
from switch.config import (
    Exchange as ExchangeConf,
)
from switch.exchange import Exchange
from switch.sip.dialog import Dialog
from switch.sip.digest import answer_challenge
from switch.sip.digest_values import MD5, SHA_256, ha1
from switch.sip.flow import Flow
from switch.sip.headers import Headers
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.message import Request, Response, make_response
from switch.sip.stack import ClientTransaction, ServerTransaction, SipCounts, Stack
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from switch.trunks.locate import Reach
from tests.clock import HandClock
from tests.link import Address, Link

EXCHANGE: Address = ("192.0.2.1", 5060)
DOMAIN = "example.com"
REALM = "offhook"
OFFER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
ANSWER = OFFER.replace(b"4000", b"5000")
STARTED_AT_S = 1_790_000_000.0  # UTC at monotonic 0
RECORDS = msgspec.msgpack.Decoder(OutboxRecord)

TARIFF_CSV = """prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until
+44,UK,0,0.012,60,6,2020-01-01,
+447,UK mobile,0.01,0.06,1,1,2020-01-01,
+4480,Freephone,0,0,1,1,2020-01-01,
118,Directory,1,1,60,60,2020-01-01,
"""


class MemoryJournal:
    """Keeps what was appended. `durable` is "at once", "when told" or "never"."""

    def __init__(self) -> None:
        self.durable = "at once"
        self.is_failed = False
        self.state: dict[str, bytes] = {}
        self.records: list[OutboxRecord] = []
        self.seq = 0
        self.on_durable = lambda seq: None
        self.told = 0
        self.urgent = 0

    def append(self, puts: list[Put], outbox: list[bytes], *, is_urgent: bool) -> int:
        self.seq += 1
        self.urgent += is_urgent
        for key, value in puts:
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        self.records.extend(RECORDS.decode(item) for item in outbox)
        return self.seq

    def answer_lost(self) -> None:
        self.is_failed = True

    def tell(self) -> None:
        """Everything appended so far is durable now."""
        if self.told < self.seq:
            self.told = self.seq
            self.on_durable(self.seq)

    def cdrs(self) -> list[Cdr]:
        return [record for record in self.records if isinstance(record, Cdr)]

    def usage(self) -> list[UsageEntry]:
        return [record for record in self.records if isinstance(record, UsageEntry)]

    def media(self) -> list[MediaFigures]:
        return [record for record in self.records if isinstance(record, MediaFigures)]

    def emergencies(self) -> list[EmergencyCall]:
        return [record for record in self.records if isinstance(record, EmergencyCall)]

    def conf_versions(self) -> list[ConfVersion]:
        return [record for record in self.records if isinstance(record, ConfVersion)]


class TestNetwork:
    """One listener."""

    __test__ = False
    domain = DOMAIN

    def is_here(self, host: str) -> bool:
        return host.lower() in (DOMAIN, EXCHANGE[0])

    def sent_by(self, flow: Flow) -> str:
        return f"{flow.local_host}:{flow.local_port}"

    def contact_of(self, flow: Flow) -> str:
        return f"<sip:{flow.local_host}:{flow.local_port}>"

    def media_host(self, listener: str, flow: Flow) -> str:
        return listener

    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        return Flow(transport, host, port, *EXCHANGE)

    reach = Reach()

    def __init__(self) -> None:
        self.expected_names: dict[tuple[str, int], str] = {}

    def expect_name(self, flow: Flow, name: str) -> None:
        self.expected_names[flow.remote_host, flow.remote_port] = name


class NoFailpoints:
    def reached(self, name: str) -> None:
        pass


def _sources(trunks: dict[str, Trunk]) -> TrunkSources:
    """Carriers by host, whatever the port."""
    return TrunkSources(
        (Source(bits, 32, None), name)
        for name, trunk in trunks.items()
        for address in trunk.addresses
        if (bits := ipv4_bits(address.host)) is not None
    )


def make_trunk(name: str, host: str, **settings: object) -> Trunk:
    return Trunk(name=name, addresses=(TrunkAddress(host, 5060),), **settings)


def make_conf(
    *,
    trunks: list[Trunk] = (),
    routing: Routing | None = None,
    tariff: Tariff | None = None,
    calls: CallLimits | None = None,
    prepaid: Prepaid | None = None,
    security: Security | None = None,
    media: Media | None = None,
) -> Conf:
    by_name = {trunk.name: trunk for trunk in trunks}
    names = tuple(by_name)
    if routing is None:
        routes = {"+": names, "1": names} if names else {}
        routing = make_routing(routes, emergency_trunks=names, version="routing1")
    return Conf(
        exchange=ExchangeConf(domains=(DOMAIN,)),
        listen=Listen(),
        database=Database(),
        registrar=RegistrarSettings(),
        calls=calls or CallLimits(),
        prepaid=prepaid or Prepaid(),
        digest=DigestSettings(realm=REALM),
        security=security or Security(),
        trunks=by_name,
        routing=routing,
        tariffs={"retail": tariff or load_tariff("retail", TARIFF_CSV, "inc_vat")},
        versions=[],
        warnings=[],
        trunk_sources=_sources(by_name),
        media=media or Media(),
    )


def make_line(user: str, account_id: int = 1, **changes: object) -> Line:
    line = Line(
        user=user,
        account_id=account_id,
        realm=REALM,
        ha1_md5=ha1(user, REALM, "secret", MD5),
        ha1_sha256=ha1(user, REALM, "secret", SHA_256),
        digest=DigestPolicy.MD5,
        cli="",
        emergency_number="",
        emergency_address="",
        withholds_cli=False,
        calls_max=0,
    )
    return msgspec.structs.replace(line, **changes)


def make_account(account_id: int = 1, **changes: object) -> Account:
    account = Account(
        id=account_id,
        name=f"account{account_id}",
        kind=AccountKind.PREPAID,
        vat=VatMode.INC_VAT,
        tariff="retail",
        credit_limit_micros=0,
        is_suspended=False,
        calls_max=0,
    )
    return msgspec.structs.replace(account, **changes)


class House:
    """An exchange, its journal and its books, on a link. Time moves with `run`."""

    def __init__(
        self,
        *,
        conf: Conf | None = None,
        lines: list[Line] = (),
        accounts: list[Account] = (),
        numbers: dict[str, str] | None = None,
        balances: dict[int, int] | None = None,
        link: Link | None = None,
        state: dict[str, bytes] | None = None,
        bundles: list[BundleBalance] = (),
        bundle_uses: dict[tuple[int, str], tuple[int, int]] | None = None,
        seed: int = 1,
    ) -> None:
        self.clock = link.clock if link else HandClock()
        self.link = link or Link(self.clock)
        self.journal = MemoryJournal()
        self.journal.state = dict(state or {})
        self.wall = WallClock(STARTED_AT_S)
        self.network = TestNetwork()
        self.conf = conf or make_conf()
        self.exchange = Exchange(
            conf=self.conf,
            network=self.network,
            journal=self.journal,
            clock=self.wall,
            random_bytes=Random(seed).randbytes,
            failpoints=NoFailpoints(),
            state=self.journal.state,
        )
        accounts = list(accounts) or [make_account()]
        balances = balances or {}
        self.exchange.load_books(
            Snapshot(
                taken_at_ms=0,
                change_seq=0,
                journal_epoch="",
                journal_batch=0,
                accounts=accounts,
                balances=[
                    AccountBalance(account.id, balances.get(account.id, 10_000_000), 0)
                    for account in accounts
                ],
                lines=list(lines),
                numbers=[Number(e164, user) for e164, user in (numbers or {}).items()],
                bundles=list(bundles),
            ),
            {},
            {},
            state=self.journal.state,
            bundle_uses=bundle_uses or {},
        )
        self.journal.on_durable = lambda seq: self.exchange.board.on_durable(seq, self.clock.now)
        self.link.attach(_Door(self), self.exchange.timers, EXCHANGE)
        self.exchange.restore(dict(state or {}), self.clock.now)

    def phone(self, user: str, host: str, **settings: object) -> "Phone":
        return Phone(self, user, (host, 5060), **settings)

    def run(self, seconds: float) -> None:
        """Let time pass, with the exchange's one-second beat."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.link.run(min(1.0, end - self.clock.now))
            self.exchange.on_second(self.clock.now)
            self._settle_journal()

    def _settle_journal(self) -> None:
        if self.journal.durable == "at once":
            self.journal.tell()

    def balance(self, account_id: int = 1) -> int:
        return self.exchange.engine.totals(account_id).balance_micros

    def killed_and_started_again(self) -> "House":
        """With the books as they are and what the journal has of the calls; nobody hears what it sends."""
        books = self.exchange.books
        return House(
            conf=self.conf,
            lines=list(books.lines.values()),
            accounts=list(books.accounts.values()),
            balances={number: self.balance(number) for number in books.accounts},
            state=self.journal.state,
            seed=2,
        )

    def assert_clean(self) -> None:
        """After every call everything is back where it started."""
        board = self.exchange.board
        assert not board.calls
        assert not board.legs
        assert self.exchange.engine.reservations_count == 0
        assert self.exchange.counts.bugs == 0
        assert [key for key in self.journal.state if key[:2] in ("c/", "h/")] == []
        assert board.safety.of_high_cost == {} and not board.safety._legs
        assert +board.of_line == {} and +board.of_account == {} and +board.of_trunk == {}


class _Door:
    """The exchange as an end of the link; the journal answers after each datagram where it is quick."""

    def __init__(self, house: House) -> None:
        self._house = house

    @property
    def outgoing(self) -> list[tuple[Flow, bytes]]:
        self._house._settle_journal()
        exchange = self._house.exchange
        if exchange.outgoing and exchange.board.tracer is not None:
            exchange.tracer.tap.sent(exchange.outgoing, self._house.clock.now)
        return exchange.outgoing

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        self._house.exchange.receive(data, flow, now)


class Phone:
    """Registers, calls, answers as told: `answer` is the final status, `answer_after_s` None rings for ever.

    `reinvite_status` 0 leaves a re-INVITE without a final answer.
    """

    def __init__(
        self, house: House, user: str, address: Address, *, password: str = "secret", seed: int = 7
    ) -> None:
        self.house = house
        self.user = user
        self.password = password
        self.address = address
        self.timers = TimerQueue()
        self.tokens = Tokens(Random(f"{user}{address}{seed}").randbytes)
        self.stack = Stack(
            self.tokens,
            self.timers,
            self,
            sent_by=lambda flow: f"{address[0]}:{address[1]}",
            counts=SipCounts(),
        )
        house.link.attach(self.stack, self.timers, address)
        self.contact = f"sip:{user}@{address[0]}:{address[1]}"
        self.flow = Flow("UDP", *EXCHANGE, *address)
        self.answer = 200
        self.answer_after_s: float | None = 0.5
        self.ring_status = 180
        self.ring_body = b""
        self.answer_body = ANSWER
        self.answer_headers: list[tuple[str, str]] = []
        self.reinvite_status = 200
        self.acks_answers = True
        self.statuses: list[int] = []
        self.responses: list[Response] = []
        self.requests: list[Request] = []
        self.acks: list[Request] = []
        self.dialogs: list[Dialog] = []
        self.invites: list[ClientTransaction] = []
        self._ringing: list[InviteServerTransaction] = []
        self._registered = 0

    # What it does

    def register(
        self,
        expires: int = 600,
        *,
        params: str = "",
        extra: list[tuple[str, str]] = (),
        call_id: str = "",
    ) -> None:
        """`params` are the Contact's, from the first ";"."""
        self._registered += 1
        headers = self._headers(
            "REGISTER",
            f"<sip:{self.user}@{DOMAIN}>",
            cseq=self._registered,
            call_id=call_id or f"r-{self.user}",
        )
        headers.add("contact", f"<{self.contact}>;expires={expires}{params}")
        for name, value in extra:
            headers.add(name, value)
        self.stack.send_request(
            Request("REGISTER", f"sip:{DOMAIN}", headers), self.flow, self, self.house.clock.now
        )
        self.house.run(0.2)

    def invite(
        self,
        dialled: str,
        *,
        body: bytes = OFFER,
        extra: list[tuple[str, str]] = (),
        uri: str = "",
        from_: str = "",
        call_id: str = "",
    ) -> ClientTransaction:
        uri = uri or f"sip:{dialled}@{DOMAIN}"
        headers = self._headers("INVITE", f"<{uri}>", from_=from_, call_id=call_id)
        headers.add("contact", f"<{self.contact}>")
        for name, value in extra:
            headers.add(name, value)
        request = Request("INVITE", uri, headers, body)
        if body:
            headers.add("content-type", "application/sdp")
        return self._send_invite(request, self.house.clock.now)

    def _send_invite(self, request: Request, now: float) -> ClientTransaction:
        transaction = self.stack.send_request(request, self.flow, self, now)
        self.invites.append(transaction)
        return transaction

    def hang_up(self) -> None:
        dialog = self.dialogs.pop()
        bye = dialog.create_request("BYE", contact=None)
        self.stack.send_request(bye, self.flow, self, self.house.clock.now)

    def send_in_dialog(self, method: str, body: bytes = b"", content_type: str = "") -> ClientTransaction:
        dialog = self.dialogs[-1]
        contact = f"<{self.contact}>" if method == "INVITE" else None
        request = dialog.create_request(method, contact=contact)
        request.body = body
        if body:
            request.headers.add("content-type", content_type or "application/sdp")
        return self.stack.send_request(request, self.flow, self, self.house.clock.now)

    def requests_of(self, method: str) -> list[Request]:
        return [request for request in self.requests if request.method == method]

    # How it reacts

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        self.statuses.append(response.status)
        self.responses.append(response)
        request = transaction.request
        if response.status in (401, 407) and self._answer_challenge(request, response, transaction, now):
            return
        if request.method == "INVITE" and response.is_success:
            dialog = next((d for d in self.dialogs if d.call_id == response.call_id), None)
            if dialog is None:
                dialog = Dialog.from_response(request, response, self.flow)
                self.dialogs.append(dialog)
            if self.acks_answers:
                ack = dialog.create_ack(response.cseq.number)
                if not request.body and response.body:
                    ack.body = ANSWER
                    ack.headers.add("content-type", "application/sdp")
                self.stack.send_ack(ack, self.flow)

    def _answer_challenge(
        self, request: Request, response: Response, transaction: ClientTransaction, now: float
    ) -> bool:
        if "authorization" in request.headers or "proxy-authorization" in request.headers:
            return False
        proxy = response.status == 407
        challenges = response.headers.get_all("proxy-authenticate" if proxy else "www-authenticate")
        answer = answer_challenge(
            challenges,
            method=request.method,
            uri=request.uri,
            username=self.user,
            password=self.password,
            cnonce="c0ffee",
        )
        if answer is None:
            return False
        request.headers.set("cseq", f"{request.cseq.number + 1} {request.method}")
        request.headers.add("proxy-authorization" if proxy else "authorization", answer)
        request.forget()
        self._registered += request.method == "REGISTER"
        if request.method == "INVITE":
            self._send_invite(request, now)
        else:
            self.stack.send_request(request, self.flow, self, now)
        return True

    def on_timeout(self, transaction: ClientTransaction, now: float) -> None:
        self.statuses.append(-408)

    def on_transport_error(self, transaction: ClientTransaction, now: float) -> None:
        self.statuses.append(-503)

    def screen(self, request: Request, flow: Flow, now: float) -> Response | None:
        return None

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        self.requests.append(request)
        if request.method == "INVITE" and request.to_tag is None:
            self._ring(transaction, request, now)
        elif request.method == "INVITE":
            self._answer_reinvite(transaction, request, now)
        elif request.method == "BYE":
            self.dialogs = [dialog for dialog in self.dialogs if dialog.call_id != request.call_id]
            transaction.respond(make_response(request, 200), now)
        else:
            transaction.respond(make_response(request, 200, to_tag=self.tokens.tag()), now)

    def _ring(self, transaction: InviteServerTransaction, request: Request, now: float) -> None:
        tag = self.tokens.tag()
        transaction.user_data = tag
        self._ringing.append(transaction)
        if self.ring_status:
            ringing = make_response(request, self.ring_status, to_tag=tag)
            ringing.headers.add("contact", f"<{self.contact}>")
            if self.ring_body:
                ringing.body = self.ring_body
                ringing.headers.add("content-type", "application/sdp")
            transaction.respond(ringing, now)
        if self.answer_after_s is not None:
            self.timers.start(now, self.answer_after_s, lambda later: self._answer(transaction, tag, later))

    def _answer(self, transaction: InviteServerTransaction, tag: str, now: float) -> None:
        if transaction.is_final:
            return
        final = make_response(transaction.request, self.answer, to_tag=tag)
        for name, value in self.answer_headers:
            final.headers.add(name, value)
        if final.is_success:
            final.headers.add("contact", f"<{self.contact}>")
            final.body = self.answer_body
            final.headers.add("content-type", "application/sdp")
            self.dialogs.append(Dialog.from_request(transaction.request, tag, self.flow))
        transaction.respond(final, now)

    def _answer_reinvite(self, transaction: InviteServerTransaction, request: Request, now: float) -> None:
        for dialog in self.dialogs:
            if dialog.call_id == request.call_id:
                dialog.accept_request(request)
        if not self.reinvite_status:
            return
        response = make_response(request, self.reinvite_status)
        if response.is_success:
            response.headers.add("contact", f"<{self.contact}>")
            response.body = self.answer_body
            response.headers.add("content-type", "application/sdp")
        transaction.respond(response, now)

    def takes_ack(self, request: Request, flow: Flow, now: float) -> bool:
        return True

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        self.acks.append(request)

    def on_cancel(self, transaction: InviteServerTransaction, cancel_request: Request, now: float) -> None:
        self.requests.append(cancel_request)
        transaction.respond(make_response(transaction.request, 487, to_tag=str(transaction.user_data)), now)

    def on_ack_missing(self, transaction: InviteServerTransaction, now: float) -> None:
        self.statuses.append(-1)

    def on_stray_response(self, response: Response, flow: Flow, now: float) -> None:
        pass

    def _headers(self, method: str, to: str, *, cseq: int = 1, call_id: str = "", from_: str = "") -> Headers:
        headers = Headers()
        headers.add("max-forwards", "70")
        sender = from_ or f"<sip:{self.user}@{DOMAIN}>"
        headers.add("from", f"{sender};tag={self.tokens.tag()}")
        headers.add("to", to)
        headers.add("call-id", call_id or self.tokens.call_id())
        headers.add("cseq", f"{cseq} {method}")
        return headers
