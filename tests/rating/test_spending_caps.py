"""Spending caps: whatever calls, midnights, restarts and changes of caps do, no more than a cap is ever charged."""

import datetime

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rating.charge import CALL_S_MAX
from rating.engine import AccountTerms, Engine, Reservation, Shortage, ShortageReason
from rating.london_day import day_start_ms, london_day, month_of
from rating.money import VatMode
from rating.rate import Rate
from rating.spend import DAY_MS, Period
from tests.rating.rates import make_rate

HOUR_MS = 3_600_000
NOON_MS = day_start_ms(datetime.date(2026, 10, 30).toordinal()) + 12 * HOUR_MS
PENCE_A_SECOND = make_rate(per_minute=600_000, initial_s=1, next_s=1)  # 10,000 micros a second


def terms(daily: int | None = None, monthly: int | None = None) -> AccountTerms:
    return AccountTerms(
        id=1,
        vat=VatMode.INC_VAT,
        floor_micros=0,
        is_suspended=False,
        daily_cap_micros=daily,
        monthly_cap_micros=monthly,
    )


def make_engine(daily: int | None = None, monthly: int | None = None, balance: int = 10**9) -> Engine:
    engine = Engine()
    engine.set_account(terms(daily, monthly))
    engine.load_balance(1, balance, 0)
    engine.period.take(NOON_MS)
    return engine


def granted_s(engine: Engine, call_id: str, ahead_s: int = 60) -> int:
    result = engine.reserve(call_id, 1, PENCE_A_SECOND, initial_ahead_s=ahead_s)
    assert isinstance(result, Reservation)
    return result.granted_s


def test_a_cap_bounds_reservations_and_says_so() -> None:
    engine = make_engine(daily=300_000)
    assert granted_s(engine, "a", 20) == 20
    assert engine.extend("a", until_s=60) == 30
    assert engine.limit_of("a") is ShortageReason.DAILY_CAP
    refused = engine.reserve("b", 1, PENCE_A_SECOND, initial_ahead_s=60)
    assert refused == Shortage(ShortageReason.DAILY_CAP, needed_micros=10_000, available_micros=0)
    assert engine.settle("a", 12_000).charge.total_micros == 120_000
    assert granted_s(engine, "c") == 18


def test_credit_comes_before_caps_as_the_reason() -> None:
    engine = make_engine(daily=300_000, monthly=200_000, balance=100_000)
    assert granted_s(engine, "a") == 10
    assert engine.limit_of("a") is ShortageReason.INSUFFICIENT_CREDIT
    engine.apply_credit(1, 1, 10_000_000)
    assert engine.extend("a", until_s=100) == 20
    assert engine.limit_of("a") is ShortageReason.MONTHLY_CAP


def test_the_longest_call_of_an_account_without_caps_is_not_ended_by_one() -> None:
    engine = make_engine(balance=10**13)
    assert granted_s(engine, "a", CALL_S_MAX + 60) == CALL_S_MAX
    assert engine.limit_of("a") is ShortageReason.INSUFFICIENT_CREDIT


def test_at_midnight_the_counter_starts_anew_and_what_is_reserved_stays_in_it() -> None:
    engine = make_engine(daily=300_000)
    granted_s(engine, "early", 10)
    engine.settle("early", 10_000)
    granted_s(engine, "late", 20)
    assert engine.extend("late", until_s=60) == 20
    engine.period.take(NOON_MS + 12 * HOUR_MS)
    totals = engine.totals(1)
    assert totals is not None
    assert (totals.day_micros, totals.month_micros, totals.reserved_micros) == (0, 100_000, 200_000)
    assert engine.extend("late", until_s=60) == 30
    # The whole of it counts to the day that it is settled in.
    engine.settle("late", 30_000)
    assert engine.totals(1).day_micros == 300_000
    assert isinstance(engine.reserve("next", 1, PENCE_A_SECOND, initial_ahead_s=1), Shortage)


def test_a_month_ends_at_midnight_of_its_last_day() -> None:
    engine = make_engine(monthly=100_000)
    granted_s(engine, "a", 10)
    engine.settle("a", 10_000)
    engine.period.take(NOON_MS + DAY_MS)
    assert isinstance(engine.reserve("b", 1, PENCE_A_SECOND, initial_ahead_s=1), Shortage)
    engine.period.take(NOON_MS + 2 * DAY_MS)
    assert granted_s(engine, "b", 60) == 10


