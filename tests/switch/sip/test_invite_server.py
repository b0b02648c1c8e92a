"""The INVITE server transaction and its 2xx: every state with every input, and the timers by the second."""

import itertools
from random import Random

import pytest

from switch.sip import invite_server
from switch.sip.counts import SipCounts
from switch.sip.flow import TCP, UDP, Flow
from switch.sip.invite_server import Input, InviteServerTransaction, State
from switch.sip.layer import TransactionLayer
from switch.sip.matching import ack_key
from switch.sip.message import make_response
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from tests.agents import Recorder, make_request
from tests.tables import cases

# The TU has sent 180 in PROCEEDING, so that there is something to repeat.
WALK = """
# state      input         -> next        sends  tells
PROCEEDING   INVITE        -> PROCEEDING  180    -
PROCEEDING   ACK           -> PROCEEDING  -      -
PROCEEDING   TIMER_TRYING  -> PROCEEDING  -      -
PROCEEDING   TIMER_G       -> PROCEEDING  -      -
PROCEEDING   TIMER_H       -> PROCEEDING  -      -
PROCEEDING   TIMER_I       -> PROCEEDING  -      -
PROCEEDING   TIMER_L       -> PROCEEDING  -      -
COMPLETED    INVITE        -> COMPLETED   486    -
COMPLETED    ACK           -> CONFIRMED   -      -
COMPLETED    TIMER_TRYING  -> COMPLETED   -      -
COMPLETED    TIMER_G       -> COMPLETED   486    -
COMPLETED    TIMER_H       -> TERMINATED  -      -
COMPLETED    TIMER_I       -> COMPLETED   -      -
COMPLETED    TIMER_L       -> COMPLETED   -      -
CONFIRMED    INVITE        -> CONFIRMED   -      -
CONFIRMED    ACK           -> CONFIRMED   -      -
CONFIRMED    TIMER_TRYING  -> CONFIRMED   -      -
CONFIRMED    TIMER_G       -> CONFIRMED   -      -
CONFIRMED    TIMER_H       -> CONFIRMED   -      -
CONFIRMED    TIMER_I       -> TERMINATED  -      -
CONFIRMED    TIMER_L       -> CONFIRMED   -      -
ACCEPTED     INVITE        -> ACCEPTED    -      -
ACCEPTED     ACK           -> ACCEPTED    -      -
ACCEPTED     TIMER_TRYING  -> ACCEPTED    -      -
ACCEPTED     TIMER_G       -> ACCEPTED    -      -
ACCEPTED     TIMER_H       -> ACCEPTED    -      -
ACCEPTED     TIMER_I       -> ACCEPTED    -      -
ACCEPTED     TIMER_L       -> TERMINATED  -      ack-missing
"""


