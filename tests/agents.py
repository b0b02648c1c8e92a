"""Users of a stack: `Recorder` writes down what it is told, `Agent` is a user agent of few words."""

from random import Random

from switch.sip.counts import SipCounts
from switch.sip.dialog import Dialog
from switch.sip.flow import Flow
from switch.sip.headers import Headers
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.message import Request, Response, make_response
from switch.sip.stack import ClientTransaction, ServerTransaction, Stack
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from tests.clock import HandClock
from tests.link import Address, Link


def make_request(
    method: str, uri: str, *, tag: str, call_id: str, cseq: int = 1, contact: str = ""
) -> Request:
    """A request outside a dialog, all but Via."""
    headers = Headers()
    headers.add("max-forwards", "70")
    headers.add("from", f"<sip:caller@example.com>;tag={tag}")
    headers.add("to", f"<{uri}>")
    headers.add("call-id", call_id)
    headers.add("cseq", f"{cseq} {method}")
    if contact:
        headers.add("contact", f"<{contact}>")
    return Request(method, uri, headers)


def sent_by(flow: Flow) -> str:
    return f"{flow.local_host}:{flow.local_port}"


class Recorder:
    """Both kinds of user. It answers nothing by itself: tests do."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.server_transactions: list[ServerTransaction] = []
        self.screen_status = 0  # with which `screen` refuses

    def screen(self, request: Request, flow: Flow, now: float) -> Response | None:
        return make_response(request, self.screen_status) if self.screen_status else None

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        self.told.append(request.method)
        self.server_transactions.append(transaction)

    def takes_ack(self, request: Request, flow: Flow, now: float) -> bool:
        return True

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        self.told.append("ACK")

    def on_cancel(self, transaction: InviteServerTransaction, cancel_request: Request, now: float) -> None:
        self.told.append("CANCEL")

    def on_ack_missing(self, transaction: InviteServerTransaction, now: float) -> None:
        self.told.append("ack-missing")

    def on_stray_response(self, response: Response, flow: Flow, now: float) -> None:
        self.told.append(f"stray-{response.status}")

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        repeat = "again-" if transaction.is_repeat(response) else ""
        self.told.append(f"{repeat}{response.status}")

    def on_timeout(self, transaction: ClientTransaction, now: float) -> None:
        self.told.append("timeout")

    def on_transport_error(self, transaction: ClientTransaction, now: float) -> None:
        self.told.append("transport-error")

    def take(self) -> str:
        """What it was told since the last time, joined by commas."""
        told, self.told = ",".join(self.told), []
        return told


class Agent:
    """Behaviour is set before the call: `answer` is the final status, `ring_s` when it comes, None never."""

    def __init__(self, clock: HandClock, link: Link, address: Address, *, seed: int = 0) -> None:
        self.clock = clock
        self.address = address
        self.timers = TimerQueue()
        self.tokens = Tokens(Random(seed).randbytes)
        self.counts = SipCounts()
        self.stack = Stack(
            self.tokens,
            self.timers,
            self,
            sent_by=lambda flow: f"{flow.local_host}:{flow.local_port}",
            counts=self.counts,
        )
        link.attach(self.stack, self.timers, address)
        self.contact = f"sip:{address[0]}:{address[1]}"
        self.answer = 200
        self.ring_s: float | None = 0.1
        self.talk_s: float | None = None  # the caller hangs up after so long
        self.dialogs: dict[tuple[str, str, str | None], Dialog] = {}
        self.events: list[str] = []
        self.statuses: list[int] = []
        self.transactions: list[ServerTransaction] = []
        self.screen_status = 0
        self.acks: dict[str, Request] = {}  # To tag -> the ACK of its 2xx

    # The caller's side.

    def call(self, flow: Flow) -> ClientTransaction:
        uri = f"sip:callee@{flow.remote_host}:{flow.remote_port}"
        invite = make_request(
            "INVITE", uri, tag=self.tokens.tag(), call_id=self.tokens.call_id(), contact=self.contact
        )
        return self.stack.send_request(invite, flow, self, self.clock.now)

    def send(self, method: str, flow: Flow) -> ClientTransaction:
        uri = f"sip:{flow.remote_host}:{flow.remote_port}"
        request = make_request(method, uri, tag=self.tokens.tag(), call_id=self.tokens.call_id())
        return self.stack.send_request(request, flow, self, self.clock.now)

    def hang_up(self, dialog: Dialog, now: float) -> None:
        if self.dialogs.pop(dialog.key, None) is not None:
            self.events.append("hung up")
            self.stack.send_request(dialog.create_request("BYE", contact=None), dialog.flow, self, now)

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        self.statuses.append(response.status)
        if transaction.method != "INVITE" or not response.is_success:
            return
        tag = response.to_tag or ""
        if transaction.is_repeat(response):
            self.events.append("repeated 2xx")
        else:
            dialog = Dialog.from_response(transaction.request, response, transaction.flow)
            self.dialogs[dialog.key] = dialog
            self.acks[tag] = dialog.create_ack(response.cseq.number)
            if self.talk_s is not None:
                self.timers.start(now, self.talk_s, lambda later: self.hang_up(dialog, later))
        self.stack.send_ack(self.acks[tag], transaction.flow)

    def on_timeout(self, transaction: ClientTransaction, now: float) -> None:
        self.events.append(f"timeout {transaction.method}")

    def on_transport_error(self, transaction: ClientTransaction, now: float) -> None:
        self.events.append(f"transport error {transaction.method}")

    # The callee's side.

    def screen(self, request: Request, flow: Flow, now: float) -> Response | None:
        return make_response(request, self.screen_status) if self.screen_status else None

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        self.events.append(request.method)
        self.transactions.append(transaction)
        if request.method == "INVITE":
            self._ring(transaction, request, flow, now)
        elif request.method == "BYE":
            key = (request.call_id, request.to_tag or "", request.from_tag)
            known = self.dialogs.pop(key, None)
            transaction.respond(make_response(request, 200 if known else 481, to_tag=self.tokens.tag()), now)
        elif self.ring_s is not None:
            transaction.respond(make_response(request, 200, to_tag=self.tokens.tag()), now)

    def _ring(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        tag = self.tokens.tag()
        transaction.trying(now)
        ringing = make_response(request, 180, to_tag=tag)
        ringing.headers.add("contact", f"<{self.contact}>")
        transaction.respond(ringing, now)
        if self.ring_s is not None:
            self.timers.start(now, self.ring_s, lambda later: self._answer(transaction, tag, flow, later))

    def _answer(self, transaction: ServerTransaction, tag: str, flow: Flow, now: float) -> None:
        if transaction.is_final:
            return
        transaction.user_data = transaction.request
        final = make_response(transaction.request, self.answer, to_tag=tag)
        if final.is_success:
            final.headers.add("contact", f"<{self.contact}>")
            dialog = Dialog.from_request(transaction.request, tag, flow)
            dialog.is_early = False
            self.dialogs[dialog.key] = dialog
        transaction.respond(final, now)

    def takes_ack(self, request: Request, flow: Flow, now: float) -> bool:
        return True

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        self.events.append("ACK")

    def on_cancel(self, transaction: InviteServerTransaction, cancel_request: Request, now: float) -> None:
        self.events.append("CANCEL")
        transaction.respond(make_response(transaction.request, 487, to_tag=transaction.to_tag), now)

    def on_ack_missing(self, transaction: InviteServerTransaction, now: float) -> None:
        self.events.append("ACK missing")
        request = transaction.user_data
        assert isinstance(request, Request)
        key = (request.call_id, transaction.to_tag or "", request.from_tag)
        if key in self.dialogs:
            self.hang_up(self.dialogs[key], now)

    def on_stray_response(self, response: Response, flow: Flow, now: float) -> None:
        self.events.append(f"stray {response.status} {response.cseq.method}")
