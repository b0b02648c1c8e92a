"""Subscriptions for tests without a database, and what tests with one put into the books."""

import datetime
from typing import Any

import asyncpg
import msgspec

from billing.conf_subscriptions import PLAIN, SubscriptionsConf
from billing.customers import CustomerKind
from billing.subscriptions import rows
from billing.subscriptions.ending import Quote
from billing.subscriptions.products import Amounts, DatedPrice, Product, add_product
from billing.subscriptions.selling import Order, sell
from billing.subscriptions.steps import Step
from billing.subscriptions.subscription import State, Subscription
from billing.subscriptions.terminating import ask_end, store_evidence
from billing.subscriptions.terms import Terms
from provisioning import service
from provisioning.model import AccountKind
from rating.money import VatMode
from tests.billing.books import CONF as BILLING

POUND = 1_000_000
CONF: SubscriptionsConf = PLAIN


def day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


def pounds(amount: float) -> int:
    return round(amount * 100) * 10_000


def subscription(
    starts_on: str = "2026-01-01",
    *,
    price: float = 30,
    steps: tuple[Step, ...] = (),
    terms: Terms | None = None,
    **changes: Any,
) -> Subscription:
    """As sold on the day on which it starts, charged for its first period."""
    start = day(starts_on)
    held = terms if terms is not None else Terms()
    from billing.subscriptions.months import months_after  # noqa: PLC0415

    made = Subscription(
        id=1,
        account_id=1,
        account="Shop",
        account_kind=AccountKind.PREPAID,
        vat=VatMode.INC_VAT,
        product_id=1,
        label="",
        setup_micros=0,
        kind=CustomerKind.CONSUMER,
        terms=held,
        sold_on=start,
        starts_on=start,
        provided_on=start,
        told_on=start,
        is_at_distance=True,
        wants_early_start=True,
        term_ends_on=months_after(start, held.min_term_months),
        charged_until=start,
        unpaid_since=None,
        state=State.ACTIVE,
        steps=steps or (Step(start, "Line", 1, pounds(price)),),
        ending=None,
    )
    made = msgspec.structs.replace(made, charged_until=made.rhythm.at(start).end)
    return msgspec.structs.replace(made, **changes)


async def customer(
    db: asyncpg.Pool,
    name: str = "Shop",
    *,
    kind: CustomerKind = CustomerKind.CONSUMER,
    vat: VatMode = VatMode.INC_VAT,
    is_postpaid: bool = False,
    credit: float = 1000,
    email: str = "shop@example.com",
) -> int:
    """An account with a customer."""
    view = await service.add_account(
        db,
        name,
        kind=AccountKind.POSTPAID if is_postpaid else AccountKind.PREPAID,
        vat=vat,
        tariff="retail",
        credit_limit_micros=1000 * POUND if is_postpaid else 0,
        opening_credit_micros=pounds(credit),
    )
    await db.execute(
        "INSERT INTO customers (account_id, kind, contact, address, email)"
        " VALUES ($1, $2, 'A Customer', '{1 Example Street,EX1 1EX}', $3)",
        view.account.id,
        kind.value,
        email,
    )
    return view.account.id


async def product(
    db: asyncpg.Pool,
    name: str = "line",
    *,
    price: float = 30,
    ex_vat: float | None = 25,
    since: str = "2020-01-01",
    title: str = "Line rental",
    family: str = "line",
    setup: float | None = None,
    **terms: Any,
) -> Product:
    amounts = Amounts(pounds(price), None if ex_vat is None else pounds(ex_vat))
    async with db.acquire() as connection:
        return await add_product(
            connection,
            name,
            title=title,
            family=family,
            terms=Terms(**terms),
            price=DatedPrice(day(since), amounts),
            setup=None if setup is None else Amounts(pounds(setup), pounds(setup)),
        )


async def sold(
    db: asyncpg.Pool, starts_on: str, *, account: str = "Shop", name: str = "line", **order: Any
) -> int:
    """The id of a subscription sold on the day on which it starts."""
    async with db.acquire() as connection:
        wanted = Order(
            **{
                "account": account,
                "product": name,
                "sold_on": day(starts_on),
                "starts_on": day(starts_on),
                "told_on": day(starts_on),
                **order,
            }
        )
        return (await sell(connection, CONF, wanted)).id


async def leaves(
    db: asyncpg.Connection, subscription_id: int, on: str, *, by: str = "email", evidence: str, **asked: Any
) -> Quote:
    """A customer asks for the end, and it is on record in writing the same day."""
    await ask_end(db, subscription_id, asked_on=day(on), asked_by=by, **asked)
    return await store_evidence(
        db, BILLING.seller, subscription_id, written_on=day(on), evidence=evidence, today=day(on)
    )


async def found(db: asyncpg.Pool, subscription_id: int) -> Subscription:
    async with db.acquire() as connection:
        return await rows.find(connection, subscription_id)


async def movements(db: asyncpg.Pool, *, without: str = "top_up") -> list[tuple[str, int, str]]:
    """Kind, micros and words of all that was posted, in order."""
    found = await db.fetch(
        "SELECT kind, amount_micros, memo FROM ledger WHERE kind <> $1 ORDER BY id", without
    )
    return [(row["kind"], row["amount_micros"], row["memo"]) for row in found]


async def balance(db: asyncpg.Pool, account_id: int) -> int:
    return int(
        await db.fetchval("SELECT balance_micros FROM account_balances WHERE account_id = $1", account_id)
    )
