"""Two user agents on two stacks, over a clean link and over bad ones: whole calls, nothing left behind."""

import pytest

from switch.sip.flow import TCP, UDP, Flow
from tests.agents import Agent
from tests.clock import HandClock
from tests.link import Address, Datagram, Link

CALLER: Address = ("192.0.2.1", 5060)
CALLEE: Address = ("192.0.2.2", 5060)


class Pair:
    """A caller and a callee."""

    def __init__(self, **link: float) -> None:
        self.clock = HandClock()
        seed = int(link.pop("seed", 0))
        self.link = Link(self.clock, seed=seed, **link)
        self.caller = Agent(self.clock, self.link, CALLER, seed=seed + 1)
        self.callee = Agent(self.clock, self.link, CALLEE, seed=seed + 2)

    def flow(self, transport: str = UDP) -> Flow:
        return self.link.flow(CALLER, CALLEE, transport)

    def assert_clean(self) -> None:
        for agent in (self.caller, self.callee):
            layer = agent.stack._layer
            assert not layer.clients
            assert not layer.servers
            assert not layer.merged
            assert not layer.awaiting_ack
            assert len(agent.timers) == 0
            assert not agent.dialogs


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_a_call_over_a_clean_link_takes_seven_messages(transport: str) -> None:
    pair = Pair()
    pair.caller.talk_s = 1.0
    pair.caller.call(pair.flow(transport))
    pair.link.run_until_idle()
    assert pair.link.start_lines() == [
        "INVITE sip:callee@192.0.2.2:5060 SIP/2.0",
        "SIP/2.0 100 Trying",
        "SIP/2.0 180 Ringing",
        "SIP/2.0 200 OK",
        "ACK sip:192.0.2.2:5060 SIP/2.0",
        "BYE sip:192.0.2.2:5060 SIP/2.0",
        "SIP/2.0 200 OK",
    ]
    assert pair.caller.statuses == [100, 180, 200, 200]
    assert pair.callee.events == ["INVITE", "ACK", "BYE"]
    pair.assert_clean()


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_a_refused_call_over_a_clean_link_is_acknowledged(transport: str) -> None:
    pair = Pair()
    pair.callee.answer = 486
    pair.caller.call(pair.flow(transport))
    pair.link.run_until_idle()
    assert pair.link.start_lines()[-2:] == ["SIP/2.0 486 Busy Here", "ACK sip:callee@192.0.2.2:5060 SIP/2.0"]
    assert pair.caller.statuses == [100, 180, 486]
    pair.assert_clean()


def test_a_cancelled_call_over_a_clean_link_ends_487() -> None:
    pair = Pair()
    pair.callee.ring_s = None
    transaction = pair.caller.call(pair.flow())
    pair.link.run(3.0)
    pair.caller.stack.cancel(transaction, pair.clock.now)
    pair.link.run_until_idle()
    assert pair.caller.statuses == [100, 180, 487]
    assert pair.callee.events == ["INVITE", "CANCEL"]
    pair.assert_clean()


def test_a_call_cancelled_before_anything_was_heard_is_cancelled_by_the_first_provisional() -> None:
    pair = Pair(delay_s=0.05)
    transaction = pair.caller.call(pair.flow())
    pair.caller.stack.cancel(transaction, pair.clock.now)
    pair.link.run_until_idle()
    assert pair.caller.statuses[-1] == 487
    methods = [line.split(" ")[0] for line in pair.link.start_lines()]
    assert methods.index("CANCEL") > methods.index("SIP/2.0")
    pair.assert_clean()


def test_an_answer_that_crosses_the_cancel_still_makes_a_call() -> None:
    """RFC 5407 3.1.2: the 200 is on its way when the CANCEL leaves."""
    pair = Pair(delay_s=0.05)
    pair.callee.ring_s = 0.2
    pair.caller.talk_s = 1.0
    transaction = pair.caller.call(pair.flow())
    pair.link.run(0.27)
    pair.caller.stack.cancel(transaction, pair.clock.now)
    pair.link.run_until_idle()
    assert 200 in pair.caller.statuses
    assert 487 not in pair.caller.statuses
    assert pair.callee.events == ["INVITE", "ACK", "BYE"]
    pair.assert_clean()


def test_a_lost_ack_is_sent_again_for_each_repeated_2xx() -> None:
    pair = Pair()
    lost: list[Datagram] = []

    def lose_two_acks(datagram: Datagram) -> bool:
        if datagram.start_line.startswith("ACK") and len(lost) < 2:
            lost.append(datagram)
            return True
        return False

    pair.link.is_lost = lose_two_acks
    pair.caller.talk_s = 10.0
    pair.caller.call(pair.flow())
    pair.link.run_until_idle()
    assert pair.caller.events == ["repeated 2xx", "repeated 2xx", "hung up"]
    assert pair.callee.events == ["INVITE", "ACK", "BYE"]
    pair.assert_clean()


def test_a_caller_that_never_acknowledges_is_hung_up_after_32_s() -> None:
    pair = Pair()
    pair.link.is_lost = lambda datagram: datagram.start_line.startswith("ACK")
    pair.caller.call(pair.flow())
    pair.link.run_until_idle()
    assert pair.callee.events == ["INVITE", "ACK missing", "hung up"]
    assert pair.caller.events[-1] == "BYE"
    pair.assert_clean()


