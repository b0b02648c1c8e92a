"""Calls with a browser at one end: what each end is told, what the browsers' process is told, and how they end."""

import msgspec
import pytest

from media.browser.messages import Aim, Close, Connect, Take
from switch.conf_edge import Listen
from switch.conf_media import Media
from switch.conf_values import Address
from switch.config import Conf
from switch.sip.flow import Flow
from tests.switch.house import EXCHANGE, OFFER, House, Phone, make_conf, make_line, make_trunk
from tests.switch.relay.gates_stub import FINGERPRINT, GatesStub
from tests.switch.relay.relay_stub import HOST, PORTS, RelayStub
from tests.switch.sdp.test_webrtc import BROWSER, DIGEST

SDP = "application/sdp"
CARRIER = "192.0.2.50"
BROWSERS_ANSWER = BROWSER.replace(b"a=setup:actpass", b"a=setup:active")


def with_browsers(**media: object) -> Conf:
    conf = make_conf(media=Media(**media), trunks=[make_trunk("carrier", CARRIER)])
    return msgspec.structs.replace(conf, listen=Listen(wss=(Address("192.0.2.1", 443),)))


class Bench:
    """Alice has a browser, Bob a telephone; relay and browsers' process are there."""

    def __init__(self, **media: object) -> None:
        self.house = House(
            conf=with_browsers(**media),
            lines=[make_line("alice"), make_line("bob")],
            numbers={"+441632960001": "alice", "+441632960002": "bob"},
        )
        self.relay = RelayStub(self.house)
        self.relay.arrive()
        self.gates = GatesStub(self.house)
        self.gates.arrive()
        self.alice = self.house.phone("alice", "198.51.100.9")
        self.alice.flow = Flow("WSS", *EXCHANGE, *self.alice.address, "1")
        self.alice.answer_body = BROWSERS_ANSWER
        self.bob = self.house.phone("bob", "192.0.2.11")
        self.alice.register()
        self.bob.register()

    def alice_calls(self, dialled: str = "01632960002") -> None:
        self.alice.invite(dialled, body=BROWSER)
        self.house.run(2)

    def bob_calls(self) -> None:
        self.bob.invite("01632960001")
        self.house.run(2)

    def is_over(self) -> None:
        self.house.run(40)
        self.house.assert_clean()
        assert self.gates.gates.in_use == 0


def answered(phone: Phone) -> str:
    return phone.responses[-1].body.decode()


def test_a_browsers_offer_is_plain_to_the_telephone_and_the_answer_is_for_a_browser() -> None:
    bench = Bench()
    bench.alice_calls()
    offer = bench.bob.requests_of("INVITE")[0].body.decode()
    assert f"m=audio {PORTS[0]} RTP/AVP 111 9 0 8 110 126\r\n" in offer
    assert "ice-" not in offer and "fingerprint" not in offer
    answer = answered(bench.alice)
    assert "m=audio 30001 UDP/TLS/RTP/SAVPF 8\r\n" in answer
    assert "a=ice-ufrag:uf1\r\na=ice-pwd:pw1\r\n" in answer
    assert f"a=fingerprint:{' '.join(FINGERPRINT)}\r\na=setup:active\r\n" in answer
    assert "a=candidate:1 1 udp 2130706431 192.0.2.1 30001 typ host\r\n" in answer


def test_the_browser_is_looked_for_when_it_has_its_answer_and_the_relay_hears_it_on_loopback() -> None:
    bench = Bench()
    bench.bob.answer_after_s = 10.0
    bench.alice_calls()
    assert [each.gate for each in bench.gates.of(Take)] == [1]
    assert bench.gates.of(Connect) == []  # it rings: a browser without an answer is not to be found
    bench.house.run(20)
    [connect] = bench.gates.of(Connect)
    assert connect == Connect(
        1,
        "Ab/1",
        "0123456789abcdefABCDEF+/",
        ("sha-256", DIGEST),
        is_dtls_client=True,
        is_controlling=False,
        candidates=(("198.51.100.9", 47_000),),
    )
    callee, caller = sorted(bench.relay.opened)
    aim = bench.relay.aims[caller]
    assert (aim.host, aim.port, aim.rtcp_port, aim.sources) == ("127.0.0.1", 40_002, 40_003, ("127.0.0.1",))
    assert bench.relay.aims[callee].sources == ("192.0.2.9", "192.0.2.11")
    assert bench.gates.of(Aim)[-1] == Aim(1, HOST, PORTS[1], PORTS[1] + 1)
    bench.alice.hang_up()
    bench.is_over()
    assert [each.gate for each in bench.gates.of(Close)] == [1]


def test_a_telephones_offer_is_for_a_browser_and_the_answer_is_plain() -> None:
    bench = Bench()
    bench.bob_calls()
    offer = bench.alice.requests_of("INVITE")[0].body.decode()
    assert "UDP/TLS/RTP/SAVPF 8\r\n" in offer
    assert "a=setup:actpass\r\n" in offer
    answer = answered(bench.bob)
    assert " RTP/AVP 111 9 0 8 110 126\r\n" in answer and "ice-" not in answer
    [connect] = bench.gates.of(Connect)
    assert (connect.is_dtls_client, connect.is_controlling) == (False, True)
    bench.bob.hang_up()
    bench.is_over()


