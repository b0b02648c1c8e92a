"""Who pays late, on a real database: the year of a slow payer, each rung, what ends it, two runs at once.

Named for the rows of the UK facts: M18 and C6 (suspended until paid), "Debt" (phased, with due warning).
"""

import asyncio
import datetime

import asyncpg
import msgspec
import pytest

from billing.arrears.due import run_due
from billing.arrears.letters import letters_to_post, posted
from billing.invoices.credit import credit_invoice
from billing.invoices.run import month_period, run_month
from billing.payments.payment import Method
from billing.payments.received import Money, received
from provisioning.books.changes import Position, read_changes
from provisioning.books.snapshot import load_snapshot
from provisioning.ledger import MovementKind, post
from provisioning.model import AccountChanged
from provisioning.problems import Refused
from provisioning.settings import AccountSettings, Bar, Restriction
from tests.billing.arrears.slow_payer import BILLED, CONF, POUND, SlowPayer, date, noon
from tests.provisioning.databases import in_database

pytestmark = pytest.mark.wire


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
