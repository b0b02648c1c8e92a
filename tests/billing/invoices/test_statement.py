"""Statements of prepaid accounts, the daily run, copies and lists."""

import datetime

import asyncpg
import msgspec
import pytest

from billing.invoices.copies import send_copy
from billing.invoices.document import Document
from billing.invoices.due import run_due
from billing.invoices.listing import list_documents
from billing.invoices.statement import make_statement
from billing.pdf.render import render_pdf
from provisioning.ledger import MovementKind
from provisioning.problems import Refused
from rating.money import VatMode
from tests.billing.books import CONF, POUND, add_account, add_call, add_customer, add_payment, balance, move
from tests.billing.invoices.test_run import OCTOBER, TODAY, run, utc
from tests.provisioning.databases import in_database


async def statement(db: asyncpg.Pool, name: str) -> Document:
    async with db.acquire() as connection:
        return await make_statement(connection, CONF, name, OCTOBER, today=TODAY)


@in_database
async def test_a_statement_goes_from_the_old_balance_to_the_new(db: asyncpg.Pool) -> None:
    account = await add_account(db, name="Shop", is_postpaid=False, vat=VatMode.INC_VAT)
    await move(db, account, MovementKind.PAYMENT, 20 * POUND, at=utc(2026, 9, 15))
    await move(db, account, MovementKind.SUBSCRIPTION, -5 * POUND, "Line rental", at=utc(2026, 10, 2))
    await add_call(db, account, 12_345)
    await add_call(db, account, 0, destination="116123", destination_name="Helpline")
    found = await statement(db, "shop")
    assert (found.opening_micros, found.closing_micros) == (20 * POUND, 15 * POUND - 12_345)
    assert [(item.description, item.amount_micros) for item in found.movements] == [
        ("Line rental", -5 * POUND),
        ("Calls and texts", -12_345),
    ]
    assert [group.destination for group in found.groups] == ["UK landline"]
    assert found.closing_micros == await balance(db, account)
    assert render_pdf(found).startswith(b"%PDF")


@in_database
async def test_a_statement_takes_no_number_and_leaves_no_row(db: asyncpg.Pool) -> None:
    await add_account(db, name="Shop", is_postpaid=False, vat=VatMode.INC_VAT)
    assert (await statement(db, "Shop")).number == ""
    assert await db.fetchval("SELECT count(*) FROM invoices") == 0


@in_database
async def test_m17_every_document_that_was_ever_issued_is_in_the_list(db: asyncpg.Pool) -> None:
    """uk.md (S) M17 promises twelve months; nothing is ever taken out of reach."""
    account = await add_account(db, name="Shop")
    await add_customer(db, account)
    await add_call(db, account, POUND)
    await run(db)
    await add_payment(db, account, POUND)
    [item] = await list_documents(db, account="shop")
    assert (item.number, item.total_micros, item.open_micros) == ("INV000001", 1_200_000, 1_200_000)
    assert await list_documents(db, since=datetime.date(2026, 11, 3)) == []


@in_database
async def test_m16_a_copy_goes_where_the_customer_is_now(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account, email="")
    await add_call(db, account, POUND)
    await run(db)
    with pytest.raises(Refused, match="no address for mail"):
        await send_copy(db, "INV000001")
    await db.execute("UPDATE customers SET email = 'new@example.com'")
    assert await send_copy(db, "INV000001") == await send_copy(db, "INV000001") == "new@example.com"
    assert await db.fetchval("SELECT count(*) FROM mail_attachments WHERE invoice_number = 'INV000001'") == 2


@in_database
async def test_the_monthly_run_comes_on_the_day_that_is_configured_and_once(db: asyncpg.Pool) -> None:
    conf = msgspec.structs.replace(CONF, invoice=msgspec.structs.replace(CONF.invoice, run_on_day=3))
    account = await add_account(db, name="Shop")
    await add_customer(db, account)
    await add_call(db, account, POUND)
    assert await run_due(db, conf, datetime.date(2026, 11, 2)) == []
    assert await run_due(db, CONF, datetime.date(2026, 11, 4)) == [], "0: only by hand"
    assert await run_due(db, conf, datetime.date(2026, 11, 4)) == ["INV000001 for Shop"]
    assert await run_due(db, conf, datetime.date(2026, 11, 5)) == []
