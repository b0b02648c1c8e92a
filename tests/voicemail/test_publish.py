"""The lamp's counts to the switch: after each change, all of them when it is back, and never an older one last."""

from switch.sip.counts import SipCounts
from switch.sip.flow import UDP, Flow
from switch.sip.message import Request, Response, make_response
from switch.sip.message import format_message as text_of
from switch.sip.parser import parse_message
from switch.sip.stack import Stack
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from voicemail.counts import VoicemailCounts
from voicemail.mailbox import Counts
from voicemail.publish import Publisher
from voicemail.user_agent import UserAgent

PRODUCT = "Offhook-Voicemail (1)"
FLOW = Flow(UDP, "127.0.0.1", 5060, "127.0.0.1", 5070)


class Lamps:
    """A publisher, its stack, and the switch at the other end."""

    def __init__(self) -> None:
        self.now = 0.0
        self._probes = 0
        self.timers = TimerQueue()
        random = iter(range(1 << 30))
        tokens = Tokens(lambda count: b"".join(next(random).to_bytes(4, "big") for _ in range(count // 4)))
        self.counts = VoicemailCounts()
        self.publisher = Publisher(
            FLOW,
            own_host="127.0.0.1:5070",
            tokens=tokens,
            timers=self.timers,
            counts=self.counts,
            user_agent=PRODUCT,
        )
        agent = UserAgent(tokens, lambda *_: 404, server=PRODUCT, on_probe=self.publisher.heard_switch)
        self.stack = Stack(tokens, self.timers, agent, sent_by=lambda _: "127.0.0.1:5070", counts=SipCounts())
        self.publisher.stack = self.stack
        self.publisher.start(self.now)

    def sent(self) -> list[Request]:
        """Since it was last asked, without repeats."""
        messages = [parse_message(data) for _, data in self.stack.outgoing]
        self.stack.outgoing.clear()
        return list({each.call_id: each for each in messages if isinstance(each, Request)}.values())

    def answer(self, request: Request, status: int = 200) -> None:
        self.stack.receive(text_of(make_response(request, status, to_tag="s")), FLOW, self.now)

    def ask(self, life: str) -> Response:
        """The switch's OPTIONS, and our answer."""
        self._probes += 1
        probe = (
            f"OPTIONS sip:127.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{self._probes}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:example.com>;tag={self._probes}\r\nTo: <sip:127.0.0.1:5070>\r\n"
            f"Call-ID: {life}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
        self.stack.receive(probe.encode(), FLOW, self.now)
        answer = parse_message(self.stack.outgoing.pop(0)[1])
        assert isinstance(answer, Response)
        return answer

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (deadline := self.timers.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.timers.run(self.now)
        self.now = end


def users(requests: list[Request]) -> list[str]:
    return sorted(request.uri.partition(":")[2].partition("@")[0] for request in requests)


def test_a_change_is_told_at_once() -> None:
    lamps = Lamps()
    lamps.publisher.found("alice", Counts(2, 1), lamps.now)
    (request,) = lamps.sent()
    assert (request.method, request.uri) == ("PUBLISH", "sip:alice@127.0.0.1:5060")
    assert request.headers.get("event") == "message-summary"
    assert request.body == (
        b"Messages-Waiting: yes\r\nMessage-Account: sip:alice@127.0.0.1:5060\r\nVoice-Message: 2/1 (0/0)\r\n"
    )
    lamps.answer(request)
    assert lamps.counts.lamps == {"delivered": 1}


def test_what_has_not_changed_is_not_told_again_but_in_its_turn() -> None:
    lamps = Lamps()
    lamps.publisher.found("alice", Counts(1, 0), lamps.now)
    lamps.answer(*lamps.sent())
    lamps.publisher.found("alice", Counts(1, 0), lamps.now)
    assert lamps.sent() == []
    lamps.wait(59)
    assert lamps.sent() == []
    lamps.wait(2)
    assert users(lamps.sent()) == ["alice"]


def test_a_newer_count_waits_for_the_answer_to_the_older_one() -> None:
    lamps = Lamps()
    lamps.publisher.found("alice", Counts(1, 0), lamps.now)
    (first,) = lamps.sent()
    lamps.publisher.found("alice", Counts(0, 1), lamps.now)
    assert lamps.sent() == []
    lamps.answer(first)
    (second,) = lamps.sent()
    assert b"Voice-Message: 0/1" in second.body


def test_when_the_switch_is_back_it_is_told_everything() -> None:
    lamps = Lamps()
    for user in ("alice", "bob", "carol"):
        lamps.publisher.found(user, Counts(1, 0), lamps.now)
    for request in lamps.sent():
        lamps.answer(request)
    lamps.publisher.found("bob", Counts(2, 0), lamps.now)
    lamps.wait(3.5)
    assert lamps.publisher.is_away
    (given_up,) = lamps.sent()  # the first is repeated by its transaction
    lamps.ask("life-1")
    (asking,) = lamps.sent()
    lamps.answer(given_up)
    assert lamps.publisher.is_away
    lamps.answer(asking)
    assert not lamps.publisher.is_away
    assert users(lamps.sent()) == ["alice", "bob", "carol"]


def test_another_life_of_the_switch_is_told_everything_however_short_it_was_away() -> None:
    lamps = Lamps()
    assert lamps.ask("life-1").headers.get("server") == PRODUCT
    for user in ("alice", "bob"):
        lamps.publisher.found(user, Counts(1, 0), lamps.now)
    told = lamps.sent()
    assert {request.headers.get("user-agent") for request in told} == {PRODUCT}
    for request in told:
        lamps.answer(request)
    lamps.ask("life-1")
    assert lamps.sent() == []
    lamps.ask("life-2")
    assert users(lamps.sent()) == ["alice", "bob"]
    lamps.ask("life-2")
    assert lamps.sent() == []


def test_at_rest_it_sends_one_request_a_minute() -> None:
    lamps = Lamps()
    for user in ("alice", "bob", "carol"):
        lamps.publisher.found(user, Counts(1, 0), lamps.now)
    for request in lamps.sent():
        lamps.answer(request)
    for user in ("alice", "bob", "carol"):
        lamps.wait(60.5)
        (request,) = lamps.sent()
        assert users([request]) == [user]
        lamps.answer(request)


def test_a_line_that_the_switch_does_not_know_is_no_outage() -> None:
    lamps = Lamps()
    lamps.publisher.found("gone", Counts(1, 0), lamps.now)
    (request,) = lamps.sent()
    lamps.answer(request, 404)
    assert not lamps.publisher.is_away
    assert lamps.counts.lamps == {"refused": 1}


def test_a_start_with_many_mailboxes_is_no_burst() -> None:
    lamps = Lamps()
    for number in range(100):
        lamps.publisher.found(f"line{number}", Counts(1, 0), lamps.now)
    told = 0
    while requests := lamps.sent():
        assert len(requests) <= 20
        told += len(requests)
        for request in requests:
            lamps.answer(request)
    assert told == 100
