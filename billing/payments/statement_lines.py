"""Lines of bank statements in the books: taken once, matched by what the payer quoted, else shown to a person."""

import datetime
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from billing.conf import BillingConf
from billing.payments.matching import Candidate, Decision, Invoices
from billing.payments.payment import STATEMENT, Method
from billing.payments.received import Money, Received, received
from billing.payments.statement import StatementLine
from provisioning.problems import Refused, shown

ZONE: Final = ZoneInfo("Europe/London")
NOON: Final = datetime.time(12)
LIST_MAX: Final = 10_000

_CANDIDATES: Final = """
    SELECT i.number, i.account_id, a.name AS account, coalesce(c.company, '') AS company,
           coalesce(c.contact, '') AS contact,
           i.total_micros
               - coalesce((SELECT sum(l.amount_micros) FROM allocations l WHERE l.invoice_id = i.id), 0)::bigint
               AS open_micros
    FROM invoices i JOIN accounts a ON a.id = i.account_id LEFT JOIN customers c ON c.account_id = i.account_id
    WHERE i.kind = 'invoice' ORDER BY i.issued_on, i.id
"""


class LineView(msgspec.Struct, frozen=True):
    """One row of `statement_lines`."""

    id: int
    booked_on: datetime.date
    amount_micros: int
    payer: str
    text: str
    state: str
    suggested: str
    payment_id: int | None
    file: str
    line: int


class Imported(msgspec.Struct, frozen=True):
    """`new` of the lines of money in were not there before; `matched` of those that were open are now credited."""

    lines: int
    new: int
    matched: int
    unmatched: int


async def import_lines(
    db: asyncpg.Pool, conf: BillingConf, lines: list[StatementLine], *, file: str
) -> Imported:
    """All of a file or nothing; then what can be matched is credited, each line in a transaction of its own."""
    new = 0
    async with db.acquire() as connection, connection.transaction():
        for each in lines:
            row = await connection.fetchrow(
                "INSERT INTO statement_lines (hash, file, line, booked_on, amount_micros, payer, text, state)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, 'unmatched') ON CONFLICT (hash) DO NOTHING RETURNING id",
                each.hash,
                file,
                each.line,
                each.booked_on,
                each.amount_micros,
                each.payer,
                each.text,
            )
            new += row is not None
    matched = await match_lines(db, conf)
    unmatched = await db.fetchval("SELECT count(*) FROM statement_lines WHERE state = 'unmatched'")
    return Imported(lines=len(lines), new=new, matched=len(matched), unmatched=unmatched)


async def match_lines(db: asyncpg.Pool, conf: BillingConf) -> list[Received]:
    """Credit every open line whose payer quoted an invoice; note for the others what they may be for."""
    open_lines = await list_lines(db, state="unmatched")
    if not open_lines:
        return []
    invoices = Invoices(
        Candidate(
            row["number"],
            row["account_id"],
            row["open_micros"],
            (row["company"], row["contact"], row["account"]),
        )
        for row in await db.fetch(_CANDIDATES)
    )
    done = []
    for line in open_lines:
        decision = invoices.decide(amount_micros=line.amount_micros, payer=line.payer, text=line.text)
        if decision.account_id is None:
            await _suggest(db, line, decision)
            continue
        try:
            done.append(
                await credit_line(
                    db, conf, line.id, decision.account_id, quoted=decision.number, by="matched"
                )
            )
        except Refused:
            continue  # somebody has decided on it at this moment
    return done


async def credit_line(
    db: asyncpg.Pool, conf: BillingConf, line_id: int, account_id: int, *, quoted: str, by: str
) -> Received:
    """The line is this account's money. Raises Refused when it has been decided on."""
    async with db.acquire() as connection, connection.transaction():
        row = await _lock_line(connection, line_id)
        at = datetime.datetime.combine(row["booked_on"], NOON, ZONE)
        done = await received(
            connection,
            conf,
            Money(
                account_id=account_id,
                method=Method.BANK_TRANSFER,
                provider=STATEMENT,
                reference=row["hash"].hex(),
                amount_micros=row["amount_micros"],
                at=at,
                quoted=quoted,
            ),
        )
        await connection.execute(
            "UPDATE statement_lines SET state = 'matched', payment_id = $2, decided_by = $3, suggested = ''"
            " WHERE id = $1",
            line_id,
            done.payment.id,
            by,
        )
        return done


async def ignore_line(db: asyncpg.Pool, line_id: int, *, by: str) -> None:
    """It is no customer's money: a refund of a supplier's, a transfer of our own."""
    async with db.acquire() as connection, connection.transaction():
        await _lock_line(connection, line_id)
        await connection.execute(
            "UPDATE statement_lines SET state = 'ignored', decided_by = $2 WHERE id = $1", line_id, by
        )


async def list_lines(db: asyncpg.Pool, *, state: str) -> list[LineView]:
    """The oldest first."""
    rows = await db.fetch(
        "SELECT * FROM statement_lines WHERE state = $1 ORDER BY booked_on, id LIMIT $2", state, LIST_MAX
    )
    return [
        LineView(
            id=row["id"],
            booked_on=row["booked_on"],
            amount_micros=row["amount_micros"],
            payer=row["payer"],
            text=row["text"],
            state=row["state"],
            suggested=row["suggested"],
            payment_id=row["payment_id"],
            file=row["file"],
            line=row["line"],
        )
        for row in rows
    ]


async def invoice_account(db: asyncpg.Pool, number: str) -> tuple[int, str]:
    """The account of an invoice and its number as it is written. Raises Refused."""
    row = await db.fetchrow("SELECT account_id, number FROM invoices WHERE lower(number) = lower($1)", number)
    if row is None:
        raise Refused(f"there is no invoice {shown(number)}")
    return row["account_id"], row["number"]


async def _suggest(db: asyncpg.Pool, line: LineView, decision: Decision) -> None:
    text = ",".join(decision.suggested)
    if text != line.suggested:
        await db.execute(
            "UPDATE statement_lines SET suggested = $2 WHERE id = $1 AND state = 'unmatched'", line.id, text
        )


async def _lock_line(connection: asyncpg.Connection, line_id: int) -> asyncpg.Record:
    row = await connection.fetchrow("SELECT * FROM statement_lines WHERE id = $1 FOR UPDATE", line_id)
    if row is None:
        raise Refused(f"there is no line {line_id} of a statement")
    if row["state"] != "unmatched":
        raise Refused(f"line {line_id} is {row['state']} already")
    return row
