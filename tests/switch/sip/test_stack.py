"""The stack whole: what each message does at the border, with no socket and no clock."""

from collections.abc import Iterator
from random import Random

import pytest

from switch.sip import stack as stack_module
from switch.sip.counts import SipCounts
from switch.sip.errors import SipParseError
from switch.sip.flow import TCP, UDP, Flow
from switch.sip.layer import ANSWERED
from switch.sip.message import Request, Response, format_message, make_response
from switch.sip.parser import parse_message
from switch.sip.stack import ServerTransaction, Stack
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from tests.agents import Recorder, make_request, sent_by
from tests.compiled import interpreted_only

PHONE = Flow(UDP, "192.0.2.1", 5060, "192.0.2.9", 5060)
VIA = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx"


class Bench:
    """A stack whose TU writes down what it is told."""

    def __init__(self) -> None:
        self.user = Recorder()
        self.timers = TimerQueue()
        self.counts = SipCounts()
        tokens = Tokens(Random(1).randbytes)
        self.stack = Stack(tokens, self.timers, self.user, sent_by=sent_by, counts=self.counts)
        self.now = 0.0

    def receive(self, message: Request | Response | bytes, flow: Flow = PHONE) -> None:
        data = message if isinstance(message, bytes) else format_message(message)
        self.stack.receive(data, flow, self.now)

    def sent(self) -> list[Request | Response]:
        messages = [parse_message(data) for _, data in self.stack.outgoing]
        self.stack.outgoing.clear()
        return messages

    def statuses(self) -> str:
        return ",".join(str(message.status) for message in self.sent() if isinstance(message, Response))

    def response(self) -> Response:
        (message,) = self.sent()
        assert isinstance(message, Response)
        return message

    def move_to(self, now: float) -> None:
        while (at := self.timers.next_deadline()) is not None and at <= now:
            self.now = at
            self.timers.run(at)
        self.now = now

    @property
    def last(self) -> ServerTransaction:
        return self.user.server_transactions[-1]

    def respond(self, status: int, to_tag: str | None = "ours") -> None:
        self.last.respond(make_response(self.last.request, status, to_tag=to_tag), self.now)

    def is_clean(self) -> bool:
        layer = self.stack._layer
        tables = (layer.clients, layer.servers, layer.merged, layer.awaiting_ack)
        return not any(tables) and len(self.timers) == 0


@pytest.fixture
def bench() -> Iterator[Bench]:
    yield (made := Bench())
    made.move_to(made.now + 100.0)
    for transaction in list(made.stack.transactions()):
        assert transaction.method == "INVITE", "only an INVITE may wait for ever, for its TU"


def request(method: str = "INVITE", *, via: str = VIA, to_tag: str = "", cseq: int = 1) -> Request:
    made = make_request(method, "sip:b@192.0.2.9", tag="a", call_id="c", cseq=cseq)
    made.headers.prepend("via", via)
    if to_tag:
        made.headers.set("to", f"<sip:b@192.0.2.9>;tag={to_tag}")
    return made


def ack_of(response: Response, *, via: str = VIA) -> Request:
    return request("ACK", via=via, to_tag=response.to_tag or "")


OTHER_VIA = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKother"


