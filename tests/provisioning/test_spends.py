"""What PostgreSQL adds up of charges by day and month, and the alarms that it keeps."""

import datetime
from pathlib import Path

import asyncpg
import pytest

from provisioning import schema
from provisioning.alarms import AlarmView, list_alarms
from provisioning.books.snapshot import load_snapshot
from provisioning.model import AccountSpend
from provisioning.problems import InvalidValue
from rating.engine import AccountTerms, Engine
from rating.london_day import day_start_ms, london_day, month_of
from rating.money import VatMode
from rating.records import Alarm, UsageEntry
from switch.spends import load_spends
from tests.provisioning.books.test_shipper import Bench, at_the_bench
from tests.provisioning.databases import add_prepaid, in_database

pytestmark = pytest.mark.wire


def entry(call_id: str, at_ms: int, amount: int, account_id: int = 1) -> UsageEntry:
    return UsageEntry(account_id, call_id, 0, -amount, at_ms)


async def spends(db: asyncpg.Connection) -> list[tuple[str, str, int, int]]:
    rows = await db.fetch("SELECT kind, since, account_id, micros FROM account_spends ORDER BY 1, 2, 3")
    return [(row["kind"], row["since"].isoformat(), row["account_id"], row["micros"]) for row in rows]


def recent(days_ago: int) -> int:
    """The first instant of a day of this or the last weeks, in London."""
    return day_start_ms(london_day(int(datetime.datetime.now(datetime.UTC).timestamp() * 1000)) - days_ago)


@at_the_bench
async def test_charges_are_added_up_by_londons_days_and_months(bench: Bench) -> None:
    midnight = recent(3)
    first, second = (datetime.date.fromordinal(london_day(midnight) - back) for back in (1, 0))
    bench.journal.append(entry("a", midnight - 1, 5), entry("b", midnight, 7), entry("c", midnight, 11))
    await bench.ship_all()
    bench.journal.append(entry("d", midnight + 1, 100))
    await bench.ship_all()
    found = await spends(bench.db)
    assert [row for row in found if row[0] == "day"] == [
        ("day", first.isoformat(), 1, 5),
        ("day", second.isoformat(), 1, 118),
    ]
    assert sum(row[3] for row in found if row[0] == "month") == 123
    assert {row[1][-2:] for row in found if row[0] == "month"} == {"01"}


@at_the_bench
async def test_old_days_are_let_go_and_their_months_kept(bench: Bench) -> None:
    old = recent(70)
    bench.journal.append(entry("a", old, 5), entry("b", recent(0), 7))
    await bench.ship_all()
    found = await spends(bench.db)
    assert [row[3] for row in found if row[0] == "day"] == [7]
    assert sum(row[3] for row in found if row[0] == "month") == 12


@at_the_bench
async def test_a_snapshot_and_the_journal_above_it_come_to_all_that_was_charged(bench: Bench) -> None:
    now = recent(0)
    today = london_day(now)
    entries = [
        entry("a", now, 5),
        entry("b", recent(1), 7),
        entry("c", now + 1, 11),
        entry("d", now + 2, 13),
        entry("e", recent(1), 17),
    ]
    bench.journal.append(*entries[:3])
    await bench.ship_all()
    snapshot = await load_snapshot(bench.db, bench.journal.store.epoch)
    in_month = sum(
        -each.amount_micros for each in entries[:3] if month_of(london_day(each.at_ms)) == month_of(today)
    )
    assert snapshot.spends == [AccountSpend(1, today, 16, month_of(today), in_month)]
    engine = Engine()
    engine.set_account(AccountTerms(id=1, vat=VatMode.INC_VAT, floor_micros=0, is_suspended=False))
    above: dict[tuple[int, int], int] = {}
    for each in entries[3:]:
        key = (1, london_day(each.at_ms))
        above[key] = above.get(key, 0) - each.amount_micros
    load_spends(engine, snapshot, above)
    engine.period.take(now + 3)
    totals = engine.totals(1)
    assert totals.day_micros == 5 + 11 + 13
    expected = sum(
        -each.amount_micros for each in entries if month_of(london_day(each.at_ms)) == month_of(today)
    )
    assert totals.month_micros == expected
    engine.period.take(now + 26 * 3_600_000)
    assert engine.totals(1).day_micros == 0


@in_database
async def test_nobody_writes_the_sums_by_hand(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    with pytest.raises(asyncpg.RestrictViolationError):
        await db.execute("INSERT INTO account_spends VALUES ('day', '2026-01-01', 1, 5)")


@at_the_bench
async def test_alarms_arrive_once_and_are_listed_by_account(bench: Bench) -> None:
    at_ms = recent(0)
    raised = Alarm("id1", 1, "new_high_cost", at_ms, "many calls", at_ms + 1000)
    bench.journal.append(raised, Alarm("id2", 1, "cleared", at_ms + 5, "lifted", None))
    bench.journal.append(raised)
    await bench.ship_all()
    assert await bench.reasons() == []
    found = await list_alarms(bench.db, 10)
    assert found == [
        AlarmView("id2", 1, "Shop", "cleared", at_ms + 5, "lifted", None),
        AlarmView("id1", 1, "Shop", "new_high_cost", at_ms, "many calls", at_ms + 1000),
    ]
    assert await list_alarms(bench.db, 1, "shop") == found[:1]
    assert await list_alarms(bench.db, 10, "nobody") == []
    with pytest.raises(InvalidValue):
        await list_alarms(bench.db, 0)


@at_the_bench
async def test_the_migration_counts_what_was_charged_before_it_as_the_shipments_after_it(
    bench: Bench,
) -> None:
    bench.journal.append(entry("a", recent(0), 5), entry("b", recent(0) - 1, 7), entry("c", recent(2), 11))
    await bench.ship_all()
    text = (Path(schema.__file__).parent / "0012_safety.sql").read_text()
    select = text.partition("INSERT INTO account_spends (kind, since, account_id, micros)\n")[2].partition(
        ";"
    )[0]
    rows = sorted((row[0], row[1].isoformat(), row[2], row[3]) for row in await bench.db.fetch(select))
    assert rows == await spends(bench.db)
