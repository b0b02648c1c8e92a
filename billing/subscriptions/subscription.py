"""A subscription as everything here sees it: who, what, on which terms, how far it is charged, and when it ends."""

import datetime
import enum

import msgspec

from billing.customers import CustomerKind
from billing.subscriptions.cooling_off import Sale
from billing.subscriptions.periods import Period, Rhythm
from billing.subscriptions.steps import Step, step_at
from billing.subscriptions.terms import Terms
from provisioning.model import AccountKind
from rating.money import VatMode


class State(enum.StrEnum):
    """`cancelled`: by the right to cancel, as if it had not been sold, but for what is due."""

    ACTIVE = "active"
    ENDED = "ended"
    CANCELLED = "cancelled"


class EndReason(enum.StrEnum):
    """Why it ends: by the customer's notice; because we changed the contract to their detriment; because we end it; or
    because the customer broke the contract."""

    NOTICE = "notice"
    RIGHT_TO_EXIT = "right_to_exit"
    PROVIDER = "provider"
    BREACH = "breach"


# Who is not the cause of the end gets back what is paid and not used, whatever the terms say.
GIVES_BACK = frozenset({EndReason.RIGHT_TO_EXIT, EndReason.PROVIDER})


class Ending(msgspec.Struct, frozen=True):
    """An end that has its date. `ceases_on` is the first day without the service, and not charged any more."""

    id: int
    reason: EndReason
    written_on: datetime.date
    ceases_on: datetime.date


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """`term_ends_on` is the first day after the minimum term. `charged_until`: all periods before it are charged."""

    id: int
    account_id: int
    account: str
    account_kind: AccountKind
    vat: VatMode
    product_id: int
    label: str
    setup_micros: int
    kind: CustomerKind
    terms: Terms
    sold_on: datetime.date
    starts_on: datetime.date
    provided_on: datetime.date | None
    told_on: datetime.date | None
    is_at_distance: bool
    wants_early_start: bool
    term_ends_on: datetime.date
    charged_until: datetime.date
    unpaid_since: datetime.date | None
    state: State
    steps: tuple[Step, ...]
    ending: Ending | None

    @property
    def rhythm(self) -> Rhythm:
        return Rhythm(self.starts_on, self.terms.billing_period, self.terms.charge_day)

    @property
    def sale(self) -> Sale:
        return Sale(
            kind=self.kind,
            sold_on=self.sold_on,
            is_at_distance=self.is_at_distance,
            told_on=self.told_on,
            wants_early_start=self.wants_early_start,
            provided_on=self.provided_on,
            own_days=self.terms.own_cancel_days,
        )

    def step(self, day: datetime.date) -> Step:
        return step_at(self.steps, day)

    def is_in_term(self, day: datetime.date) -> bool:
        return day < self.term_ends_on

    def served_to(self, period: Period) -> datetime.date:
        """The day up to which a period is served: its end, or the day on which the service ceases in it."""
        return (
            period.end if self.ending is None else min(period.end, max(period.first, self.ending.ceases_on))
        )

    def charged_to(self, period: Period) -> datetime.date:
        """The day up to which a period is charged: its end, unless the service ends in it and the rest is not due.

        A period that had begun when the notice came was paid in advance, and its rest is given back only where the
        terms say so, or where the end is not the customer's doing. One that begins later is charged to the last day.
        """
        ending = self.ending
        if ending is None or ending.ceases_on >= period.end:
            return period.end
        is_kept = (
            period.first < ending.written_on
            and ending.ceases_on > period.first
            and not self.terms.refunds_unused
            and ending.reason not in GIVES_BACK
        )
        return period.end if is_kept else max(period.first, ending.ceases_on)
