"""A sale: a product on an account, with the terms and the prices that were stated, kept from then on."""

import datetime
from typing import Final

import asyncpg
import msgspec

from billing.conf_subscriptions import SubscriptionsConf
from billing.customers import find_customer
from billing.subscriptions import rows
from billing.subscriptions.grants import check_included
from billing.subscriptions.months import months_after, words
from billing.subscriptions.products import QUANTITY_MAX, Product, find_product
from billing.subscriptions.subscription import Subscription
from billing.subscriptions.terms import TERM_MONTHS_MAX, Terms, check_sale, check_terms
from provisioning.problems import InvalidValue, Refused, shown
from rating.money import VatMode

LABEL_CHARS_MAX: Final = 80
KEY_CHARS_MAX: Final = 200
# Further ahead than anybody orders; a slip in the year is caught.
START_DAYS_MAX: Final = 366


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed. `starts_on`: the first day that is charged. `min_term_months` None: the product's.

    `key`: an order with the same key is the same order, and is not sold twice.
    """

    account: str
    product: str
    sold_on: datetime.date
    starts_on: datetime.date
    quantity: int = 1
    label: str = ""
    min_term_months: int | None = None
    told_on: datetime.date | None = None
    is_at_distance: bool = True
    wants_early_start: bool = False
    is_provided: bool = True
    key: str | None = None


async def sell(db: asyncpg.Connection, conf: SubscriptionsConf, order: Order) -> Subscription:
    """The new subscription, or the one that an order with this key has made. Nothing is charged yet: charging does.

    Raises Refused for what may not be sold, InvalidValue for what can never be right.
    """
    _check(order)
    async with db.transaction():
        account = await db.fetchrow(
            "SELECT id, name, vat FROM accounts WHERE lower(name) = lower($1) FOR NO KEY UPDATE",
            order.account,
        )
        if account is None:
            raise Refused(f"there is no account {shown(order.account)}")
        if order.key is not None and (earlier := await _earlier(db, order, account["id"])) is not None:
            return earlier
        customer = await find_customer(db, account["id"])
        if customer is None:
            raise Refused(
                f"account {shown(order.account)} has no customer: what may be sold depends on who it is"
                " (`offhook customer set`)"
            )
        product = await find_product(db, order.product)
        if product.is_withdrawn:
            raise Refused(f"product {shown(product.name)} is not sold any more")
        terms = _terms(product, order)
        check_sale(terms, customer.kind, conf.law.at(order.sold_on))
        check_included(terms.included, order.quantity)
        vat = VatMode(account["vat"])
        setup = (product.setup.of(vat) or 0) * order.quantity
        subscription_id = await _insert(db, order, account["id"], customer.kind, product, terms, setup)
        prices = stated_prices(product, order.starts_on, vat)
        await insert_steps(db, subscription_id, product, order.quantity, prices, "sale")
        return await rows.find(db, subscription_id)


async def provide(db: asyncpg.Connection, subscription_id: int, day: datetime.date) -> Subscription:
    """The service was provided: from then on the provider's own right to cancel is gone."""
    await rows.lock(db, subscription_id)
    await db.execute("UPDATE subscriptions SET provided_on = $2 WHERE id = $1", subscription_id, day)
    return await rows.find(db, subscription_id)


async def tell_of_rights(db: asyncpg.Connection, subscription_id: int, day: datetime.date) -> Subscription:
    """They were told of the right to cancel: its days are counted from then (SI 2013/3134 reg 31)."""
    await rows.lock(db, subscription_id)
    await db.execute(
        "UPDATE subscriptions SET told_on = coalesce(told_on, $2) WHERE id = $1", subscription_id, day
    )
    return await rows.find(db, subscription_id)


def stated_prices(product: Product, first: datetime.date, vat: VatMode) -> list[tuple[datetime.date, int]]:
    """The price of the first day, and what is published for later: all of it is stated at the sale, with its dates."""
    return [(first, product.price_or_refuse(first, vat)), *product.prices_after(first, vat)]


async def insert_steps(
    db: asyncpg.Connection,
    subscription_id: int,
    product: Product,
    quantity: int,
    prices: list[tuple[datetime.date, int]],
    origin: str,
) -> None:
    """From each of the days on that price; what was there for one of them is replaced."""
    included = rows.to_json(product.terms.included)
    await db.executemany(
        "INSERT INTO subscription_steps (subscription_id, from_day, product_id, quantity, price_micros, origin,"
        " included) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (subscription_id, from_day) DO UPDATE SET"
        " product_id = excluded.product_id, quantity = excluded.quantity, price_micros = excluded.price_micros,"
        " origin = excluded.origin, included = excluded.included",
        [(subscription_id, first, product.id, quantity, price, origin, included) for first, price in prices],
    )


def _check(order: Order) -> None:
    if not 1 <= order.quantity <= QUANTITY_MAX:
        raise InvalidValue("quantity", str(order.quantity), f"1 to {QUANTITY_MAX}")
    if len(order.label) > LABEL_CHARS_MAX or not order.label.isprintable():
        raise InvalidValue("label", order.label, f"one line of at most {LABEL_CHARS_MAX} characters")
    if order.key is not None and not (0 < len(order.key) <= KEY_CHARS_MAX and order.key.isprintable()):
        raise InvalidValue("key", order.key, f"1 to {KEY_CHARS_MAX} characters")
    if not order.account.isprintable():
        raise Refused(f"there is no account {shown(order.account)}")
    if order.starts_on < order.sold_on:
        raise InvalidValue("start", words(order.starts_on), f"not before the sale on {words(order.sold_on)}")
    if (order.starts_on - order.sold_on).days > START_DAYS_MAX:
        raise InvalidValue("start", words(order.starts_on), "a day within a year of the sale")


def _terms(product: Product, order: Order) -> Terms:
    if order.min_term_months is None:
        return product.terms
    if not 0 <= order.min_term_months <= TERM_MONTHS_MAX:
        raise InvalidValue("minimum term", str(order.min_term_months), f"0 to {TERM_MONTHS_MAX} months")
    return check_terms(msgspec.structs.replace(product.terms, min_term_months=order.min_term_months))


async def _earlier(db: asyncpg.Connection, order: Order, account_id: int) -> Subscription | None:
    row = await db.fetchrow("SELECT id, account_id FROM subscriptions WHERE order_key = $1", order.key)
    if row is None:
        return None
    if row["account_id"] != account_id:
        raise Refused(f"key {shown(order.key or '')} was used for an order of another account")
    return await rows.find(db, row["id"])


async def _insert(
    db: asyncpg.Connection,
    order: Order,
    account_id: int,
    kind: str,
    product: Product,
    terms: Terms,
    setup: int,
) -> int:
    found: int = await db.fetchval(
        "INSERT INTO subscriptions (account_id, product_id, label, customer_kind, terms, sold_on, starts_on,"
        " provided_on, told_on, is_at_distance, wants_early_start, term_ends_on, charged_until, order_key,"
        " setup_micros)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $7, $13, $14) RETURNING id",
        account_id,
        product.id,
        order.label,
        kind,
        rows.to_json(terms),
        order.sold_on,
        order.starts_on,
        order.starts_on if order.is_provided else None,
        order.told_on,
        order.is_at_distance,
        order.wants_early_start,
        months_after(order.starts_on, terms.min_term_months),
        order.key,
        setup,
    )
    return found
