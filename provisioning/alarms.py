"""Alarms as the books keep them: what the exchange raised, and what an operator cleared. The shipper writes them."""

import asyncpg
import msgspec

from provisioning.problems import InvalidValue
from provisioning.utc import ms_from_time

LIMIT_MAX = 10_000

_LATEST = """
    SELECT m.id, m.account_id, coalesce(a.name, '') AS account, m.rule, m.at, m.words, m.bar_until
    FROM alarms m LEFT JOIN accounts a ON a.id = m.account_id
    WHERE $2 = '' OR lower(a.name) = lower($2)
    ORDER BY m.at DESC, m.id LIMIT $1
"""


class AlarmView(msgspec.Struct, frozen=True):
    """One alarm. `account` is "" where the account is gone; `bar_until_ms` where it was barred for it."""

    id: str
    account_id: int
    account: str
    rule: str
    at_ms: int
    words: str
    bar_until_ms: int | None


async def list_alarms(db: asyncpg.Pool, limit: int, account: str = "") -> list[AlarmView]:
    """The latest first, of all accounts or one. Raises InvalidValue for a limit."""
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidValue("limit", str(limit), f"1 to {LIMIT_MAX}")
    return [
        AlarmView(
            id=row["id"],
            account_id=row["account_id"],
            account=row["account"],
            rule=row["rule"],
            at_ms=ms_from_time(row["at"]),
            words=row["words"],
            bar_until_ms=None if row["bar_until"] is None else ms_from_time(row["bar_until"]),
        )
        for row in await db.fetch(_LATEST, limit, account)
    ]
