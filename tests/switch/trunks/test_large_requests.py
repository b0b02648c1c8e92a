"""RFC 3261 18.1.1: a request over 1300 bytes goes to a carrier by TCP, and by UDP where it takes no TCP."""

from switch.conf_trunks import Trunk
from switch.sip.flow import Flow
from switch.trunks.large_requests import NO_TCP_S
from tests.link import Datagram
from tests.switch.house import EXCHANGE, OFFER, House, Phone, make_conf, make_line, make_trunk

FIRST, SECOND, ALICE = "192.0.2.50", "192.0.2.51", "192.0.2.10"
LARGE = OFFER + b"a=x-filler:" + b"0" * 1300 + b"\r\n"


def make_house(*trunks: Trunk) -> House:
    return House(
        conf=make_conf(trunks=list(trunks) or [make_trunk("one", FIRST)]),
        lines=[make_line("alice"), make_line("bob")],
        numbers={"+441632960001": "alice"},
    )


def caller(house: House) -> Phone:
    alice = house.phone("alice", ALICE)
    alice.register()
    return alice


def via_of(datagram: Datagram) -> str:
    return next(line for line in datagram.data.decode().split("\r\n") if line.startswith("Via:"))


def sent(house: House, method: str, host: str = FIRST) -> list[str]:
    """The transports in the Via of what went to a carrier, first copies."""
    unique = {
        d.data: d for d in house.link.sent if d.destination[0] == host and d.start_line.startswith(method)
    }
    return [via_of(datagram).split(" ")[1].split("/")[2] for datagram in unique.values()]


def refuse_tcp(house: House, host: str = FIRST) -> None:
    """What the edge says of a connection that could not be opened."""
    house.exchange.on_flow_lost(Flow("TCP", host, 5060, *EXCHANGE), house.clock.now)


def test_a_large_invite_goes_by_tcp_and_a_small_one_by_udp() -> None:
    house = make_house()
    house.phone("one", FIRST)
    alice = caller(house)
    alice.invite("01632960123")
    house.run(1)
    alice.invite("01632960123", body=LARGE)
    house.run(2)
    assert sent(house, "INVITE") == ["UDP", "TCP"]
    assert alice.statuses[-1] == 200
    assert house.exchange.trunks.large.by_tcp == 1


def test_where_no_connection_comes_about_it_goes_by_udp_and_that_is_remembered() -> None:
    house = make_house()
    one = house.phone("one", FIRST)
    house.link.is_lost = lambda datagram: b"SIP/2.0/TCP" in datagram.data
    alice = caller(house)
    alice.invite("01632960123", body=LARGE)
    house.run(0.5)
    refuse_tcp(house)
    house.run(2)
    assert sent(house, "INVITE") == ["TCP", "UDP"]
    assert alice.statuses[-1] == 200
    alice.hang_up()
    house.run(1)
    alice.invite("01632960123", body=LARGE)
    house.run(2)
    assert sent(house, "INVITE") == ["TCP", "UDP", "UDP"]
    assert len(one.requests_of("INVITE")) == 2
    alice.hang_up()
    house.run(NO_TCP_S)
    alice.invite("01632960123", body=LARGE)
    house.run(0.1)
    assert sent(house, "INVITE")[-1] == "TCP", "after a while it is asked once more"
    rows = [row for row in house.journal.cdrs() if row.trunk]
    assert [row.sip_status for row in rows] == [200, 200], "the two tries are one leg"


def test_a_connection_that_hangs_costs_this_trunk_its_time_and_is_remembered() -> None:
    house = make_house(
        make_trunk("one", FIRST, answer_timeout_s=2), make_trunk("two", SECOND, answer_timeout_s=2)
    )
    house.phone("one", FIRST)
    two = house.phone("two", SECOND)
    house.link.is_lost = lambda datagram: b"SIP/2.0/TCP" in datagram.data and datagram.destination[0] == FIRST
    alice = caller(house)
    alice.invite("01632960123", body=LARGE)
    house.run(4)
    assert two.requests_of("INVITE")
    assert alice.statuses[-1] == 200
    alice.hang_up()
    house.run(1)
    alice.invite("01632960123", body=LARGE)
    house.run(1)
    assert sent(house, "INVITE") == ["TCP", "UDP"]
    breaker = next(iter(house.exchange.trunks["one"].breakers.values()))
    assert breaker.failures == 0, "a carrier without TCP is not dead"


def test_the_answer_of_a_challenge_takes_the_same_way() -> None:
    house = make_house()
    house.phone("one", FIRST)
    alice = caller(house)
    alice.invite("01632960123", body=LARGE)
    house.run(2)
    alice.send_in_dialog("INVITE", LARGE)
    house.run(1)
    assert sent(house, "INVITE") == ["TCP", "TCP"], "the carrier is known to take TCP"


def test_within_a_dialog_a_carrier_that_nobody_asked_keeps_udp() -> None:
    house = make_house()
    house.phone("one", FIRST)
    alice = caller(house)
    alice.invite("01632960123")
    house.run(2)
    alice.send_in_dialog("INVITE", LARGE)
    house.run(1)
    assert sent(house, "INVITE") == ["UDP", "UDP"]


def test_a_phone_gets_its_large_request_by_its_own_flow() -> None:
    house = make_house()
    alice, bob = caller(house), house.phone("bob", "192.0.2.11")
    bob.register()
    alice.invite("bob", body=LARGE)
    house.run(2)
    assert sent(house, "INVITE", "192.0.2.11") == ["UDP"]
    assert alice.statuses[-1] == 200


def test_a_large_invite_that_is_given_up_is_cancelled_where_it_went() -> None:
    house = make_house()
    one = house.phone("one", FIRST)
    one.answer_after_s = None
    alice = caller(house)
    alice.invite("01632960123", body=LARGE)
    house.run(1)
    alice.stack.cancel(alice.invites[-1], house.clock.now)
    house.run(40)
    assert sent(house, "CANCEL") == ["TCP"]
    house.assert_clean()
