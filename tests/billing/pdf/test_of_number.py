"""The PDF that a mail carries, made by a process of its own."""

import asyncpg
import pytest

from billing.invoices.issue import find_document, insert_document
from billing.pdf.of_number import pdf_of_number
from billing.pdf.render import render_pdf
from tests.billing.books import add_account
from tests.billing.pdf.samples import sample
from tests.provisioning.databases import in_database


@in_database
async def test_it_is_the_same_that_the_command_makes(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await insert_document(db, sample(), account)
    assert await find_document(db, "INV000123") == sample()
    for is_large_print in (False, True):
        made = await pdf_of_number(db, "INV000123", is_large_print=is_large_print)
        assert made == render_pdf(sample(), is_large_print=is_large_print)


@in_database
async def test_what_cannot_be_made_says_why(db: asyncpg.Pool) -> None:
    with pytest.raises(LookupError, match="no document INV000009"):
        await pdf_of_number(db, "INV000009", is_large_print=False)
    account = await add_account(db)
    await db.execute(
        "INSERT INTO invoices (number, kind, account_id, issued_on, tax_point, net_micros, vat_micros, total_micros,"
        " document) VALUES ('INV000009', 'invoice', $1, '2026-11-02', '2026-11-02', 0, 0, 0, '{}')",
        account,
    )
    with pytest.raises(LookupError, match="INV000009 could not be printed"):
        await pdf_of_number(db, "INV000009", is_large_print=False)
