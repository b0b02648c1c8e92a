"""Ten million records of calls in a PostgreSQL of its own, and the fault desk's questions: `python -m bench.search`.

Prints what each index of the search costs (its bytes, its making on existing rows, CPU for each inserted row), and of
each question the time, the blocks read and the plan. `--rows` makes it smaller. Ten million take some 12 GB below
TMPDIR and half an hour; all of it is gone afterwards. Exit code 1 where a plan reads the table from end to end.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pwd import getpwnam
from typing import Any, Final

import asyncpg

from care.search.question import CallKind, CallQuestion
from care.search.statement import call_statement
from care.search.understanding import understand
from offhook.postgres.binaries import make_usable_by
from offhook.postgres.system_user import server_user
from tests.postgres import PostgresServer

ROWS: Final = 10_000_000
QUICK_ROWS: Final = 500_000
LEGS_A_CALL: Final = 2.4
CALLS_A_CHUNK: Final = 200_000
DAYS: Final = 365
# The last record's day; what the questions call now is an hour after it.
END: Final = datetime(2026, 11, 22, tzinfo=UTC)
NOW: Final = END + timedelta(hours=1)
LINES: Final = 20_000
ACCOUNTS: Final = 5_000
# As the embedded server's (offhook/postgres/settings.py), but for what makes loading quick.
SETTINGS: Final = (
    "shared_buffers=64MB", "max_wal_size=8GB", "wal_level=minimal", "max_wal_senders=0", "synchronous_commit=off",
    "autovacuum=off",
)  # fmt: skip
WARM_RUNS: Final = 5
INSERTED: Final = 5_000
INSERT_ROUNDS: Final = 3
ADDED: Final = ("cdrs_line", "cdrs_sip_call_id", "cdrs_presentation_number", "cdrs_ddi", "call_media_bad")
SECONDS_AIM: Final = 0.3

# A call is its number i, and what is random about it comes of hashes of i. Numbers begin
# with +999, a country code that nobody has, so that there can be as many as in life.
LEGS: Final = f"""
WITH calls AS (
    SELECT i, md5(i::text) AS call_id,
        timestamptz '{END.isoformat()}' - interval '{DAYS} days' + interval '1 day' * floor(i * {DAYS}::float8 / $3)
            + interval '1 hour' * CASE
                WHEN f < 0.05 THEN f * 140 WHEN f < 0.92 THEN 7 + (f - 0.05) / 0.87 * 12 ELSE 19 + (f - 0.92) * 62 END
            AS setup_at,
        h(i, 1) % 100 AS way, h(i, 2) % 100 AS luck,
        (power((h(i, 3) % 100000) / 100000.0, 2) * {LINES})::int AS line,
        (power((h(i, 4) % 100000) / 100000.0, 2) * {LINES})::int AS other,
        h(i, 5) % 3000000 AS outside, h(i, 6) % 300 AS talked_s, h(i, 7) % 7 AS trunk, h(i, 8) % 100 AS again
    FROM (SELECT i, i * {DAYS}::float8 / $3 - floor(i * {DAYS}::float8 / $3) AS f
          FROM generate_series($1::bigint, $2::bigint) i) s
), legs AS (
    SELECT calls.*, leg
    FROM calls, generate_series(0, CASE WHEN again < 60 THEN 1 WHEN again < 90 THEN 2 ELSE 3 END) leg
)
INSERT INTO cdrs (
    call_id, leg, leg_reason, setup_at, ringing_at, answered_at, ended_at, network_number, presentation_number, privacy,
    dialled, destination, destination_name, ddi, account_id, line, trunk, payer_account_id, duration_ms, billed_s,
    connect_fee_micros, usage_micros, cost_micros, rate_prefix, per_minute_micros, tariff, tariff_version,
    balance_after_micros, sip_status, q850_cause, outcome, reason, ended_by, source_address, destination_address,
    sip_call_id, other_sip_call_id, user_agent, other_user_agent, post_dial_delay_ms, is_emergency, is_recovered,
    routing_version)
