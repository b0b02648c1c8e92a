"""The history of registrations and refused logins, made by a whole exchange without a socket."""

from itertools import pairwise

import msgspec
import pytest

from provisioning.model import LineRemoved
from rating.records import Alarm, RegistrationEvent
from switch.config import RegistrarSettings
from switch.registrar.bindings import Binding
from switch.registrar.history import (
    EVENTS_PER_SECOND_MAX,
    LINE_EVENTS_MAX,
    MOVES_WINDOW_S,
    TEXT_CHARS_MAX,
    WAITING_MAX,
)
from switch.registrar.refused_logins import NOTED_BANNED_MAX, NOTED_MAX, SOURCES_PER_LINE_MAX, STRANGERS_MAX
from switch.sip.flow import Flow
from switch.sip.headers import Headers
from switch.sip.message import Request
from tests.switch.house import DOMAIN, EXCHANGE, STARTED_AT_S, House, Phone, make_conf, make_line


@pytest.fixture
def house() -> House:
    return House(lines=[make_line(user) for user in ("alice", "bob")])


def events(house: House, *names: str) -> list[RegistrationEvent]:
    """Of these kinds, or all."""
    found = [record for record in house.journal.records if isinstance(record, RegistrationEvent)]
    return [event for event in found if not names or event.event in names]


def told(house: House) -> list[str]:
    return [event.event for event in events(house)]


def move(phone: Phone, port: int) -> None:
    """Its router gives it another port: the Contact stays."""
    phone.house.link.attach(phone.stack, phone.timers, (phone.address[0], port))
    phone.address = (phone.address[0], port)
    phone.flow = Flow("UDP", *EXCHANGE, *phone.address)


# What becomes of a registration


def test_the_first_registration_is_told_with_what_the_phone_said(house: House) -> None:
    phone = house.phone("alice", "192.0.2.10")
    phone.register(extra=[("user-agent", "Phone 1.0")])
    house.run(1)
    (event,) = events(house)
    assert (event.event, event.line, event.account_id, event.count) == ("registered", "alice", 1, 1)
    assert (event.source, event.transport) == ("192.0.2.10:5060", "UDP")
    assert (event.contact, event.user_agent) == ("sip:alice@192.0.2.10:5060", "Phone 1.0")
    assert event.via.startswith("SIP/2.0/UDP 192.0.2.10:5060;") and ";received=192.0.2.10" in event.via
    assert 500 <= event.expires_s <= 600
    assert STARTED_AT_S * 1000 <= event.at_ms <= STARTED_AT_S * 1000 + 1000
    assert event.reason == "" and event.claimed == ""


def test_renewals_that_change_nothing_and_first_challenges_are_no_events(house: House) -> None:
    phone = house.phone("alice", "192.0.2.10")
    for _ in range(20):
        phone.register()
        house.run(60)
    assert told(house) == ["registered"]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("leaves", ["registered", "left"]),
        ("falls silent until it expires", ["registered", "expired", "offline"]),
        ("is removed", ["registered", "removed"]),
    ],
)
def test_the_end_of_a_registration_is_told_once(house: House, how: str, expected: list[str]) -> None:
    phone = house.phone("alice", "192.0.2.10")
    phone.register(expires=60)
    if how == "leaves":
        phone.register(expires=0)
        house.run(5)
    elif how == "is removed":
        house.run(2)
        house.exchange.apply_changes([LineRemoved("alice")], house.clock.now)
        house.run(5)
    else:
        house.run(600)
    assert told(house) == expected


def test_an_expired_registration_is_told_at_its_time(house: House) -> None:
    house.phone("alice", "192.0.2.10").register(expires=60)
    house.run(90)
    registered, expired = events(house)
    assert 59_000 <= expired.at_ms - registered.at_ms <= 64_000
    assert (expired.source, expired.contact) == (registered.source, registered.contact)