class TestRequests:
    def test_a_new_request_reaches_the_tu_once(self, bench: Bench) -> None:
        for _ in range(3):
            bench.receive(request())
        assert bench.user.take() == "INVITE"
        assert bench.counts.retransmissions_in == 2
        assert bench.counts.received_requests["INVITE"] == 3

    def test_a_repeat_gets_the_latest_response(self, bench: Bench) -> None:
        bench.receive(request())
        for status in (100, 180, 183, 486):
            bench.respond(status)
            bench.sent()
            bench.receive(request())
            assert bench.statuses() == str(status)

    def test_a_repeat_after_a_2xx_is_absorbed_and_the_2xx_repeats_by_itself(self, bench: Bench) -> None:
        bench.receive(request())
        bench.respond(200)
        bench.sent()
        bench.receive(request())
        assert bench.sent() == []
        bench.move_to(0.5)
        assert bench.statuses() == "200"
        assert bench.user.take() == "INVITE"

    def test_100_comes_within_200_ms_from_a_silent_tu(self, bench: Bench) -> None:
        bench.receive(request())
        bench.move_to(0.199)
        assert bench.sent() == []
        bench.move_to(0.2)
        assert bench.statuses() == "100"

    def test_the_response_carries_where_the_request_came_from(self, bench: Bench) -> None:
        natted = Flow(UDP, "198.51.100.7", 40123, "192.0.2.9", 5060)
        bench.receive(request("OPTIONS", via="SIP/2.0/UDP 10.0.0.5:5062;rport;branch=z9hG4bKx"), natted)
        bench.respond(200)
        assert bench.stack.outgoing[0][0] == natted
        via = bench.response().top_via
        assert (via.received, via.rport, via.branch) == ("198.51.100.7", "40123", "z9hG4bKx")

    def test_a_response_without_to_tag_gets_one_and_always_the_same(self, bench: Bench) -> None:
        bench.receive(request())
        bench.respond(180, to_tag=None)
        bench.respond(486, to_tag=None)
        ringing, busy = bench.sent()
        assert ringing.to_tag
        assert ringing.to_tag == busy.to_tag

    @pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
    @pytest.mark.parametrize("status", [200, 486])
    def test_an_answered_request_is_not_kept(self, bench: Bench, method: str, status: int) -> None:
        bench.receive(request(method))
        kept = bench.last
        bench.respond(status)
        assert kept.request is ANSWERED
        assert kept.method == method

    def test_a_100_and_a_response_in_a_dialog_get_no_to_tag(self, bench: Bench) -> None:
        bench.receive(request())
        bench.last.trying(0.0)
        assert bench.response().to_tag is None
        bench.receive(request("BYE", via=OTHER_VIA, to_tag="theirs"))
        bench.respond(200, to_tag=None)
        assert bench.response().to_tag == "theirs"

    def test_a_request_that_came_by_two_paths_is_482_the_second_time(self, bench: Bench) -> None:
        bench.receive(request())
        bench.receive(request(via=OTHER_VIA))
        merged = bench.response()
        assert merged.status == 482
        bench.receive(ack_of(merged, via=OTHER_VIA))
        assert bench.user.take() == "INVITE"
        assert bench.counts.dropped == {"merged request": 1}

    def test_a_challenged_retry_is_not_merged(self, bench: Bench) -> None:
        bench.receive(request())
        bench.respond(401)
        bench.receive(request(via=OTHER_VIA, cseq=2))
        assert bench.user.take() == "INVITE,INVITE"

    def test_a_request_in_a_dialog_is_never_merged(self, bench: Bench) -> None:
        bench.receive(request("INFO", to_tag="x"))
        bench.receive(request("INFO", to_tag="x", via=OTHER_VIA))
        assert bench.user.take() == "INFO,INFO"

    def test_a_bug_in_the_tu_is_answered_500_and_passed_on(self, bench: Bench) -> None:
        def fail(*_: object) -> None:
            raise ZeroDivisionError

        bench.user.on_request = fail  # type: ignore[assignment,method-assign]
        with pytest.raises(ZeroDivisionError):
            bench.receive(request())
        broken = bench.response()
        assert broken.status == 500
        bench.receive(ack_of(broken))
        bench.move_to(5.0)
        assert bench.is_clean()

    def test_a_field_that_only_the_tu_reads_is_answered_when_it_is_malformed(self, bench: Bench) -> None:
        def fail(*_: object) -> None:
            raise SipParseError(400, "Malformed Session-Expires")

        bench.user.on_request = fail  # type: ignore[assignment,method-assign]
        bench.receive(request("OPTIONS"))
        assert bench.statuses() == "400"
        assert bench.counts.parse_errors == {"Malformed Session-Expires": 1}


