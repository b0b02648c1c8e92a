"""A blind transfer that nobody takes: the call returns to who has transferred it and hung up."""


import msgspec
import pytest

from provisioning.model import LineChanged
from provisioning.settings import LineSettings
from tests.switch.calls.street import ALICE, BOB, WHERE, Street


@pytest.mark.parametrize("who", ["caller", "callee"])
@pytest.mark.parametrize("target", ["busy", "number"])
def test_when_who_has_transferred_is_gone_and_nobody_answers_the_call_returns_to_him(who: str, target: str) -> None:
    street = Street()
    street.carol.answer, street.carol.answer_after_s = 486, 3
    street.mobile.answer, street.mobile.answer_after_s = 404, 3
    street.answer(street.alice, "bob")
    leaving, staying = (street.alice, street.bob) if who == "caller" else (street.bob, street.alice)
    before = len([invite for invite in leaving.requests_of("INVITE") if invite.to_tag is None])
    street.refer(leaving, WHERE["line" if target == "busy" else "trunk"])
    leaving.hang_up()
    street.talk(2)
    assert street.conversations() == [{staying.user}]
    street.talk(4)
    rung = [invite for invite in leaving.requests_of("INVITE") if invite.to_tag is None]
    assert len(rung) == before + 1
    number = ALICE if staying is street.alice else BOB
    assert number in str(rung[-1].headers.get("from")), "who is brought back"
    assert street.conversations() == [{"alice", "bob"}]
    assert street.house.exchange.counts.transfers["recalled"] == 1
    street.talk(20)
    street.end(staying)
    assert street.assert_money_adds_up() == {1: 40_000}, "a call that returns costs nothing"
    assert any("returns to line" in row.leg_reason for row in street.rows())


@pytest.mark.parametrize("why", ["rings in vain", "is not to be disturbed", "is gone"])
def test_a_call_that_nobody_has_back_is_over(why: str) -> None:
    street = Street()
    street.carol.answer, street.carol.answer_after_s = 486, 3
    street.answer(street.alice, "bob")
    street.refer(street.bob, WHERE["line"])
    street.bob.hang_up()
    street.bob.answer_after_s = None
    if why == "is gone":
        street.bob.register(expires=0)
    elif why == "is not to be disturbed":
        line = street.house.exchange.books.lines["bob"]
        line = msgspec.structs.replace(line, settings=LineSettings(does_not_disturb=True))
        street.house.exchange.apply_changes([LineChanged(line)], street.house.clock.now)
    street.talk(6)
    assert bool(street.alice.requests_of("BYE")) is (why != "rings in vain")
    street.talk(130)
    assert street.alice.requests_of("BYE")
    street.house.assert_clean()
    street.assert_money_adds_up()


def test_who_was_transferred_may_hang_up_while_the_call_returns() -> None:
    street = Street()
    street.carol.answer, street.carol.answer_after_s = 486, 3
    street.answer(street.alice, "bob")
    street.refer(street.bob, WHERE["line"])
    street.bob.hang_up()
    street.bob.answer_after_s = None
    street.talk(6)
    street.alice.hang_up()
    street.talk(2)
    assert street.bob.requests_of("CANCEL")
    street.house.assert_clean()
    street.assert_money_adds_up()