def test_a_lost_connection_is_told_and_the_phone_that_comes_back_over_another(house: House) -> None:
    phone = house.phone("alice", "192.0.2.10")
    phone.register(params=';+sip.instance="<urn:uuid:1>"')
    house.run(1)
    house.exchange.on_flow_lost(house.exchange.bindings.of("alice", house.clock.now)[0].flow, house.clock.now)
    house.run(30)
    move(phone, 5062)
    phone.register(params=';+sip.instance="<urn:uuid:1>"')
    house.run(5)
    assert told(house) == ["registered", "lost", "back"]
    lost, back = events(house, "lost", "back")
    assert (lost.source, back.source, back.reason) == (
        "192.0.2.10:5060",
        "192.0.2.10:5062",
        "from 192.0.2.10:5060",
    )
    house.run(1100)  # it expires: once
    assert told(house) == ["registered", "lost", "back", "expired", "offline"]


def test_lost_and_back_within_a_second_are_told_in_their_order(house: House) -> None:
    phone = house.phone("alice", "192.0.2.10")
    phone.register()
    house.run(1)
    house.exchange.on_flow_lost(phone_flow(house), house.clock.now)
    phone.register()
    house.run(2)
    assert told(house) == ["registered", "lost", "back"]
    assert [event.id for event in events(house)] == sorted(event.id for event in events(house))


def phone_flow(house: House, user: str = "alice") -> Flow:
    return house.exchange.bindings.of(user, house.clock.now)[0].flow


def test_a_phone_that_stops_answering_is_silent_and_back_with_its_answer(house: House) -> None:
    """Behind NAT: its Contact is another address than it sends from."""
    phone = house.phone("alice", "192.0.2.10")
    phone.contact = "sip:alice@10.0.0.5:5060"
    phone.register()
    house.run(60)
    house.link.detach(phone.address)
    house.run(200)
    assert told(house) == ["registered", "silent"]
    house.link.attach(phone.stack, phone.timers, phone.address)
    house.run(200)
    assert told(house) == ["registered", "silent", "back"]


def test_a_phone_that_never_answers_pings_is_not_called_silent(house: House) -> None:
    phone = house.phone("alice", "192.0.2.10")
    phone.contact = "sip:alice@10.0.0.5:5060"
    house.link.attach(phone.stack, phone.timers, phone.address)
    for _ in range(8):
        phone.register()
        house.link.detach(phone.address)
        house.run(300)
        house.link.attach(phone.stack, phone.timers, phone.address)
    assert told(house) == ["registered"]


# Moves


def test_another_source_is_a_move(house: House) -> None:
    phone = house.phone("alice", "192.0.2.10")
    phone.register(params=';+sip.instance="<urn:uuid:1>"')
    move(phone, 5064)
    phone.register(params=';+sip.instance="<urn:uuid:1>"')
    house.run(2)
    moved = events(house)[-1]
    assert (moved.event, moved.source, moved.reason) == ("moved", "192.0.2.10:5064", "from 192.0.2.10:5060")


def test_a_router_that_gives_another_port_each_time_is_one_move_a_quarter_of_an_hour(house: House) -> None:
    phone = house.phone("alice", "192.0.2.10")
    phone.register()
    for turn in range(60):
        move(phone, 10_000 + turn)
        phone.register()
        house.run(60)
    moves = events(house, "moved")
    assert told(house) == ["registered"] + ["moved"] * len(moves)
    assert len(moves) <= 3600 / MOVES_WINDOW_S + 1
    house.exchange.drain(house.clock.now)
    moves = events(house, "moved")
    assert sum(event.count for event in moves) == 60
    for before, after in pairwise(moves):
        assert after.reason == f"from {before.source}"


def test_a_phone_with_a_new_contact_and_the_same_call_id_has_moved(house: House) -> None:
    """One without an instance that learns its public address, and forgets to take the old one away."""
    phone = house.phone("alice", "192.0.2.10")
    phone.register(expires=120)
    phone.contact = "sip:alice@203.0.113.9:1024"
    phone.register(expires=1200)
    house.run(300)
    assert told(house) == ["registered", "moved"]  # and nothing of the old one's end


