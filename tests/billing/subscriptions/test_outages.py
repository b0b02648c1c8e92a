"""Outage credits: fee x downtime / period, proposed, decided by a person, given once."""

import asyncio
import datetime
from fractions import Fraction

import asyncpg
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.conf_subscriptions import Compensation, SubscriptionsConf
from billing.counts import WAITING_SQL
from billing.customers import CustomerKind
from billing.dated import Dated
from billing.subscriptions.automatic_compensation import is_working_day, repair_days, start_days
from billing.subscriptions.downtime import downtime_credit, without
from billing.subscriptions.due import run_due
from billing.subscriptions.outages import (
    Outage,
    approve,
    decline,
    list_credits,
    propose,
    propose_appointment,
    propose_start,
)
from billing.subscriptions.steps import Step
from billing.subscriptions.subscription import Ending, EndReason
from provisioning.problems import InvalidValue, Refused
from rating.calendar import parse_start_ms
from tests.billing.books import CONF as BILLING
from tests.billing.subscriptions.contracts import (
    CONF,
    customer,
    day,
    movements,
    pounds,
    product,
    sold,
    subscription,
)
from tests.provisioning.databases import in_database

database = pytest.mark.wire
HOUR = 3_600_000
JOINED = SubscriptionsConf(
    CONF.law,
    True,
    Dated(
        "automatic_compensation",
        [
            (
                day("2026-04-01"),
                Compensation(
                    delayed_repair=pounds(10.34), missed_appointment=pounds(32.31), delayed_start=pounds(6.46)
                ),
            )
        ],
    ),
)


def at(text: str) -> int:
    return parse_start_ms(text)


# price, starts, down from, to (London) -> micros given back
DOWN = """
30.00 2026-04-01 2026-04-10T00:00 2026-04-11T00:00 -> 1000000
30.00 2026-04-01 2026-04-10T12:00 2026-04-10T13:00 ->   41667
30.00 2026-04-01 2026-04-10T00:00 2026-05-10T00:00 -> 21000000+8709678
30.00 2026-04-01 2026-03-20T00:00 2026-04-02T00:00 -> 1000000
31.00 2026-03-01 2026-03-29T00:00 2026-03-30T00:00 ->  959623
31.00 2026-03-01 2026-03-01       2026-04-01       -> 31000000
31.00 2026-10-01 2026-10-25T00:00 2026-10-26T00:00 -> 1040269
31.00 2026-10-01 2026-10-01       2026-11-01       -> 31000000
"""


@pytest.mark.parametrize(
    "row", [line.replace("->", "").split() for line in DOWN.strip().split("\n")], ids=" ".join
)
def test_n11_fee_times_downtime_by_period(row: list[str]) -> None:
    """Also on the days with 23 and 25 hours: a whole period gives the whole fee."""
    price, starts, since, until, micros = row
    made = msgspec.structs.replace(
        subscription(starts, price=float(price)), charged_until=day(starts) + datetime.timedelta(days=90)
    )
    credit = downtime_credit(made, (at(since), at(until)))
    expected = sum(int(part) for part in micros.split("+"))
    assert credit.amount_micros - expected in (0, 1)
    assert credit.computation


def test_n11_a_price_that_changed_within_the_outage_counts_by_its_days() -> None:
    steps = (Step(day("2026-04-01"), "Line", 2, pounds(30)), Step(day("2026-04-16"), "Line", 1, pounds(15)))
    made = subscription("2026-04-01", steps=steps)
    credit = downtime_credit(made, (at("2026-04-15"), at("2026-04-17")))
    assert credit.amount_micros == pounds(2) + pounds(0.5)
    assert credit.computation == (
        "Line: £60.00 x 86400 s / 2592000 s",
        "Line: £15.00 x 86400 s / 2592000 s",
    )


def test_n11_nothing_is_given_for_time_before_and_after_the_service() -> None:
    ending = Ending(1, EndReason.NOTICE, day("2026-04-01"), day("2026-04-20"))
    made = subscription("2026-04-01", price=30, ending=ending)
    assert downtime_credit(made, (at("2026-03-01"), at("2026-04-01"))).amount_micros == 0
    assert downtime_credit(made, (at("2026-04-19"), at("2026-04-25"))).amount_micros == pounds(1)


instants = st.integers(at("2026-04-01"), at("2026-07-01"))


@given(instants, instants, instants)
def test_n11_an_outage_in_two_parts_gives_what_it_gives_in_one(one: int, two: int, three: int) -> None:
    since, middle, until = sorted((one, two, three))
    made = msgspec.structs.replace(subscription("2026-04-01", price=30), charged_until=day("2026-07-01"))

    def credit(first: int, last: int) -> int:
        return downtime_credit(made, (first, last)).amount_micros if first < last else 0

    whole = credit(since, until)
    assert 0 <= credit(since, middle) + credit(middle, until) - whole <= 1
    assert whole <= 3 * pounds(30)
    again = downtime_credit(made, (since, until), [(since, middle)]).amount_micros if since < until else 0
    assert again == credit(middle, until)


