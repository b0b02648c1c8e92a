"""Accounts by name and back, for commands that look at many of them."""

import asyncpg

from provisioning import store
from provisioning.model import Account
from provisioning.problems import Refused, shown


async def account_named(db: asyncpg.Pool, name: str) -> Account:
    """Raises Refused where there is none of this name."""
    # What is not printable cannot be a name, and some of it (NUL, lone surrogates) cannot even be asked for.
    account = None
    if name.isprintable():
        async with db.acquire() as connection:
            account = await store.find_account(connection, name)
    if account is None:
        raise Refused(f"there is no account {shown(name)}")
    return account


async def account_names(db: asyncpg.Pool) -> dict[int, str]:
    return {row["id"]: row["name"] for row in await db.fetch("SELECT id, name FROM accounts")}


async def account_of_line(db: asyncpg.Pool, user: str) -> Account:
    """Who pays for what a line calls. Raises Refused where there is no such line."""
    name = None
    if user.isprintable():
        name = await db.fetchval(
            "SELECT a.name FROM lines l JOIN accounts a ON a.id = l.account_id WHERE l.user_part = $1", user
        )
    if name is None:
        raise Refused(f"there is no line {shown(user)}")
    return await account_named(db, name)


async def is_line(db: asyncpg.Pool, user: str) -> bool:
    """Whether it names a line of this exchange."""
    return user.isprintable() and bool(await db.fetchval("SELECT 1 FROM lines WHERE user_part = $1", user))


async def is_assigned(db: asyncpg.Pool, number: str) -> bool:
    """Whether the number leads to a line of this exchange."""
    return bool(await db.fetchval("SELECT 1 FROM numbers WHERE e164 = $1", number))
