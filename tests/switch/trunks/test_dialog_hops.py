"""Carriers whose Contact or Record-Route is elsewhere: ACK, BYE, re-INVITE and INFO follow, also after a crash."""

import pytest

from switch.conf_trunks import ContactRule
from switch.sip.message import format_message, make_response
from switch.sip.parser import parse_message
from switch.trunks.locate import Choice, Endpoint, Located, Wanted
from tests.switch.house import EXCHANGE, House, Phone, make_conf, make_line, make_trunk

CARRIER, MEDIA, ALICE = "203.0.113.50", "203.0.113.60", "203.0.113.10"


def make_house(**settings: object) -> House:
    return House(
        conf=make_conf(trunks=[make_trunk("one", CARRIER, **settings)]),
        lines=[make_line("alice")],
        numbers={"+441632960001": "alice"},
    )


class Spread(Phone):
    """A carrier whose border takes the INVITE and hands the dialog to another host: `elsewhere` sees the rest."""

    def __init__(self, house: House, contact: str, record_route: str = "") -> None:
        super().__init__(house, "one", (CARRIER, 5060))
        self.contact = contact
        if record_route:
            self.answer_headers = [("record-route", record_route)]
        self.elsewhere = Phone(house, "media", (MEDIA, 5060))

    def methods(self, phone: Phone) -> list[str]:
        return [request.method for request in phone.requests if request.method not in ("INVITE", "OPTIONS")]


def started(house: House) -> Phone:
    alice = house.phone("alice", ALICE)
    alice.register()
    alice.invite("01632960123")
    house.run(3)
    assert alice.statuses[-1] == 200
    return alice


def sent_to(house: House, host: str) -> list[str]:
    return [d.start_line.split(" ")[0] for d in house.link.sent if d.destination[0] == host]


@pytest.mark.parametrize(
    ("contact", "record_route"),
    [
        (f"sip:gw@{MEDIA}:5060", ""),
        (f"sip:gw@{MEDIA}", ""),
        ("sip:gw@10.0.0.9:5060", f"<sip:{MEDIA};lr>"),
    ],
)
def test_everything_after_the_answer_goes_to_the_next_hop(contact: str, record_route: str) -> None:
    house = make_house()
    carrier = Spread(house, contact, record_route)
    alice = started(house)
    alice.send_in_dialog("INFO", b"x", "text/plain")
    house.run(1)
    alice.send_in_dialog("INVITE", b"v=0\r\n")
    house.run(1)
    alice.hang_up()
    house.run(40)
    assert [line for line in sent_to(house, CARRIER) if line != "SIP/2.0"] == ["INVITE"]
    # The carrier's first host, which never hears the ACK, repeats its answer; each copy is acknowledged.
    assert [m for m in dict.fromkeys(sent_to(house, MEDIA)) if m != "SIP/2.0"] == [
        "ACK",
        "INFO",
        "INVITE",
        "BYE",
    ]
    assert carrier.elsewhere.requests_of("INFO")[0].uri == contact
    assert house.exchange.trunks.redirected == 1
    house.assert_clean()


@pytest.mark.parametrize(
    "contact",
    ["sip:gw@10.0.0.9:5060", "sip:gw@0.0.0.0", "sip:gw@127.0.0.1", f"sip:gw@{MEDIA};transport=sctp",
     "sip:gw@224.0.0.1", "tel:+441632960123", f"sip:gw@{EXCHANGE[0]}:{EXCHANGE[1]}", f"sip:gw@{MEDIA};transport=tls",
     "sip:gw@[2001:db8::1]"],
)  # fmt: skip
def test_a_contact_that_cannot_be_the_carriers_is_not_followed(contact: str) -> None:
    house = make_house()
    carrier = Spread(house, contact)
    alice = started(house)
    alice.hang_up()
    house.run(40)
    assert carrier.requests_of("BYE")
    assert house.exchange.trunks.redirected == 0
    house.assert_clean()


def test_a_trunk_may_say_that_its_contact_is_to_be_ignored() -> None:
    house = make_house(contact=ContactRule.IGNORE)
    carrier = Spread(house, f"sip:gw@{MEDIA}:5060")
    alice = started(house)
    alice.hang_up()
    house.run(40)
    assert carrier.requests_of("BYE")
    assert sent_to(house, MEDIA) == []


def test_a_bye_that_the_next_hop_does_not_answer_goes_where_the_invite_went() -> None:
    house = make_house()
    carrier = Spread(house, f"sip:gw@{MEDIA}:5060")
    house.link.detach((MEDIA, 5060))
    alice = started(house)
    alice.hang_up()
    house.run(31)
    assert carrier.requests_of("BYE") == []
    house.run(3)
    (bye,) = carrier.requests_of("BYE")
    assert bye.headers.get("reason")
    house.run(40)
    house.assert_clean()


def test_a_call_from_a_carrier_is_hung_up_where_its_contact_says() -> None:
    house = make_house()
    carrier = Spread(house, f"sip:gw@{MEDIA}:5060")
    alice = house.phone("alice", ALICE)
    alice.register()
    carrier.invite("+441632960001")
    house.run(3)
    assert carrier.statuses[-1] == 200, "responses go where the request came from"
    alice.hang_up()
    house.run(40)
    assert carrier.elsewhere.requests_of("BYE")
    assert carrier.requests_of("BYE") == []
    assert house.journal.cdrs()[0].source_address == f"udp:{CARRIER}:5060"