def test_two_phones_of_a_line_are_told_apart(house: House) -> None:
    for host, instance in (("192.0.2.10", "1"), ("192.0.2.11", "2")):
        house.phone("alice", host).register(
            params=f';+sip.instance="<urn:uuid:{instance}>"', call_id=f"r-{instance}"
        )
    house.run(1)
    assert told(house) == ["registered", "registered"]


def test_a_phone_that_comes_and_goes_without_end_does_not_fill_the_journal(house: House) -> None:
    phone = house.phone("alice", "192.0.2.10")
    for _ in range(LINE_EVENTS_MAX):
        phone.register()
        phone.register(expires=0)
    house.run(2)
    changes = events(house, "registered", "left")
    assert len(changes) == LINE_EVENTS_MAX
    assert house.exchange.registration_events.history.held_back == LINE_EVENTS_MAX
    assert [event.line for event in events(house, "flapping")] == ["alice"]


# Restarts


def again(house: House, *, after_s: float = 0.0) -> House:
    """The process is started anew with what the journal kept; the machine's clock went on."""
    house.clock.now += after_s
    house.journal.records.clear()
    return House(
        lines=[make_line(user) for user in ("alice", "bob")], link=house.link, state=house.journal.state
    )


def test_a_restart_of_the_switch_tells_nothing_of_bindings_that_are_there(house: House) -> None:
    phone = house.phone("alice", "192.0.2.10")
    phone.register()
    house.run(2)
    new = again(house)
    new.run(10)
    assert told(new) == []


def test_what_expired_while_the_switch_was_away_is_told_once(house: House) -> None:
    house.phone("alice", "192.0.2.10").register(expires=60)
    house.run(2)
    new = again(house, after_s=1000)
    new.run(10)
    (event,) = events(new)
    assert event.event == "expired"
    assert event.at_ms < STARTED_AT_S * 1000 + 70_000
    newer = again(new, after_s=10)
    newer.run(10)
    assert told(newer) == []


def test_a_phone_told_as_lost_is_back_although_the_switch_was_started_anew_meanwhile(house: House) -> None:
    phone = house.phone("alice", "192.0.2.10")
    phone.register()
    house.run(1)
    house.exchange.on_flow_lost(phone_flow(house), house.clock.now)
    house.run(2)
    new = again(house)
    phone.house = new
    phone.register()
    new.run(2)
    assert told(new) == ["back"]


# Offline, flapping, outages


def short(offline_after_s: int = 60, **settings: int) -> object:
    registrar = RegistrarSettings(offline_after_s=offline_after_s, **settings)
    return msgspec.structs.replace(make_conf(), registrar=registrar)


def test_a_line_that_stays_away_is_offline_once_and_online_again() -> None:
    house = House(conf=short(), lines=[make_line("alice")])
    phone = house.phone("alice", "192.0.2.10")
    phone.register()
    phone.register(expires=0)
    house.run(50)
    assert "offline" not in told(house)
    house.run(500)
    assert told(house) == ["registered", "left", "offline"]
    assert events(house)[-1].reason == "no phone could be reached for 1 minute"
    assert list(house.journal.state) and any(key.startswith("o/") for key in house.journal.state)
    phone.register()
    house.run(2)
    assert told(house)[3:] == ["registered", "online"]
    assert not any(key.startswith("o/") for key in house.journal.state)


def test_a_line_told_offline_is_told_online_by_the_next_process() -> None:
    house = House(conf=short(), lines=[make_line("alice")])
    phone = house.phone("alice", "192.0.2.10")
    phone.register()
    phone.register(expires=0)
    house.run(100)
    new = again(house)
    phone.house = new
    phone.register()
    new.run(2)
    assert told(new) == ["registered", "online"]


