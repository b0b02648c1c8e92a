"""Sales: what the catalogue holds, what a contract keeps of it, and who may buy what."""

import asyncpg
import pytest

from billing.customers import CustomerKind
from billing.subscriptions.charging import charge
from billing.subscriptions.due import run_due
from billing.subscriptions.products import (
    Amounts,
    DatedPrice,
    find_product,
    list_products,
    set_price,
    withdraw,
)
from billing.subscriptions.selling import provide, tell_of_rights
from billing.subscriptions.terminating import cancel
from provisioning.problems import InvalidValue, Refused
from tests.billing.books import CONF as BILLING
from tests.billing.subscriptions.contracts import (
    CONF,
    balance,
    customer,
    day,
    found,
    movements,
    pounds,
    product,
    sold,
)
from tests.provisioning.databases import in_database

pytestmark = pytest.mark.wire


@in_database
async def test_n7_whatever_is_sold_by_the_period_is_in_the_catalogue(db: asyncpg.Pool) -> None:
    """Colocation and a text service: products like others, without anything of a telephone line."""
    await customer(db, "Corp", kind=CustomerKind.BUSINESS)
    await product(db, "colo-1u", title="Colocation, 1 U", price=60, ex_vat=50, family="colocation")
    await product(db, "sms-api", title="Text messages, access", price=12, ex_vat=10, family="texts")
    for name in ("colo-1u", "sms-api"):
        await sold(db, "2026-01-01", account="Corp", name=name)
    await run_due(db, BILLING, day("2026-01-01"))
    assert [row[:2] for row in await movements(db)] == [
        ("subscription", -pounds(60)),
        ("subscription", -pounds(12)),
    ]
    async with db.acquire() as connection:
        assert [one.name for one in await list_products(connection)] == ["colo-1u", "sms-api"]


@in_database
async def test_c4_each_product_has_its_minimum_period(db: asyncpg.Pool) -> None:
    await customer(db)
    for name, months, ends_on in (
        ("adsl", 1, "2026-02-28"),
        ("fttc", 12, "2027-01-31"),
        ("pstn", 1, "2026-02-28"),
        ("isdn2", 12, "2027-01-31"),
        ("isdn30", 12, "2027-01-31"),
    ):
        await product(db, name, min_term_months=months)
        made = await found(db, await sold(db, "2026-01-31", name=name))
        assert made.term_ends_on == day(ends_on)


@in_database
async def test_c1_the_kind_of_customer_at_the_sale_decides_the_rights(db: asyncpg.Pool) -> None:
    account = await customer(db)
    await product(db)
    number = await sold(db, "2026-01-01")
    await db.execute("UPDATE customers SET kind = 'business'")
    other = await sold(db, "2026-01-01")
    assert (await found(db, number)).kind is CustomerKind.CONSUMER
    async with db.acquire() as connection:
        with pytest.raises(Refused, match="no right to cancel"):
            await cancel(connection, CONF, other, told_us_on=day("2026-01-02"), told_us_by="phone")
        assert await cancel(connection, CONF, number, told_us_on=day("2026-01-02"), told_us_by="phone") == 0
    assert await balance(db, account) == pounds(1000)


@in_database
async def test_n13_seven_days_unless_it_was_provided(db: asyncpg.Pool) -> None:
    await customer(db, kind=CustomerKind.BUSINESS)
    await product(db, own_cancel_days=7)
    ordered = await sold(db, "2026-01-01", is_provided=False)
    provided = await sold(db, "2026-01-01", is_provided=False)
    async with db.acquire() as connection:
        await provide(connection, provided, day("2026-01-05"))
        with pytest.raises(Refused, match="was provided on 5 January 2026"):
            await cancel(connection, CONF, provided, told_us_on=day("2026-01-06"), told_us_by="phone")
        await cancel(connection, CONF, ordered, told_us_on=day("2026-01-08"), told_us_by="phone")


@in_database
async def test_who_is_told_late_of_the_right_has_it_longer(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db)
    number = await sold(db, "2026-01-01", told_on=None)
    async with db.acquire() as connection:
        assert (await tell_of_rights(connection, number, day("2026-02-01"))).told_on == day("2026-02-01")
        assert (await tell_of_rights(connection, number, day("2026-03-01"))).told_on == day("2026-02-01")
        with pytest.raises(Refused, match="15 February 2026"):
            await cancel(connection, CONF, number, told_us_on=day("2026-02-16"), told_us_by="phone")
        await cancel(connection, CONF, number, told_us_on=day("2026-02-15"), told_us_by="phone")


@in_database
async def test_what_is_over_is_not_charged_whoever_asks(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db)
    number = await sold(db, "2026-01-01")
    async with db.acquire() as connection:
        await cancel(connection, CONF, number, told_us_on=day("2026-01-02"), told_us_by="phone")
        async with connection.transaction():
            assert await charge(connection, number, day("2026-03-01")) == []
    assert await movements(db) == []


@in_database
async def test_a_contract_keeps_its_terms_when_the_product_changes(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db, notice_days=30)
    number = await sold(db, "2026-01-01")
    await db.execute("UPDATE products SET terms = '{}', setup_inc_vat_micros = 10000")
    async with db.acquire() as connection:
        await set_price(
            connection, "line", DatedPrice(day("2026-01-02"), Amounts(pounds(99))), day("2026-01-01")
        )
        await withdraw(connection, "line")
    await run_due(db, BILLING, day("2026-02-01"))
    assert [row[1] for row in await movements(db)] == [-pounds(30), -pounds(30)]
    assert (await found(db, number)).terms.notice_days == 30
    with pytest.raises(Refused, match="is not sold any more"):
        await sold(db, "2026-02-01")


@in_database
async def test_prices_are_whole_pence_and_never_of_the_past(db: asyncpg.Pool) -> None:
    await product(db)
    async with db.acquire() as connection:
        for wrong in (
            Amounts(),
            Amounts(pounds(1) + 1),
            Amounts(-pounds(1)),
            Amounts(None, pounds(1_000_000)),
        ):
            with pytest.raises(InvalidValue):
                await set_price(connection, "line", DatedPrice(day("2026-02-01"), wrong), day("2026-01-01"))
        with pytest.raises(Refused, match="is past"):
            price = DatedPrice(day("2025-12-31"), Amounts(pounds(1)))
            await set_price(connection, "line", price, day("2026-01-01"))
        with pytest.raises(Refused, match="there is no product"):
            await find_product(connection, "nothing\0")
    with pytest.raises(Refused, match="exists already"):
        await product(db, "LINE")
    for name in ("", " x", "x" * 41, "a\nb"):
        with pytest.raises(InvalidValue):
            await product(db, name)
