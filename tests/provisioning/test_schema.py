"""What the database itself guarantees, whoever writes to it."""

import asyncio
import random
from pathlib import Path

import asyncpg
import psycopg
import pytest
from yoyo.backends.base import DatabaseBackend

from provisioning import service
from provisioning.schema import migrate as migrating
from provisioning.schema.migrate import SchemaTooNewError, known_migrations, migrate
from tests.postgres import PostgresServer
from tests.provisioning.databases import add_prepaid, in_database

pytestmark = pytest.mark.wire

UNSUMMED = """
    SELECT count(*) FROM account_balances b
    WHERE balance_micros <> (SELECT coalesce(sum(amount_micros), 0) FROM ledger l WHERE l.account_id = b.account_id)
"""
USAGE = (
    "INSERT INTO ledger (account_id, kind, amount_micros, call_id, leg)"
    " SELECT $1, 'usage', -n, $2 || n, 0 FROM generate_series(1, $3) n"
)


# Migrations


def test_every_migration_is_applied_once_and_a_second_run_changes_nothing(postgres: PostgresServer) -> None:
    dsn = postgres.new_database(template="template0")
    assert migrate(dsn) == known_migrations()
    assert migrate(dsn) == []


def test_migrating_leaves_no_error_in_the_servers_log(postgres: PostgresServer) -> None:
    """An operator who looks for errors must find only errors."""
    dsn = postgres.new_database(template="template0")
    log = postgres.directory / "log"
    before = len(log.read_bytes())
    assert migrate(dsn) == known_migrations()
    assert migrate(dsn) == []
    assert log.read_bytes()[before:] == b""


def test_migrations_go_on_where_a_killed_process_stopped(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = postgres.new_database(template="template0")
    third = known_migrations()[2]

    class KilledError(Exception):
        pass

    mark_one = DatabaseBackend.mark_one

    def die_at_third(backend: DatabaseBackend, migration: object, log: bool = True) -> None:
        mark_one(backend, migration, log)
        if getattr(migration, "id", "") == third:
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(DatabaseBackend, "mark_one", die_at_third)
        with pytest.raises(KilledError):
            migrate(dsn)
    with psycopg.connect(dsn) as connection:  # the lock row that a killed process leaves behind
        connection.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)")
    assert migrate(dsn) == known_migrations()[2:]


def test_two_processes_that_migrate_at_once_do_not_disturb_each_other(postgres: PostgresServer) -> None:
    dsn = postgres.new_database(template="template0")

    async def both() -> list[list[str]]:
        return await asyncio.gather(*[asyncio.to_thread(migrate, dsn) for _ in range(2)])

    assert sorted(asyncio.run(both())) == [[], known_migrations()]


def test_a_database_of_a_newer_release_is_left_alone(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO _yoyo_migration (migration_hash, migration_id) VALUES ('x', '9999_later')"
        )
    with pytest.raises(SchemaTooNewError, match="newer release"):
        migrate(dsn)


def test_migration_files_are_numbered_without_a_gap_and_plain_ascii() -> None:
    names = known_migrations()
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    for name in names:
        (Path(migrating.SCHEMA_DIR) / f"{name}.sql").read_text(encoding="ascii")


# Money


@in_database
async def test_the_sum_of_the_ledger_is_the_balance_after_any_mix_of_movements(db: asyncpg.Pool) -> None:
    for name in "ABCD":
        await add_prepaid(db, name, credit_micros=1_000_000)
    dice = random.Random(7)

    async def worker(number: int) -> None:
        for turn in range(15):
            if dice.random() < 0.5:
                await service.top_up(db, dice.choice("ABCD"), dice.randrange(1, 10_000))
            else:
                await db.execute(USAGE, dice.randrange(1, 5), f"{number}-{turn}-", dice.randrange(1, 40))

    await asyncio.gather(*[worker(number) for number in range(8)])
    assert await db.fetchval(UNSUMMED) == 0
    dense = await db.fetch(
        "SELECT l.account_id FROM ledger l JOIN account_balances b USING (account_id) WHERE kind <> 'usage'"
        " GROUP BY l.account_id, b.credit_seq"
        " HAVING max(l.credit_seq) <> count(*) OR min(l.credit_seq) <> 1 OR b.credit_seq <> count(*)"
    )
    assert dense == []


