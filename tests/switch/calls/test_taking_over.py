"""A line takes a call that is at another phone of its account, up or ringing: by Replaces, and by dialling a code."""

import pytest

from provisioning.model import Divert, DivertCondition, DivertKind, LineChanged
from switch.calls.q850 import COMPLETED_ELSEWHERE
from switch.sdp.description import parse_sdp
from tests.clock import HandClock
from tests.link import Link
from tests.switch.calls.office import STRANGER, Office, names_dialog, names_ringing
from tests.switch.house import ANSWER, OFFER, Phone, make_line

BENS_OFFER = OFFER.replace(b"4000", b"4444")
HOW = ["replaces", "*8", "*8*01632960002", "**01632960002"]
NO_CODEC = OFFER.replace(b"RTP/AVP 8", b"RTP/AVP 18")


def port_of(body: bytes) -> int:
    return parse_sdp(body).media[0].port


def answer_body(phone: Phone) -> bytes:
    return next(r for r in reversed(phone.responses) if r.status == 200 and r.cseq.method == "INVITE").body


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_phone_takes_the_place_of_one_that_talks(who: str) -> None:
    office = Office()
    if who == "caller":
        office.call(office.bob, "alice")
    else:
        office.call(office.alice, "bob")
    office.run(10)
    assert office.status_of(office.ben, "bob", extra=names_dialog(office.bob), body=BENS_OFFER) == 200
    assert office.conversations() == [["alice", "ben"]]
    assert [bye.method for bye in office.bob.requests_of("BYE")] == ["BYE"]
    (reinvite,) = [invite for invite in office.alice.requests_of("INVITE") if invite.to_tag is not None]
    assert reinvite.body == BENS_OFFER and answer_body(office.ben) == office.alice.answer_body
    office.run(60)
    office.end(office.ben)
    costs = office.assert_money_adds_up()
    payer = 2 if who == "caller" else 1
    assert set(costs) == {payer}, "who paid goes on paying, for both minutes"
    assert costs[payer] == 10_000 + 2 * 30_000
    replaced = next(row for row in office.rows() if row.line == "bob")
    assert replaced.reason == "replaced by line ben" and replaced.outcome == "answered"
    own = next(row for row in office.rows() if row.leg_reason == "in the place of line bob")
    assert (own.line, own.outcome, own.payer_account_id, own.cost_micros) == ("ben", "answered", None, 0)


def test_a_line_takes_over_at_another_of_its_phones() -> None:
    office = Office()
    office.call(office.alice, "bob")
    other = office.house.phone("bob", "192.0.2.99", seed=8)
    assert office.status_of(other, "bob", extra=names_dialog(office.bob)) == 200
    assert office.bob.requests_of("BYE")
    office.end(other)
    office.assert_money_adds_up()


@pytest.mark.parametrize(("who", "status"), [("boss", 200), ("dora", 603), ("in", 603), ("out", 603)])
def test_only_a_line_of_the_same_account_may(who: str, status: int) -> None:
    office = Office()
    office.call(office.alice, "bob")
    phone = {**office.phones, "in": office.stranger, "out": office.mobile}[who]
    assert office.status_of(phone, "+441632960002", extra=names_dialog(office.bob)) == status
    if status == 603:
        assert office.conversations() == [["alice", "bob"]]
        office.end(office.alice)
    else:
        office.end(phone)
    office.assert_money_adds_up()


def test_nobody_takes_the_place_of_a_carrier_or_in_an_emergency_call() -> None:
    office = Office()
    office.call(office.bob, "07700900123")
    assert office.status_of(office.ben, "bob", extra=names_dialog(office.mobile)) == 603
    office.end(office.bob)
    office.call(office.bob, "999")
    assert office.status_of(office.ben, "bob", extra=names_dialog(office.bob)) == 603
    office.end(office.bob)


def test_the_far_end_of_a_trunk_call_stays_and_its_account_pays_on() -> None:
    office = Office()
    office.call(office.bob, "07700900123")
    office.run(20)
    assert office.status_of(office.ben, "bob", extra=names_dialog(office.bob)) == 200
    office.run(20)
    office.end(office.mobile)
    assert 40_000 <= office.assert_money_adds_up()[2] <= 10_000 + 1_000 * 46


