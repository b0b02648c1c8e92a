"""Customers' trunks: a PBX by registration or by its addresses, with a range of numbers, rated and limited."""

import pytest
from structlog.testing import capture_logs

from provisioning.model import LineAddress, LineChanged, LineKind
from switch.conf_addresses import TrunkAddress
from switch.conf_trunks import Trunk
from switch.sip.flow import Flow
from switch.sip.headers import Headers
from switch.sip.message import Request
from tests.switch.house import DOMAIN, EXCHANGE, House, Phone, make_account, make_conf, make_line, make_trunk

FIRST, SECOND, CARRIER = "203.0.113.9", "203.0.113.10", "192.0.2.50"
DDIS = {f"+4420794601{number:02}": "pbx" for number in range(100)}
MAIN = "+442079460100"


def at(*hosts: str) -> tuple[LineAddress, ...]:
    return tuple(LineAddress("udp", host, 5060) for host in hosts)


def make_house(
    *, addresses: tuple[LineAddress, ...] = at(FIRST), trunk: Trunk | None = None, **line: object
) -> House:
    return House(
        conf=make_conf(trunks=[trunk or make_trunk("one", CARRIER)]),
        lines=[
            make_line("pbx", kind=LineKind.TRUNK, addresses=addresses, **line),
            make_line("alice", account_id=2),
        ],
        accounts=[make_account(1), make_account(2)],
        numbers={**DDIS, "+441632960001": "alice"},
    )


def from_of(request: Request) -> str:
    return request.from_.parsed_uri.unescaped_user


# Calls from it


def test_a_call_from_its_address_needs_no_password_and_is_rated() -> None:
    house = make_house()
    pbx, carrier = house.phone("pbx", FIRST), house.phone("one", CARRIER)
    pbx.password = "not asked for"
    pbx.invite("01632960123")
    house.run(30)
    assert pbx.statuses == [180, 200]
    pbx.hang_up()
    house.run(40)
    (caller, callee) = house.journal.cdrs()
    assert (caller.line, caller.account_id, caller.payer_account_id, caller.trunk) == ("pbx", 1, 1, "")
    assert (callee.trunk, from_of(carrier.requests[0])) == ("one", MAIN)
    assert caller.cost_micros == 12_000  # 1.2p for the first minute
    assert house.balance(1) == 10_000_000 - 12_000
    house.assert_clean()


def test_another_port_or_host_is_challenged_like_any_stranger() -> None:
    house = make_house()
    for host, port in ((FIRST, 5062), (SECOND, 5060)):
        stranger = Phone(house, "pbx", (host, port), password="guess")
        stranger.invite("01632960123")
        house.run(1)
        assert stranger.statuses == [407, 407]
    house.assert_clean()


def test_it_may_end_a_call_from_another_of_its_addresses() -> None:
    house = make_house(addresses=at(FIRST, SECOND))
    first, second, carrier = (
        house.phone("pbx", FIRST),
        house.phone("pbx", SECOND),
        house.phone("one", CARRIER),
    )
    stranger = house.phone("alice", "198.51.100.7")
    first.invite("01632960123")
    house.run(3)
    stranger.dialogs, second.dialogs = list(first.dialogs), list(first.dialogs)
    stranger.hang_up()
    house.run(1)
    assert carrier.requests_of("BYE") == []
    assert 200 not in stranger.statuses
    second.hang_up()
    house.run(40)
    assert len(carrier.requests_of("BYE")) == 1
    assert second.statuses == [200]
    house.assert_clean()


def test_its_answers_are_not_counted_as_a_strangers() -> None:
    house = make_house()
    flow = Flow("UDP", FIRST, 5060, "192.0.2.1", 5060)
    assert not house.exchange.door.is_stranger(flow, house.clock.now)
    assert house.exchange.door.is_stranger(flow._replace(remote_port=5062), house.clock.now)


