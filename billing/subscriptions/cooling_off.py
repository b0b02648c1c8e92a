"""The right to cancel after the sale: who has it, up to which day, and what is due.

Consumers, at a distance or off premises: 14 days from the day after the contract (SI 2013/3134 reg 30), bank holidays
and weekends counted. Told late or never of the right: 14 days from the day of being told, at most twelve months more
(reg 31). If the service began at their express request, and they had been told, they pay for what they had by then, in
proportion; else nothing (reg 36). Others: the provider's own right, if any, unless the service was provided.
"""

import datetime
import enum

import msgspec

from billing.conf_subscriptions import ContractLaw
from billing.customers import CustomerKind
from billing.subscriptions.months import months_after, words

LATE_MONTHS = 12  # reg 31(3)


class Sale(msgspec.Struct, frozen=True):
    """What the right goes by. `told_on`: when they were told of the right, None never. `provided_on`: None not yet."""

    kind: CustomerKind
    sold_on: datetime.date
    is_at_distance: bool
    told_on: datetime.date | None
    wants_early_start: bool
    provided_on: datetime.date | None
    own_days: int


class Cancelling(enum.StrEnum):
    """What a cancellation leaves due."""

    NOTHING = "nothing"
    DAYS_USED = "days_used"


def is_lawful_right(sale: Sale) -> bool:
    return sale.kind is CustomerKind.CONSUMER and sale.is_at_distance


def last_day(sale: Sale, law: ContractLaw) -> datetime.date | None:
    """The last day on which it can be cancelled, None where it cannot."""
    if not is_lawful_right(sale):
        return sale.sold_on + datetime.timedelta(days=sale.own_days) if sale.own_days else None
    days = datetime.timedelta(days=law.cooling_off_days)
    usual = sale.sold_on + days
    if sale.told_on is not None and sale.told_on <= sale.sold_on:
        return usual
    latest = months_after(usual, LATE_MONTHS)
    return latest if sale.told_on is None else min(sale.told_on + days, latest)


def refusal(sale: Sale, law: ContractLaw, day: datetime.date) -> str:
    """Why it cannot be cancelled on that day, "" where it can."""
    last = last_day(sale, law)
    if last is None:
        return "there is no right to cancel: it can be ended by notice"
    if day > last:
        return f"the right to cancel ended on {words(last)}: it can be ended by notice"
    if not is_lawful_right(sale) and sale.provided_on is not None and sale.provided_on <= day:
        return f"the service was provided on {words(sale.provided_on)}: it can be ended by notice"
    return ""


def leaves_due(sale: Sale, day: datetime.date) -> Cancelling:
    """Only who asked for an early start, had it, and knew of the right, owes the days used."""
    has_used = sale.provided_on is not None and sale.provided_on < day
    is_owed = is_lawful_right(sale) and sale.wants_early_start and sale.told_on is not None and has_used
    return Cancelling.DAYS_USED if is_owed else Cancelling.NOTHING
