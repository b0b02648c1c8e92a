"""Changes of prices and contracts: in pounds and pence with dates, allowed or not, told once."""

import asyncpg
import pytest

from billing.customers import CustomerKind
from billing.subscriptions.announcing import announce_change, announce_price, detrimental_change, price_change
from billing.subscriptions.changing import change
from billing.subscriptions.months import months_after
from billing.subscriptions.periods import BillingPeriod
from billing.subscriptions.price_words import price_lines
from billing.subscriptions.products import Amounts, DatedPrice, set_price
from billing.subscriptions.steps import Step
from billing.subscriptions.subscription import EndReason
from billing.subscriptions.terminating import ask_end
from billing.subscriptions.terms import Terms
from provisioning.problems import Refused
from tests.billing.books import CONF as BILLING
from tests.billing.subscriptions.contracts import (
    CONF,
    customer,
    day,
    found,
    leaves,
    pounds,
    product,
    sold,
    subscription,
)
from tests.provisioning.databases import in_database

database = pytest.mark.wire

# who, sold on, term of 12 months or none, told on, from -> allowed, the last day to leave
RISES = """
consumer       2025-01-16 12 2025-06-01 2025-08-01 -> yes 2025-08-01
consumer       2025-01-17 12 2025-06-01 2025-08-01 -> no
consumer       2026-01-01 12 2026-06-01 2026-08-01 -> no
consumer       2026-01-01 12 2026-06-01 2026-12-31 -> no
consumer       2026-01-01 12 2026-06-01 2027-01-01 -> yes 2027-01-01
consumer       2026-01-01 0  2026-06-01 2026-08-01 -> yes 2026-08-01
consumer       2026-01-01 0  2026-06-01 2026-07-01 -> yes 2026-07-01
consumer       2026-01-01 0  2026-06-01 2026-06-30 -> no
small_business 2026-01-01 12 2026-06-01 2026-08-01 -> yes 2026-08-01
business       2026-01-01 12 2026-06-01 2026-08-01 -> yes 2026-08-01
business       2026-01-01 12 2026-06-01 2026-06-15 -> no
"""


@pytest.mark.parametrize(
    "row", [line.replace("->", "").split() for line in RISES.strip().split("\n")], ids=" ".join
)
def test_a_rise_that_was_not_stated_is_refused_in_a_consumers_term_and_opens_the_way_out_elsewhere(
    row: list[str],
) -> None:
    kind, sold_on, months, told_on, effective_on, allowed, *until = row
    made = subscription(
        sold_on,
        price=30,
        kind=CustomerKind(kind),
        terms=Terms(min_term_months=int(months)),
        term_ends_on=months_after(day(sold_on), int(months)),
    )
    law = CONF.law.at(day(sold_on))

    def changed(price: float) -> object:
        return price_change(
            made, pounds(price), law, effective_on=day(effective_on), announced_on=day(told_on)
        ).exit_until

    if allowed == "yes":
        assert changed(31.5) == day(until[0])
    else:
        with pytest.raises(Refused):
            changed(31.5)
    assert changed(29) is None  # who pays less needs no notice and has no way out


def test_a_price_change_reads_as_ofcom_asks() -> None:
    made = subscription("2025-06-01", price=30)
    law = CONF.law.at(day("2025-06-01"))
    told = price_change(
        made, pounds(31.5), law, effective_on=day("2026-04-01"), announced_on=day("2026-02-01")
    )
    assert told.words == "Monthly price: £30.00 until 31 March 2026\nincreasing to £31.50 on 1 April 2026"
    lines = price_lines(
        pounds(30),
        [(day("2026-04-01"), pounds(31.5)), (day("2027-04-01"), pounds(29))],
        BillingPeriod.QUARTER,
    )
    assert lines == [
        "Quarterly price: £30.00 until 31 March 2026",
        "increasing to £31.50 on 1 April 2026 until 31 March 2027",
        "decreasing to £29.00 on 1 April 2027",
    ]


def test_a_change_to_somebodys_detriment_needs_a_month() -> None:
    law = CONF.law.at(day("2026-01-01"))
    with pytest.raises(Refused, match="28 February 2026 at the earliest"):
        detrimental_change("x", law, effective_on=day("2026-02-27"), announced_on=day("2026-01-31"))
    change = detrimental_change("x", law, effective_on=day("2026-02-28"), announced_on=day("2026-01-31"))
    assert change.exit_until == day("2026-02-28")


@database
@in_database
async def test_a_rise_that_was_stated_at_the_sale_holds_also_for_a_consumer(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db, min_term_months=12)
    async with db.acquire() as connection:
        await set_price(
            connection, "line", DatedPrice(day("2026-04-01"), Amounts(pounds(31.5))), day("2026-01-01")
        )
    made = await found(db, await sold(db, "2026-01-15"))
    assert made.steps == (
        Step(day("2026-01-15"), "Line rental", 1, pounds(30), (), made.product_id),
        Step(day("2026-04-01"), "Line rental", 1, pounds(31.5), (), made.product_id),
    )


