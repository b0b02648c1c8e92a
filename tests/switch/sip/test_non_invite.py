"""The two non-INVITE transactions: every state with every input, their timers by the second, RFC 4320."""

import itertools
from collections.abc import Callable
from random import Random

import pytest

from switch.sip import non_invite_client as client
from switch.sip import non_invite_server as server
from switch.sip.counts import SipCounts
from switch.sip.flow import TCP, UDP, Flow
from switch.sip.layer import TransactionLayer
from switch.sip.message import make_response
from switch.sip.non_invite_client import NonInviteClientTransaction
from switch.sip.non_invite_server import NonInviteServerTransaction
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from tests.agents import Recorder, make_request
from tests.tables import cases

CLIENT_WALK = """
# state      input            -> next        sends    tells
TRYING       PROVISIONAL      -> PROCEEDING  -        100
TRYING       FINAL            -> COMPLETED   -        200
TRYING       TIMER_E          -> TRYING      OPTIONS  -
TRYING       TIMER_F          -> TERMINATED  -        timeout
TRYING       TIMER_K          -> TRYING      -        -
TRYING       TRANSPORT_ERROR  -> TERMINATED  -        transport-error
PROCEEDING   PROVISIONAL      -> PROCEEDING  -        100
PROCEEDING   FINAL            -> COMPLETED   -        200
PROCEEDING   TIMER_E          -> PROCEEDING  OPTIONS  -
PROCEEDING   TIMER_F          -> TERMINATED  -        timeout
PROCEEDING   TIMER_K          -> PROCEEDING  -        -
PROCEEDING   TRANSPORT_ERROR  -> TERMINATED  -        transport-error
COMPLETED    PROVISIONAL      -> COMPLETED   -        -
COMPLETED    FINAL            -> COMPLETED   -        -
COMPLETED    TIMER_E          -> COMPLETED   -        -
COMPLETED    TIMER_F          -> COMPLETED   -        -
COMPLETED    TIMER_K          -> TERMINATED  -        -
COMPLETED    TRANSPORT_ERROR  -> COMPLETED   -        -
"""
SERVER_WALK = """
# state      input         -> next        sends
TRYING       REQUEST       -> TRYING      -
TRYING       TIMER_TRYING  -> PROCEEDING  100
TRYING       TIMER_EXPIRY  -> TRYING      -
TRYING       TIMER_J       -> TRYING      -
PROCEEDING   REQUEST       -> PROCEEDING  100
PROCEEDING   TIMER_TRYING  -> PROCEEDING  -
PROCEEDING   TIMER_EXPIRY  -> TERMINATED  -
PROCEEDING   TIMER_J       -> PROCEEDING  -
COMPLETED    REQUEST       -> COMPLETED   200
COMPLETED    TIMER_TRYING  -> COMPLETED   -
COMPLETED    TIMER_EXPIRY  -> COMPLETED   -
COMPLETED    TIMER_J       -> TERMINATED  -
"""


