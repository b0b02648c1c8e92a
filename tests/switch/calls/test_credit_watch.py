"""When a call's credit is looked at again, and when it is over."""

from rating.account import AccountTerms
from rating.engine import Engine, Reservation
from rating.money import VatMode
from rating.rate import Rate
from switch.calls.credit_watch import CreditWatch
from switch.sip.timers import TimerQueue

RATE = Rate(
    prefix="+44", destination="UK", connect_fee_micros=0, per_minute_micros=60_000, initial_s=1, next_s=1,
    valid_from_ms=0, valid_until_ms=None, vat=VatMode.INC_VAT,
)  # fmt: skip
PER_SECOND = 1000


class Watched:
    """One call on an account with so much money; time moves by hand."""

    def __init__(self, balance: int, *, ahead_s: int = 60, before_s: int = 20, warning_s: int = 10) -> None:
        self.engine = Engine()
        self.engine.set_account(AccountTerms(id=1, vat=VatMode.INC_VAT, floor_micros=0, is_suspended=False))
        self.engine.load_balance(1, balance, 0)
        self.timers = TimerQueue()
        self.renewed: list[float] = []
        self.exhausted: list[float] = []
        self.low: list[float] = []
        reservation = self.engine.reserve("call", 1, RATE, initial_ahead_s=ahead_s)
        assert isinstance(reservation, Reservation)
        self.watch = CreditWatch(
            call_id="call", granted_s=reservation.granted_s, engine=self.engine, timers=self.timers,
            ahead_s=ahead_s, before_s=before_s, warning_s=warning_s, on_renewed=self.renewed.append,
            on_exhausted=self.exhausted.append, on_low=self.low.append,
        )  # fmt: skip
        self.watch.start(0.0)

    def run_to(self, end: float) -> None:
        while (at := self.timers.next_deadline()) is not None and at <= end:
            self.timers.run(at)


def test_with_money_it_is_renewed_ahead_for_ever() -> None:
    call = Watched(1_000 * PER_SECOND)
    call.run_to(300.0)
    assert call.renewed[0] == 40.0
    assert call.exhausted == []
    assert call.watch.granted_s >= 300


def test_the_end_is_the_last_paid_second() -> None:
    call = Watched(95 * PER_SECOND)
    call.run_to(300.0)
    assert call.exhausted == [95.0]
    assert call.watch.granted_s == 95


def test_a_top_up_in_the_last_second_keeps_it() -> None:
    call = Watched(30 * PER_SECOND)
    call.run_to(29.9)
    call.engine.apply_credit(1, 1, 500 * PER_SECOND)
    call.run_to(200.0)
    assert call.exhausted == []


def test_money_that_another_call_gives_back_keeps_it() -> None:
    call = Watched(90 * PER_SECOND)
    other = call.engine.reserve("other", 1, RATE, initial_ahead_s=30)
    assert isinstance(other, Reservation)
    call.run_to(59.0)
    call.engine.release("other")
    call.run_to(80.0)
    assert call.exhausted == []
    call.run_to(100.0)
    assert call.exhausted == [90.0]


def test_a_stopped_watch_is_silent() -> None:
    call = Watched(10 * PER_SECOND)
    call.watch.stop()
    call.run_to(100.0)
    assert call.exhausted == call.renewed == []


def test_a_warning_comes_once_ten_seconds_before_the_end() -> None:
    call = Watched(95 * PER_SECOND)
    call.run_to(300.0)
    assert call.low == [85.0]
    assert call.exhausted == [95.0]


def test_a_top_up_before_the_warning_spares_it() -> None:
    call = Watched(30 * PER_SECOND)
    call.run_to(15.0)
    call.engine.apply_credit(1, 1, 500 * PER_SECOND)
    call.run_to(200.0)
    assert call.low == []


def test_a_call_that_is_paid_for_less_than_the_warning_is_warned_at_once() -> None:
    call = Watched(5 * PER_SECOND)
    call.run_to(300.0)
    assert call.low[0] == 0.0
    assert call.exhausted == [5.0]


def test_the_warning_comes_as_long_before_the_end_as_is_set() -> None:
    call = Watched(95 * PER_SECOND, warning_s=15)
    call.run_to(300.0)
    assert call.low == [80.0]
    assert call.exhausted == [95.0]


def test_no_warning_where_none_is_wanted() -> None:
    call = Watched(95 * PER_SECOND, warning_s=0)
    call.run_to(300.0)
    assert call.low == []
    assert call.exhausted == [95.0]
