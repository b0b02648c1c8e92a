"""Money out is reserved first, asked of the exchange, then of the provider; a no at any point gives it back."""

import asyncio
import datetime
from pathlib import Path

import asyncpg
import msgspec
import pytest

from billing.open_items import open_invoices
from billing.payments.live_credit import LiveCredit, NoExchange, credit_after, live_credit
from billing.payments.payment import DESK, Method, Payment, find_payment
from billing.payments.provider import PaymentView, Refunded, ReturnKind, ReturnView, Wanted
from billing.payments.received import Money
from billing.payments.refund import (
    carry_on,
    carry_on_all,
    cleared_without_exchange,
    reserve_refund,
)
from billing.payments.requests import ask_for_payment
from billing.payments.returns import Return, put_back
from billing.payments.settling import look_and_settle
from provisioning.ledger import MovementKind, post
from provisioning.problems import Refused
from rating.money import VatMode
from tests.billing.books import CONF, add_account, add_bare_invoice
from tests.billing.payments.books import POUND, balance_of, movements_of, with_books
from tests.billing.payments.conftest import AtGoCardless, AtPayPal, AtStripe
from tests.billing.payments.test_received import credit, money


async def paid_by_card(db: asyncpg.Pool, at: AtStripe, *, vat: VatMode = VatMode.INC_VAT) -> Payment:
    account = await add_account(db, is_postpaid=False, vat=vat)
    request = await ask_for_payment(db, at.provider, account, 12 * POUND)
    intent = at.fake.pay(request.reference)
    settled = await look_and_settle(db, CONF, at.provider, intent)
    assert settled.payment is not None
    return settled.payment


def test_a_refund_leaves_the_ledger_before_the_provider_is_asked(dsn: str, stripe: AtStripe) -> None:
    async def body(db: asyncpg.Pool) -> None:
        payment = await paid_by_card(db, stripe)
        made = await reserve_refund(db, payment.id, 5 * POUND, reason="asked for", by="someone")
        assert await balance_of(db, payment.account_id) == 7 * POUND
        assert stripe.fake.refunds == {}
        done = await carry_on(db, {"stripe": stripe.provider}, cleared_without_exchange, made.id)
        again = await carry_on(db, {"stripe": stripe.provider}, cleared_without_exchange, made.id)
        assert (done.state, again.state) == ("done", "done")
        assert [each["amount"] for each in stripe.fake.refunds.values()] == [500]
        assert await movements_of(db, payment.account_id) == [("payment", 12 * POUND), ("refund", -5 * POUND)]
        await look_and_settle(
            db, CONF, stripe.provider, payment.reference
        )  # its own webhook tells of it, too
        assert await balance_of(db, payment.account_id) == 7 * POUND

    with_books(dsn, body)


def test_a_refund_that_the_provider_refuses_is_given_back(dsn: str, stripe: AtStripe) -> None:
    async def body(db: asyncpg.Pool) -> None:
        payment = await paid_by_card(db, stripe)
        stripe.fake.refuses_refunds = True
        made = await reserve_refund(db, payment.id, None, reason="", by="")
        done = await carry_on(db, {"stripe": stripe.provider}, cleared_without_exchange, made.id)
        assert done.state == "given_back"
        assert "greater than unrefunded" in done.problem
        assert await balance_of(db, payment.account_id) == 12 * POUND
        assert (await find_payment(db, payment.id)).returned_micros == 0

    with_books(dsn, body)


def test_what_was_given_back_is_not_given_back_again(dsn: str, stripe: AtStripe) -> None:
    """Two who carry one refund on: who comes second finds it in another state and changes nothing."""

    async def body(db: asyncpg.Pool) -> None:
        payment = await paid_by_card(db, stripe)

        async def back(return_id: int, *states: str) -> bool:
            async with db.acquire() as connection, connection.transaction():
                return await put_back(connection, return_id, "no", states=states)

        first = await reserve_refund(db, payment.id, 5 * POUND, reason="", by="")
        second = await reserve_refund(db, payment.id, 5 * POUND, reason="", by="")
        assert not await back(first.id, "cleared")
        done = await asyncio.gather(*(back(first.id, "reserved") for _ in range(4)))
        assert sorted(done) == [False, False, False, True]
        assert (await find_payment(db, payment.id)).returned_micros == 5 * POUND
        assert await balance_of(db, payment.account_id) == 7 * POUND
        await carry_on(db, {"stripe": stripe.provider}, cleared_without_exchange, second.id)
        assert not await back(second.id, "reserved", "cleared")

    with_books(dsn, body)


def test_money_that_calls_hold_is_not_refunded(dsn: str, stripe: AtStripe) -> None:
    async def held(made: Return, payment: Payment) -> None:
        raise Refused("£2.00 of it are held by calls")

    async def gone(made: Return, payment: Payment) -> None:
        raise NoExchange("the exchange does not answer")

    async def body(db: asyncpg.Pool) -> None:
        payment = await paid_by_card(db, stripe)
        for clearance in (held, gone):
            made = await reserve_refund(db, payment.id, None, reason="", by="")
            done = await carry_on(db, {"stripe": stripe.provider}, clearance, made.id)
            assert done.state == "given_back"
            assert await balance_of(db, payment.account_id) == 12 * POUND
        assert stripe.fake.refunds == {}

    with_books(dsn, body)


