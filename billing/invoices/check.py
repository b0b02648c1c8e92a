"""Proves that billing adds up, and says where it does not. Nothing is changed.

- the ledger's rows of each account are its balance;
- what records of calls cost is what the ledger took for them, call by call;
- the rows of the ledger on an invoice are its total, and its lines are those rows;
- the VAT on it is what its own policy makes of its lines, and net and VAT are the total;
- numbers of each series follow each other without a gap;
- no invoice is paid with more than it asks for, and no payment pays more than it is.
"""

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from billing.invoices.document import Document, DocumentKind, decode_document
from billing.invoices.ledger_rows import CHARGED_KINDS
from billing.invoices.numbers import count_of
from billing.vat import VatRounding, rate_total
from rating.money import VatMode, format_pounds

# Of each kind so many are named; a broken import would otherwise fill the terminal.
NAMED_MAX: Final = 50
DOCUMENTS_AT_ONCE: Final = 500

_BALANCES: Final = """
SELECT a.name, b.balance_micros AS balance, coalesce(l.total, 0)::bigint AS total
FROM account_balances b JOIN accounts a ON a.id = b.account_id
LEFT JOIN (SELECT account_id, sum(amount_micros) AS total FROM ledger GROUP BY account_id) l USING (account_id)
WHERE b.balance_micros <> coalesce(l.total, 0) ORDER BY a.id LIMIT $1
"""
_USAGE: Final = """
SELECT call_id, leg, coalesce(c.cost_micros, 0) AS cost, coalesce(-l.amount_micros, 0) AS charged,
       c.payer_account_id, l.account_id
FROM (SELECT call_id, leg, cost_micros, payer_account_id FROM cdrs WHERE cost_micros <> 0) c
FULL JOIN (SELECT call_id, leg, amount_micros, account_id FROM ledger WHERE kind = 'usage' AND amount_micros <> 0) l
    USING (call_id, leg)
WHERE c.cost_micros IS DISTINCT FROM -l.amount_micros OR c.payer_account_id IS DISTINCT FROM l.account_id
ORDER BY call_id, leg LIMIT $1
"""
# The ledger's side of each document: what was charged, and everything that it posted itself.
_LEDGER: Final = """
SELECT i.number, i.kind, i.net_micros, i.vat_micros, i.total_micros, k.kind AS corrected_kind,
       coalesce(m.charged, 0)::bigint AS charged, coalesce(m.total, 0)::bigint AS total,
       (i.document - 'calls' - 'groups')::text AS document
FROM invoices i
LEFT JOIN invoices k ON k.number = i.corrects
LEFT JOIN (
    SELECT v.invoice_id, sum(l.amount_micros) AS total,
           sum(l.amount_micros) FILTER (WHERE l.kind = ANY($2)) AS charged
    FROM invoiced v LEFT JOIN ledger l ON l.account_id = v.account_id AND l.id = v.ledger_id
    WHERE v.invoice_id > $1 AND v.invoice_id <= $1 + $3
    GROUP BY v.invoice_id
) m ON m.invoice_id = i.id
WHERE i.id > $1 AND i.id <= $1 + $3
ORDER BY i.id
"""
_SERIES: Final = """
SELECT s.name, s.next, array_agg(i.number) FILTER (WHERE i.number IS NOT NULL) AS numbers
FROM invoice_series s LEFT JOIN invoices i ON i.kind = s.name GROUP BY s.name, s.next ORDER BY s.name
"""
_OVERPAID: Final = """
SELECT i.number, i.total_micros AS total, sum(a.amount_micros)::bigint AS paid
FROM allocations a JOIN invoices i ON i.id = a.invoice_id GROUP BY i.id
HAVING sum(a.amount_micros) < 0 OR sum(a.amount_micros) > i.total_micros ORDER BY i.id LIMIT $1
"""
_OVERSPENT: Final = """
SELECT p.id, p.amount_micros - p.returned_micros AS has, sum(a.amount_micros)::bigint AS given
FROM allocations a JOIN payments p ON p.id = a.payment_id GROUP BY p.id
HAVING sum(a.amount_micros) > p.amount_micros - p.returned_micros
ORDER BY p.id LIMIT $1
"""
_UNBILLED: Final = """
SELECT a.name, count(*) AS rows, -sum(l.amount_micros)::bigint AS micros
FROM ledger l JOIN accounts a ON a.id = l.account_id
WHERE a.kind = 'postpaid' AND l.kind = ANY($1)
  AND l.at < (SELECT max(period_to)::timestamp AT TIME ZONE 'Europe/London' FROM invoice_runs
              WHERE finished_at IS NOT NULL)
  AND NOT EXISTS (SELECT FROM invoiced v WHERE v.account_id = l.account_id AND v.ledger_id = l.id)
GROUP BY a.id ORDER BY a.id LIMIT $2
"""


class Proof(msgspec.Struct, frozen=True):
    """`differences` are wrong; `waiting` is not, but somebody may want to know. `documents` were looked at."""

    documents: int
    differences: list[str]
    waiting: list[str]


async def check_billing(db: asyncpg.Pool) -> Proof:
    """One snapshot of the books: what is written meanwhile is looked at whole, or not at all."""
    async with db.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        differences = [*await _balances(connection), *await _usage(connection)]
        count, found = await _documents(connection)
        differences += [*found, *await _series(connection), *await _allocations(connection)]
        return Proof(count, differences, await _waiting(connection))


