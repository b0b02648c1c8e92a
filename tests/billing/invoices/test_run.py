"""The monthly run: what it bills, and that it bills it once."""

import asyncio
import datetime

import asyncpg
import pytest

from billing.invoices.document import Document, Form
from billing.invoices.issue import find_document
from billing.invoices.run import Made, month_period, run_month
from billing.open_items import open_invoices
from billing.pdf.paper import paper_of
from provisioning.ledger import MovementKind
from provisioning.problems import Refused
from rating.money import VatMode
from tests.billing.books import (
    CONF,
    POUND,
    add_account,
    add_call,
    add_customer,
    add_payment,
    add_usage,
    balance,
    move,
)
from tests.provisioning.databases import in_database

OCTOBER = month_period(2026, 10)
NOVEMBER = month_period(2026, 11)
TODAY = datetime.date(2026, 11, 2)
PENNY = 10_000


def utc(*parts: int) -> datetime.datetime:
    return datetime.datetime(*parts, tzinfo=datetime.UTC)  # type: ignore[arg-type]


async def run(db: asyncpg.Pool) -> list[Made]:
    return await run_month(db, CONF, OCTOBER, today=TODAY)


async def only_document(db: asyncpg.Pool) -> Document:
    [made] = await run(db)
    assert made.problem == ""
    return await find_document(db, made.number)


