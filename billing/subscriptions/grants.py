"""The bundles that a product includes: each period brings its own, from its first day to its last.

They are granted a day ahead, so that there is no gap at midnight, and ended with the service.
"""

import datetime
from typing import Final, Protocol

import asyncpg

from billing.subscriptions.periods import Period
from billing.subscriptions.subscription import Subscription
from billing.subscriptions.terms import Included


class Bundles(Protocol):
    """Who keeps the bundles of accounts. Both in the caller's transaction."""

    async def grant(
        self,
        db: asyncpg.Connection,
        account_id: int,
        included: Included,
        *,
        quantity: int,
        first: datetime.date,
        end: datetime.date,
        key: str,
    ) -> int:
        """The bundle's id. The same key gives it once."""

    async def end(self, db: asyncpg.Connection, bundle_id: int) -> None:
        """Nothing more is drawn from it. Twice is once."""


class NoBundles:
    """Where nobody keeps any: nothing is granted."""

    async def grant(
        self,
        db: asyncpg.Connection,
        account_id: int,
        included: Included,
        *,
        quantity: int,
        first: datetime.date,
        end: datetime.date,
        key: str,
    ) -> int:
        return 0

    async def end(self, db: asyncpg.Connection, bundle_id: int) -> None:
        pass


NO_BUNDLES: Final = NoBundles()


async def grant_included(
    db: asyncpg.Connection, bundles: Bundles, subscription: Subscription, period: Period, since: datetime.date
) -> None:
    """The bundles of a period, once, from the day on which it is served."""
    for included in subscription.terms.included:
        is_there = await db.fetchval(
            "SELECT EXISTS (SELECT 1 FROM subscription_bundles"
            " WHERE subscription_id = $1 AND period_from = $2 AND bundle = $3)",
            subscription.id,
            period.first,
            included.bundle,
        )
        if is_there:
            continue
        bundle_id = await bundles.grant(
            db,
            subscription.account_id,
            included,
            quantity=subscription.step(since).quantity,
            first=since,
            end=subscription.served_to(period),
            key=f"subscription:{subscription.id}:{period.first.isoformat()}:{included.bundle}",
        )
        await db.execute(
            "INSERT INTO subscription_bundles (subscription_id, period_from, period_to, bundle, bundle_id)"
            " VALUES ($1, $2, $3, $4, $5)",
            subscription.id,
            period.first,
            period.end,
            included.bundle,
            bundle_id,
        )


async def end_included(
    db: asyncpg.Connection, bundles: Bundles, subscription_id: int, day: datetime.date
) -> None:
    """The service is over from that day on: so are bundles that would last longer."""
    for row in await db.fetch(
        "SELECT bundle_id FROM subscription_bundles WHERE subscription_id = $1 AND period_to > $2 ORDER BY 1",
        subscription_id,
        day,
    ):
        await bundles.end(db, row["bundle_id"])
