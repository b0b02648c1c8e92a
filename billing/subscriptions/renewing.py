"""A new minimum term: only for contracts that offer one, and only with a consent that is kept."""

import datetime
from typing import Final

import asyncpg

from billing.conf_subscriptions import SubscriptionsConf
from billing.customers import CustomerKind
from billing.subscriptions import rows
from billing.subscriptions.months import months_after
from billing.subscriptions.subscription import State, Subscription
from billing.subscriptions.terms import TERM_MONTHS_MAX, Renewal
from provisioning.problems import InvalidValue, Refused

CONSENT_CHARS_MAX: Final = 500


async def renew(
    db: asyncpg.Connection,
    conf: SubscriptionsConf,
    subscription_id: int,
    *,
    months: int,
    agreed_on: datetime.date,
    consent: str,
) -> Subscription:
    """From the end of the term, or from the day of the consent where it has passed. `consent`: where it is kept."""
    if not consent.strip() or len(consent) > CONSENT_CHARS_MAX or not consent.isprintable():
        raise InvalidValue(
            "consent", consent, "where the customer's consent is kept: without it there is no new term"
        )
    if not 1 <= months <= TERM_MONTHS_MAX:
        raise InvalidValue("term", str(months), f"1 to {TERM_MONTHS_MAX} months")
    async with db.transaction():
        subscription = await rows.lock(db, subscription_id)
        if subscription.state is not State.ACTIVE or subscription.ending is not None:
            raise Refused(f"subscription {subscription_id} has ended or is about to")
        if subscription.terms.renewal is not Renewal.NEW_TERM:
            raise Refused("the contract goes on without a minimum term: it offers no new one")
        most = conf.law.at(agreed_on).consumer_term_months_max
        if subscription.kind is CustomerKind.CONSUMER and months > most:
            raise Refused(f"a consumer's term lasts at most {most} months (GC C1), not {months}")
        starts_on = max(subscription.term_ends_on, agreed_on)
        await db.execute(
            "INSERT INTO subscription_renewals (subscription_id, agreed_on, starts_on, months, consent)"
            " VALUES ($1, $2, $3, $4, $5)",
            subscription_id,
            agreed_on,
            starts_on,
            months,
            consent,
        )
        await db.execute(
            "UPDATE subscriptions SET term_ends_on = $2 WHERE id = $1",
            subscription_id,
            months_after(starts_on, months),
        )
        return await rows.find(db, subscription_id)
