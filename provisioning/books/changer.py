"""Carries out what customers change by dialling: a queue, two connections of its own, and an answer to each.

The switch waits two seconds for the answer and then tells the customer that it could not be done; what is carried out
later all the same reaches it as any change of the books does. So nothing is tried twice: a PostgreSQL that is away
answers for itself, at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, assert_never

import asyncpg
import structlog

from provisioning import service
from provisioning.books.line_changes import (
    DivertAsked,
    DivertErased,
    DivertSwitched,
    LineChange,
    SettingsAsked,
)
from provisioning.books.messages import ChangeAsked, ChangeDone, ChangeResult
from provisioning.divert_rules import ANY_CALL, Destination
from provisioning.problems import ProvisioningProblem

# The switch has no more of them under way at once (switch/calls/service_desk.py).
WAITING_MAX: Final = 64
# One of a line whose row somebody holds must not keep all others waiting.
CONNECTIONS_MAX: Final = 2
CONNECT_TIMEOUT_S: Final = 2.0
# By then the customer has long been told that it could not be done.
COMMAND_TIMEOUT_S: Final = 10.0

log = structlog.get_logger("provisioning.books")


class Changer:
    """`ask` never waits; `answer` gets one ChangeDone for each."""

    def __init__(self, dsn: str, answer: Callable[[ChangeDone], Awaitable[None]]) -> None:
        self._dsn = dsn
        self._answer = answer
        self._waiting: asyncio.Queue[ChangeAsked] = asyncio.Queue()

    async def ask(self, asked: ChangeAsked) -> None:
        if self._waiting.qsize() >= WAITING_MAX:
            await self._answer(ChangeDone(asked.id, ChangeResult.AWAY, "too many changes are waiting"))
        else:
            self._waiting.put_nowait(asked)

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncpg.create_pool(
            self._dsn,
            min_size=0,
            max_size=CONNECTIONS_MAX,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings={"application_name": "offhook books changing"},
        ) as pool:
            await asyncio.gather(*(self._work(pool) for _ in range(CONNECTIONS_MAX)))

    async def _work(self, pool: asyncpg.Pool) -> None:
        while True:
            asked = await self._waiting.get()
            await self._answer(await self._done(pool, asked))

    async def _done(self, pool: asyncpg.Pool, asked: ChangeAsked) -> ChangeDone:
        try:
            await carry_out(pool, asked.user, asked.change)
        except ProvisioningProblem as problem:
            return ChangeDone(asked.id, ChangeResult.REFUSED, str(problem))
        except (*service.UNREACHABLE, asyncpg.PostgresError) as error:
            log.warning("change_failed", line=asked.user, reason=str(error) or type(error).__name__)
            return ChangeDone(asked.id, ChangeResult.AWAY, str(error) or type(error).__name__)
        return ChangeDone(asked.id, ChangeResult.DONE, "")


async def carry_out(db: asyncpg.Pool, user: str, change: LineChange) -> None:
    """By the functions of the command, so that a code meets the same rules.

    Raises ProvisioningProblem where the books say no, what is in `service.UNREACHABLE` where they do not answer.
    """
    match change:
        case SettingsAsked(assignments=assignments):
            await service.set_line(db, user, settings=assignments)
        case DivertAsked(conditions=conditions, kind=kind, destination=to, ring_s=ring_s):
            await service.set_diverts(
                db, user, conditions, destinations=[Destination(kind, to)], ring_s=ring_s, keeps_others=True
            )
        case DivertSwitched(conditions=conditions, is_enabled=is_enabled):
            await service.switch_diverts(
                db, user, conditions, is_enabled=is_enabled, only=ANY_CALL, by_code=True
            )
        case DivertErased(conditions=conditions):
            await service.clear_diverts(db, user, conditions, only=ANY_CALL, by_code=True)
        case _:
            assert_never(change)
