"""Direct Debit: the notice, the collection, what happens when the bank does not pay (N16)."""

import datetime

import asyncpg
import msgspec
import pytest

from billing.conf_payments import DirectDebitTerms, PaymentsConf
from billing.dated import Dated
from billing.open_items import open_invoices
from billing.payments.due import run_due
from billing.payments.methods import look_at_method
from billing.payments.provider import Wanted
from billing.payments.requests import ask_for_payment, poll
from billing.payments.settling import look_and_settle
from billing.payments.working_days import add_working_days, take_working_days
from tests.billing import books
from tests.billing.books import add_account, add_bare_invoice, add_customer
from tests.billing.payments.books import POUND, balance_of, with_books
from tests.billing.payments.conftest import AtGoCardless
from tests.billing.payments.test_received import credit, money

CONF = msgspec.structs.replace(
    books.CONF,
    payments=PaymentsConf(
        direct_debit=Dated("direct_debit", [(datetime.date(2000, 1, 1), DirectDebitTerms())])
    ),
)
DAY = datetime.timedelta(days=1)
TODAY = datetime.date(2026, 12, 1)  # a Tuesday
# Ten working days later: 2, 3, 4, 7, 8, 9, 10, 11, 14, 15 December.
CHARGE_ON = datetime.date(2026, 12, 15)


@pytest.mark.parametrize(
    ("day", "days", "expected"),
    [
        ("2026-12-01", 10, "2026-12-15"),
        ("2026-12-05", 0, "2026-12-07"),
        ("2026-12-24", 1, "2026-12-29"),  # Christmas Day, Boxing Day on a Saturday: Monday instead
        ("2026-12-18", 10, "2027-01-06"),
        ("2027-03-25", 1, "2027-03-30"),  # Good Friday, Easter Monday
    ],
)
def test_working_days(day: str, days: int, expected: str) -> None:
    start, end = datetime.date.fromisoformat(day), datetime.date.fromisoformat(expected)
    assert add_working_days(start, days) == end
    if days:
        assert take_working_days(end, days) <= start


async def with_mandate(db: asyncpg.Pool, at: AtGoCardless, *, email: str = "accounts@example.com") -> int:
    account = await add_account(db)
    await add_customer(db, account, email=email)
    request = await ask_for_payment(db, at.provider, account, 0)
    await look_at_method(db, at.provider, at.fake.fulfil(request.reference))
    return account


async def due(db: asyncpg.Pool, at: AtGoCardless, day: datetime.date) -> list[str]:
    return await run_due(db, CONF, day, providers={"gocardless": at.provider})


async def fact(db: asyncpg.Pool, what: str) -> object:
    return await db.fetchval(f"SELECT {what} FROM collections ORDER BY id DESC LIMIT 1")


def test_an_invoice_is_announced_ten_working_days_ahead_and_collected_once(
    dsn: str, gocardless: AtGoCardless
) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await with_mandate(db, gocardless)
        number = await add_bare_invoice(db, account, 12 * POUND, issued_on=TODAY - DAY)
        for _ in range(3):
            await due(db, gocardless, TODAY)
        assert await db.fetchval("SELECT count(*) FROM collections") == 1
        assert await fact(db, "charge_on") == CHARGE_ON
        (mail,) = await db.fetch("SELECT * FROM mails")
        for told in ("£12.00", "15 December 2026", number, "EXAMPLE-", "once for each invoice", "Guarantee"):
            assert told in mail["body"], told
        day = TODAY
        while day < CHARGE_ON:
            day += DAY
            for _ in range(2):
                await due(db, gocardless, day)
        (payment,) = gocardless.fake.payments.values()
        assert (payment["amount"], payment["charge_date"]) == (1200, "2026-12-15")
        assert await fact(db, "state") == "asked"
        assert await balance_of(db, account) == 0, "asked for is not paid"
        payment["status"] = "confirmed"
        await look_and_settle(db, CONF, gocardless.provider, payment["id"])
        await due(db, gocardless, day)
        assert await fact(db, "state") == "collected"
        assert await balance_of(db, account) == 12 * POUND
        async with db.acquire() as connection:
            assert await open_invoices(connection, account) == []

    with_books(dsn, body)