class Bench:
    """One transaction with hand-moved time."""

    def __init__(self, transport: str = UDP) -> None:
        self.user = Recorder()
        self.timers = TimerQueue()
        self.layer = TransactionLayer(Tokens(Random(0).randbytes), self.timers, self.user, SipCounts())
        self.flow = Flow(transport, "192.0.2.2", 5060, "192.0.2.1", 5060)
        self.request = make_request("OPTIONS", "sip:b@example.com", tag="a", call_id="c")
        self.request.headers.prepend("via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
        self.now = 0.0

    def sent(self) -> str:
        """Methods or statuses sent since the last time."""
        words = [data.split(b" ")[:2] for _, data in self.layer.outgoing]
        self.layer.outgoing.clear()
        return ",".join((word[1] if word[0] == b"SIP/2.0" else word[0]).decode() for word in words)

    def times_sent(self, until: float) -> list[float]:
        """Move to `until`, timer by timer; when something was sent on the way."""
        at = [self.now] * len(self.layer.outgoing)
        self.layer.outgoing.clear()
        while (deadline := self.timers.next_deadline()) is not None and deadline <= until:
            self.now = deadline
            self.timers.run(deadline)
            at += [deadline] * len(self.layer.outgoing)
            self.layer.outgoing.clear()
        self.now = until
        return at

    def is_clean(self) -> bool:
        return not self.layer.clients and not self.layer.servers and len(self.timers) == 0


class ClientBench(Bench):
    def __init__(self, transport: str = UDP) -> None:
        super().__init__(transport)
        self.machine = NonInviteClientTransaction(
            self.layer, ("z9hG4bK1", "OPTIONS"), self.request, self.flow, user=self.user, now=0.0
        )

    def receive(self, status: int) -> None:
        self.machine.receive(make_response(self.request, status, to_tag="b"), self.now)

    def give(self, what: client.Input) -> None:
        match what:
            case client.Input.PROVISIONAL:
                self.receive(100)
            case client.Input.FINAL:
                self.receive(200)
            case client.Input.TRANSPORT_ERROR:
                self.machine.fail(self.now)
            case _:
                self.machine._expire(what, self.now)

    def is_in(self, state: client.State) -> bool:
        return self.machine.state is state


class ServerBench(Bench):
    def __init__(self, transport: str = UDP) -> None:
        super().__init__(transport)
        self.machine = NonInviteServerTransaction(
            self.layer, ("k",), self.request, self.flow, response_flow=self.flow, merge_key=None
        )

    def respond(self, status: int) -> None:
        self.machine.respond(make_response(self.request, status, to_tag="b"), self.now)

    def is_in(self, state: server.State) -> bool:
        return self.machine.state is state


@pytest.mark.parametrize(("state", "what", "after", "sends", "tells"), cases(CLIENT_WALK))
def test_the_client_does_what_the_table_says(
    state: str, what: str, after: str, sends: str, tells: str
) -> None:
    bench = ClientBench()
    if state != "TRYING":
        bench.receive(100 if state == "PROCEEDING" else 200)
    bench.sent()
    bench.user.take()
    assert bench.is_in(client.State[state])
    bench.give(client.Input[what])
    assert bench.is_in(client.State[after])
    assert bench.sent() == sends
    assert bench.user.take() == tells


@pytest.mark.parametrize(("state", "what", "after", "sends"), cases(SERVER_WALK))
def test_the_server_does_what_the_table_says(state: str, what: str, after: str, sends: str) -> None:
    bench = ServerBench()
    if state == "PROCEEDING":
        bench.machine._expire(server.Input.TIMER_TRYING, 0.0)
    if state == "COMPLETED":
        bench.respond(200)
    bench.sent()
    assert bench.is_in(server.State[state])
    if what == "REQUEST":
        bench.machine.receive_repeat(0.0)
    else:
        bench.machine._expire(server.Input[what], 0.0)
    assert bench.is_in(server.State[after])
    assert bench.sent() == sends


def test_the_walks_leave_nothing_out() -> None:
    walked = {(case.values[0], case.values[1]) for case in cases(CLIENT_WALK)}
    living = [state.name for state in client.State if state is not client.State.TERMINATED]
    assert walked == set(itertools.product(living, (what.name for what in client.Input)))
    walked = {(case.values[0], case.values[1]) for case in cases(SERVER_WALK)}
    assert walked == set(itertools.product(living, (what.name for what in server.Input)))


def test_an_unanswered_request_goes_out_eleven_times_and_times_out_after_32_s() -> None:
    bench = ClientBench()
    assert bench.times_sent(31.9) == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.user.take() == ""
    assert bench.times_sent(100.0) == []
    assert bench.user.take() == "timeout"
    assert bench.is_clean()


def test_a_provisional_slows_the_repeats_down_to_t2() -> None:
    bench = ClientBench()
    assert bench.times_sent(0.1) == [0]
    bench.receive(100)
    assert bench.times_sent(31.9) == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    bench.times_sent(32.0)
    assert bench.user.take() == "100,timeout"


def test_a_final_response_is_told_once_and_its_repeats_absorbed_for_t4() -> None:
    bench = ClientBench()
    bench.sent()
    bench.receive(404)
    bench.receive(404)
    assert bench.times_sent(4.9) == []
    assert bench.is_in(client.State.COMPLETED)
    bench.times_sent(5.0)
    assert bench.user.take() == "404"
    assert bench.is_clean()


def test_over_a_stream_a_request_goes_once_and_ends_with_its_answer() -> None:
    bench = ClientBench(TCP)
    assert bench.times_sent(31.0) == [0]
    bench.receive(200)
    assert bench.user.take() == "200"
    assert bench.is_clean()


def test_a_server_transaction_answers_every_repeat_for_timer_j() -> None:
    bench = ServerBench()
    bench.respond(200)
    for at in (0.5, 1.5, 31.9):
        bench.times_sent(at)
        bench.machine.receive_repeat(at)
    assert bench.sent() == "200"
    bench.times_sent(32.0)
    assert bench.is_clean()
    assert bench.layer.counts.retransmissions_out == 3


def test_over_a_stream_the_server_ends_with_its_answer() -> None:
    bench = ServerBench(TCP)
    bench.respond(200)
    assert bench.sent() == "200"
    assert bench.is_clean()


def test_nobody_is_ever_sent_a_408() -> None:
    bench = ServerBench()
    bench.respond(408)
    bench.machine.receive_repeat(0.5)
    assert bench.sent() == ""
    bench.times_sent(32.0)
    assert bench.is_clean()


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_a_silent_tu_gets_100_sent_when_timer_e_has_reached_t2_and_then_expires(transport: str) -> None:
    bench = ServerBench(transport)
    bench.machine.await_answer(0.0)
    assert bench.times_sent(31.9) == [3.5]
    assert bench.is_in(server.State.PROCEEDING)
    bench.times_sent(32.0)
    assert bench.is_clean()
    bench.respond(200)
    assert bench.sent() == ""


@pytest.mark.parametrize("early", [lambda bench: bench.machine.trying(0.0), lambda bench: bench.respond(100)])
def test_no_provisional_is_sent_early(early: Callable[[ServerBench], None]) -> None:
    bench = ServerBench()
    early(bench)
    assert bench.sent() == ""
    assert bench.is_in(server.State.TRYING)


def test_an_answer_after_the_100_is_sent() -> None:
    bench = ServerBench()
    bench.machine.await_answer(0.0)
    bench.times_sent(5.0)
    bench.respond(200)
    assert bench.sent() == "200"
    bench.times_sent(36.9)
    assert bench.is_in(server.State.COMPLETED)
    bench.times_sent(37.0)
    assert bench.is_clean()


def test_a_second_final_response_is_a_mistake_of_ours() -> None:
    bench = ServerBench()
    bench.respond(200)
    with pytest.raises(AssertionError, match="after the final"):
        bench.respond(500)
