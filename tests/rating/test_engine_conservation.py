"""Whatever calls do at once, no penny appears or disappears, and no account falls below its floor."""

import random

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rating.charge import charge
from rating.engine import AccountTerms, Engine, Reservation, Shortage
from rating.money import VatMode
from rating.rate import Rate
from tests.rating.rates import make_rate, priced_rate

ACCOUNTS = (1, 2, 3)

accounts = st.sampled_from(ACCOUNTS)
small_rates = st.builds(
    lambda connect_fee, per_minute, initial_s, next_s: make_rate(
        connect_fee=connect_fee, per_minute=per_minute, initial_s=initial_s, next_s=next_s
    ),
    st.sampled_from([0, 0, 1, 7, 1_000]),
    st.sampled_from([1, 20, 59, 60, 61, 1_200, 100_000]),
    st.sampled_from([1, 6, 60]),
    st.sampled_from([1, 6, 60]),
)


class Money(RuleBasedStateMachine):
    """The engine beside a ledger on paper: what was put in, what calls cost and what they may still cost."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(reservations_per_account_max=5)
        self.put_in = dict.fromkeys(ACCOUNTS, 0)
        self.spent = dict.fromkeys(ACCOUNTS, 0)
        self.floor = dict.fromkeys(ACCOUNTS, 0)
        self.lowest_floor = dict.fromkeys(ACCOUNTS, 0)
        self.seq = dict.fromkeys(ACCOUNTS, 0)
        self.live: dict[str, tuple[int, Rate, int]] = {}
        self.calls = 0
        for account_id in ACCOUNTS:
            self._set(account_id, suspended=False)

    def _set(self, account_id: int, *, suspended: bool) -> None:
        self.engine.set_account(
            AccountTerms(
                id=account_id,
                vat=VatMode.INC_VAT,
                floor_micros=self.floor[account_id],
                is_suspended=suspended,
            )
        )

    @rule(account_id=accounts, amount=st.integers(0, 3_000_000))
    def credit(self, account_id: int, amount: int) -> None:
        self.seq[account_id] += 1
        assert self.engine.apply_credit(account_id, self.seq[account_id], amount)
        self.put_in[account_id] += amount

    @rule(account_id=accounts, back=st.integers(0, 3))
    def replay_a_credit(self, account_id: int, back: int) -> None:
        assert not self.engine.apply_credit(account_id, self.seq[account_id] - back, 1_000_000)

    @rule(account_id=accounts, ahead=st.integers(2, 9))
    def miss_a_credit(self, account_id: int, ahead: int) -> None:
        assert not self.engine.apply_credit(account_id, self.seq[account_id] + ahead, 1_000_000)

    @rule(account_id=accounts, floor=st.sampled_from([0, -50_000, -1_000_000]), suspended=st.booleans())
    def change_terms(self, account_id: int, floor: int, suspended: bool) -> None:
        self.floor[account_id] = floor
        self.lowest_floor[account_id] = min(self.lowest_floor[account_id], floor)
        self._set(account_id, suspended=suspended)

    @rule(account_id=accounts, rate=small_rates, ahead_s=st.integers(0, 300))
    def reserve(self, account_id: int, rate: Rate, ahead_s: int) -> None:
        self.calls += 1
        call_id = f"call {self.calls}"
        before = self.engine.available(account_id)
        result = self.engine.reserve(call_id, account_id, rate, initial_ahead_s=ahead_s)
        if isinstance(result, Shortage):
            assert self.engine.available(account_id) == before
            return
        assert result.granted_s >= rate.initial_s
        assert self.engine.available(account_id) >= 0
        assert self.engine.available(account_id) == before - result.reserved_micros
        self.live[call_id] = (account_id, rate, result.granted_s)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), until_s=st.integers(0, 1_000))
    def extend(self, data: st.DataObject, until_s: int) -> None:
        call_id = data.draw(st.sampled_from(sorted(self.live)))
        account_id, rate, granted_before_s = self.live[call_id]
        before = self.engine.available(account_id)
        granted_s = self.engine.extend(call_id, until_s=until_s)
        assert granted_s >= granted_before_s
        assert self.engine.available(account_id) <= before
        if granted_s > granted_before_s:
            assert self.engine.available(account_id) >= 0
        self.live[call_id] = (account_id, rate, granted_s)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), duration_ms=st.integers(0, 1_100_000))
    def settle(self, data: st.DataObject, duration_ms: int) -> None:
        call_id = data.draw(st.sampled_from(sorted(self.live)))
        account_id, rate, granted_s = self.live.pop(call_id)
        settlement = self.engine.settle(call_id, duration_ms)
        # What was reserved step by step is to the micro what the paid seconds cost.
        assert settlement.charge == charge(rate, min(duration_ms, granted_s * 1000))
        assert (
            settlement.charge.total_micros + settlement.released_micros
            == charge(rate, granted_s * 1000).total_micros
        )
        self.spent[account_id] += settlement.charge.total_micros

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        call_id = data.draw(st.sampled_from(sorted(self.live)))
        self.live.pop(call_id)
        assert self.engine.release(call_id) >= 0
        assert self.engine.release(call_id) == 0

    @invariant()
    def reserved_available_and_spent_are_constant_between_credits(self) -> None:
        for account_id in ACCOUNTS:
            totals = self.engine.totals(account_id)
            assert totals is not None
            assert totals.spent_micros == self.spent[account_id]
            assert (
                totals.reserved_micros + totals.available_micros + totals.spent_micros
                == self.put_in[account_id] - self.floor[account_id]
            )
            assert totals.balance_micros == self.put_in[account_id] - self.spent[account_id]

    @invariant()
    def no_balance_is_below_the_lowest_floor_it_ever_had(self) -> None:
        for account_id in ACCOUNTS:
            totals = self.engine.totals(account_id)
            assert totals is not None
            assert totals.balance_micros - totals.reserved_micros >= self.lowest_floor[account_id]

    @invariant()
    def what_is_reserved_is_what_the_live_calls_may_still_cost(self) -> None:
        assert self.engine.reservations_count == len(self.live)
        for account_id in ACCOUNTS:
            totals = self.engine.totals(account_id)
            assert totals is not None
            paid = [(rate, granted_s) for owner, rate, granted_s in self.live.values() if owner == account_id]
            assert totals.reservations_count == len(paid) <= 5
            assert totals.reserved_micros == sum(
                charge(rate, granted_s * 1000).total_micros for rate, granted_s in paid
            )

    def teardown(self) -> None:
        for call_id in list(self.live):
            self.live.pop(call_id)
            self.engine.release(call_id)
        for account_id in ACCOUNTS:
            totals = self.engine.totals(account_id)
            assert totals is not None
            assert totals.reserved_micros == 0


Money.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestMoneyIsConserved = Money.TestCase


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    balance=st.integers(0, 20_000_000),
    floor=st.sampled_from([0, -1_000_000]),
    rate=priced_rate,
)
def test_five_hundred_parallel_calls_never_take_an_account_below_its_floor(
    seed: int, balance: int, floor: int, rate: Rate
) -> None:
    """All calls reserve, renew and end in any order, as long as any of them can pay."""
    chance = random.Random(seed)
    engine = Engine()
    engine.set_account(AccountTerms(id=1, vat=VatMode.INC_VAT, floor_micros=floor, is_suspended=False))
    engine.load_balance(1, balance, 0)
    granted: dict[str, int] = {}
    for number in range(500):
        result = engine.reserve(f"call {number}", 1, rate, initial_ahead_s=chance.randrange(1, 120))
        if isinstance(result, Reservation):
            granted[result.call_id] = result.granted_s
        assert engine.available(1) >= 0
    for _ in range(2_000):
        if not granted:
            break
        call_id = chance.choice(list(granted))
        if chance.random() < 0.7:
            granted[call_id] = engine.extend(call_id, until_s=granted[call_id] + chance.randrange(120))
        else:
            paid_ms = granted.pop(call_id) * 1000
            # Some calls end late, past the last paid second: even they do not overdraw the account.
            settlement = engine.settle(call_id, chance.randrange(paid_ms + 1) + (chance.random() < 0.1) * 900)
            assert settlement.balance_after_micros >= floor
        assert engine.available(1) >= 0
    for call_id, granted_s in granted.items():
        assert engine.settle(call_id, granted_s * 1000 + 500).balance_after_micros >= floor
    totals = engine.totals(1)
    assert totals is not None
    assert totals.reserved_micros == 0
    assert totals.balance_micros == balance - totals.spent_micros >= floor


def test_five_hundred_calls_on_the_price_of_one_leave_exactly_nothing() -> None:
    engine = Engine()
    engine.set_account(AccountTerms(id=1, vat=VatMode.INC_VAT, floor_micros=0, is_suspended=False))
    engine.load_balance(1, 12_000, 0)
    rate = make_rate(per_minute=12_000, initial_s=60, next_s=60)
    results = [engine.reserve(f"call {number}", 1, rate, initial_ahead_s=60) for number in range(500)]
    assert sum(isinstance(result, Reservation) for result in results) == 1
    assert engine.settle("call 0", 60_000).balance_after_micros == 0
