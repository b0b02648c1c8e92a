"""What holds the ladder, on a real database: payment plans, disputes, holds, and a service that has ceased.

Named for the rows of the UK facts: N17 (plans), C6 (suspended until paid).
"""

import asyncpg
import msgspec
import pytest

from billing.arrears.plans import release
from billing.conf_arrears import Ladder
from billing.customers import CustomerKind
from billing.dated import Dated
from provisioning.problems import InvalidValue, Refused
from provisioning.settings import Restriction
from tests.billing.arrears.slow_payer import BILLED, CONF, SlowPayer, date
from tests.provisioning.databases import in_database

pytestmark = pytest.mark.wire


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
