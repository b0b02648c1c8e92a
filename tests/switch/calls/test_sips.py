"""sips: is served where every hop that we see is encrypted, and refused with a warning elsewhere (RFC 5630)."""

import pytest

from switch.sip.flow import Flow
from switch.sip.headers import Headers
from switch.sip.message import Request
from tests.switch.house import DOMAIN, EXCHANGE, OFFER, House, Phone, make_conf, make_line, make_trunk

CARRIER = "192.0.2.50"


@pytest.fixture
def house() -> House:
    return House(
        conf=make_conf(trunks=[make_trunk("carrier", CARRIER)]),
        lines=[make_line("alice"), make_line("bob")],
        numbers={"+441632960002": "bob"},
    )


def phone(house: House, user: str, host: str, transport: str) -> Phone:
    made = house.phone(user, host)
    if transport != "UDP":
        made.flow = Flow(transport, *EXCHANGE, *made.address, "1")
    made.register()
    made.statuses.clear()
    return made


def call(alice: Phone, dialled: str, scheme: str = "sips") -> int:
    """The final status."""
    alice.invite(dialled, uri=f"{scheme}:{dialled}@{DOMAIN}")
    alice.house.run(5)
    return alice.statuses[-1]


@pytest.mark.parametrize(
    ("caller", "callee", "status"),
    [
        ("TLS", "TLS", 200),
        ("WSS", "TLS", 200),
        ("TLS", "WSS", 200),
        ("TLS", "UDP", 480),
        ("TLS", "TCP", 480),
        ("TLS", "WS", 480),
        ("UDP", "TLS", 480),
        ("WS", "WSS", 480),
    ],
)
def test_every_hop_must_be_encrypted(house: House, caller: str, callee: str, status: int) -> None:
    alice, bob = phone(house, "alice", "192.0.2.10", caller), phone(house, "bob", "192.0.2.11", callee)
    assert call(alice, "01632960002") == status
    if status == 480:
        assert alice.responses[-1].headers.get("warning") == '380 offhook "SIPS Not Allowed"'
        assert not bob.requests_of("INVITE")
        assert house.exchange.counts.refusals["sips_not_allowed"] == 1
        assert house.journal.cdrs()[0].outcome == "sips_not_allowed"
    house.run(40)


def test_a_sip_address_is_served_over_anything(house: House) -> None:
    alice, _ = phone(house, "alice", "192.0.2.10", "TLS"), phone(house, "bob", "192.0.2.11", "UDP")
    assert call(alice, "01632960002", scheme="sip") == 200
    contact = alice.responses[-1].headers.get("contact") or ""
    assert contact.startswith("<sip:")


def test_our_contact_says_sips_to_who_said_it(house: House) -> None:
    alice, bob = phone(house, "alice", "192.0.2.10", "TLS"), phone(house, "bob", "192.0.2.11", "TLS")
    assert call(alice, "01632960002") == 200
    assert (alice.responses[-1].headers.get("contact") or "").startswith("<sips:192.0.2.1")
    assert (bob.requests_of("INVITE")[0].headers.get("contact") or "").startswith("<sip:192.0.2.1")


def test_a_phone_registered_with_sips_is_called_so_and_hears_sips(house: House) -> None:
    alice = phone(house, "alice", "192.0.2.10", "UDP")
    bob = house.phone("bob", "192.0.2.11")
    bob.flow = Flow("TLS", *EXCHANGE, *bob.address, "1")
    bob.contact = "sips:bob@192.0.2.11:5061"
    bob.register()
    assert call(alice, "01632960002", scheme="sip") == 200
    (invite,) = bob.requests_of("INVITE")
    assert invite.uri == bob.contact
    assert (invite.headers.get("contact") or "").startswith("<sips:")


def test_only_the_phones_that_are_reached_encrypted_ring(house: House) -> None:
    alice = phone(house, "alice", "192.0.2.10", "TLS")
    plain, secure = phone(house, "bob", "192.0.2.11", "UDP"), phone(house, "bob", "192.0.2.12", "TLS")
    assert call(alice, "01632960002") == 200
    assert not plain.requests_of("INVITE")
    assert secure.requests_of("INVITE")


def test_a_carrier_over_udp_is_no_way_for_sips(house: House) -> None:
    carrier = house.phone("carrier", CARRIER)
    alice = phone(house, "alice", "192.0.2.10", "TLS")
    assert call(alice, "07700900123") == 480
    assert not carrier.requests


