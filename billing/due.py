"""The daily work of all areas, in its order. The billing process does it at its start and on each new day, the command
`offhook bill due` whenever it is asked to. Each area's is idempotent; one that fails does not stop the others."""

import datetime
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import asyncpg
import msgspec
import structlog

from billing.arrears import due as arrears
from billing.complaints import due as complaints
from billing.complaints.conf import ComplaintsConf
from billing.conf import BillingConf
from billing.invoices import due as invoices
from billing.payments import due as payments
from billing.payments import statement_lines
from billing.payments.provider import Provider
from billing.subscriptions import due as subscriptions

# What two at once would do twice is guarded by each area; this only spares them the waiting for each other's locks.
LOCK_KEY: Final = 0x6F66_6668_6F6F_6B00 + 1

RunDue = Callable[[asyncpg.Pool, BillingConf, datetime.date], Awaitable[list[str]]]

log = structlog.get_logger("billing.due")


class AreaDone(msgspec.Struct, frozen=True):
    """What one area has done, a line each. `problem` "": nothing went wrong."""

    area: str
    lines: list[str]
    problem: str = ""


def areas(providers: Mapping[str, Provider], complaints_conf: ComplaintsConf) -> list[tuple[str, RunDue]]:
    """In the order in which one's work is another's ground: invoices before what is collected or reminded of."""
    return [
        ("subscriptions", subscriptions.run_due),
        ("invoices", invoices.run_due),
        ("payments", partial(payments.run_due, providers=providers)),
        ("statements", _statements),
        ("arrears", arrears.run_due),
        ("complaints", partial(complaints.run_due, complaints=complaints_conf)),
    ]


async def run_all_due(
    db: asyncpg.Pool,
    conf: BillingConf,
    today: datetime.date,
    providers: Mapping[str, Provider],
    complaints_conf: ComplaintsConf,
) -> list[AreaDone]:
    """Waits for another one that is at it."""
    async with db.acquire() as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK_KEY)
        try:
            due = areas(providers, complaints_conf)
            return [await _guarded(name, run, db, conf, today) for name, run in due]
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK_KEY)


async def _guarded(
    name: str, run: RunDue, db: asyncpg.Pool, conf: BillingConf, today: datetime.date
) -> AreaDone:
    try:
        return AreaDone(name, await run(db, conf, today))
    except Exception as problem:  # the border of an area: the others go on
        log.error(
            "billing_due_failed", area=name, problem=f"{type(problem).__name__}: {problem}", exc_info=True
        )
        return AreaDone(name, [], f"{type(problem).__name__}: {problem}")


async def _statements(db: asyncpg.Pool, conf: BillingConf, today: datetime.date) -> list[str]:  # noqa: ARG001
    """Lines that came before their invoice did."""
    done = await statement_lines.match_lines(db, conf)
    return [f"payment {each.payment.id} of a bank statement credited" for each in done]