SELECT call_id, leg, CASE WHEN leg = 0 THEN 'the caller''s leg' ELSE 'trunk carrier' || trunk END, setup_at,
    setup_at + interval '1 s',
    CASE WHEN luck < 70 AND leg IN (0, 1) THEN setup_at + interval '6 s' END,
    setup_at + interval '6 s' + interval '1 s' * talked_s,
    CASE WHEN way < 75 THEN '+99916' || line ELSE '+99977' || outside END,
    CASE WHEN way < 75 THEN '+99916' || line - line % 50 ELSE '+99977' || outside END,
    CASE WHEN luck % 20 = 3 THEN 'id' ELSE '' END,
    '0' || outside,
    CASE WHEN way < 60 THEN '+99920' || outside WHEN way < 75 THEN 'user' || other ELSE '+99916' || other END,
    'London', CASE WHEN way < 75 THEN '' ELSE '+99916' || other END,
    CASE WHEN way < 75 AND leg = 0 THEN line % {ACCOUNTS} + 1
        WHEN way >= 60 AND leg > 0 THEN other % {ACCOUNTS} + 1 END,
    CASE WHEN way < 75 AND leg = 0 THEN 'user' || line WHEN way >= 60 AND leg > 0 THEN 'user' || other ELSE '' END,
    CASE WHEN way < 60 AND leg > 0 OR way >= 75 AND leg = 0 THEN 'carrier' || (trunk + leg) % 7 ELSE '' END,
    CASE WHEN way < 75 AND leg = 0 THEN line % {ACCOUNTS} + 1 END,
    CASE WHEN luck < 70 THEN talked_s * 1000 ELSE 0 END, 60, 0, 12000, CASE WHEN leg = 0 THEN 12000 ELSE 0 END, '+4420',
    12000, 'retail', '0011223344556677', 9987600,
    CASE WHEN luck < 70 THEN 200 WHEN luck < 80 THEN 486 WHEN luck < 95 THEN 487 WHEN luck < 99 THEN 503 ELSE 404 END,
    CASE WHEN luck < 70 THEN 16 WHEN luck < 80 THEN 17 WHEN luck < 95 THEN 16 WHEN luck < 99 THEN 34 ELSE 1 END,
    CASE WHEN luck < 70 THEN 'answered' WHEN luck < 80 THEN 'busy' WHEN luck < 95 THEN 'cancelled' ELSE 'failed' END,
    'the caller hung up', 'caller', 'udp:192.0.2.1:5060', 'udp:192.0.2.2:5060',
    md5('s' || i || '-' || leg), md5('s' || i || '-' || 1 - leg), 'Phone 1.0', 'Trunk 2.0', 870, false, false,
    '8899aabbccddeeff'
FROM legs ORDER BY i, leg
"""
MEDIA: Final = """
INSERT INTO call_media (
    call_id, leg, medium, ended_at, codec, packets, octets, lost, reordered, duplicates, jitter_us, jitter_max_us,
    gap_us, round_trip_us, mos, packets_sent, octets_sent, remote_address, dropped)
SELECT call_id, leg, 0, ended_at, 'PCMA', CASE WHEN bad = 1 THEN 0 ELSE 50 * (duration_ms / 1000 + 1) END, 80000,
    CASE WHEN bad = 2 THEN duration_ms / 300 ELSE 0 END, 0, 0, 900, 4000, 40000, 20000,
    CASE WHEN bad IN (1, 2) THEN 0 ELSE 441 END, 50 * (duration_ms / 1000 + 1), 80000, '192.0.2.1:40000', ''
FROM (SELECT *, abs(hashtext(call_id || leg)) % 200 AS bad FROM cdrs
      WHERE setup_at >= $1 AND setup_at < $2 AND answered_at IS NOT NULL) c ORDER BY ended_at
