"""Numbers of documents: each series counts from 1, without a gap and without a number twice (VAT Regulations, reg. 14).

The next number is taken under its row's lock, in the transaction of the document: if that comes to nothing, so does the
number. Take it last, for everybody else who issues a document of the series waits until the transaction ends.
"""

import re
from typing import Final

import asyncpg

from billing.conf import InvoiceSettings
from billing.invoices.document import DocumentKind

# A million documents look alike; after that they grow a digit.
DIGITS: Final = 6

_NUMBER: Final = re.compile(r"([A-Z0-9-]{0,5}[A-Z-])([0-9]{6,12})")


async def take_number(connection: asyncpg.Connection, settings: InvoiceSettings, kind: DocumentKind) -> str:
    """ "INV000123"."""
    value = await connection.fetchval(
        "UPDATE invoice_series SET next = next + 1 WHERE name = $1 RETURNING next - 1", kind.value
    )
    assert value is not None, "migration 0015 makes the series"
    return f"{prefix_of(settings, kind)}{value:0{DIGITS}d}"


def prefix_of(settings: InvoiceSettings, kind: DocumentKind) -> str:
    match kind:
        case DocumentKind.INVOICE:
            return settings.prefix
        case DocumentKind.PAYMENT_INVOICE:
            return settings.payment_prefix
        case DocumentKind.CREDIT_NOTE:
            return settings.credit_prefix
        case DocumentKind.STATEMENT:
            raise AssertionError("a statement has no number")


def count_of(number: str) -> int | None:
    """How many-th of its series a document is; None for what is no number of ours."""
    match = _NUMBER.fullmatch(number)
    return int(match[2]) if match else None
