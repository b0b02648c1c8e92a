"""The daily work of documents: invoices for payments that have none yet, credit notes for what went back, and the
monthly run on the day that [invoice] names. Idempotent; each document is a transaction of its own."""

import datetime
from typing import Final

import asyncpg

from billing.conf import BillingConf
from billing.dated import NothingYet
from billing.invoices.issue import CannotIssue
from billing.invoices.of_payment import credit_returned, invoice_for_payment
from billing.invoices.run import month_period, run_month

# VAT Regulations 1995, reg. 13: within 30 days of the time of supply. Who has five left should hear of it each day.
WITHIN_DAYS: Final = 30
WARN_DAYS: Final = 25

WITHOUT_INVOICE: Final = """
SELECT p.id, a.name, (p.received_at AT TIME ZONE 'Europe/London')::date AS received_on
FROM payments p JOIN accounts a ON a.id = p.account_id LEFT JOIN customers c ON c.account_id = a.id
WHERE p.state = 'received' AND a.kind = 'prepaid' AND coalesce(c.wants_payment_invoices, true)
  AND NOT EXISTS (SELECT FROM invoices i WHERE i.payment_id = p.id)
ORDER BY p.id
"""
_RETURNED: Final = """
SELECT p.id FROM payments p JOIN invoices i ON i.payment_id = p.id
WHERE p.returned_micros > (SELECT coalesce(sum(n.total_micros), 0) FROM invoices n WHERE n.corrects = i.number)
ORDER BY p.id
"""


async def run_due(db: asyncpg.Pool, conf: BillingConf, today: datetime.date) -> list[str]:
    """Lines of what was done, and of what needs somebody."""
    return [
        *await _invoice_payments(db, conf, today),
        *await _credit_returns(db, conf, today),
        *await _monthly_run(db, conf, today),
    ]


async def _invoice_payments(db: asyncpg.Pool, conf: BillingConf, today: datetime.date) -> list[str]:
    done = []
    for row in await db.fetch(WITHOUT_INVOICE):
        try:
            async with db.acquire() as connection, connection.transaction():
                number = await invoice_for_payment(connection, conf, row["id"], today=today)
            if number is not None:
                done.append(f"{number} for payment {row['id']} of {row['name']}")
        except (CannotIssue, NothingYet) as problem:
            days = (today - row["received_on"]).days
            late = f", {days} days after it came; the law says {WITHIN_DAYS}" if days >= WARN_DAYS else ""
            done.append(f"no invoice for payment {row['id']}{late}: {problem}")
    return done


async def _credit_returns(db: asyncpg.Pool, conf: BillingConf, today: datetime.date) -> list[str]:
    done = []
    for row in await db.fetch(_RETURNED):
        async with db.acquire() as connection, connection.transaction():
            number = await credit_returned(connection, conf, row["id"], today=today)
        if number is not None:
            done.append(f"{number} for what went back of payment {row['id']}")
    return done


async def _monthly_run(db: asyncpg.Pool, conf: BillingConf, today: datetime.date) -> list[str]:
    """From the day named until the end of its month, once: what a run left over is a person's business."""
    if conf.invoice.run_on_day == 0 or today.day < conf.invoice.run_on_day:
        return []
    period = month_period(*_month_before(today))
    is_done = await db.fetchval(
        "SELECT EXISTS (SELECT FROM invoice_runs"
        " WHERE period_from = $1 AND period_to = $2 AND finished_at IS NOT NULL)",
        period.first,
        period.end,
    )
    if is_done:
        return []
    made = await run_month(db, conf, period, today=today)
    return [
        f"{item.number} for {item.account}"
        if item.number
        else f"no invoice for {item.account}: {item.problem}"
        for item in made
    ]


def _month_before(day: datetime.date) -> tuple[int, int]:
    last = day.replace(day=1) - datetime.timedelta(days=1)
    return last.year, last.month