class TestAck:
    def test_the_ack_of_a_refusal_is_absorbed(self, bench: Bench) -> None:
        bench.receive(request())
        bench.respond(486)
        busy = bench.response()
        bench.receive(ack_of(busy))
        bench.receive(ack_of(busy))
        assert bench.user.take() == "INVITE"
        bench.move_to(10.0)
        assert bench.sent() == []
        assert bench.is_clean()

    def test_the_ack_of_a_2xx_is_told_once_after_the_repeats_have_ended(self, bench: Bench) -> None:
        bench.receive(request())
        bench.respond(200)
        answer = bench.response()
        for _ in range(2):
            bench.receive(ack_of(answer, via=OTHER_VIA))
        assert bench.user.take() == "INVITE,ACK"
        bench.move_to(31.0)
        assert bench.sent() == []
        bench.move_to(32.0)
        assert bench.is_clean()

    def test_the_ack_of_a_2xx_with_the_branch_of_its_invite_is_taken_too(self, bench: Bench) -> None:
        bench.receive(request())
        bench.respond(200)
        bench.receive(ack_of(bench.response()))
        assert bench.user.take() == "INVITE,ACK"

    @pytest.mark.parametrize("wrong", ["call-id", "to", "from", "cseq"])
    def test_an_ack_of_another_dialog_stops_nothing(self, bench: Bench, wrong: str) -> None:
        bench.receive(request())
        bench.respond(200)
        ack = ack_of(bench.response(), via=OTHER_VIA)
        values = {"call-id": "d", "to": "<sip:b@192.0.2.9>;tag=x", "from": "<sip:a@x>;tag=x", "cseq": "2 ACK"}
        ack.headers.set(wrong, values[wrong])
        bench.receive(ack)
        assert bench.user.take() == "INVITE"
        assert bench.counts.dropped == {"stray ACK": 1}
        bench.move_to(0.5)
        assert bench.statuses() == "200"

    def test_a_missing_ack_is_told_after_32_s(self, bench: Bench) -> None:
        bench.receive(request())
        bench.respond(200)
        bench.move_to(31.9)
        assert bench.user.take() == "INVITE"
        bench.move_to(32.0)
        assert bench.user.take() == "ack-missing"


class TestCancel:
    def test_it_is_answered_200_and_told(self, bench: Bench) -> None:
        bench.receive(request())
        bench.respond(180)
        bench.sent()
        bench.receive(request("CANCEL"))
        assert bench.user.take() == "INVITE,CANCEL"
        ok = bench.response()
        assert (ok.status, ok.cseq.method, ok.to_tag) == (200, "CANCEL", "ours")

    def test_a_repeat_is_answered_and_not_told_again(self, bench: Bench) -> None:
        bench.receive(request())
        for _ in range(3):
            bench.receive(request("CANCEL"))
        assert bench.statuses() == "200,200,200"
        assert bench.user.take() == "INVITE,CANCEL"

    def test_without_its_invite_it_is_481_and_nothing_is_kept(self, bench: Bench) -> None:
        bench.receive(request("CANCEL"))
        assert bench.statuses() == "481"
        assert bench.user.take() == ""
        assert bench.is_clean()

    def test_for_another_method_it_is_481(self, bench: Bench) -> None:
        bench.receive(request("OPTIONS"))
        bench.receive(request("CANCEL"))
        assert bench.statuses() == "481"

    @pytest.mark.parametrize("final", [200, 486])
    def test_after_the_final_response_it_changes_nothing(self, bench: Bench, final: int) -> None:
        bench.receive(request())
        bench.respond(final)
        bench.sent()
        bench.receive(request("CANCEL"))
        ok = bench.response()
        assert (ok.status, ok.to_tag) == (200, "ours")
        assert bench.user.take() == "INVITE"

    def test_from_another_host_it_is_as_if_there_were_no_invite(self, bench: Bench) -> None:
        bench.receive(request())
        stranger = Flow(UDP, "203.0.113.66", 5060, "192.0.2.9", 5060)
        bench.receive(request("CANCEL"), stranger)
        assert bench.statuses() == "481"
        assert bench.user.take() == "INVITE"