def test_money_that_was_spent_is_not_refunded_at_all(dsn: str, stripe: AtStripe) -> None:
    async def body(db: asyncpg.Pool) -> None:
        payment = await paid_by_card(db, stripe)
        async with db.acquire() as connection, connection.transaction():
            await post(connection, payment.account_id, MovementKind.FEE, -3 * POUND)
        with pytest.raises(Refused, match="short of"):
            await reserve_refund(db, payment.id, None, reason="", by="")
        assert await balance_of(db, payment.account_id) == 9 * POUND
        with pytest.raises(Refused, match="could still go back"):
            await reserve_refund(db, payment.id, 13 * POUND, reason="", by="")

    with_books(dsn, body)


def test_two_refunds_at_once_are_never_more_than_was_paid(dsn: str, stripe: AtStripe) -> None:
    async def body(db: asyncpg.Pool) -> None:
        payment = await paid_by_card(db, stripe)

        async def one() -> bool:
            try:
                await reserve_refund(db, payment.id, 5 * POUND, reason="", by="")
            except Refused:
                return False
            return True

        assert sum(await asyncio.gather(*(one() for _ in range(8)))) == 2
        assert await balance_of(db, payment.account_id) == 2 * POUND

    with_books(dsn, body)


class Forgetful:
    """Stripe whose answer to a refund gets lost: it happened, and nobody was told."""

    name = "stripe"

    def __init__(self, at: AtStripe) -> None:
        self._at = at
        self.is_lost = True

    async def look(self, reference: str) -> PaymentView:
        return await self._at.provider.look(reference)

    async def refund(
        self, payment: PaymentView, amount_micros: int, *, return_id: int, reason: str
    ) -> Refunded:
        done = await self._at.provider.refund(payment, amount_micros, return_id=return_id, reason=reason)
        if self.is_lost:
            raise ConnectionResetError
        return done


def test_a_refund_whose_answer_got_lost_is_found_and_not_made_again(dsn: str, stripe: AtStripe) -> None:
    """Killed between the provider's yes and our writing it down: then the billing process takes it up."""

    async def body(db: asyncpg.Pool) -> None:
        payment = await paid_by_card(db, stripe)
        forgetful = Forgetful(stripe)
        made = await reserve_refund(db, payment.id, 5 * POUND, reason="", by="")
        with pytest.raises(ConnectionResetError):
            await carry_on(db, {"stripe": forgetful}, cleared_without_exchange, made.id)  # type: ignore[dict-item]
        assert await carry_on_all(db, {"stripe": stripe.provider}, cleared_without_exchange) == []
        await db.execute("UPDATE payment_returns SET tried_at = now() - interval '2 minutes'")
        stripe.fake.answered.clear()  # as after a day, when Stripe has forgotten the key
        (done,) = await carry_on_all(db, {"stripe": stripe.provider}, cleared_without_exchange)
        assert done.state == "done"
        assert len(stripe.fake.refunds) == 1
        assert await balance_of(db, payment.account_id) == 7 * POUND

    with_books(dsn, body)


def test_a_provider_that_is_down_is_asked_again(dsn: str, stripe: AtStripe) -> None:
    async def body(db: asyncpg.Pool) -> None:
        payment = await paid_by_card(db, stripe)
        stripe.fake.is_down = True
        made = await reserve_refund(db, payment.id, None, reason="", by="")
        done = await carry_on(db, {"stripe": stripe.provider}, cleared_without_exchange, made.id)
        assert (done.state, done.problem != "") == ("cleared", True)
        assert await balance_of(db, payment.account_id) == 0, "it cannot be spent meanwhile"
        stripe.fake.is_down = False
        await db.execute("UPDATE payment_returns SET tried_at = now() - interval '2 minutes'")
        (done,) = await carry_on_all(db, {"stripe": stripe.provider}, cleared_without_exchange)
        assert done.state == "done"

    with_books(dsn, body)


def test_a_refund_that_fails_at_the_bank_days_later_is_the_customers_again(
    dsn: str, stripe: AtStripe
) -> None:
    async def body(db: asyncpg.Pool) -> None:
        payment = await paid_by_card(db, stripe)
        made = await reserve_refund(db, payment.id, None, reason="", by="")
        await carry_on(db, {"stripe": stripe.provider}, cleared_without_exchange, made.id)
        next(iter(stripe.fake.refunds.values()))["status"] = "failed"
        for _ in range(2):
            await look_and_settle(db, CONF, stripe.provider, payment.reference)
            assert await balance_of(db, payment.account_id) == 12 * POUND

    with_books(dsn, body)


