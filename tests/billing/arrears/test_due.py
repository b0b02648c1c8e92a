"""Who pays late, on a real database: the year of a slow payer, each rung, what ends it, two runs at once.

Named for the rows of the UK facts: M18 and C6 (suspended until paid), N17 (plans), "Debt" (phased, with due warning).
"""

import asyncio
import datetime

import asyncpg
import msgspec
import pytest

from billing.arrears.due import run_due
from billing.arrears.letters import letters_to_post, posted
from billing.arrears.plans import release
from billing.conf_arrears import Ladder
from billing.customers import CustomerKind
from billing.dated import Dated
from billing.invoices.credit import credit_invoice
from billing.invoices.run import month_period, run_month
from billing.payments.payment import Method
from billing.payments.received import Money, received
from provisioning.books.changes import Position, read_changes
from provisioning.books.snapshot import load_snapshot
from provisioning.ledger import MovementKind, post
from provisioning.model import AccountChanged
from provisioning.problems import InvalidValue, Refused
from provisioning.settings import AccountSettings, Bar, Restriction
from tests.billing.arrears.slow_payer import CONF, POUND, SlowPayer, date, noon
from tests.provisioning.databases import in_database

pytestmark = pytest.mark.wire

# Issued on 2 March 2026, a Monday; due on the 16th.
BILLED = "2026-03-02"


async def snapshot(db: asyncpg.Pool) -> list[tuple[object, ...]]:
    """Everything that a run may change."""
    found: list[tuple[object, ...]] = []
    for table in ("arrears", "arrears_history", "arrears_holds", "arrears_interest", "mails", "ledger"):
        rows = await db.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")
        found += [tuple(row) for row in rows]
    return found


@in_database
async def test_debt_the_ladder_of_a_consumer_who_never_pays_with_due_warning_before_each_step(
    db: asyncpg.Pool,
) -> None:
    payer = await SlowPayer.move_in(db)
    await payer.is_billed(BILLED, 50)
    await payer.run_days(BILLED, "2026-06-30")
    assert await payer.history() == [
        ("2026-03-19", "reminder"),
        ("2026-03-26", "warning"),
        ("2026-03-30", "warned"),
        ("2026-04-09", "premium_and_international"),
        ("2026-04-13", "warned"),
        ("2026-04-23", "outgoing"),
        ("2026-05-11", "warned"),
        ("2026-05-21", "suspended"),
    ]
    assert await payer.restriction() is Restriction.SUSPENDED
    assert await payer.subjects() == [
        "Reminder: £50.00 is overdue",
        "Please pay: £50.00 is overdue",
        "Your service will be restricted on Thursday 9 April 2026",
        "Your service has been restricted",
        "Your service will be restricted on Thursday 23 April 2026",
        "Your service has been restricted",
        "Your service will be restricted on Thursday 21 May 2026",
        "Your service has been restricted",
    ]
    assert await payer.interest() == 0


@in_database
async def test_the_warning_names_amount_day_what_stops_what_stays_how_to_pay_and_help(
    db: asyncpg.Pool,
) -> None:
    conf = msgspec.structs.replace(
        CONF,
        arrears=msgspec.structs.replace(
            CONF.arrears,
            settings=msgspec.structs.replace(CONF.arrears.settings, help="Free advice: example.org."),
        ),
    )
    payer = await SlowPayer.move_in(db, conf=conf, company="", contact="A. Customer")
    number = await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-03-16", "2026-04-13")
    text = await db.fetchval("SELECT body FROM mails WHERE key LIKE '%/outgoing/notice/%'")
    for words in (
        "Dear A. Customer",
        "£50.00",
        f"invoice {number}, due on Monday 16 March 2026",
        "before Thursday 23 April 2026, outgoing calls will not be possible",
        "Emergency calls (999 and 112)",
        "080",
        "calls to you go on as before",
        "sort code 12-34-56",
        "quote the number of the invoice",
        "instalments",
        "020 7946 0100",
        "Free advice: example.org.",
    ):
        assert words in text, words