@pytest.mark.parametrize("failure", ["refused", "no offer", "silent", "gives up"])
def test_when_it_does_not_come_about_everything_stays(failure: str) -> None:
    office = Office()
    office.call(office.alice, "bob")
    office.alice.reinvite_status = {"refused": 488, "no offer": 200}.get(failure, 0)
    office.ben.invite("bob", extra=names_dialog(office.bob), body=b"" if failure == "no offer" else OFFER)
    office.run(2)
    if failure == "gives up":
        office.ben.stack.cancel(office.ben.invites[-1], office.house.clock.now)
    office.run(30)
    expected = {"refused": 488, "no offer": 488, "silent": 488, "gives up": 487}[failure]
    assert expected in office.ben.statuses
    assert office.conversations() == [["alice", "bob"]]
    assert not office.bob.requests_of("BYE") and not office.alice.requests_of("BYE")
    office.end(office.alice)
    office.assert_money_adds_up()


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_an_end_may_hang_up_meanwhile(who: str) -> None:
    office = Office()
    office.call(office.alice, "bob")
    office.alice.reinvite_status = 0
    office.ben.invite("bob", extra=names_dialog(office.bob))
    office.run(1)
    office.phones[who].hang_up()
    office.run(1)
    if who == "bob":  # alice is still asked; ben may yet come
        assert office.conversations() == [["alice"]]
    office.run(40)
    assert office.ben.statuses[-1] in (488, 603)
    office.assert_over()
    office.assert_money_adds_up()


def test_a_second_take_over_waits_for_the_first() -> None:
    office = Office()
    office.call(office.alice, "bob")
    office.alice.reinvite_status = 0
    office.ben.invite("bob", extra=names_dialog(office.bob))
    office.run(1)
    assert office.status_of(office.boss, "bob", extra=names_dialog(office.bob)) == 491
    assert office.refer(office.bob, "boss").status == 491


def test_an_end_of_an_attended_transfer_is_replaced_and_nothing_is_left() -> None:
    """alice and dora talk by two calls that bob made and has left."""
    office = Office()
    first = office.call(office.alice, "bob")
    bobs = office.bob.dialogs[-1]
    second = office.call(office.bob, "boss")
    replaces = f"{second.call_id}%3Bto-tag%3D{second.remote_tag}%3Bfrom-tag%3D{second.local_tag}"
    assert office.refer(office.bob, f"<sip:boss@example.com?Replaces={replaces}>", bobs).status == 202
    office.run(2)
    assert office.conversations() == [["alice", "boss"]]
    assert office.status_of(office.ben, "boss", extra=names_dialog(office.boss)) == 200
    assert office.conversations() == [["alice", "ben"]]
    assert len(office.house.exchange.board.calls) == 2, "bob's call to boss is over"
    assert first is not None
    office.end(office.alice)
    office.assert_money_adds_up()


# Ringing


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("caller", ["line", "trunk"])
def test_a_ringing_phone_is_picked_up_at_another(how: str, caller: str) -> None:
    office = Office()
    office.bob.answer_after_s = None
    calling = office.alice if caller == "line" else office.stranger
    calling.invite("+441632960002", from_=f"<sip:{STRANGER}@192.0.2.50>" if caller == "trunk" else "")
    office.run(3)
    assert picks_up(office, how, BENS_OFFER) == 200
    assert calling.statuses[-1] == 200
    assert port_of(answer_body(calling)) == 4444 and port_of(answer_body(office.ben)) == 4000
    assert office.bob.requests_of("CANCEL")
    assert office.bob.requests_of("CANCEL")[0].headers.get("reason") == COMPLETED_ELSEWHERE
    name = "alice" if caller == "line" else "in"
    assert office.conversations() == [sorted((name, "ben"))]
    assert office.house.exchange.board.of_line["bob"] == 0
    office.run(70)
    office.end(calling if caller == "trunk" else office.ben)
    costs = office.assert_money_adds_up()
    assert costs == ({1: 10_000 + 2 * 30_000} if caller == "line" else {})
    rung = next(row for row in office.rows() if row.line == "bob")
    assert rung.reason == "picked up by line ben" and rung.answered_at_ms is None
    own = next(row for row in office.rows() if row.leg_reason == "picks up the call to line bob")
    assert (own.line, own.payer_account_id, own.cost_micros) == ("ben", None, 0)


def picks_up(office: Office, how: str, body: bytes = OFFER, phone: Phone | None = None) -> int:
    phone = phone or office.ben
    if how == "replaces":
        return office.status_of(phone, "bob", extra=names_ringing(office.bob), body=body)
    return office.status_of(phone, how, body=body)