def test_it_may_call_with_its_password_from_elsewhere() -> None:
    house = make_house()
    house.phone("one", CARRIER)
    elsewhere = house.phone("pbx", "198.51.100.7")
    elsewhere.invite("01632960123")
    house.run(2)
    assert elsewhere.statuses == [407, 180, 200]


def test_no_money_no_call_and_no_account_no_call() -> None:
    house = make_house()
    carrier = house.phone("one", CARRIER)
    house.exchange.engine.debit_usage(1, 10_000_000)
    pbx = house.phone("pbx", FIRST)
    pbx.invite("01632960123")
    house.run(1)
    assert (pbx.statuses, carrier.requests) == ([402], [])


@pytest.mark.parametrize(
    ("claimed", "shown"),
    [
        (f"sip:+442079460155@{DOMAIN}", "+442079460155"),
        ("sip:02079460155@203.0.113.9", "+442079460155"),
        (f"sip:+442079460199@{DOMAIN};user=phone", "+442079460199"),
        (f"sip:+441632960001@{DOMAIN}", MAIN),  # another customer's
        (f"sip:+442079460200@{DOMAIN}", MAIN),  # the next after its range
        (f"sip:pbx@{DOMAIN}", MAIN),
        (f"sip:reception@{DOMAIN}", MAIN),
    ],
)
def test_it_presents_its_own_numbers_and_otherwise_its_main_one(claimed: str, shown: str) -> None:
    house = make_house()
    carrier = house.phone("one", CARRIER)
    pbx = house.phone("pbx", FIRST)
    pbx.invite("01632960123", from_=f"<{claimed}>")
    house.run(2)
    (invite,) = carrier.requests_of("INVITE")
    assert from_of(invite) == shown
    assert invite.headers.get("p-asserted-identity") == f"<sip:{MAIN}@{DOMAIN}>"
    assert house.exchange.board.calls


def test_calls_at_once_are_limited() -> None:
    house = make_house(calls_max=2)
    house.phone("one", CARRIER)
    pbx = house.phone("pbx", FIRST)
    for _ in range(3):
        pbx.invite("01632960123")
        house.run(1)
    assert sorted(pbx.statuses) == [180, 180, 200, 200, 403]
    assert house.exchange.counts.refusals == {"line_calls_limit": 1}


def test_calls_a_second_are_limited_and_emergency_calls_are_not() -> None:
    house = make_house(calls_per_second_max=2)
    carrier = house.phone("one", CARRIER)
    pbx = house.phone("pbx", FIRST)
    for _ in range(4):
        pbx.invite("01632960123")
        pbx.invite("999")
    house.link.run(0.05)
    assert house.exchange.counts.refusals == {"line_calls_per_second": 2}
    refused = [response for response in pbx.responses if response.status == 480]
    assert [response.headers.get("retry-after") for response in refused] == ["1", "1"]
    assert len(carrier.requests_of("INVITE")) == 2 + 4
    house.run(0.5)
    pbx.invite("01632960123")
    house.link.run(0.05)
    assert house.exchange.counts.refusals == {"line_calls_per_second": 2}


def test_an_emergency_call_connects_with_no_money_and_shows_the_emergency_number() -> None:
    house = make_house(emergency_number="+442079460100", calls_max=1)
    carrier = house.phone("one", CARRIER)
    house.exchange.engine.debit_usage(1, 10_000_000)
    pbx = house.phone("pbx", FIRST)
    house.exchange.board.of_line["pbx"] = 1
    pbx.invite("999", from_=f"<sip:+442079460155@{DOMAIN}>")
    house.run(2)
    assert from_of(carrier.requests_of("INVITE")[0]) == "+442079460100"
    assert [note.line for note in house.journal.emergencies()] == ["pbx"]


