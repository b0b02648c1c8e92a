"""Whatever comes in whatever order: no transaction leaves its table, and every one ends.

The steps are drawn from what a peer, a TU and the time can do, with few different branches, tags and numbers,
so that messages meet transactions in every state.
"""

from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from switch.sip.counts import SipCounts
from switch.sip.flow import TCP, UDP, Flow
from switch.sip.invite_client import InviteClientTransaction
from switch.sip.message import Request, format_message, make_response
from switch.sip.parser import parse_message
from switch.sip.stack import Stack
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from tests.agents import Recorder, make_request, sent_by

FLOWS = (
    Flow(UDP, "192.0.2.1", 5060, "192.0.2.9", 5060),
    Flow(UDP, "192.0.2.2", 5060, "192.0.2.9", 5060),
    Flow(TCP, "192.0.2.1", 5060, "192.0.2.9", 5060, "c1"),
)
METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER")
STATUSES = (100, 180, 183, 200, 202, 302, 401, 408, 486, 487, 503, 603)


class World:
    """A stack, and what has been sent to it and by it."""

    def __init__(self) -> None:
        self.user = Recorder()
        self.timers = TimerQueue()
        self.stack = Stack(
            Tokens(Random(5).randbytes), self.timers, self.user, sent_by=sent_by, counts=SipCounts()
        )
        self.now = 0.0
        self.ours: list[Request] = []
        self.clients: list[InviteClientTransaction] = []
        self.told_final: dict[int, int] = {}

    def peer_sends(self, method: str, branch: int, to_tag: str, flow: int) -> None:
        """A request with one of few branches; branch 0 has no magic cookie."""
        via = f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{branch}" if branch else "SIP/2.0/UDP 192.0.2.1"
        request = make_request(method, "sip:b@192.0.2.9", tag="a", call_id=f"c{branch % 2}")
        request.headers.prepend("via", via)
        if to_tag:
            request.headers.set("to", f"<sip:b@192.0.2.9>;tag={to_tag}")
        self.stack.receive(format_message(request), FLOWS[flow], self.now)

    def tu_answers(self, index: int, status: int) -> None:
        """To any request there ever was, as far as a TU may."""
        if self.user.server_transactions:
            transaction = self.user.server_transactions[index % len(self.user.server_transactions)]
            if not transaction.is_final:
                transaction.respond(make_response(transaction.request, status, to_tag="ours"), self.now)

    def tu_sends(self, method: str, flow: int) -> None:
        request = make_request(method, "sip:b@192.0.2.1", tag="us", call_id="k")
        transaction = self.stack.send_request(request, FLOWS[flow], self.user, self.now)
        self.ours.append(request)
        if isinstance(transaction, InviteClientTransaction):
            self.clients.append(transaction)

    def tu_cancels(self, index: int) -> None:
        if self.clients:
            self.stack.cancel(self.clients[index % len(self.clients)], self.now)

    def peer_answers(self, index: int, status: int, to_tag: str, *, cancels: bool) -> None:
        """To any request of ours there ever was, or to the CANCEL of it."""
        if self.ours:
            response = make_response(self.ours[index % len(self.ours)], status, to_tag=to_tag or None)
            if cancels:
                response.headers.set("cseq", "1 CANCEL")
            self.stack.receive(format_message(response), FLOWS[0], self.now)

    def screen_refuses(self, status: int) -> None:
        self.user.screen_status = status

    def flow_breaks(self, flow: int) -> None:
        self.stack.handle_transport_error(FLOWS[flow], self.now)

    def noise_comes(self, data: bytes) -> None:
        self.stack.receive(data, FLOWS[0], self.now)

    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.timers.next_deadline()) is not None and at <= end:
            self.now = max(at, self.now)
            self.timers.run(self.now)
        self.now = end

    def check(self) -> None:
        """What holds after every step."""
        for transaction in self.stack.transactions():
            assert transaction.state.name != "TERMINATED"
        for _, data in self.stack.outgoing:
            message = parse_message(data)
            if not isinstance(message, Request):
                assert not (message.status == 408 and message.cseq.method != "INVITE"), "RFC 4320"
                assert message.status == 100 or message.to_tag
        self.stack.outgoing.clear()

    def finish(self) -> None:
        """The TU answers what it owes and cancels what it waits for; then the timers do the rest."""
        for transaction in self.user.server_transactions:
            if not transaction.is_final:
                transaction.respond(make_response(transaction.request, 500, to_tag="ours"), self.now)
        for client in self.clients:
            self.stack.cancel(client, self.now)
        self.time_passes(200.0)


flows = st.integers(0, len(FLOWS) - 1)
tags = st.sampled_from(["", "ours", "x", "y"])
indices = st.integers(0, 5)
statuses = st.sampled_from(STATUSES)
Step = Callable[[World], None]


