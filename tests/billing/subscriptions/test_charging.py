"""Charging to the ledger: each period once, on its first day, for its own days."""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from billing.subscriptions.changing import change
from billing.subscriptions.due import run_due
from billing.subscriptions.grants import Bundles
from billing.subscriptions.periods import BillingPeriod, ChargeDay
from billing.subscriptions.products import Amounts, DatedPrice, set_price
from billing.subscriptions.terminating import ask_end, cancel, store_evidence, withdraw_end
from billing.subscriptions.terms import EarlyTermination, EarlyTerminationKind, Included, WithoutCredit
from provisioning.bundles import Grant
from provisioning.problems import InvalidValue, Refused
from rating.money import VatMode
from tests.billing.books import CONF as BILLING
from tests.billing.subscriptions.contracts import (
    CONF,
    POUND,
    balance,
    customer,
    day,
    found,
    leaves,
    movements,
    pounds,
    product,
    sold,
)
from tests.provisioning.databases import in_database

pytestmark = pytest.mark.wire


async def run(db: asyncpg.Pool, when: str, **more: Any) -> list[str]:
    return await run_due(db, BILLING, day(when), **more)


@in_database
async def test_m14_each_period_is_charged_in_advance_once_with_its_days(db: asyncpg.Pool) -> None:
    account = await customer(db)
    await product(db, setup=20)
    await sold(db, "2026-01-31", quantity=2, label="01632 960123")
    for when in ("2026-01-30", "2026-01-31", "2026-01-31", "2026-02-27", "2026-02-28", "2026-03-31"):
        await run(db, when)
    assert await movements(db) == [
        ("fee", -pounds(40), "Set-up: 2 x Line rental (01632 960123)"),
        (
            "subscription",
            -pounds(60),
            "2 x Line rental (01632 960123), 31 January 2026 to 27 February 2026",
        ),
        ("subscription", -pounds(60), "2 x Line rental (01632 960123), 28 February 2026 to 30 March 2026"),
        ("subscription", -pounds(60), "2 x Line rental (01632 960123), 31 March 2026 to 29 April 2026"),
    ]
    assert await balance(db, account) == pounds(1000 - 220)


@in_database
async def test_on_the_first_of_the_month_the_first_period_is_a_part(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db, price=31, charge_day=ChargeDay.FIRST)
    await sold(db, "2026-01-15")
    await run(db, "2026-02-01")
    assert await movements(db) == [
        ("subscription", -pounds(17), "Line rental, 15 January 2026 to 31 January 2026"),
        ("subscription", -pounds(31), "Line rental, 1 February 2026 to 28 February 2026"),
    ]


@in_database
async def test_days_of_absence_are_caught_up_with_their_own_dates(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db, billing_period=BillingPeriod.QUARTER)
    await sold(db, "2025-11-30")
    await run(db, "2026-09-01")
    assert [words for _, _, words in await movements(db)] == [
        "Line rental, 30 November 2025 to 27 February 2026",
        "Line rental, 28 February 2026 to 29 May 2026",
        "Line rental, 30 May 2026 to 29 August 2026",
        "Line rental, 30 August 2026 to 29 November 2026",
    ]


@in_database
async def test_an_account_without_vat_is_charged_the_price_without(db: asyncpg.Pool) -> None:
    await customer(db, vat=VatMode.EX_VAT, is_postpaid=True)
    await product(db, price=30, ex_vat=25)
    await sold(db, "2026-01-01")
    await run(db, "2026-01-01")
    assert await movements(db) == [
        ("subscription", -pounds(25), "Line rental, 1 January 2026 to 31 January 2026")
    ]


@in_database
async def test_a_change_in_the_middle_of_a_period_is_set_off_by_days(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db, price=31)
    await product(db, "fibre", title="Fibre", price=62)
    number = await sold(db, "2026-03-01")
    await run(db, "2026-03-01")
    async with db.acquire() as connection:
        await change(
            connection, number, today=day("2026-03-11"), first=day("2026-03-11"), product="fibre", quantity=2
        )
    assert (await movements(db))[1:] == [
        ("subscription", -(pounds(10) + 2 * pounds(42) - pounds(31)),
         "Correction: 2 x Fibre, 1 March 2026 to 31 March 2026")
    ]  # fmt: skip
    await run(db, "2026-04-01")
    assert (await movements(db))[2] == (
        "subscription",
        -pounds(124),
        "2 x Fibre, 1 April 2026 to 30 April 2026",
    )
    async with db.acquire() as connection:
        await change(connection, number, today=day("2026-04-16"), first=day("2026-04-16"), quantity=1)
    assert (await movements(db))[3][:2] == ("subscription", pounds(31))


