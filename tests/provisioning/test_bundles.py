"""Grants in PostgreSQL, what the journal says they were used for, and what a switch begins with."""

import asyncio
import datetime
import random
from typing import Any

import asyncpg
import pytest

from provisioning import service
from provisioning.books.changes import Position, read_changes
from provisioning.books.snapshot import load_snapshot, read_checkpoint, write_checkpoint
from provisioning.bundles import (
    BUNDLES_PER_ACCOUNT_MAX,
    Grant,
    bundle_month,
    end_bundle,
    end_named_bundle,
    grant,
    grant_bundle,
    list_bundles,
    show_bundle,
)
from provisioning.model import BundleChanged
from provisioning.problems import InvalidValue, Refused
from rating.bundle_terms import BundleTerms
from rating.engine import AccountTerms, Engine
from rating.london_day import day_start_ms
from rating.money import VatMode
from rating.records import BundleUse
from switch.bundles import load_bundles
from tests.provisioning.books.test_shipper import Bench, at_the_bench
from tests.provisioning.databases import add_prepaid, in_database

pytestmark = pytest.mark.wire

DATE = datetime.date
TODAY = datetime.datetime.now(datetime.UTC).date()
DAY = datetime.timedelta(days=1)


def wanted(**facts: Any) -> Grant:
    given: dict[str, Any] = {"name": "UK 300", "first": TODAY - DAY, "seconds": 18_000, "groups": ("UK",)}
    return Grant(**{**given, **facts})


