"""Withheld is withheld: whatever leaves towards a callee is searched for the caller's number and name."""

import asyncio

import msgspec
import pytest

from provisioning.cdr_search import without_withheld
from provisioning.settings import LineSettings
from switch.calls.privacy import without_people
from switch.conf_trunks import DiversionHeader
from switch.config import IdentityHeader
from switch.control import Control
from tests.switch.calls.office import Office
from tests.switch.events.watcher import Watch, send
from tests.switch.house import DOMAIN, EXCHANGE, OFFER, House, Phone, make_conf, make_line, make_trunk
from tests.switch.test_operator_surface import Running
from tests.switch.voicemail_stand_in import NO_REPLY, VOICEMAIL_AT, StandIn, to_voicemail, voicemail_conf

CARRIER, UNTRUSTED, INCOMING = "192.0.2.50", "192.0.2.51", "192.0.2.52"
NUMBER, PRESENTED, NAME = "+441632960001", "+441632960009", "carla-marks"
MARKS = (b"1632960001", b"1632960009", b"carla")
TELLTALE = [
    ("reply-to", f"<sip:{NUMBER}@example.com>"),
    ("call-info", "<http://example.com/carla.png>;purpose=icon"),
    ("subject", "Carla here"),
    ("organization", "Carla and Sons"),
    ("x-source", "01632 960001, 01632960001"),
    ("x-account", NAME),
    ("x-colour", "green"),
    ("p-preferred-identity", f"<sip:{NUMBER}@example.com>"),
    ("p-asserted-identity", f"<tel:{NUMBER}>"),
    ("remote-party-id", f"<sip:{NUMBER}@example.com>"),
    ("diversion", f"<sip:{NUMBER}@example.com>"),
    ("history-info", f"<sip:{NUMBER}@example.com>;index=1"),
]
NAMED_OFFER = OFFER.replace(b"o=- ", b"o=carla ").replace(
    b"s=-\r\n",
    b"s=Carla\r\ni=Carla's call\r\nu=http://example.com/carla\r\ne=carla@example.com\r\np=+44 1632960001\r\n",
)


class Town:
    def __init__(self, **settings: object) -> None:
        trunks = [
            make_trunk("carrier", CARRIER, pass_headers=frozenset({"x-source", "subject", "x-colour"})),
            make_trunk("untrusted", UNTRUSTED, identity=IdentityHeader.NONE),
            make_trunk("incoming", INCOMING, diversion=DiversionHeader.DIVERSION),
        ]
        self.house = House(
            conf=voicemail_conf(make_conf(trunks=trunks), **settings),
            lines=[
                make_line(NAME),
                make_line("bob", settings=LineSettings(), diverts=to_voicemail(NO_REPLY, ring_s=5)),
            ],
            numbers={NUMBER: NAME, PRESENTED: NAME, "+441632960002": "bob"},
        )
        self.voicemail = StandIn(self.house)
        self.carla = self.house.phone(NAME, "192.0.2.10")
        self.bob = self.house.phone("bob", "192.0.2.11")
        self.carrier = self.house.phone("carrier", CARRIER)
        self.untrusted = self.house.phone("untrusted", UNTRUSTED)
        self.incoming = self.house.phone("incoming", INCOMING)
        self.carla.register()
        self.bob.register()
        self.sent_before = len(self.house.link.sent)

    def leaves_towards(self, *hosts: str) -> list[bytes]:
        """Every datagram of the exchange's to these since the town stands."""
        return [
            datagram.data
            for datagram in self.house.link.sent[self.sent_before :]
            if datagram.source == EXCHANGE and datagram.destination[0] in hosts
        ]


def call_withheld(town: Town, dialled: str) -> None:
    sender = f'"Carla Marks" <sip:{PRESENTED}@example.com>'
    town.carla.invite(dialled, extra=TELLTALE, from_=sender, body=NAMED_OFFER)
    town.house.run(2)
    if town.carla.dialogs:
        for method, body, kind in (
            ("INVITE", NAMED_OFFER, "application/sdp"),
            ("INFO", b"hello", "text/plain"),
            ("MESSAGE", b"hello", "text/plain"),
        ):
            send_telling(town.carla, method, body, kind)
            town.house.run(2)
        town.carla.hang_up()
    town.house.run(40)


def send_telling(phone: Phone, method: str, body: bytes, kind: str) -> None:
    """A request in the call with everything in it that says who sends it."""
    request = phone.dialogs[-1].create_request(
        method, contact=f"<{phone.contact}>" if method == "INVITE" else None
    )
    for name, value in [("content-type", kind), *TELLTALE]:
        request.headers.add(name, value)
    request.body = body
    phone.stack.send_request(request, phone.flow, phone, phone.house.clock.now)


def assert_hidden(messages: list[bytes], *, but: bytes = b"\0") -> None:
    assert messages
    for message in messages:
        for line in message.split(b"\r\n"):
            if line.startswith(but):
                continue
            for mark in MARKS:
                assert mark not in line.lower(), line


