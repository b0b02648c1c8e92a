"""What is due on a day: periods to charge, ends, notices. Run it whenever and however often: it does each thing once.

Each subscription is a transaction of its own. Killed anywhere, the next run goes on; after days of absence everything
is charged for its own days, and what should have been told is told late, and said to be late.
"""

import datetime
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from billing.conf import BillingConf
from billing.conf_subscriptions import ContractLaw
from billing.dated import NothingYet
from billing.subscriptions import rows
from billing.subscriptions.charging import charge
from billing.subscriptions.grants import ACCOUNT_BUNDLES, Bundles
from billing.subscriptions.months import words
from billing.subscriptions.notices import (
    NoticeKind,
    best_tariff_day,
    best_tariff_facts,
    end_notice_due,
    end_notice_window,
    end_of_contract_facts,
    send_notice,
)
from billing.subscriptions.products import Product, list_products
from billing.subscriptions.terminating import finish
from provisioning.problems import ProvisioningProblem

# What is wrong with one subscription stops that one alone.
_ONES_OWN: Final = (
    ProvisioningProblem,
    NothingYet,
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
)
_DAYS_PER_MONTH_MIN: Final = 28
# So long after a change of a subscription a run sees to its bundles. The next period does it anyhow.
CHANGES_LOOKED_BACK_DAYS: Final = 40


async def run_due(
    db: asyncpg.Pool, conf: BillingConf, today: datetime.date, *, bundles: Bundles = ACCOUNT_BUNDLES
) -> list[str]:
    """A line for everything that was done, and for everything that could not be."""
    async with db.acquire() as connection:
        to_charge = await connection.fetch(
            "SELECT s.id FROM subscriptions s LEFT JOIN subscription_endings e"
            " ON e.subscription_id = s.id AND e.state = 'effective'"
            " WHERE s.state = 'active' AND (s.charged_until <= $1 OR e.ceases_on <= $2"
            " OR EXISTS (SELECT 1 FROM subscription_steps t WHERE t.subscription_id = s.id AND t.origin = 'change'"
            " AND t.from_day <= $1 AND t.from_day > $3)) ORDER BY s.id",
            today + datetime.timedelta(days=1),
            today,
            today - datetime.timedelta(days=CHANGES_LOOKED_BACK_DAYS),
        )

        async def settle(subscription_id: int) -> list[str]:
            done = await charge(connection, subscription_id, today, bundles=bundles)
            return done + await finish(connection, subscription_id, today, bundles=bundles)

        lines = await _each(connection, [row["id"] for row in to_charge], settle)
        return lines + await send_notices(connection, conf, today)


async def send_notices(connection: asyncpg.Connection, conf: BillingConf, today: datetime.date) -> list[str]:
    """Those that are due: ends of contracts, and the yearly best tariffs."""
    law = conf.subscriptions.law.at(today)
    candidates = await connection.fetch(
        "SELECT s.id FROM subscriptions s WHERE s.state = 'active' AND ("
        " (s.term_ends_on > $1 AND s.term_ends_on <= $2 AND NOT EXISTS (SELECT 1 FROM subscription_notices n"
        "   WHERE n.subscription_id = s.id AND n.kind = 'end_of_contract' AND n.about = s.term_ends_on::text))"
        " OR (s.term_ends_on <= $3 AND NOT EXISTS (SELECT 1 FROM subscription_notices n"
        "   WHERE n.subscription_id = s.id AND n.kind = 'best_tariff' AND n.about > $4))) ORDER BY s.id",
        today,
        today + datetime.timedelta(days=law.end_notice_earliest_days + 1),
        _months_before(today, law),
        _months_before(today, law).isoformat(),
    )
    if not candidates:
        return []
    products = await list_products(connection)

    async def tell(subscription_id: int) -> list[str]:
        return await _tell(connection, conf, products, subscription_id, today)

    return await _each(connection, [row["id"] for row in candidates], tell)


async def _each(
    connection: asyncpg.Connection, ids: list[int], work: Callable[[int], Awaitable[list[str]]]
) -> list[str]:
    lines: list[str] = []
    for subscription_id in ids:
        try:
            async with connection.transaction():
                lines += await work(subscription_id)
        except _ONES_OWN as problem:
            lines.append(f"subscription {subscription_id} is left as it is: {problem}")
    return lines


async def _tell(
    connection: asyncpg.Connection,
    conf: BillingConf,
    products: list[Product],
    subscription_id: int,
    today: datetime.date,
) -> list[str]:
    subscription = await rows.lock(connection, subscription_id)
    law = conf.subscriptions.law.at(today)
    others = await rows.of_account(connection, subscription.account_id)
    facts: dict[str, object]
    if end_notice_due(subscription, law, today):
        kind, about = NoticeKind.END_OF_CONTRACT, subscription.term_ends_on
        facts = end_of_contract_facts(subscription, others, products, law, today)
        latest = end_notice_window(subscription.term_ends_on, law)[1]
        late = f", late: it was due by {words(latest)}" if today > latest else ""
    elif (day := best_tariff_day(subscription, law, today)) is not None:
        kind, about, late = NoticeKind.BEST_TARIFF, day, ""
        facts = best_tariff_facts(subscription, others, products, law, today)
    else:
        return []
    was_sent = await send_notice(connection, conf.seller, subscription, kind, about.isoformat(), today, facts)
    return [f"{subscription.account}: told of {kind.replace('_', ' ')}{late}"] if was_sent else []


def _months_before(today: datetime.date, law: ContractLaw) -> datetime.date:
    """Whoever may be due is among them: a month is taken at its shortest."""
    return today - datetime.timedelta(days=law.best_tariff_months * _DAYS_PER_MONTH_MIN)
