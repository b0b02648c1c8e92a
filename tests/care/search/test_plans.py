"""What PostgreSQL does for each question of the bench: nothing reads the records of calls from end to end."""

import asyncio

import asyncpg
import pytest

from bench.search import NOW, load, questions
from care.search.statement import call_statement
from care.search.understanding import understand
from tests.postgres import PostgresServer

pytestmark = pytest.mark.wire

ROWS = 50_000


def test_no_question_reads_all_calls(postgres: PostgresServer, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = postgres.new_database()

    async def body() -> None:
        db = await asyncpg.connect(dsn)
        await load(db, ROWS)
        call = await db.fetchrow(
            "SELECT * FROM cdrs WHERE leg = 0 AND privacy = '' AND destination LIKE '+99920%' LIMIT 1"
        )
        for name, question in questions(call, call["sip_call_id"]):
            account_id = 1 if question.account else None
            statement, arguments = call_statement(understand(question, NOW), account_id)
            plan = "\n".join(row[0] for row in await db.fetch(f"EXPLAIN {statement}", *arguments))
            assert "Seq Scan on cdrs" not in plan, f"{name}\n{plan}"
            assert "Seq Scan on call_media" not in plan, f"{name}\n{plan}"
        await db.close()

    asyncio.run(body())
    postgres.drop_database(dsn)