@pytest.mark.parametrize("who", ["browser", "telephone"])
def test_a_new_offer_keeps_gate_and_roles(who: str) -> None:
    bench = Bench()
    bench.alice_calls()
    if who == "browser":
        held = BROWSER.replace(b"a=sendrecv", b"a=sendonly")
        bench.alice.send_in_dialog("INVITE", held, SDP)
        bench.house.run(2)
        assert "a=sendonly\r\n" in bench.bob.requests_of("INVITE")[-1].body.decode()
        assert "a=ice-ufrag:uf1\r\n" in answered(bench.alice)
        assert "a=setup:active\r\n" in answered(bench.alice)
    else:
        bench.alice.answer_body = BROWSER.replace(b"a=setup:actpass", b"a=setup:passive")
        bench.bob.send_in_dialog("INVITE", OFFER + b"a=sendonly\r\n", SDP)
        bench.house.run(2)
        offer = bench.alice.requests_of("INVITE")[-1].body.decode()
        assert "a=sendonly\r\n" in offer and "a=ice-ufrag:uf1\r\n" in offer and "a=setup:active\r\n" in offer
    assert len(bench.gates.of(Connect)) == len(bench.gates.of(Take)) == 1


def test_behind_nat_the_advertised_address_comes_first() -> None:
    bench = Bench(advertised=("203.0.113.7",))
    bench.alice_calls()
    answer = answered(bench.alice)
    assert "m=audio 30001 " in answer and "c=IN IP4 203.0.113.7\r\n" in answer
    assert answer.index("203.0.113.7 30001 typ host") < answer.index("192.0.2.1 30001 typ host")


def test_an_address_inside_is_not_asked_for_a_browser_outside() -> None:
    bench = Bench()
    inside = (
        BROWSER.replace(b"198.51.100.9 47000", b"127.0.0.1 22")
        + b"a=candidate:9 1 udp 1 10.0.0.1 53 typ host\r\n"
    )
    bench.alice.invite("01632960002", body=inside)
    bench.house.run(2)
    assert bench.gates.of(Connect)[0].candidates == ()


def test_switched_off_or_without_a_listener_for_browsers_there_are_no_gates() -> None:
    for conf in (make_conf(), with_browsers(browsers=False)):
        relay = House(conf=conf).exchange.relay
        assert relay is not None and relay.gates is None


@pytest.mark.parametrize("what", ["never came", "no gate", "no relay"])
def test_without_the_process_descriptions_cross_without_it(what: str) -> None:
    bench = Bench()
    if what == "never came":
        bench.gates.gates.lost()
    elif what == "no gate":
        bench.gates.arrive("another", count=0)
    else:
        bench.relay.relay.lost()
    bench.alice_calls()
    offer = bench.bob.requests_of("INVITE")[0].body
    assert b"UDP/TLS/RTP/SAVPF" in offer
    assert bench.gates.gates.in_use == 0
    bench.alice.hang_up()
    bench.is_over()


def test_a_program_over_websocket_that_speaks_plain_rtp_is_left_alone() -> None:
    bench = Bench()
    bench.alice.invite("01632960002", body=OFFER)
    bench.house.run(2)
    assert b"RTP/AVP" in bench.alice.responses[-1].body and b"SAVPF" not in bench.alice.responses[-1].body
    assert bench.gates.of(Take) == []


def test_telephones_take_no_gate() -> None:
    bench = Bench()
    carol = bench.house.phone("alice", "192.0.2.12")
    carol.register()
    carol.invite("01632960002")
    bench.house.run(2)
    assert b" RTP/AVP 8\r\n" in carol.responses[-1].body
    assert bench.gates.of(Take) == []


def test_a_browser_and_a_telephone_at_one_address_are_not_left_to_themselves() -> None:
    bench = Bench(bypass=True)
    neighbour = Phone(bench.house, "bob", (bench.alice.address[0], 5070))
    neighbour.register()
    bench.alice_calls()
    assert b" RTP/AVP 111 " in neighbour.requests_of("INVITE")[0].body


@pytest.mark.parametrize("how", ["lost", "new process"])
def test_a_call_whose_browser_is_lost_ends_and_costs_what_it_had_cost(how: str) -> None:
    bench = Bench()
    carrier = bench.house.phone("carrier", CARRIER)
    bench.alice_calls("02079460123")
    bench.house.run(30)
    if how == "lost":
        bench.gates.lose(1)
    else:
        bench.gates.arrive("browsers-2")
    bench.house.run(2)
    assert [each.method for each in bench.alice.requests][-1] == "BYE"
    assert carrier.requests_of("BYE")
    caller = bench.house.journal.cdrs()[0]
    assert caller.outcome == "answered"
    assert 30_000 <= caller.duration_ms <= 33_000
    bench.is_over()


def test_the_same_process_after_a_broken_link_goes_on() -> None:
    bench = Bench()
    bench.alice_calls()
    bench.gates.gates.lost()
    bench.gates.arrive()
    bench.house.run(5)
    assert bench.house.exchange.board.calls
    bench.bob.hang_up()
    bench.is_over()
    assert [each.gate for each in bench.gates.of(Close)] == [1]


def test_an_emergency_call_goes_on_without_the_browsers_sound() -> None:
    bench = Bench()
    bench.house.phone("carrier", CARRIER)
    bench.alice_calls("999")
    bench.gates.lose(1)
    bench.house.run(5)
    assert bench.house.exchange.board.calls
