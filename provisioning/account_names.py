"""Accounts by name and back, for commands that look at many of them."""

import asyncpg

from provisioning import store
from provisioning.model import Account
from provisioning.problems import Refused, shown


async def account_named(db: asyncpg.Pool, name: str) -> Account:
    """Raises Refused where there is none of this name."""
    async with db.acquire() as connection:
        account = await store.find_account(connection, name)
    if account is None:
        raise Refused(f"there is no account {shown(name)}")
    return account


async def account_names(db: asyncpg.Pool) -> dict[int, str]:
    return {row["id"]: row["name"] for row in await db.fetch("SELECT id, name FROM accounts")}