def test_options_of_a_pbx_are_answered() -> None:
    house = make_house()
    pbx = house.phone("pbx", FIRST)
    headers = Headers()
    for name, value in (("from", f"<sip:pbx@{DOMAIN}>;tag=1"), ("to", f"<sip:{DOMAIN}>"), ("call-id", "o1"),
                        ("cseq", "1 OPTIONS"), ("max-forwards", "70")):  # fmt: skip
        headers.add(name, value)
    pbx.stack.send_request(Request("OPTIONS", f"sip:{DOMAIN}", headers), pbx.flow, pbx, house.clock.now)
    house.run(1)
    assert pbx.statuses == [200]


def test_a_spoofed_invite_costs_nobody_anything() -> None:
    """Over UDP anybody can write the PBX's address as the source. The answers go to the PBX, which knows nothing of
    the call; without the To tag nobody can acknowledge it, and what is not acknowledged is not charged."""
    house = make_house()
    house.phone("one", CARRIER)
    pbx = house.phone("pbx", FIRST)
    spoofer = house.phone("spoofer", "198.51.100.66")
    invite = spoofer.invite("01632960123").request
    house.link.run(0.001)
    spoofer.stack.outgoing.clear()
    house.link.detach(spoofer.address)
    text = (
        f"{invite.start_line}\r\n{invite.headers.to_text(content_length=len(invite.body))}\r\n\r\n".encode()
    )
    house.exchange.receive(
        text + invite.body, pbx.house.link.flow(("192.0.2.1", 5060), (FIRST, 5060)), house.clock.now
    )
    house.run(120)
    rows = [row for row in house.journal.cdrs() if row.line == "pbx"]
    assert [(row.outcome, row.cost_micros) for row in rows] == [("unconfirmed", 0)]
    assert house.balance(1) == 10_000_000
    house.assert_clean()


# Calls to it


def called(request: Request) -> tuple[str, str]:
    return request.uri, request.to.uri


def test_a_call_to_one_of_its_numbers_names_the_number_at_its_address() -> None:
    house = make_house()
    pbx, carrier = house.phone("pbx", FIRST), house.phone("one", CARRIER)
    carrier.invite("+442079460142")
    house.run(2)
    (invite,) = pbx.requests_of("INVITE")
    assert called(invite) == (f"sip:+442079460142@{FIRST}:5060", f"sip:+442079460142@{DOMAIN}")
    assert carrier.statuses == [180, 200]
    carrier.hang_up()
    house.run(40)
    caller, callee = house.journal.cdrs()
    assert (caller.ddi, callee.line, callee.leg_reason) == ("+442079460142", "pbx", "the trunk of line pbx")
    house.assert_clean()


def test_a_pbx_on_tcp_is_called_over_a_connection_and_calls_from_any_port() -> None:
    house = make_house(addresses=(LineAddress("tcp", FIRST, 5060),))
    pbx, carrier = house.phone("pbx", FIRST), house.phone("one", CARRIER)
    carrier.invite("+442079460142")
    house.run(2)
    (invite,) = pbx.requests_of("INVITE")
    assert invite.uri == f"sip:+442079460142@{FIRST}:5060;transport=tcp"
    assert invite.top_via.transport == "TCP"
    other_port = Phone(house, "pbx", (FIRST, 49152), password="not asked for")
    other_port.flow = Flow("TCP", *EXCHANGE, *other_port.address, "7")
    other_port.invite("01632960123")
    house.run(2)
    assert other_port.statuses[-1] == 200


def test_a_call_to_its_name_names_it() -> None:
    house = make_house()
    pbx, alice = house.phone("pbx", FIRST), house.phone("alice", "192.0.2.10")
    alice.invite("pbx")
    house.run(2)
    assert called(pbx.requests_of("INVITE")[0]) == (f"sip:pbx@{FIRST}:5060", f"sip:pbx@{DOMAIN}")


