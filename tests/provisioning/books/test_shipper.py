"""Exactly once, whatever is in the records and whenever the connection breaks."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import msgspec
import pytest

from provisioning import service
from provisioning.books.messages import Shipped
from provisioning.books.outbox import Outbox
from provisioning.books.shipper import MarkMovedError, Shipper
from provisioning.cdr_row import CDR_COLUMNS, cdr_from_row
from provisioning.service import CdrQuery
from rating.records import Cdr, OutboxRecord
from tests.provisioning.databases import add_prepaid
from tests.provisioning.records import AT_MS, Journal, cdr, conf, emergency, usage

pytestmark = pytest.mark.wire

OPENING = 10_000_000
COST = 12_400


class Bench:
    """A journal, a database with one account, and a shipper between them."""

    def __init__(self, journal: Journal, db: asyncpg.Connection, pool: asyncpg.Pool) -> None:
        self.journal = journal
        self.db = db
        self.pool = pool
        self.outbox = Outbox(journal.path)
        self.shipper = Shipper(db, self.outbox)

    async def ship_all(self) -> list[Shipped]:
        shipped = []
        while (one := await self.shipper.ship_next()) is not None:
            shipped.append(one)
        return shipped

    async def keys(self, table: str) -> list[tuple[str, int]]:
        rows = await self.db.fetch(
            f"SELECT call_id, leg FROM {table} WHERE call_id IS NOT NULL ORDER BY 1, 2"
        )
        return [(row["call_id"], row["leg"]) for row in rows]

    async def reasons(self) -> list[str]:
        return [row["reason"] for row in await self.db.fetch("SELECT reason FROM quarantine ORDER BY id")]

    async def balance(self) -> int:
        balance: int = await self.db.fetchval(
            "SELECT balance_micros FROM account_balances WHERE account_id = 1"
        )
        total = await self.db.fetchval("SELECT sum(amount_micros)::bigint FROM ledger WHERE account_id = 1")
        assert balance == total
        return balance


def at_the_bench(body: Callable[[Bench], Awaitable[None]]) -> Callable[[str, Path], None]:
    def test(dsn: str, tmp_path: Path) -> None:
        async def run() -> None:
            journal = Journal(tmp_path / "journal")
            connection = await asyncpg.connect(dsn)
            try:
                async with service.connect(dsn) as pool:
                    await add_prepaid(pool, credit_micros=OPENING)
                    bench = Bench(journal, connection, pool)
                    await body(bench)
                    bench.outbox.close()
            finally:
                await connection.close()
                journal.close()

        asyncio.run(run())

    test.__name__, test.__doc__, test.__module__ = body.__name__, body.__doc__, body.__module__
    return test


@at_the_bench
async def test_every_record_arrives_as_it_was_written(bench: Bench) -> None:
    records = [cdr("c1"), cdr("c1", 1, ringing_at_ms=None, account_id=None, balance_after_micros=None)]
    bench.journal.append(*records, usage("c1"), emergency("e1"), conf("v1", "prefix,..."))
    assert await bench.ship_all() == [Shipped(bench.journal.store.epoch, 1, 5, 0, 0)]
    rows = await bench.db.fetch("SELECT * FROM cdrs ORDER BY leg")
    assert [cdr_from_row(row) for row in rows] == records
    assert list(rows[0].keys()) == CDR_COLUMNS
    assert await bench.balance() == OPENING - COST
    assert await bench.db.fetchval("SELECT dialled FROM emergency_calls WHERE call_id = 'e1'") == "999"
    assert (
        await bench.db.fetchval("SELECT content FROM conf_versions JOIN conf_loads USING (version)")
        == "prefix,..."
    )
    assert await bench.reasons() == []


@at_the_bench
async def test_what_is_shipped_is_not_shipped_again_by_the_next_connection(bench: Bench) -> None:
    for number in range(5):
        bench.journal.append(cdr(f"c{number}"), usage(f"c{number}"))
        await bench.ship_all()
    bench.shipper = Shipper(bench.db, bench.outbox)
    assert await bench.ship_all() == []
    bench.journal.append(cdr("c9"), usage("c9"))
    assert [shipped.batch for shipped in await bench.ship_all()] == [6]
    assert await bench.balance() == OPENING - 6 * COST


@at_the_bench
async def test_a_lost_mark_is_healed_by_the_keys(bench: Bench) -> None:
    """The mark is the first defence, the keys are the second: a whole journal once more moves nothing."""
    for number in range(30):
        bench.journal.append(cdr(f"c{number}"), usage(f"c{number}"), emergency(f"e{number}"), conf("v1", "x"))
    await bench.ship_all()
    await bench.db.execute("DELETE FROM journal_marks")
    bench.shipper = Shipper(bench.db, bench.outbox)
    bench.journal.append(cdr("new"), usage("new"))
    (shipped,) = await bench.ship_all()
    assert (shipped.batch, shipped.quarantined) == (31, 0)
    assert shipped.repeated >= 90
    assert await bench.balance() == OPENING - 31 * COST
    assert len(await bench.keys("cdrs")) == 31


@at_the_bench
async def test_the_same_key_with_other_content_is_quarantined_and_alarmed(bench: Bench) -> None:
    bench.journal.append(cdr("c1"), usage("c1"), emergency("e1"), conf("v1", "x"))
    await bench.ship_all()
    others: list[OutboxRecord] = [
        cdr("c1", line="mallory"),
        usage("c1", amount_micros=-1),
        msgspec.structs.replace(emergency("e1"), line="mallory"),
        conf("v1", "other"),
    ]
    bench.journal.append(*others, cdr("c2"), usage("c2"))
    (shipped,) = await bench.ship_all()
    assert shipped.quarantined == 4
    rows = await bench.db.fetch("SELECT raw, reason, batch FROM quarantine")
    assert {row["raw"] for row in rows} == {msgspec.msgpack.encode(record) for record in others}
    assert all("same key and other content" in row["reason"] and row["batch"] == 2 for row in rows)
    assert await bench.balance() == OPENING - 2 * COST
    assert await bench.keys("cdrs") == [("c1", 0), ("c2", 0)]


@at_the_bench
async def test_one_key_twice_in_one_chunk_counts_once(bench: Bench) -> None:
    bench.journal.append(cdr("c1"), cdr("c1"), cdr("c1", line="mallory"), usage("c1"), usage("c1"))
    (shipped,) = await bench.ship_all()
    assert (shipped.repeated, shipped.quarantined) == (2, 1)
    assert await bench.balance() == OPENING - COST


BAD: list[tuple[str, object]] = [
    ("int16", cdr("bad", sip_status=70_000)),
    ("int16", cdr("bad", 70_000)),
    ("int64", cdr("bad", duration_ms=1 << 63)),
    ("int32", cdr("bad", account_id=1 << 31)),
    ("index row", cdr("bad", destination=bytes(random.Random(1).choices(range(33, 126), k=9_000)).decode())),
    ("unknown account", usage("bad", account_id=999)),
    ("check constraint", usage("bad", amount_micros=5)),
    ("check constraint", usage("bad", amount_micros=-(1 << 62))),
    ("not a record", cdr("bad", ended_at_ms=1 << 60)),
    ("not a record", ["cdr", 1, 2]),
]


@pytest.mark.parametrize(
    ("words", "record"), BAD, ids=[f"{number}_{words}" for number, (words, _) in enumerate(BAD)]
)
def test_a_bad_record_is_set_aside_with_its_bytes_and_blocks_no_other(
    dsn: str, tmp_path: Path, words: str, record: object
) -> None:
    @at_the_bench
    async def body(bench: Bench) -> None:
        raws = [msgspec.msgpack.encode(one) for n in range(20) for one in (cdr(f"c{n}"), usage(f"c{n}"))]
        bad = msgspec.msgpack.encode(record)
        bench.journal.append_raw(*raws[:17], bad, *raws[17:])
        (shipped,) = await bench.ship_all()
        assert (shipped.records, shipped.quarantined) == (41, 1)
        (row,) = await bench.db.fetch("SELECT reason, raw, batch, epoch FROM quarantine")
        assert words in row["reason"]
        assert (row["raw"], row["batch"], row["epoch"]) == (bad, 1, bench.journal.store.epoch)
        assert len(await bench.keys("cdrs")) == len(await bench.keys("ledger")) == 20
        assert await bench.balance() == OPENING - 20 * COST

    body(dsn, tmp_path)


@at_the_bench
async def test_many_bad_records_among_thousands_are_all_found(bench: Bench) -> None:
    dice = random.Random(3)
    bad = set(dice.sample(range(3_000), 40))
    for start in range(0, 3_000, 50):
        bench.journal.append(
            *[cdr(f"c{n:04}", sip_status=99_999 if n in bad else 200) for n in range(start, start + 50)]
        )
    shipped = await bench.ship_all()
    assert sum(one.quarantined for one in shipped) == 40
    assert {int(call_id[1:]) for call_id, _ in await bench.keys("cdrs")} == set(range(3_000)) - bad


@at_the_bench
async def test_a_nul_in_a_peers_text_is_stored_visibly(bench: Bench) -> None:
    bench.journal.append(cdr("c1", user_agent="evil\0phone"), cdr("c2"), usage("c2"))
    (shipped,) = await bench.ship_all()
    assert shipped.quarantined == 0
    assert await bench.db.fetchval("SELECT user_agent FROM cdrs WHERE call_id = 'c1'") == "evil\\x00phone"
    assert len(await bench.keys("cdrs")) == 2


@at_the_bench
async def test_a_version_that_is_loaded_again_is_kept_once_and_each_load_is_noted(bench: Bench) -> None:
    bench.journal.append(conf("v1", "one"), conf("v2", "two", valid_from_ms=2_000_000_000_000))
    bench.journal.append(conf("v1", "one", valid_from_ms=2_100_000_000_000))
    await bench.ship_all()
    assert await bench.db.fetchval("SELECT count(*) FROM conf_versions") == 2
    loads = await bench.db.fetch("SELECT version FROM conf_loads ORDER BY valid_from")
    assert [row["version"] for row in loads] == ["v1", "v2", "v1"]
    assert await bench.reasons() == []


@at_the_bench
async def test_batches_that_are_gone_from_the_journal_are_told(bench: Bench) -> None:
    for number in range(4):
        bench.journal.append(cdr(f"c{number}"))
    bench.journal.store.forget(2)
    (shipped,) = await bench.ship_all()
    assert (shipped.batch, shipped.quarantined) == (4, 1)
    assert await bench.reasons() == ["batches 1 to 2 are no longer in the journal"]


@at_the_bench
async def test_a_second_shipper_of_the_same_journal_finds_that_the_mark_has_moved(bench: Bench) -> None:
    bench.journal.append(cdr("c1"), usage("c1"))
    await bench.ship_all()
    async with bench.pool.acquire() as other:
        second = Shipper(other, bench.outbox)
        bench.journal.append(cdr("c2"), usage("c2"))
        assert await second.ship_next() is not None
    with pytest.raises(MarkMovedError):
        bench.journal.append(cdr("c3"), usage("c3"))
        await bench.shipper.ship_next()
    bench.shipper.find_mark_again()
    await bench.ship_all()
    assert await bench.balance() == OPENING - 3 * COST


@at_the_bench
async def test_two_shippers_at_once_ship_everything_once(bench: Bench) -> None:
    for number in range(40):
        bench.journal.append(cdr(f"c{number}"), usage(f"c{number}"))

    async def ship(shipper: Shipper) -> None:
        while True:
            try:
                if await shipper.ship_next() is None:
                    return
            except MarkMovedError:
                shipper.find_mark_again()

    async with bench.pool.acquire() as one, bench.pool.acquire() as two:
        other = Outbox(bench.journal.path)
        await asyncio.gather(ship(Shipper(one, bench.outbox)), ship(Shipper(two, other)))
        other.close()
    assert await bench.balance() == OPENING - 40 * COST
    assert await bench.reasons() == []


@at_the_bench
async def test_a_long_backlog_goes_over_in_several_transactions(bench: Bench) -> None:
    for start in range(0, 6_000, 100):
        bench.journal.append(*[cdr(f"c{n:04}") for n in range(start, start + 100)])
    is_behind = []
    while await bench.shipper.ship_next() is not None:
        is_behind.append(bench.shipper.is_behind)
    assert len(is_behind) > 1
    assert is_behind[:-1] == [True] * (len(is_behind) - 1)
    assert len(await bench.keys("cdrs")) == 6_000


@at_the_bench
async def test_what_everybody_wrote_is_found_by_the_operator(bench: Bench) -> None:
    def at(call_id: str, second: int, leg: int = 0, **facts: object) -> Cdr:
        return cdr(call_id, leg, setup_at_ms=AT_MS + 1000 * second, **facts)

    await add_prepaid(bench.pool, "Other")
    bench.journal.append(
        at("c1", 1),
        at("c2", 2, destination="+447700900123", network_number="+441632960002"),
        at("c3", 3, account_id=2, payer_account_id=1),
        at("c4", 4, account_id=2, payer_account_id=2, destination="bob"),
        at("c5", 5, account_id=None, payer_account_id=None, trunk="carrier", destination="999"),
        at("c5", 5, 1, account_id=1, payer_account_id=None),
    )
    await bench.ship_all()

    async def found(**query: object) -> list[str]:
        views = await service.list_cdrs(bench.pool, CdrQuery(**query))  # type: ignore[arg-type]
        return [f"{view.cdr.call_id}/{view.cdr.leg}" for view in views]

    assert await found() == ["c5/0", "c5/1", "c4/0", "c3/0", "c2/0", "c1/0"]
    assert await found(limit=2) == ["c5/0", "c5/1"]
    assert await found(account="shop") == ["c5/1", "c3/0", "c2/0", "c1/0"]
    assert await found(account="OTHER") == ["c4/0", "c3/0"]
    assert await found(account="shop", limit=2) == ["c5/1", "c3/0"]
    assert await found(called="07700 900123") == ["c2/0"]
    assert await found(called="bob") == ["c4/0"]
    assert await found(called="999", cli="01632 960001") == ["c5/0"]
    assert await found(call_id="c5") == ["c5/0", "c5/1"]
    (view, *_) = await service.list_cdrs(bench.pool, CdrQuery(call_id="c3"))
    assert (view.account, view.payer) == ("Other", "Shop")