class TestStateless:
    def test_a_screened_request_leaves_nothing_behind(self, bench: Bench) -> None:
        bench.user.screen_status = 401
        bench.receive(request())
        challenge = bench.response()
        assert challenge.status == 401
        assert bench.user.take() == ""
        assert bench.is_clean()
        bench.receive(ack_of(challenge))
        assert bench.counts.dropped == {}
        assert bench.user.take() == ""

    def test_every_copy_gets_the_same_to_tag_and_others_get_others(self, bench: Bench) -> None:
        tags = []
        for via in (VIA, VIA, OTHER_VIA):
            bench.user.screen_status = 401
            bench.receive(request(via=via))
            tags.append(bench.response().to_tag)
        assert tags[0] == tags[1] != tags[2]
        assert len(bytes.fromhex(tags[0] or "")) == 8

    def test_the_tag_cannot_be_made_without_the_key(self) -> None:
        def tag(key: bytes) -> str:
            tokens = Tokens(Random(1).randbytes)
            stack = Stack(
                tokens, TimerQueue(), Recorder(), sent_by=sent_by, counts=SipCounts(), stateless_key=key
            )
            return stack.stateless_tag(request())

        assert tag(b"one") == tag(b"one") != tag(b"two")

    def test_an_ack_with_another_tag_is_a_stray(self, bench: Bench) -> None:
        bench.receive(request("ACK", to_tag="guess"))
        assert bench.sent() == []
        assert bench.counts.dropped == {"stray ACK": 1}

    def test_a_tag_of_the_tus_own_is_kept(self, bench: Bench) -> None:
        def _refuse(request: Request, *_: object) -> Response:
            return make_response(request, 403, to_tag="mine")

        bench.user.screen = _refuse  # type: ignore[assignment,method-assign]
        bench.receive(request())
        assert bench.response().to_tag == "mine"

    def test_the_screen_is_not_asked_about_repeats(self, bench: Bench) -> None:
        bench.receive(request())
        bench.user.screen_status = 401
        bench.receive(request())
        assert bench.sent() == []


@interpreted_only
class TestLimits:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stack_module, "TRANSACTIONS_MAX", 2)
        monkeypatch.setattr(stack_module, "TRANSACTIONS_HARD_MAX", 4)

    def fill(self, bench: Bench, count: int) -> None:
        for number in range(count):
            bench.receive(request("INFO", via=f"{VIA}{number}", to_tag="x"))
        bench.user.take()

    def test_a_new_call_beyond_the_limit_gets_503_with_a_time_to_come_back(self, bench: Bench) -> None:
        self.fill(bench, 2)
        bench.receive(request())
        full = bench.response()
        assert full.status == 503
        assert 5 <= int(full.headers.get("retry-after") or "") <= 10
        assert bench.user.take() == ""
        assert bench.stack.transactions_count == 2
        assert bench.counts.dropped == {"transactions max": 1}

    def test_what_belongs_to_a_dialog_still_passes(self, bench: Bench) -> None:
        self.fill(bench, 2)
        bench.receive(request("BYE", to_tag="x"))
        bench.receive(request("INVITE", to_tag="x"))
        assert bench.user.take() == "BYE,INVITE"

    def test_beyond_the_hard_limit_nothing_passes(self, bench: Bench) -> None:
        self.fill(bench, 4)
        bench.receive(request("BYE", to_tag="x"))
        assert bench.statuses() == "503"
        assert bench.user.take() == ""

    def test_an_ack_and_a_repeat_need_no_room(self, bench: Bench) -> None:
        bench.receive(request())
        bench.respond(200)
        answer = bench.response()
        self.fill(bench, 3)
        bench.receive(ack_of(answer, via=OTHER_VIA))
        assert bench.user.take() == "ACK"


