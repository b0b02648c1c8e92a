"""Notices: in their window, once, with all that they have to say."""

import datetime

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.conf_subscriptions import ContractLaw, SubscriptionsConf
from billing.customers import CustomerKind
from billing.dated import Dated
from billing.subscriptions.due import run_due
from billing.subscriptions.months import months_after
from billing.subscriptions.notices import best_tariff_day, end_notice_due, end_notice_window
from billing.subscriptions.products import withdraw
from billing.subscriptions.renewing import renew
from billing.subscriptions.subscription import State, Subscription
from billing.subscriptions.terms import EarlyTermination, EarlyTerminationKind, Included, Renewal, Terms
from provisioning.problems import InvalidValue, Refused
from tests.billing.books import CONF as BILLING
from tests.billing.subscriptions.contracts import (
    CONF,
    customer,
    day,
    found,
    product,
    sold,
    subscription,
)
from tests.provisioning.databases import in_database

database = pytest.mark.wire
LAW = ContractLaw()
_DAY = datetime.timedelta(days=1)


def of_term(months: int, starts_on: str = "2026-01-01") -> Subscription:
    return subscription(starts_on, terms=Terms(min_term_months=months))


def test_a_contract_to_the_end_of_2026_is_told_of_from_21_november_to_21_december() -> None:
    assert end_notice_window(day("2027-01-01"), LAW) == (day("2026-11-21"), day("2026-12-21"))
    told = {when for when in range(400) if end_notice_due(of_term(12), LAW, day("2026-01-01") + when * _DAY)}
    assert min(told) == (day("2026-11-21") - day("2026-01-01")).days
    assert max(told) == (day("2026-12-31") - day("2026-01-01")).days  # late, but told


@given(st.dates(datetime.date(2025, 1, 1), datetime.date(2040, 1, 1)), st.integers(2, 36))
def test_the_window_is_10_to_40_days_before_the_last_day(start: datetime.date, months: int) -> None:
    made = of_term(months, start.isoformat())
    earliest, latest = end_notice_window(made.term_ends_on, LAW)
    last = made.term_ends_on - _DAY
    assert ((last - earliest).days, (last - latest).days) == (40, 10)
    assert end_notice_due(made, LAW, earliest)
    assert not end_notice_due(made, LAW, earliest - _DAY)
    assert not end_notice_due(made, LAW, made.term_ends_on)


def test_a_term_of_a_month_is_told_of_at_once() -> None:
    assert end_notice_due(of_term(1), LAW, day("2026-01-01"))
    assert not end_notice_due(of_term(0), LAW, day("2026-01-01"))


@pytest.mark.parametrize(
    ("today", "about"),
    [
        ("2026-12-31", None),
        ("2027-12-31", None),
        ("2028-01-01", "2028-01-01"),
        ("2028-12-31", "2028-01-01"),
        ("2029-01-01", "2029-01-01"),
    ],
)
def test_best_tariffs_are_told_every_year_after_the_term(today: str, about: str | None) -> None:
    assert best_tariff_day(of_term(12), LAW, day(today)) == (None if about is None else day(about))
    ended = subscription("2026-01-01", terms=Terms(min_term_months=12), state=State.ENDED)
    assert best_tariff_day(ended, LAW, day(today)) is None


EARLY = EarlyTermination(EarlyTerminationKind.REMAINING, percent=100, told="Leaving early costs the rest.")


