"""Low balances, automatic top-ups, and the gate before credit (N4 and M14)."""

import datetime
import json
import sys
from pathlib import Path

import asyncpg
import msgspec
import pytest

from billing.conf import BillingConf
from billing.conf_payments import AutoTopUp, PaymentsConf
from billing.credit_checks import CheckResult, CreditCheck, checks_of, record_check, require_check
from billing.payments.auto_top_up import top_up_low_accounts
from billing.payments.low_balance import tell_low_balances
from billing.payments.requests import ask_for_payment
from billing.payments.settling import look_and_settle
from provisioning import service
from provisioning.ledger import MovementKind, post
from provisioning.problems import InvalidValue, Refused
from rating.money import VatMode
from tests.billing.books import CONF, add_account, add_customer
from tests.billing.payments.books import POUND, balance_of, with_books
from tests.billing.payments.conftest import AtStripe

TODAY = datetime.date(2026, 11, 22)


async def move(db: asyncpg.Pool, account: int, pounds: int) -> None:
    kind = MovementKind.TOP_UP if pounds > 0 else MovementKind.FEE
    async with db.acquire() as connection, connection.transaction():
        await post(connection, account, kind, pounds * POUND)


async def prepaid(db: asyncpg.Pool, *settings: str) -> int:
    account = await add_account(db, is_postpaid=False, vat=VatMode.INC_VAT)
    await add_customer(db, account, kind="consumer")
    name = await db.fetchval("SELECT name FROM accounts WHERE id = $1", account)
    await service.set_account(db, name, settings=settings)
    return account


def test_a_low_balance_is_told_once_for_each_fall(dsn: str) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await prepaid(db, "low_balance=5.00")
        steps = [(+10, 0), (-4, 0), (-2, 1), (-1, 0), (+1, 0), (-1, 0), (+4, 0), (-4, 1), (-1, 0), (-2, 0)]
        mails = 0
        for pounds, told in steps:
            await move(db, account, pounds)
            assert len(await tell_low_balances(db, CONF)) == told, (pounds, told)
            assert await tell_low_balances(db, CONF) == []
            mails += told
            assert await db.fetchval("SELECT count(*) FROM mails") == mails
        body_text = await db.fetchval("SELECT body FROM mails ORDER BY id LIMIT 1")
        assert "£4.00" in body_text
        assert "£5.00" in body_text

    with_books(dsn, body)


def test_a_top_up_that_is_spent_before_anybody_looks_counts(dsn: str) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await prepaid(db, "low_balance=5.00")
        await move(db, account, 3)
        assert len(await tell_low_balances(db, CONF)) == 1
        await move(db, account, 10)
        await move(db, account, -10)
        assert len(await tell_low_balances(db, CONF)) == 1
        await move(db, account, 1)
        assert await tell_low_balances(db, CONF) == []

    with_books(dsn, body)


def test_who_did_not_ask_is_not_told(dsn: str) -> None:
    async def body(db: asyncpg.Pool) -> None:
        await prepaid(db)
        other = await prepaid(db, "low_balance=5.00")
        await service.set_account(
            db,
            await db.fetchval("SELECT name FROM accounts WHERE id = $1", other),
            settings=["low_balance=none"],
        )
        await db.execute(
            """UPDATE accounts SET settings = settings || '{"low_balance_micros": "much"}' WHERE id = $1""",
            other,
        )
        assert await tell_low_balances(db, CONF) == []

    with_books(dsn, body)


def conf_with(**terms: object) -> BillingConf:
    return msgspec.structs.replace(CONF, payments=PaymentsConf(auto_top_up=AutoTopUp(**terms)))  # type: ignore[arg-type]


async def with_card(db: asyncpg.Pool, at: AtStripe) -> int:
    account = await prepaid(db, "auto_top_up=10.00", "auto_top_up_below=5.00")
    request = await ask_for_payment(db, at.provider, account, 12 * POUND, saves_method=True)
    await look_and_settle(db, CONF, at.provider, at.fake.pay(request.reference))
    return account


def test_an_account_is_topped_up_by_its_stored_card_as_often_as_allowed(dsn: str, stripe: AtStripe) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await with_card(db, stripe)
        conf = conf_with(times_a_day=2)

        async def look(day: datetime.date = TODAY) -> int:
            await top_up_low_accounts(db, conf, {"stripe": stripe.provider}, day)
            return await balance_of(db, account)

        assert await look() == 12 * POUND
        await move(db, account, -8)
        assert await look() == 14 * POUND
        assert await look() == 14 * POUND
        await move(db, account, -10)
        assert await look() == 14 * POUND
        await move(db, account, -10)
        assert await look() == 4 * POUND, "twice a day is enough"
        assert await look(TODAY + datetime.timedelta(days=1)) == 14 * POUND
        await look_and_settle(db, CONF, stripe.provider, max(stripe.fake.intents))
        assert await balance_of(db, account) == 14 * POUND

    with_books(dsn, body)


def test_a_card_that_was_refused_is_not_asked_again_at_once(dsn: str, stripe: AtStripe) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await with_card(db, stripe)
        await move(db, account, -8)
        stripe.fake.declines = True
        for _ in range(3):
            await top_up_low_accounts(db, conf_with(), {"stripe": stripe.provider}, TODAY)
        assert await balance_of(db, account) == 4 * POUND
        (row,) = await db.fetch("SELECT * FROM auto_top_ups")
        assert (row["state"], "declined" in row["problem"]) == ("failed", True)

    with_books(dsn, body)