def ringing(**settings: object) -> Office:
    office = Office(**settings)
    office.bob.answer_after_s = None
    office.alice.invite("bob")
    office.run(2)
    return office


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("who", ["caller", "who picked up"])
def test_either_end_ends_it_for_both(how: str, who: str) -> None:
    office = ringing()
    assert picks_up(office, how) == 200
    office.end(office.alice if who == "caller" else office.ben)


@pytest.mark.parametrize("how", HOW)
def test_the_answer_waits_for_the_journal(how: str) -> None:
    office = ringing()
    office.house.journal.durable = "when told"
    assert picks_up(office, how) == 503 or office.ben.statuses[-1] == 480
    assert 503 in office.alice.statuses and 200 not in office.alice.statuses[-1:]
    assert 200 not in [r.status for r in office.ben.responses if r.cseq.method == "INVITE"]
    office.house.journal.durable = "at once"
    office.run(2)
    office.assert_over()
    assert office.assert_money_adds_up() == {}


@pytest.mark.parametrize("how", HOW)
def test_without_a_codec_in_common_the_phone_rings_on(how: str) -> None:
    office = ringing()
    assert picks_up(office, how, NO_CODEC) == 488
    assert not office.bob.requests_of("CANCEL")
    office.alice.stack.cancel(office.alice.invites[-1], office.house.clock.now)
    office.run(2)
    office.assert_over()


@pytest.mark.parametrize("how", HOW)
def test_who_picks_up_needs_an_offer(how: str) -> None:
    office = ringing()
    assert picks_up(office, how, b"") == 488
    assert not office.bob.requests_of("CANCEL")


@pytest.mark.parametrize("how", HOW)
def test_a_caller_without_an_offer_is_picked_up_too(how: str) -> None:
    """Its ACK brings the answer to the one who picked up."""
    office = Office()
    office.bob.answer_after_s = None
    office.alice.invite("bob", body=b"")
    office.run(2)
    assert picks_up(office, how, BENS_OFFER) == 200
    assert answer_body(office.alice) == BENS_OFFER and answer_body(office.ben) == ANSWER
    office.end(office.ben)


@pytest.mark.parametrize("how", HOW)
def test_a_caller_who_heard_the_phone_is_asked_again(how: str) -> None:
    office = Office()
    office.bob.answer_after_s, office.bob.ring_status, office.bob.ring_body = None, 183, ANSWER
    office.alice.invite("bob")
    office.run(2)
    assert picks_up(office, how, BENS_OFFER) == 200
    assert answer_body(office.alice) == ANSWER
    (reinvite,) = office.alice.requests_of("INVITE")
    assert port_of(reinvite.body) == 4444
    office.end(office.ben)


@pytest.mark.parametrize("how", HOW)
def test_of_several_phones_all_stop_ringing(how: str) -> None:
    office = Office()
    second = office.house.phone("bob", "192.0.2.98", seed=9)
    second.register()
    for phone in (office.bob, second):
        phone.answer_after_s = None
    office.alice.invite("bob")
    office.run(2)
    assert picks_up(office, how) == 200
    assert office.bob.requests_of("CANCEL") and second.requests_of("CANCEL")
    office.end(office.alice)


@pytest.mark.parametrize("how", HOW)
def test_a_phone_that_answers_in_the_same_moment_is_hung_up(how: str) -> None:
    office = Office()
    office.bob.answer_after_s = 2.04
    office.alice.invite("bob")
    office.run(2)
    status = picks_up(office, how)
    office.run(2)
    assert status in (200, 480, 481, 486, 603)
    assert office.conversations() in ([["alice", "ben"]], [["alice", "bob"]])
    office.end(office.alice)
    office.assert_money_adds_up()


def test_nobody_else_picks_it_up_by_replaces() -> None:
    office = ringing()
    for phone in (office.dora, office.stranger):
        assert office.status_of(phone, "+441632960002", extra=names_ringing(office.bob)) == 603
    assert not office.bob.requests_of("CANCEL")


@pytest.mark.parametrize("how", HOW)
def test_a_crash_after_a_pick_up_charges_who_called(how: str) -> None:
    office = ringing()
    assert picks_up(office, how) == 200
    office.run(30)
    reborn = office.house.killed_and_started_again()
    paid = {row.line: row.cost_micros for row in reborn.journal.cdrs() if row.leg == 0}
    assert paid == {"alice": 40_000, "ben": 0}
    hung_up = [datagram for _, datagram in reborn.exchange.outgoing if datagram.startswith(b"BYE")]
    assert len(hung_up) == 2
    office.end(office.ben)


