"""What a monthly invoice is made from: rows of the ledger that stand on no document yet, with the calls behind them.

Two statements for an account, however many calls it has. Only kinds that are charged for are taken: money that moved
(payments, refunds) pays invoices and stands on none, and what documents post themselves is on them already.
"""

import datetime
from typing import Final

import asyncpg
import msgspec

from provisioning.ledger import MovementKind

USAGE: Final = "usage"
# Charged, and subject to VAT.
TAXED_KINDS: Final = (
    USAGE,
    MovementKind.RERATING.value,
    MovementKind.SUBSCRIPTION.value,
    MovementKind.FEE.value,
    MovementKind.BUNDLE.value,
    MovementKind.ADJUSTMENT.value,
    MovementKind.TOP_UP.value,
)
# Outside the scope: interest is for money that came late, compensation for harm, neither for a supply (VATA 1994 s. 5).
UNTAXED_KINDS: Final = (MovementKind.INTEREST.value, MovementKind.COMPENSATION.value)
CHARGED_KINDS: Final = (*TAXED_KINDS, *UNTAXED_KINDS)

_SELECT: Final = """
SELECT l.id, l.kind, l.amount_micros, l.at, coalesce(l.memo, '') AS memo, c.setup_at, c.line, c.destination,
       c.destination_name, c.billed_s, c.access_charge_micros, c.service_charge_micros, c.bundled_s, c.bundles,
       c.leg_reason
FROM ledger l
LEFT JOIN cdrs c ON c.call_id = l.call_id AND c.leg = l.leg
WHERE l.account_id = $1
"""
_ROWS: Final = f"""{_SELECT} AND l.at < $2 AND l.kind = ANY($3)
  AND NOT EXISTS (SELECT FROM invoiced i WHERE i.account_id = l.account_id AND i.ledger_id = l.id)
ORDER BY l.id
"""

_ROWS_BETWEEN: Final = f"{_SELECT} AND l.at >= $2 AND l.at < $3 ORDER BY l.id"

# Calls that a bundle paid for as a whole move no money, so they have no row in the ledger. A call is billed when it
# ends; one that began a day before the period is looked at, too.
_BUNDLED: Final = """
SELECT c.setup_at, c.ended_at, c.line, c.destination, c.destination_name, c.billed_s, c.bundled_s, c.bundles,
       c.leg_reason
FROM cdrs c
WHERE (c.account_id = $1 OR (c.payer_account_id = $1 AND c.payer_account_id IS DISTINCT FROM c.account_id))
  AND c.payer_account_id = $1 AND c.setup_at >= $2::timestamptz - interval '1 day' AND c.setup_at < $3
  AND c.ended_at >= $2 AND c.ended_at < $3
  AND c.bundled_s > 0 AND c.cost_micros = 0 AND NOT c.is_emergency
ORDER BY c.setup_at
"""

_WITH_CHARGES: Final = """
SELECT a.id FROM accounts a
WHERE a.kind = 'postpaid' AND EXISTS (
    SELECT FROM ledger l
    WHERE l.account_id = a.id AND l.at < $1 AND l.kind = ANY($2)
      AND NOT EXISTS (SELECT FROM invoiced i WHERE i.account_id = l.account_id AND i.ledger_id = l.id))
ORDER BY a.id
"""


class CallFacts(msgspec.Struct, frozen=True):
    """What the record of a call says of it."""

    setup_at: datetime.datetime
    line: str
    destination: str
    destination_name: str
    billed_s: int
    access_micros: int
    service_micros: int
    bundled_s: int
    bundles: str
    is_text: bool


class LedgerRow(msgspec.Struct, frozen=True):
    """A row that is to be billed. `amount_micros` as in the ledger: negative is charged.

    `ledger_id` 0: a call that a bundle paid for, which is no row. `call` None: not usage, or its record is missing.
    """

    ledger_id: int
    kind: str
    amount_micros: int
    at: datetime.datetime
    memo: str
    call: CallFacts | None


async def accounts_with_charges(connection: asyncpg.Connection, before: datetime.datetime) -> list[int]:
    """Postpaid accounts that have anything to bill from before this instant."""
    rows = await connection.fetch(_WITH_CHARGES, before, list(CHARGED_KINDS))
    return [row["id"] for row in rows]


async def charged_rows(
    connection: asyncpg.Connection, account_id: int, before: datetime.datetime
) -> list[LedgerRow]:
    """Everything of the account that is to be billed, in the order of the ledger."""
    rows = await connection.fetch(_ROWS, account_id, before, list(CHARGED_KINDS))
    return [_ledger_row(row) for row in rows]


async def rows_between(
    connection: asyncpg.Connection, account_id: int, since: datetime.datetime, before: datetime.datetime
) -> list[LedgerRow]:
    """Everything of that time, billed or not, whatever its kind."""
    return [_ledger_row(row) for row in await connection.fetch(_ROWS_BETWEEN, account_id, since, before)]


async def bundled_calls(
    connection: asyncpg.Connection, account_id: int, since: datetime.datetime, before: datetime.datetime
) -> list[LedgerRow]:
    """Calls that cost nothing because a bundle paid for all of them."""
    rows = await connection.fetch(_BUNDLED, account_id, since, before)
    found = []
    for row in rows:
        facts = CallFacts(
            row["setup_at"],
            row["line"],
            row["destination"],
            row["destination_name"],
            row["billed_s"],
            0,
            0,
            row["bundled_s"],
            row["bundles"],
            _is_text(row["leg_reason"]),
        )
        found.append(LedgerRow(0, USAGE, 0, row["ended_at"], "", facts))
    return found


async def bundle_names(connection: asyncpg.Connection, account_id: int) -> dict[str, str]:
    """By the ids that records of calls name bundles by."""
    rows = await connection.fetch("SELECT id, name FROM bundles WHERE account_id = $1", account_id)
    return {str(row["id"]): row["name"] for row in rows}


def _ledger_row(row: asyncpg.Record) -> LedgerRow:
    return LedgerRow(row["id"], row["kind"], row["amount_micros"], row["at"], row["memo"], _call_facts(row))


def _call_facts(row: asyncpg.Record) -> CallFacts | None:
    if row["setup_at"] is None:
        return None
    return CallFacts(
        row["setup_at"],
        row["line"],
        row["destination"],
        row["destination_name"],
        row["billed_s"],
        row["access_charge_micros"],
        row["service_charge_micros"],
        row["bundled_s"],
        row["bundles"],
        _is_text(row["leg_reason"]),
    )


def _is_text(leg_reason: str) -> bool:
    """As switch/messaging/records.py writes it."""
    return leg_reason.startswith("a message")
