"""A run that is killed before any of its statements, which is also after any other, and is given again."""

import asyncio
from typing import Any

import asyncpg

from billing.invoices.run import run_month
from provisioning import service
from provisioning.ledger import MovementKind
from rating.money import VatMode
from tests.billing.books import CONF, POUND, add_account, add_call, add_customer, add_payment, move
from tests.billing.invoices.test_run import OCTOBER, TODAY, everything
from tests.postgres import PostgresServer

# More than a run of two accounts has; the test says when it does not reach the end.
STATEMENTS_MAX = 200


class Killed(Exception):  # noqa: N818 - what happens to the process
    pass


class Countdown:
    """Statements that are left before the process dies, for all connections of a pool."""

    def __init__(self, left: int) -> None:
        self.left = left

    def connection_class(self) -> type[asyncpg.Connection]:
        countdown = self

        class Mortal(asyncpg.Connection):  # type: ignore[misc]
            async def _at_risk(self, name: str, *arguments: Any, **named: Any) -> Any:
                countdown.left -= 1
                if countdown.left <= 0:
                    self.terminate()
                    raise Killed
                return await getattr(asyncpg.Connection, name)(self, *arguments, **named)

            async def execute(self, *arguments: Any, **named: Any) -> Any:
                return await self._at_risk("execute", *arguments, **named)

            async def fetch(self, *arguments: Any, **named: Any) -> Any:
                return await self._at_risk("fetch", *arguments, **named)

            async def fetchrow(self, *arguments: Any, **named: Any) -> Any:
                return await self._at_risk("fetchrow", *arguments, **named)

            async def fetchval(self, *arguments: Any, **named: Any) -> Any:
                return await self._at_risk("fetchval", *arguments, **named)

            async def executemany(self, *arguments: Any, **named: Any) -> Any:
                return await self._at_risk("executemany", *arguments, **named)

        return Mortal


async def fill(dsn: str) -> None:
    async with service.connect(dsn) as db:
        for vat in (VatMode.EX_VAT, VatMode.INC_VAT):
            account = await add_account(db, vat=vat)
            await add_customer(db, account)
            await move(db, account, MovementKind.SUBSCRIPTION, -10 * POUND, "Line rental")
            await add_call(db, account, 12_345)
            await add_payment(db, account, 2 * POUND)


async def whole_run(dsn: str) -> list[object]:
    """The run, and what is there afterwards."""
    async with service.connect(dsn) as db:
        await run_month(db, CONF, OCTOBER, today=TODAY)
        return await by_account(db)


async def by_account(db: asyncpg.Pool) -> list[object]:
    """Who got which number depends on who was first; everything else does not."""
    found = await everything(db)
    numbers = [row[0] for row in found[0]]  # type: ignore[attr-defined]
    assert numbers == [f"INV{count:06d}" for count in range(1, 3)], "two invoices, no gap"
    ledger = await db.fetch("SELECT account_id, kind, amount_micros FROM ledger ORDER BY 1, 2, 3")
    marks = await db.fetch(
        "SELECT v.account_id, l.kind, l.amount_micros FROM invoiced v JOIN ledger l"
        " ON l.account_id = v.account_id AND l.id = v.ledger_id ORDER BY 1, 2, 3"
    )
    paid = await db.fetch(
        "SELECT i.account_id, a.amount_micros FROM allocations a JOIN invoices i ON i.id = a.invoice_id ORDER BY 1"
    )
    documents = await db.fetch("SELECT account_id, document - 'number' FROM invoices ORDER BY 1")
    balances = await db.fetch("SELECT account_id, balance_micros FROM account_balances ORDER BY 1")
    mails = await db.fetchval("SELECT count(*) FROM mails")
    return [[tuple(row) for row in rows] for rows in (ledger, marks, paid, documents, balances)] + [
        mails,
        found[3],
    ]


async def killed(dsn: str, statements: int) -> bool:
    """False when the run was through before."""
    countdown = Countdown(statements)
    db = await asyncpg.create_pool(dsn, min_size=1, max_size=3, connection_class=countdown.connection_class())
    try:
        await run_month(db, CONF, OCTOBER, today=TODAY)
    except (Killed, BaseExceptionGroup):
        return True
    finally:
        db.terminate()
    return False


def test_killed_at_any_statement_and_run_again_it_makes_the_same_invoices_once(
    postgres: PostgresServer,
) -> None:
    prepared = postgres.new_database()
    asyncio.run(fill(prepared))
    template = prepared.partition("@/")[2].partition("?")[0]
    expected_in = postgres.new_database(template=template)
    expected = asyncio.run(whole_run(expected_in))
    postgres.drop_database(expected_in)
    for statements in range(1, STATEMENTS_MAX):
        dsn = postgres.new_database(template=template)
        was_killed = asyncio.run(killed(dsn, statements))
        assert asyncio.run(whole_run(dsn)) == expected, f"killed at statement {statements}"
        postgres.drop_database(dsn)
        if not was_killed:
            break
    assert not was_killed, "STATEMENTS_MAX is too low to reach the end of the run"
    assert statements > 30, "the run is much shorter than what was to be killed"
    postgres.drop_database(prepared)