def use(
    bundle_id: int, call_id: str, seconds: int, carried_s: int = 0, number: str = "", leg: int = 0
) -> BundleUse:
    at_ms = int(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
    return BundleUse(bundle_id, 1, call_id, leg, seconds, carried_s, number, at_ms)


async def granted(db: asyncpg.Pool, **facts: Any) -> int:
    async with db.acquire() as connection, connection.transaction():
        return (await grant(connection, 1, wanted(**facts))).bundle_id


@in_database
async def test_a_grant_is_as_it_was_asked_for(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    view = await grant_bundle(
        db,
        "shop",
        wanted(
            first=DATE(2026, 3, 28), end=DATE(2026, 4, 28), carry_until=DATE(2026, 5, 28), carry_max_s=600,
            prefixes=("+441",), except_prefixes=("+441534",), increment_s=60, connect_fee_micros=10_000, priority=3,
            is_fair_use=True, destinations_max=300, memo="with the line",
        ),
    )  # fmt: skip
    assert view.terms == BundleTerms(
        id=1, account_id=1, revision=1, name="UK 300", granted_s=18_000, groups=("UK",), prefixes=("+441",),
        except_prefixes=("+441534",), valid_from_ms=day_start_ms(DATE(2026, 3, 28).toordinal()),
        expires_at_ms=day_start_ms(DATE(2026, 4, 28).toordinal()),
        carry_until_ms=day_start_ms(DATE(2026, 5, 28).toordinal()), carry_max_s=600, increment_s=60,
        connect_fee_micros=10_000, priority=3, is_fair_use=True, destinations_max=300, percent=0,
    )  # fmt: skip
    assert (
        view.terms.expires_at_ms - view.terms.valid_from_ms == 31 * 86_400_000 - 3_600_000
    )  # clocks go forward
    assert (view.account, view.used_s, view.left_s, view.memo) == ("Shop", 0, 18_000, "with the line")


@in_database
async def test_the_same_key_grants_once_and_another_bundle_under_it_is_refused(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    async with db.acquire() as connection:
        first = await grant(connection, 1, wanted(), key="sub/7/2026-11")
        again = await grant(connection, 1, wanted(), key="sub/7/2026-11")
        assert (again.bundle_id, first.is_repeat, again.is_repeat) == (first.bundle_id, False, True)
        for other in (wanted(seconds=1), wanted(groups=("Mars",)), wanted(end=TODAY + DAY)):
            with pytest.raises(Refused):
                await grant(connection, 1, other, key="sub/7/2026-11")
    assert len(await list_bundles(db)) == 1


@in_database
async def test_the_bundles_of_an_account_that_is_not_there_are_not_none(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    assert await list_bundles(db, "shop") == []
    with pytest.raises(Refused, match="there is no account 'Shpo'"):
        await list_bundles(db, "Shpo")


@in_database
async def test_many_at_once_with_one_key_grant_once(db: asyncpg.Pool) -> None:
    await add_prepaid(db)

    async def one() -> bool:
        async with db.acquire() as connection, connection.transaction():
            return (await grant(connection, 1, wanted(), key="k")).is_repeat

    assert sorted(await asyncio.gather(*(one() for _ in range(8)))) == [False] + [True] * 7


@pytest.mark.parametrize(
    "facts",
    [
        {"name": ""}, {"name": "x" * 65}, {"name": "a\nb"}, {"seconds": 0}, {"percent": 10}, {"seconds": -60},
        {"seconds": 0, "percent": 101}, {"groups": ()}, {"groups": ("",)}, {"prefixes": ("0163",)},
        {"prefixes": ("+44x",)}, {"except_prefixes": ("99999999",)}, {"end": TODAY - DAY}, {"increment_s": 0},
        {"carry_max_s": 60}, {"carry_until": TODAY + DAY}, {"carry_max_s": 5, "carry_until": TODAY + DAY},
        {"carry_max_s": 5, "end": TODAY + DAY, "carry_until": TODAY + DAY}, {"connect_fee_micros": -1},
        {"priority": -1}, {"destinations_max": -1}, {"memo": "x" * 251},
        {"seconds": 0, "percent": 5, "end": TODAY, "carry_max_s": 5, "carry_until": TODAY + DAY},
    ],
)  # fmt: skip
def test_what_cannot_be_granted(dsn: str, facts: dict[str, Any]) -> None:
    async def run() -> None:
        async with service.connect(dsn) as db:
            await add_prepaid(db)
            with pytest.raises(InvalidValue):
                await grant_bundle(db, "Shop", wanted(**facts))
            assert await list_bundles(db, with_old=True) == []

    asyncio.run(run())


@in_database
async def test_an_account_has_no_more_bundles_than_a_call_can_look_at(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    for number in range(BUNDLES_PER_ACCOUNT_MAX):
        await granted(db, name=f"b{number}")
    with pytest.raises(Refused):
        await granted(db)
    async with db.acquire() as connection:
        assert await end_bundle(connection, 1)
        assert not await end_bundle(connection, 1)
    await granted(db)
    with pytest.raises(Refused):
        async with db.acquire() as connection:
            await grant(connection, 99, wanted())
    with pytest.raises(Refused):
        async with db.acquire() as connection:
            await end_bundle(connection, 999)


@in_database
async def test_a_bundle_that_is_bought_is_paid_for_once_or_not_at_all(db: asyncpg.Pool) -> None:
    await add_prepaid(db, credit_micros=5_000_000)
    for _ in range(2):
        await grant_bundle(db, "Shop", wanted(), key="order 1", price_micros=3_000_000)
    details = await service.show_account(db, "Shop")
    assert details.view.balance_micros == 2_000_000
    assert [row.kind for row in details.movements] == ["bundle", "top_up"]
    with pytest.raises(Refused):
        await grant_bundle(db, "Shop", wanted(), price_micros=3_000_000)
    assert len(await list_bundles(db)) == 1


@pytest.mark.parametrize(
    ("day", "today", "expected"),
    [
        (1, DATE(2026, 11, 22), (DATE(2026, 11, 1), DATE(2026, 12, 1))),
        (22, DATE(2026, 11, 22), (DATE(2026, 11, 22), DATE(2026, 12, 22))),
        (23, DATE(2026, 11, 22), (DATE(2026, 10, 23), DATE(2026, 11, 23))),
        (31, DATE(2026, 2, 27), (DATE(2026, 1, 31), DATE(2026, 2, 28))),
        (31, DATE(2026, 2, 28), (DATE(2026, 2, 28), DATE(2026, 3, 31))),
        (30, DATE(2028, 2, 29), (DATE(2028, 2, 29), DATE(2028, 3, 30))),
        (5, DATE(2026, 12, 31), (DATE(2026, 12, 5), DATE(2027, 1, 5))),
        (5, DATE(2026, 1, 1), (DATE(2025, 12, 5), DATE(2026, 1, 5))),
    ],
)
def test_months_begin_on_their_renewal_day_and_have_no_gap(
    day: int, today: datetime.date, expected: tuple[datetime.date, datetime.date]
) -> None:
    assert bundle_month(day, today) == expected
    assert bundle_month(day, expected[1])[0] == expected[1]


@in_database
async def test_grants_and_ends_are_told_as_changes_and_nothing_else_is(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    async with db.acquire() as connection:
        position = Position.of_snapshot(await load_snapshot(connection, ""))
        bundle_id = await granted(db)
        told = await read_changes(connection, position)
        assert told is not None
        (change,) = told.changes
        assert isinstance(change, BundleChanged)
        assert (change.bundle.id, change.bundle.revision, change.bundle.expires_at_ms) == (bundle_id, 1, None)
        position.advance(told)
        ended = await end_named_bundle(db, bundle_id)
        assert ended.state == "ended"
        told = await read_changes(connection, position)
        assert told is not None
        (change,) = told.changes
        assert isinstance(change, BundleChanged)
        assert change.bundle.revision == 2
        assert change.bundle.expires_at_ms == ended.ended_at_ms
    with pytest.raises(Refused):
        await end_named_bundle(db, bundle_id)


@at_the_bench
async def test_uses_arrive_once_and_granted_is_used_and_left(bench: Bench) -> None:
    one, other = await granted(bench.pool), await granted(bench.pool, destinations_max=3)
    repeated = use(one, "c1", 60)
    bench.journal.append(repeated, use(other, "c1", 20, 5, "+441632960001"), use(one, "c2", 5, leg=1))
    await bench.ship_all()
    bench.journal.append(use(other, "c3", 10, 10, "+441632960001"), use(other, "c4", 1, 0, "+441632960002"))
    bench.journal.append(repeated)
    await bench.ship_all()
    await bench.db.execute("DELETE FROM journal_marks")
    bench.shipper.find_mark_again()
    await bench.ship_all()
    assert await bench.reasons() == []
    second, first = await list_bundles(bench.pool)
    assert (first.used_s, first.left_s) == (65, 17_935)
    assert (second.used_s, second.carried_s, second.destinations) == (31, 15, 2)
    view, uses = await show_bundle(bench.pool, one)
    assert view == first
    assert sorted((each.call_id, each.leg, each.seconds) for each in uses) == [("c1", 0, 60), ("c2", 1, 5)]
    sums = await bench.db.fetch(
        "SELECT bundle_id, sum(seconds)::int AS s FROM bundle_uses GROUP BY 1 ORDER BY 1"
    )
    assert [(row["bundle_id"], row["s"]) for row in sums] == [(one, 65), (other, 31)]


@at_the_bench
async def test_a_use_of_no_bundle_is_set_aside_and_stops_no_other(bench: Bench) -> None:
    one = await granted(bench.pool)
    bench.journal.append(use(one, "c1", 60), use(4711, "c2", 60), use(one, "c3", 0), use(one, "c4", 7))
    await bench.ship_all()
    assert len(await bench.reasons()) == 2
    assert (await list_bundles(bench.pool))[0].used_s == 67


@at_the_bench
async def test_snapshot_checkpoint_and_the_journal_above_come_to_all_that_was_used(bench: Bench) -> None:
    chance = random.Random(7)
    ids = [
        await granted(bench.pool),
        await granted(
            bench.pool, end=TODAY, carry_until=TODAY + 30 * DAY, carry_max_s=600, first=TODAY - 30 * DAY
        ),
        await granted(bench.pool, destinations_max=5, is_fair_use=True),
    ]
    over = await granted(bench.pool, first=TODAY - 60 * DAY, end=TODAY - 30 * DAY)
    uses = []
    for number in range(60):
        bundle_id = chance.choice(ids)
        carried_s = 1 if bundle_id == ids[1] else 0
        called = f"+44163296000{number % 4}" if bundle_id == ids[2] else ""
        uses.append(use(bundle_id, f"c{number}", chance.randrange(1, 100), carried_s, called))
    bench.journal.append(*uses[:35])
    await bench.ship_all()
    path = bench.journal.path.with_name("checkpoint")
    write_checkpoint(path, await load_snapshot(bench.db, bench.journal.store.epoch))
    snapshot = read_checkpoint(path)
    assert snapshot is not None
    assert [balance.terms.id for balance in snapshot.bundles] == ids
    assert over not in ids
    engine = Engine()
    engine.set_account(AccountTerms(id=1, vat=VatMode.INC_VAT, floor_micros=0, is_suspended=False))
    above: dict[tuple[int, str], tuple[int, int]] = {}
    for each in uses[35:]:
        seconds, carried_s = above.get((each.bundle_id, each.number), (0, 0))
        above[each.bundle_id, each.number] = seconds + each.seconds, carried_s + each.carried_s
    load_bundles(engine, snapshot, {}, above)
    for totals in engine.bundles.of_account(1, snapshot.taken_at_ms):
        mine = [each for each in uses if each.bundle_id == totals.terms.id]
        assert totals.used_s == sum(each.seconds for each in mine)
        assert totals.destinations == len({each.number for each in mine if each.number})


@in_database
async def test_nobody_writes_the_sums_by_hand_and_uses_are_facts(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    bundle_id = await granted(db)
    row = "INSERT INTO bundle_uses VALUES ($1, 1, 'c1', 0, 60, 0, '', now())"
    await db.execute(row, bundle_id)
    for statement in (
        "UPDATE bundle_balances SET used_s = 0",
        "INSERT INTO bundle_destinations VALUES (1, '+441632960001')",
        "UPDATE bundle_uses SET seconds = 1",
        "DELETE FROM bundle_uses",
        "DELETE FROM bundles",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await db.execute(statement)
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.execute(row, bundle_id)
    with pytest.raises(asyncpg.RestrictViolationError):
        await db.execute("UPDATE bundles SET account_id = account_id + 1")
