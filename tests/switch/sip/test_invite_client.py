"""The INVITE client transaction: every state with every input, and its timers by the second."""

import itertools
from random import Random

import pytest

from switch.sip import invite_client
from switch.sip.counts import SipCounts
from switch.sip.flow import TCP, UDP, Flow
from switch.sip.invite_client import FORKS_MAX, Input, InviteClientTransaction, State
from switch.sip.layer import TransactionLayer
from switch.sip.message import Request, Response, make_response
from switch.sip.parser import parse_message
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from tests.agents import Recorder, make_request
from tests.tables import cases

WALK = """
# state      input            -> next        sends   tells
CALLING      PROVISIONAL      -> PROCEEDING  -       180
CALLING      SUCCESS          -> ACCEPTED    -       200
CALLING      FAILURE          -> COMPLETED   ACK     486
CALLING      TIMER_A          -> CALLING     INVITE  -
CALLING      TIMER_B          -> TERMINATED  -       timeout
CALLING      TIMER_D          -> CALLING     -       -
CALLING      TIMER_M          -> CALLING     -       -
CALLING      CANCEL_EXPIRED   -> CALLING     -       -
CALLING      TRANSPORT_ERROR  -> TERMINATED  -       transport-error
PROCEEDING   PROVISIONAL      -> PROCEEDING  -       180
PROCEEDING   SUCCESS          -> ACCEPTED    -       200
PROCEEDING   FAILURE          -> COMPLETED   ACK     486
PROCEEDING   TIMER_A          -> PROCEEDING  -       -
PROCEEDING   TIMER_B          -> PROCEEDING  -       -
PROCEEDING   TIMER_D          -> PROCEEDING  -       -
PROCEEDING   TIMER_M          -> PROCEEDING  -       -
PROCEEDING   CANCEL_EXPIRED   -> TERMINATED  -       timeout
PROCEEDING   TRANSPORT_ERROR  -> TERMINATED  -       transport-error
COMPLETED    PROVISIONAL      -> COMPLETED   -       -
COMPLETED    SUCCESS          -> COMPLETED   -       stray-200
COMPLETED    FAILURE          -> COMPLETED   ACK     -
COMPLETED    TIMER_A          -> COMPLETED   -       -
COMPLETED    TIMER_B          -> COMPLETED   -       -
COMPLETED    TIMER_D          -> TERMINATED  -       -
COMPLETED    TIMER_M          -> COMPLETED   -       -
COMPLETED    CANCEL_EXPIRED   -> COMPLETED   -       -
COMPLETED    TRANSPORT_ERROR  -> COMPLETED   -       -
ACCEPTED     PROVISIONAL      -> ACCEPTED    -       -
ACCEPTED     SUCCESS          -> ACCEPTED    -       again-200
ACCEPTED     FAILURE          -> ACCEPTED    -       -
ACCEPTED     TIMER_A          -> ACCEPTED    -       -
ACCEPTED     TIMER_B          -> ACCEPTED    -       -
ACCEPTED     TIMER_D          -> ACCEPTED    -       -
ACCEPTED     TIMER_M          -> TERMINATED  -       -
ACCEPTED     CANCEL_EXPIRED   -> ACCEPTED    -       -
ACCEPTED     TRANSPORT_ERROR  -> ACCEPTED    -       -
"""
STATUS = {Input.PROVISIONAL: 180, Input.SUCCESS: 200, Input.FAILURE: 486}
BRANCH = "z9hG4bK1"


