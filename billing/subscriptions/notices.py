"""What customers are told of their contracts, once each, and kept on record with its words.

End-of-contract notification: 10 to 40 days before the minimum term ends, to residential and business customers; once a
year after that the best tariffs (GC C1). Their contents: the day, the services and prices now and afterwards, what
leaving costs until then, the notice, how to leave, other contracts, the best tariffs.
"""

import datetime
import enum
from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg

from billing.conf import Seller
from billing.conf_subscriptions import ContractLaw
from billing.customers import Customer, find_customer
from billing.mail import queue_mail
from billing.subscriptions.ending import cease_day, quote
from billing.subscriptions.months import months_after, words
from billing.subscriptions.price_words import VAT_WORDS, price_lines
from billing.subscriptions.products import Product, best_offers
from billing.subscriptions.steps import Step
from billing.subscriptions.subscription import Ending, EndReason, State, Subscription
from billing.subscriptions.terms import Included, Renewal
from billing.subscriptions.texts import render
from rating.money import format_pounds
from switch.conf_voicemail import is_mail_address

OFFERS_MAX: Final = 3
_DAY: Final = datetime.timedelta(days=1)


class NoticeKind(enum.StrEnum):
    END_OF_CONTRACT = "end_of_contract"
    BEST_TARIFF = "best_tariff"
    PRICE_CHANGE = "price_change"
    CONTRACT_CHANGE = "contract_change"
    ENDING = "ending"


SUBJECTS: Final = {
    NoticeKind.END_OF_CONTRACT: "Your contract for {} ends soon",
    NoticeKind.BEST_TARIFF: "Your yearly reminder of our best prices: {}",
    NoticeKind.PRICE_CHANGE: "The price of {} will change",
    NoticeKind.CONTRACT_CHANGE: "Your contract for {} will change",
    NoticeKind.ENDING: "{}: when it ends",
}


def end_notice_window(term_ends_on: datetime.date, law: ContractLaw) -> tuple[datetime.date, datetime.date]:
    """The first and the last day on which the end of a contract may be told, before its last day."""
    last = term_ends_on - _DAY
    earliest = last - datetime.timedelta(days=law.end_notice_earliest_days)
    return earliest, last - datetime.timedelta(days=law.end_notice_latest_days)


def end_notice_due(subscription: Subscription, law: ContractLaw, today: datetime.date) -> bool:
    """From the first day of the window on, or from the first day of a contract shorter than that, until it is over."""
    if (
        not subscription.terms.min_term_months
        or not subscription.is_in_term(today)
        or _is_leaving(subscription)
    ):
        return False
    return today >= max(end_notice_window(subscription.term_ends_on, law)[0], subscription.sold_on)


def best_tariff_day(
    subscription: Subscription, law: ContractLaw, today: datetime.date
) -> datetime.date | None:
    """The latest anniversary of the end of the term that has come; None before the first one."""
    if subscription.is_in_term(today) or _is_leaving(subscription):
        return None
    years = 0
    since = subscription.term_ends_on
    while months_after(since, law.best_tariff_months * (years + 1)) <= today:
        years += 1
    return months_after(since, law.best_tariff_months * years) if years else None


def _is_leaving(subscription: Subscription) -> bool:
    return subscription.state is not State.ACTIVE or subscription.ending is not None


async def send_notice(
    db: asyncpg.Connection,
    seller: Seller,
    subscription: Subscription,
    kind: NoticeKind,
    about: str,
    today: datetime.date,
    facts: Mapping[str, object],
) -> bool:
    """False if it was sent before. In the caller's transaction. Without an e-mail address it waits to be posted."""
    customer = await find_customer(db, subscription.account_id)
    step = subscription.step(today)
    subject = SUBJECTS[kind].format(step.product)
    body = render(kind.value, {**_common(seller, subscription, customer, today), **facts})
    address = customer.email if customer is not None else ""
    has_mail = is_mail_address(address)
    notice_id = await db.fetchval(
        "INSERT INTO subscription_notices (subscription_id, kind, about, sent_on, way, address, subject, body)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING id",
        subscription.id,
        kind.value,
        about,
        today,
        "mail" if has_mail else "post",
        address if has_mail else _postal(customer),
        subject,
        body,
    )
    if notice_id is None:
        return False
    if has_mail:
        key = f"subscription/{subscription.id}/{kind}/{about}"
        await queue_mail(db, key=key, to=address, subject=subject, text=body)
    return True