class TestNonsense:
    @pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0\0\0\0"])
    def test_keepalives_are_dropped_without_a_word(self, bench: Bench, data: bytes) -> None:
        bench.receive(data)
        assert bench.stack.outgoing == []
        assert bench.counts.dropped == {"keepalive": 1}
        assert bench.counts.parse_errors == {}

    @pytest.mark.parametrize(
        "data", [b"hello", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff\xfe\x00", b"SIP/2.0"]
    )
    def test_what_is_not_sip_gets_silence_and_a_count(self, bench: Bench, data: bytes) -> None:
        bench.receive(data)
        assert bench.stack.outgoing == []
        assert sum(bench.counts.parse_errors.values()) == 1

    def test_a_broken_request_that_can_be_answered_is(self, bench: Bench) -> None:
        data = format_message(request()).replace(b"Max-Forwards: 70", b"Max-Forwards: seventy")
        bench.receive(data)
        refused = bench.response()
        assert refused.status == 400
        assert refused.to_tag
        assert bench.user.take() == ""
        assert bench.is_clean()

    @pytest.mark.parametrize("call_id", [b"Call-ID: c d\r\n", b"Call-ID:\r\n", b""])
    def test_a_request_without_a_usable_call_id_raises_nothing(self, bench: Bench, call_id: bytes) -> None:
        data = format_message(request()).replace(b"Call-ID: c\r\n", call_id)
        for broken in (data, data.replace(b"Content-Length: 0", b"Content-Length: x")):
            bench.receive(broken)
        assert bench.user.take() == ""
        assert all(isinstance(message, Response) for message in bench.sent())
        assert bench.is_clean()

    def test_a_broken_ack_gets_silence(self, bench: Bench) -> None:
        bench.receive(format_message(request("ACK")).replace(b"CSeq: 1 ACK", b"CSeq: 1 BYE"))
        assert bench.stack.outgoing == []

    def test_a_request_that_has_used_its_hops_is_483(self, bench: Bench) -> None:
        data = format_message(request()).replace(b"Max-Forwards: 70", b"Max-Forwards: 0")
        bench.receive(data)
        assert bench.statuses() == "483"

    def test_a_broken_response_is_dropped(self, bench: Bench) -> None:
        bench.receive(format_message(make_response(request(), 200)).replace(b"CSeq: 1 INVITE", b"CSeq: x"))
        assert bench.user.take() == ""
        assert sum(bench.counts.parse_errors.values()) == 1

    def test_a_response_with_a_second_via_was_meant_for_somebody_else(self, bench: Bench) -> None:
        response = make_response(request(), 200)
        response.headers.prepend("via", OTHER_VIA)
        bench.receive(response)
        assert bench.user.take() == ""
        assert sum(bench.counts.dropped.values()) == 1

    def test_unknown_methods_share_one_counter(self, bench: Bench) -> None:
        for number in range(50):
            bench.receive(request(f"X{number}", via=f"{VIA}{number}"))
        assert bench.counts.received_requests["OTHER"] == 50
        assert len(bench.counts.received_requests) < 20


class TestLegacyPeers:
    """RFC 2543: no magic cookie in the branch, or no branch at all."""

    OLD = "SIP/2.0/UDP 192.0.2.1:5060"

    def test_a_call_is_refused_and_acknowledged(self, bench: Bench) -> None:
        for _ in range(2):
            bench.receive(request(via=self.OLD))
        assert bench.user.take() == "INVITE"
        bench.respond(486)
        busy = bench.response()
        bench.receive(ack_of(busy, via=self.OLD))
        bench.move_to(10.0)
        assert bench.sent() == []
        assert bench.is_clean()

    def test_an_ack_with_another_to_tag_is_not_for_this_refusal(self, bench: Bench) -> None:
        bench.receive(request(via=self.OLD))
        bench.respond(486)
        bench.sent()
        bench.receive(request("ACK", via=self.OLD, to_tag="other"))
        bench.move_to(0.5)
        assert bench.statuses() == "486"

    def test_a_call_is_answered_and_cancelled(self, bench: Bench) -> None:
        bench.receive(request(via=self.OLD))
        bench.receive(request("CANCEL", via=self.OLD))
        assert bench.user.take() == "INVITE,CANCEL"
        bench.respond(200)
        _, answer = bench.sent()
        assert isinstance(answer, Response)
        bench.receive(ack_of(answer, via=self.OLD))
        assert bench.user.take() == "ACK"


class TestClient:
    def send(self, bench: Bench, method: str, flow: Flow = PHONE) -> Request:
        made = make_request(method, "sip:b@192.0.2.1", tag="us", call_id="k")
        self.transaction = bench.stack.send_request(made, flow, bench.user, bench.now)
        sent = bench.sent()[-1]
        assert isinstance(sent, Request)
        return sent

    def test_our_via_names_us_and_asks_for_the_port(self, bench: Bench) -> None:
        via = self.send(bench, "OPTIONS").top_via
        assert (via.transport, via.sent_by) == ("UDP", "192.0.2.9:5060")
        assert via.rport == ""
        assert (via.branch or "").startswith("z9hG4bK")

    def test_a_request_can_go_again_with_a_new_branch(self, bench: Bench) -> None:
        first = self.send(bench, "OPTIONS")
        again = self.transaction.request
        bench.stack.send_request(again, PHONE, bench.user, bench.now)
        (second,) = bench.sent()
        assert second.headers.count("via") == 1
        assert second.top_via.branch != first.top_via.branch
        assert bench.stack.transactions_count == 2

    def test_responses_reach_the_user_of_their_request(self, bench: Bench) -> None:
        sent = self.send(bench, "INVITE")
        for status in (100, 180, 200):
            bench.receive(make_response(sent, status, to_tag="b"))
        assert bench.user.take() == "100,180,200"

    def test_the_answer_to_our_cancel_is_not_the_answer_to_the_invite(self, bench: Bench) -> None:
        sent = self.send(bench, "INVITE")
        bench.receive(make_response(sent, 180, to_tag="b"))
        bench.stack.cancel(self.transaction, bench.now, [("Reason", "SIP;cause=200")])
        (cancel,) = bench.sent()
        assert isinstance(cancel, Request)
        bench.receive(make_response(cancel, 200))
        bench.receive(make_response(sent, 487, to_tag="b"))
        assert bench.user.take() == "180,487"
        (ack,) = bench.sent()
        assert isinstance(ack, Request)
        assert ack.method == "ACK"

    def test_cancel_of_anything_but_an_invite_does_nothing(self, bench: Bench) -> None:
        sent = self.send(bench, "OPTIONS")
        bench.receive(make_response(sent, 100))
        bench.stack.cancel(self.transaction, bench.now)
        assert bench.sent() == []

    def test_a_2xx_that_nobody_waits_for_is_told_as_a_stray(self, bench: Bench) -> None:
        sent = self.send(bench, "INVITE")
        bench.receive(make_response(sent, 200, to_tag="b"))
        bench.move_to(33.0)
        bench.receive(make_response(sent, 200, to_tag="c"))
        assert bench.user.take() == "200,stray-200"

    def test_a_2xx_after_a_refusal_is_told_as_a_stray(self, bench: Bench) -> None:
        sent = self.send(bench, "INVITE")
        bench.receive(make_response(sent, 486, to_tag="b"))
        bench.receive(make_response(sent, 200, to_tag="c"))
        assert bench.user.take() == "486,stray-200"

    def test_a_response_with_the_branch_of_another_method_is_a_stray(self, bench: Bench) -> None:
        sent = self.send(bench, "OPTIONS")
        forged = make_response(sent, 200, to_tag="b")
        forged.headers.set("cseq", "1 INVITE")
        bench.receive(forged)
        assert bench.user.take() == "stray-200"

    def test_each_ack_has_a_branch_of_its_own(self, bench: Bench) -> None:
        ack = request("ACK", to_tag="x")
        for _ in range(2):
            bench.stack.send_ack(ack, PHONE)
        one, other = bench.sent()
        assert one.top_via.branch != other.top_via.branch
        assert one.headers.count("via") == other.headers.count("via") == 1
        assert bench.is_clean()

    def test_a_broken_flow_fails_what_waits_on_it_and_nothing_else(self, bench: Bench) -> None:
        self.send(bench, "OPTIONS", Flow(TCP, "192.0.2.1", 5060, "192.0.2.9", 5060, "c1"))
        self.send(bench, "INVITE", Flow(TCP, "192.0.2.1", 5060, "192.0.2.9", 5060))
        self.send(bench, "OPTIONS", Flow(TCP, "192.0.2.1", 5060, "192.0.2.9", 5060, "c2"))
        self.send(bench, "OPTIONS", PHONE)
        bench.stack.handle_transport_error(Flow(TCP, "192.0.2.1", 5060, "192.0.2.9", 5060, "c1"), bench.now)
        assert bench.user.take() == "transport-error,transport-error"
        assert bench.stack.transactions_count == 2

    def test_after_its_final_response_a_request_does_not_fail_any_more(self, bench: Bench) -> None:
        sent = self.send(bench, "INVITE")
        bench.receive(make_response(sent, 486, to_tag="b"))
        bench.user.take()
        bench.stack.handle_transport_error(PHONE, bench.now)
        bench.move_to(100.0)
        assert bench.user.take() == ""
