"""The daily work of payments: Direct Debits. `run_due` may be run whenever and however often, and killed anywhere."""

import datetime
from collections.abc import Mapping

import asyncpg

from billing.conf import BillingConf
from billing.payments.direct_debit import follow, hand_in
from billing.payments.direct_debit_notices import announce
from billing.payments.payment import GOCARDLESS
from billing.payments.provider import Provider


async def run_due(
    db: asyncpg.Pool, conf: BillingConf, today: datetime.date, *, providers: Mapping[str, Provider]
) -> list[str]:
    """What was done, a line each. Without GoCardless in use nothing is announced: it could not be collected."""
    provider = providers.get(GOCARDLESS)
    if provider is None:
        return []
    said = await follow(db, conf, provider, today)
    said += await announce(db, conf, today)
    said += await hand_in(db, conf, provider, today)
    return said