@in_database
async def test_a_change_asked_for_a_later_day_is_charged_when_it_is_there(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db, price=30)
    number = await sold(db, "2026-03-01")
    async with db.acquire() as connection:
        await change(connection, number, today=day("2026-03-01"), first=day("2026-04-16"), quantity=3)
    await run(db, "2026-04-01")
    assert [micros for _, micros, _ in await movements(db)] == [-pounds(30), -pounds(15 + 45)]


@in_database
async def test_within_the_term_nobody_pays_less_unless_it_is_agreed(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db, min_term_months=12)
    number = await sold(db, "2026-03-01", quantity=2)
    today = day("2026-03-05")
    async with db.acquire() as connection:
        with pytest.raises(Refused, match="until 28 February 2027"):
            await change(connection, number, today=today, first=today, quantity=1)
        await change(connection, number, today=today, first=day("2027-03-01"), quantity=1)
        await change(connection, number, today=today, first=today, quantity=1, is_agreed=True)
        with pytest.raises(InvalidValue):
            await change(connection, number, today=today, first=day("2026-03-04"), quantity=1)
        with pytest.raises(InvalidValue):
            await change(connection, number, today=today, first=today, quantity=0)
        with pytest.raises(InvalidValue):
            await change(connection, number, today=today, first=today)


@in_database
async def test_two_at_once_charge_a_period_once(db: asyncpg.Pool) -> None:
    account = await customer(db)
    await product(db)
    for _ in range(3):
        await sold(db, "2026-01-01")
    await asyncio.gather(*[run(db, "2026-03-01") for _ in range(3)])
    assert await db.fetchval("SELECT count(*) FROM subscription_charges") == 9
    assert await balance(db, account) == pounds(1000 - 9 * 30)


@in_database
async def test_a_prepaid_account_without_credit_owes(db: asyncpg.Pool) -> None:
    account = await customer(db, credit=10)
    await product(db, price=30)
    await sold(db, "2026-01-01")
    await run(db, "2026-01-01")
    assert await balance(db, account) == -pounds(20)


@in_database
async def test_or_waits_for_credit_and_pays_from_the_day_it_is_there(db: asyncpg.Pool) -> None:
    account = await customer(db, credit=10)
    await product(db, price=31, without_credit=WithoutCredit.WAIT, setup=5)
    number = await sold(db, "2026-01-01")
    assert await run(db, "2026-01-01") == ["Shop: Line rental: waits for credit since 1 January 2026"]
    await run(db, "2026-02-20")
    assert (await found(db, number)).unpaid_since == day("2026-02-01")
    await db.execute(
        "INSERT INTO ledger (account_id, kind, amount_micros, credit_seq) VALUES ($1, 'top_up', $2, 2)",
        account,
        pounds(50),
    )
    await run(db, "2026-03-12")
    assert await movements(db) == [
        ("fee", -pounds(5), "Set-up: Line rental"),
        ("subscription", -pounds(20), "Line rental, 12 March 2026 to 31 March 2026"),
    ]
    assert (await found(db, number)).unpaid_since is None
    await run(db, "2026-04-01")
    assert (await movements(db))[-1][1] == -pounds(31)
    assert await balance(db, account) == pounds(10 + 50 - 5 - 20 - 31)


class KeptBundles(Bundles):
    """What was granted and ended."""

    def __init__(self) -> None:
        self.granted: list[tuple[str, int, str, str]] = []
        self.ended: list[int] = []

    async def grant(self, db: asyncpg.Connection, account_id: int, wanted: Grant, *, key: str) -> int:
        assert wanted.end is not None
        self.granted.append((wanted.name, wanted.seconds, wanted.first.isoformat(), wanted.end.isoformat()))
        return len(self.granted)

    async def end(self, db: asyncpg.Connection, bundle_id: int) -> None:
        self.ended.append(bundle_id)