@in_database
async def test_run_again_and_two_at_once_come_to_the_same(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db, kind="business")
    await payer.is_billed(BILLED, 1200)
    day = date("2026-03-16")
    while day < date("2026-06-15"):
        await asyncio.gather(*(run_due(db, CONF, day) for _ in range(3)))
        before = await snapshot(db)
        assert await run_due(db, CONF, day) == []
        assert await snapshot(db) == before
        await db.execute(
            "UPDATE mails SET sent_at = $1 WHERE sent_at IS NULL",
            datetime.datetime.combine(day, datetime.time(9), datetime.UTC),
        )
        day += datetime.timedelta(1)
    whats = [what for _, what in await payer.history()]
    assert [what for what in whats if what != "warned"] == [
        "reminder",
        "warning",
        "premium_and_international",
        "outgoing",
        "suspended",
    ]
    keys = await db.fetch("SELECT idempotency_key FROM ledger WHERE kind = 'interest'")
    assert len(keys) == len({row[0] for row in keys}) == 4  # the fixed sum, and three months
    assert await payer.interest() == 70 * POUND + (76 * 1200 * 1175 * 100 // 365 // 10_000) * 10_000


@in_database
async def test_killed_anywhere_it_goes_on_where_it_was(db: asyncpg.Pool) -> None:
    """A run whose connection dies in the middle leaves whole steps only."""
    payer = await SlowPayer.move_in(db)
    await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-03-16", "2026-04-08")
    before = await snapshot(db)
    for statement in ("accounts", "arrears", "mails", "arrears_history"):
        await db.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'killed'; END $$;"
            f"CREATE TRIGGER fails BEFORE INSERT OR UPDATE ON {statement} FOR EACH ROW EXECUTE FUNCTION fail()"
        )
        with pytest.raises(asyncpg.RaiseError):
            await run_due(db, CONF, date("2026-04-09"))
        await db.execute(f"DROP TRIGGER fails ON {statement}; DROP FUNCTION fail()")
        assert await snapshot(db) == before
        assert await payer.restriction() is Restriction.NONE
    await payer.run(date("2026-04-09"))
    assert await payer.restriction() is Restriction.PREMIUM_AND_INTERNATIONAL