"""


def questions(call: asyncpg.Record, sip_call_id: str) -> list[tuple[str, CallQuestion]]:
    """What customers and carriers say, the usual first."""
    noon, busiest, call_id = "15 Jun 2026 10:15", "+9991610", call["call_id"]
    cli, ddi, month = (
        call["network_number"],
        call["destination"],
        {"since": "1 Jun 2026", "until": "30 Jun 2026"},
    )
    short = frozenset({CallKind.SHORT})
    return [
        ("time, CLI and DDI", CallQuestion(at=noon, cli=cli, ddi=ddi)),
        ("time and CLI", CallQuestion(at=noon, cli=cli)),
        ("time and the DDI's last digits", CallQuestion(at=noon, ddi=f"...{ddi[-4:]}")),
        ("time and the CLI's first digits", CallQuestion(at=noon, cli=f"{cli[:8]}...")),
        ("a time alone", CallQuestion(at=noon)),
        ("a time in the doubled hour", CallQuestion(at="25 Oct 2026 01:15", cli="...321")),
        ("the busiest CLI, of all time", CallQuestion(cli=busiest)),
        ("a DDI, of all time", CallQuestion(ddi="+99916100")),
        ("either number, of all time", CallQuestion(number="+99916100")),
        ("a line, of all time", CallQuestion(line="user100")),
        ("a line in a month", CallQuestion(line="user100", **month)),
        ("an account, of all time", CallQuestion(account="Account 1")),
        ("an account, short calls in a month", CallQuestion(account="Account 1", kinds=short, **month)),
        ("a call's id", CallQuestion(call_id=call_id)),
        ("a SIP Call-ID", CallQuestion(sip_call_id=sip_call_id)),
        ("a trunk's 503 in a day", CallQuestion(at="15 Jun 2026", trunk="carrier3", cause="503")),
        ("a trunk's 503 in a month", CallQuestion(trunk="carrier3", cause="503", **month)),
        ("a cause that there is not, in a month", CallQuestion(trunk="carrier3", cause="65", **month)),
        ("failed calls in a day", CallQuestion(at="15 Jun 2026", kinds=frozenset({CallKind.FAILED}))),
        ("short calls in a week", CallQuestion(since="8 Jun 2026", until="14 Jun 2026", kinds=short)),
        ("one-way audio in a day", CallQuestion(at="15 Jun 2026", kinds=frozenset({CallKind.ONE_WAY}))),
        ("bad sound in a month", CallQuestion(kinds=frozenset({CallKind.BAD_SOUND}), **month)),
        ("last digits, in a week", CallQuestion(ddi="...123456", since="8 Jun 2026", until="14 Jun 2026")),
        ("longer than an hour, in a month (there is none)", CallQuestion(longer_than_s=3600, **month)),
    ]  # fmt: skip


async def load(db: asyncpg.Connection, rows: int) -> None:
    calls = round(rows / LEGS_A_CALL)
    await db.execute(
        "CREATE FUNCTION h(bigint, bigint) RETURNS bigint LANGUAGE sql IMMUTABLE"
        " AS 'SELECT hashint8extended($1, $2) & 9223372036854775807'"
    )
    await db.execute(
        "INSERT INTO accounts (name, kind, vat, tariff, credit_limit_micros)"
        f" SELECT 'Account ' || n, 'prepaid', 'inc_vat', 'retail', 0 FROM generate_series(1, {ACCOUNTS}) n"
    )
    made = [row[0] for row in await db.fetch(
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid IN ('cdrs'::regclass, 'call_media'::regclass)"
        " AND NOT indisprimary"
    )]  # fmt: skip
    names = await db.fetch(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid IN ('cdrs'::regclass, 'call_media'::regclass)"
        " AND NOT indisprimary"
    )
    for row in names:
        await db.execute(f"DROP INDEX {row[0]}")
    for table in ("cdrs", "call_media"):
        await db.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey")
    began = time.monotonic()
    async with db.transaction():
        await db.execute("TRUNCATE cdrs, call_media")  # written in the transaction that empties it: no WAL
        for first in range(0, calls, CALLS_A_CHUNK):
            await db.execute(LEGS, first, min(first + CALLS_A_CHUNK, calls) - 1, calls)
            progress(f"{min(first + CALLS_A_CHUNK, calls):,} calls", began)
    await timed(db, "ALTER TABLE cdrs ADD CONSTRAINT cdrs_pkey PRIMARY KEY (call_id, leg)")
    for statement in made:
        if " ON public.cdrs " in statement:
            await timed(db, statement)
    async with db.transaction():
        await db.execute("TRUNCATE call_media")
        await db.execute(MEDIA, END - timedelta(days=DAYS + 1), NOW)
        progress("media", began)
    await timed(
        db, "ALTER TABLE call_media ADD CONSTRAINT call_media_pkey PRIMARY KEY (call_id, leg, medium)"
    )
    for statement in made:
        if " ON public.call_media " in statement:
            await timed(db, statement)
    await timed(db, "VACUUM ANALYZE cdrs")
    await timed(db, "VACUUM ANALYZE call_media")


async def timed(db: asyncpg.Connection, statement: str) -> None:
    began = time.monotonic()
    await db.execute(statement)
    print(f"  {time.monotonic() - began:7.1f} s  {statement[:150]}", flush=True)


def progress(what: str, began: float) -> None:
    print(f"  {time.monotonic() - began:7.1f} s  {what}", flush=True)


async def sizes(db: asyncpg.Connection) -> None:
    rows = await db.fetch(
        "SELECT relname, pg_relation_size(oid) AS bytes, reltuples::bigint AS n FROM pg_class"
        " WHERE relname ~ '^(cdrs|call_media)' AND relkind IN ('r', 'i') ORDER BY relname"
    )
    print("\nsizes\n")
    for row in rows:
        print(f"  {row['relname']:28} {row['bytes'] / 1e6:10,.0f} MB {row['n']:12,} entries")


async def insert_costs(db: asyncpg.Connection) -> None:
    """CPU of the server for each row, with each index of the search left out in turn. Nothing stays."""
    print(f"\nCPU us for each inserted row (COPY of {INSERTED:,}, median of {INSERT_ROUNDS}, interleaved)\n")
    await db.execute(
        f"CREATE TABLE sample_cdrs AS SELECT * FROM cdrs ORDER BY setup_at DESC LIMIT {INSERTED};"
        f"CREATE TABLE sample_call_media AS SELECT * FROM call_media LIMIT {INSERTED};"
        "UPDATE sample_cdrs SET call_id = md5('n' || call_id), sip_call_id = md5('n' || sip_call_id);"
        "UPDATE sample_call_media SET call_id = md5('n' || call_id)"
    )
    spent: dict[str, list[float]] = {}
    for _ in range(INSERT_ROUNDS):
        for without in ("", *ADDED):
            table = "call_media" if without.startswith("call_media") else "cdrs"
            for each in ("cdrs", "call_media") if not without else (table,):
                spent.setdefault(f"{each} {without}".strip(), []).append(await _insert(db, each, without))
    for name, values in sorted(spent.items()):
        print(f"  {name:40} {statistics.median(values):8.2f}")


async def _insert(db: asyncpg.Connection, table: str, without: str) -> float:
    pid = await db.fetchval("SELECT pg_backend_pid()")
    change = db.transaction()
    await change.start()
    if without:
        await db.execute(f"DROP INDEX {without}")
    before = _cpu_s(pid)
    await db.execute(f"INSERT INTO {table} SELECT * FROM sample_{table}")
    after = _cpu_s(pid)
    await change.rollback()
    return (after - before) / INSERTED * 1e6


def _cpu_s(pid: int) -> float:
    """Of nanoseconds on a CPU, as the scheduler counts them: clock ticks are too coarse."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