def test_it_is_not_handed_in_before_its_time(dsn: str, gocardless: AtGoCardless) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await with_mandate(db, gocardless)
        await add_bare_invoice(db, account, 12 * POUND, issued_on=TODAY)
        await due(db, gocardless, TODAY)
        await due(db, gocardless, datetime.date(2026, 12, 9))
        assert gocardless.fake.payments == {}
        await due(db, gocardless, datetime.date(2026, 12, 10))  # three working days before the 15th
        assert len(gocardless.fake.payments) == 1

    with_books(dsn, body)


def test_nothing_is_collected_without_a_notice(dsn: str, gocardless: AtGoCardless) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await with_mandate(db, gocardless, email="")
        await add_bare_invoice(db, account, 12 * POUND, issued_on=TODAY)
        said = await due(db, gocardless, TODAY)
        assert "without an e-mail address" in said[0]
        assert await db.fetchval("SELECT count(*) FROM collections") == 0

    with_books(dsn, body)


def test_what_was_paid_otherwise_meanwhile_is_not_collected(dsn: str, gocardless: AtGoCardless) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await with_mandate(db, gocardless)
        number = await add_bare_invoice(db, account, 12 * POUND, issued_on=TODAY)
        await due(db, gocardless, TODAY)
        await credit(db, money(account, quoted=number))
        await due(db, gocardless, CHARGE_ON)
        assert gocardless.fake.payments == {}
        assert await fact(db, "state") == "stopped"

    with_books(dsn, body)


def test_never_more_than_was_announced_and_never_more_than_is_open(
    dsn: str, gocardless: AtGoCardless
) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await with_mandate(db, gocardless)
        number = await add_bare_invoice(db, account, 12 * POUND, issued_on=TODAY)
        await due(db, gocardless, TODAY)
        await credit(db, money(account, amount=5 * POUND, quoted=number))
        await due(db, gocardless, CHARGE_ON)
        assert [each["amount"] for each in gocardless.fake.payments.values()] == [700]

    with_books(dsn, body)


def test_a_mandate_that_ended_stops_it(dsn: str, gocardless: AtGoCardless) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await with_mandate(db, gocardless)
        await add_bare_invoice(db, account, 12 * POUND, issued_on=TODAY)
        await due(db, gocardless, TODAY)
        (mandate,) = gocardless.fake.things["mandates"].values()
        mandate["status"] = "cancelled"
        await look_at_method(db, gocardless.provider, mandate["id"])
        await due(db, gocardless, CHARGE_ON)
        assert await fact(db, "state") == "stopped"
        assert gocardless.fake.payments == {}

    with_books(dsn, body)


async def handed_in(db: asyncpg.Pool, at: AtGoCardless) -> tuple[int, str]:
    """The account, and the payment's id at GoCardless."""
    account = await with_mandate(db, at)
    await add_bare_invoice(db, account, 12 * POUND, issued_on=TODAY)
    await due(db, at, TODAY)
    await due(db, at, CHARGE_ON)
    return account, str(await fact(db, "reference"))


async def becomes(db: asyncpg.Pool, at: AtGoCardless, reference: str, status: str) -> None:
    at.fake.payments[reference]["status"] = status
    await look_and_settle(db, CONF, at.provider, reference)


def test_one_that_failed_is_presented_again_within_three_working_days_and_then_never(
    dsn: str, gocardless: AtGoCardless
) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account, reference = await handed_in(db, gocardless)
        await becomes(db, gocardless, reference, "failed")
        for _ in range(2):
            await due(db, gocardless, CHARGE_ON + DAY)
        assert gocardless.fake.payments[reference]["retries"] == 1
        assert await fact(db, "state") == "asked"
        assert await db.fetchval("SELECT count(*) FROM mails WHERE key LIKE 'direct-debit-failed/%'") == 1
        await becomes(db, gocardless, reference, "failed")
        for days in range(2, 30):
            await due(db, gocardless, CHARGE_ON + days * DAY)
        assert gocardless.fake.payments[reference]["retries"] == 1
        assert await fact(db, "state") == "failed"
        assert await balance_of(db, account) == 0
        assert await db.fetchval("SELECT count(*) FROM mails WHERE key LIKE 'direct-debit-failed/%'") == 2

    with_books(dsn, body)