@database
@in_database
async def test_what_was_sold_keeps_its_price_until_it_is_told_of_another(db: asyncpg.Pool) -> None:
    await customer(db)
    await customer(db, "Corp", kind=CustomerKind.BUSINESS)
    await product(db, min_term_months=12)
    bound = await sold(db, "2026-01-15")
    free = await sold(db, "2026-01-15", min_term_months=0)
    corp = await sold(db, "2026-01-15", account="Corp", quantity=3)
    price = DatedPrice(day("2026-06-01"), Amounts(pounds(35), pounds(29)))
    async with db.acquire() as connection:
        told = await announce_price(connection, BILLING, "line", price, day("2026-04-20"))
        assert told.told == [free, corp]
        assert [(number, "a consumer's price rises" in why) for number, why in told.refused] == [
            (bound, True)
        ]
        again = await announce_price(connection, BILLING, "line", price, day("2026-04-20"))
        assert again.told == []
    assert (await found(db, bound)).step(day("2026-06-01")).price_micros == pounds(30)
    step = (await found(db, corp)).step(day("2026-06-01"))
    assert (step.price_micros, step.quantity) == (pounds(35), 3)
    mails = await db.fetch("SELECT subject, body FROM mails ORDER BY id")
    assert len(mails) == 2
    assert "increasing to £35.00 on 1 June 2026" in mails[0]["body"]
    assert "Until 1 June 2026 you may end the contract" in mails[0]["body"]
    assert "although its minimum term has not ended" in mails[1]["body"]


@database
@in_database
async def test_who_has_left_or_changed_by_then_is_not_told(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db)
    await product(db, "other", title="Line rental", price=40)  # the same title, another product
    leaving, changing = await sold(db, "2026-01-01"), await sold(db, "2026-01-01")
    never = await sold(db, "2026-01-01", name="other")
    async with db.acquire() as connection:
        await leaves(connection, leaving, "2026-03-01", evidence="mail 1")
        await change(connection, changing, today=day("2026-03-01"), first=day("2026-05-01"), product="other")
        price = DatedPrice(day("2026-06-01"), Amounts(pounds(35)))
        told = await announce_price(connection, BILLING, "line", price, day("2026-04-20"))
    assert (told.told, told.refused) == ([], [])
    assert (await found(db, never)).step(day("2026-06-01")).price_micros == pounds(40)


@database
@in_database
async def test_who_is_told_of_a_rise_may_leave_without_paying_for_it(db: asyncpg.Pool) -> None:
    await customer(db, kind=CustomerKind.BUSINESS)
    await product(db, min_term_months=36)
    number = await sold(db, "2026-01-01")
    async with db.acquire() as connection:
        with pytest.raises(Refused, match="no change of the contract"):
            await ask_end(
                connection,
                number,
                asked_on=day("2026-05-01"),
                asked_by="email",
                reason=EndReason.RIGHT_TO_EXIT,
            )
        change = await announce_change(
            connection,
            BILLING,
            number,
            said="Calls to mobiles are not included any more.",
            effective_on=day("2026-06-01"),
            today=day("2026-04-20"),
            is_detrimental=True,
        )
        assert change.exit_until == day("2026-06-01")
        for too_late in ("2026-04-19", "2026-06-02"):
            with pytest.raises(Refused):
                await ask_end(
                    connection,
                    number,
                    asked_on=day(too_late),
                    asked_by="email",
                    reason=EndReason.RIGHT_TO_EXIT,
                )
        last = await leaves(
            connection,
            number,
            "2026-05-02",
            evidence="mail 17",
            reason=EndReason.RIGHT_TO_EXIT,
            wanted_on=day("2026-06-01"),
        )
    assert (last.ceases_on, last.early_termination_micros, last.given_back_micros) == (
        day("2026-06-01"),
        0,
        0,
    )
    body = await db.fetchval("SELECT body FROM mails ORDER BY id LIMIT 1")
    assert "Calls to mobiles are not included any more." in body


@database
@in_database
async def test_a_change_that_takes_nothing_opens_no_way_out(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db)
    number = await sold(db, "2026-01-01")
    async with db.acquire() as connection:
        change = await announce_change(
            connection,
            BILLING,
            number,
            said="More minutes.",
            effective_on=day("2026-04-21"),
            today=day("2026-04-20"),
            is_detrimental=False,
        )
    assert change.exit_until is None
    assert "You do not have to accept" not in await db.fetchval("SELECT body FROM mails")


@database
@in_database
async def test_n14_a_consumer_cannot_be_sold_36_months(db: asyncpg.Pool) -> None:
    """N14: minimum terms of 1 to 36 months, 24 at most for consumers."""
    await customer(db)
    await customer(db, "Corp", kind=CustomerKind.BUSINESS)
    await product(db, min_term_months=36)
    with pytest.raises(Refused, match="at most 24"):
        await sold(db, "2026-01-01")
    assert await sold(db, "2026-01-01", account="Corp")
    assert await sold(db, "2026-01-01", min_term_months=24)


@database
@in_database
async def test_what_cannot_be_sold_is_refused_with_the_reason(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db, since="2026-03-01", ex_vat=None)

    async def refused(why: str, **order: object) -> None:
        with pytest.raises(Refused, match=why):
            await sold(db, "2026-03-01", **order)  # type: ignore[arg-type]

    await refused("there is no account", account="nobody")
    await refused("there is no product", name="nothing")
    with pytest.raises(Refused, match="no price with VAT on 1 February"):
        await sold(db, "2026-02-01")
    await db.execute("UPDATE accounts SET vat = 'ex_vat'")
    await refused("no price without VAT")
    await db.execute("DELETE FROM customers")
    await refused("has no customer")
    await db.execute("UPDATE products SET is_withdrawn = true")


@database
@in_database
async def test_an_order_with_a_key_is_sold_once(db: asyncpg.Pool) -> None:
    await customer(db)
    await customer(db, "Other")
    await product(db)
    assert await sold(db, "2026-01-01", key="web-17") == await sold(db, "2026-01-01", key="web-17")
    with pytest.raises(Refused, match="another account"):
        await sold(db, "2026-01-01", account="Other", key="web-17")
    assert await db.fetchval("SELECT count(*) FROM subscriptions") == 1