def test_killed_after_the_charge_and_before_the_books_it_is_charged_once(dsn: str, stripe: AtStripe) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await with_card(db, stripe)
        await move(db, account, -8)
        intents = len(stripe.fake.intents)
        await top_up_low_accounts(db, conf_with(), {"stripe": stripe.provider}, TODAY)
        # As if the transaction that settles it had never been: the row begun, and nothing else.
        await db.execute("UPDATE auto_top_ups SET state = 'begun', reference = ''")
        await top_up_low_accounts(db, conf_with(), {"stripe": stripe.provider}, TODAY)
        assert len(stripe.fake.intents) == intents + 1
        assert await balance_of(db, account) == 14 * POUND
        await db.execute("UPDATE auto_top_ups SET state = 'begun', made_at = now() - interval '2 days'")
        stripe.fake.answered.clear()  # the key is forgotten after a day
        await top_up_low_accounts(db, conf_with(), {"stripe": stripe.provider}, TODAY)
        assert len(stripe.fake.intents) == intents + 1
        assert await db.fetchval("SELECT state FROM auto_top_ups") == "failed"

    with_books(dsn, body)


def test_a_postpaid_account_is_not_topped_up(dsn: str, stripe: AtStripe) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db)
        name = await db.fetchval("SELECT name FROM accounts WHERE id = $1", account)
        await service.set_account(db, name, settings=["auto_top_up=10.00", "auto_top_up_below=5.00"])
        assert await top_up_low_accounts(db, conf_with(), {"stripe": stripe.provider}, TODAY) == []

    with_books(dsn, body)


def test_the_operators_command_gets_the_top_up_as_json(dsn: str, tmp_path: Path) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await prepaid(db, "auto_top_up=10.00", "auto_top_up_below=5.00")
        told = tmp_path / "told"
        program = f"import sys; open({str(told)!r}, 'a').write(sys.stdin.read())"
        conf = conf_with(command=(sys.executable, "-c", program))
        for _ in range(5):
            await top_up_low_accounts(db, conf, {}, TODAY)
        lines = [json.loads(line) for line in told.read_text(encoding="utf-8").split("\n") if line]
        assert [line["number"] for line in lines] == [1, 2, 3], "three a day"
        assert (lines[0]["account_id"], lines[0]["amount_micros"]) == (account, 10 * POUND)
        assert await balance_of(db, account) == 0, "what it does comes in by itself"

    with_books(dsn, body)


@pytest.mark.parametrize(
    ("program", "problem"),
    [("import sys; sys.exit(3)", "ended with 3"), ("import time; time.sleep(600)", "did not end within 1 s")],
)
def test_a_command_that_fails_or_hangs(dsn: str, program: str, problem: str) -> None:
    async def body(db: asyncpg.Pool) -> None:
        await prepaid(db, "auto_top_up=10.00", "auto_top_up_below=5.00")
        conf = conf_with(command=(sys.executable, "-c", program), command_timeout_s=1)
        for _ in range(2):
            await top_up_low_accounts(db, conf, {}, TODAY)
        (row,) = await db.fetch("SELECT * FROM auto_top_ups")
        assert (row["state"], problem in row["problem"]) == ("failed", True)

    with_books(dsn, body)


def test_n4_nobody_pays_later_without_a_credit_check(dsn: str) -> None:
    """N4: a credit check before postpay, recorded; up to the limit that it was good for."""

    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db)

        async def may(limit: int) -> bool:
            try:
                await require_check(db, account, limit * POUND)
            except Refused:
                return False
            return True

        assert not await may(0)
        await record_check(
            db, account, CreditCheck(CheckResult.POSITIVE, 100 * POUND, "Agency 4711", "someone")
        )
        assert (await may(100), await may(101)) == (True, False)
        await record_check(db, account, CreditCheck(CheckResult.NEGATIVE, 0, "Agency 4712", "someone"))
        assert not await may(1)
        await record_check(
            db, account, CreditCheck(CheckResult.OVERRIDE, 50 * POUND, "the owner said so", "someone")
        )
        assert (await may(50), await may(51)) == (True, False)
        assert [each.result.value for each in await checks_of(db, account)] == [
            "override",
            "negative",
            "positive",
        ]
        with pytest.raises(InvalidValue):
            await record_check(db, account, CreditCheck(CheckResult.OVERRIDE, 0, " ", "someone"))
        with pytest.raises(asyncpg.RestrictViolationError):
            await db.execute("DELETE FROM credit_checks")

    with_books(dsn, body)


def test_m14_what_a_customer_pays_by_is_on_record(dsn: str, stripe: AtStripe) -> None:
    """M14: card or another method, in advance unless agreed. The card's number is never here."""

    async def body(db: asyncpg.Pool) -> None:
        account = await with_card(db, stripe)
        row = await db.fetchrow("SELECT * FROM payment_methods WHERE account_id = $1", account)
        assert (row["provider"], row["label"], row["state"]) == ("stripe", "visa 4242", "active")
        assert await db.fetchval("SELECT method FROM payments WHERE account_id = $1", account) == "card"

    with_books(dsn, body)