def test_a_line_with_another_phone_is_not_offline() -> None:
    house = House(conf=short(), lines=[make_line("alice")])
    house.phone("alice", "192.0.2.10").register(expires=3600)
    other = house.phone("alice", "192.0.2.11")
    other.register(call_id="other")
    other.register(expires=0, call_id="other")
    house.run(300)
    assert told(house) == ["registered", "registered", "left"]


def test_when_a_good_part_of_all_lines_is_away_only_the_operator_is_told() -> None:
    lines = [make_line(f"line{number}") for number in range(40)]
    house = House(conf=short(), lines=lines)
    phones = [house.phone(f"line{number}", f"192.0.2.{100 + number}") for number in range(40)]
    for phone in phones:
        phone.register(expires=3600)
    house.run(2)
    for phone in phones[:30]:
        house.exchange.on_flow_lost(phone_flow(house, phone.user), house.clock.now)
    house.run(300)
    assert [record.rule for record in house.journal.records if isinstance(record, Alarm)] == [
        "registrations_lost"
    ]
    assert events(house, "offline") == []
    assert len(events(house, "lost")) == 30
    for phone in phones[:28]:
        phone.register(expires=3600)
    house.run(50)
    assert events(house, "offline", "online") == []  # those two have a minute from now
    house.run(30)
    assert {event.line for event in events(house, "offline")} == {"line28", "line29"}


# Refused logins


def test_a_wrong_password_is_told_with_its_reason(house: House) -> None:
    house.phone("alice", "192.0.2.66", password="wrong").register(extra=[("user-agent", "Phone 1.0")])
    house.run(2)
    (event,) = events(house)
    assert (event.event, event.line, event.reason) == ("refused", "alice", "wrong password")
    assert (event.account_id, event.claimed, event.user_agent) == (1, "", "Phone 1.0")
    assert event.source == "192.0.2.66:5060"


def test_an_invite_with_a_wrong_password_is_told_as_well(house: House) -> None:
    house.phone("bob", "192.0.2.66", password="wrong").invite("alice")
    house.run(2)
    assert [(event.line, event.reason) for event in events(house)] == [("bob", "wrong password")]


def test_the_same_refusal_is_one_record_a_minute_with_its_count(house: House) -> None:
    phone = house.phone("alice", "192.0.2.66", password="wrong")
    for _ in range(10):
        phone.register()
        house.run(9)
    house.run(120)
    found = events(house)
    assert len(found) == 3
    assert sum(event.count for event in found) == 10
    times = [event.at_ms for event in found]
    assert times == sorted(times)


def test_an_unknown_user_is_told_by_the_name_that_he_claims(house: House) -> None:
    house.phone("nobody", "192.0.2.66").register()
    house.run(2)
    (event,) = events(house)
    assert (event.line, event.claimed, event.reason, event.account_id) == ("", "nobody", "unknown user", None)


def test_a_scanner_with_a_thousand_names_is_a_few_records(house: House) -> None:
    for turn in range(100):
        house.phone(f"{1000 + turn}", f"192.0.2.{100 + turn}").register()
    house.run(2)
    found = events(house)
    named = [event for event in found if event.claimed != "(many)"]
    many = [event for event in found if event.claimed == "(many)"]
    assert len(named) <= STRANGERS_MAX
    house.run(100)
    found = events(house)
    assert sum(event.count for event in found) == 100
    assert len(many) >= 1 and all(event.reason == "unknown user" for event in found)


def test_a_flood_of_refusals_is_bounded_and_counted(house: House) -> None:
    refused = house.exchange.registration_events.refused
    for number in range(3 * NOTED_MAX):
        refused.note(
            "wrong", f"x{number}", _request(), Flow("UDP", "192.0.2.66", number, *EXCHANGE), house.clock.now
        )
    assert refused.untracked == 2 * NOTED_MAX
    house.run(2)
    assert len(events(house)) <= STRANGERS_MAX + 1


