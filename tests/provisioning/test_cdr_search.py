"""The search for CDRs: what it refuses to ask, and that an index answers all that it asks."""

from datetime import UTC, datetime

import asyncpg
import pytest

from provisioning.cdr_search import LIMIT_MAX, cdr_statement
from provisioning.service import CdrQuery, InvalidValue
from tests.provisioning.databases import in_database

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "query",
    [
        CdrQuery(limit=0),
        CdrQuery(limit=LIMIT_MAX + 1),
        CdrQuery(since=NEW_YEAR.replace(tzinfo=None)),
        CdrQuery(until=NEW_YEAR.replace(tzinfo=None)),
        CdrQuery(cli="a\0b"),
        CdrQuery(called="\udc80"),
        CdrQuery(call_id="a\nb"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(query: CdrQuery) -> None:
    with pytest.raises(InvalidValue):
        cdr_statement(query, None)


def test_what_people_type_is_always_a_parameter() -> None:
    text = "'; DROP TABLE cdrs; --"
    statement, arguments = cdr_statement(CdrQuery(account=text, cli=text, called=text, call_id=text), 7)
    assert "DROP" not in statement
    assert arguments == [text, text, text, 7]


def test_a_number_is_asked_for_as_e164_and_anything_else_as_it_stands() -> None:
    assert cdr_statement(CdrQuery(cli="01632 960001", called="020 7946 0123"), None)[1] == [
        "+441632960001",
        "+442079460123",
    ]
    assert cdr_statement(CdrQuery(called="999"), None)[1] == ["999"]
    assert cdr_statement(CdrQuery(called="alice"), None)[1] == ["alice"]


@pytest.mark.wire
@pytest.mark.parametrize(
    ("query", "account_id", "index"),
    [
        (CdrQuery(), None, "cdrs_setup"),
        (CdrQuery(since=NEW_YEAR, until=NEW_YEAR), None, "cdrs_setup"),
        (CdrQuery(account="Shop"), 1, "cdrs_account"),
        (CdrQuery(account="Shop"), 1, "cdrs_other_payer"),
        (CdrQuery(cli="01632 960001"), None, "cdrs_network_number"),
        (CdrQuery(called="01632 960001"), None, "cdrs_destination"),
        (CdrQuery(call_id="c1"), None, "cdrs_pkey"),
    ],
)
def test_each_question_has_its_index(dsn: str, query: CdrQuery, account_id: int | None, index: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        statement, arguments = cdr_statement(query, account_id)
        async with db.acquire() as connection:
            await connection.execute(
                "SET enable_seqscan = off"
            )  # the table is empty, so reading it would be cheapest
            plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {statement}", *arguments))
        assert index in plan
        assert "Seq Scan on cdrs" not in plan

    body(dsn)