@in_database
async def test_calls_and_subscriptions_of_the_month_become_one_invoice(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    await move(db, account, MovementKind.SUBSCRIPTION, -10 * POUND, "Line rental, October 2026")
    await add_call(db, account, 12_345)
    await add_call(db, account, 23_456, destination_name="UK mobile")
    document = await only_document(db)
    assert [(line.description, line.detail, line.shown_micros) for line in document.lines] == [
        ("Line rental, October 2026", "", 10 * POUND),
        ("Calls", "2 calls, 2:00", 3 * PENNY),
    ]
    assert (document.net_micros, document.vat_micros, document.total_micros) == (
        10_030_000,
        2_010_000,
        12_040_000,
    )
    assert [(group.destination, group.count) for group in document.groups] == [
        ("UK landline", 1),
        ("UK mobile", 1),
    ]
    assert document.number == "INV000001"
    assert (document.due_on, document.period_from, document.period_to) == (
        "2026-11-16",
        "2026-10-01",
        "2026-10-31",
    )


@pytest.mark.parametrize("vat", list(VatMode))
def test_a_paid_account_returns_to_zero(vat: VatMode, dsn: str) -> None:
    @in_database
    async def check(db: asyncpg.Pool) -> None:
        account = await add_account(db, vat=vat)
        await add_customer(db, account)
        for number in range(20):
            await add_call(db, account, 12_345 + 77 * number)
        await move(db, account, MovementKind.INTEREST, -1_230_000, "Interest")
        await move(db, account, MovementKind.COMPENSATION, 345_678, "Missed appointment")
        document = await only_document(db)
        assert await balance(db, account) == -document.total_micros
        assert document.total_micros % PENNY == 0
        await add_payment(db, account, document.total_micros, quoted=document.number)
        assert await balance(db, account) == 0

    check(dsn)


@in_database
async def test_prices_with_vat_are_not_taxed_again(db: asyncpg.Pool) -> None:
    account = await add_account(db, vat=VatMode.INC_VAT)
    await add_customer(db, account, kind="consumer", company="", contact="A. Customer")
    await move(db, account, MovementKind.SUBSCRIPTION, -12 * POUND, "Line rental")
    document = await only_document(db)
    assert (document.net_micros, document.vat_micros, document.total_micros) == (
        10 * POUND,
        2 * POUND,
        12 * POUND,
    )
    assert document.form is Form.SIMPLIFIED
    assert await balance(db, account) == -12 * POUND


@in_database
async def test_interest_and_compensation_bear_no_vat(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    await move(db, account, MovementKind.FEE, -10 * POUND, "Set-up")
    await move(db, account, MovementKind.INTEREST, -5 * POUND, "Interest on INV000009")
    await move(db, account, MovementKind.COMPENSATION, 2 * POUND, "Missed appointment")
    document = await only_document(db)
    assert [(total.rate, total.net_micros, total.vat_micros) for total in document.rates] == [
        (2000, 10 * POUND, 2 * POUND),
        (None, 3 * POUND, 0),
    ]


@in_database
async def test_a_second_run_makes_nothing(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    await add_call(db, account, 5 * POUND)
    assert len(await run(db)) == 1
    before = await everything(db)
    assert await run(db) == []
    assert await everything(db) == before


@in_database
async def test_two_runs_at_once_make_each_invoice_once(db: asyncpg.Pool) -> None:
    for number in range(6):
        account = await add_account(db)
        await add_customer(db, account)
        await add_call(db, account, (number + 1) * POUND)
    made = [*await asyncio.gather(run(db), run(db), run(db))]
    assert sorted(done.number for runs in made for done in runs) == [
        f"INV{count:06d}" for count in range(1, 7)
    ]
    assert await db.fetchval("SELECT count(*) FROM invoices") == 6
    assert await db.fetchval("SELECT count(*) FROM invoice_runs") == 1


@in_database
async def test_a_dry_run_writes_nothing(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    await add_call(db, account, 5 * POUND)
    before = await everything(db)
    [made] = await run_month(db, CONF, OCTOBER, today=TODAY, is_dry=True)
    assert (made.number, made.total_micros) == ("", 6 * POUND)
    assert await everything(db) == before


@in_database
async def test_a_call_whose_record_came_late_goes_onto_the_next_invoice(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    await add_call(db, account, 5 * POUND)
    await run(db)
    await add_call(db, account, 2 * POUND)
    await add_call(db, account, 3 * POUND, ended_at=utc(2026, 11, 20))
    [made] = await run_month(db, CONF, NOVEMBER, today=datetime.date(2026, 12, 1))
    document = await find_document(db, made.number)
    assert [(line.is_late, line.shown_micros) for line in document.lines] == [
        (False, 3 * POUND),
        (True, 2 * POUND),
    ]
    assert [call.is_late for call in document.calls[0].calls] == [True, False]


@in_database
async def test_a_run_that_is_given_again_leaves_what_came_late_to_the_next(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    await add_call(db, account, 5 * POUND)
    await run(db)
    await add_call(db, account, 2 * POUND)
    assert await run(db) == []
    assert await db.fetchval("SELECT count(*) FROM invoices") == 1


@in_database
async def test_midnight_in_london_is_where_a_month_ends(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    # Summer time: September ended at 23:00 UTC. October ended in winter time.
    await add_call(db, account, 1 * POUND, ended_at=utc(2026, 9, 30, 22, 59, 59))
    await add_call(db, account, 2 * POUND, ended_at=utc(2026, 9, 30, 23, 0, 0))
    await add_call(db, account, 4 * POUND, ended_at=utc(2026, 10, 31, 23, 59, 59))
    await add_call(db, account, 8 * POUND, ended_at=utc(2026, 11, 1, 0, 0, 0))
    document = await only_document(db)
    assert [(line.is_late, line.shown_micros) for line in document.lines] == [
        (False, 6 * POUND),
        (True, 1 * POUND),
    ]
    assert document.calls[0].calls[1].at == "2026-09-30T23:58:55"


@in_database
async def test_credits_that_outweigh_the_charges_wait_for_the_next_invoice(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    await move(db, account, MovementKind.ADJUSTMENT, 8 * POUND, "Goodwill")
    await add_call(db, account, 5 * POUND)
    assert await run(db) == []
    await add_call(db, account, 10 * POUND, ended_at=utc(2026, 11, 20))
    [made] = await run_month(db, CONF, NOVEMBER, today=datetime.date(2026, 12, 1))
    assert made.total_micros == (5 + 10 - 8) * POUND * 12 // 10


@in_database
async def test_an_account_without_a_customer_is_named_and_stops_nobody(db: asyncpg.Pool) -> None:
    nobody, somebody = await add_account(db, name="Nobody"), await add_account(db)
    await add_customer(db, somebody)
    await add_call(db, nobody, 500 * POUND)
    await add_call(db, somebody, 5 * POUND)
    problem, made = await run(db)
    assert (problem.account, problem.number, made.number) == ("Nobody", "", "INV000001")
    assert "offhook customer set" in problem.problem
    await add_customer(db, nobody)
    assert [done.number for done in await run(db)] == ["INV000002"]


@in_database
async def test_prepaid_accounts_get_no_monthly_invoice(db: asyncpg.Pool) -> None:
    """Their VAT was due when they paid (single-purpose voucher), and is never charged again at use."""
    account = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
    await add_customer(db, account)
    await add_call(db, account, 5 * POUND)
    assert await run(db) == []


@in_database
async def test_money_that_waited_pays_the_invoice_at_once(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    await add_payment(db, account, 5 * POUND)
    await add_call(db, account, 5 * POUND)
    document = await only_document(db)
    assert document.credit_micros == 5 * POUND
    assert [item.open_micros for item in await open_invoices(db, account)] == [1 * POUND]


@in_database
async def test_the_policy_of_a_run_stays_with_it(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    await db.execute(
        'INSERT INTO invoice_runs (period_from, period_to, policy) VALUES ($1, $2, \'{"vat_rounding": "total_down"}\')',
        OCTOBER.first,
        OCTOBER.end,
    )
    await add_call(db, account, 130_000)
    document = await only_document(db)
    assert (document.policy, document.vat_micros) == ("total_down", 2 * PENNY)


@in_database
async def test_a_rate_of_vat_that_changes_in_the_month_is_two_lines(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    await add_call(db, account, 10 * POUND, ended_at=utc(2011, 1, 3, 12))
    await add_call(db, account, 20 * POUND, ended_at=utc(2011, 1, 4, 12))
    # The file says nothing of simplified invoices in 2011, so which form it has cannot be told.
    [problem] = await run_month(db, CONF, month_period(2011, 1), today=datetime.date(2011, 2, 1))
    assert "simplified_invoice" in problem.problem
    made = await run_month(db, CONF, month_period(2011, 1), today=datetime.date(2026, 2, 1))
    document = await find_document(db, made[0].number)
    assert [(total.rate, total.vat_micros) for total in document.rates] == [
        (2000, 4_000_000),
        (1750, 1_750_000),
    ]


@in_database
async def test_free_calls_and_emergency_calls_never_show(db: asyncpg.Pool) -> None:
    """GC C3: calls free to the caller are not identified on a bill."""
    account = await add_account(db)
    await add_customer(db, account)
    await add_call(db, account, 0, destination="116123", dialled="116123", destination_name="Helpline")
    await add_call(db, account, 0, destination="+448081570123", destination_name="Freephone")
    await add_call(db, account, 0, destination="999", destination_name="", is_emergency=True)
    await add_call(db, account, 0, destination="999", is_emergency=True, bundled_s=60, bundles="1=60")
    await add_call(db, account, 0, destination="+441632960123", bundled_s=60, bundles="1=60")
    await add_call(db, account, 1 * POUND)
    document = await only_document(db)
    numbers = [call.number for line in document.calls for call in line.calls]
    assert sorted(numbers) == ["+441632960123", "+442079460123"]
    assert [(use.name, use.seconds) for use in document.bundles] == [("Bundle 1", 60)]
    assert all(group.destination == "UK landline" for group in document.groups)


@in_database
async def test_access_and_service_charge_are_kept_apart(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    parts = {"access_charge_micros": 100_000, "service_charge_micros": 70_000, "usage_micros": 0}
    await add_call(db, account, 170_000, destination="+448431570123", destination_name="0843", **parts)
    document = await only_document(db)
    [group], [line] = document.groups, document.calls
    assert (group.access_micros, group.service_micros, group.charge_micros) == (100_000, 70_000, 170_000)
    assert (line.calls[0].access_micros, line.calls[0].service_micros) == (100_000, 70_000)


@in_database
async def test_who_wants_no_itemised_bill_gets_none(db: asyncpg.Pool) -> None:
    """PECR 2003 reg. 9."""
    account = await add_account(db)
    await add_customer(db, account, wants_itemised=False)
    await add_call(db, account, 1 * POUND)
    document = await only_document(db)
    assert document.calls == ()
    assert document.groups[0].count == 1


@in_database
async def test_a_charge_without_a_record_is_billed_and_says_so(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    await add_usage(db, account, 1 * POUND, "lost", utc(2026, 10, 15))
    document = await only_document(db)
    assert document.groups[0].destination == "Calls without a record"
    assert document.net_micros == 1 * POUND


@in_database
async def test_n16_c11_the_invoice_goes_out_by_mail_as_a_pdf_in_the_print_that_is_wanted(
    db: asyncpg.Pool,
) -> None:
    """uk.md (S) N16, C11, M23: monthly in arrears, by e-mail, bank details, quote the invoice number, large print."""
    account = await add_account(db)
    await add_customer(db, account, wants_large_print=True)
    await add_call(db, account, 1 * POUND)
    document = await only_document(db)
    mail = await db.fetchrow("SELECT * FROM mails")
    attachment = await db.fetchrow("SELECT * FROM mail_attachments")
    assert (mail["recipient"], mail["key"]) == ("accounts@example.com", "document/INV000001")
    assert "12-34-56" in mail["body"] and "quote the invoice number INV000001" in mail["body"]
    assert (attachment["invoice_number"], attachment["is_large_print"]) == (document.number, True)


@in_database
async def test_n16_who_pays_by_direct_debit_is_not_asked_to_pay_as_well(db: asyncpg.Pool) -> None:
    account = await add_account(db)
    await add_customer(db, account)
    await db.execute(
        "INSERT INTO payment_methods (account_id, provider, reference, state)"
        " VALUES ($1, 'gocardless', 'MD1', 'active')",
        account,
    )
    await add_call(db, account, 1 * POUND)
    document = await only_document(db)
    assert document.is_collected
    paper = paper_of(document)
    assert (paper.pay, paper.amount_note) == ((), "to be collected by Direct Debit")
    body = await db.fetchval("SELECT body FROM mails")
    assert "Direct Debit" in body and "12-34-56" not in body and "Due by" not in body


@in_database
async def test_a_month_that_is_not_over_is_refused(db: asyncpg.Pool) -> None:
    with pytest.raises(Refused, match="2026-10-31"):
        await run_month(db, CONF, OCTOBER, today=datetime.date(2026, 10, 31))


async def everything(db: asyncpg.Pool) -> list[object]:
    """All that a run could change, but for the times at which."""
    queries = (
        "SELECT number, account_id, document::text FROM invoices ORDER BY number",
        "SELECT account_id, ledger_id, invoice_id FROM invoiced ORDER BY 1, 2",
        "SELECT account_id, kind, amount_micros, idempotency_key FROM ledger ORDER BY account_id, id",
        "SELECT name, next FROM invoice_series ORDER BY name",
        "SELECT key, recipient FROM mails ORDER BY key",
        "SELECT invoice_id, payment_id, amount_micros FROM allocations ORDER BY id",
        "SELECT period_from, policy::text, finished_at IS NULL FROM invoice_runs",
    )
    return [[tuple(row) for row in await db.fetch(query)] for query in queries]
