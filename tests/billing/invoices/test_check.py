"""The proof that billing adds up: it holds after honest work, and finds each kind of difference."""

import datetime

import asyncpg
import pytest

from billing.invoices.check import check_billing
from billing.invoices.credit import credit_invoice
from billing.invoices.of_payment import invoice_for_payment
from billing.invoices.run import month_period, run_month
from provisioning.ledger import MovementKind
from rating.money import VatMode
from tests.billing.books import (
    CONF,
    POUND,
    add_account,
    add_call,
    add_customer,
    add_payment,
    add_usage,
    move,
)
from tests.billing.invoices.test_run import TODAY, run, utc
from tests.provisioning.databases import in_database


async def a_month(db: asyncpg.Pool) -> int:
    """Both kinds of prices, prepaid too, payments, a credit note. The first account."""
    first = 0
    for vat in VatMode:
        account = await add_account(db, vat=vat)
        first = first or account
        await add_customer(db, account)
        await move(db, account, MovementKind.SUBSCRIPTION, -10 * POUND, "Line rental")
        for number in range(5):
            await add_call(db, account, 12_345 + number)
        await move(db, account, MovementKind.RERATING, 1_234, "corrected")
        await add_payment(db, account, 5 * POUND)
    prepaid = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
    payment = await add_payment(db, prepaid, 12 * POUND)
    await add_call(db, prepaid, 12_345)
    async with db.acquire() as connection, connection.transaction():
        await invoice_for_payment(connection, CONF, payment)
    await run(db)
    await credit_invoice(db, CONF, "INV000001", reason="Too much", today=TODAY, lines=[1])
    return first


async def unguarded(db: asyncpg.Pool, statement: str, *arguments: object) -> None:
    """As nobody can, for the triggers: a row changed behind everybody's back."""
    async with db.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(statement, *arguments)


@in_database
async def test_an_honest_month_adds_up(db: asyncpg.Pool) -> None:
    await a_month(db)
    proof = await check_billing(db)
    assert (proof.differences, proof.waiting, proof.documents) == ([], [], 4)


DAMAGE = {
    "a balance": ("UPDATE account_balances SET balance_micros = balance_micros + 1", "its rows are"),
    "a record that was lost": (
        "DELETE FROM cdrs WHERE call_id = (SELECT min(call_id) FROM cdrs)",
        "its record says £0.00",
    ),
    "a charge that was lost": (
        "DELETE FROM ledger WHERE kind = 'usage' AND account_id = (SELECT max(id) FROM accounts)",
        "the ledger £0.00",
    ),
    "a charge to another": (
        "UPDATE cdrs SET payer_account_id = 99 WHERE cost_micros = 12346",
        "of account 99",
    ),
    "a row that left its invoice": (
        "DELETE FROM invoiced WHERE ledger_id = (SELECT min(ledger_id) FROM invoiced)",
        "its rows of the ledger come to",
    ),
    "a total": (
        "UPDATE invoices SET net_micros = net_micros + 10000, total_micros = total_micros + 10000"
        " WHERE number = 'INV000002'",
        "INV000002: what is on it is not what stands beside it",
    ),
    "a rate": (
        "UPDATE invoices SET document = jsonb_set(document, '{rates,0,vat_micros}', '10000')"
        " WHERE number = 'INV000001'",
        "INV000001: its rates of VAT do not add up",
    ),
    "a line": (
        "UPDATE invoices SET document = jsonb_set(document, '{lines,0,shown_micros}', '10000')"
        " WHERE number = 'INV000001'",
        "INV000001: its lines do not add up",
    ),
    "a number": (
        "UPDATE invoice_series SET next = next + 1 WHERE name = 'invoice'",
        "series invoice: 2 documents where 3",
    ),
    "an invoice paid twice": (
        "UPDATE allocations SET amount_micros = 20000000 WHERE payment_id IS NOT NULL",
        "£20.00 pay",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found(name: str, dsn: str) -> None:
    statement, expected = DAMAGE[name]

    @in_database
    async def check(db: asyncpg.Pool) -> None:
        await a_month(db)
        await unguarded(db, statement)
        differences = (await check_billing(db)).differences
        assert any(expected in line for line in differences), differences

    check(dsn)


@in_database
async def test_vat_by_another_policy_than_the_one_on_the_invoice_is_found(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    await add_call(db, account, 130_000)
    await run(db)
    await unguarded(db, "UPDATE invoices SET document = jsonb_set(document, '{policy}', '\"total_down\"')")
    assert (await check_billing(db)).differences == ["INV000001: VAT of £0.03 where total_down makes £0.02"]


@in_database
async def test_charges_that_wait_are_named_and_no_difference(db: asyncpg.Pool) -> None:
    account = await add_account(db, name="Nobody")
    await add_usage(db, account, 300 * POUND, "lost", utc(2026, 10, 15))
    await add_call(db, account, POUND, ended_at=utc(2026, 11, 15))
    await run(db)
    proof = await check_billing(db)
    assert proof.waiting == ["account Nobody: 1 charges of £300.00 wait for the next invoice"]
    assert len(proof.differences) == 1, "the record of that call is missing"


@in_database
async def test_many_months_of_both_kinds_stay_in_balance(db: asyncpg.Pool) -> None:
    accounts = [await add_account(db, vat=vat) for vat in VatMode]
    for account in accounts:
        await add_customer(db, account)
    for month in range(1, 10):
        for account in accounts:
            for day in range(1, 20, 3):
                await add_call(db, account, 7_777 * day + month, ended_at=utc(2026, month, day, 12))
        await run_month(db, CONF, month_period(2026, month), today=datetime.date(2026, month + 1, 1))
    assert (await check_billing(db)).differences == []
    owed = await db.fetch(
        "SELECT account_id, sum(total_micros)::bigint AS total FROM invoices GROUP BY 1 ORDER BY 1"
    )
    balances = await db.fetch("SELECT balance_micros FROM account_balances ORDER BY account_id")
    assert [-row["total"] for row in owed] == [row["balance_micros"] for row in balances]