def test_a_failure_that_was_seen_too_late_is_not_presented_again(dsn: str, gocardless: AtGoCardless) -> None:
    """GoCardless is down for a week after the failure: a new notice would be needed."""

    async def body(db: asyncpg.Pool) -> None:
        _, reference = await handed_in(db, gocardless)
        await becomes(db, gocardless, reference, "failed")
        gocardless.fake.is_down = True
        await due(db, gocardless, CHARGE_ON + DAY)
        assert await fact(db, "state") == "asked"
        gocardless.fake.is_down = False
        await due(db, gocardless, CHARGE_ON + 10 * DAY)
        assert await fact(db, "state") == "failed"
        assert "retries" not in gocardless.fake.payments[reference]

    with_books(dsn, body)


def test_a_late_failure_is_presented_again_and_the_books_follow(dsn: str, gocardless: AtGoCardless) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account, reference = await handed_in(db, gocardless)
        await becomes(db, gocardless, reference, "confirmed")
        await due(db, gocardless, CHARGE_ON)
        await becomes(db, gocardless, reference, "failed")
        assert await balance_of(db, account) == 0
        await due(db, gocardless, CHARGE_ON + DAY)
        assert gocardless.fake.payments[reference]["retries"] == 1
        await becomes(db, gocardless, reference, "confirmed")
        await due(db, gocardless, CHARGE_ON + 2 * DAY)
        assert await balance_of(db, account) == 12 * POUND
        assert await fact(db, "state") == "collected"
        async with db.acquire() as connection:
            assert await open_invoices(connection, account) == []

    with_books(dsn, body)


def test_killed_between_gocardless_and_our_books_it_is_handed_in_once(
    dsn: str, gocardless: AtGoCardless
) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await with_mandate(db, gocardless)
        number = await add_bare_invoice(db, account, 12 * POUND, issued_on=TODAY)
        await due(db, gocardless, TODAY)
        collection = await fact(db, "id")
        (mandate,) = gocardless.fake.things["mandates"]
        view = await gocardless.provider.look_method(mandate)
        wanted = Wanted(
            account, 12 * POUND, f"offhook-collection-{collection}", f"Invoice {number}", quoted=number
        )
        await gocardless.provider.charge(view, wanted)  # and then the process was gone
        await due(db, gocardless, CHARGE_ON)
        assert len(gocardless.fake.payments) == 1
        assert await fact(db, "state") == "asked"

    with_books(dsn, body)


def test_killed_there_and_its_key_forgotten_the_news_of_it_is_enough(
    dsn: str, gocardless: AtGoCardless
) -> None:
    """GoCardless does not remember keys for ever; the payment that its webhook told us of names the invoice."""

    async def body(db: asyncpg.Pool) -> None:
        account = await with_mandate(db, gocardless)
        number = await add_bare_invoice(db, account, 12 * POUND, issued_on=TODAY)
        await due(db, gocardless, TODAY)
        (mandate,) = gocardless.fake.things["mandates"]
        view = await gocardless.provider.look_method(mandate)
        wanted = Wanted(account, 12 * POUND, "offhook-collection", f"Invoice {number}", quoted=number)
        made = await gocardless.provider.charge(view, wanted)
        await look_and_settle(db, CONF, gocardless.provider, made.reference)
        gocardless.fake.keys.clear()
        await due(db, gocardless, CHARGE_ON)
        assert len(gocardless.fake.payments) == 1
        assert (await fact(db, "state"), await fact(db, "reference")) == ("asked", made.reference)

    with_books(dsn, body)


def test_a_mandate_whose_news_got_lost_is_found_by_looking(dsn: str, gocardless: AtGoCardless) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db)
        request = await ask_for_payment(db, gocardless.provider, account, 0)
        gocardless.fake.fulfil(request.reference)
        await db.execute("UPDATE payment_requests SET looked_at = now() - interval '1 hour'")
        await poll(db, CONF, {"gocardless": gocardless.provider})
        assert (
            await db.fetchval("SELECT state FROM payment_methods WHERE account_id = $1", account) == "active"
        )
        assert await db.fetchval("SELECT done_at IS NOT NULL FROM payment_requests")

    with_books(dsn, body)
