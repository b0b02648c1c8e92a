"""Which money pays which invoice."""

import datetime

import asyncpg
from hypothesis import given
from hypothesis import strategies as st

from billing.open_items import (
    FreeMoney,
    OpenInvoice,
    allocate,
    free_micros,
    open_invoices,
    share_out,
    take_back,
)
from tests.billing.books import POUND, add_account, add_bare_invoice, add_payment
from tests.provisioning.databases import in_database

OCTOBER = datetime.date(2026, 10, 1)
NOVEMBER = datetime.date(2026, 11, 1)


async def still_open(db: asyncpg.Pool, account_id: int) -> dict[str, int]:
    return {invoice.number: invoice.open_micros for invoice in await open_invoices(db, account_id)}


async def allocated(db: asyncpg.Pool, account_id: int) -> None:
    async with db.acquire() as connection, connection.transaction():
        await allocate(connection, account_id)


async def returned(db: asyncpg.Pool, payment_id: int, amount_micros: int) -> int:
    async with db.acquire() as connection, connection.transaction():
        await connection.execute(
            "UPDATE payments SET returned_micros = returned_micros + $2 WHERE id = $1",
            payment_id,
            amount_micros,
        )
        return await take_back(connection, payment_id, amount_micros)


@in_database
async def test_the_invoice_that_was_quoted_is_paid_before_the_oldest(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_bare_invoice(db, account, 10 * POUND, issued_on=OCTOBER, number="INV000001")
    await add_bare_invoice(db, account, 20 * POUND, issued_on=NOVEMBER, number="INV000002")
    await add_payment(db, account, 25 * POUND, quoted="INV000002")
    await allocated(db, account)
    assert await still_open(db, account) == {"INV000001": 5 * POUND}
    await allocated(db, account)
    assert await still_open(db, account) == {"INV000001": 5 * POUND}


@in_database
async def test_money_that_pays_nothing_yet_waits_for_the_next_invoice(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_payment(db, account, 25 * POUND)
    await allocated(db, account)
    assert await free_micros(db, account) == 25 * POUND
    await add_bare_invoice(db, account, 10 * POUND, issued_on=OCTOBER)
    await allocated(db, account)
    assert (await still_open(db, account), await free_micros(db, account)) == ({}, 15 * POUND)


@in_database
async def test_a_chargeback_opens_what_was_paid_last(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_bare_invoice(db, account, 10 * POUND, issued_on=OCTOBER, number="INV000001")
    await add_bare_invoice(db, account, 10 * POUND, issued_on=NOVEMBER, number="INV000002")
    payment = await add_payment(db, account, 25 * POUND)
    await allocated(db, account)
    assert await returned(db, payment, 7 * POUND) == 2 * POUND, "five pounds had paid nothing"
    assert await still_open(db, account) == {"INV000002": 2 * POUND}
    assert await returned(db, payment, 18 * POUND) == 18 * POUND
    assert await still_open(db, account) == {"INV000001": 10 * POUND, "INV000002": 10 * POUND}
    await allocated(db, account)
    assert await still_open(db, account) == {"INV000001": 10 * POUND, "INV000002": 10 * POUND}


@in_database
async def test_nobody_pays_somebody_elses_invoice(db: asyncpg.Pool) -> None:
    one, other = await add_account(db), await add_account(db)
    await add_bare_invoice(db, one, 10 * POUND, issued_on=OCTOBER, number="INV000001")
    await add_payment(db, other, 10 * POUND, quoted="INV000001")
    await allocated(db, other)
    await allocated(db, one)
    assert await still_open(db, one) == {"INV000001": 10 * POUND}


amounts = st.integers(1, 1000)


@given(
    st.lists(st.tuples(amounts, st.integers(0, 8)), max_size=8),
    st.lists(amounts, max_size=6),
)
def test_money_and_invoices_are_shared_out_to_the_last_penny(
    money: list[tuple[int, int]], owed: list[int]
) -> None:
    items = [FreeMoney(number, None, f"I{quoted}", micros) for number, (micros, quoted) in enumerate(money)]
    invoices = [
        OpenInvoice(number, f"I{number}", OCTOBER, None, micros, micros) for number, micros in enumerate(owed)
    ]
    given_ = share_out(items, invoices)
    assert all(allocation.amount_micros > 0 for allocation in given_)
    for item in items:
        spent = sum(a.amount_micros for a in given_ if a.money is item)
        assert spent <= item.free_micros
    for invoice in invoices:
        assert sum(a.amount_micros for a in given_ if a.invoice is invoice) <= invoice.open_micros
    assert sum(a.amount_micros for a in given_) == min(sum(owed), sum(micros for micros, _ in money))