@pytest.mark.parametrize("dialled", ["14101632960002", "14107700900123"])
def test_nothing_that_leaves_towards_a_callee_says_who_withheld(dialled: str) -> None:
    town = Town()
    Watch(town.bob, "bob", "message-summary")
    call_withheld(town, dialled)
    town.bob.answer_after_s = None
    call_withheld(town, dialled)  # and to voicemail, where bob does not answer
    callee = town.bob if dialled.endswith("0002") else town.carrier
    assert {request.method for request in callee.requests} >= {"INVITE", "INFO", "MESSAGE", "BYE"}
    assert [request for request in callee.requests_of("INVITE") if request.to_tag]
    if dialled.endswith("0002"):
        assert town.bob.requests_of("INVITE") and town.voicemail.requests_of("INVITE")
        hosts = ("192.0.2.11", VOICEMAIL_AT[0])
        assert_hidden(town.leaves_towards(*hosts))
        assert any(b"x-colour: green" in message.lower() for message in town.leaves_towards("192.0.2.11"))
        assert all(b"P-Asserted" not in message for message in town.leaves_towards(*hosts))
    else:
        messages = town.leaves_towards(CARRIER)
        assert_hidden(messages, but=b"P-Asserted-Identity: ")
        (first, *_) = town.carrier.requests_of("INVITE")
        assert first.headers.get("p-asserted-identity") == f"<sip:{NUMBER}@example.com>"
        assert first.headers.get("privacy") == "id"
        assert first.headers.get("x-colour") == "green"


@pytest.mark.parametrize("method", ["INFO", "MESSAGE"])
@pytest.mark.parametrize("is_second_caller", [False, True])
def test_after_an_attended_transfer_whoever_talks_with_him_now_is_told_no_more(
    method: str, is_second_caller: bool
) -> None:
    office = Office()
    office.alice.invite("14101632960004", body=NAMED_OFFER)
    office.run(2)
    first = office.boss.dialogs[-1]
    if is_second_caller:
        office.call(office.ben, "01632960004")
        second = office.boss.dialogs[-1]
    else:
        second = office.call(office.boss, "ben")
    before = len(office.house.link.sent)
    replaces = f"{second.call_id}%3Bto-tag%3D{second.remote_tag}%3Bfrom-tag%3D{second.local_tag}"
    assert office.refer(office.boss, f"<sip:ben@{DOMAIN}?Replaces={replaces}>", first).status == 202
    office.run(3)
    assert office.conversations() == [["alice", "ben"]]
    request = office.alice.dialogs[-1].create_request(method, contact=f"<{office.alice.contact}>")
    for name, value in (("x-source", "01632960001"), ("subject", "Carla"), ("x-colour", "green")):
        request.headers.add(name, value)
    office.alice.stack.send_request(request, office.alice.flow, office.alice, office.house.clock.now)
    office.run(1)
    told = [d.data for d in office.house.link.sent[before:] if d.destination[0] == office.ben.address[0]]
    assert any(data.startswith(method.encode()) and b"green" in data for data in told)
    assert [data for data in told if b"2960001" in data or b"arla" in data] == []


def test_a_trunk_that_is_not_trusted_is_told_nothing() -> None:
    town = Town()
    town.carrier.ring_status, town.carrier.answer = 0, 503
    call_withheld(town, "14107700900123")
    assert town.untrusted.requests_of("INVITE")
    assert_hidden(town.leaves_towards(UNTRUSTED))


def test_a_carriers_caller_who_withholds_is_hidden_from_lines_and_voicemail() -> None:
    town = Town()
    for answers in (0.5, None):
        town.bob.answer_after_s = answers
        town.incoming.invite(
            "+441632960002",
            from_='"Anonymous" <sip:anonymous@anonymous.invalid>',
            extra=[
                ("p-asserted-identity", f'"Carla" <sip:{NUMBER}@{INCOMING}>'),
                ("privacy", "id"),
                *(field for field in TELLTALE if field[0] not in ("p-asserted-identity", "x-account")),
            ],
            body=NAMED_OFFER,
        )
        town.house.run(10)
        if town.incoming.dialogs:
            town.incoming.hang_up()
        town.house.run(40)
    assert town.voicemail.requests_of("INVITE")
    assert_hidden(town.leaves_towards("192.0.2.11", VOICEMAIL_AT[0]))


def test_an_emergency_service_is_told_all_the_same() -> None:
    town = Town()
    call_withheld(town, "141999")
    (invite,) = [each for each in town.carrier.requests_of("INVITE") if each.to_tag is None]
    assert invite.headers.get("p-asserted-identity") == f"<sip:{NUMBER}@example.com>"
    assert "privacy" not in invite.headers and NUMBER in invite.from_.uri


def test_a_text_message_says_nothing_either() -> None:
    town = Town()
    fields = [("content-type", "text/plain"), ("privacy", "id"), *TELLTALE]
    assert send(town.carla, "MESSAGE", "bob", fields, b"hello", contact="").status == 200
    assert_hidden(town.leaves_towards("192.0.2.11"))


def test_live_calls_and_records_show_that_a_number_is_withheld_and_not_which() -> None:
    town = Town()
    town.bob.answer_after_s = None
    town.incoming.invite(
        "+441632960002",
        from_="<sip:anonymous@anonymous.invalid>",
        extra=[("p-asserted-identity", f"<sip:{NUMBER}@{INCOMING}>"), ("privacy", "id")],
    )
    town.house.run(1)
    control = Control(Running(town.house))
    answer = msgspec.json.encode(asyncio.run(control._answer(b'{"command": "calls"}'))).decode()
    assert '"cli":"withheld"' in answer and NUMBER[1:] not in answer
    town.house.run(10)
    town.incoming.hang_up()
    town.house.run(40)
    rows = town.house.journal.cdrs()
    assert {row.network_number for row in rows} == {NUMBER}
    for row in rows:
        shown = without_withheld(row)
        assert (shown.network_number, shown.privacy) == ("withheld", "id")
        assert all(NUMBER[1:] not in str(getattr(shown, name)) for name in shown.__struct_fields__)


def test_a_session_description_keeps_its_identity_without_its_people() -> None:
    hidden = without_people(NAMED_OFFER)
    assert hidden == OFFER
    assert without_people(hidden) == hidden
    assert without_people(b"v=0\no=carla 1 1 IN IP4 192.0.2.9\ns=Carla\n") == (
        b"v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\n"
    )