def _step(method: Callable[..., None], *arguments: st.SearchStrategy[object]) -> st.SearchStrategy[Step]:
    return st.tuples(*arguments).map(lambda drawn: lambda world: method(world, *drawn))


steps = st.one_of(
    _step(World.peer_sends, st.sampled_from(METHODS), st.integers(0, 2), tags, flows),
    _step(
        World.peer_sends, st.sampled_from(("INVITE", "ACK", "CANCEL")), st.integers(0, 1), tags, st.just(0)
    ),
    _step(World.tu_answers, indices, statuses),
    _step(World.tu_sends, st.sampled_from(("INVITE", "INVITE", "BYE", "OPTIONS")), flows),
    _step(World.tu_cancels, indices),
    _step(lambda *drawn: World.peer_answers(*drawn, cancels=False), indices, statuses, tags),
    _step(lambda *drawn: World.peer_answers(*drawn, cancels=True), indices, statuses, tags),
    _step(World.screen_refuses, st.sampled_from((0, 401, 403))),
    _step(World.flow_breaks, flows),
    _step(World.noise_comes, st.binary(max_size=200)),
    _step(World.time_passes, st.sampled_from((0.0, 0.1, 0.5, 1.0, 3.5, 5.0, 16.0, 32.0, 64.0))),
)


@given(st.lists(steps, min_size=10, max_size=80))
@settings(max_examples=300, deadline=None)
def test_random_input_never_leaves_the_table_and_always_ends(script: list[Step]) -> None:
    world = World()
    for step in script:
        step(world)
        world.check()
    world.finish()
    layer = world.stack._layer
    assert not layer.clients
    assert not layer.servers
    assert not layer.merged
    assert not layer.awaiting_ack
    assert len(world.timers) == 0


def _mutations() -> st.SearchStrategy[bytes]:
    """Messages of every kind with a few bytes changed, taken out or put in."""
    pieces = st.sampled_from(
        [b"\r\n", b"\n", b" ", b",", b";", b"\0", b'"', b"<", b">", b"\xff", b"9" * 30, b"Via: x\r\n"]
    )
    change = st.tuples(st.floats(0, 1), st.integers(0, 12), st.one_of(pieces, st.binary(max_size=3)))

    def mutate(data: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
        for where, length, piece in changes:
            at = int(where * len(data))
            data = data[:at] + piece + data[at + length :]
        return data

    return st.builds(mutate, st.sampled_from(_specimens()), st.lists(change, max_size=4))


def _specimens() -> list[bytes]:
    found = []
    for method in METHODS:
        request = make_request(method, "sip:b@192.0.2.9", tag="a", call_id="c", contact="sip:a@192.0.2.1")
        request.headers.prepend("via", "SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1")
        found.append(format_message(request))
        found.append(format_message(make_response(request, 200, to_tag="b")))
    return found


@given(st.lists(_mutations(), max_size=10))
@settings(max_examples=300, deadline=None)
def test_whatever_is_received_gets_an_answer_or_silence_and_never_an_exception(
    datagrams: list[bytes],
) -> None:
    world = World()
    for data in datagrams:
        world.noise_comes(data)
    world.finish()
    assert world.stack.transactions_count == 0


@given(st.lists(steps, max_size=40), st.sampled_from(("INVITE", "OPTIONS")))
@settings(max_examples=150, deadline=None)
def test_a_request_of_ours_always_gets_exactly_one_outcome(script: list[Step], method: str) -> None:
    """One final response, time-out or transport error; only a 2xx to an INVITE may come again."""
    world = World()
    outcomes = _Outcomes()
    request = make_request(method, "sip:b@192.0.2.1", tag="us", call_id="k")
    transaction = world.stack.send_request(request, FLOWS[0], outcomes, 0.0)
    world.ours.append(request)
    if isinstance(transaction, InviteClientTransaction):
        world.clients.append(transaction)
    for step in script:
        step(world)
    world.finish()
    assert outcomes.count == 1


class _Outcomes(Recorder):
    """Counts how often it heard how the matter ended."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.had_2xx = False

    def on_response(self, transaction, response, now) -> None:  # type: ignore[no-untyped-def]
        is_more_of_2xx = self.had_2xx and response.is_success and transaction.method == "INVITE"
        if response.is_final and not is_more_of_2xx:
            self.count += 1
        self.had_2xx = self.had_2xx or response.is_success

    def on_timeout(self, transaction, now) -> None:  # type: ignore[no-untyped-def]
        self.count += 1

    def on_transport_error(self, transaction, now) -> None:  # type: ignore[no-untyped-def]
        self.count += 1