@pytest.mark.parametrize("crashes", [False, True])
def test_who_diverted_a_call_pays_for_it_when_it_is_picked_up_too(crashes: bool) -> None:
    """boss, of the office, has his calls rung at bob's phone."""
    office = Office()
    diverts = (Divert(DivertCondition.ALL, DivertKind.LINE, destination="bob"),)
    boss = make_line("boss", 2, diverts=diverts)
    office.house.exchange.apply_changes([LineChanged(boss)], office.house.clock.now)
    office.bob.answer_after_s = None
    office.alice.invite("boss")
    office.run(2)
    assert office.status_of(office.ben, "*8") == 200
    office.run(20)
    if crashes:
        reborn = office.house.killed_and_started_again()
        rows = [row for row in reborn.journal.cdrs() if row.cost_micros]
        assert {row.payer_account_id: row.cost_micros for row in rows} == {1: 40_000, 2: 40_000}
    else:
        office.end(office.ben)
        assert office.assert_money_adds_up() == {1: 40_000, 2: 40_000}


def test_who_called_pays_on_when_who_picked_up_sends_the_call_further() -> None:
    office = ringing()
    assert picks_up(office, "*8") == 200
    office.run(20)
    assert office.refer(office.ben, "dora").status == 202
    office.run(60)
    assert office.conversations() == [["alice", "dora"]]
    office.end(office.dora)
    costs = office.assert_money_adds_up()
    assert costs[1] == 10_000 + 2 * 30_000 and costs[2] >= 40_000, "ben pays for dora"


# By code


def test_the_call_of_the_group_that_has_rung_longest_is_picked_up() -> None:
    office = Office()
    for phone in (office.bob, office.boss, office.dora):
        phone.answer_after_s = None
    office.dora.invite("boss")  # not of the group
    office.run(1)
    office.stranger.invite("+441632960002", from_=f"<sip:{STRANGER}@192.0.2.50>")
    office.run(1)
    office.alice.invite("bob")
    office.run(1)
    assert office.status_of(office.ben, "*8") == 200
    assert ["ben", "in"] in office.conversations()
    assert office.status_of(office.ben, "*8") == 200
    assert ["alice", "ben"] in office.conversations()
    assert office.status_of(office.ben, "*8") == 480, "the boss is in no group"
    assert office.status_of(office.ben, "**01632960004") == 200
    assert ["ben", "dora"] in office.conversations()


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("dora", "*8"),  # of the same name, but another account's group
        ("dora", "*8*01632960002"),
        ("boss", "*8"),  # in no group
        ("ben", "*8*01632960003"),  # his own phone does not ring
        ("ben", "*8*01632960009"),
        ("ben", "**07700900123"),
    ],
)
def test_there_is_nothing_to_pick_up(who: str, code: str) -> None:
    office = ringing()
    assert office.status_of(office.phones[who], code) == 480
    assert office.house.exchange.counts.refusals["nothing_to_pick_up"] == 1
    assert not office.bob.requests_of("CANCEL")


def test_a_carrier_has_no_codes() -> None:
    office = ringing()
    assert office.status_of(office.stranger, "*8") == 404
    assert not office.bob.requests_of("CANCEL")


def test_a_pick_up_needs_no_media_server() -> None:
    office = ringing(with_media_server=False)
    assert office.status_of(office.ben, "*8") == 200
    office.end(office.ben)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("how", ["*8", "replaces", "take over"])
def test_on_a_bad_link_it_comes_to_one_conversation_or_none_and_the_money_adds_up(
    how: str, seed: int
) -> None:
    link = Link(HandClock(), seed=seed, loss=0.25, duplication=0.1, reorder=0.2, delay_s=0.05)
    office = Office(link=link, with_media_server=False)
    for phone in office.phones.values():
        for _ in range(6):
            phone.register()
    office.bob.answer_after_s = 1.0 if how == "take over" else None
    office.alice.invite("bob")
    office.run(20)
    if how == "*8":
        office.ben.invite("*8")
    elif how == "take over" and office.bob.dialogs:
        office.ben.invite("bob", extra=names_dialog(office.bob))
    elif how == "replaces" and office.bob._ringing:
        office.ben.invite("bob", extra=names_ringing(office.bob))
    office.run(40)
    talks = office.conversations()
    assert talks in ([["alice", "ben"]], [["alice", "bob"]], [])
    for phone in office.phones.values():
        while phone.dialogs:
            phone.hang_up()
    office.run(200)
    for call in list(office.house.exchange.board.calls.values()):
        call.hang_up(office.house.clock.now, words="the test is over", ended_by="exchange")
    office.run(80)
    office.assert_over()
    office.assert_money_adds_up()
