"""The rating engine: every account's money in memory, reserved, extended, settled, released; no waiting.

No await, no clock, no float: one owner calls it in turn, so that no two calls can take the same penny. It
knows nothing of calls but a key (`call_id`, unique for each party that pays: a diverted leg has a key of
its own) and the rate they began with. Emergency and free calls (`Rate.is_free`, on-net without a rate)
never come here. Which day it is, for the spending caps, the owner says (`period`). Durability is the
journal's.

What bundles an account has is `LiveAccount.bundles`; a call that one of them is for goes by bundled_call.py, every
other one by the few lines here. Prices may depend on when the first second is: `reserve` takes the setup for it, and
`start` puts it right at the answer.
"""

import msgspec

from rating import bundled_call
from rating.account import AccountTerms, AccountTotals, LiveAccount
from rating.bundle_books import BundleBooks
from rating.charge import CALL_S_MAX, NOTHING_CHARGED, Charge, charge_billed, charge_within
from rating.london_day import london_day, month_of
from rating.money import Micros
from rating.rate import Rate
from rating.reservation import (
    RESERVATIONS_PER_ACCOUNT_MAX,
    UNPAID_MS_MAX,
    Reservation,
    Settlement,
    Shortage,
    ShortageReason,
    first_interval_micros,
    grantable_s,
    limit_reached,
    next_interval_micros,
    unfit_reason,
)
from rating.spend import Period

__all__ = [
    "AccountTerms",
    "AccountTotals",
    "CapWarning",
    "Engine",
    "EngineCounts",
    "RatingMisuseError",
    "Reservation",
    "Settlement",
    "Shortage",
    "ShortageReason",
]


# Of a cap: early enough that somebody can still decide, late enough to be worth a look.
CAP_WARNING_PERCENT = 80


class CapWarning(msgspec.Struct, frozen=True):
    """Usage, reservations included, has come near a cap: said once a day, or a month. `reason` names the cap."""

    account_id: int
    reason: ShortageReason
    used_micros: Micros
    cap_micros: Micros


class RatingMisuseError(Exception):
    """The engine was asked for what its callers must never ask; nothing has moved."""


class EngineCounts(msgspec.Struct):
    """What the engine has done since it started. The last three stay 0 for ever where nothing is broken."""

    reserved: int = 0
    extended: int = 0
    short_extensions: int = 0
    settled: int = 0
    capped_settlements: int = 0
    released: int = 0
    replayed_credits: int = 0
    overrun_settlements: int = 0
    credit_gaps: int = 0
    credits_without_account: int = 0


