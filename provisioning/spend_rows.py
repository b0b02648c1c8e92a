"""What accounts have been charged today and this month, as PostgreSQL keeps it beside the ledger."""

import asyncpg

from provisioning.model import AccountSpend
from rating.london_day import month_of

_SPENDS = """
    SELECT m.account_id, t.today, coalesce(d.micros, 0) AS day_micros, m.micros AS month_micros
    FROM (SELECT (now() AT TIME ZONE 'Europe/London')::date AS today) t
    JOIN account_spends m ON m.kind = 'month' AND m.since = date_trunc('month', t.today)::date
    LEFT JOIN account_spends d ON d.kind = 'day' AND d.since = t.today AND d.account_id = m.account_id
    ORDER BY m.account_id
"""


async def load_spends(db: asyncpg.Connection) -> list[AccountSpend]:
    """Of those that have been charged anything this month."""
    return [
        AccountSpend(
            account_id=row["account_id"],
            day=row["today"].toordinal(),
            day_micros=row["day_micros"],
            month=month_of(row["today"].toordinal()),
            month_micros=row["month_micros"],
        )
        for row in await db.fetch(_SPENDS)
    ]
