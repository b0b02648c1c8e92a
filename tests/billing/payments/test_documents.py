"""What a payment leaves on paper (M16 and C11): its VAT invoice, and a credit note for what went back."""

import datetime

import asyncpg
import msgspec
import pytest

from billing.complaints.conf import ComplaintsConf
from billing.conf import Seller
from billing.due import run_all_due
from billing.payments.received import received
from billing.payments.refund import carry_on, cleared_without_exchange, reserve_refund
from rating.money import VatMode
from tests.billing.books import CONF, add_account, add_customer
from tests.billing.payments.books import POUND, balance_of, with_books
from tests.billing.payments.conftest import AtStripe
from tests.billing.payments.test_received import credit, money
from tests.billing.payments.test_refunds import paid_by_card

TODAY = datetime.date(2026, 11, 22)


@pytest.mark.parametrize("vat", list(VatMode))
def test_m16_each_prepaid_payment_has_one_vat_invoice(dsn: str, vat: VatMode) -> None:
    """12.00 paid are 10.00 and 2.00 of VAT, on the next number, mailed once."""

    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db, is_postpaid=False, vat=vat)
        await add_customer(db, account, kind="consumer")
        numbers = [(await credit(db, money(account, f"pi_{number}"))).invoice for number in range(3)]
        assert (await credit(db, money(account, "pi_1"))).invoice is None
        assert len(set(numbers)) == 3
        rows = await db.fetch("SELECT number, net_micros, vat_micros, total_micros FROM invoices ORDER BY id")
        assert [tuple(row) for row in rows] == [
            (number, 10 * POUND, 2 * POUND, 12 * POUND) for number in numbers
        ]
        assert await db.fetchval("SELECT count(*) FROM mails") == 3

    with_books(dsn, body)


def test_m16_who_wants_no_invoices_for_payments_gets_none(dsn: str) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
        await add_customer(db, account, kind="consumer", wants_payment_invoices=False)
        assert (await credit(db, money(account))).invoice is None
        assert await db.fetchval("SELECT count(*) FROM invoices") == 0
        assert await balance_of(db, account) == 12 * POUND

    with_books(dsn, body)


def test_what_is_missing_on_paper_keeps_nobody_from_his_credit(dsn: str) -> None:
    """The seller has no address yet: the money counts at once, the invoice follows by the daily work."""

    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
        nameless = msgspec.structs.replace(CONF, seller=Seller())
        async with db.acquire() as connection, connection.transaction():
            done = await received(connection, nameless, money(account))
        assert (done.is_repeat, done.invoice) == (False, None)
        assert await balance_of(db, account) == 12 * POUND
        for _ in range(2):
            await run_all_due(db, CONF, TODAY, {}, ComplaintsConf())
        assert await db.fetchval("SELECT count(*) FROM invoices WHERE kind = 'payment_invoice'") == 1

    with_books(dsn, body)


def test_a_refund_is_credited_on_the_payments_invoice(dsn: str, stripe: AtStripe) -> None:
    async def body(db: asyncpg.Pool) -> None:
        payment = await paid_by_card(db, stripe)
        made = await reserve_refund(db, payment.id, 6 * POUND, reason="", by="")
        await carry_on(db, {"stripe": stripe.provider}, cleared_without_exchange, made.id)
        for _ in range(2):
            await run_all_due(db, CONF, TODAY, {}, ComplaintsConf())
        (note,) = await db.fetch("SELECT * FROM invoices WHERE kind = 'credit_note'")
        assert (note["net_micros"], note["vat_micros"]) == (5 * POUND, POUND)
        assert await balance_of(db, payment.account_id) == 6 * POUND, "the note moves nothing: the refund did"

    with_books(dsn, body)
