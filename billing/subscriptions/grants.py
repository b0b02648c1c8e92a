"""The bundles that a product includes: each period brings its own, from its first day to its last.

They are granted a day ahead, so that there is no gap at midnight, and ended with the service.
"""

import datetime
from collections.abc import Sequence
from typing import Final, Protocol

import asyncpg

from billing.subscriptions.periods import Period
from billing.subscriptions.steps import Stretch, stretches_of
from billing.subscriptions.subscription import Subscription
from billing.subscriptions.terms import Included
from provisioning.bundles import Grant, check_grant, end_bundle, grant


class Bundles(Protocol):
    """Who keeps the bundles of accounts. Both in the caller's transaction."""

    async def grant(self, db: asyncpg.Connection, account_id: int, wanted: Grant, *, key: str) -> int:
        """The bundle's id. The same key gives it once."""

    async def end(self, db: asyncpg.Connection, bundle_id: int) -> None:
        """Nothing more is drawn from it. Twice is once."""


class AccountBundles:
    """The bundles of the switch (`provisioning/bundles.py`)."""

    async def grant(self, db: asyncpg.Connection, account_id: int, wanted: Grant, *, key: str) -> int:
        return (await grant(db, account_id, wanted, key=key)).bundle_id

    async def end(self, db: asyncpg.Connection, bundle_id: int) -> None:
        await end_bundle(db, bundle_id)


ACCOUNT_BUNDLES: Final = AccountBundles()
_DAY: Final = datetime.timedelta(days=1)
_MINUTE: Final = 60


def granted_for(included: Included, *, seconds: int, first: datetime.date, end: datetime.date) -> Grant:
    """What some days bring. What is carried over lives for as long again."""
    return Grant(
        name=included.bundle,
        first=first,
        end=end,
        seconds=seconds,
        groups=included.groups,
        prefixes=included.prefixes,
        carry_until=end + (end - first) if included.carries_over else None,
        carry_max_s=seconds if included.carries_over else 0,
    )


def seconds_of(included: Included, stretch: Stretch, period: Period) -> int:
    """In proportion to the days, as the price is, up to a whole minute."""
    days = (stretch.end - stretch.first).days
    seconds = included.seconds * stretch.step.quantity
    if days == period.days:
        return seconds
    return -(-seconds * days // (period.days * _MINUTE)) * _MINUTE


def check_included(included: Sequence[Included], quantity: int) -> None:
    """Raises InvalidValue for what cannot be granted: at the sale, and not with the first charge."""
    first = datetime.date(2000, 1, 1)  # any days will do
    end = first + datetime.timedelta(days=31)
    for one in included:
        check_grant(granted_for(one, seconds=one.seconds * quantity, first=first, end=end))


async def grant_included(
    db: asyncpg.Connection,
    bundles: Bundles,
    subscription: Subscription,
    period: Period,
    *,
    since: datetime.date,
    today: datetime.date,
) -> None:
    """The bundles of a period's days that are not over and that have begun or begin tomorrow, once."""
    until = subscription.served_to(period)
    for stretch in stretches_of(period, subscription.steps, since=since, until=until):
        if stretch.end <= today or stretch.first > today + _DAY:
            continue
        for included in stretch.step.included:
            if not await _is_granted(db, subscription.id, stretch.first, included.bundle):
                await _grant(db, bundles, subscription, period, stretch, included)


async def renew_included(
    db: asyncpg.Connection, bundles: Bundles, subscription: Subscription, today: datetime.date
) -> None:
    """After a change in the middle of a period: what was there before ends, and what there is now begins."""
    period = subscription.rhythm.at(today)
    if period.first >= subscription.charged_until:
        return
    until = subscription.served_to(period)
    for stretch in stretches_of(period, subscription.steps, since=period.first, until=until):
        if not period.first < stretch.first <= today + _DAY:
            continue
        if stretch.first <= today:
            await end_included(db, bundles, subscription.id, stretch.first)
        await grant_included(db, bundles, subscription, period, since=stretch.first, today=today)


async def end_included(
    db: asyncpg.Connection, bundles: Bundles, subscription_id: int, day: datetime.date
) -> None:
    """The bundles that began before that day last no longer; those that would begin later are ended."""
    ended = await db.fetch(
        "UPDATE subscription_bundles SET period_to = greatest(period_from, $2)"
        " WHERE subscription_id = $1 AND period_from < $2 AND period_to > $2 RETURNING bundle_id",
        subscription_id,
        day,
    )
    for row in ended:
        await bundles.end(db, row["bundle_id"])


async def end_all_included(
    db: asyncpg.Connection, bundles: Bundles, subscription_id: int, day: datetime.date
) -> None:
    """The service is over from that day on."""
    await end_included(db, bundles, subscription_id, day)
    for row in await db.fetch(
        "SELECT bundle_id FROM subscription_bundles WHERE subscription_id = $1 AND period_from >= $2",
        subscription_id,
        day,
    ):
        await bundles.end(db, row["bundle_id"])


async def _is_granted(
    db: asyncpg.Connection, subscription_id: int, first: datetime.date, bundle: str
) -> bool:
    return bool(
        await db.fetchval(
            "SELECT EXISTS (SELECT 1 FROM subscription_bundles"
            " WHERE subscription_id = $1 AND period_from = $2 AND bundle = $3)",
            subscription_id,
            first,
            bundle,
        )
    )


async def _grant(
    db: asyncpg.Connection,
    bundles: Bundles,
    subscription: Subscription,
    period: Period,
    stretch: Stretch,
    included: Included,
) -> None:
    seconds = seconds_of(included, stretch, period)
    bundle_id = await bundles.grant(
        db,
        subscription.account_id,
        granted_for(included, seconds=seconds, first=stretch.first, end=stretch.end),
        key=f"subscription:{subscription.id}:{stretch.first.isoformat()}:{included.bundle}",
    )
    await db.execute(
        "INSERT INTO subscription_bundles (subscription_id, period_from, period_to, bundle, bundle_id)"
        " VALUES ($1, $2, $3, $4, $5)",
        subscription.id,
        stretch.first,
        stretch.end,
        included.bundle,
        bundle_id,
    )