class Engine:
    """Owner of all balances and reservations of one switch."""

    __slots__ = (
        "_accounts",
        "_reservations",
        "_reservations_per_account_max",
        "bundles",
        "cap_warnings",
        "counts",
        "period",
        "shortages",
    )

    def __init__(self, *, reservations_per_account_max: int = RESERVATIONS_PER_ACCOUNT_MAX) -> None:
        self._accounts: dict[int, LiveAccount] = {}
        self._reservations: dict[str, Reservation] = {}
        self._reservations_per_account_max = reservations_per_account_max
        self.bundles = BundleBooks(self._accounts)
        self.counts = EngineCounts()
        self.shortages = dict.fromkeys(ShortageReason, 0)
        self.period = Period()
        self.cap_warnings: list[CapWarning] = []  # emptied by the owner: at most two an account between

    # The books' side: accounts, balances, credits.

    def set_account(self, terms: AccountTerms) -> None:
        """Take over an account as the books have it now. A new one begins with nothing.

        Calls that are up go on whatever changed; suspension refuses new ones, a raised floor or a lowered
        cap also stops extensions.
        """
        account = self._accounts.get(terms.id)
        if account is None:
            self._accounts[terms.id] = LiveAccount(terms, self.period)
        else:
            account.take(terms)

    def load_balance(self, account_id: int, balance_micros: Micros, credit_seq: int) -> None:
        """Start an account with the sum of its ledger; once, before anything moves.

        Later a balance changes only by differences: setting it would undo what calls have spent meanwhile.
        """
        account = self._account(account_id)
        if not account.is_untouched:
            raise RatingMisuseError(f"account {account_id} has moved, its balance cannot be loaded again")
        account.load(balance_micros, credit_seq=credit_seq)

    def apply_credit(self, account_id: int, credit_seq: int, amount_micros: Micros) -> bool:
        """Apply the next movement that people made. True if it moved money.

        A replay (a `credit_seq` that was applied) changes nothing. Nor does one that leaves a gap, for the
        missing one would be taken for a replay when it comes: it is counted, and the account waits for its
        next start.
        """
        account = self._accounts.get(account_id)
        if account is None:
            self.counts.credits_without_account += 1
            return False
        if credit_seq <= account.credit_seq:
            self.counts.replayed_credits += 1
            return False
        if credit_seq != account.credit_seq + 1:
            self.counts.credit_gaps += 1
            return False
        account.credit(amount_micros, credit_seq=credit_seq)
        return True

    def debit_usage(self, account_id: int, amount_micros: Micros) -> None:
        """Usage (0 or more) that the journal holds above the books' mark, replayed before the first call."""
        if amount_micros < 0:
            raise RatingMisuseError(f"usage of {amount_micros} micros: expected 0 or more")
        self._account(account_id).debit(amount_micros)

    def load_day_spend(self, account_id: int, day: int, amount_micros: Micros) -> None:
        """Charges of a London day that count against the caps: from the books, and from the journal above them.
        Those of an account that is not there are nobody's."""
        if (account := self._accounts.get(account_id)) is not None:
            account.spend.load_day(day, amount_micros)

    def load_month_spend(self, account_id: int, month: int, amount_micros: Micros) -> None:
        """Charges of a month, likewise; those of a day are not added to its month here."""
        if (account := self._accounts.get(account_id)) is not None:
            account.spend.load_month(month, amount_micros)

    def load_spend(self, account_id: int, at_ms: int, amount_micros: Micros) -> None:
        """One charge of that moment, which this engine did not settle, counts against the caps of its day."""
        day = london_day(at_ms)
        self.load_day_spend(account_id, day, amount_micros)
        self.load_month_spend(account_id, month_of(day), amount_micros)

    # The calls' side.

    def reserve(
        self,
        call_id: str,
        account_id: int,
        rate: Rate,
        *,
        initial_ahead_s: int,
        at_ms: int = 0,
        number: str | None = None,
    ) -> Reservation | Shortage:
        """Hold the money for the connect fee and the first `initial_ahead_s` seconds, in whole intervals.

        When the account has less, or a cap leaves less, for as many intervals as it can pay; a Shortage if
        not even for the first. `at_ms` (UTC) is when the call is set up, `number` what it calls: bundles look at
        both. None is nothing that bundles are for: a text, an attempt, a call that somebody is charged for receiving.
        """
        if call_id in self._reservations:
            raise RatingMisuseError(f"call {call_id} has a reservation already")
        if rate.is_free:
            raise RatingMisuseError(f"call {call_id} is free and needs no reservation")
        account = self._accounts.get(account_id)
        if account is None:
            return self._short(ShortageReason.UNKNOWN_ACCOUNT, rate, at_ms, 0)
        reason = unfit_reason(account, rate, reservations_max=self._reservations_per_account_max)
        if reason is not None:
            return self._short(reason, rate, at_ms, account.reservable_micros)
        wanted_s = min(max(initial_ahead_s, 1), CALL_S_MAX)
        reservation = None
        if account.bundles is not None and number is not None:
            reservation = bundled_call.begin(
                account, call_id, rate, number=number, at_ms=at_ms, wanted_s=wanted_s
            )
        if reservation is None:
            granted_s = grantable_s(rate, wanted_s, budget_micros=account.reservable_micros, at_ms=at_ms)
            if granted_s == 0:
                reason = limit_reached(account, first_interval_micros(rate, at_ms))
                return self._short(reason, rate, at_ms, account.reservable_micros)
            reserved_micros = charge_billed(rate, granted_s, at_ms=at_ms).total_micros
            account.reserve(reserved_micros)
            reservation = Reservation(call_id, account_id, rate, granted_s, reserved_micros, at_ms)
        if account.is_capped:
            self._look_at_caps(account)
        self._reservations[call_id] = reservation
        self.counts.reserved += 1
        return reservation

    def start(self, call_id: str, at_ms: int) -> int:
        """The call's first second is at `at_ms` (UTC). Returns the seconds now paid for, as `extend` does.

        Where the price depends on it, or a bundle may have ended or begun while it rang, what is held is put right: for
        as many seconds as before, or as far as bundles and money reach; that may be none at all.
        """
        held = self._reservation(call_id)
        if held.cover is None and not held.rate.depends_on_time:
            return held.granted_s
        account = self._accounts[held.account_id]
        if held.cover is not None:
            new = bundled_call.begin_anew(account, held, at_ms)
        else:
            budget_micros = held.reserved_micros + max(0, account.reservable_micros)
            granted_s = grantable_s(held.rate, held.granted_s, budget_micros=budget_micros, at_ms=at_ms)
            reserved_micros = charge_billed(held.rate, granted_s, at_ms=at_ms).total_micros
            account.adjust(held.reserved_micros, reserved_micros)
            new = Reservation(call_id, held.account_id, held.rate, granted_s, reserved_micros, at_ms)
        self._reservations[call_id] = new
        return new.granted_s

    def extend(self, call_id: str, *, until_s: int) -> int:
        """Hold the money until the call's second `until_s`, in whole intervals, or as far as the account
        can pay.

        Returns the seconds of the call now paid for, from its answer on: `until_s` or a little more; less
        when credit is short or CALL_S_MAX is reached, but never less than before. At that second the call
        has to end.
        """
        held = self._reservation(call_id)
        wanted_s = min(until_s, CALL_S_MAX)
        if wanted_s <= held.granted_s:
            return held.granted_s
        account = self._accounts[held.account_id]
        if held.cover is not None:
            new = bundled_call.renew(account, held, wanted_s)
        else:
            new = self._renewed(account, held, wanted_s)
        if new.granted_s < wanted_s:
            self.counts.short_extensions += 1
        if new.granted_s <= held.granted_s:
            return held.granted_s
        if account.is_capped:
            self._look_at_caps(account)
        self._reservations[call_id] = new
        self.counts.extended += 1
        return new.granted_s

    def settle(self, call_id: str, duration_ms: int) -> Settlement:
        """End an answered call: charge its duration, within what was reserved, and release the rest.

        A call that ran on past its last paid second is charged up to it and counted; past UNPAID_MS_MAX as
        a fault.
        """
        held = self._reservation(call_id)
        if duration_ms < 0:
            raise RatingMisuseError(f"call {call_id} lasted {duration_ms} ms")
        if held.cover is not None:
            charged, used = bundled_call.cost(held, duration_ms)
            self.bundles.settle(held.account_id, held.cover, used)
        else:
            charged = charge_within(held.rate, duration_ms, granted_s=held.granted_s, at_ms=held.at_ms)
            used = ()
        unpaid_ms = max(0, duration_ms - held.granted_s * 1000)
        total_micros = charged.total_micros
        balance_micros = self._end(held, total_micros)
        self.counts.settled += 1
        self.counts.capped_settlements += unpaid_ms > 0
        self.counts.overrun_settlements += unpaid_ms > UNPAID_MS_MAX
        released_micros = held.reserved_micros - total_micros
        return Settlement(charged, balance_micros, released_micros, unpaid_ms, used)

    def release(self, call_id: str) -> Micros:
        """Void a reservation: the call never was. Returns what is available again, 0 if nothing was held.

        Every way in which a call can end unanswered leads here, some twice: so a repeat is not a fault.
        """
        held = self._reservations.get(call_id)
        if held is None:
            return 0
        if held.cover is not None:
            self.bundles.give_back(held.account_id, held.cover)
        self._end(held, NOTHING_CHARGED.total_micros)
        self.counts.released += 1
        return held.reserved_micros

    # Looking in.

    def lend(self, account_id: int, to: "Engine") -> None:
        """`to` has a copy of the account from now on, to try something with that moves nothing here."""
        account = self._accounts.get(account_id)
        if account is not None and account_id not in to._accounts:
            to._accounts[account_id] = account.copy()

    def available(self, account_id: int) -> Micros:
        """What the account could still reserve; negative when its floor was raised above what is in use."""
        return self._account(account_id).available_micros

    def limit_of(self, call_id: str) -> ShortageReason:
        """What keeps a reservation from the next interval: asked when a call has come to its last paid second."""
        held = self._reservation(call_id)
        account = self._accounts[held.account_id]
        if held.cover is not None:
            return limit_reached(account, bundled_call.next_interval_micros(held))
        return limit_reached(account, next_interval_micros(held))

    def cost(self, call_id: str, duration_ms: int) -> Charge:
        """What a call with a reservation would be charged if it ended after so long."""
        held = self._reservation(call_id)
        if held.cover is not None:
            return bundled_call.cost(held, duration_ms)[0]
        return charge_within(held.rate, duration_ms, granted_s=held.granted_s, at_ms=held.at_ms)

    def totals(self, account_id: int) -> AccountTotals | None:
        account = self._accounts.get(account_id)
        return None if account is None else account.totals()

    def reservation(self, call_id: str) -> Reservation | None:
        return self._reservations.get(call_id)

    @property
    def reservations_count(self) -> int:
        return len(self._reservations)

    def _account(self, account_id: int) -> LiveAccount:
        account = self._accounts.get(account_id)
        if account is None:
            raise RatingMisuseError(f"no account {account_id}")
        return account

    def _reservation(self, call_id: str) -> Reservation:
        held = self._reservations.get(call_id)
        if held is None:
            raise RatingMisuseError(f"call {call_id} has no reservation")
        return held

    def _renewed(self, account: LiveAccount, held: Reservation, wanted_s: int) -> Reservation:
        """Until second `wanted_s`, or as far as the money reaches; `held` itself where that is no further."""
        budget_micros = held.reserved_micros + account.reservable_micros
        granted_s = grantable_s(held.rate, wanted_s, budget_micros=budget_micros, at_ms=held.at_ms)
        if granted_s <= held.granted_s:
            return held
        reserved_micros = charge_billed(held.rate, granted_s, at_ms=held.at_ms).total_micros
        account.extend(reserved_micros - held.reserved_micros)
        return Reservation(held.call_id, held.account_id, held.rate, granted_s, reserved_micros, held.at_ms)

    def _short(self, reason: ShortageReason, rate: Rate, at_ms: int, available_micros: Micros) -> Shortage:
        self.shortages[reason] += 1
        return Shortage(reason, first_interval_micros(rate, at_ms), available_micros)

    def _look_at_caps(self, account: LiveAccount) -> None:
        """Only reserving brings usage nearer to a cap: what is settled was reserved before."""
        terms, spend, period = account.terms, account.spend, account.period
        used_micros = spend.of_day(period) + account.reserved_micros
        if spend.warned_day != period.day and _is_near(used_micros, terms.daily_cap_micros):
            spend.warned_day = period.day
            self._warn(account, ShortageReason.DAILY_CAP, used_micros, terms.daily_cap_micros)
        used_micros = spend.of_month(period) + account.reserved_micros
        if spend.warned_month != period.month and _is_near(used_micros, terms.monthly_cap_micros):
            spend.warned_month = period.month
            self._warn(account, ShortageReason.MONTHLY_CAP, used_micros, terms.monthly_cap_micros)

    def _warn(self, account: LiveAccount, reason: ShortageReason, used: Micros, cap: Micros | None) -> None:
        assert cap is not None
        self.cap_warnings.append(CapWarning(account.terms.id, reason, used, cap))

    def _end(self, held: Reservation, spent_micros: Micros) -> Micros:
        account = self._accounts[held.account_id]
        account.settle(held.reserved_micros, spent_micros=spent_micros)
        del self._reservations[held.call_id]
        return account.balance_micros


def _is_near(used_micros: Micros, cap_micros: Micros | None) -> bool:
    return cap_micros is not None and used_micros * 100 >= cap_micros * CAP_WARNING_PERCENT
