"""An account while calls run on it: what is available, what is reserved, what was spent.

available = balance - reserved - floor: what new reservations may still take. A reservation counts as spent
for every other call, so parallel calls cannot overspend. Between two credits reserved + available + spent
never changes. All movements of money in the engine are the methods here, and each asserts what must hold
before it moves anything. A spending cap (spend.py) bounds reservations as the floor does, and moves no money.
"""

import msgspec

from rating.bundle import AccountBundles
from rating.money import Micros, VatMode
from rating.spend import Period, Spend


class AccountTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What the books say about an account. Its balance may fall to `floor_micros`, which is 0 for prepaid.

    The caps are what calls may cost in a calendar day or month of Europe/London; None is no cap.
    """

    id: int
    vat: VatMode
    floor_micros: Micros
    is_suspended: bool
    daily_cap_micros: Micros | None = None
    monthly_cap_micros: Micros | None = None


class AccountTotals(msgspec.Struct, frozen=True, kw_only=True):
    """An account's money at one moment. `spent_micros` counts from the loaded balance on, `day_micros` and
    `month_micros` from the beginning of the calendar day and month; what is reserved is not in them."""

    balance_micros: Micros
    reserved_micros: Micros
    available_micros: Micros
    spent_micros: Micros
    credit_seq: int
    reservations_count: int
    day_micros: Micros
    month_micros: Micros


class LiveAccount:
    """The money of one account. `balance_micros` falls only when a call is settled."""

    __slots__ = (
        "_credited_micros",
        "balance_micros",
        "bundles",
        "credit_seq",
        "is_capped",
        "period",
        "reservations_count",
        "reserved_micros",
        "spend",
        "spent_micros",
        "terms",
    )

    def __init__(self, terms: AccountTerms, period: Period) -> None:
        self.period = period
        self.take(terms)
        self.spend = Spend()
        self.balance_micros: Micros = 0
        self.reserved_micros: Micros = 0
        self.spent_micros: Micros = 0
        self.credit_seq = 0
        self.reservations_count = 0
        self._credited_micros: Micros = 0
        self.bundles: AccountBundles | None = None  # nearly all have none

    def copy(self) -> "LiveAccount":
        """The same money again, to try something with."""
        other = LiveAccount(self.terms, self.period)
        other.spend = self.spend.copy()
        other.balance_micros, other._credited_micros = self.balance_micros, self._credited_micros
        other.reserved_micros, other.reservations_count = self.reserved_micros, self.reservations_count
        other.spent_micros, other.credit_seq = self.spent_micros, self.credit_seq
        if self.bundles is not None:
            other.bundles = self.bundles.copy()
        return other

    def take(self, terms: AccountTerms) -> None:
        """The books have changed it."""
        self.terms = terms
        self.is_capped = terms.daily_cap_micros is not None or terms.monthly_cap_micros is not None

    @property
    def available_micros(self) -> Micros:
        """What new reservations may take; negative after the floor was raised above what is in use."""
        return self.balance_micros - self.reserved_micros - self.terms.floor_micros

    @property
    def reservable_micros(self) -> Micros:
        """What new reservations may take within the caps, too; negative after one was lowered below what is in use."""
        if not self.is_capped:  # nearly all: for them it is what is available
            return self.balance_micros - self.reserved_micros - self.terms.floor_micros
        return min([self.available_micros, *self.left_of_caps()])

    def left_of_caps(self) -> list[Micros]:
        """What the daily and the monthly cap leave, of those that there are. What is reserved counts to both."""
        left = []
        if self.terms.daily_cap_micros is not None:
            left.append(self.terms.daily_cap_micros - self.spend.of_day(self.period) - self.reserved_micros)
        if self.terms.monthly_cap_micros is not None:
            left.append(self.terms.monthly_cap_micros - self.spend.of_month(self.period) - self.reserved_micros)
        return left

    @property
    def is_untouched(self) -> bool:
        """Nothing has moved yet, so that a balance may still be loaded."""
        return not (self.credit_seq or self._credited_micros or self.spent_micros or self.reservations_count)

    def load(self, balance_micros: Micros, *, credit_seq: int) -> None:
        self.balance_micros = self._credited_micros = balance_micros
        self.credit_seq = credit_seq

    def credit(self, amount_micros: Micros, *, credit_seq: int) -> None:
        """A top-up, or a negative adjustment: people may take a balance below its floor, calls may not."""
        self.balance_micros += amount_micros
        self._credited_micros += amount_micros
        self.credit_seq = credit_seq
        self._check()

    def reserve(self, amount_micros: Micros) -> None:
        """Hold money for one more call."""
        self.reservations_count += 1
        self.extend(amount_micros)

    def extend(self, amount_micros: Micros) -> None:
        """Hold more money for a call that has a reservation."""
        assert amount_micros == 0 or 0 < amount_micros <= self.reservable_micros, (
            "a reservation beyond the floor or a cap"
        )
        self.reserved_micros += amount_micros

    def adjust(self, reserved_micros: Micros, wanted_micros: Micros) -> None:
        """Hold another amount for a call, because its price has turned out to be another."""
        if wanted_micros > reserved_micros:
            self.extend(wanted_micros - reserved_micros)
        else:
            self.reserved_micros -= reserved_micros - wanted_micros

    def settle(self, reserved_micros: Micros, *, spent_micros: Micros) -> None:
        """End one call's reservation: `spent_micros` leaves the balance, the rest is available again."""
        assert 0 <= spent_micros <= reserved_micros <= self.reserved_micros, (
            "a settlement beyond its reservation"
        )
        assert self.reservations_count > 0
        self.reservations_count -= 1
        self.reserved_micros -= reserved_micros
        self.debit(spent_micros)
        self.spend.charge(spent_micros, self.period)

    def debit(self, amount_micros: Micros) -> None:
        """Money that left the balance: for a settled call, or for usage that only the journal knew."""
        assert amount_micros >= 0
        self.balance_micros -= amount_micros
        self.spent_micros += amount_micros
        self._check()

    def totals(self) -> AccountTotals:
        return AccountTotals(
            balance_micros=self.balance_micros,
            reserved_micros=self.reserved_micros,
            available_micros=self.available_micros,
            spent_micros=self.spent_micros,
            credit_seq=self.credit_seq,
            reservations_count=self.reservations_count,
            day_micros=self.spend.of_day(self.period),
            month_micros=self.spend.of_month(self.period),
        )

    def _check(self) -> None:
        assert self.balance_micros == self._credited_micros - self.spent_micros, (
            "an account's sums do not agree"
        )
