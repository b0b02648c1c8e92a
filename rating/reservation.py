"""The values of prepaid in two phases: what reserving and settling answer, and why there is a no.

A reservation is money held for a call: exactly what `granted_s` whole intervals cost at its rate. It is
renewed ahead of time (extend), and ends once: settled with the call's duration, or released because the
call never was.
"""

import enum
from typing import Final

import msgspec

from rating.account import LiveAccount
from rating.bundle_terms import Used
from rating.charge import Charge, affordable_s, charge_billed, whole_intervals_s
from rating.cover import Cover
from rating.money import Micros
from rating.rate import Rate

# What one switch carries at once. A fault that leaks reservations is stopped here, before it eats a whole
# balance.
RESERVATIONS_PER_ACCOUNT_MAX: Final = 1_000

# Both sides get BYE within a second of the last paid one; what runs on longer is a fault, not a late timer.
UNPAID_MS_MAX: Final = 1_000


class Reservation(msgspec.Struct, frozen=True, gc=False):
    """Money held for one call. `reserved_micros` is what `granted_s` seconds cost, connect fee included.

    `at_ms` is the instant of the first second, as far as it is known (UTC). `cover` is what bundles do for the call;
    `rate` then has the connect fee that it really costs.
    """

    call_id: str
    account_id: int
    rate: Rate
    granted_s: int
    reserved_micros: Micros
    at_ms: int = 0
    cover: Cover | None = None


class ShortageReason(enum.Enum):
    """Why there is no reservation, in order of precedence: the first that applies is given."""

    UNKNOWN_ACCOUNT = "unknown_account"
    SUSPENDED = "suspended"
    VAT_MISMATCH = "vat_mismatch"
    TOO_MANY_RESERVATIONS = "too_many_reservations"
    INSUFFICIENT_CREDIT = "insufficient_credit"
    DAILY_CAP = "daily_cap"
    MONTHLY_CAP = "monthly_cap"


class Shortage(msgspec.Struct, frozen=True):
    """No reservation. `needed_micros` is what the connect fee and the first interval cost,
    `available_micros` what
    the account could give (0 where there is no such account)."""

    reason: ShortageReason
    needed_micros: Micros
    available_micros: Micros


class Settlement(msgspec.Struct, frozen=True):
    """A call's end in money. `unpaid_ms` is how long it ran past its last paid second, charged to nobody. `used` are
    the seconds that came from bundles."""

    charge: Charge
    balance_after_micros: Micros
    released_micros: Micros
    unpaid_ms: int
    used: tuple[Used, ...] = ()

    @property
    def is_capped(self) -> bool:
        return self.unpaid_ms > 0


def unfit_reason(account: LiveAccount, rate: Rate, *, reservations_max: int) -> ShortageReason | None:
    """Why this account gets no reservation at this rate whatever money it has, the first rule that is broken."""
    if account.terms.is_suspended:
        return ShortageReason.SUSPENDED
    if account.terms.vat is not rate.vat:
        return ShortageReason.VAT_MISMATCH
    if account.reservations_count >= reservations_max:
        return ShortageReason.TOO_MANY_RESERVATIONS
    return None


def limit_reached(account: LiveAccount, needed_micros: Micros) -> ShortageReason:
    """What it is that does not leave so much; credit, too, where nothing does (a call of CALL_S_MAX)."""
    if account.available_micros < needed_micros:
        return ShortageReason.INSUFFICIENT_CREDIT
    if account.terms.daily_cap_micros is not None and account.left_of_caps()[0] < needed_micros:
        return ShortageReason.DAILY_CAP
    if account.terms.monthly_cap_micros is not None and account.left_of_caps()[-1] < needed_micros:
        return ShortageReason.MONTHLY_CAP
    return ShortageReason.INSUFFICIENT_CREDIT


def grantable_s(rate: Rate, wanted_s: int, *, budget_micros: Micros, at_ms: int) -> int:
    """Whole intervals that cover `wanted_s`, or as many of them as the budget pays for."""
    return min(whole_intervals_s(rate, wanted_s), affordable_s(rate, budget_micros, at_ms=at_ms))


def next_interval_micros(held: Reservation) -> Micros:
    """What the interval after the paid ones costs."""
    further_s = whole_intervals_s(held.rate, held.granted_s + 1)
    return charge_billed(held.rate, further_s, at_ms=held.at_ms).total_micros - held.reserved_micros


def first_interval_micros(rate: Rate, at_ms: int) -> Micros:
    return charge_billed(rate, rate.initial_s, at_ms=at_ms).total_micros
