"""Calls that are parked and retrieved, conferences, and what a key that is pressed leads to."""

import pytest

from switch.calls.call import Call
from switch.calls.parked import SLOTS_MAX
from switch.calls.pressed import Pressed
from tests.switch.calls.office import BALANCE, Office, notified
from tests.switch.house import DOMAIN

MUSIC = "music;music=hold"


def asked(office: Office) -> list[str]:
    assert office.voicemail is not None
    return office.voicemail.asked


def parked(office: Office, who: str = "callee", slot: str = "") -> Office:
    """alice and bob talk, and bob parks her; or bob has called, and parks her."""
    if who == "callee":
        office.call(office.alice, "bob")
    else:
        office.call(office.bob, "alice")
    office.run(5)
    assert office.refer(office.bob, f"*68{slot}").status == 202
    office.run(2)
    return office


@pytest.mark.parametrize("has_voice", [True, False])
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_call_is_parked_and_taken_by_another_line(who: str, has_voice: bool) -> None:
    office = parked(Office(with_media_server=has_voice), who)
    assert notified(office.bob)[-1] == "SIP/2.0 200 Parked At 1"
    assert office.bob.requests_of("BYE")
    if has_voice:
        assert asked(office) == [MUSIC]
    assert len(office.house.exchange.board.parked) == 1
    office.run(60)
    assert office.status_of(office.ben, "*691") == 200
    assert office.conversations() == [["alice", "ben"]]
    assert len(office.house.exchange.board.parked) == 0
    office.run(10)
    office.end(office.ben)
    costs = office.assert_money_adds_up()
    assert costs == {1 if who == "callee" else 2: 10_000 + 2 * 30_000}, "who paid goes on, by the minute"
    assert any(row.reason == "parked the call" for row in office.rows() if row.line == "bob")
    own = next(row for row in office.rows() if row.leg_reason == "retrieves the call from slot 1")
    assert (own.line, own.cost_micros, own.payer_account_id) == ("ben", 0, None)


def test_a_slot_of_ones_choice_and_the_one_that_waits_longest() -> None:
    office = parked(Office(), slot="42")
    assert notified(office.bob)[-1] == "SIP/2.0 200 Parked At 42"
    office.call(office.dora, "ben")
    assert office.refer(office.ben, "*68*42").status == 486, "that one is taken"
    assert office.refer(office.ben, "*68").status == 202
    office.run(1)
    assert office.status_of(office.boss, "*69") == 200
    assert office.conversations() == [["alice", "boss"], ["dora", "voicemail"]]
    assert office.status_of(office.bob, "*69*1") == 200
    assert office.conversations() == [["alice", "boss"], ["bob", "dora"]]


@pytest.mark.parametrize(
    ("who", "code"), [("dora", "*691"), ("ben", "*692"), ("ben", "*69*100"), ("ben", "*690")]
)
def test_nobody_takes_what_is_not_there_or_not_his(who: str, code: str) -> None:
    office = parked(Office())
    assert office.status_of(office.phones[who], code) in (480, 404)
    assert office.conversations() == [["alice", "voicemail"]]


def test_the_parked_end_may_hang_up() -> None:
    for has_voice in (True, False):
        office = parked(Office(with_media_server=has_voice))
        office.end(office.alice)
        assert len(office.house.exchange.board.parked) == 0
        office.assert_money_adds_up()


def test_the_music_may_end_and_the_call_stays_parked() -> None:
    office = parked(Office())
    assert office.voicemail is not None
    office.voicemail.hang_up()
    office.run(2)
    assert office.conversations() == [["alice"]]
    assert office.status_of(office.ben, "*691") == 200
    assert office.conversations() == [["alice", "ben"]]
    office.end(office.alice)


def test_a_media_server_that_does_not_answer_keeps_nobody_from_parking() -> None:
    office = Office()
    office.call(office.alice, "bob")
    assert office.voicemail is not None
    office.voicemail.go_away()
    assert office.refer(office.bob, "*68").status == 202
    office.run(6)
    assert notified(office.bob)[-1] == "SIP/2.0 200 Parked At 1"
    assert office.conversations() == [["alice"]]
    office.voicemail.come_back()
    assert office.status_of(office.ben, "*69") == 200
    office.end(office.ben)