@pytest.mark.parametrize(
    ("contact", "uri"),
    [
        (f"sip:pbx@{SECOND}:5060", f"sip:+442079460142@{SECOND}:5060"),
        (f"sip:{SECOND}:5060", f"sip:+442079460142@{SECOND}:5060"),
        (
            f"sip:s:secret@{SECOND}:5062;transport=udp;line=ab1",
            f"sip:+442079460142@{SECOND}:5062;transport=udp;line=ab1",
        ),
    ],
)
def test_a_registered_trunk_is_told_the_number_at_its_contact(contact: str, uri: str) -> None:
    house = make_house(addresses=())
    pbx, carrier = house.phone("pbx", SECOND), house.phone("one", CARRIER)
    pbx.contact = contact
    pbx.register()
    carrier.invite("02079460142")
    house.run(2)
    (invite,) = pbx.requests_of("INVITE")
    assert called(invite) == (uri, f"sip:+442079460142@{DOMAIN}")


def test_a_phone_is_called_by_its_contact_as_ever() -> None:
    house = make_house()
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("one", CARRIER)
    alice.register()
    carrier.invite("01632960001")
    house.run(2)
    assert called(alice.requests_of("INVITE")[0]) == (alice.contact, f"sip:+441632960001@{DOMAIN}")


def test_a_trunk_that_neither_registers_nor_has_an_address_is_not_there() -> None:
    house = make_house(addresses=())
    carrier = house.phone("one", CARRIER)
    carrier.invite("02079460142")
    house.run(2)
    assert carrier.statuses == [480]


# Failover


def rows_of(house: House) -> list[tuple[str, int]]:
    return [(row.destination_address, row.sip_status) for row in house.journal.cdrs()[1:]]


@pytest.mark.parametrize("status", [408, 500, 503])
def test_the_next_address_is_tried_when_the_first_fails(status: int) -> None:
    house = make_house(addresses=at(FIRST, SECOND))
    first, second, carrier = (
        house.phone("pbx", FIRST),
        house.phone("pbx", SECOND),
        house.phone("one", CARRIER),
    )
    first.ring_status, first.answer = 0, status
    carrier.invite("02079460142")
    house.run(3)
    assert called(second.requests_of("INVITE")[0])[0] == f"sip:+442079460142@{SECOND}:5060"
    assert carrier.statuses[-2:] == [180, 200]
    carrier.hang_up()
    house.run(40)
    assert rows_of(house) == [(f"udp:{FIRST}:5060", status), (f"udp:{SECOND}:5060", 200)]
    assert house.exchange.counts.flow_failovers == 1
    house.assert_clean()


def test_a_silent_address_is_left_after_its_time() -> None:
    house = make_house(addresses=at(FIRST, SECOND))
    second, carrier = house.phone("pbx", SECOND), house.phone("one", CARRIER)
    carrier.invite("02079460142")
    house.run(5)
    assert second.requests == []
    house.run(3)
    assert carrier.statuses[-1] == 200
    carrier.hang_up()
    house.run(60)
    assert rows_of(house) == [(f"udp:{FIRST}:5060", 408), (f"udp:{SECOND}:5060", 200)]
    house.assert_clean()


def test_a_slow_pbx_that_has_said_100_is_waited_for() -> None:
    house = make_house(addresses=at(FIRST, SECOND))
    first, second, carrier = (
        house.phone("pbx", FIRST),
        house.phone("pbx", SECOND),
        house.phone("one", CARRIER),
    )
    first.ring_status, first.answer_after_s = 100, 15.0
    carrier.invite("02079460142")
    house.run(20)
    assert (second.requests, carrier.statuses[-1]) == ([], 200)


@pytest.mark.parametrize("status", [486, 404, 603])
def test_what_it_says_of_the_called_number_is_final(status: int) -> None:
    house = make_house(addresses=at(FIRST, SECOND))
    first, second, carrier = (
        house.phone("pbx", FIRST),
        house.phone("pbx", SECOND),
        house.phone("one", CARRIER),
    )
    first.answer = status
    carrier.invite("02079460142")
    house.run(40)
    assert (second.requests, carrier.statuses[-1]) == ([], status)
    house.assert_clean()


