"""Subscriptions as operators look at them: with their charges, endings, changes and notices."""

import datetime

import asyncpg
import msgspec

from billing.subscriptions import rows
from billing.subscriptions.subscription import Subscription
from billing.subscriptions.terminating import AskedEnding, find_ending
from provisioning.problems import Refused, shown

CHARGES_SHOWN = 24  # two years of months; the ledger has all of them
LISTED_MAX = 10_000


class ChargeView(msgspec.Struct, frozen=True):
    """A period, a correction, a set-up or an early end. `amount_micros` positive: charged."""

    what: str
    period_from: datetime.date
    period_to: datetime.date
    amount_micros: int
    words: str
    ledger_id: int | None


class NoticeView(msgspec.Struct, frozen=True):
    """`posted_on`: a letter that somebody has posted. A mail's way is on record with the mails."""

    id: int
    subscription_id: int
    account: str
    kind: str
    about: str
    sent_on: datetime.date
    way: str
    address: str
    subject: str
    body: str
    posted_on: datetime.date | None


class SubscriptionDetails(msgspec.Struct, frozen=True):
    """The latest charge first."""

    subscription: Subscription
    ending: AskedEnding | None
    charges: list[ChargeView]
    notices: list[NoticeView]


async def list_subscriptions(
    db: asyncpg.Connection, account: str = "", *, has_ended: bool = False
) -> list[Subscription]:
    """Of one account, or of all."""
    if account:
        account_id = await db.fetchval(
            "SELECT id FROM accounts WHERE lower(name) = lower($1)", account if account.isprintable() else ""
        )
        if account_id is None:
            raise Refused(f"there is no account {shown(account)}")
        found = await rows.of_account(db, account_id)
    else:
        found = await rows.every(db)
    return [one for one in found if has_ended or one.state == "active"][:LISTED_MAX]


async def show_subscription(db: asyncpg.Connection, subscription_id: int) -> SubscriptionDetails:
    charges = await db.fetch(
        "SELECT what, period_from, period_to, amount_micros, words, ledger_id FROM subscription_charges"
        " WHERE subscription_id = $1 ORDER BY id DESC LIMIT $2",
        subscription_id,
        CHARGES_SHOWN,
    )
    return SubscriptionDetails(
        subscription=await rows.find(db, subscription_id),
        ending=await find_ending(db, subscription_id),
        charges=[ChargeView(**dict(row)) for row in charges],
        notices=await list_notices(db, subscription_id=subscription_id),
    )


async def list_notices(
    db: asyncpg.Connection, *, subscription_id: int | None = None, is_unposted_only: bool = False
) -> list[NoticeView]:
    """The latest first."""
    found = await db.fetch(
        "SELECT n.id, n.subscription_id, a.name AS account, n.kind, n.about, n.sent_on, n.way, n.address, n.subject,"
        " n.body, n.posted_on FROM subscription_notices n JOIN subscriptions s ON s.id = n.subscription_id"
        " JOIN accounts a ON a.id = s.account_id"
        " WHERE ($1::integer IS NULL OR n.subscription_id = $1)"
        " AND (NOT $2 OR (n.way = 'post' AND n.posted_on IS NULL)) ORDER BY n.id DESC LIMIT $3",
        subscription_id,
        is_unposted_only,
        LISTED_MAX,
    )
    return [NoticeView(**dict(row)) for row in found]


async def mark_posted(db: asyncpg.Connection, notice_id: int, day: datetime.date) -> None:
    """Somebody has posted the letter. Raises Refused where there is none."""
    found = await db.fetchval(
        "UPDATE subscription_notices SET posted_on = coalesce(posted_on, $2) WHERE id = $1 AND way = 'post'"
        " RETURNING id",
        notice_id,
        day,
    )
    if found is None:
        raise Refused(f"there is no letter {notice_id} to be posted")
