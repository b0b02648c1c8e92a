"""Interest on what is overdue, posted on a real database, by the kind of customer."""

import asyncpg
import msgspec
import pytest

from billing.conf_arrears import Ladder
from billing.customers import CustomerKind
from billing.dated import Dated
from tests.billing.arrears.slow_payer import BILLED, CONF, POUND, SlowPayer, date
from tests.provisioning.databases import in_database

pytestmark = pytest.mark.wire


@in_database
async def test_interest_by_the_kind_of_customer(db: asyncpg.Pool) -> None:
    """The same debt, 100 days: nothing for a consumer, what the contract says, the Act for a business."""
    contract = {
        **CONF.arrears.ladders,
        CustomerKind.SMALL_BUSINESS: Dated(
            "small_business", [(date("2020-01-01"), Ladder(interest=400, interest_after=0))]
        ),
    }
    conf = msgspec.structs.replace(CONF, arrears=msgspec.structs.replace(CONF.arrears, ladders=contract))
    expected = {"consumer": 0, "small_business": 10_950_000, "business": 70 * POUND + 32_190_000}
    for kind, micros in expected.items():
        payer = await SlowPayer.move_in(db, kind=kind, conf=conf)
        await payer.is_billed(BILLED, 1000)
        await payer.run_days("2026-03-16", "2026-03-20")
        await payer.run_days("2026-06-20", "2026-06-25")
        await payer.pays("2026-06-25", 1000)
        await payer.run_days("2026-06-25", "2026-07-02")
        assert await payer.interest() == micros, kind


@in_database
async def test_part_payments_and_months_each_posted_once_on_what_was_open(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db, kind="business")
    number = await payer.is_billed(BILLED, 1000)
    await payer.run_days("2026-03-16", "2026-04-15")
    await payer.pays("2026-04-16", 400)
    await payer.run_days("2026-04-16", "2026-05-20")
    await payer.pays("2026-05-21", 600)
    await payer.run_days("2026-05-21", "2026-07-31")
    pound_days = 30 * 1000 + 35 * 600
    assert await payer.interest() == 70 * POUND + pound_days * 1175 * 100 // 365 // 10_000 * 10_000
    rows = await db.fetch("SELECT idempotency_key FROM ledger WHERE kind = 'interest' ORDER BY id")
    assert [row[0] for row in rows] == [
        f"interest/{number}/2026-03-16/fixed/1",
        f"interest/{number}/2026-03-31/interest/2",
        f"interest/{number}/2026-04-30/interest/3",
        f"interest/{number}/2026-05-20/interest/4",
    ]
    assert await db.fetchval("SELECT is_settled FROM arrears_interest")


@in_database
async def test_a_credit_note_takes_back_the_interest_on_what_was_never_owed(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db, kind="business")
    number = await payer.is_billed(BILLED, 1000)
    await payer.run_days("2026-03-16", "2026-05-10")
    assert await payer.interest() > 70 * POUND
    await payer.is_credited("2026-05-11", number, 1000)
    await payer.run_days("2026-05-11", "2026-06-02")
    assert await payer.interest() == 0
    assert (
        await db.fetchval(
            "SELECT balance_micros FROM account_balances WHERE account_id = $1", payer.account_id
        )
        == 0
    )


@in_database
async def test_interest_bears_no_interest(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db, kind="business")
    await payer.is_billed(BILLED, 1000)
    await payer.run_days("2026-03-16", "2026-05-01")
    charged = await payer.interest()
    number = await payer.is_billed("2026-05-01", charged / POUND)  # as the monthly invoice bills it
    await db.execute(
        "INSERT INTO invoiced (account_id, ledger_id, invoice_id) SELECT l.account_id, l.id, i.id FROM ledger l,"
        " invoices i WHERE l.kind = 'interest' AND i.number = $1",
        number,
    )
    await payer.pays("2026-05-02", 1000)
    await payer.run_days("2026-05-02", "2026-12-31")
    last = await payer.interest() - charged
    assert last == 320_000  # the last day of the first invoice, 1 May, and nothing for the second


@in_database
async def test_a_hold_pauses_interest(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db, kind="business")
    await payer.is_billed(BILLED, 1000)
    await payer.holds("2026-03-20", "2026-06-15", "dispute")
    await payer.run_days("2026-03-20", "2026-06-15")
    assert await payer.interest() == 0