@in_database
async def test_m18_c6_suspended_until_paid_and_a_payment_resumes_at_once(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    await db.execute(
        """UPDATE accounts SET settings = '{"bars": [{"what": "premium"}], "of_next_year": 1}' WHERE id = $1""",
        payer.account_id,
    )
    await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-03-16", "2026-06-01")
    assert await payer.restriction() is Restriction.SUSPENDED
    async with db.acquire() as connection:
        position = Position.of_snapshot(await load_snapshot(connection, ""))
        await payer.pays("2026-06-02", 31)  # 19 are left: below the minimum of 20
        changes = await read_changes(connection, position)
    accounts = [change.account for change in changes.changes if isinstance(change, AccountChanged)]
    assert accounts[-1].settings == AccountSettings(bars=(Bar("premium"),))
    assert await db.fetchval("SELECT settings->>'of_next_year' FROM accounts") == "1"
    assert await payer.rung() == "warning"
    await payer.pays("2026-06-03", 19)
    assert await payer.rung() == ""
    assert (await payer.history())[-2:] == [("2026-06-02", "lifted"), ("2026-06-03", "paid")]


@in_database
async def test_a_payment_by_the_one_place_where_money_comes_in_lifts_the_restriction_in_its_transaction(
    db: asyncpg.Pool,
) -> None:
    payer = await SlowPayer.move_in(db)
    number = await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-03-16", "2026-04-30")
    assert await payer.restriction() is Restriction.OUTGOING
    money = Money(
        payer.account_id,
        Method.BANK_TRANSFER,
        "statement",
        "line-1",
        50 * POUND,
        noon(date("2026-05-01")),
        number,
    )
    async with db.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await received(connection, CONF, money)
        await transaction.rollback()
        assert await payer.restriction() is Restriction.OUTGOING
        async with connection.transaction():
            assert not (await received(connection, CONF, money)).is_repeat
    assert await payer.restriction() is Restriction.NONE
    assert await payer.open() == 0


@in_database
async def test_a_part_payment_that_leaves_more_than_the_minimum_lifts_nothing(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-03-16", "2026-04-30")
    await payer.pays("2026-05-01", 30)
    assert await payer.restriction() is Restriction.OUTGOING
    await payer.pays("2026-05-01", 1)
    assert await payer.restriction() is Restriction.NONE


@in_database
async def test_a_payment_at_the_moment_of_the_restriction_wins_whichever_is_first(db: asyncpg.Pool) -> None:
    for _ in range(10):
        payer = await SlowPayer.move_in(db)
        await payer.is_billed(BILLED, 50)
        for day in ("2026-03-19", "2026-03-26", "2026-03-30"):
            await payer.run(date(day))
        await asyncio.gather(
            run_due(db, CONF, date("2026-04-09")),
            payer.pays("2026-04-09", 50),
            run_due(db, CONF, date("2026-04-09")),
        )
        assert await payer.restriction() is Restriction.NONE
        assert await payer.rung() == ""


@in_database
async def test_small_amounts_are_reminded_of_and_never_restricted_for(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    await payer.is_billed(BILLED, "19.99")
    await payer.run_days("2026-03-16", "2026-12-31")
    assert [what for _, what in await payer.history()] == ["reminder", "warning"]
    assert await payer.restriction() is Restriction.NONE


@in_database
async def test_what_is_paid_after_the_warning_stops_the_restriction(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-03-16", "2026-04-08")
    await payer.pays("2026-04-08", 50)
    await payer.run_days("2026-04-09", "2026-05-31")
    assert await payer.restriction() is Restriction.NONE
    assert (await payer.history())[-1] == ("2026-04-08", "paid")


@in_database
async def test_a_credit_note_counts_like_money(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    number = await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-03-16", "2026-04-30")
    await payer.is_credited("2026-05-01", number, 50)
    assert await payer.restriction() is Restriction.NONE
    assert await payer.rung() == ""


@in_database
async def test_a_credit_note_lifts_the_restriction_in_its_transaction(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    async with db.acquire() as connection, connection.transaction():
        await post(connection, payer.account_id, MovementKind.FEE, -60 * POUND, memo="Set-up")
    await db.execute(
        "ALTER TABLE ledger DISABLE TRIGGER USER; UPDATE ledger SET at = '2025-01-10';"
        " ALTER TABLE ledger ENABLE TRIGGER USER"
    )
    await run_month(db, CONF, month_period(2025, 1), today=date("2025-02-03"))
    await payer.run_days("2025-02-17", "2025-04-10")
    assert await payer.restriction() is Restriction.OUTGOING
    [number] = [row[0] for row in await db.fetch("SELECT number FROM invoices")]
    await credit_invoice(db, CONF, number, reason="Charged in error", today=date("2025-04-10"))
    assert await payer.restriction() is Restriction.NONE


@in_database
async def test_a_chargeback_begins_a_new_time_with_new_letters(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-03-16", "2026-03-20")
    payment = await payer.pays("2026-03-20", 50)
    await payer.is_charged_back(payment, 50)
    await payer.run_days("2026-03-21", "2026-04-10")
    assert [what for _, what in await payer.history()] == [
        "reminder",
        "paid",
        "reminder",
        "warning",
        "warned",
    ]
    assert (await payer.subjects()).count("Reminder: £50.00 is overdue") == 2


@in_database
async def test_a_warning_that_was_not_sent_is_none(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    await payer.is_billed(BILLED, 50)
    payer.sends_mail = False
    await payer.run_days("2026-03-16", "2026-04-17")
    assert await payer.restriction() is Restriction.NONE
    await db.execute("UPDATE mails SET gave_up_at = now()")
    lines = await payer.run(date("2026-04-20"))
    assert any("could not be delivered" in line for line in lines)
    assert await payer.restriction() is Restriction.NONE


@in_database
async def test_who_has_no_mail_gets_a_letter_and_no_restriction_before_it_was_posted(
    db: asyncpg.Pool,
) -> None:
    payer = await SlowPayer.move_in(db, email="", wants_large_print=True)
    await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-03-16", "2026-04-20")
    assert await payer.restriction() is Restriction.NONE
    assert "no e-mail address" in payer.said[-1][1]
    assert await payer.subjects() == []
    waiting = await letters_to_post(db)
    assert [each.subject for each in waiting][
        -1
    ] == "Your service will be restricted on Thursday 9 April 2026"
    assert waiting[-1].address[0] == "Sample Bakery Ltd" and waiting[-1].wants_large_print
    await posted(db, waiting[-1].id, date("2026-04-20"))
    with pytest.raises(Refused, match="no letter"):
        await posted(db, waiting[-1].id, date("2026-04-21"))
    await payer.run_days("2026-04-21", "2026-05-03")
    assert await payer.restriction() is Restriction.NONE
    await payer.run(date("2026-05-05"))  # four days for the post, ten of notice; the 4th is a bank holiday
    assert await payer.restriction() is Restriction.PREMIUM_AND_INTERNATIONAL


@in_database
async def test_a_run_that_was_missed_for_months_does_not_fall_through_the_ladder(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-09-01", "2026-10-15")
    whats = await payer.history()
    assert [what for _, what in whats] == [
        "reminder",
        "warning",
        "warned",
        "premium_and_international",
        "warned",
        "outgoing",
    ]
    assert whats[0][0] == "2026-09-01" and whats[3][0] == "2026-09-22"


@in_database
async def test_nothing_happens_on_days_off_nor_before_them(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    await payer.is_billed("2026-11-18", 50)  # the first restriction would be due on Saturday 26 December
    await payer.run_days("2026-12-01", "2027-01-10")
    restricted = [day for day, what in await payer.history() if what == "premium_and_international"]
    assert restricted == ["2026-12-29"]


@in_database
async def test_an_operators_own_restriction_is_left_alone(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-03-16", "2026-04-15")
    await db.execute("""UPDATE accounts SET settings = settings || '{"restriction": "suspended"}'""")
    await payer.pays("2026-04-15", 50)
    assert await payer.restriction() is Restriction.SUSPENDED


# Holds and plans


@in_database
async def test_n17_a_payment_plan_lifts_the_restriction_and_holds_the_ladder_while_it_is_kept(
    db: asyncpg.Pool,
) -> None:
    payer = await SlowPayer.move_in(db)
    await payer.is_billed(BILLED, 100)
    await payer.run_days("2026-03-16", "2026-04-30")
    assert await payer.restriction() is Restriction.OUTGOING
    await payer.agrees("2026-05-01", 3, "2026-05-31")
    assert await payer.restriction() is Restriction.NONE
    text = await db.fetchval("SELECT body FROM mails WHERE key LIKE '%/plan'")
    assert "by Sunday 31 May 2026: £33.34" in text and "by Tuesday 30 June 2026: £33.33" in text
    await payer.run_days("2026-05-01", "2026-06-01")
    await payer.pays("2026-06-02", 34)  # within the days of grace
    await payer.run_days("2026-06-03", "2026-06-30")
    await payer.pays("2026-06-30", 33)
    await payer.run_days("2026-07-01", "2026-07-30")
    await payer.pays("2026-07-30", 33)
    await payer.run_days("2026-07-31", "2026-08-31")
    assert [what for _, what in await payer.history()][-3:] == ["plan", "plan kept", "paid"] or [
        what for _, what in await payer.history()
    ][-3:] == ["plan", "paid", "plan kept"]
    assert await payer.restriction() is Restriction.NONE
    assert await payer.open() == 0


@in_database
async def test_n17_a_missed_instalment_goes_on_with_due_warning(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    await payer.is_billed(BILLED, 100)
    await payer.run_days("2026-03-16", "2026-04-30")
    await payer.agrees("2026-05-01", 3, "2026-05-31")
    await payer.run_days("2026-05-01", "2026-06-03")
    assert [what for _, what in await payer.history()][-1] == "plan"
    await payer.run(date("2026-06-04"))
    assert "Your payment plan: an instalment is missing" in await payer.subjects()
    assert await payer.restriction() is Restriction.NONE
    await payer.run_days("2026-06-05", "2026-07-15")
    after = await payer.history()
    start = [what for _, what in after].index("plan missed")
    assert after[start:] == [
        ("2026-06-04", "plan missed"),
        ("2026-06-04", "warned"),
        ("2026-06-15", "premium_and_international"),
        ("2026-06-19", "warned"),
        ("2026-06-29", "outgoing"),
    ]


@in_database
async def test_a_new_invoice_is_not_in_the_plan(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    await payer.is_billed(BILLED, 100)
    await payer.agrees("2026-03-10", 12, "2026-04-01")
    await payer.is_billed("2026-03-11", 60)
    for month in range(4, 12):
        await payer.pays(f"2026-{month:02}-01", 9)
    await payer.run_days("2026-03-26", "2026-04-15")
    assert [what for _, what in await payer.history()][:3] == ["plan", "reminder", "warning"]


@in_database
async def test_a_dispute_about_one_invoice_holds_that_one_alone(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    wrong = await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-03-16", "2026-04-20")
    assert await payer.restriction() is Restriction.PREMIUM_AND_INTERNATIONAL
    await payer.holds("2026-04-20", "2026-06-15", "dispute", invoice=wrong)
    assert await payer.restriction() is Restriction.NONE
    await payer.is_billed("2026-04-20", 60)
    await payer.run_days("2026-04-21", "2026-06-15")
    held = await payer.history()
    assert [what for day, what in held if day > "2026-04-20"][:2] == ["warned", "premium_and_international"]
    await payer.pays(
        "2026-06-15", 60, quoted=(await db.fetchval("SELECT number FROM invoices ORDER BY id DESC"))
    )
    await payer.run_days("2026-06-16", "2026-07-20")
    assert "hold over" in [what for _, what in await payer.history()]
    assert await payer.restriction() is not Restriction.NONE


@in_database
async def test_a_hold_is_limited_and_can_be_released(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db)
    await payer.is_billed(BILLED, 50)
    for until in ("2026-03-01", "2027-03-20"):
        with pytest.raises(InvalidValue):
            await payer.holds("2026-03-20", until, "difficulty")
    with pytest.raises(InvalidValue):
        await payer.holds("2026-03-20", "2026-04-20", "mood")
    with pytest.raises(Refused, match="no open invoice"):
        await payer.holds("2026-03-20", "2026-04-20", "dispute", invoice="INV999")
    await payer.holds("2026-03-20", "2026-09-01", "difficulty")
    await payer.run_days("2026-03-20", "2026-05-01")
    assert [what for _, what in await payer.history()] == ["hold for difficulty"]
    async with db.acquire() as connection, connection.transaction():
        await release(connection, payer.name, has_service=False, today=date("2026-05-01"))
    await payer.run_days("2026-05-01", "2026-05-02")
    assert [what for _, what in await payer.history()][1:] == ["released", "reminder"]
    with pytest.raises(Refused, match="nothing to release"):
        async with db.acquire() as connection, connection.transaction():
            await release(connection, payer.name, has_service=False, today=date("2026-05-01"))


@in_database
async def test_c6_a_service_that_has_ceased_comes_back_by_a_person_alone(db: asyncpg.Pool) -> None:
    ladders = {CustomerKind.CONSUMER: Dated("consumer", [(date("2020-01-01"), Ladder(ceased=90))])}
    conf = msgspec.structs.replace(CONF, arrears=msgspec.structs.replace(CONF.arrears, ladders=ladders))
    payer = await SlowPayer.move_in(db, conf=conf)
    await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-03-16", "2026-07-15")
    assert await payer.restriction() is Restriction.CEASED
    await payer.pays("2026-07-16", 50)
    await payer.run_days("2026-07-16", "2026-07-20")
    assert await payer.restriction() is Restriction.CEASED
    async with db.acquire() as connection, connection.transaction():
        await release(connection, payer.name, has_service=True, today=date("2026-07-21"))
    assert await payer.restriction() is Restriction.NONE
    assert await payer.rung() == ""


# Interest, and the kinds of customers


@in_database
async def test_interest_by_the_kind_of_customer(db: asyncpg.Pool) -> None:
    """The same debt, 100 days: nothing for a consumer, what the contract says, the Act for a business."""
    contract = {
        **CONF.arrears.ladders,
        CustomerKind.SMALL_BUSINESS: Dated(
            "small_business", [(date("2020-01-01"), Ladder(interest=400, interest_after=0))]
        ),
    }
    conf = msgspec.structs.replace(CONF, arrears=msgspec.structs.replace(CONF.arrears, ladders=contract))
    expected = {"consumer": 0, "small_business": 10_950_000, "business": 70 * POUND + 32_190_000}
    for kind, micros in expected.items():
        payer = await SlowPayer.move_in(db, kind=kind, conf=conf)
        await payer.is_billed(BILLED, 1000)
        await payer.run_days("2026-03-16", "2026-03-20")
        await payer.run_days("2026-06-20", "2026-06-25")
        await payer.pays("2026-06-25", 1000)
        await payer.run_days("2026-06-25", "2026-07-02")
        assert await payer.interest() == micros, kind


@in_database
async def test_part_payments_and_months_each_posted_once_on_what_was_open(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db, kind="business")
    number = await payer.is_billed(BILLED, 1000)
    await payer.run_days("2026-03-16", "2026-04-15")
    await payer.pays("2026-04-16", 400)
    await payer.run_days("2026-04-16", "2026-05-20")
    await payer.pays("2026-05-21", 600)
    await payer.run_days("2026-05-21", "2026-07-31")
    pound_days = 30 * 1000 + 35 * 600
    assert await payer.interest() == 70 * POUND + pound_days * 1175 * 100 // 365 // 10_000 * 10_000
    rows = await db.fetch("SELECT idempotency_key FROM ledger WHERE kind = 'interest' ORDER BY id")
    assert [row[0] for row in rows] == [
        f"interest/{number}/2026-03-16/fixed/1",
        f"interest/{number}/2026-03-31/interest/2",
        f"interest/{number}/2026-04-30/interest/3",
        f"interest/{number}/2026-05-20/interest/4",
    ]
    assert await db.fetchval("SELECT is_settled FROM arrears_interest")


@in_database
async def test_a_credit_note_takes_back_the_interest_on_what_was_never_owed(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db, kind="business")
    number = await payer.is_billed(BILLED, 1000)
    await payer.run_days("2026-03-16", "2026-05-10")
    assert await payer.interest() > 70 * POUND
    await payer.is_credited("2026-05-11", number, 1000)
    await payer.run_days("2026-05-11", "2026-06-02")
    assert await payer.interest() == 0
    assert (
        await db.fetchval(
            "SELECT balance_micros FROM account_balances WHERE account_id = $1", payer.account_id
        )
        == 0
    )


@in_database
async def test_interest_bears_no_interest(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db, kind="business")
    await payer.is_billed(BILLED, 1000)
    await payer.run_days("2026-03-16", "2026-05-01")
    charged = await payer.interest()
    number = await payer.is_billed("2026-05-01", charged / POUND)  # as the monthly invoice bills it
    await db.execute(
        "INSERT INTO invoiced (account_id, ledger_id, invoice_id) SELECT l.account_id, l.id, i.id FROM ledger l,"
        " invoices i WHERE l.kind = 'interest' AND i.number = $1",
        number,
    )
    await payer.pays("2026-05-02", 1000)
    await payer.run_days("2026-05-02", "2026-12-31")
    last = await payer.interest() - charged
    assert last == 320_000  # the last day of the first invoice, 1 May, and nothing for the second


@in_database
async def test_a_hold_pauses_interest(db: asyncpg.Pool) -> None:
    payer = await SlowPayer.move_in(db, kind="business")
    await payer.is_billed(BILLED, 1000)
    await payer.holds("2026-03-20", "2026-06-15", "dispute")
    await payer.run_days("2026-03-20", "2026-06-15")
    assert await payer.interest() == 0


# A year


@in_database
async def test_a_year_of_a_slow_payer_adds_up(db: asyncpg.Pool) -> None:
    """Twelve invoices, each paid a month late, one never in full: the ledger is what was billed, paid and charged."""
    payer = await SlowPayer.move_in(db, kind="business")
    billed = 0
    for month in range(1, 13):
        await payer.is_billed(f"2026-{month:02}-01", 120)
        billed += 120 * POUND
    day = date("2026-01-15")
    restrictions = set()
    paid = 0
    while day <= date("2027-01-31"):
        if day.day == 20 and day.month % 2 == 0:
            await payer.pays(day.isoformat(), 240 if day.month < 12 else 100)
            paid += (240 if day.month < 12 else 100) * POUND
        await payer.run(day)
        restrictions.add(await payer.restriction())
        day += datetime.timedelta(1)
    balance = await db.fetchval(
        "SELECT balance_micros FROM account_balances WHERE account_id = $1", payer.account_id
    )
    assert balance == paid - billed - await payer.interest()
    assert await payer.open() == billed - paid
    assert restrictions >= {Restriction.NONE, Restriction.PREMIUM_AND_INTERNATIONAL}
    per_invoice = await db.fetch("SELECT interest_micros + fixed_micros AS micros FROM arrears_interest")
    assert sum(row["micros"] for row in per_invoice) == await payer.interest()
    climbs = [
        day
        for day, what in await payer.history()
        if what in ("premium_and_international", "outgoing", "suspended")
    ]
    assert climbs and all(date(each).weekday() < 4 for each in climbs)


@in_database
async def test_without_a_ladder_nothing_happens(db: asyncpg.Pool) -> None:
    conf = msgspec.structs.replace(CONF, arrears=msgspec.structs.replace(CONF.arrears, ladders={}))
    payer = await SlowPayer.move_in(db, conf=conf)
    await payer.is_billed(BILLED, 50)
    await payer.run_days("2026-03-16", "2026-07-15")
    assert payer.said == [] and await payer.history() == []