def test_a_black_hole_is_a_time_out_after_32_s() -> None:
    pair = Pair()
    pair.link.detach(CALLEE)
    pair.caller.call(pair.flow())
    pair.caller.send("OPTIONS", pair.flow())
    pair.link.run_until_idle()
    assert sorted(pair.caller.events) == ["timeout INVITE", "timeout OPTIONS"]
    methods = [line.split(" ")[0] for line in pair.link.start_lines()]
    assert (methods.count("INVITE"), methods.count("OPTIONS")) == (7, 11)
    assert pair.clock.now == 32.0


@pytest.mark.parametrize("copies", [2, 5])
def test_a_link_that_repeats_everything_still_makes_one_call(copies: int) -> None:
    pair = Pair(duplication=1.0)
    pair.link.copies = copies
    pair.caller.talk_s = 1.0
    pair.caller.call(pair.flow())
    pair.link.run_until_idle()
    assert pair.callee.events == ["INVITE", "ACK", "BYE"]
    assert pair.caller.events.count("hung up") == 1
    pair.assert_clean()


@pytest.mark.parametrize("loss", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("seed", range(12))
def test_a_call_over_a_bad_link_completes(seed: int, loss: float) -> None:
    pair = Pair(seed=seed, loss=loss, duplication=0.1, reorder=0.1, delay_s=0.05)
    pair.callee.ring_s = 2.0
    pair.caller.talk_s = 20.0
    pair.caller.call(pair.flow())
    pair.link.run_until_idle()
    assert pair.callee.events.count("INVITE") == 1
    assert pair.callee.events.count("ACK") == 1
    assert pair.callee.events.count("BYE") == 1
    assert pair.caller.events.count("hung up") == 1
    assert 200 in pair.caller.statuses
    pair.assert_clean()


@pytest.mark.parametrize("answer", [302, 486, 503, 603])
@pytest.mark.parametrize("seed", range(6))
def test_a_refusal_over_a_bad_link_arrives_once(seed: int, answer: int) -> None:
    pair = Pair(seed=seed, loss=0.2, duplication=0.2, reorder=0.2)
    pair.callee.answer = answer
    pair.caller.call(pair.flow())
    pair.link.run_until_idle()
    assert pair.caller.statuses.count(answer) == 1
    assert pair.callee.events == ["INVITE"]
    pair.assert_clean()


@pytest.mark.parametrize("seed", range(12))
def test_a_call_cancelled_over_a_bad_link_ends_on_both_sides(seed: int) -> None:
    pair = Pair(seed=seed, loss=0.15, duplication=0.2, reorder=0.3)
    pair.callee.ring_s = 60.0
    pair.caller.talk_s = 1.0
    transaction = pair.caller.call(pair.flow())
    pair.link.run(1.0)
    pair.caller.stack.cancel(transaction, pair.clock.now)
    pair.link.run_until_idle()
    assert pair.callee.events.count("CANCEL") == 1
    assert pair.caller.statuses[-1] == 487
    pair.assert_clean()


@pytest.mark.parametrize("seed", range(12))
def test_other_requests_over_a_bad_link_are_answered_once(seed: int) -> None:
    pair = Pair(seed=seed, loss=0.2, duplication=0.3, reorder=0.3)
    for _ in range(10):
        pair.caller.send("OPTIONS", pair.flow())
    pair.link.run_until_idle()
    assert pair.caller.statuses == [200] * 10
    assert pair.callee.events == ["OPTIONS"] * 10
    pair.assert_clean()


def test_many_calls_at_once_over_a_bad_link_do_not_mix() -> None:
    pair = Pair(seed=4, loss=0.1, duplication=0.1, reorder=0.2)
    pair.caller.talk_s = 15.0
    for _ in range(40):
        pair.caller.call(pair.flow())
        pair.link.run(0.05)
    pair.link.run_until_idle()
    assert pair.callee.events.count("INVITE") == 40
    assert pair.callee.events.count("BYE") == 40
    pair.assert_clean()


def test_a_stopped_process_wakes_without_a_storm() -> None:
    """After 40 s at a standstill a request is repeated once at most, not once for each missed interval."""
    pair = Pair()
    pair.link.detach(CALLEE)
    for _ in range(20):
        pair.caller.send("OPTIONS", pair.flow())
    pair.link.run(1.0)
    before = len(pair.link.sent)
    pair.clock.advance(40.0)
    pair.caller.timers.run(pair.clock.now)
    pair.link.run_until_idle()
    assert len(pair.link.sent) - before <= 20
    assert pair.caller.events == ["timeout OPTIONS"] * 20


def test_the_same_seed_gives_the_same_ladder() -> None:
    ladders = []
    for _ in range(2):
        pair = Pair(seed=9, loss=0.2, duplication=0.2, reorder=0.2)
        pair.caller.talk_s = 3.0
        pair.caller.call(pair.flow())
        pair.link.run_until_idle()
        ladders.append([(datagram.sent_at, datagram.data) for datagram in pair.link.sent])
    assert ladders[0] == ladders[1]