async def _balances(connection: asyncpg.Connection) -> list[str]:
    return [
        f"account {row['name']}: its rows are {format_pounds(row['total'])},"
        f" its balance {format_pounds(row['balance'])}"
        for row in await connection.fetch(_BALANCES, NAMED_MAX)
    ]


async def _usage(connection: asyncpg.Connection) -> list[str]:
    return [
        f"call {row['call_id']} leg {row['leg']}: its record says {format_pounds(row['cost'])} of account"
        f" {row['payer_account_id'] or 'nobody'}, the ledger {format_pounds(row['charged'])} of account"
        f" {row['account_id'] or 'nobody'}"
        for row in await connection.fetch(_USAGE, NAMED_MAX)
    ]


async def _documents(connection: asyncpg.Connection) -> tuple[int, list[str]]:
    last = await connection.fetchval("SELECT coalesce(max(id), 0) FROM invoices")
    count, found = 0, []
    for after in range(0, last, DOCUMENTS_AT_ONCE):
        rows = await connection.fetch(_LEDGER, after, list(CHARGED_KINDS), DOCUMENTS_AT_ONCE)
        count += len(rows)
        for row in rows:
            found += [f"{row['number']}: {problem}" for problem in _problems(row)]
    return count, found[:NAMED_MAX]


def _problems(row: asyncpg.Record) -> list[str]:
    """What is wrong with one document."""
    if row["document"] == "{}":
        return ["nothing is on it"]
    document = decode_document(row["document"])
    expected_total = {
        DocumentKind.INVOICE: -row["total_micros"],
        DocumentKind.PAYMENT_INVOICE: 0,
        DocumentKind.CREDIT_NOTE: row["total_micros"] if row["corrected_kind"] == DocumentKind.INVOICE else 0,
    }[document.kind]
    found = []
    if row["total"] != expected_total:
        found.append(
            f"its rows of the ledger come to {format_pounds(row['total'])}, not {format_pounds(expected_total)}"
        )
    figures = (document.net_micros, document.vat_micros, document.total_micros)
    if figures != (row["net_micros"], row["vat_micros"], row["total_micros"]):
        found.append("what is on it is not what stands beside it in the books")
    found += sum_problems(document)
    if document.kind is DocumentKind.INVOICE:
        exact = sum(line.exact_micros for line in document.lines)
        if exact != -row["charged"]:
            found.append(f"its lines are {format_pounds(exact)}, its rows {format_pounds(-row['charged'])}")
        found += vat_problems(document)
    return found


def sum_problems(document: Document) -> list[str]:
    """Whether the figures of a document add up by themselves."""
    found = []
    net = sum(total.net_micros for total in document.rates)
    vat = sum(total.vat_micros for total in document.rates)
    if (net, vat, net + vat) != (document.net_micros, document.vat_micros, document.total_micros):
        found.append("its rates of VAT do not add up to its total")
    shown = sum(line.shown_micros for line in document.lines)
    if shown != (document.total_micros if document.mode is VatMode.INC_VAT else document.net_micros):
        found.append("its lines do not add up to its total")
    return found


def vat_problems(document: Document) -> list[str]:
    """Whether the VAT is what the policy on it makes of its lines."""
    found = []
    for total in document.rates:
        lines = [line.shown_micros for line in document.lines if line.rate == total.rate]
        again = rate_total(lines, total.rate, document.mode, VatRounding(document.policy))
        if again != total:
            found.append(
                f"VAT of {format_pounds(total.vat_micros)} where {document.policy} makes"
                f" {format_pounds(again.vat_micros)}"
            )
    exact = sum(line.exact_micros for line in document.lines)
    if exact - document.residue_micros != sum(line.shown_micros for line in document.lines):
        found.append("the residue below a penny is not what its lines leave over")
    return found


async def _series(connection: asyncpg.Connection) -> list[str]:
    found = []
    for row in await connection.fetch(_SERIES):
        counts = sorted(count_of(number) or 0 for number in row["numbers"] or ())
        found += _gaps(row["name"], counts, row["next"])
    return found


def _gaps(name: str, counts: Sequence[int], following: int) -> list[str]:
    expected = list(range(1, following))
    if list(counts) == expected:
        return []
    missing = sorted(set(expected) - set(counts))[:NAMED_MAX]
    return [
        f"series {name}: {len(counts)} documents where {following - 1} numbers were taken; missing: {missing}"
    ]


async def _allocations(connection: asyncpg.Connection) -> list[str]:
    overpaid = [
        f"{row['number']}: {format_pounds(row['paid'])} pay {format_pounds(row['total'])}"
        for row in await connection.fetch(_OVERPAID, NAMED_MAX)
    ]
    overspent = [
        f"payment {row['id']}: {format_pounds(row['given'])} of {format_pounds(row['has'])} were given to invoices"
        for row in await connection.fetch(_OVERSPENT, NAMED_MAX)
    ]
    return [*overpaid, *overspent]


async def _waiting(connection: asyncpg.Connection) -> list[str]:
    return [
        f"account {row['name']}: {row['rows']} charges of {format_pounds(row['micros'])} wait for the next invoice"
        for row in await connection.fetch(_UNBILLED, list(CHARGED_KINDS), NAMED_MAX)
    ]
