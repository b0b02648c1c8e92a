"""Tests of payments need a database and a provider: `with_books` gives the coroutine a pool."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from provisioning import service

POUND = 1_000_000


def with_books(dsn: str, body: Callable[[asyncpg.Pool], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncpg.create_pool(dsn, min_size=1, max_size=10) as db:
            await body(db)

    asyncio.run(run())


async def balance_of(db: asyncpg.Pool, account_id: int) -> int:
    """The kept sum, which is also the sum of the rows."""
    kept = await db.fetchval("SELECT balance_micros FROM account_balances WHERE account_id = $1", account_id)
    summed = await db.fetchval(
        "SELECT coalesce(sum(amount_micros), 0)::bigint FROM ledger WHERE account_id = $1", account_id
    )
    assert kept == summed
    return int(kept)


async def movements_of(db: asyncpg.Pool, account_id: int) -> list[tuple[str, int]]:
    rows = await db.fetch(
        "SELECT kind, amount_micros FROM ledger WHERE account_id = $1 ORDER BY id", account_id
    )
    return [(row["kind"], row["amount_micros"]) for row in rows]


__all__ = ["POUND", "balance_of", "movements_of", "service", "with_books"]
