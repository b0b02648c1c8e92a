"""A subscription, and what its end costs, as names and values for a terminal."""

import datetime

from billing.subscriptions.ending import Quote
from billing.subscriptions.price_words import VAT_WORDS, price_lines
from billing.subscriptions.subscription import State, Subscription
from billing.subscriptions.terminating import AskedEnding
from rating.money import format_pounds

_DAY = datetime.timedelta(days=1)


def facts_of(
    subscription: Subscription, asked: AskedEnding | None, today: datetime.date
) -> list[tuple[str, str]]:
    step = subscription.step(today)
    later = [(one.first, one.price_micros) for one in subscription.steps if one.first > today]
    prices = price_lines(step.price_micros, later, subscription.terms.billing_period)
    facts = [
        ("subscription", str(subscription.id)),
        ("account", subscription.account),
        ("product", f"{step.quantity} x {step.product}" if step.quantity > 1 else step.product),
        ("for", subscription.label or "nothing in particular"),
        ("state", _state(subscription)),
        ("sold to", f"{subscription.kind.replace('_', ' ')}, on {subscription.sold_on.isoformat()}"),
        ("starts", subscription.starts_on.isoformat()),
        ("provided", _or_not_yet(subscription.provided_on)),
        ("told of the right to cancel", _or_not_yet(subscription.told_on)),
        ("asked for an early start", "yes" if subscription.wants_early_start else "no"),
        ("price", f"{', '.join(prices)} ({VAT_WORDS[subscription.vat]})"),
        ("minimum term", _term(subscription, today)),
        ("notice", f"{subscription.terms.notice_days} days"),
        ("charged until", (subscription.charged_until - _DAY).isoformat()),
    ]
    if subscription.unpaid_since is not None:
        facts.append(("waits for credit since", subscription.unpaid_since.isoformat()))
    if asked is not None and asked.ceases_on is None:
        facts.append(
            ("end asked for", f"{asked.asked_on.isoformat()} by {asked.asked_by}; not in writing yet")
        )
    return facts


def row_of(subscription: Subscription, today: datetime.date) -> list[str]:
    step = subscription.step(today)
    return [
        str(subscription.id),
        subscription.account,
        f"{step.quantity} x {step.product}" if step.quantity > 1 else step.product,
        format_pounds(step.fee_micros),
        subscription.terms.billing_period.value,
        subscription.label,
        (subscription.term_ends_on - _DAY).isoformat() if subscription.is_in_term(today) else "",
        (subscription.charged_until - _DAY).isoformat(),
        _state(subscription),
    ]


def quote_facts(quote: Quote) -> list[tuple[str, str]]:
    facts = [
        ("ceases on", quote.ceases_on.isoformat()),
        ("still to be charged", format_pounds(quote.to_charge_micros)),
        ("given back", format_pounds(quote.given_back_micros)),
        ("for leaving early", format_pounds(quote.early_termination_micros)),
        ("last bill", format_pounds(quote.total_micros)),
    ]
    return [*facts, *(("", line) for line in quote.computation)]


def _state(subscription: Subscription) -> str:
    ending = subscription.ending
    if subscription.state is State.ACTIVE and ending is not None:
        return f"ceases {ending.ceases_on.isoformat()}"
    return "waits for credit" if subscription.unpaid_since is not None else subscription.state.value


def _term(subscription: Subscription, today: datetime.date) -> str:
    if not subscription.terms.min_term_months:
        return "none"
    verb = "until" if subscription.is_in_term(today) else "ended on"
    last = (subscription.term_ends_on - _DAY).isoformat()
    return f"{subscription.terms.min_term_months} months, {verb} {last}"


def _or_not_yet(found: datetime.date | None) -> str:
    return "not yet" if found is None else found.isoformat()
