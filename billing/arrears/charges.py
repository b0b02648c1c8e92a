"""Interest and fixed sums into the ledger: once for each invoice and month, the rest when the invoice is paid.

Each posting is what the invoice has cost so far, less what was posted before, in one transaction with the row of
`arrears_interest` that says so. An invoice on hold or in a plan is charged nothing meanwhile. Interest that stands on
a later invoice (table `invoiced`) is left out of that one's principal: interest is simple. Money pays the principal
first.
"""

import datetime

import asyncpg
import msgspec

from billing.arrears.interest import (
    Change,
    Owed,
    closed_on,
    end_of_month_before,
    fixed_sum,
    interest_through,
    rate_of,
)
from billing.arrears.rows import load_held
from billing.conf import BillingConf
from billing.conf_arrears import STATUTORY, Ladder
from billing.customers import CustomerKind
from billing.dated import NothingYet
from provisioning.ledger import MovementKind, lock_account, post
from rating.money import format_pounds

_CANDIDATES = """
SELECT i.id, i.number, i.account_id, i.due_on, i.total_micros, coalesce(c.kind, 'consumer') AS kind, a.name
FROM invoices i JOIN accounts a ON a.id = i.account_id LEFT JOIN customers c ON c.account_id = i.account_id
LEFT JOIN arrears_interest x ON x.invoice_id = i.id
WHERE i.kind = 'invoice' AND i.due_on < $1 AND i.total_micros > 0 AND (x.is_settled IS NOT TRUE OR i.total_micros >
    coalesce((SELECT sum(y.amount_micros) FROM allocations y WHERE y.invoice_id = i.id), 0))
ORDER BY i.due_on, i.id
"""
# A payment counts from the day on which it was received, not from the one on which somebody read the statement.
_CHANGES = """
SELECT x.amount_micros, x.credit_note_id IS NOT NULL AS is_credit, (CASE WHEN x.amount_micros < 0 THEN x.at
    ELSE coalesce(p.received_at, x.at) END AT TIME ZONE 'Europe/London')::date AS day
FROM allocations x LEFT JOIN payments p ON p.id = x.payment_id WHERE x.invoice_id = $1
"""
_INTEREST_ON_IT = """
SELECT coalesce(-sum(l.amount_micros), 0)::bigint FROM invoiced v
JOIN ledger l ON l.account_id = v.account_id AND l.id = v.ledger_id WHERE v.invoice_id = $1 AND l.kind = 'interest'
"""


class Charged(msgspec.Struct, frozen=True):
    """A row of `arrears_interest`."""

    through: datetime.date | None = None
    interest_micros: int = 0
    fixed_micros: int = 0
    postings: int = 0


class Target(msgspec.Struct, frozen=True):
    """What an invoice has cost through a day; nothing more will come of it where it is settled."""

    through: datetime.date
    interest_micros: int
    fixed_micros: int
    is_settled: bool


async def charge_interest(db: asyncpg.Pool, conf: BillingConf, today: datetime.date) -> list[str]:
    """What was posted, a line each."""
    lines = []
    for row in await db.fetch(_CANDIDATES, today):
        dated = conf.arrears.ladders.get(CustomerKind(row["kind"]))
        if dated is None:
            continue
        try:
            ladder = dated.at(row["due_on"])
            basis_points = rate_of(ladder, row["due_on"], conf.arrears)
        except NothingYet as problem:
            lines.append(f"{row['name']}: no interest on {row['number']}: {problem}")
            continue
        async with db.acquire() as connection, connection.transaction():
            line = await _charge(connection, conf, row, ladder, basis_points, today)
        lines += [line] if line else []
    return lines


async def _charge(
    connection: asyncpg.Connection,
    conf: BillingConf,
    row: asyncpg.Record,
    ladder: Ladder,
    basis_points: int,
    today: datetime.date,
) -> str:
    await lock_account(connection, row["account_id"])
    held = await load_held(connection, row["account_id"], today)
    if held.covers(row["id"]):
        return ""
    owed = await _load_owed(connection, row["id"], row["due_on"], row["total_micros"])
    fixed = (
        fixed_sum(owed, conf.arrears.late_payment.at(row["due_on"])) if ladder.interest == STATUTORY else 0
    )
    target = target_of(owed, basis_points, fixed, ladder, today)
    if target is None:
        return ""
    before = await _load_charged(connection, row["id"])
    if target == Target(
        before.through or target.through, before.interest_micros, before.fixed_micros, is_settled=False
    ):
        return ""
    posted = await _post(connection, row["account_id"], row["number"], before, target)
    await _save(connection, row["id"], target, before.postings + bool(posted))
    return f"{row['name']}: {format_pounds(posted)} interest on {row['number']}" if posted else ""


def target_of(
    owed: Owed, basis_points: int, fixed_micros: int, ladder: Ladder, today: datetime.date
) -> Target | None:
    """None: nothing is to be said of it today."""
    closed = closed_on(owed)
    end_of_grace = owed.due_on + datetime.timedelta(ladder.interest_after)
    if closed is not None and (closed <= end_of_grace or basis_points == 0):
        return Target(closed, 0, 0, is_settled=True)
    if basis_points == 0 or today <= end_of_grace:
        return None
    if closed is not None:
        last = closed - datetime.timedelta(1)
        return Target(last, interest_through(owed, basis_points, last), fixed_micros, is_settled=True)
    last = max(end_of_month_before(today), owed.due_on)
    return Target(last, interest_through(owed, basis_points, last), fixed_micros, is_settled=False)


async def _load_owed(
    connection: asyncpg.Connection, invoice_id: int, due_on: datetime.date, total_micros: int
) -> Owed:
    rows = await connection.fetch(_CHANGES, invoice_id)
    credited = sum(row["amount_micros"] for row in rows if row["is_credit"])
    changes = tuple(Change(row["day"], row["amount_micros"]) for row in rows if not row["is_credit"])
    interest: int = await connection.fetchval(_INTEREST_ON_IT, invoice_id)
    return Owed(due_on, max(0, total_micros - credited - interest), changes)


async def _load_charged(connection: asyncpg.Connection, invoice_id: int) -> Charged:
    row = await connection.fetchrow("SELECT * FROM arrears_interest WHERE invoice_id = $1", invoice_id)
    if row is None:
        return Charged()
    return Charged(row["through"], row["interest_micros"], row["fixed_micros"], row["postings"])


async def _post(
    connection: asyncpg.Connection, account_id: int, number: str, before: Charged, target: Target
) -> int:
    """What it has become dearer by, in all."""
    parts = (
        (
            "interest",
            target.interest_micros - before.interest_micros,
            f"interest on {number} through {target.through}",
        ),
        ("fixed", target.fixed_micros - before.fixed_micros, f"late payment of {number}, fixed sum"),
    )
    for name, micros, memo in parts:
        if micros:
            key = f"interest/{number}/{target.through.isoformat()}/{name}/{before.postings + 1}"
            await post(connection, account_id, MovementKind.INTEREST, -micros, memo=memo, key=key)
    return sum(micros for _, micros, _ in parts)


async def _save(connection: asyncpg.Connection, invoice_id: int, target: Target, postings: int) -> None:
    await connection.execute(
        "INSERT INTO arrears_interest (invoice_id, through, interest_micros, fixed_micros, is_settled, postings)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (invoice_id) DO UPDATE SET through = $2, interest_micros = $3,"
        " fixed_micros = $4, is_settled = $5, postings = $6",
        invoice_id,
        target.through,
        target.interest_micros,
        target.fixed_micros,
        target.is_settled,
        postings,
    )
