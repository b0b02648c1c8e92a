"""The transaction layer at its border: bytes and `now` in, calls to the TU and bytes out (RFC 3261 17).

`receive` parses, lets the door refuse, finds the transaction or makes one. What is stateless is here too:
refusals, challenges (the TU's `screen`), 481 to a stray CANCEL, 482 to a merged request, 503 when full; to a
stranger they are limited in size (stateless.py) and by the `gate`. The machines have a file each. Left out:
sockets, DNS, which peers take large requests by TCP (18.1.1) and Timer C, which are the TU's.

The shell owns the clock and the sockets:

    stack.receive(data, flow, now)              for each datagram or frame
    timers.run(now)                             when timers.next_deadline() has come
    for flow, data in stack.outgoing: ...       after each turn, then stack.outgoing.clear()
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Final, TypeAlias

from switch.sip.counts import SipCounts
from switch.sip.errors import SipParseError
from switch.sip.flow import UDP, Flow, is_same_peer
from switch.sip.invite_client import InviteClientTransaction
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.layer import TransactionLayer, add_to_tag
from switch.sip.matching import ServerKey, ack_key, client_key, is_legacy_key, merge_key, server_key
from switch.sip.message import Request, Response, format_message, make_response
from switch.sip.non_invite_client import NonInviteClientTransaction
from switch.sip.non_invite_server import NonInviteServerTransaction
from switch.sip.parser import is_keepalive, parse_message
from switch.sip.response_route import response_flow, stamp_source
from switch.sip.stateless import OCTETS_MAX, SURPLUS_MAX, fitting
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from switch.sip.user import AnswerGate, ClientUser, MessageTap, Silence, TransactionUser
from switch.sip.validate import DoorRefusal, door_refusal, response_problem

__all__ = (
    "TRANSACTIONS_HARD_MAX",
    "TRANSACTIONS_MAX",
    "ClientTransaction",
    "ClientUser",
    "ServerTransaction",
    "SipCounts",
    "Stack",
    "TransactionUser",
)

ClientTransaction: TypeAlias = InviteClientTransaction | NonInviteClientTransaction
ServerTransaction: TypeAlias = InviteServerTransaction | NonInviteServerTransaction

# Each call leaves five transactions behind for up to 32 s, each REGISTER one: this is some 900 new calls a second,
# or a hundred thousand phones that register within half a minute and half as many again. At less than 3 kB each it
# is 400 MB of the gigabyte that the switch may take. Beyond it new calls get 503, while those that are up go on.
TRANSACTIONS_MAX: Final = 150_000
# Beyond this also what belongs to a dialog, or claims to, gets 503: an attacker can write a To tag, too.
TRANSACTIONS_HARD_MAX: Final = 200_000
# Refused callers come back spread over so many seconds and not all at once.
LARGE_REQUEST_BYTES: Final = 1300  # 18.1.1: the path's MTU is not known, and a lost fragment loses the whole
RETRY_AFTER_MIN_S: Final = 5
RETRY_AFTER_SPREAD_S: Final = 6
STATELESS_TAG_BYTES: Final = 8
STATELESS_KEY_BYTES: Final = 16


class Stack:
    """All transactions of one process.

    `sent_by(flow)` is the host[:port] for our Via on that flow. `stateless_key` makes the To tags of
    stateless responses; without one it is drawn from `tokens`. Without a `gate` nobody is a stranger.
    """

    __slots__ = (
        "_gate",
        "_layer",
        "_octets",
        "_sent_by",
        "_stateless_key",
        "_tokens",
        "_tu",
        "counts",
        "outgoing",
        "stream_for",
        "tap",
        "timers",
    )

    def __init__(
        self,
        tokens: Tokens,
        timers: TimerQueue,
        tu: TransactionUser,
        *,
        sent_by: Callable[[Flow], str],
        counts: SipCounts,
        stateless_key: bytes | None = None,
        gate: AnswerGate | None = None,
    ) -> None:
        self._gate = gate
        self._octets = 0  # of the message that is being received
        self._tokens = tokens
        self._tu = tu
        self._sent_by = sent_by
        self._stateless_key = stateless_key or tokens.secret(STATELESS_KEY_BYTES)
        self._layer = TransactionLayer(tokens, timers, tu, counts)
        self.counts = counts
        self.timers = timers
        # 18.1.1: the stream by which a large request goes instead of a datagram, or None; the TU knows the peers.
        self.stream_for: Callable[[Request, Flow, float], Flow | None] | None = None
        self.tap: MessageTap | None = None  # of whoever keeps traces of calls
        # What the shell is to send, in order. It is the same list for ever: drain it and clear() it.
        self.outgoing: list[tuple[Flow, bytes]] = self._layer.outgoing

    @property
    def transactions_count(self) -> int:
        """Client and server transactions that have not ended."""
        return len(self._layer.clients) + len(self._layer.servers)

    def transactions(self) -> Iterator[ClientTransaction | ServerTransaction]:
        """All of them, for the operator and for tests."""
        yield from self._layer.clients.values()
        yield from self._layer.servers.values()

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """One datagram, or one frame of a stream. The peer's faults are answered or dropped, and counted.

        What it raises comes from the TU, whose unanswered request has then been answered 500.
        """
        self._octets = len(data)
        try:
            message = parse_message(data)
            if self.tap is not None:
                self.tap.received(message, data, flow, now)
            if isinstance(message, Request):
                self._receive_request(message, flow, now)
            else:
                self._receive_response(message, flow, now)
            if message.quirks:
                self.counts.let_through(message.quirks)
        except SipParseError as error:
            self._receive_nonsense(error, data, flow, now)

    def send_request(self, request: Request, flow: Flow, user: ClientUser, now: float) -> ClientTransaction:
        """Send a request that has all its fields but Via, and report to `user` what becomes of it.

        A Via that it has from being sent before is replaced, so a challenged request can go again.
        """
        key = (self._add_via(request, flow), request.method)
        data = format_message(request)
        if len(data) > LARGE_REQUEST_BYTES and flow.transport == UDP and self.stream_for is not None:
            stream = self.stream_for(request, flow, now)
            if stream is not None:
                flow = stream
                key = (self._add_via(request, flow), request.method)
                data = format_message(request)
        self.counts.request_sent(request.method)
        if request.method == "INVITE":
            return InviteClientTransaction(self._layer, key, request, flow, data=data, user=user, now=now)
        return NonInviteClientTransaction(self._layer, key, request, flow, data=data, user=user, now=now)

    def cancel(
        self, transaction: ClientTransaction, now: float, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Cancel an INVITE (9.1), once there is a provisional; `headers` may hold a Reason.

        The INVITE still ends as it ends: by its final response (487, or a 2xx that crossed), or by
        `on_timeout`.
        """
        if isinstance(transaction, InviteClientTransaction):
            transaction.cancel(now, headers)

    def send_ack(self, request: Request, flow: Flow) -> None:
        """Send the ACK of a 2xx: once, with a branch of its own. The user sends it again for each repeated
        2xx.
        """
        self._add_via(request, flow)
        self.counts.request_sent("ACK")
        self.outgoing.append((flow, format_message(request)))

    def _respond_statelessly(self, request: Request, response: Response, flow: Flow, now: float) -> None:
        """Answer the request that is being received, and forget. A stranger may get less, or nothing."""
        gate = self._gate
        data: bytes | None
        if gate is None or not gate.is_stranger(flow, now):
            data = format_message(response)
        else:
            # A stream's address cannot be forged, so only datagrams are held to a size.
            octets_max = OCTETS_MAX if flow.is_reliable else self._octets + SURPLUS_MAX
            data = fitting(response, octets_max)
            reason = "answer too large" if data is None else gate.refusal_to_answer(flow, len(data), now)
            if reason:
                self.counts.drop(reason)
                return
        assert data is not None
        self.counts.response_sent(response.status)
        self.outgoing.append((response_flow(request.top_via, flow), data))

    def stateless_tag(self, request: Request) -> str:
        """The To tag of a stateless response: the same for every copy, and nobody else can make it.

        It reads the Call-ID as text, because a request that is refused for its Call-ID has no other.
        """
        text = f"{request.top_via.branch}\0{request.headers.get('call-id')}"
        data = text.encode("utf-8", "surrogateescape")
        return blake2b(data, digest_size=STATELESS_TAG_BYTES, key=self._stateless_key).hexdigest()

    def handle_transport_error(self, flow: Flow, now: float) -> None:
        """The flow broke: client transactions on it that wait for a response fail at once.

        It looks at every client transaction, as errors are rare and an index by flow would cost every call.
        """
        for transaction in list(self._layer.clients.values()):
            if _is_same_path(transaction.flow, flow):
                transaction.fail(now)

    def _add_via(self, request: Request, flow: Flow) -> str:
        headers = request.headers
        if "via" in headers:
            headers.remove("via")
            request.forget()
        branch = self._tokens.branch()
        headers.prepend("via", f"SIP/2.0/{flow.transport} {self._sent_by(flow)};rport;branch={branch}")
        return branch

    def _receive_nonsense(self, error: SipParseError, data: bytes, flow: Flow, now: float) -> None:
        if error.request is None:
            if is_keepalive(data):
                self.counts.drop("keepalive")
            else:
                self.counts.parse_failed(error.reason)
            return
        if self.tap is not None:
            self.tap.received(error.request, data, flow, now)
        self.counts.parse_failed(error.reason)
        self._refuse(error.request, error.status, flow, now, reason=error.reason)

    def _refuse(
        self,
        request: Request,
        status: int,
        flow: Flow,
        now: float,
        *,
        reason: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """A stateless final response of our own."""
        silence = None if self._gate is None else self._gate.silence(request, flow, now)
        if silence is not None:
            self.counts.drop(silence.reason)
            return
        stamp_source(request, flow)
        response = make_response(request, status, reason, to_tag=self.stateless_tag(request))
        for name, value in headers:
            response.headers.add(name, value)
        self._respond_statelessly(request, response, flow, now)

    def _receive_response(self, response: Response, flow: Flow, now: float) -> None:
        counts = self.counts
        counts.response_received(response.status)
        # A 100 only stops repeats; the user of anything else may read whatever it wants without surprise.
        if response.status > 100 and response_problem(response) is not None:
            counts.parse_failed("Malformed response")
            response.quirks = 0
            return
        if response.headers.count("via") != 1:
            counts.drop("response with more than our Via")  # 8.1.3.3: it was meant for somebody else
            return
        transaction = self._layer.clients.get(client_key(response))
        if transaction is None:
            self._tu.on_stray_response(response, flow, now)
        else:
            transaction.receive(response, now)

    def _receive_request(self, request: Request, flow: Flow, now: float) -> None:
        method = request.method
        self.counts.request_received(method)
        refusal = door_refusal(request)
        if refusal is not None:
            self._refuse_at_door(request, refusal, flow, now)
        elif method == "ACK":
            self._receive_ack(request, flow, now)
        else:
            key = server_key(request, method)
            transaction = self._layer.servers.get(key)
            if transaction is not None:
                transaction.receive_repeat(now)
            elif method == "CANCEL":
                self._receive_cancel(request, key, flow, now)
            else:
                self._receive_new(request, key, flow, now)

    def _refuse_at_door(self, request: Request, refusal: DoorRefusal, flow: Flow, now: float) -> None:
        self.counts.parse_failed(refusal.reason)
        request.quirks = 0  # none was let through
        if request.method != "ACK":
            self._refuse(request, refusal.status, flow, now, reason=refusal.reason, headers=refusal.headers)

    def _receive_ack(self, request: Request, flow: Flow, now: float) -> None:
        """17.2.3 for the ACK of a non-2xx, the dialog for that of a 2xx, the tag alone for that of a
        stateless one.
        """
        layer = self._layer
        key = server_key(request, "INVITE")
        transaction = layer.servers.get(key)
        if (
            isinstance(transaction, InviteServerTransaction)
            and not transaction.is_accepted
            and (not is_legacy_key(key) or request.to_tag == transaction.to_tag)
        ):
            transaction.receive_ack(now)
            return
        accepted = layer.awaiting_ack.get(ack_key(request, request.to_tag))
        if accepted is None:
            if request.to_tag != self.stateless_tag(request):
                self.counts.drop("stray ACK")
        elif request.body and not self._tu.takes_ack(request, flow, now):
            self.counts.drop("ACK with a body from elsewhere")
        elif accepted.acknowledge():
            self._tu.on_ack(request, flow, now)
        else:
            self.counts.retransmissions_in += 1

    def _receive_cancel(self, request: Request, key: ServerKey, flow: Flow, now: float) -> None:
        """9.2: answered at once, whatever the TU makes of it.

        A CANCEL from another flow than the INVITE's is answered as if there were none: whoever has overheard
        a branch cannot end the call with it.
        """
        layer = self._layer
        invite = layer.servers.get(server_key(request, "INVITE"))
        if not isinstance(invite, InviteServerTransaction) or not is_same_peer(invite.flow, flow):
            self._refuse(request, 481, flow, now)
            return
        stamp_source(request, flow)
        route = response_flow(request.top_via, flow)
        transaction = NonInviteServerTransaction(
            layer, key, request, flow, response_flow=route, merge_key=None
        )
        to_tag = invite.to_tag or self._tokens.tag()
        transaction.respond(make_response(request, 200, to_tag=to_tag), now)
        if not invite.is_final:
            self._tu.on_cancel(invite, request, now)

    def _receive_new(self, request: Request, key: ServerKey, flow: Flow, now: float) -> None:
        layer = self._layer
        stamp_source(request, flow)
        merging = merge_key(request) if request.to_tag is None else None
        if merging is not None and merging in layer.merged:
            self.counts.drop("merged request")
            self._refuse(request, 482, flow, now)  # 8.2.2.2
            return
        verdict = self._tu.screen(request, flow, now)
        if verdict is not None:
            if isinstance(verdict, Silence):
                self.counts.drop(verdict.reason)
                return
            if verdict.status > 100 and verdict.to_tag is None:
                add_to_tag(verdict, self.stateless_tag(request))
            self._respond_statelessly(request, verdict, flow, now)
            return
        if self._is_full(request):
            self.counts.drop("transactions max")
            self._refuse(request, 503, flow, now, headers=(("Retry-After", self._retry_after(request)),))
            return
        route = response_flow(request.top_via, flow)
        make = InviteServerTransaction if request.method == "INVITE" else NonInviteServerTransaction
        transaction = make(layer, key, request, flow, response_flow=route, merge_key=merging)
        self._start(transaction, request, flow, now)

    def _start(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        try:
            self._tu.on_request(transaction, request, flow, now)
        except SipParseError as error:
            self.counts.parse_failed(error.reason)
            _answer_if_silent(transaction, error.status, now)
        except Exception:  # raised again: who sent this is answered, and the transaction does not stay for ever
            _answer_if_silent(transaction, 500, now)
            raise
        transaction.await_answer(now)

    def _is_full(self, request: Request) -> bool:
        count = self.transactions_count
        if count < TRANSACTIONS_MAX:
            return False
        return count >= TRANSACTIONS_HARD_MAX or (request.method == "INVITE" and request.to_tag is None)

    def _retry_after(self, request: Request) -> str:
        return str(RETRY_AFTER_MIN_S + int(self.stateless_tag(request), 16) % RETRY_AFTER_SPREAD_S)


def _answer_if_silent(transaction: ServerTransaction, status: int, now: float) -> None:
    if not transaction.is_final:
        transaction.respond(make_response(transaction.request, status), now)


def _is_same_path(used: Flow, broken: Flow) -> bool:
    """Equal, or the same peer over a stream where one side leaves the connection to the edge."""
    if used == broken:
        return True
    return used.is_reliable and used[:3] == broken[:3] and not (used.connection and broken.connection)