def _request() -> Request:
    return Request(
        "REGISTER", f"sip:{DOMAIN}", Headers([("call-id", "x@10.0.0.7"), ("via", "SIP/2.0/UDP 10.0.0.7")])
    )


def test_an_expired_nonce_that_is_answered_rightly_is_no_event(house: House) -> None:
    refused, flow = house.exchange.registration_events.refused, Flow("UDP", "192.0.2.10", 5060, *EXCHANGE)
    refused.note("stale", "alice", _request(), flow, house.clock.now)
    refused.succeeded("alice", flow)
    house.run(3)
    refused.note("stale", "alice", _request(), flow, house.clock.now)
    house.run(3)
    refused.succeeded("alice", flow)
    house.run(200)
    assert events(house) == []


def test_an_expired_nonce_that_never_comes_to_a_good_one_is(house: House) -> None:
    refused, flow = house.exchange.registration_events.refused, Flow("UDP", "192.0.2.10", 5060, *EXCHANGE)
    for _ in range(5):
        refused.note("stale", "alice", _request(), flow, house.clock.now)
        house.run(5)
    house.run(60)
    (event,) = events(house)
    assert (event.reason, event.line, event.count) == ("expired nonce", "alice", 5)
    assert event.via == "SIP/2.0/UDP 10.0.0.7 call-id@10.0.0.7"


def test_an_interval_that_is_too_brief_is_told_when_the_phone_does_not_take_the_longer_one(
    house: House,
) -> None:
    phone = house.phone("alice", "192.0.2.10")
    phone.register(expires=10)
    phone.register(expires=60)
    house.run(2)
    assert told(house) == ["registered"]
    other = house.phone("bob", "192.0.2.11")
    for _ in range(3):
        other.register(expires=10)
        house.run(30)
    house.run(60)
    assert {(event.line, event.reason) for event in events(house, "refused")} == {
        ("bob", "interval too brief")
    }
    assert sum(event.count for event in events(house, "refused")) == 3


def test_what_the_registrar_refuses_is_told(house: House) -> None:
    phone = house.phone("alice", "192.0.2.10")
    contacts = [("contact", f"<sip:alice@192.0.2.10:{5061 + number}>") for number in range(11)]
    phone.register(extra=contacts)
    house.run(2)
    assert [event.reason for event in events(house)] == ["too many bindings"]


def test_a_register_to_another_domain_is_told(house: House) -> None:
    phone = house.phone("alice", "192.0.2.10")
    headers = phone._headers("REGISTER", f"<sip:alice@{DOMAIN}>", call_id="r-1")
    headers.add("contact", f"<{phone.contact}>")
    request = Request("REGISTER", "sip:other.example.org", headers)
    phone.stack.send_request(request, phone.flow, phone, house.clock.now)
    house.run(2)
    assert phone.statuses[-1] == 404
    assert [(event.line, event.reason) for event in events(house)] == [("alice", "other domain")]


def test_a_flood_from_a_banned_source_does_not_push_out_others(house: House) -> None:
    house.exchange.door.ban("192.0.2.66", 600, house.clock.now)
    evil = house.phone("alice", "192.0.2.66")
    for number in range(NOTED_MAX):
        raw = f"REGISTER sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bK{number}\r\n"
        raw += f"From: <sip:alice@{DOMAIN}>;tag=1\r\nTo: <sip:alice@{DOMAIN}>\r\nCall-ID: {number}\r\n"
        raw += "CSeq: 1 REGISTER\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        flow = Flow("UDP", *evil.address, *EXCHANGE)
        house.exchange.receive(raw.encode(), flow, house.clock.now)
    house.phone("bob", "192.0.2.10", password="wrong").register()
    house.run(2)
    assert {(event.line, event.reason) for event in events(house)} == {
        ("alice", "banned"),
        ("bob", "wrong password"),
    }
    assert house.exchange.registration_events.refused.untracked == NOTED_MAX - NOTED_BANNED_MAX


