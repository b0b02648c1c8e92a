"""Voicemail dies under its calls: they end, and cost what they had cost when it was last heard."""

import pytest

from tests.switch.calls.test_announcement import TARIFF
from tests.switch.house import House, make_account, make_conf, make_line
from tests.switch.voicemail_stand_in import UNREACHABLE, StandIn, to_voicemail, voicemail_conf


class Deposit:
    """alice leaves a message for bob, and has spoken for a minute and a half."""

    def __init__(self, *, balance: int = 1_000_000) -> None:
        self.house = House(
            conf=voicemail_conf(make_conf(tariff=TARIFF)),
            lines=[make_line("alice"), make_line("bob", 2, diverts=to_voicemail(UNREACHABLE))],
            accounts=[make_account(1), make_account(2)],
            numbers={"+441632960002": "bob"},
            balances={1: balance, 2: 0},
        )
        self.voicemail = StandIn(self.house)
        self.alice = self.house.phone("alice", "192.0.2.10")
        self.alice.register()

    def speak(self, seconds: float) -> None:
        self.alice.invite("01632960002")
        self.house.run(seconds)
        assert self.voicemail.asked == ["deposit.bob"]
        assert self.alice.statuses[-1] == 200


def test_another_life_of_it_ends_its_calls_and_they_are_charged_until_it_was_last_heard() -> None:
    deposit = Deposit()
    deposit.speak(100)
    deposit.voicemail.die()
    deposit.house.run(3)
    assert deposit.house.exchange.voicemail.restarts == 1
    assert deposit.alice.requests_of("BYE")
    caller = deposit.house.journal.cdrs()[0]
    assert (caller.outcome, caller.ended_by) == ("answered", "exchange")
    assert 97_000 <= caller.duration_ms <= 101_000
    assert caller.cost_micros == 70_000  # to connect, and two minutes
    assert [entry.amount_micros for entry in deposit.house.journal.usage()] == [-70_000]
    deposit.house.run(40)
    deposit.house.assert_clean()


def test_one_that_stays_dead_ends_them_too() -> None:
    deposit = Deposit()
    deposit.speak(100)
    deposit.voicemail.go_away()
    deposit.house.run(45)
    assert deposit.alice.requests_of("BYE")
    assert 97_000 <= deposit.house.journal.cdrs()[0].duration_ms <= 101_000
    deposit.house.run(40)
    deposit.house.assert_clean()


def test_one_that_was_only_slow_keeps_them() -> None:
    deposit = Deposit()
    deposit.speak(100)
    deposit.voicemail.go_away()
    deposit.house.run(10)
    assert not deposit.house.exchange.voicemail.is_there
    deposit.voicemail.come_back()
    deposit.house.run(60)
    assert deposit.house.exchange.board.calls
    deposit.alice.hang_up()
    deposit.house.run(2)
    assert deposit.house.journal.cdrs()[0].duration_ms > 165_000
    deposit.house.run(40)
    deposit.house.assert_clean()


@pytest.mark.parametrize("comes_back", [True, False])
def test_words_that_break_off_are_followed_by_the_code_at_once(comes_back: bool) -> None:
    deposit = Deposit(balance=0)
    deposit.voicemail.announces(402, after_s=1000)
    deposit.alice.invite("01632960002")
    deposit.house.run(2)
    assert deposit.alice.statuses[-1] == 183
    if comes_back:
        deposit.voicemail.die()
    else:
        deposit.voicemail.go_away()
    deposit.house.run(6)
    assert deposit.alice.statuses[-1] == 402
    assert [row.outcome for row in deposit.house.journal.cdrs()] == ["no_credit", "no_answer"]
    deposit.house.run(80)
    deposit.house.assert_clean()


def test_another_maker_s_server_may_name_itself_as_it_likes() -> None:
    deposit = Deposit()
    deposit.voicemail.life = "Other/1"
    deposit.speak(10)
    deposit.voicemail.life = "Other/2"
    deposit.house.run(10)
    assert deposit.house.exchange.voicemail.restarts == 0
    assert len(deposit.voicemail.requests_of("INVITE")) == 1
    deposit.alice.hang_up()
    deposit.house.run(40)
    deposit.house.assert_clean()


def test_other_calls_are_not_asked() -> None:
    deposit = Deposit()
    bob = deposit.house.phone("bob", "192.0.2.20")
    bob.register()
    deposit.alice.invite("01632960002")
    deposit.house.run(10)
    before = len(bob.requests), len(deposit.alice.requests)
    deposit.voicemail.die()
    deposit.house.run(10)
    assert (len(bob.requests), len(deposit.alice.requests)) == before