class Bench:
    """One transaction with hand-moved time."""

    def __init__(self, transport: str = UDP) -> None:
        self.user = Recorder()
        self.timers = TimerQueue()
        self.layer = TransactionLayer(Tokens(Random(0).randbytes), self.timers, self.user, SipCounts())
        self.flow = Flow(transport, "192.0.2.1", 5060, "192.0.2.2", 5060)
        self.request = make_request("INVITE", "sip:b@example.com", tag="a", call_id="c")
        self.request.headers.prepend("via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
        self.machine = InviteServerTransaction(
            self.layer, ("k",), self.request, self.flow, response_flow=self.flow, merge_key=None
        )
        self.now = 0.0

    def respond(self, status: int) -> None:
        self.machine.respond(make_response(self.request, status, to_tag="b"), self.now)

    def sent(self) -> str:
        """Statuses sent since the last time."""
        statuses = [data.split(b" ")[1].decode() for _, data in self.layer.outgoing]
        self.layer.outgoing.clear()
        return ",".join(statuses)

    def give(self, what: Input) -> None:
        match what:
            case Input.INVITE:
                self.machine.receive_repeat(self.now)
            case Input.ACK:
                self.machine.receive_ack(self.now)
            case _:
                self.machine._expire(what, self.now)

    def is_in(self, state: State) -> bool:
        return self.machine.state is state

    def bring_to(self, state: State) -> None:
        self.respond(180)
        if state in {State.COMPLETED, State.CONFIRMED}:
            self.respond(486)
        if state is State.CONFIRMED:
            self.machine.receive_ack(self.now)
        if state is State.ACCEPTED:
            self.respond(200)
        self.sent()
        assert self.machine.state is state

    def acknowledge_2xx(self) -> bool:
        return self.layer.awaiting_ack[ack_key(self.request, "b")].acknowledge()

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


@pytest.mark.parametrize(("state", "what", "after", "sends", "tells"), cases(WALK))
def test_the_machine_does_what_the_table_says(
    state: str, what: str, after: str, sends: str, tells: str
) -> None:
    bench = Bench()
    bench.bring_to(State[state])
    bench.give(Input[what])
    assert bench.is_in(State[after])
    assert bench.sent() == sends
    assert bench.user.take() == tells


def test_the_walk_leaves_nothing_out() -> None:
    walked = {(case.values[0], case.values[1]) for case in cases(WALK)}
    living = [state for state in State if state is not State.TERMINATED]
    assert walked == {(state.name, what.name) for state, what in itertools.product(living, Input)}
    for state, what in invite_server.TABLE:
        assert state is not State.TERMINATED, what


def test_100_is_sent_when_the_tu_is_silent_for_200_ms() -> None:
    bench = Bench()
    bench.machine.await_answer(0.0)
    assert bench.times_sent(10.0) == [0.2]
    delay = bench.layer.counts.trying_delay
    assert (sum(delay.buckets), delay.sum) == (1, 0.2)


def test_no_100_when_the_tu_was_faster() -> None:
    bench = Bench()
    bench.machine.await_answer(0.0)
    bench.now = 0.1
    bench.respond(180)
    bench.times_sent(5.0)
    bench.machine.trying(5.0)
    assert bench.sent() == ""


def test_trying_sends_100_once_and_at_once() -> None:
    bench = Bench()
    bench.machine.trying(0.0)
    bench.machine.trying(0.0)
    bench.machine.await_answer(0.0)
    assert bench.times_sent(10.0) == [0.0]


def test_a_repeat_before_anything_was_said_gets_no_answer() -> None:
    bench = Bench()
    bench.machine.receive_repeat(0.0)
    assert bench.sent() == ""
    assert bench.layer.counts.retransmissions_in == 1


def test_a_refusal_repeats_until_timer_h() -> None:
    bench = Bench()
    bench.respond(486)
    assert bench.times_sent(100.0) == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.is_in(State.TERMINATED)
    assert bench.layer.servers == {}
    assert len(bench.timers) == 0
    assert bench.user.take() == ""


def test_an_ack_ends_the_repeats_and_more_acks_are_absorbed_for_t4() -> None:
    bench = Bench()
    bench.respond(486)
    bench.times_sent(1.0)
    bench.machine.receive_ack(1.0)
    bench.machine.receive_ack(2.0)
    assert bench.times_sent(5.9) == []
    assert bench.is_in(State.CONFIRMED)
    bench.times_sent(6.0)
    assert bench.is_in(State.TERMINATED)
    assert len(bench.timers) == 0


def test_over_a_stream_a_refusal_is_sent_once_and_its_ack_ends_all() -> None:
    bench = Bench(TCP)
    bench.respond(486)
    assert bench.times_sent(31.0) == [0.0]
    bench.machine.receive_ack(31.0)
    assert bench.is_in(State.TERMINATED)
    assert len(bench.timers) == 0


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_a_2xx_repeats_over_every_transport_and_a_missing_ack_is_told(transport: str) -> None:
    bench = Bench(transport)
    bench.respond(200)
    assert bench.times_sent(31.9) == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.user.take() == ""
    assert bench.times_sent(100.0) == []
    assert bench.user.take() == "ack-missing"
    assert bench.is_in(State.TERMINATED)
    assert bench.layer.awaiting_ack == {}
    assert len(bench.timers) == 0


def test_the_ack_of_a_2xx_ends_its_repeats_and_accepted_lasts_for_timer_l() -> None:
    bench = Bench()
    bench.respond(200)
    bench.times_sent(1.0)
    assert bench.acknowledge_2xx() is True
    assert bench.acknowledge_2xx() is False
    assert bench.times_sent(31.9) == []
    assert bench.is_in(State.ACCEPTED)
    bench.times_sent(32.0)
    assert bench.is_in(State.TERMINATED)
    assert bench.user.take() == ""
    assert bench.layer.awaiting_ack == {}


def test_a_dialog_that_is_over_stops_the_2xx() -> None:
    bench = Bench()
    bench.respond(200)
    bench.machine.stop_repeating()
    assert bench.times_sent(100.0) == [0.0]
    assert bench.user.take() == ""


def test_a_second_final_response_is_a_mistake_of_ours() -> None:
    bench = Bench()
    bench.respond(200)
    for status in (180, 200, 486):
        with pytest.raises(AssertionError, match="after the final"):
            bench.respond(status)


def test_the_missing_ack_can_still_see_what_the_tu_keeps_here() -> None:
    bench = Bench()
    bench.machine.user_data = "leg"
    seen = []
    bench.user.on_ack_missing = lambda transaction, now: seen.append(  # type: ignore[method-assign]
        (transaction.user_data, transaction.to_tag)
    )
    bench.respond(200)
    bench.times_sent(32.0)
    assert seen == [("leg", "b")]
    assert bench.machine.user_data is None


def test_it_ends_even_when_the_tu_fails_on_the_missing_ack() -> None:
    bench = Bench()

    def fail(transaction: InviteServerTransaction, now: float) -> None:
        raise ZeroDivisionError

    bench.user.on_ack_missing = fail  # type: ignore[method-assign]
    bench.respond(200)
    with pytest.raises(ZeroDivisionError):
        bench.times_sent(32.0)
    assert bench.is_in(State.TERMINATED)
    assert bench.layer.servers == {}