class Bench:
    """One transaction with hand-moved time."""

    def __init__(self, transport: str = UDP) -> None:
        self.user = Recorder()
        self.timers = TimerQueue()
        self.layer = TransactionLayer(Tokens(Random(0).randbytes), self.timers, self.user, SipCounts())
        self.flow = Flow(transport, "192.0.2.2", 5060, "192.0.2.1", 5060)
        self.request = make_request("INVITE", "sip:b@example.com", tag="a", call_id="c")
        self.request.headers.prepend("via", f"SIP/2.0/UDP 192.0.2.1;branch={BRANCH}")
        self.request.headers.add("route", "<sip:one.example.com;lr>")
        self.request.headers.add("route", "<sip:two.example.com;lr>")
        self.machine = InviteClientTransaction(
            self.layer, (BRANCH, "INVITE"), self.request, self.flow, user=self.user, now=0.0
        )
        self.now = 0.0

    def sent(self) -> str:
        """Methods sent since the last time."""
        methods = [data.split(b" ")[0].decode() for _, data in self.layer.outgoing]
        self.layer.outgoing.clear()
        return ",".join(methods)

    def last_sent(self) -> Request:
        message = parse_message(self.layer.outgoing[-1][1])
        assert isinstance(message, Request)
        return message

    def give(self, what: Input) -> None:
        if what in STATUS:
            self.receive(STATUS[what])
        elif what is Input.TRANSPORT_ERROR:
            self.machine.fail(self.now)
        else:
            self.machine._expire(what, self.now)

    def receive(self, status: int, tag: str = "b") -> Response:
        response = make_response(self.request, status, to_tag=tag)
        self.machine.receive(response, self.now)
        return response

    def is_in(self, state: State) -> bool:
        return self.machine.state is state

    def bring_to(self, state: State) -> None:
        match state:
            case State.PROCEEDING:
                self.receive(180)
            case State.COMPLETED:
                self.receive(486)
            case State.ACCEPTED:
                self.receive(200)
        self.sent()
        self.user.take()
        assert self.machine.state is state

    def move_to(self, now: float) -> None:
        """Let every timer fire at its own time on the way."""
        while (at := self.timers.next_deadline()) is not None and at <= now:
            self.now = at
            self.timers.run(at)
        self.now = now


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
    for state, what in [*invite_client.ON_RESPONSE, *invite_client.ON_TIMER]:
        assert state is not State.TERMINATED, what


def test_an_unanswered_invite_goes_out_seven_times_and_times_out_after_32_s() -> None:
    bench, at = Bench(), []
    while bench.machine.state is State.CALLING:
        at += [bench.now] * len(bench.layer.outgoing)
        bench.layer.outgoing.clear()
        bench.move_to(bench.timers.next_deadline() or 0.0)
    assert at == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.now == 32
    assert bench.user.take() == "timeout"
    assert bench.layer.clients == {}


def test_over_a_stream_it_is_sent_once() -> None:
    bench = Bench(TCP)
    bench.move_to(31.9)
    assert bench.sent() == "INVITE"
    bench.move_to(32.0)
    assert bench.user.take() == "timeout"


def test_a_provisional_ends_the_repeats_and_the_phone_may_ring_for_ever() -> None:
    bench = Bench()
    bench.move_to(1.0)
    bench.receive(100)
    bench.sent()
    bench.move_to(3600.0)
    assert bench.sent() == ""
    assert bench.user.take() == "100"
    assert bench.is_in(State.PROCEEDING)


def test_each_provisional_is_handed_over_100_too() -> None:
    bench = Bench()
    for status in (100, 180, 180, 183):
        bench.receive(status)
    assert bench.user.take() == "100,180,180,183"


def test_a_refusal_is_acknowledged_each_time_and_told_once() -> None:
    bench = Bench()
    for at in (0.0, 0.5, 31.0):
        bench.move_to(at)
        bench.receive(486)
    assert bench.user.take() == "486"
    assert bench.sent().count("ACK") == 3
    bench.move_to(31.9)
    assert bench.is_in(State.COMPLETED)
    bench.move_to(32.0)
    assert bench.is_in(State.TERMINATED)
    assert len(bench.timers) == 0


def test_the_ack_of_a_refusal_has_what_17_1_1_3_wants() -> None:
    bench = Bench()
    bench.receive(486, tag="theirs")
    ack = bench.last_sent()
    assert ack.method == "ACK"
    assert ack.uri == bench.request.uri
    assert ack.top_via.branch == BRANCH
    assert ack.headers.count("via") == 1
    assert ack.to_tag == "theirs"
    assert ack.from_tag == "a"
    assert ack.call_id == "c"
    assert str(ack.cseq) == "1 ACK"
    assert ack.headers.get_all("route") == bench.request.headers.get_all("route")
    assert ack.max_forwards == 70


