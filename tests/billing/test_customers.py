"""Who accounts are on paper."""

import asyncpg
import pytest

from billing.customers import CustomerKind, list_customers, set_customer, show_customer
from provisioning.problems import InvalidValue, Refused
from tests.billing.books import add_account
from tests.provisioning.databases import in_database


@in_database
async def test_what_is_not_named_stays(db: asyncpg.Pool) -> None:
    await add_account(db, name="Shop")
    await set_customer(
        db, "shop", company="Sample Ltd", address=["1 Road", "", "AB1 2CD"], wants_large_print=True
    )
    view = await set_customer(db, "SHOP", kind=CustomerKind.BUSINESS, vat_number="gb 999 9999 73")
    customer = view.customer
    assert (view.account, customer.company, customer.address) == ("Shop", "Sample Ltd", ("1 Road", "AB1 2CD"))
    assert (customer.kind, customer.vat_number) == (CustomerKind.BUSINESS, "GB999999973")
    assert (customer.wants_large_print, customer.wants_itemised, customer.wants_payment_invoices) == (
        True,
        True,
        True,
    )
    assert [listed.account for listed in await list_customers(db)] == ["Shop"]
    assert (await set_customer(db, "Shop", company="", vat_number="")).customer.company == ""


@in_database
async def test_an_account_that_is_not_there_or_not_described_is_named(db: asyncpg.Pool) -> None:
    await add_account(db, name="Shop")
    for name, words in (("Nobody", "no account"), ("Shop", "customer set")):
        with pytest.raises(Refused, match=words):
            await show_customer(db, name)
    with pytest.raises(Refused, match="no account"):
        await set_customer(db, "Nobody", company="x")


@pytest.mark.parametrize(
    "facts",
    [
        {"company": "a\nb"},
        {"company": "x" * 61},
        {"contact": "\u202e"},
        {"address": ["x"] * 7},
        {"address": ["a\tb"]},
        {"email": "a@b\r\nBcc: c@d"},
        {"email": "nobody"},
        {"vat_number": "123456789"},
        {"purchase_order": "\0"},
    ],
)
def test_what_could_leave_its_line_is_refused(facts: dict[str, object], dsn: str) -> None:
    @in_database
    async def check(db: asyncpg.Pool) -> None:
        await add_account(db, name="Shop")
        with pytest.raises(InvalidValue):
            await set_customer(db, "Shop", **facts)  # type: ignore[arg-type]
        assert await db.fetchval("SELECT count(*) FROM customers") == 0

    check(dsn)
