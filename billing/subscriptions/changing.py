"""A customer's own changes: another product, another quantity, from a day on, also in the middle of a period.

The days before are charged as they were, those from then on at the new price; what was paid in advance is set off.
"""

import datetime

import asyncpg

from billing.subscriptions import rows
from billing.subscriptions.charging import charge, correct
from billing.subscriptions.grants import ACCOUNT_BUNDLES, Bundles, check_included, renew_included
from billing.subscriptions.months import words
from billing.subscriptions.products import QUANTITY_MAX, find_product
from billing.subscriptions.selling import insert_steps, stated_prices
from billing.subscriptions.subscription import State, Subscription
from provisioning.problems import InvalidValue, Refused, shown


async def change(
    db: asyncpg.Connection,
    subscription_id: int,
    *,
    today: datetime.date,
    first: datetime.date,
    product: str | None = None,
    quantity: int | None = None,
    is_agreed: bool = False,
    bundles: Bundles = ACCOUNT_BUNDLES,
) -> Subscription:
    """From `first` on another product, quantity, or both. Whoever is in a minimum term pays no less than they agreed
    to, unless the provider agrees (`is_agreed`). Raises Refused and InvalidValue."""
    async with db.transaction():
        subscription = await rows.lock(db, subscription_id)
        if subscription.state is not State.ACTIVE:
            raise Refused(f"subscription {subscription_id} is {subscription.state}")
        if first < max(today, subscription.starts_on):
            raise InvalidValue("day", words(first), "today or later, and not before the service begins")
        if quantity is not None and not 1 <= quantity <= QUANTITY_MAX:
            raise InvalidValue("quantity", str(quantity), f"1 to {QUANTITY_MAX}")
        await charge(db, subscription_id, today, bundles=bundles)
        if product is not None:
            await _change_product(db, subscription, product, quantity, first)
        elif quantity is not None:
            await _change_quantity(db, subscription_id, quantity, first)
        else:
            raise InvalidValue("change", "nothing", "another product, another quantity, or both")
        changed = await rows.find(db, subscription_id)
        check_included(changed.step(first).included, changed.step(first).quantity)
        is_less = changed.step(first).fee_micros < subscription.step(first).fee_micros
        if is_less and subscription.is_in_term(first) and not is_agreed:
            last = words(subscription.term_ends_on - datetime.timedelta(days=1))
            raise Refused(
                f"it would cost less within the minimum term, which lasts until {last}: to be agreed"
            )
        await correct(db, subscription_id, first)
        await renew_included(db, bundles, changed, today)
        return await rows.find(db, subscription_id)


async def _change_product(
    db: asyncpg.Connection, subscription: Subscription, name: str, quantity: int | None, first: datetime.date
) -> None:
    product = await find_product(db, name)
    if product.is_withdrawn:
        raise Refused(f"product {shown(product.name)} is not sold any more")
    if product.terms.billing_period is not subscription.terms.billing_period:
        raise Refused(
            f"product {shown(product.name)} is charged by the {product.terms.billing_period}, the contract by the"
            f" {subscription.terms.billing_period}: it needs a contract of its own"
        )
    many = subscription.step(first).quantity if quantity is None else quantity
    await db.execute(
        "DELETE FROM subscription_steps WHERE subscription_id = $1 AND from_day >= $2", subscription.id, first
    )
    prices = stated_prices(product, first, subscription.vat)
    await insert_steps(db, subscription.id, product, many, prices, "change")


async def _change_quantity(
    db: asyncpg.Connection, subscription_id: int, quantity: int, first: datetime.date
) -> None:
    """A step of its own from that day on, and the same for the prices that follow."""
    await db.execute(
        "INSERT INTO subscription_steps (subscription_id, from_day, product_id, quantity, price_micros, origin,"
        " included)"
        " SELECT subscription_id, $2, product_id, $3, price_micros, 'change', included FROM subscription_steps"
        " WHERE subscription_id = $1 AND from_day <= $2 ORDER BY from_day DESC LIMIT 1"
        " ON CONFLICT (subscription_id, from_day) DO NOTHING",
        subscription_id,
        first,
        quantity,
    )
    await db.execute(
        "UPDATE subscription_steps SET quantity = $3 WHERE subscription_id = $1 AND from_day >= $2",
        subscription_id,
        first,
        quantity,
    )