@in_database
async def test_each_period_brings_its_bundles_a_day_ahead_and_once(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db, included=(Included("uk", 36_000, ("uk",)),), notice_days=0)
    number = await sold(db, "2026-01-31", quantity=2)
    bundles = KeptBundles()
    for when in ("2026-01-30", "2026-01-31", "2026-02-26", "2026-02-27", "2026-02-28", "2026-02-28"):
        await run(db, when, bundles=bundles)
    assert bundles.granted == [
        ("uk", 72_000, "2026-01-31", "2026-02-28"),
        ("uk", 72_000, "2026-02-28", "2026-03-31"),
    ]
    async with db.acquire() as connection:
        await leaves(connection, number, "2026-03-10", evidence="mail 3")
    await run(db, "2026-03-10", bundles=bundles)
    assert bundles.ended == [2]


@in_database
async def test_a_part_period_and_a_change_bring_their_days_share(db: asyncpg.Pool) -> None:
    """Half a month of 600 minutes; then another product in the middle of a month, at once and planned ahead."""
    await customer(db)
    await product(db, charge_day=ChargeDay.FIRST, included=(Included("uk", 36_000, ("uk",)),))
    await product(db, "world", title="World", included=(Included("world", 60_000, ("world",)),))
    number = await sold(db, "2026-09-16")
    bundles = KeptBundles()
    for when in ("2026-09-16", "2026-10-01"):
        await run(db, when, bundles=bundles)
    async with db.acquire() as connection:
        for today, first, name in (
            ("2026-10-11", "2026-10-11", "world"),
            ("2026-10-12", "2026-10-22", "line"),
        ):
            await change(
                connection, number, today=day(today), first=day(first), product=name, bundles=bundles
            )
    for when in ("2026-10-20", "2026-10-21", "2026-10-22", "2026-10-22", "2026-10-31", "2026-11-01"):
        await run(db, when, bundles=bundles)
    assert bundles.granted == [
        ("uk", 18_000, "2026-09-16", "2026-10-01"),
        ("uk", 36_000, "2026-10-01", "2026-11-01"),
        ("world", 40_680, "2026-10-11", "2026-11-01"),  # 21 of 31 days, up to a minute
        ("uk", 11_640, "2026-10-22", "2026-11-01"),  # 10 of 31 days
        ("uk", 36_000, "2026-11-01", "2026-12-01"),
    ]
    assert bundles.ended == [2, 3]


@in_database
async def test_what_a_period_brings_is_a_bundle_of_the_account(db: asyncpg.Pool) -> None:
    account = await customer(db)
    included = (Included("UK 600", 36_000, ("uk",), ("+4420",), carries_over=True),)
    await product(db, included=included)
    with pytest.raises(InvalidValue, match="seconds"):
        await sold(db, "2026-11-10", quantity=100_000)
    number = await sold(db, "2026-11-10", quantity=2)
    for _ in range(2):
        await run(db, "2026-12-09")
    found_ = await db.fetch("SELECT * FROM bundles ORDER BY id")
    assert [(row["account_id"], row["name"], row["granted_s"], row["groups"]) for row in found_] == [
        (account, "UK 600", 72_000, ["uk"])
    ] * 2
    async with db.acquire() as connection:
        await cancel(connection, CONF, number, told_us_on=day("2026-11-20"), told_us_by="phone")
    assert await db.fetchval("SELECT count(*) FROM bundles WHERE ended_at IS NULL") == 0


class Killed(Exception):  # noqa: N818
    """As if the process had ended there."""


class Mortal:
    """A pool, or a connection of it, that ends the process before the statement of a certain number."""

    def __init__(self, real: Any, statements_left: list[int]) -> None:
        self._real = real
        self._left = statements_left

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name not in ("execute", "fetch", "fetchrow", "fetchval"):
            return found

        async def statement(*args: object) -> Any:
            if not self._left[0]:
                raise Killed
            self._left[0] -= 1
            return await found(*args)

        return statement

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator["Mortal"]:
        async with self._real.acquire() as connection:
            yield Mortal(connection, self._left)


