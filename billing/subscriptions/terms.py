"""The terms of a contract, as a product offers them and as a subscription keeps them from the day it was sold.

What may be sold to whom is checked here against the law of the day (`billing/conf_subscriptions.py`).
"""

import enum

import msgspec

from billing.conf_subscriptions import ContractLaw
from billing.customers import CustomerKind
from billing.subscriptions.periods import BillingPeriod, ChargeDay
from provisioning.problems import InvalidValue, Refused

TERM_MONTHS_MAX = 36  # the longest that a provider of the field sells (Netfuse)
NOTICE_DAYS_MAX = 90  # a quarter; leased lines have it
OWN_CANCEL_DAYS_MAX = 30
PERCENT_MAX = 100
TEXT_CHARS_MAX = 2000  # a page of a contract
INCLUDED_MAX = 10  # bundles in one product


class EarlyTerminationKind(enum.StrEnum):
    """What leaving within the minimum term costs.

    `remaining`: a percentage of what the days from the end of the service to the end of the term would have cost.
    `of_term`: a percentage of what the whole term costs. `fixed`: a sum. None of them is ever more than the remaining
    days would have cost: nobody pays more for leaving than for staying.
    """

    NONE = "none"
    REMAINING = "remaining"
    OF_TERM = "of_term"
    FIXED = "fixed"


class Renewal(enum.StrEnum):
    """What follows the minimum term. Either way the service goes on, with notice; a new term needs a consent."""

    ROLLING = "rolling"
    NEW_TERM = "new_term"


class WithoutCredit(enum.StrEnum):
    """What a prepaid account without the credit for a period gets: the service and a debt, or nothing until it pays."""

    OWE = "owe"
    WAIT = "wait"


class EarlyTermination(msgspec.Struct, frozen=True, omit_defaults=True):
    """`told` is the text by which the customer was told of it before the sale; without one nothing can be charged."""

    kind: EarlyTerminationKind = EarlyTerminationKind.NONE
    percent: int = 0
    inc_vat_micros: int | None = None
    ex_vat_micros: int | None = None
    told: str = ""


class Included(msgspec.Struct, frozen=True, omit_defaults=True):
    """A bundle that each period brings, for each one sold: so many seconds to groups of destinations of the tariff,
    and to numbers that begin with one of `prefixes`. `carries_over`: what is left lives for one more period."""

    bundle: str
    seconds: int
    groups: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    carries_over: bool = False


class Terms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """New fields go to the end, with a default: contracts that were sold are read with it.

    `refunds_unused`: a service that ends within a paid period gives back the rest. `own_cancel_days`: the provider's
    own right to cancel, for customers who have none by law, unless the service was provided. `keeps_setup`: the
    set-up is a service of its own, done when it is done, and is paid also when a started service is cancelled.
    """

    billing_period: BillingPeriod = BillingPeriod.MONTH
    charge_day: ChargeDay = ChargeDay.ANNIVERSARY
    min_term_months: int = 0
    notice_days: int = 30
    included: tuple[Included, ...] = ()
    early_termination: EarlyTermination = EarlyTermination()
    refunds_unused: bool = False
    renewal: Renewal = Renewal.ROLLING
    own_cancel_days: int = 0
    keeps_setup: bool = False
    without_credit: WithoutCredit = WithoutCredit.OWE
    is_compensated: bool = False


def check_terms(terms: Terms) -> Terms:
    """Terms that can be offered to somebody. Raises InvalidValue."""
    _in_range("minimum term", terms.min_term_months, TERM_MONTHS_MAX, "months")
    _in_range("notice", terms.notice_days, NOTICE_DAYS_MAX, "days")
    _in_range("cancellation right", terms.own_cancel_days, OWN_CANCEL_DAYS_MAX, "days")
    if len(terms.included) > INCLUDED_MAX:
        raise InvalidValue("included", str(len(terms.included)), f"at most {INCLUDED_MAX} bundles")
    if terms.without_credit is WithoutCredit.WAIT and terms.min_term_months:
        raise InvalidValue("without credit", "wait", "owe: a minimum term is owed also by who does not pay")
    _check_early_termination(terms.early_termination, has_term=terms.min_term_months > 0)
    return terms


def _check_early_termination(early: EarlyTermination, *, has_term: bool) -> None:
    kind = early.kind
    if kind is EarlyTerminationKind.NONE:
        return
    if not has_term:
        raise InvalidValue("early termination", kind, "none, where there is no minimum term")
    if not early.told.strip():
        raise InvalidValue("early termination", kind, "the words by which the customer is told of it")
    if len(early.told) > TEXT_CHARS_MAX:
        raise InvalidValue("early termination", early.told, f"a text of at most {TEXT_CHARS_MAX} characters")
    if kind is EarlyTerminationKind.FIXED:
        if early.inc_vat_micros is None and early.ex_vat_micros is None:
            raise InvalidValue("early termination", kind, "a sum with or without VAT")
    elif not 1 <= early.percent <= PERCENT_MAX:
        raise InvalidValue("early termination", f"{early.percent} %", f"1 to {PERCENT_MAX} %")


def check_sale(terms: Terms, kind: CustomerKind, law: ContractLaw) -> None:
    """Raises Refused where somebody of this kind may not be sold these terms."""
    if kind is CustomerKind.CONSUMER and terms.min_term_months > law.consumer_term_months_max:
        raise Refused(
            f"a minimum term of {terms.min_term_months} months cannot be sold to a consumer:"
            f" at most {law.consumer_term_months_max} (GC C1)"
        )
    if kind is not CustomerKind.BUSINESS and terms.notice_days > law.notice_days_max:
        raise Refused(
            f"{terms.notice_days} days of notice cannot be asked of a {kind.replace('_', ' ')}:"
            f" at most {law.notice_days_max}"
        )


def _in_range(what: str, value: int, most: int, unit: str) -> None:
    if not 0 <= value <= most:
        raise InvalidValue(what, str(value), f"0 to {most} {unit}")