def test_a_target_refresh_moves_the_dialog() -> None:
    house = make_house()
    carrier = Spread(house, f"sip:one@{CARRIER}:5060")
    alice = started(house)
    carrier.contact = f"sip:gw@{MEDIA}:5060"
    carrier.send_in_dialog("INVITE", b"v=0\r\n")
    house.run(1)
    alice.hang_up()
    house.run(40)
    assert carrier.elsewhere.requests_of("BYE")


def test_a_phone_is_hung_up_by_its_flow_whatever_its_contact_says() -> None:
    house = make_house()
    Spread(house, f"sip:one@{CARRIER}:5060")
    media = house.phone("media2", "203.0.113.61")
    alice = house.phone("alice", ALICE)
    alice.contact = "sip:alice@203.0.113.61:5060"
    alice.register()
    alice.invite("01632960123")
    house.run(3)
    house.exchange.drain(house.clock.now)
    house.run(1)
    assert alice.requests_of("BYE")
    assert media.requests == []


def test_after_a_crash_the_bye_goes_to_the_next_hop_and_then_to_the_invites_address() -> None:
    house = make_house()
    Spread(house, f"sip:gw@{MEDIA}:5060")
    started(house)
    after = House(conf=house.conf, lines=[make_line("alice")], state=dict(house.journal.state), seed=2)
    carrier = Spread(after, "")
    after.run(1)
    assert carrier.elsewhere.requests_of("BYE")
    assert carrier.requests_of("BYE") == []
    again = House(conf=house.conf, lines=[make_line("alice")], state=dict(house.journal.state), seed=3)
    dead = Spread(again, "")
    again.link.detach((MEDIA, 5060))
    again.run(40)
    assert dead.requests_of("BYE")
    again.run(40)
    again.assert_clean()


def test_a_second_answer_from_behind_a_forking_carrier_is_hung_up_where_it_came_from() -> None:
    """RFC 3261 13.2.2.4: the ACK and the BYE of each fork go by its own Contact."""
    house = make_house()
    carrier = Spread(house, f"sip:one@{CARRIER}:5060")
    started(house)
    invite = next(
        d for d in house.link.sent if d.start_line.startswith("INVITE") and d.destination[0] == CARRIER
    )
    second = make_response(parse_message(invite.data), 200, to_tag="another")
    second.headers.add("contact", f"<sip:gw@{MEDIA}:5060>")
    carrier.stack.outgoing.append((carrier.flow, format_message(second)))
    house.run(1)
    assert [line for line in sent_to(house, MEDIA) if line != "SIP/2.0"] == ["ACK", "BYE"]


# Names


def found(house: House, wanted: Wanted, host: str = MEDIA, port: int = 5060) -> None:
    located = Located(((Choice(0, (Endpoint(wanted.transport, host, port),)),),), 300.0)
    house.exchange.trunks.found(wanted, located, house.clock.now)


def test_a_name_in_a_contact_is_followed_once_it_is_known() -> None:
    house = make_house()
    carrier = Spread(house, "sip:gw@media.carrier.example")
    alice = started(house)
    wanted = Wanted("media.carrier.example", 0, "UDP")
    assert house.exchange.trunks.names.due(house.clock.now) == [wanted]
    assert "ACK" in sent_to(house, CARRIER), "nobody waits for a name server"
    found(house, wanted)
    alice.hang_up()
    house.run(40)
    assert carrier.elsewhere.requests_of("BYE")
    house.assert_clean()


def test_a_name_that_is_not_found_leaves_the_dialog_where_it_is() -> None:
    house = make_house()
    carrier = Spread(house, "sip:gw@media.carrier.example")
    alice = started(house)
    wanted = Wanted("media.carrier.example", 0, "UDP")
    house.exchange.trunks.names.due(house.clock.now)
    house.exchange.trunks.found(wanted, Located((), 0.0, "the name servers do not answer"), house.clock.now)
    alice.hang_up()
    house.run(40)
    assert carrier.requests_of("BYE")
    assert house.exchange.trunks._aiming == {}


def test_of_several_addresses_the_one_that_has_the_call_keeps_it() -> None:
    house = make_house()
    carrier = Spread(house, "sip:gw@carrier.example")
    wanted = Wanted("carrier.example", 0, "UDP")
    house.exchange.trunks.names.ask(wanted, 0.0)
    both = tuple(Choice(0, (Endpoint("UDP", host, 5060),)) for host in (MEDIA, CARRIER))
    house.exchange.trunks.found(wanted, Located((both,), 300.0), 0.0)
    alice = started(house)
    alice.hang_up()
    house.run(40)
    assert carrier.requests_of("BYE")


def test_a_lie_of_the_name_server_is_not_followed() -> None:
    house = make_house()
    carrier = Spread(house, "sip:gw@media.carrier.example")
    alice = started(house)
    house.exchange.trunks.names.due(house.clock.now)
    found(house, Wanted("media.carrier.example", 0, "UDP"), "10.0.0.66")
    alice.hang_up()
    house.run(40)
    assert carrier.requests_of("BYE")
