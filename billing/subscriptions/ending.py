"""How a subscription ends: from which day, and with which last bill. Pure.

The day it ceases is the day of the written notice plus the notice period, and the customer is liable until then. What
has been said but not written ends nothing: it has no day yet.
"""

import datetime

import msgspec

from billing.conf_fields import MICROS_PER_PENNY
from billing.subscriptions.months import words
from billing.subscriptions.steps import cost_between, cost_of, pieces_of
from billing.subscriptions.subscription import GIVES_BACK, Ending, EndReason, Subscription
from billing.subscriptions.terms import EarlyTermination, EarlyTerminationKind
from rating.money import VatMode, format_pounds

_PERCENT = 100
_DAY = datetime.timedelta(days=1)


class EarlyTerminationCharge(msgspec.Struct, frozen=True):
    """`computation` is how it came about, a sentence a step, as it is kept and told."""

    amount_micros: int
    computation: tuple[str, ...]


class Quote(msgspec.Struct, frozen=True):
    """What an end on a day costs. `to_charge_micros`: periods not charged yet, up to the end. `given_back_micros`: of
    what is charged already. `computation`: how the early-termination charge came about. All in the account's VAT mode.
    """

    ceases_on: datetime.date
    to_charge_micros: int
    given_back_micros: int
    early_termination_micros: int
    computation: tuple[str, ...]

    @property
    def total_micros(self) -> int:
        return self.to_charge_micros + self.early_termination_micros - self.given_back_micros


def cease_day(
    subscription: Subscription,
    reason: EndReason,
    *,
    written_on: datetime.date,
    wanted_on: datetime.date | None = None,
) -> datetime.date:
    """The first day without the service: after the notice, or later if somebody wants it later."""
    has_notice = reason is EndReason.NOTICE
    notice = datetime.timedelta(days=subscription.terms.notice_days if has_notice else 0)
    earliest = max(written_on + notice, subscription.starts_on)
    return earliest if wanted_on is None else max(earliest, wanted_on)


def quote(subscription: Subscription, ending: Ending) -> Quote:
    """The last bill of an end, as far as is known today."""
    ended = msgspec.structs.replace(subscription, ending=ending)
    early = early_termination(ended, ending)
    return Quote(
        ceases_on=ending.ceases_on,
        to_charge_micros=_to_charge(ended, ending),
        given_back_micros=_given_back(ended, ending),
        early_termination_micros=early.amount_micros,
        computation=early.computation,
    )


def early_termination(subscription: Subscription, ending: Ending) -> EarlyTerminationCharge:
    """What leaving within the minimum term costs, by the formula of the contract."""
    terms = subscription.terms.early_termination
    if not subscription.is_in_term(ending.ceases_on):
        return EarlyTerminationCharge(0, ("The minimum term has passed: nothing is due for leaving.",))
    if ending.reason in GIVES_BACK:
        return EarlyTerminationCharge(
            0, ("The end is not the customer's doing: nothing is due for leaving.",)
        )
    if terms.kind is EarlyTerminationKind.NONE:
        return EarlyTerminationCharge(0, ("The contract has no charge for leaving early.",))
    rest_from = _paid_to(subscription, ending)
    rest = cost_between(subscription.rhythm, subscription.steps, rest_from, subscription.term_ends_on)
    amount, how = _by_formula(subscription, terms, rest)
    last = words(subscription.term_ends_on - _DAY)
    lines = [
        f"From {words(rest_from)} to {last}, the last day of the minimum term: {format_pounds(rest)}.",
        how,
    ]
    if amount > rest:
        lines.append(f"Never more than staying would cost: {format_pounds(rest)}.")
    due = min(amount, rest) // MICROS_PER_PENNY * MICROS_PER_PENNY
    if due != min(amount, rest):
        lines.append(f"Down to a whole penny: {format_pounds(due)}.")
    return EarlyTerminationCharge(due, tuple(lines))


def _by_formula(subscription: Subscription, terms: EarlyTermination, rest: int) -> tuple[int, str]:
    if terms.kind is EarlyTerminationKind.REMAINING:
        amount = rest * terms.percent // _PERCENT
        return amount, f"{terms.percent} % of it: {format_pounds(amount)}."
    if terms.kind is EarlyTerminationKind.OF_TERM:
        whole = cost_between(
            subscription.rhythm, subscription.steps, subscription.starts_on, subscription.term_ends_on
        )
        amount = whole * terms.percent // _PERCENT
        return (
            amount,
            f"{terms.percent} % of the whole term's {format_pounds(whole)}: {format_pounds(amount)}.",
        )
    amount = (terms.inc_vat_micros if subscription.vat is VatMode.INC_VAT else terms.ex_vat_micros) or 0
    return amount, f"The sum in the contract: {format_pounds(amount)}."


def _paid_to(subscription: Subscription, ending: Ending) -> datetime.date:
    """The first day that is not paid: what was paid in advance and is not given back is not asked for again."""
    period = subscription.rhythm.at(ending.ceases_on)
    return max(ending.ceases_on, subscription.charged_to(period))


def _to_charge(subscription: Subscription, ending: Ending) -> int:
    total = 0
    for period in subscription.rhythm.since(subscription.charged_until):
        if period.first >= ending.ceases_on:
            break
        total += cost_of(pieces_of(period, subscription.steps, until=subscription.charged_to(period)))
    return total


def _given_back(subscription: Subscription, ending: Ending) -> int:
    """Of the period that the service ends in, where it was charged as a whole before."""
    total = 0
    for period in subscription.rhythm.since(ending.ceases_on):
        if period.first >= subscription.charged_until:
            break
        whole = cost_of(pieces_of(period, subscription.steps))
        total += whole - cost_of(pieces_of(period, subscription.steps, until=subscription.charged_to(period)))
    return total