def end_of_contract_facts(
    subscription: Subscription,
    others: Sequence[Subscription],
    products: Sequence[Product],
    law: ContractLaw,
    today: datetime.date,
) -> dict[str, object]:
    """What the notification has to say, beside what every text says."""
    last = subscription.term_ends_on - _DAY
    leaving = Ending(0, EndReason.NOTICE, today, cease_day(subscription, EndReason.NOTICE, written_on=today))
    costs = quote(subscription, leaving)
    return {
        "last_day": words(last),
        "price_now": _price(subscription, today),
        "price_after": _price(subscription, subscription.term_ends_on),
        "early_termination": format_pounds(costs.early_termination_micros)
        if costs.early_termination_micros
        else "",
        "early_day": words(leaving.ceases_on),
        "free_from": words(
            subscription.term_ends_on - datetime.timedelta(days=subscription.terms.notice_days)
        ),
        "can_renew": subscription.terms.renewal is Renewal.NEW_TERM,
        "others": _others(subscription, others, today),
        "offers": _offers(subscription, products, law, today),
    }


def best_tariff_facts(
    subscription: Subscription,
    others: Sequence[Subscription],
    products: Sequence[Product],
    law: ContractLaw,
    today: datetime.date,
) -> dict[str, object]:
    return {
        "term_ended": f" any more: it ended on {words(subscription.term_ends_on - _DAY)}"
        if subscription.terms.min_term_months
        else "",
        "price_now": _price(subscription, today),
        "others": _others(subscription, others, today),
        "offers": _offers(subscription, products, law, today),
    }


def _common(
    seller: Seller, subscription: Subscription, customer: Customer | None, today: datetime.date
) -> dict[str, object]:
    step = subscription.step(today)
    following = [(later.first, later.price_micros) for later in subscription.steps if later.first > today]
    return {
        "name": customer.name if customer is not None and customer.name else subscription.account,
        "account": subscription.account,
        "service_line": _service(step, subscription.label),
        "each": ", each" if step.quantity > 1 else "",
        "included": [_included(included, step.quantity) for included in step.included],
        "vat": VAT_WORDS[subscription.vat],
        "prices": price_lines(step.price_micros, following, subscription.terms.billing_period)
        if following
        else [],
        "notice_days": subscription.terms.notice_days,
        "seller": seller.name,
        "seller_email": seller.email,
        "seller_phone": seller.phone,
        "seller_address": list(seller.address),
    }


def _included(included: Included, quantity: int) -> str:
    each = " each" if quantity > 1 else ""
    return f"{included.seconds // 60} minutes{each} to {', '.join((*included.groups, *included.prefixes))}"


def _service(step: Step, label: str) -> str:
    """ "Line rental, 2 of them (01632 960123)"."""
    many = f", {step.quantity} of them" if step.quantity > 1 else ""
    return f"{step.product}{many}{f' ({label})' if label else ''}"


def _price(subscription: Subscription, day: datetime.date) -> str:
    step = subscription.step(day)
    many = f" each, {format_pounds(step.fee_micros)} together" if step.quantity > 1 else ""
    vat = VAT_WORDS[subscription.vat]
    return f"{format_pounds(step.price_micros)}{many} a {subscription.terms.billing_period}, {vat}"


def _others(subscription: Subscription, others: Sequence[Subscription], today: datetime.date) -> list[str]:
    return [
        f"{other.step(today).product}{f' ({other.label})' if other.label else ''}: "
        + (
            f"minimum term until {words(other.term_ends_on - _DAY)}"
            if other.is_in_term(today)
            else "no minimum term"
        )
        for other in others
        if other.id != subscription.id and other.state is State.ACTIVE
    ]


def _offers(
    subscription: Subscription, products: Sequence[Product], law: ContractLaw, today: datetime.date
) -> list[str]:
    own = next((product for product in products if product.id == subscription.step(today).product_id), None)
    if own is None:
        return []
    found = best_offers(
        products, own, subscription.kind, subscription.vat, today, law.consumer_term_months_max
    )
    return [
        f"{offer.title}: {format_pounds(offer.price_at(today, subscription.vat) or 0)} a {offer.terms.billing_period}"
        f" {VAT_WORDS[subscription.vat]}, {_term_words(offer.terms.min_term_months)}"
        for offer in found[:OFFERS_MAX]
    ]


def _term_words(months: int) -> str:
    return "no minimum term" if not months else f"minimum term {months} month{'s' if months > 1 else ''}"


def _postal(customer: Customer | None) -> str:
    return ", ".join((customer.name, *customer.address)) if customer is not None else ""