def test_a_changed_cap_works_at_once() -> None:
    engine = make_engine(daily=300_000)
    assert granted_s(engine, "a", 20) == 20
    engine.set_account(terms(daily=100_000))
    assert engine.extend("a", until_s=60) == 20  # what was promised is kept
    assert engine.limit_of("a") is ShortageReason.DAILY_CAP
    engine.set_account(terms(daily=500_000))
    assert engine.extend("a", until_s=60) == 50
    engine.set_account(terms())
    assert engine.extend("a", until_s=90) == 90


def test_a_clock_set_back_a_little_gives_no_second_day_and_one_set_back_far_is_believed() -> None:
    period = Period()
    midnight_ms = day_start_ms(london_day(NOON_MS) + 1)
    period.take(midnight_ms)
    today = period.day
    period.take(midnight_ms - 1)
    assert period.day == today
    assert period.stamp_ms(midnight_ms - 1) == midnight_ms
    period.take(NOON_MS - 30 * DAY_MS)
    assert period.day == today - 31
    assert period.stamp_ms(midnight_ms) == period.ends_at_ms - 1


def test_near_a_cap_somebody_is_told_once() -> None:
    engine = make_engine(daily=100_000, monthly=1_000_000)
    granted_s(engine, "a", 7)
    assert engine.cap_warnings == []
    engine.extend("a", until_s=8)
    engine.extend("a", until_s=9)
    (warning,) = engine.cap_warnings
    assert (warning.reason, warning.used_micros, warning.cap_micros) == (
        ShortageReason.DAILY_CAP,
        80_000,
        100_000,
    )
    engine.settle("a", 9_000)
    engine.period.take(NOON_MS + 12 * HOUR_MS)
    granted_s(engine, "b", 10)
    assert [each.reason for each in engine.cap_warnings] == [ShortageReason.DAILY_CAP] * 2


rates = st.builds(
    lambda connect_fee, per_minute, interval_s: make_rate(
        connect_fee=connect_fee, per_minute=per_minute, initial_s=interval_s, next_s=interval_s
    ),
    st.sampled_from([0, 7, 1_000]),
    st.sampled_from([1, 59, 61, 1_200, 100_000]),
    st.sampled_from([1, 6, 60]),
)
caps = st.sampled_from([None, 0, 1, 999, 20_000, 100_000, 400_000])


