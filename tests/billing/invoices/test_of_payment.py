"""VAT invoices for payments of prepaid accounts."""

import asyncio
import datetime

import asyncpg
import pytest

from billing.invoices.check import check_billing
from billing.invoices.document import Document, Form
from billing.invoices.due import run_due
from billing.invoices.issue import CannotIssue, find_document
from billing.invoices.of_payment import credit_returned, invoice_for_payment
from billing.open_items import allocate, free_micros, take_back
from rating.money import VatMode
from tests.billing.books import CONF, POUND, add_account, add_customer, add_payment, balance
from tests.provisioning.databases import in_database

TODAY = datetime.date(2026, 11, 3)
TOP_UP = 12 * POUND


async def invoice(db: asyncpg.Pool, payment: int) -> str | None:
    async with db.acquire() as connection, connection.transaction():
        return await invoice_for_payment(connection, CONF, payment, today=TODAY)


async def prepaid(db: asyncpg.Pool, **customer: object) -> int:
    account = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
    if customer:
        await add_customer(db, account, **customer)
    return account


async def give_back(db: asyncpg.Pool, payment: int, amount_micros: int) -> Document | None:
    async with db.acquire() as connection, connection.transaction():
        await connection.execute(
            "UPDATE payments SET returned_micros = returned_micros + $2 WHERE id = $1", payment, amount_micros
        )
        await take_back(connection, payment, amount_micros)
        number = await credit_returned(connection, CONF, payment, today=TODAY)
        return await find_document(connection, number) if number is not None else None


@in_database
async def test_m16_a_top_up_of_twelve_pounds_is_ten_and_two_of_vat_under_the_next_number(
    db: asyncpg.Pool,
) -> None:
    """uk.md (S) M16 and the fixture of (T): a VAT invoice for each payment, VAT at top-up."""
    account = await prepaid(db, kind="consumer")
    numbers = [await invoice(db, await add_payment(db, account, TOP_UP)) for _ in range(2)]
    assert numbers == ["PAY000001", "PAY000002"]
    document = await find_document(db, "PAY000001")
    assert (document.net_micros, document.vat_micros, document.total_micros) == (
        10 * POUND,
        2 * POUND,
        TOP_UP,
    )
    assert (document.issued_on, document.tax_point, document.due_on) == ("2026-11-03", "2026-11-01", "")
    assert await balance(db, account) == 2 * TOP_UP, "credit contains its VAT and is never taxed again"
    assert (await check_billing(db)).differences == []


@in_database
async def test_m16_who_asks_for_no_invoices_gets_none(db: asyncpg.Pool) -> None:
    account = await prepaid(db, wants_payment_invoices=False)
    assert await invoice(db, await add_payment(db, account, TOP_UP)) is None
    assert await run_due(db, CONF, TODAY) == []
    assert await db.fetchval("SELECT next FROM invoice_series WHERE name = 'payment_invoice'") == 1


@in_database
async def test_the_same_payment_has_one_invoice_however_often_and_by_how_many_it_is_asked_for(
    db: asyncpg.Pool,
) -> None:
    payment = await add_payment(db, await prepaid(db, kind="consumer"), TOP_UP)
    assert set(await asyncio.gather(*[invoice(db, payment) for _ in range(4)])) == {"PAY000001"}
    assert await db.fetchval("SELECT count(*) FROM invoices") == 1
    assert await db.fetchval("SELECT count(*) FROM mails") == 1


@pytest.mark.parametrize(
    ("amount", "customer", "form"),
    [
        (250 * POUND, {"kind": "consumer"}, Form.SIMPLIFIED),
        (250 * POUND + 10_000, {"kind": "consumer"}, Form.FULL),
        (12 * POUND, {"kind": "consumer", "vat_number": "GB999999973"}, Form.FULL),
        (12 * POUND, {"kind": "business"}, Form.FULL),
        (12 * POUND, {"kind": "small_business"}, Form.FULL),
        (12 * POUND, {}, Form.SIMPLIFIED),
    ],
)
def test_the_form_is_simplified_up_to_250_pounds_for_who_needs_no_full_one(
    amount: int, customer: dict[str, object], form: Form, dsn: str
) -> None:
    @in_database
    async def check(db: asyncpg.Pool) -> None:
        number = await invoice(db, await add_payment(db, await prepaid(db, **customer), amount))
        assert number is not None
        assert (await find_document(db, number)).form is form

    check(dsn)


@in_database
async def test_a_full_invoice_waits_until_somebody_says_who_it_is_for(db: asyncpg.Pool) -> None:
    account = await add_account(db, name="Shop", is_postpaid=False, vat=VatMode.INC_VAT)
    payment = await add_payment(db, account, 300 * POUND)
    with pytest.raises(CannotIssue, match="customer set"):
        await invoice(db, payment)
    [line] = await run_due(db, CONF, TODAY)
    assert "customer set" in line and "days" not in line
    [line] = await run_due(db, CONF, datetime.date(2026, 11, 27))
    assert "26 days after it came; the law says 30" in line
    await add_customer(db, account)
    assert await run_due(db, CONF, TODAY) == [f"PAY000001 for payment {payment} of Shop"]
    assert await run_due(db, CONF, TODAY) == []


@in_database
async def test_postpaid_money_and_money_that_has_not_come_make_no_invoice(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    assert await invoice(db, await add_payment(db, account, TOP_UP)) is None
    pending = await db.fetchval(
        "INSERT INTO payments (account_id, method, provider, reference, amount_micros, state)"
        " VALUES ($1, 'card', 'stripe', 'x', 10000, 'pending') RETURNING id",
        await prepaid(db),
    )
    assert await invoice(db, pending) is None


@in_database
async def test_what_goes_back_is_credited_to_the_penny_of_its_vat(db: asyncpg.Pool) -> None:
    payment = await add_payment(db, await prepaid(db, kind="consumer"), 10 * POUND)
    await invoice(db, payment)
    notes = [await give_back(db, payment, amount) for amount in (3_330_000, 3_330_000, 3_340_000)]
    assert [note.total_micros for note in notes if note] == [3_330_000, 3_330_000, 3_340_000]
    assert sum(note.vat_micros for note in notes if note) == 1_670_000
    assert {note.corrects for note in notes if note} == {"PAY000001"}
    async with db.acquire() as connection, connection.transaction():
        assert await credit_returned(connection, CONF, payment, today=TODAY) is None
    assert (await check_billing(db)).differences == []


@in_database
async def test_the_daily_work_credits_what_went_back(db: asyncpg.Pool) -> None:
    payment = await add_payment(db, await prepaid(db, kind="consumer"), TOP_UP)
    await invoice(db, payment)
    await db.execute("UPDATE payments SET returned_micros = amount_micros WHERE id = $1", payment)
    assert await run_due(db, CONF, TODAY) == [f"CRN000001 for what went back of payment {payment}"]
    assert await run_due(db, CONF, TODAY) == []


@in_database
async def test_credit_that_was_paid_for_pays_no_other_invoice(db: asyncpg.Pool) -> None:
    account = await prepaid(db, kind="consumer")
    await invoice(db, await add_payment(db, account, TOP_UP))
    async with db.acquire() as connection, connection.transaction():
        assert await allocate(connection, account) == []
    assert await free_micros(db, account) == 0