def test_over_a_stream_a_refusal_ends_it_at_once() -> None:
    bench = Bench(TCP)
    bench.receive(486)
    assert bench.is_in(State.TERMINATED)
    assert bench.sent() == "INVITE,ACK"
    assert bench.user.take() == "486"
    assert len(bench.timers) == 0


def test_every_2xx_is_handed_over_and_each_fork_is_new_once() -> None:
    bench = Bench()
    for tag in ("b", "b", "c", "b", "c"):
        bench.receive(200, tag)
    assert bench.user.take() == "200,again-200,200,again-200,again-200"
    bench.move_to(32.0)
    assert bench.is_in(State.TERMINATED)


def test_once_let_go_what_still_answers_is_a_stray() -> None:
    bench = Bench()
    bench.receive(200, "b")
    bench.machine.let_go()
    for tag in ("b", "c"):
        bench.receive(200, tag)
    assert bench.user.take() == "200,stray-200,stray-200"
    assert bench.machine.request.method == "ANSWERED"
    bench.move_to(32.0)
    assert bench.is_in(State.TERMINATED)


def test_before_an_answer_nobody_is_let_go() -> None:
    bench = Bench()
    bench.machine.let_go()
    bench.receive(180)
    bench.receive(200, "b")
    assert bench.user.take() == "180,200"


def test_forks_have_a_limit() -> None:
    bench = Bench()
    for number in range(FORKS_MAX + 5):
        bench.receive(200, f"fork{number}")
    assert bench.user.take().count("200") == FORKS_MAX
    assert bench.layer.counts.dropped == {"too many forks": 5}


def test_cancel_before_any_provisional_waits_for_one() -> None:
    bench = Bench()
    bench.machine.cancel(0.1, [("Reason", "SIP;cause=200")])
    assert bench.sent() == "INVITE"
    bench.receive(180)
    cancel = bench.last_sent()
    assert cancel.method == "CANCEL"
    assert cancel.uri == bench.request.uri
    assert cancel.top_via.branch == BRANCH
    assert cancel.to_tag is None
    assert str(cancel.cseq) == "1 CANCEL"
    assert cancel.headers.get_all("route") == bench.request.headers.get_all("route")
    assert cancel.headers.get("reason") == "SIP;cause=200"
    assert bench.user.take() == "180"


def test_a_second_cancel_and_one_after_the_final_change_nothing() -> None:
    bench = Bench()
    bench.receive(180)
    bench.machine.cancel(0.1, ())
    bench.machine.cancel(0.2, ())
    assert bench.sent() == "INVITE,CANCEL"
    bench.receive(487)
    bench.machine.cancel(0.3, ())
    assert bench.sent() == "ACK"


def test_a_cancelled_invite_without_an_answer_ends_in_32_s() -> None:
    bench = Bench()
    bench.receive(180)
    bench.move_to(10.0)
    bench.machine.cancel(10.0, ())
    bench.move_to(41.9)
    assert bench.user.take() == "180"
    bench.move_to(42.0)
    assert bench.user.take() == "timeout"
    assert len(bench.timers) == 0
    assert bench.layer.clients == {}


def test_a_2xx_that_crossed_our_cancel_is_handed_over() -> None:
    bench = Bench()
    bench.receive(180)
    bench.machine.cancel(0.1, ())
    bench.receive(200)
    assert bench.user.take() == "180,200"


def test_a_cancel_that_waited_is_forgotten_by_a_final() -> None:
    bench = Bench()
    bench.machine.cancel(0.1, ())
    bench.receive(486)
    assert bench.sent() == "INVITE,ACK"


def test_nothing_is_kept_when_it_has_ended() -> None:
    bench = Bench()
    bench.receive(486)
    bench.move_to(100.0)
    assert bench.layer.clients == {}
    assert len(bench.timers) == 0
    bench.give(Input.SUCCESS)
    bench.give(Input.TRANSPORT_ERROR)
    assert bench.user.take() == "486"