class Caps(RuleBasedStateMachine):
    """The engine beside a ledger on paper: rows (time, amount), from which each restart starts."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = NOON_MS
        self.ledger: list[tuple[int, int]] = []
        self.daily: int | None = None
        self.monthly: int | None = None
        # The highest cap that held in each day and month: None as soon as there was a moment without.
        self.highest_of_day: dict[int, int | None] = {}
        self.highest_of_month: dict[int, int | None] = {}
        self.live: dict[str, tuple[Rate, int]] = {}
        self.calls = 0
        self._start()

    def _start(self) -> None:
        """A new process, from the snapshot of some batches and the journal's usage above it."""
        self.engine = Engine()
        self.engine.set_account(terms(self.daily, self.monthly))
        self.engine.load_balance(1, 5_000_000 - sum(amount for _, amount in self.ledger), 0)
        today, this_month = london_day(self.now_ms), month_of(london_day(self.now_ms))
        shipped = len(self.ledger) // 2
        by_day: dict[int, int] = {}
        for at_ms, amount in self.ledger[:shipped]:
            by_day[london_day(at_ms)] = by_day.get(london_day(at_ms), 0) + amount
        self.engine.load_day_spend(1, today, by_day.get(today, 0))
        self.engine.load_month_spend(
            1, this_month, sum(amount for day, amount in by_day.items() if month_of(day) == this_month)
        )
        for at_ms, amount in self.ledger[shipped:]:
            self.engine.load_day_spend(1, london_day(at_ms), amount)
            self.engine.load_month_spend(1, month_of(london_day(at_ms)), amount)
        self.engine.period.take(self.now_ms)
        self._note_caps()

    def _note_caps(self) -> None:
        period = self.engine.period
        for highest, key, cap in (
            (self.highest_of_day, period.day, self.daily),
            (self.highest_of_month, period.month, self.monthly),
        ):
            before = highest.get(key, 0)
            highest[key] = None if cap is None or before is None else max(before, cap)

    def _charge(self, amount: int) -> None:
        if amount:
            self.ledger.append((self.engine.period.stamp_ms(self.now_ms), amount))

    @rule(daily=caps, monthly=caps)
    def change_caps(self, daily: int | None, monthly: int | None) -> None:
        self.daily, self.monthly = daily, monthly
        self.engine.set_account(terms(daily, monthly))
        self._note_caps()

    @rule(
        step_ms=st.sampled_from([1, 999, 60_000, HOUR_MS, 11 * HOUR_MS, DAY_MS, -500, -HOUR_MS]),
        seen=st.booleans(),
    )
    def time_passes(self, step_ms: int, seen: bool) -> None:
        """`seen` False: the second beat has not come yet."""
        self.now_ms += step_ms
        if seen:
            before = self.engine.period.day
            self.engine.period.take(self.now_ms)
            if self.engine.period.day != before and self.live:
                # What was reserved under yesterday's caps may be settled under today's.
                reserved = self.engine.totals(1).reserved_micros
                self._note_caps()
                for highest, key in (
                    (self.highest_of_day, self.engine.period.day),
                    (self.highest_of_month, self.engine.period.month),
                ):
                    if highest[key] is not None:
                        highest[key] = max(highest[key], reserved)
            self._note_caps()

    @rule(rate=rates, ahead_s=st.integers(1, 300))
    def reserve(self, rate: Rate, ahead_s: int) -> None:
        self.calls += 1
        result = self.engine.reserve(f"call {self.calls}", 1, rate, initial_ahead_s=ahead_s)
        if isinstance(result, Reservation):
            self.live[result.call_id] = (rate, result.granted_s)
            self._within_caps_now()

    @precondition(lambda self: self.live)
    @rule(data=st.data(), until_s=st.integers(0, 1_000))
    def extend(self, data: st.DataObject, until_s: int) -> None:
        call_id = data.draw(st.sampled_from(sorted(self.live)))
        rate, before_s = self.live[call_id]
        granted = self.engine.extend(call_id, until_s=until_s)
        assert granted >= before_s
        if granted > before_s:
            self._within_caps_now()
        self.live[call_id] = (rate, granted)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), duration_ms=st.integers(0, 1_100_000))
    def settle(self, data: st.DataObject, duration_ms: int) -> None:
        call_id = data.draw(st.sampled_from(sorted(self.live)))
        del self.live[call_id]
        self._charge(self.engine.settle(call_id, duration_ms).charge.total_micros)

    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        """A crash: live calls are charged for some part of what they had, at the time of the last heartbeat."""
        for call_id in sorted(self.live):
            duration_ms = data.draw(st.integers(0, 400_000))
            self._charge(self.engine.settle(call_id, duration_ms).charge.total_micros)
        self.live.clear()
        if self.engine.period.day <= london_day(self.now_ms):
            self._start()

    def _within_caps_now(self) -> None:
        totals = self.engine.totals(1)
        if self.daily is not None:
            assert totals.day_micros + totals.reserved_micros <= self.daily
        if self.monthly is not None:
            assert totals.month_micros + totals.reserved_micros <= self.monthly

    @invariant()
    def the_counters_are_what_the_ledger_says(self) -> None:
        totals, period = self.engine.totals(1), self.engine.period
        assert totals.day_micros == sum(a for at, a in self.ledger if london_day(at) == period.day)
        assert totals.month_micros == sum(
            a for at, a in self.ledger if month_of(london_day(at)) == period.month
        )

    @invariant()
    def no_day_and_no_month_was_charged_more_than_its_cap(self) -> None:
        for highest, key_of in ((self.highest_of_day, lambda day: day), (self.highest_of_month, month_of)):
            for key, cap in highest.items():
                charged = sum(amount for at, amount in self.ledger if key_of(london_day(at)) == key)
                assert cap is None or charged <= cap

    @invariant()
    def no_money_appears_or_disappears(self) -> None:
        totals = self.engine.totals(1)
        charged = sum(amount for _, amount in self.ledger)
        assert totals.balance_micros == 5_000_000 - charged
        assert totals.reserved_micros + totals.available_micros == totals.balance_micros
        assert self.engine.reservations_count == len(self.live)


Caps.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestCapsHold = Caps.TestCase