def test_no_failover_once_it_rings() -> None:
    house = make_house(addresses=at(FIRST, SECOND))
    first, second, carrier = (
        house.phone("pbx", FIRST),
        house.phone("pbx", SECOND),
        house.phone("one", CARRIER),
    )
    first.answer = 503
    carrier.invite("02079460142")
    house.run(40)
    assert (second.requests, carrier.statuses[-1]) == ([], 500)


def test_all_addresses_dead_is_unreachable_and_an_answer_that_comes_late_is_hung_up() -> None:
    house = make_house(addresses=at(FIRST, SECOND))
    first, second = house.phone("pbx", FIRST), house.phone("pbx", SECOND)
    carrier = house.phone("one", CARRIER)
    house.link.is_lost = lambda datagram: first.address == datagram.source and house.clock.now < 10
    second.ring_status, second.answer = 0, 500
    first.ring_status, first.answer_after_s = 0, 8.5
    carrier.invite("02079460142")
    house.run(60)
    assert carrier.statuses[-1] == 500
    assert len(first.acks) == 1 and len(first.requests_of("BYE")) == 1
    house.assert_clean()


def test_the_caller_gives_up_during_the_second_try() -> None:
    house = make_house(addresses=at(FIRST, SECOND))
    first, second, carrier = (
        house.phone("pbx", FIRST),
        house.phone("pbx", SECOND),
        house.phone("one", CARRIER),
    )
    first.ring_status, first.answer, second.answer_after_s = 0, 503, None
    transaction = carrier.invite("02079460142")
    house.run(3)
    carrier.stack.cancel(transaction, house.clock.now)
    house.run(60)
    assert [request.method for request in second.requests] == ["INVITE", "CANCEL"]
    assert carrier.statuses[-1] == 487
    house.assert_clean()


def test_a_crash_during_the_second_try_leaves_it_on_record() -> None:
    house = make_house(addresses=at(FIRST, SECOND))
    first, second, carrier = (
        house.phone("pbx", FIRST),
        house.phone("pbx", SECOND),
        house.phone("one", CARRIER),
    )
    first.ring_status, first.answer, second.answer_after_s = 0, 503, None
    carrier.invite("02079460142")
    house.run(3)
    (key,) = [key for key in house.journal.state if key.startswith("c/")]
    assert second.address[0].encode() in house.journal.state[key]


# Two owners of one address


def test_a_carriers_address_stays_the_carriers_and_the_operator_is_told() -> None:
    with capture_logs() as logs:
        house = make_house(addresses=at(CARRIER))
    (entry,) = [entry for entry in logs if entry["event"] == "line_address_is_a_carriers"]
    assert (entry["line"], entry["address"], entry["carrier"]) == ("pbx", f"udp:{CARRIER}:5060", "one")
    both = house.phone("pbx", CARRIER)
    both.invite("01632960123")
    house.run(1)
    assert both.statuses == [403]  # carrier to carrier
    assert [row.trunk for row in house.journal.cdrs()] == ["one"]


def test_the_operator_is_told_when_either_file_or_books_change() -> None:
    house = make_house()
    with capture_logs() as logs:
        changed = make_line("pbx", kind=LineKind.TRUNK, addresses=at(CARRIER))
        house.exchange.apply_changes([LineChanged(changed)], house.clock.now)
        house.exchange.apply_changes([LineChanged(make_line("alice"))], house.clock.now)
    assert [entry["event"] for entry in logs] == ["line_address_is_a_carriers"]
    elsewhere = make_conf(trunks=[Trunk(name="two", addresses=(TrunkAddress("192.0.2.51", 5060),))])
    for conf, count in ((elsewhere, 0), (house.conf, 1)):
        with capture_logs() as logs:
            house.exchange.take_over(conf, house.clock.now)
        assert len(logs) == count
