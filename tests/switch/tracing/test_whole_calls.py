"""Calls of every kind through a whole exchange: every message of every leg is in the call's trace, and no other."""

import msgspec

from provisioning.model import Divert, DivertKind
from provisioning.settings import LineSettings
from switch.conf_trace import Keep, Trace
from switch.sip.flow import Flow
from tests.clock import HandClock
from tests.link import Link
from tests.switch.calls.office import STRANGER, Office, names_dialog
from tests.switch.calls.test_parking import parked
from tests.switch.house import DOMAIN, House, Phone, make_conf, make_line
from tests.switch.tracing.on_the_wire import assert_all_traced, call_id_of, start_lines, trace
from tests.switch.voicemail_stand_in import BUSY

BOB, BEN, BOSS = "01632960002", "01632960003", "01632960004"


def hall(*lines: object, **settings: object) -> House:
    conf = msgspec.structs.replace(make_conf(), trace=Trace(**settings))
    numbers = {"+441632960001": "alice", "+441632960002": "bob"}
    return House(conf=conf, lines=list(lines) or [make_line("alice"), make_line("bob")], numbers=numbers)


def test_a_plain_call_has_its_challenge_and_its_end_and_is_no_fault() -> None:
    house = hall()
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.20")
    alice.register()
    bob.register()
    alice.invite(BOB)
    house.run(30)
    alice.hang_up()
    house.run(20)
    (kept,) = assert_all_traced(house)
    assert start_lines(kept) == [
        "> 0 INVITE", "< 0 407", "> 0 ACK", "> 0 INVITE", "< 1 INVITE", "> 1 180", "< 0 180",
        "> 1 200", "< 1 ACK", "< 0 200", "> 0 ACK", "> 0 BYE", "< 0 200", "< 1 BYE", "> 1 200",
    ]  # fmt: skip
    assert kept.why == ""
    assert kept.ended_at_us - kept.started_at_us > 29_000_000
    assert house.exchange.tracer.ring.waiting == {}
    (row, _) = house.journal.cdrs()
    assert abs(kept.started_at_us // 1000 - row.setup_at_ms) < 100
    assert {flow.remote_host for flow in kept.flows} == {"192.0.2.10", "192.0.2.20"}
    assert not house.exchange.tracer.ring.by_sip_call_id


def test_registrations_pings_and_subscriptions_are_no_calls() -> None:
    house = hall()
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    house.run(120)
    ring = house.exchange.tracer.ring
    assert ring.messages == 0
    assert ring.octets == 0


def test_a_challenge_that_nobody_answers_is_found_by_its_call_id_for_a_while() -> None:
    house = hall()
    alice = house.phone("alice", "192.0.2.10", password="wrong")
    alice.register()
    alice.invite(BOB, call_id="door-1")
    house.run(60)
    assert house.exchange.tracer.ring.strangers == {}
    kept = trace(house, "door-1")
    assert {message.leg for message in kept.messages} == {-1}
    assert [line.split()[2] for line in start_lines(kept)][:3] == ["INVITE", "407", "ACK"]


def test_a_call_that_is_up_has_a_trace() -> None:
    office = Office()
    office.call(office.alice, BOB)
    (call_id,) = office.house.exchange.board.calls
    assert "> 1 200" in start_lines(trace(office.house, call_id))
    office.end(office.alice)


def test_all_phones_of_a_line_that_ring_are_there() -> None:
    office = Office()
    other = office.house.phone("bob", "192.0.2.40", seed=9)
    other.register()
    other.answer_after_s = None
    office.call(office.alice, BOB)
    office.end(office.alice)
    office.run(20)
    (kept,) = assert_all_traced(office.house)
    assert {message.leg for message in kept.messages} == {0, 1, 2}
    assert sum(line.endswith("CANCEL") for line in start_lines(kept)) == 1


def test_a_diverted_call_has_the_leg_that_sent_it_on_and_the_one_that_took_it() -> None:
    conf = make_conf()
    bob = make_line("bob", diverts=(Divert(BUSY, DivertKind.NUMBER, "+441632960001"),))
    house = House(
        conf=conf,
        lines=[make_line("alice"), bob, make_line("carol")],
        numbers={"+441632960001": "carol", "+441632960002": "bob"},
    )
    alice, busy, carol = (
        house.phone(user, f"192.0.2.{10 + number}") for number, user in enumerate(("alice", "bob", "carol"))
    )
    for phone in (alice, busy, carol):
        phone.register()
    busy.answer = 486
    alice.invite(BOB)
    house.run(5)
    alice.hang_up()
    house.run(20)
    (kept,) = assert_all_traced(house)
    assert "> 1 486" in start_lines(kept)
    assert "> 2 200" in start_lines(kept)


def test_a_blind_transfer_is_the_same_call() -> None:
    office = Office()
    office.call(office.alice, BOB)
    office.refer(office.bob, BEN)
    office.run(5)
    office.end(office.alice)
    office.run(20)
    (kept,) = assert_all_traced(office.house)
    lines = start_lines(kept)
    assert "> 1 REFER" in lines
    assert "> 2 200" in lines


def test_an_attended_transfer_names_the_other_call_in_both() -> None:
    office = Office()
    first = office.call(office.alice, BOB)
    del first
    to_alice = office.bob.dialogs[-1]
    to_ben = office.call(office.bob, BEN)
    replaces = names_dialog(office.bob, to_ben)[0][1].replace(";", "%3B").replace("=", "%3D")
    office.refer(office.bob, f"<sip:{BEN}@{DOMAIN}?Replaces={replaces}>", to_alice)
    office.run(5)
    assert office.conversations() == [["alice", "ben"]]
    office.end(office.alice)
    office.run(20)
    kept = assert_all_traced(office.house)
    assert len(kept) == 2
    assert [each.partners for each in kept] == [[kept[1].call_id], [kept[0].call_id]]


def test_a_call_that_is_taken_over_names_its_partner() -> None:
    office = Office()
    dialog = office.call(office.alice, BOB)
    del dialog
    office.ben.invite(BEN, extra=names_dialog(office.bob))
    office.run(5)
    office.end(office.alice)
    office.run(20)
    kept = assert_all_traced(office.house)
    assert len(kept) == 2
    assert kept[0].partners == [kept[1].call_id]


def test_a_parked_call_and_who_fetches_it() -> None:
    office = parked(Office())
    office.ben.invite("*691")
    office.run(5)
    office.end(office.alice)
    office.run(20)
    kept = assert_all_traced(office.house)
    assert len(kept) == 2
    assert kept[0].partners == [kept[1].call_id]


def test_voicemail_is_a_leg_like_others() -> None:
    office = Office()
    office.call(office.alice, "1571")
    office.end(office.alice)
    office.run(20)
    (kept,) = assert_all_traced(office.house)
    assert "< 1 INVITE" in start_lines(kept)


def test_a_call_that_fails_waits_for_whoever_stores_it() -> None:
    office = Office()
    office.mobile.answer = 503
    assert office.status_of(office.alice, STRANGER) >= 400
    office.run(20)
    (kept,) = assert_all_traced(office.house)
    assert kept.why == "failed"
    tracer = office.house.exchange.tracer
    assert list(tracer.ring.waiting) == [kept.call_id]
    (log,) = tracer.take_kept(10, 1_000_000)
    assert log.call_id == kept.call_id
    assert tracer.take_kept(10, 1_000_000) == []
    tracer.link_lost()
    assert tracer.take_kept(10, 1_000_000) == [log]
    tracer.note_stored(kept.call_id)
    assert tracer.ring.waiting == {}
    assert tracer.ring.waiting_octets == 0
    assert trace(office.house, kept.call_id).messages == kept.messages


def test_a_busy_phone_and_a_caller_who_gives_up_are_no_faults_and_a_short_call_is_one() -> None:
    office = Office()
    office.bob.answer = 486
    office.status_of(office.alice, BOB)
    office.bob.answer, office.bob.answer_after_s = 200, None
    office.alice.invite(BOB)
    office.run(3)
    office.alice.stack.cancel(office.alice.invites[-1], office.house.clock.now)
    office.run(3)
    office.bob.answer_after_s = 0.5
    office.call(office.alice, BOB)
    office.end(office.alice)
    office.run(20)
    assert [each.why for each in assert_all_traced(office.house)] == ["", "", "short"]


def test_what_is_kept_follows_the_operators_rule() -> None:
    for keep, percent, why in ((Keep.ALL, 0, "all"), (Keep.FAULTS, 100, "sampled"), (Keep.FAULTS, 0, "")):
        house = hall(keep=keep, sample_percent=percent, short_call_s=0)
        alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.20")
        bob.register()
        alice.invite(BOB)
        house.run(3)
        alice.hang_up()
        house.run(20)
        (kept,) = assert_all_traced(house)
        assert kept.why == why
        assert bool(house.exchange.tracer.ring.waiting) is bool(why)


def test_a_wish_keeps_a_good_call_up_or_ended() -> None:
    for is_up in (True, False):
        house = hall(short_call_s=0)
        tracer = house.exchange.tracer
        alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.20")
        bob.register()
        alice.invite(BOB)
        house.run(3)
        (call_id,) = house.exchange.board.calls
        if is_up:
            assert tracer.ask(call_id)
        alice.hang_up()
        house.run(20)
        if not is_up:
            assert list(tracer.ring.good) == [call_id]
            assert tracer.ask(call_id)
        assert list(tracer.ring.waiting) == [call_id]
        assert tracer.find(call_id).why == ("asked",)
        assert not tracer.ask("nobody")


def test_a_watched_line_has_its_calls_kept() -> None:
    bob = make_line("bob", settings=LineSettings(traces_until="2099-01-01"))
    house = hall(make_line("alice"), bob, short_call_s=0)
    alice, phone = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.20")
    phone.register()
    alice.invite(BOB)
    house.run(3)
    alice.hang_up()
    house.run(20)
    (kept,) = assert_all_traced(house)
    assert kept.why == "watched"


def test_switched_off_nothing_is_noted_and_calls_go_on() -> None:
    house = hall(ring_mb=0)
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.20")
    bob.register()
    alice.invite(BOB)
    house.run(3)
    alice.hang_up()
    house.run(20)
    assert [row.outcome for row in house.journal.cdrs()] == ["answered", "answered"]
    ring = house.exchange.tracer.ring
    assert (ring.messages, ring.octets, ring.live) == (0, 0, {})


def test_on_a_bad_link_every_repeat_is_a_message_of_its_own() -> None:
    for seed in range(8):
        link = Link(HandClock(), seed=seed, loss=0.2, duplication=0.1, reorder=0.2)
        office = Office(link=link)
        office.alice.invite(BOB)
        office.run(40)
        if office.alice.dialogs:
            office.alice.hang_up()
        office.run(80)
        assert_all_traced(office.house)
        sent = [datagram for datagram in link.sent if call_id_of(datagram.data)]
        assert len(sent) > 20


def test_a_call_whose_answer_is_repeated_for_want_of_an_ack_is_kept() -> None:
    house = hall()
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.20")
    alice.register()
    bob.register()
    house.link.attach(HearsNoAck(bob), bob.timers, bob.address)
    alice.invite(BOB)
    house.run(25)
    alice.hang_up()
    house.run(20)
    (kept,) = assert_all_traced(house)
    assert start_lines(kept).count("> 1 200") > 4
    assert kept.why == "repeated"


class HearsNoAck:
    """A phone behind a router that drops our ACKs."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone

    @property
    def outgoing(self) -> list[tuple[Flow, bytes]]:
        return self.phone.stack.outgoing

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        if not data.startswith(b"ACK "):
            self.phone.stack.receive(data, flow, now)


def test_a_text_in_a_call_and_keys_are_never_noted() -> None:
    office = Office()
    dialog = office.call(office.alice, BOB)
    for method, kind, body in (
        ("INFO", "application/dtmf-relay", b"Signal=7\r\nDuration=160\r\n"),
        ("MESSAGE", "text/plain", b"the safe is open at seven"),
    ):
        request = dialog.create_request(method, contact=f"<{office.alice.contact}>")
        request.headers.add("content-type", kind)
        request.body = body
        office.alice.stack.send_request(request, office.alice.flow, office.alice, office.house.clock.now)
        office.run(1)
    office.refer(office.alice, "<sip:pressed.4711@example.com>", dialog)
    (call_id,) = office.house.exchange.board.calls
    octets = b"".join(message.data for message in trace(office.house, call_id).messages)
    for secret in (b"Signal", b"the safe", b"4711"):
        assert secret not in octets
    assert b"INFO sip:" in octets
    assert b"sip:pressed.@" in octets
    office.end(office.alice)