@in_database
async def test_a_statement_that_fails_moves_no_money(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    async with db.acquire() as connection:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await connection.execute(
                "INSERT INTO ledger (account_id, kind, amount_micros, call_id, leg)"
                " VALUES (1, 'usage', -5, 'a', 0), (77, 'usage', -5, 'b', 0)"
            )
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(USAGE, 1, "x", 3)
        await transaction.rollback()
    assert await db.fetchval("SELECT balance_micros FROM account_balances") == 10_000_000
    assert await db.fetchval(UNSUMMED) == 0


@pytest.mark.parametrize("credit_seq", [1, 3, 0, -1, 9])
def test_only_the_next_credit_seq_is_accepted(dsn: str, credit_seq: int) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await db.execute(
                "INSERT INTO ledger (account_id, kind, amount_micros, credit_seq) VALUES (1, 'adjustment', 5, $1)",
                credit_seq,
            )
        await db.execute(
            "INSERT INTO ledger (account_id, kind, amount_micros, credit_seq)"
            " VALUES (1, 'adjustment', -5, 2), (1, 'top_up', 7, 3)"
        )
        assert await db.fetchrow("SELECT balance_micros, credit_seq FROM account_balances") == (10_000_002, 3)

    body(dsn)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET amount_micros = 1",
        "UPDATE ledger SET memo = 'x' WHERE false",
        "DELETE FROM ledger",
        "TRUNCATE ledger",
        "UPDATE account_balances SET balance_micros = 0",
        "INSERT INTO account_balances (account_id) VALUES (5)",
        "DELETE FROM account_balances",
        "TRUNCATE account_balances",
        "DELETE FROM accounts",
        "TRUNCATE accounts CASCADE",
        "TRUNCATE lines CASCADE",
        "TRUNCATE numbers",
        "UPDATE cdrs SET reason = 'x'",
        "UPDATE conf_versions SET content = ''",
        "DELETE FROM conf_versions",
        "UPDATE lines SET user_part = 'mallory'",
        "UPDATE numbers SET e164 = '+441632960009'",
    ],
)
def test_what_is_written_stays_written(dsn: str, statement: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        await service.add_line(db, "alice", account_name="Shop", realm="example.com")
        await service.assign_number(db, "01632 960001", "alice")
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await db.execute(statement)
        assert await db.fetchval("SELECT balance_micros FROM account_balances") == 10_000_000

    body(dsn)


@pytest.mark.parametrize(
    "values",
    [
        "(1, 'usage', 5, 'c', 0, NULL)",
        "(1, 'usage', -5, NULL, NULL, NULL)",
        "(1, 'usage', -5, 'c', 0, 2)",
        "(1, 'top_up', -5, NULL, NULL, 2)",
        "(1, 'top_up', 0, NULL, NULL, 2)",
        "(1, 'top_up', 5, 'c', 0, 2)",
        "(1, 'gift', 5, NULL, NULL, 2)",
        "(1, 'adjustment', 5, NULL, NULL, NULL)",
    ],
)
def test_a_ledger_row_that_contradicts_itself_is_refused(dsn: str, values: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await db.execute(
                f"INSERT INTO ledger (account_id, kind, amount_micros, call_id, leg, credit_seq) VALUES {values}"
            )

    body(dsn)


# Changes


def test_changes_become_visible_in_the_order_of_their_numbers(dsn: str) -> None:
    """A reader that never looks back sees every change, whatever the writers' timing."""
    seen: list[int] = []

    async def reader(connection: asyncpg.Connection, writing: asyncio.Event) -> None:
        position = 0
        is_last = False
        while not is_last:
            is_last = not writing.is_set()
            rows = await connection.fetch("SELECT seq FROM changes WHERE seq > $1 ORDER BY seq", position)
            seen.extend(row["seq"] for row in rows)
            position = seen[-1] if seen else position

    async def writer(db: asyncpg.Pool, number: int) -> None:
        for turn in range(25):
            async with db.acquire() as connection, connection.transaction():
                await connection.execute(
                    "INSERT INTO accounts (name, kind, vat, tariff, credit_limit_micros)"
                    " VALUES ($1, 'prepaid', 'inc_vat', 'retail', 0)",
                    f"{number} {turn}",
                )
                await connection.execute("SELECT pg_sleep($1)", random.Random(turn).random() / 500)

    async def run() -> None:
        async with asyncpg.create_pool(dsn, min_size=7, max_size=7) as db:
            writing = asyncio.Event()
            writing.set()
            async with db.acquire() as connection:
                reading = asyncio.create_task(reader(connection, writing))
                await asyncio.gather(*[writer(db, number) for number in range(6)])
                writing.clear()
                await reading
            assert await db.fetchval("SELECT array_agg(seq ORDER BY seq) FROM changes") == seen
            assert len(seen) == 6 * 25

    asyncio.run(run())


@in_database
async def test_each_entity_has_one_row_in_the_change_table_however_often_it_changes(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    await service.add_line(db, "alice", account_name="Shop", realm="example.com")
    for turn in range(1, 5):
        await service.top_up(db, "Shop", turn)
        await service.set_line(db, "alice", calls_max=turn)
    await service.remove_line(db, "alice")
    rows = await db.fetch("SELECT entity, key FROM changes ORDER BY entity")
    assert [tuple(row) for row in rows] == [("account", "1"), ("credit", "1"), ("line", "alice")]


@in_database
async def test_usage_is_no_change_and_takes_no_writers_lock(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    before = await db.fetchval("SELECT max(seq) FROM changes")
    async with db.acquire() as one, db.acquire() as other, one.transaction():
        await one.execute("UPDATE accounts SET calls_max = 1")  # holds the lock until its commit
        await asyncio.wait_for(other.execute(USAGE, 1, "x", 10), 5)
    assert await db.fetchval("SELECT min(seq) FROM changes WHERE entity = 'account'") > before
    assert await db.fetchval("SELECT count(*) FROM changes WHERE entity = 'credit'") == 1