def test_a_banned_source_is_told(house: House) -> None:
    house.exchange.door.ban("192.0.2.66", 600, house.clock.now)
    house.phone("alice", "192.0.2.66").register()
    house.run(2)
    assert [(event.line, event.reason) for event in events(house)] == [("alice", "banned")]


def test_a_line_tried_from_many_sources_is_a_few_records(house: House) -> None:
    for turn in range(40):
        house.phone("alice", f"192.0.2.{100 + turn}", password="wrong").register()
    house.run(100)
    found = events(house, "refused")
    assert len(found) <= SOURCES_PER_LINE_MAX + 2
    assert sum(event.count for event in found) == 40
    assert {event.source for event in found if event.count > 1} == {""}


def test_what_a_stranger_says_is_clipped_and_storable(house: House) -> None:
    hostile = "evil\x1b\udcff" + "x" * 5000
    stranger = house.phone("nobody", "192.0.2.66")
    stranger.register(extra=[("user-agent", hostile)])
    house.run(2)
    (event,) = events(house)
    assert len(event.user_agent) <= TEXT_CHARS_MAX
    assert event.user_agent.startswith("evil\x1b\\xff")
    msgspec.msgpack.encode(event)


# A whole town


def test_a_mass_loss_goes_to_the_journal_so_many_a_second() -> None:
    count = 3 * EVENTS_PER_SECOND_MAX
    house = House(lines=[make_line(f"line{number}") for number in range(count)])
    bindings, now = house.exchange.bindings, house.clock.now
    flow = Flow("TCP", "192.0.2.10", 40000, *EXCHANGE, "c1")
    for number in range(count):
        bindings.add(binding_of(f"line{number}", flow, now))
    house.exchange.on_flow_lost(flow, now)
    taken = []
    for _ in range(4):
        house.run(1)
        taken.append(len(events(house, "lost")))
    assert taken == [EVENTS_PER_SECOND_MAX, 2 * EVENTS_PER_SECOND_MAX, count, count]
    registrations = house.exchange.registration_events
    assert registrations.lost["lost"] == count == registrations.lost_at_once
    assert registrations.waiting_count == 0
    house.run(70)
    assert registrations.lost_at_once == 0


def test_what_waits_is_bounded_and_counted(house: House) -> None:
    history = house.exchange.registration_events.history
    for _ in range(WAITING_MAX + 10):
        history.add("refused", house.clock.now, reason="x")
    assert (history.waiting_count, history.dropped) == (WAITING_MAX, 10)


def binding_of(user: str, flow: Flow, now: float) -> Binding:
    return Binding(
        user=user,
        contact=f"sip:{user}@{flow.remote_host}",
        flow=flow,
        q=None,
        expires_at=now + 3600,
        call_id=f"r-{user}",
        cseq=1,
        user_agent="Phone",
        instance="",
        registered_at=now,
        refreshed_at=now,
        is_behind_nat=False,
    )


def test_a_line_that_is_removed_while_offline_leaves_nothing_behind() -> None:
    house = House(conf=short(), lines=[make_line("alice")])
    phone = house.phone("alice", "192.0.2.10")
    phone.register()
    phone.register(expires=0)
    house.run(100)
    house.exchange.apply_changes([LineRemoved("alice")], house.clock.now)
    house.run(2)
    assert not any(key.startswith("o/") for key in house.journal.state)


def test_a_phone_gone_by_its_proxys_word_is_lost(house: House) -> None:
    """430 Flow Failed, from who holds its connection (RFC 5626)."""
    house.phone("alice", "192.0.2.10").register()
    house.run(1)
    house.exchange.bindings.flow_failed(house.exchange.bindings.of("alice", house.clock.now)[0])
    house.run(2)
    assert told(house) == ["registered", "lost"]