@pytest.mark.parametrize("transport", ["UDP", "TLS"])
def test_an_emergency_call_connects_all_the_same(house: House, transport: str) -> None:
    carrier = house.phone("carrier", CARRIER)
    alice = phone(house, "alice", "192.0.2.10", transport)
    assert call(alice, "999") == 200
    assert carrier.requests_of("INVITE")


def register(phone: Phone, contact: str, *, scheme: str = "sip", expires: int = 600) -> int:
    phone.contact = contact
    headers = phone._headers("REGISTER", f"<sip:{phone.user}@{DOMAIN}>", call_id=contact)
    headers.add("contact", f"<{contact}>;expires={expires}")
    request = Request("REGISTER", f"{scheme}:{DOMAIN}", headers)
    phone.stack.send_request(request, phone.flow, phone, phone.house.clock.now)
    phone.house.run(0.2)
    return phone.statuses[-1]


@pytest.mark.parametrize(
    ("transport", "scheme", "contact", "status"),
    [
        ("UDP", "sip", "sips:alice@192.0.2.10", 403),
        ("TCP", "sip", "sips:alice@192.0.2.10", 403),
        ("WS", "sip", "sips:alice@x.invalid;transport=ws", 403),
        ("TLS", "sip", "sips:alice@192.0.2.10", 200),
        ("WSS", "sips", "sips:alice@x.invalid;transport=ws", 200),
        ("TLS", "sips", "sip:alice@192.0.2.10;transport=tls", 403),
        ("TLS", "sip", "sip:alice@192.0.2.10;transport=tls", 200),
    ],
)
def test_a_sips_contact_is_bound_to_an_encrypted_flow(
    house: House, transport: str, scheme: str, contact: str, status: int
) -> None:
    alice = house.phone("alice", "192.0.2.10")
    alice.flow = Flow(transport, *EXCHANGE, *alice.address, "" if transport == "UDP" else "1")
    assert register(alice, contact, scheme=scheme) == status


def test_a_sips_contact_can_be_taken_away_over_anything(house: House) -> None:
    alice = house.phone("alice", "192.0.2.10")
    assert register(alice, "sips:alice@192.0.2.10", expires=0) == 200


# A trunk's connection (RFC 5923), and who can be a trunk at all


def invite_from(house: House, transport: str, via: str) -> list[bytes]:
    flow = Flow(transport, CARRIER, 40_000, *EXCHANGE, "7")
    headers = Headers.from_lines(
        [
            f"Via: SIP/2.0/{transport} {via};branch=z9hG4bK1",
            "Max-Forwards: 70",
            "From: <sip:+442079460001@carrier.example>;tag=1",
            f"To: <sip:+441632960002@{DOMAIN}>",
            "Call-ID: from-outside",
            "CSeq: 1 INVITE",
            "Contact: <sip:192.0.2.50>",
            "Content-Type: application/sdp",
            f"Content-Length: {len(OFFER)}",
        ]
    )
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"INVITE sip:+441632960002@{DOMAIN} SIP/2.0", *lines, "", ""])
    house.exchange.receive(head.encode() + OFFER, flow, house.clock.now)
    return [data for _, data in house.exchange.outgoing]


@pytest.mark.parametrize(
    ("transport", "via", "expected"),
    [
        ("TCP", "192.0.2.50:5070;alias", [5070]),
        ("TLS", "192.0.2.50;alias", [5061]),
        ("TCP", "192.0.2.50;alias", [5060]),
        ("TCP", "192.0.2.50:5070", []),
    ],
)
def test_a_trunk_that_says_alias_is_reached_on_its_connection(
    house: House, transport: str, via: str, expected: list[int]
) -> None:
    noted: list[int] = []
    house.exchange.on_alias = lambda flow, port: noted.append(port)
    invite_from(house, transport, via)
    assert noted == expected


@pytest.mark.parametrize("transport", ["WS", "WSS"])
def test_a_page_shown_at_a_trunks_address_is_no_trunk(house: House, transport: str) -> None:
    noted: list[int] = []
    house.exchange.on_alias = lambda flow, port: noted.append(port)
    (answer,) = invite_from(house, transport, "x.invalid;alias")
    assert answer.startswith(b"SIP/2.0 407 ")
    assert not noted