async def ask_all(server: PostgresServer, dsn: str) -> bool:
    """Whether no plan reads the table from end to end."""
    db = await asyncpg.connect(dsn)
    call = await db.fetchrow(
        "SELECT * FROM cdrs WHERE setup_at BETWEEN '2026-06-15 09:10Z' AND '2026-06-15 09:20Z' AND leg = 0"
        " AND destination LIKE '+99920%' AND privacy = '' ORDER BY setup_at LIMIT 1"
    )
    sip_call_id = await db.fetchval(
        "SELECT sip_call_id FROM cdrs WHERE leg = 1 ORDER BY setup_at DESC LIMIT 1"
    )
    asked = questions(call, sip_call_id)
    await db.close()
    is_right, plans = True, []
    print(f"\n{'question':50} {'first ms':>9} {'warm ms':>9} {'blocks':>9} {'found':>6}\n")
    for name, question in asked:
        server.stop()
        server.start(*SETTINGS)
        db = await asyncpg.connect(dsn)
        account_id = await db.fetchval("SELECT id FROM accounts WHERE name = $1", question.account)
        statement, arguments = call_statement(understand(question, NOW), account_id)
        first = await _explained(db, statement, arguments)
        warm = [await _explained(db, statement, arguments) for _ in range(WARM_RUNS)]
        blocks = first["Plan"]["Shared Hit Blocks"] + first["Plan"]["Shared Read Blocks"]
        warm_ms = statistics.median(each["Execution Time"] + each["Planning Time"] for each in warm)
        first_ms = first["Execution Time"] + first["Planning Time"]
        print(
            f"{name:50} {first_ms:9.1f} {warm_ms:9.1f} {blocks:9,} {first['Plan']['Actual Rows']:6.0f}",
            flush=True,
        )
        text = "\n".join(
            row[0]
            for row in await db.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {statement}", *arguments)
        )
        plans.append((name, text))
        if "Seq Scan on cdrs" in text or "Seq Scan on call_media" in text:
            print(f"  {name}: a table is read from end to end")
            is_right = False
        await db.close()
    for name, text in plans:
        print(f"\n--- {name}\n\n{text}")
    return is_right


async def _explained(db: asyncpg.Connection, statement: str, arguments: list[Any]) -> dict[str, Any]:
    text = await db.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}", *arguments)
    explained: dict[str, Any] = json.loads(text)[0]
    return explained


async def run(server: PostgresServer, rows: int) -> bool:
    dsn = server.new_database()
    db = await asyncpg.connect(dsn)
    print(f"{rows:,} records of calls over {DAYS} days\n", flush=True)
    await load(db, rows)
    await sizes(db)
    await insert_costs(db)
    await db.close()
    return await ask_all(server, dsn)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS if os.environ.get("QUICK", "0") in ("", "0") else QUICK_ROWS)
    rows: int = parser.parse_args().rows
    user = server_user()
    folder = Path(tempfile.mkdtemp(prefix="offhook-search-"))
    if user.is_other:
        make_usable_by(user)
        os.chown(folder, getpwnam(user.name).pw_uid, user.gid)
    server = PostgresServer(folder, user)
    try:
        server.make()
        server.start(*SETTINGS)
        server.make_template()
        return 0 if asyncio.run(run(server, rows)) else 1
    finally:
        server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