def test_who_parks_may_hang_up_at_once() -> None:
    office = Office()
    office.call(office.alice, "bob")
    assert office.voicemail is not None
    office.voicemail.go_away()
    office.refer(office.bob, "*68")
    office.bob.hang_up()
    office.run(6)
    assert office.conversations() == [["alice"]]
    office.voicemail.come_back()
    assert office.status_of(office.ben, "*69") == 200
    office.end(office.ben)
    office.assert_money_adds_up()


@pytest.mark.parametrize("has_voice", [True, False])
def test_a_parked_call_returns_to_who_parked_it(has_voice: bool) -> None:
    office = parked(Office(with_media_server=has_voice))
    office.bob.answer_after_s = None
    office.run(181)
    rang = [invite for invite in office.bob.requests_of("INVITE") if invite.to_tag is None]
    assert len(rang) == 2 and "441632960001" in str(rang[-1].headers.get("from"))
    office.run(125)
    assert len(office.house.exchange.board.parked) == 1, "bob has not answered: she waits on"
    office.bob.answer_after_s = 0.5
    office.run(190)
    assert office.conversations() == [["alice", "bob"]]
    assert len(office.house.exchange.board.parked) == 0
    office.end(office.bob)
    assert set(office.assert_money_adds_up()) == {1}


def test_it_is_taken_while_it_returns() -> None:
    office = parked(Office())
    office.bob.answer_after_s = None
    office.run(185)
    assert office.status_of(office.ben, "*69") == 200
    assert office.bob.requests_of("CANCEL")
    assert office.conversations() == [["alice", "ben"]]
    office.end(office.alice)


def test_when_taking_fails_it_stays_parked() -> None:
    office = parked(Office())
    office.alice.reinvite_status = 488
    assert office.status_of(office.ben, "*69") == 488
    assert office.conversations() == [["alice", "voicemail"]] and len(office.house.exchange.board.parked) == 1
    office.alice.reinvite_status = 200
    assert office.status_of(office.boss, "*69") == 200
    office.end(office.alice)


def test_a_parked_end_transfers_nothing() -> None:
    office = parked(Office())
    assert office.refer(office.alice, "dora").status == 491
    office.end(office.alice)


def test_an_attended_transfer_to_the_code_parks_where_it_was_told() -> None:
    office = Office()
    office.call(office.alice, "bob")
    first = office.bob.dialogs[-1]
    second = office.call(office.bob, "*68")
    assert asked(office) == ["say;words=parked-at.count-1"]
    replaces = f"{second.call_id}%3Bto-tag%3D{second.remote_tag}%3Bfrom-tag%3D{second.local_tag}"
    assert office.refer(office.bob, f"<sip:park@{DOMAIN}?Replaces={replaces}>", first).status == 202
    office.run(2)
    assert office.conversations() == [["alice", "voicemail"]]
    assert office.status_of(office.ben, "*691") == 200
    office.end(office.ben)
    office.assert_money_adds_up()


def test_an_account_has_so_many_slots() -> None:
    office = Office()
    table = office.house.exchange.board.parked
    for slot in range(1, SLOTS_MAX + 1):
        table.hold(2, slot)
    office.call(office.alice, "bob")
    assert office.refer(office.bob, "*68").status == 486
    assert table.counts["full"] == 1
    assert office.conversations() == [["alice", "bob"]]


def test_a_crash_leaves_no_call_parked_and_charges_who_paid() -> None:
    office = parked(Office())
    office.run(50)
    reborn = office.house.killed_and_started_again()
    assert {row.payer_account_id: row.cost_micros for row in reborn.journal.cdrs() if row.cost_micros} == {
        1: 40_000
    }
    assert len([sent for _, sent in reborn.exchange.outgoing if sent.startswith(b"BYE")]) == 2
    assert len(reborn.exchange.board.parked) == 0


# Conference


def test_a_conference_is_dialled_and_others_are_sent_there() -> None:
    office = Office()
    office.call(office.alice, "bob")
    assert office.refer(office.bob, "*3").status == 202
    office.run(2)
    assert notified(office.bob)[-1] == "SIP/2.0 200 OK"
    office.call(office.bob, "*3")
    office.call(office.ben, "*3*7")
    assert asked(office) == ["conference.2-0", "conference.2-0", "conference.2-7"]
    office.run(60)
    for phone in (office.alice, office.bob, office.ben):
        phone.hang_up()
    office.run(2)
    office.assert_over()
    assert office.assert_money_adds_up() == {1: 10_000 + 2 * 30_000}, "her call to bob goes on"


