"""Days as people type them: "2026-12-31", and today as London has it."""

import datetime
import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import asyncpg

from offhook.exit_codes import CommandError, ExitCode
from provisioning.printable import shorten

Result = TypeVar("Result")

LONDON: Final = ZoneInfo("Europe/London")
_DAY: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def today() -> datetime.date:
    return datetime.datetime.now(LONDON).date()


def day_or(text: str, option: str, otherwise: datetime.date) -> datetime.date:
    """The day that was typed, else the other one."""
    return day(text, option) if text else otherwise


def day(text: str, option: str) -> datetime.date:
    """Raises CommandError."""
    try:
        if _DAY.fullmatch(text):
            return datetime.date.fromisoformat(text)
    except ValueError:
        pass
    raise CommandError(f"{option} {shorten(text)!r}: expected a day such as 2026-12-31", ExitCode.INVALID)


def connected(
    work: Callable[[asyncpg.Connection], Awaitable[Result]],
) -> Callable[[asyncpg.Pool], Awaitable[Result]]:
    """For work that wants one connection of the pool."""

    async def on_pool(db: asyncpg.Pool) -> Result:
        async with db.acquire() as connection:
            return await work(connection)

    return on_pool