@given(st.tuples(instants, instants).map(sorted), st.lists(st.tuples(instants, instants).map(sorted)))
def test_no_minute_is_given_back_twice(down: list[int], given_back: list[list[int]]) -> None:
    given_times = [(first, last) for first, last in given_back]
    left = without((down[0], down[1]), given_times)
    for first, last in left:
        assert down[0] <= first < last <= down[1]
        assert all(last <= other or first >= until for other, until in given_times if other < until)
    covered = sum(last - first for first, last in left)
    inside = without((down[0], down[1]), left)
    assert covered + sum(last - first for first, last in inside) == down[1] - down[0]


# reported, repaired -> days that are compensated
REPAIRS = """
2026-06-01 2026-06-05 -> 2
2026-06-01 2026-06-03 -> 0
2026-06-01 2026-06-04 -> 1
2026-06-05 2026-06-09 -> 0
2026-06-05 2026-06-10 -> 1
2026-06-06 2026-06-10 -> 1
2026-12-23 2026-12-29 -> 0
2026-12-23 2026-12-31 -> 2
2026-04-01 2026-04-08 -> 1
2026-06-01 2026-06-01 -> 0
"""


@pytest.mark.parametrize(
    "row", [line.replace("->", "").split() for line in REPAIRS.strip().split("\n")], ids=" ".join
)
def test_a_repair_is_late_after_two_full_working_days(row: list[str]) -> None:
    """From Monday 10:00 to Friday 10:00: it begins at the end of Wednesday, the second full working day."""
    assert repair_days(day(row[0]), day(row[1]), is_working_day) == int(row[2])


def test_a_late_start_counts_from_the_day_that_was_promised() -> None:
    assert start_days(day("2026-06-03"), day("2026-06-05")) == 2
    assert start_days(day("2026-06-03"), day("2026-06-03")) == 0
    assert start_days(day("2026-06-03"), day("2026-06-01")) == 0