@in_database
async def test_killed_anywhere_it_goes_on_where_it_was(db: asyncpg.Pool) -> None:
    """Each statement of a run is the last one once; all the runs together do what one would have done."""
    account = await customer(db)
    await product(db, setup=20, min_term_months=4, notice_days=14, included=(Included("uk", 60, ("uk",)),))
    for starts_on in ("2026-01-31", "2026-02-10"):
        ending = await sold(db, starts_on)
    async with db.acquire() as connection:
        await leaves(connection, ending, "2026-03-01", by="letter", evidence="letter 5")
    for number in range(200):
        with contextlib.suppress(Killed):
            await run_due(Mortal(db, [number]), BILLING, day("2026-05-15"))  # type: ignore[arg-type]
            break
    else:
        pytest.fail("it never came to its end")
    assert number > 20
    assert await db.fetchval("SELECT count(*) FROM subscription_charges WHERE what = 'setup'") == 2
    assert [row["kind"] for row in await db.fetch("SELECT kind FROM subscription_notices ORDER BY id")] == [
        "ending",
        "end_of_contract",
    ]
    assert await db.fetchval("SELECT count(*) FROM mails") == 2
    four, cut = 4 * 30 * POUND, 30 * POUND + 30 * POUND * 5 // 31  # 10 February to 14 March
    assert await balance(db, account) == 1000 * POUND - 2 * 20 * POUND - four - cut


@in_database
async def test_a_year_of_days_charges_twelve_months_and_adds_up(db: asyncpg.Pool) -> None:
    account = await customer(db, credit=5000)
    await product(db, price=30)
    await product(db, "first", title="First", price=31, charge_day=ChargeDay.FIRST)
    await product(db, "year", title="Year", price=120, billing_period=BillingPeriod.YEAR)
    async with db.acquire() as connection:
        await set_price(
            connection, "line", DatedPrice(day("2028-07-01"), Amounts(pounds(33))), day("2028-01-01")
        )
    await sold(db, "2028-01-31")
    await sold(db, "2028-01-15", name="first")
    await sold(db, "2028-02-29", name="year")
    today = day("2028-01-01")
    while today < day("2029-03-01"):
        await run_due(db, BILLING, today)
        today += datetime.timedelta(days=1)
    totals = await db.fetch(
        "SELECT subscription_id, count(*), sum(amount_micros)::bigint AS total FROM subscription_charges"
        " GROUP BY 1 ORDER BY 1"
    )
    line = 5 * pounds(30) + _cut(30, 33) + 8 * pounds(33)
    first = 17 * pounds(31) // 31 + 13 * pounds(31)
    assert [row["total"] for row in totals] == [line, first, 2 * pounds(120)]
    assert [row["count"] for row in totals] == [14, 14, 2]
    assert await balance(db, account) == pounds(5000) - sum(row["total"] for row in totals)
    ledger = await db.fetchval("SELECT sum(amount_micros)::bigint FROM ledger WHERE kind = 'subscription'")
    assert ledger == -sum(row["total"] for row in totals)


def _cut(before: int, after: int) -> int:
    """From 30 June to 30 July: one day before the rise and 30 days after it."""
    return (pounds(before) * 1 + pounds(after) * 30) // 31


@in_database
async def test_c3_what_is_not_written_ends_nothing(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db, notice_days=30)
    number = await sold(db, "2026-01-01")
    async with db.acquire() as connection:
        asked = await ask_end(connection, number, asked_on=day("2026-01-05"), asked_by="phone, username shop")
        assert (asked.written_on, asked.ceases_on, asked.state) == (None, None, "asked")
        await run(db, "2026-03-01")
        assert len(await movements(db)) == 3  # two months later it is still charged
        last = await store_evidence(
            connection,
            BILLING.seller,
            number,
            written_on=day("2026-03-04"),
            evidence="mail of 4 March",
            today=day("2026-03-05"),
        )
    assert last.ceases_on == day("2026-04-03")
    body = await db.fetchval("SELECT body FROM mails")
    assert "The service ends at the beginning of 3 April 2026" in body
    await run(db, "2026-04-01")
    assert (await movements(db))[-1] == (
        "subscription",
        -pounds(2),
        "Line rental, 1 April 2026 to 2 April 2026",
    )
    assert (await found(db, number)).state == "active"
    await run(db, "2026-04-03")
    assert (await found(db, number)).state == "ended"
    await run(db, "2027-04-03")
    assert len(await movements(db)) == 4


@in_database
async def test_a_letter_that_is_found_late_ends_it_on_its_own_day(db: asyncpg.Pool) -> None:
    """Received on 5 January, entered in April: what was charged for the time after it goes back."""
    account = await customer(db)
    await product(db, price=31, notice_days=14)
    number = await sold(db, "2026-01-01")
    await run(db, "2026-04-01")
    assert await balance(db, account) == pounds(1000 - 4 * 31)
    async with db.acquire() as connection:
        await ask_end(connection, number, asked_on=day("2026-01-05"), asked_by="letter")
        last = await store_evidence(
            connection,
            BILLING.seller,
            number,
            written_on=day("2026-01-25"),
            evidence="letter 8",
            today=day("2026-04-02"),
        )
    assert (last.ceases_on, last.given_back_micros) == (day("2026-02-08"), 3 * pounds(31) - pounds(7.75))
    await run(db, "2026-04-02")
    assert await balance(db, account) == pounds(1000 - 31 - 7.75)
    assert "we have your notice of 25 January 2026 for" in await db.fetchval("SELECT body FROM mails")