@pytest.mark.parametrize("code", ["*3", "*21*07700900123", "*43", "*69"])
def test_without_the_media_server_and_to_other_codes_nobody_is_sent(code: str) -> None:
    office = Office(with_media_server=code != "*3")
    office.call(office.alice, "bob")
    assert office.refer(office.bob, code).status == 480
    assert office.conversations() == [["alice", "bob"]]
    office.end(office.alice)


# Keys


class Returns:
    """As 1471 does: 3 calls that number."""

    def __init__(self, dialled: str) -> None:
        self.dialled = dialled
        self.keys: list[str] = []

    def on_pressed(self, pressed: Pressed, now: float) -> None:
        self.keys.append(pressed.keys)
        if pressed.keys == "3":
            pressed.dial(self.dialled, now)
        else:
            pressed.refuse(now)


def spoken_to(dialled: str = "") -> tuple[Office, Returns]:
    office = Office()
    office.call(office.bob, "*#43")
    (call,) = office.house.exchange.board.calls.values()
    feature = Returns(dialled)
    assert isinstance(call, Call)
    call.on_pressed = feature
    return office, feature


@pytest.mark.parametrize(
    ("dialled", "where", "cost"), [("alice", "alice", 40_000), ("07700900123", "out", 0)]
)
def test_a_key_connects_the_caller_on_his_own_account(dialled: str, where: str, cost: int) -> None:
    office, feature = spoken_to(dialled)
    assert office.voicemail is not None
    assert office.refer(office.voicemail, "pressed.3").status == 202
    office.run(2)
    assert feature.keys == ["3"]
    assert office.conversations() == [sorted(("bob", where))]
    assert office.voicemail.requests_of("BYE")
    office.run(20)
    office.end(office.bob)
    costs = office.assert_money_adds_up()
    assert set(costs) == {2} and (costs[2] == cost or not cost)
    row = max(office.rows(), key=lambda row: row.leg)
    assert row.payer_account_id == 2 and row.leg_reason.startswith("chosen by line bob")


def test_what_cannot_be_called_leaves_the_voice_where_it_is() -> None:
    office, _ = spoken_to("07700900123")
    office.house.exchange.engine.debit_usage(2, BALANCE)
    assert office.voicemail is not None
    office.refer(office.voicemail, "pressed.3")
    office.run(2)
    assert notified(office.voicemail)[-1].split()[1] == "402"
    assert office.conversations() == [["bob", "voicemail"]]


@pytest.mark.parametrize(
    "target", ["pressed.4", "pressed", "alice", "07700900123", "pressed.9x", "pressed." + "1" * 33]
)
def test_a_voice_sends_nobody_anywhere_by_itself(target: str) -> None:
    office, _ = spoken_to("alice")
    assert office.voicemail is not None
    assert office.refer(office.voicemail, target).status == 403
    assert office.conversations() == [["bob", "voicemail"]]


def test_without_a_meaning_keys_do_nothing() -> None:
    office, _ = spoken_to("alice")
    (call,) = office.house.exchange.board.calls.values()
    call.on_pressed = None
    assert office.voicemail is not None
    assert office.refer(office.voicemail, "pressed.3").status == 403


def test_nobody_is_called_in_an_emergency_by_a_key() -> None:
    office, _ = spoken_to("999")
    assert office.voicemail is not None
    assert office.refer(office.voicemail, "pressed.3").status == 403


def test_the_last_caller_is_called_by_1471() -> None:
    office = Office()
    office.alice.invite("+441632960002")
    office.bob.answer = 486
    office.run(3)
    office.call(office.bob, "1471")
    assert "keys=3" in asked(office)[-1]
    assert office.voicemail is not None
    assert office.refer(office.voicemail, "pressed.3").status == 202
    office.run(2)
    assert office.conversations() == [["alice", "bob"]]
    office.end(office.alice)
    assert office.assert_money_adds_up() == {2: 40_000}
