"""The assertions that stay on: money that would not add up stops before it moves."""

from collections.abc import Callable

import pytest

from rating.account import AccountTerms, LiveAccount
from rating.money import VatMode
from rating.spend import Period


def account_with(balance: int) -> LiveAccount:
    account = LiveAccount(AccountTerms(id=1, vat=VatMode.INC_VAT, floor_micros=0, is_suspended=False), Period())
    account.load(balance, credit_seq=0)
    return account


@pytest.mark.parametrize(
    "movement",
    [
        lambda account: account.extend(71),
        lambda account: account.extend(-1),
        lambda account: account.settle(30, spent_micros=31),
        lambda account: account.settle(31, spent_micros=0),
        lambda account: account.settle(30, spent_micros=-1),
        lambda account: account.debit(-1),
    ],
    ids=[
        "reserve beyond the floor",
        "reserve less than nothing",
        "spend more than was reserved",
        "release more than was reserved",
        "spend less than nothing",
        "take back what was spent",
    ],
)
def test_a_movement_that_would_not_add_up_is_a_bug_and_moves_nothing(
    movement: Callable[[LiveAccount], None],
) -> None:
    account = account_with(100)
    account.reserve(30)
    before = account.totals()
    with pytest.raises(AssertionError):
        movement(account)
    assert account.totals() == before


def test_there_is_nothing_to_settle_without_a_reservation() -> None:
    with pytest.raises(AssertionError):
        account_with(100).settle(0, spent_micros=0)


def test_an_account_adds_up_after_each_movement() -> None:
    account = account_with(100)
    account.reserve(30)
    account.extend(20)
    account.credit(5, credit_seq=1)
    account.settle(50, spent_micros=45)
    totals = account.totals()
    assert (totals.balance_micros, totals.reserved_micros, totals.available_micros, totals.spent_micros) == (
        60,
        0,
        60,
        45,
    )
    assert (totals.credit_seq, totals.reservations_count) == (1, 0)