@database
@in_database
async def test_the_end_of_a_contract_is_told_once_with_all_that_it_has_to_say(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(
        db, min_term_months=12, early_termination=EARLY, included=(Included("uk", 36_000, ("uk", "mobile")),)
    )
    await product(db, "new", title="Line rental 24", price=22, min_term_months=24)
    await product(db, "long", title="Line rental 36", price=18, min_term_months=36)
    await product(db, "old", title="Line rental old", price=1)
    await product(db, "fibre", title="Fibre", price=5, family="broadband")
    async with db.acquire() as connection:
        await withdraw(connection, "old")
    await sold(db, "2026-01-01", label="01632 960123")
    await sold(db, "2026-01-01", name="fibre")
    told = []
    today = day("2026-11-01")
    while today < day("2027-01-15"):
        told += [(today, line) for line in await run_due(db, BILLING, today) if "told" in line]
        today += _DAY
    assert told == [
        (day("2026-11-21"), "Shop: told of end of contract"),
        (day("2027-01-01"), "Shop: told of best tariff"),  # of the service without a term, a year old
    ]
    mail = await db.fetchrow("SELECT * FROM mails ORDER BY id")
    assert mail["recipient"] == "shop@example.com"
    body = mail["body"]
    for said in (
        "Dear A Customer",
        "your contract for\n\n    Line rental (01632 960123)\n\nends. Its last day",
        "Its last day is 31 December 2026",
        "600 minutes to uk, mobile in each period",
        "Price: £30.00 a month, including VAT",
        "The service goes on as it is, without a minimum term",
        "Notice given on or after 2 December 2026 ends the service after the minimum",
        "would end it on 21 December 2026, within the minimum term, and\n    £10.64 would be due",
        "Fibre: no minimum term",
        "Line rental 24: £22.00 a month including VAT, minimum term 24 months\n    Line rental: £30.00",
        "the notice period is 30 days",
        "Example Telephones Ltd",
        "billing@example.co.uk",
    ):
        assert said in body, said
    assert "36" not in body.replace("£36", "")  # no consumer can be sold 36 months
    assert "£1.00" not in body  # not sold any more
    kept = await db.fetchrow("SELECT * FROM subscription_notices ORDER BY id")
    assert (kept["kind"], kept["about"], kept["sent_on"], kept["body"]) == (
        "end_of_contract",
        "2027-01-01",
        day("2026-11-21"),
        body,
    )


@database
@in_database
async def test_a_year_later_the_best_tariffs_and_so_each_year(db: asyncpg.Pool) -> None:
    await customer(db, kind=CustomerKind.BUSINESS)
    await product(db, min_term_months=12)
    await sold(db, "2025-01-01")
    told = []
    today = day("2025-11-01")
    while today < day("2028-03-01"):
        told += [(today, line) for line in await run_due(db, BILLING, today) if "told" in line]
        today += 7 * _DAY
    assert [(when.isoformat(), line) for when, line in told] == [
        ("2025-11-22", "Shop: told of end of contract"),
        ("2027-01-02", "Shop: told of best tariff"),
        ("2028-01-01", "Shop: told of best tariff"),
    ]
    body = await db.fetchval("SELECT body FROM mails ORDER BY id DESC LIMIT 1")
    assert "it ended on 31 December 2025" in body
    assert "Line rental: £30.00 a month including VAT, minimum term 12 months" in body


@database
@in_database
async def test_after_a_long_absence_it_is_told_late_and_said_to_be(db: asyncpg.Pool) -> None:
    await customer(db, email="")
    await product(db, min_term_months=12)
    await sold(db, "2026-01-01")
    lines = await run_due(db, BILLING, day("2026-12-28"))
    assert "Shop: told of end of contract, late: it was due by 21 December 2026" in lines
    kept = await db.fetchrow("SELECT way, address FROM subscription_notices")
    assert tuple(kept) == ("post", "A Customer, 1 Example Street, EX1 1EX")
    assert await db.fetchval("SELECT count(*) FROM mails") == 0


@database
@in_database
async def test_n14_a_new_term_needs_a_consent_and_is_told_of_at_its_own_end(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db, min_term_months=12, renewal=Renewal.NEW_TERM)
    await product(db, "rolling", min_term_months=12)
    number, rolling = await sold(db, "2025-01-01"), await sold(db, "2025-01-01", name="rolling")
    await run_due(db, BILLING, day("2025-12-01"))
    async with db.acquire() as connection:

        async def agree(subscription_id: int, months: int, consent: str = "mail 9") -> Subscription:
            return await renew(
                connection,
                CONF,
                subscription_id,
                months=months,
                agreed_on=day("2025-12-05"),
                consent=consent,
            )

        with pytest.raises(InvalidValue, match="without it there is no new term"):
            await agree(number, 12, " ")
        with pytest.raises(Refused, match="at most 24"):
            await agree(number, 36)
        with pytest.raises(Refused, match="offers no new one"):
            await agree(rolling, 12)
        assert (await agree(number, 12)).term_ends_on == day("2027-01-01")
    lines = await run_due(db, BILLING, day("2026-11-25"))
    assert [line for line in lines if "told" in line] == ["Shop: told of end of contract"]
    assert (await found(db, rolling)).term_ends_on == day("2026-01-01")  # nothing renews itself


@database
@in_database
async def test_another_law_gives_another_window(db: asyncpg.Pool) -> None:
    law = Dated("contract_law", [(day("2020-01-01"), ContractLaw(end_notice_earliest_days=60))])
    conf = SubscriptionsConf(law, False, CONF.compensation)
    from msgspec.structs import replace  # noqa: PLC0415

    await customer(db)
    await product(db, min_term_months=12)
    await sold(db, "2026-01-01")
    assert "told" in (await run_due(db, replace(BILLING, subscriptions=conf), day("2026-11-01")))[-1]


@database
@in_database
async def test_no_text_of_a_customer_breaks_a_line_of_a_mail(db: asyncpg.Pool) -> None:
    await customer(db)
    await db.execute("UPDATE customers SET contact = E'A\\r\\nBcc: b@example.com'")
    await product(db, min_term_months=12)
    await sold(db, "2026-01-01")
    await run_due(db, BILLING, day("2026-12-01"))
    assert "Dear A\\x0d\\x0aBcc: b@example.com" in await db.fetchval("SELECT body FROM mails")


def test_months_after_is_what_a_term_ends_by() -> None:
    assert of_term(1, "2026-01-31").term_ends_on == months_after(day("2026-01-31"), 1)