def test_fractions_are_rounded_up_once() -> None:
    made = subscription("2026-04-01", price=30)
    down = (at("2026-04-10T12:00"), at("2026-04-10T12:01"))
    exact = Fraction(pounds(30) * 60_000, 30 * 24 * HOUR)
    assert downtime_credit(made, down).amount_micros == -(-exact.numerator // exact.denominator)


def outage(**changes: object) -> Outage:
    values: dict[str, object] = {
        "starts_ms": at("2026-06-08T00:00"),
        "ends_ms": at("2026-06-09T12:00"),
        "words": "The core router failed",
        "made_by": "operator",
        "products": ("line",),
    }
    return Outage(**{**values, **changes})  # type: ignore[arg-type]


@database
@in_database
async def test_n11_a_proposal_for_each_that_was_down_and_nothing_paid(db: asyncpg.Pool) -> None:
    for name in ("Shop", "Other", "Late"):
        await customer(db, name)
    await product(db)
    await product(db, "fibre", title="Fibre", family="broadband")
    shop = await sold(db, "2026-06-01")
    await sold(db, "2026-06-01", account="Other", name="fibre")
    other = await sold(db, "2026-06-01", account="Other", quantity=2)
    await sold(db, "2026-06-20", account="Late")
    await run_due(db, BILLING, day("2026-06-21"))
    async with db.acquire() as connection:
        credits_ = await propose(connection, CONF, outage())
        assert [(credit.subscription_id, credit.amount_micros) for credit in credits_] == [
            (shop, pounds(1.5)),
            (other, pounds(3)),
        ]
        assert credits_[0].computation == ("Line rental: £30.00 x 129600 s / 2592000 s",)
        named = await propose(
            connection,
            CONF,
            outage(
                products=(),
                accounts=("other",),
                starts_ms=at("2026-06-08T12:00"),
                ends_ms=at("2026-06-10T00:00"),
            ),
        )
    assert [(credit.account, credit.amount_micros) for credit in named] == [
        ("Other", pounds(1.5)),
        ("Other", pounds(1)),
    ]
    assert not [row for row in await movements(db) if row[1] > 0]


@database
@in_database
async def test_n11_a_person_decides_and_what_is_approved_is_given_once(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db)
    for _ in range(3):
        await sold(db, "2026-06-01")
    await run_due(db, BILLING, day("2026-06-01"))
    today = day("2026-06-15")
    async with db.acquire() as connection:
        one, two, three = await propose(connection, CONF, outage())

    async def approve_it() -> object:
        async with db.acquire() as own:
            return await approve(own, one.id, decided_by="anna", today=today)

    given_ = await asyncio.gather(*[approve_it() for _ in range(4)])
    assert len(set(map(str, given_))) == 1
    async with db.acquire() as connection:
        declined = await decline(
            connection, two.id, decided_by="anna", reason="they were not down", today=today
        )
        assert (declined.state, declined.reason) == ("declined", "they were not down")
        with pytest.raises(Refused, match="was declined by"):
            await approve(connection, two.id, decided_by="bert", today=today)
        with pytest.raises(Refused, match="was given already"):
            await decline(connection, one.id, decided_by="bert", reason="x", today=today)
        with pytest.raises(Refused, match="there is no outage credit"):
            await approve(connection, 999, decided_by="bert", today=today)
        open_ones = await list_credits(connection, is_open_only=True)
    assert [credit.id for credit in open_ones] == [three.id]
    given_back = [row for row in await movements(db) if row[1] > 0]
    assert given_back == [
        (
            "subscription",  # so that VAT goes back with it
            pounds(1.5),
            "Credit, downtime: Line rental: £30.00 x 129600 s / 2592000 s",
        )
    ]


@database
@in_database
async def test_what_was_declined_can_be_proposed_again(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db)
    await sold(db, "2026-06-01")
    await run_due(db, BILLING, day("2026-06-01"))
    async with db.acquire() as connection:
        (first,) = await propose(connection, CONF, outage())
        assert await propose(connection, CONF, outage()) == []
        await decline(connection, first.id, decided_by="anna", reason="wrong times", today=day("2026-06-15"))
        (again,) = await propose(connection, CONF, outage())
    assert again.amount_micros == first.amount_micros


@database
@in_database
async def test_automatic_compensation_is_for_residential_customers_of_a_provider_that_joined(
    db: asyncpg.Pool,
) -> None:
    await customer(db)
    await customer(db, "Corp", kind=CustomerKind.BUSINESS)
    await product(db, is_compensated=True)
    await product(db, "voip", title="VoIP")
    home = await sold(db, "2026-06-01")
    corp = await sold(db, "2026-06-01", account="Corp")
    await sold(db, "2026-06-01", name="voip")
    await run_due(db, BILLING, day("2026-06-01"))
    week = outage(products=("line", "voip"), starts_ms=at("2026-06-08T10:00"), ends_ms=at("2026-06-12T10:00"))
    async with db.acquire() as connection:
        credits_ = await propose(connection, JOINED, week)
        automatic = [credit for credit in credits_ if credit.kind == "delayed_repair"]
        assert [(credit.subscription_id, credit.amount_micros) for credit in automatic] == [
            (home, 2 * pounds(10.34))
        ]
        missed = await propose_appointment(connection, JOINED, home, day("2026-06-09"))
        same = await propose_appointment(connection, JOINED, home, day("2026-06-09"))
        assert (missed.amount_micros, same.id) == (pounds(32.31), missed.id)
        late = await propose_start(
            connection, JOINED, home, promised_on=day("2026-06-01"), started_on=day("2026-06-04")
        )
        assert late.amount_micros == 3 * pounds(6.46)
        with pytest.raises(Refused, match="nothing is due"):
            await propose_start(
                connection, JOINED, home, promised_on=day("2026-06-01"), started_on=day("2026-06-01")
            )
        for conf, subscription_id in ((CONF, home), (JOINED, corp)):
            with pytest.raises(Refused, match="residential"):
                await propose_appointment(connection, conf, subscription_id, day("2026-06-09"))


@database
@in_database
async def test_an_outage_that_makes_no_sense_is_refused(db: asyncpg.Pool) -> None:
    async with db.acquire() as connection:
        for wrong in (
            outage(ends_ms=at("2026-06-08T00:00")),
            outage(ends_ms=at("2028-06-08T00:00")),
            outage(products=()),
            outage(words=" "),
            outage(made_by=""),
        ):
            with pytest.raises(InvalidValue):
                await propose(connection, CONF, wrong)
        with pytest.raises(Refused, match="there is no product"):
            await propose(connection, CONF, outage())
        with pytest.raises(Refused, match="there is no account"):
            await propose(connection, CONF, outage(products=(), accounts=("nobody",)))
    assert await db.fetchval("SELECT count(*) FROM outages") == 0


@database
@in_database
async def test_what_waits_for_somebody_is_counted(db: asyncpg.Pool) -> None:
    await customer(db)
    await product(db)
    await sold(db, "2026-06-01")
    assert (await db.fetchrow(WAITING_SQL))["uncharged_periods"] == 1
    await run_due(db, BILLING, day("2026-11-01"))
    await db.execute("UPDATE subscriptions SET charged_until = '2199-01-01'")
    async with db.acquire() as connection:
        await propose(connection, CONF, outage())
    waiting = await db.fetchrow(WAITING_SQL)
    assert (waiting["uncharged_periods"], waiting["outage_credits"], waiting["unpaid_services"]) == (0, 1, 0)
