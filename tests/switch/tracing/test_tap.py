"""What passes is jotted down, and entered in the ring before anybody asks, or when there is much of it."""

from switch.calls.switchboard import WallClock
from switch.conf_trace import Trace
from switch.sip.flow import UDP, Flow
from switch.sip.message import Request
from switch.tracing.tap import JOT_STRIDE, JOTS_MAX
from switch.tracing.tracer import Tracer
from tests.agents import make_request
from tests.switch.house import STARTED_AT_S

FLOW = Flow(UDP, "192.0.2.10", 5060, "192.0.2.1", 5060)


def new_tracer(**settings: object) -> Tracer:
    return Tracer(Trace(**settings), WallClock(STARTED_AT_S))


def invite(call_id: str) -> Request:
    return make_request("INVITE", "sip:bob@example.com", tag="a", call_id=call_id)


def receive(tracer: Tracer, call_id: str, now: float = 1.0) -> None:
    tracer.tap.received(invite(call_id), b"INVITE sip:bob@example.com SIP/2.0\r\n\r\n", FLOW, now)


def send(tracer: Tracer, call_id: str, now: float = 1.0) -> None:
    tracer.tap.sent([(FLOW, f"SIP/2.0 100 Trying\r\nCall-ID: {call_id}\r\n\r\n".encode())], now)


def test_nothing_is_entered_before_somebody_asks() -> None:
    tracer = new_tracer()
    receive(tracer, "a")
    tracer.begin("call-a", "a", "alice", 1.0)
    send(tracer, "a")
    assert tracer.ring.messages == 0
    found = tracer.find("call-a")
    assert found is not None and (found.messages, found.payer) == (2, "alice")
    assert tracer.tap.jots == []


def test_every_second_all_is_entered() -> None:
    tracer = new_tracer()
    receive(tracer, "a")
    tracer.on_second(2.0)
    assert tracer.ring.messages == 1


def test_no_more_is_jotted_down_than_is_entered_in_one_go() -> None:
    tracer = new_tracer()
    most = 0
    for number in range(3 * JOTS_MAX):
        (receive if number % 2 else send)(tracer, f"s{number % 7}", number / 1000)
        most = max(most, len(tracer.tap.jots) // JOT_STRIDE)
    assert most == JOTS_MAX - 1
    tracer.enter()
    assert tracer.ring.messages > 2 * JOTS_MAX


def test_a_leg_is_the_calls_from_its_place_on() -> None:
    """A message that came before its leg was there belongs to nobody."""
    tracer = new_tracer()
    receive(tracer, "a")
    tracer.begin("call-a", "a", "alice", 1.0)
    send(tracer, "b", 1.1)
    tracer.add_leg("call-a", "b", 1)
    send(tracer, "b", 1.2)
    found = tracer.find("call-a")
    assert found is not None and found.messages == 2


def test_a_wish_within_the_turn_finds_the_call_that_has_just_begun() -> None:
    tracer = new_tracer()
    receive(tracer, "a")
    tracer.begin("call-a", "a", "alice", 1.0)
    assert tracer.ask("call-a")
    assert not tracer.ask("call-b")
