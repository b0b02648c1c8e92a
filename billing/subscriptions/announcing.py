"""Changes that the provider makes to contracts: what is allowed, with which notice, and who may leave for it.

In pounds and pence with dates. A rise in a consumer's minimum term is refused unless it was stated at the sale (there
are no terms here that rise by an index). Whatever is to somebody's detriment needs a month's notice and opens the right
to leave without paying for it, to all customers (GC C1).
"""

import datetime
from typing import Final

import asyncpg
import msgspec

from billing.conf import BillingConf
from billing.conf_subscriptions import ContractLaw
from billing.customers import CustomerKind
from billing.subscriptions import rows
from billing.subscriptions.charging import correct
from billing.subscriptions.months import months_after, words
from billing.subscriptions.notices import NoticeKind, send_notice
from billing.subscriptions.price_words import price_lines
from billing.subscriptions.products import DatedPrice, Product, find_product, set_price
from billing.subscriptions.subscription import State, Subscription
from provisioning.problems import InvalidValue, Refused

TEXT_CHARS_MAX: Final = 2000
_DAY: Final = datetime.timedelta(days=1)


class Change(msgspec.Struct, frozen=True):
    """`exit_until`: the last day on which the customer may leave for it; None: it takes nothing from them."""

    announced_on: datetime.date
    effective_on: datetime.date
    words: str
    exit_until: datetime.date | None


class Announced(msgspec.Struct, frozen=True):
    """What became of an announcement to many: who was told, and who may not be charged more, with the reason."""

    told: list[int]
    refused: list[tuple[int, str]]


def price_change(
    subscription: Subscription,
    price_micros: int,
    law_of_sale: ContractLaw,
    *,
    effective_on: datetime.date,
    announced_on: datetime.date,
) -> Change:
    """Another price for one subscription. Raises Refused where the law does not allow it."""
    old = subscription.step(effective_on)
    following = [(effective_on, price_micros)]
    said = "\n".join(price_lines(old.price_micros, following, subscription.terms.billing_period))
    if price_micros <= old.price_micros:
        return Change(announced_on, effective_on, said, None)
    is_bound = subscription.is_in_term(effective_on)
    if is_bound and subscription.kind is CustomerKind.CONSUMER and law_of_sale.has_stated_rises_only:
        raise Refused(
            f"the minimum term lasts until {words(subscription.term_ends_on - _DAY)}: a consumer's price rises in it"
            " only by what was stated, in pounds and pence and with its date, at the sale"
        )
    return detrimental_change(said, law_of_sale, effective_on=effective_on, announced_on=announced_on)


def detrimental_change(
    said: str, law: ContractLaw, *, effective_on: datetime.date, announced_on: datetime.date
) -> Change:
    """Raises Refused where the notice is too short. They may leave from the notice on until the change."""
    earliest = months_after(announced_on, law.change_notice_months)
    if effective_on < earliest:
        raise Refused(
            f"a change to the customer's detriment needs a month's notice: {words(earliest)} at the earliest"
        )
    return Change(announced_on, effective_on, said, effective_on)


async def announce_price(
    db: asyncpg.Connection,
    conf: BillingConf,
    product_name: str,
    price: DatedPrice,
    today: datetime.date,
) -> Announced:
    """A product's price changes, also for those who have it: each is told, once, or left as it is with the reason.

    Each subscription is a transaction: killed and run again, it goes on with those that were not told.
    """
    product = await find_product(db, product_name)
    await set_price(db, product_name, price, today)
    result = Announced([], [])
    for found in await rows.active_of_product(db, product.id, price.first):
        new = price.price.of(found.vat)
        if new is None:
            result.refused.append((found.id, "no price was given in the account's VAT mode"))
            continue
        try:
            if await _announce_price(db, conf, found.id, product, new, price.first, today):
                result.told.append(found.id)
        except Refused as refused:
            result.refused.append((found.id, str(refused)))
    return result


async def announce_change(
    db: asyncpg.Connection,
    conf: BillingConf,
    subscription_id: int,
    *,
    said: str,
    effective_on: datetime.date,
    today: datetime.date,
    is_detrimental: bool,
) -> Change:
    """Any other change of a contract: on record, and told."""
    if not said.strip() or len(said) > TEXT_CHARS_MAX:
        raise InvalidValue("change", said, f"a text of 1 to {TEXT_CHARS_MAX} characters")
    async with db.transaction():
        subscription = await rows.lock(db, subscription_id)
        if subscription.state is not State.ACTIVE:
            raise Refused(f"subscription {subscription_id} is {subscription.state}")
        law = conf.subscriptions.law.at(subscription.sold_on)
        change = (
            detrimental_change(said, law, effective_on=effective_on, announced_on=today)
            if is_detrimental
            else Change(today, effective_on, said, None)
        )
        change_id = await _insert(db, subscription_id, change, is_price=False)
        facts = _facts(subscription, change)
        await send_notice(
            db, conf.seller, subscription, NoticeKind.CONTRACT_CHANGE, str(change_id), today, facts
        )
        return change


async def _announce_price(
    db: asyncpg.Connection,
    conf: BillingConf,
    subscription_id: int,
    product: Product,
    price_micros: int,
    effective_on: datetime.date,
    today: datetime.date,
) -> bool:
    """False where it does not concern them: they have that price already, another product by then, or have left."""
    async with db.transaction():
        subscription = await rows.lock(db, subscription_id)
        old = subscription.step(effective_on)
        ending = subscription.ending
        if (
            old.product_id != product.id
            or old.price_micros == price_micros
            or effective_on < subscription.starts_on
            or (ending is not None and ending.ceases_on <= effective_on)
        ):
            return False
        law = conf.subscriptions.law.at(subscription.sold_on)
        change = price_change(subscription, price_micros, law, effective_on=effective_on, announced_on=today)
        await db.execute(
            "INSERT INTO subscription_steps (subscription_id, from_day, product_id, quantity, price_micros, origin,"
            " included) VALUES ($1, $2, $3, $4, $5, 'announced', $6) ON CONFLICT (subscription_id, from_day)"
            " DO UPDATE SET price_micros = excluded.price_micros, origin = excluded.origin",
            subscription_id,
            effective_on,
            product.id,
            old.quantity,
            price_micros,
            rows.to_json(old.included),
        )
        await correct(db, subscription_id, effective_on)
        change_id = await _insert(db, subscription_id, change, is_price=True)
        facts = _facts(subscription, change)
        await send_notice(
            db, conf.seller, subscription, NoticeKind.PRICE_CHANGE, str(change_id), today, facts
        )
        return True


async def _insert(db: asyncpg.Connection, subscription_id: int, change: Change, *, is_price: bool) -> int:
    found: int = await db.fetchval(
        "INSERT INTO subscription_changes"
        " (subscription_id, announced_on, effective_on, words, is_detrimental, exit_until, is_price)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        subscription_id,
        change.announced_on,
        change.effective_on,
        change.words,
        change.exit_until is not None,
        change.exit_until,
        is_price,
    )
    return found


def _facts(subscription: Subscription, change: Change) -> dict[str, object]:
    return {
        "change_lines": change.words.split("\n"),
        "effective_on": words(change.effective_on),
        "exit_until": words(change.exit_until) if change.exit_until is not None else "",
        "in_term": ", although its minimum term has not ended"
        if subscription.is_in_term(change.effective_on)
        else "",
    }