@in_database
async def test_who_stays_after_all_is_charged_the_whole_last_period(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db, notice_days=30)
    number = await sold(db, "2026-01-01")
    async with db.acquire() as connection:
        for evidence in ("first", "second"):
            await leaves(connection, number, "2026-01-05", by="letter", evidence=evidence)
            await run(db, "2026-02-01")
            await withdraw_end(connection, number, day("2026-02-02"))
    assert sum(micros for _, micros, _ in await movements(db)) == -pounds(60)
    await run(db, "2026-03-01")
    assert (await movements(db))[-1][1] == -pounds(30)


@in_database
async def test_an_early_end_is_a_fee_with_its_computation_kept(db: asyncpg.Pool) -> None:
    early = EarlyTermination(EarlyTerminationKind.REMAINING, percent=80, told="Leaving early costs 80 %.")
    await customer(db)
    await product(db, min_term_months=12, notice_days=30, early_termination=early)
    number = await sold(db, "2026-01-01")
    async with db.acquire() as connection:
        await leaves(connection, number, "2026-01-02", by="letter", evidence="letter 5")
    for when in ("2026-02-01", "2026-02-02"):
        await run(db, when)
    assert await movements(db) == [
        ("subscription", -pounds(30), "Line rental, 1 January 2026 to 31 January 2026"),
        ("fee", -pounds(264), "Early termination: Line rental"),
    ]
    kept = await db.fetchval("SELECT quote->'final'->>'computation' FROM subscription_endings")
    assert "80 % of it: £264.00." in kept
    assert "£264.00" in await db.fetchval("SELECT body FROM mails")


@in_database
async def test_a_cancelled_sale_gives_back_all_but_the_days_used(db: asyncpg.Pool) -> None:
    account = await customer(db)
    await product(db, price=31, charge_day=ChargeDay.FIRST, setup=40)
    early = await sold(db, "2026-01-25", wants_early_start=True)
    plain = await sold(db, "2026-01-25")
    await run(db, "2026-02-01")
    assert await balance(db, account) == pounds(1000 - 2 * (40 + 7 + 31))
    async with db.acquire() as connection:
        back = await cancel(connection, CONF, early, told_us_on=day("2026-02-05"), told_us_by="phone")
        used = pounds(7) + pounds(31) * 4 // 28
        assert back == pounds(78) - used
        assert await cancel(
            connection, CONF, plain, told_us_on=day("2026-02-08"), told_us_by="phone"
        ) == pounds(78)
        with pytest.raises(Refused, match="cancelled already"):
            await cancel(connection, CONF, plain, told_us_on=day("2026-02-08"), told_us_by="phone")
    assert await balance(db, account) == pounds(1000) - used
    assert await run(db, "2026-05-01") == []


@in_database
async def test_after_the_last_day_it_cannot_be_cancelled(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db)
    number = await sold(db, "2026-01-01")
    async with db.acquire() as connection:
        with pytest.raises(Refused, match="ended on 15 January 2026"):
            await cancel(connection, CONF, number, told_us_on=day("2026-01-16"), told_us_by="phone")
    assert await movements(db) == []


@in_database
async def test_one_that_cannot_be_charged_stops_no_other(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db)
    broken, sound = await sold(db, "2026-01-01"), await sold(db, "2026-01-01")
    account = await customer(db, "Other")
    await db.execute(
        "INSERT INTO ledger (account_id, kind, amount_micros, credit_seq, idempotency_key)"
        " VALUES ($1, 'top_up', 1, 2, $2)",
        account,
        f"subscription:{broken}:2026-01-01",
    )
    lines = await run(db, "2026-01-01")
    assert lines[0].startswith(f"subscription {broken} is left as it is: key")
    assert lines[1].startswith("Shop: Line rental")
    assert (await found(db, sound)).charged_until == day("2026-02-01")
    assert (await found(db, broken)).charged_until == day("2026-01-01")