def test_the_vat_of_a_prepaid_payment_goes_back_with_it_to_the_penny(dsn: str, stripe: AtStripe) -> None:
    """In parts, too: all parts together give back all of the VAT."""

    async def body(db: asyncpg.Pool) -> None:
        payment = await paid_by_card(db, stripe, vat=VatMode.EX_VAT)
        assert await balance_of(db, payment.account_id) == 10 * POUND
        for pence in (1, 333, 500, 366):
            made = await reserve_refund(db, payment.id, pence * 10_000, reason="", by="")
            await carry_on(db, {"stripe": stripe.provider}, cleared_without_exchange, made.id)
        assert await balance_of(db, payment.account_id) == 0
        moved = await movements_of(db, payment.account_id)
        assert sum(amount for kind, amount in moved if kind == "vat") == 0

    with_books(dsn, body)


def test_a_chargeback_opens_the_invoice_again_and_a_won_one_pays_it(dsn: str, stripe: AtStripe) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db)
        number = await add_bare_invoice(db, account, 12 * POUND, issued_on=datetime.date(2026, 10, 1))
        request = await ask_for_payment(db, stripe.provider, account, 12 * POUND, quoted=number)
        intent = stripe.fake.pay(request.reference)

        async def still_open() -> list[str]:
            await look_and_settle(db, CONF, stripe.provider, intent)
            async with db.acquire() as connection:
                return [each.number for each in await open_invoices(connection, account)]

        assert await still_open() == []
        dispute = stripe.fake.dispute(intent)
        assert await still_open() == [number]
        assert (await movements_of(db, account))[-1] == ("chargeback", -12 * POUND)
        stripe.fake.disputes[dispute]["status"] = "won"
        assert await still_open() == []
        assert (await movements_of(db, account))[-1] == ("chargeback", 12 * POUND)

    with_books(dsn, body)


def test_a_direct_debit_that_fails_late_and_is_paid_after_all(dsn: str, gocardless: AtGoCardless) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db)
        page = await gocardless.provider.open_page(Wanted(account, 0, "key", "Telephone account"))
        mandate = await gocardless.provider.look_method(gocardless.fake.fulfil(page.reference))
        made = await gocardless.provider.charge(mandate, Wanted(account, 12 * POUND, "dd-1", "Invoice"))
        expected = {
            "submitted": 0, "confirmed": 12, "failed": 0, "pending_submission": 0, "paid_out": 12, "charged_back": 0,
        }  # fmt: skip
        for status, pounds in expected.items():
            gocardless.fake.payments[made.reference]["status"] = status
            for _ in range(2):
                await look_and_settle(db, CONF, gocardless.provider, made.reference)
                assert await balance_of(db, account) == pounds * POUND, status
        kinds = [kind for kind, _ in await movements_of(db, account)]
        assert kinds == ["payment", "chargeback", "chargeback", "chargeback"]

    with_books(dsn, body)


def test_a_refund_made_in_the_providers_dashboard_is_a_row_of_the_ledger(dsn: str, paypal: AtPayPal) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
        request = await ask_for_payment(db, paypal.provider, account, 12 * POUND)
        paypal.fake.approve(request.reference)
        await look_and_settle(db, CONF, paypal.provider, request.reference)
        unit = paypal.fake.orders[request.reference]["purchase_units"][0]
        unit["payments"]["refunds"].append(
            {"id": "REFUND9", "status": "COMPLETED", "amount": {"value": "2.00", "currency_code": "GBP"}}
        )
        reversal = ReturnView(ReturnKind.CHARGEBACK, "REVERSAL1", 3 * POUND)
        for _ in range(2):
            await look_and_settle(db, CONF, paypal.provider, request.reference, more=reversal)
            assert await balance_of(db, account) == 7 * POUND

    with_books(dsn, body)


def test_cash_is_given_back_by_hand_and_stands_in_the_books(dsn: str) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
        taken = msgspec.structs.replace(money(account, "cash:1"), provider=DESK, method=Method.CASH)
        assert isinstance(taken, Money)
        payment = (await credit(db, taken)).payment
        made = await reserve_refund(db, payment.id, None, reason="changed his mind", by="")
        done = await carry_on(db, {}, cleared_without_exchange, made.id)
        assert done.state == "done"
        with pytest.raises(Refused, match="gone back already"):
            await reserve_refund(db, payment.id, None, reason="", by="")

    with_books(dsn, body)


def test_the_exchange_is_asked_until_it_has_seen_the_movement(tmp_path: Path) -> None:
    """A control socket that learns of the row at its third answer."""
    answers = iter(
        [
            LiveCredit(12 * POUND, 0, 12 * POUND, 4),
            LiveCredit(12 * POUND, 0, 12 * POUND, 4),
            LiveCredit(0, 2 * POUND, -2 * POUND, 5),
        ]
    )

    async def run() -> LiveCredit:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = msgspec.json.decode(await reader.readline())
            assert asked == {"command": "account", "name": "Shop"}
            writer.write(msgspec.json.encode({"ok": True, "result": next(answers)}) + b"\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(answer, tmp_path / "control.sock")
        async with server:
            return await credit_after(tmp_path / "control.sock", "Shop", 5)

    assert asyncio.run(run()).available_micros == -2 * POUND


def test_no_exchange_is_a_no(tmp_path: Path) -> None:
    with pytest.raises(NoExchange):
        asyncio.run(live_credit(tmp_path / "control.sock", "Shop"))
