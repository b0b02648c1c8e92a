"""Documents as lists: the latest first, with what is still open of each. None is ever deleted, so all are in reach.

HMRC wants six years of them, customers a year at the least (uk.md M17); the database refuses to alter or delete any.
"""

import datetime
from typing import Final

import asyncpg
import msgspec

LISTED_MAX: Final = 10_000

_LIST: Final = """
SELECT i.number, i.kind, a.name, i.issued_on, i.due_on, i.corrects, i.net_micros, i.vat_micros, i.total_micros,
       CASE WHEN i.kind = 'invoice' THEN i.total_micros - coalesce(
           (SELECT sum(x.amount_micros) FROM allocations x WHERE x.invoice_id = i.id), 0)::bigint ELSE 0 END AS open
FROM invoices i JOIN accounts a ON a.id = i.account_id
WHERE ($1::text IS NULL OR lower(a.name) = lower($1)) AND ($2::date IS NULL OR i.issued_on >= $2)
  AND ($3::text IS NULL OR i.kind = $3)
ORDER BY i.issued_on DESC, i.id DESC LIMIT $4
"""


class ListedDocument(msgspec.Struct, frozen=True):
    """A document as it stands in a list."""

    number: str
    kind: str
    account: str
    issued_on: datetime.date
    due_on: datetime.date | None
    corrects: str
    net_micros: int
    vat_micros: int
    total_micros: int
    open_micros: int


async def list_documents(
    db: asyncpg.Pool,
    *,
    account: str | None = None,
    since: datetime.date | None = None,
    kind: str | None = None,
    limit: int = LISTED_MAX,
) -> list[ListedDocument]:
    """Without conditions all there are, at most `limit`."""
    rows = await db.fetch(_LIST, account, since, kind, limit)
    return [
        ListedDocument(
            row["number"],
            row["kind"],
            row["name"],
            row["issued_on"],
            row["due_on"],
            row["corrects"] or "",
            row["net_micros"],
            row["vat_micros"],
            row["total_micros"],
            row["open"],
        )
        for row in rows
    ]
