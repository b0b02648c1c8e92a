"""Traced calls in the books: what is kept, who may see it, and that a reading is on record before it is shown."""

import asyncpg
import msgspec
import pytest

from provisioning import service, traced_calls
from provisioning.problems import InvalidValue, Refused
from provisioning.quarantine import record_from_row
from provisioning.views import CdrQuery
from rating.records import TracedCall
from tests.provisioning.books.test_shipper import Bench, at_the_bench
from tests.provisioning.databases import in_database
from tests.provisioning.records import AT_MS, cdr
from tests.provisioning.test_quarantine import AT

CALLER = "+441632960123"
COLUMNS = ", ".join(traced_calls.TRACED_COLUMNS)
MARKS = ", ".join(f"${place}" for place in range(1, len(traced_calls.TRACED_COLUMNS) + 1))
INSERT = f"INSERT INTO traced_calls ({COLUMNS}) VALUES ({MARKS})"


def record(call_id: str, line: str = "bob", **facts: object) -> TracedCall:
    traced = TracedCall(
        call_id=call_id,
        line=line,
        marked_at_ms=AT_MS + 60_000,
        marked_by="code",
        called_at_ms=AT_MS,
        network_number=CALLER,
        presentation_number="",
        is_withheld=True,
        caller_line="",
        trunk="carrier",
        source_address="udp:192.0.2.50:5060",
        identity_headers=f"from: <sip:anonymous@anonymous.invalid>\np-asserted-identity: <sip:{CALLER}@192.0.2.50>",
    )
    return msgspec.structs.replace(traced, **facts)


async def insert(db: asyncpg.Pool, *records: TracedCall) -> None:
    await db.executemany(INSERT, [traced_calls.row_from_traced(each) for each in records])


@pytest.mark.wire
@in_database
async def test_the_list_shows_calls_and_no_callers_and_showing_one_shows_all(db: asyncpg.Pool) -> None:
    await insert(db, record("c1"), record("c2", "carol", called_at_ms=AT_MS + 1))
    found = await traced_calls.list_traced(db, reader="dispatch", reason="case 12")
    assert [(view.call_id, view.line) for view in found] == [("c2", "carol"), ("c1", "bob")]
    assert CALLER[1:] not in str(found)
    found = await traced_calls.list_traced(db, reader="dispatch", reason="case 12", line="bob")
    assert [view.call_id for view in found] == ["c1"]
    (shown,) = await traced_calls.show_traced(db, "c1", reader="dispatch", reason="case 12")
    assert shown == record("c1")
    readings = await traced_calls.list_readings(db)
    assert [(each.reader, each.reason, each.call_id, each.line) for each in readings] == [
        ("dispatch", "case 12", "c1", ""),
        ("dispatch", "case 12", "", "bob"),
        ("dispatch", "case 12", "", ""),
    ]


@pytest.mark.wire
@in_database
async def test_a_look_in_vain_is_on_record_too_and_readings_cannot_be_changed(db: asyncpg.Pool) -> None:
    with pytest.raises(Refused, match="no traced call 'c9'"):
        await traced_calls.show_traced(db, "c9", reader="dispatch", reason="case 12")
    assert [each.call_id for each in await traced_calls.list_readings(db)] == ["c9"]
    for statement in (
        "UPDATE trace_readings SET reader = 'nobody'",
        "DELETE FROM trace_readings",
        "TRUNCATE trace_readings",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await db.execute(statement)


@pytest.mark.wire
@in_database
async def test_nobody_reads_without_a_name_and_a_reason(db: asyncpg.Pool) -> None:
    await insert(db, record("c1"))
    for reader, reason in (("", "case"), ("dispatch", " "), ("a\x1b[2J", "x"), ("x" * 201, "x")):
        with pytest.raises(InvalidValue):
            await traced_calls.show_traced(db, "c1", reader=reader, reason=reason)
        with pytest.raises(InvalidValue):
            await traced_calls.list_traced(db, reader=reader, reason=reason)


def test_a_traced_call_in_quarantine_does_not_say_who_called() -> None:
    raw = msgspec.msgpack.encode(record("c1"))
    shown = record_from_row({"id": 1, "at": AT, "epoch": "e", "batch": 1, "reason": "x", "raw": raw})
    assert shown.kind == "traced" and shown.fields == {"call_id": "c1", "line": "bob"}
    assert CALLER[1:] not in str(shown) and CALLER.encode().hex() not in str(shown)


@pytest.mark.wire
@at_the_bench
async def test_what_the_journal_has_comes_to_the_books_and_withheld_numbers_are_not_shown(
    bench: Bench,
) -> None:
    bench.journal.append(
        cdr("c1", network_number=CALLER, privacy="id", decisions="withheld by the caller"),
        cdr("c2", network_number=CALLER),
        cdr("c3", network_number=CALLER, privacy="id", is_emergency=True),
        record("c1"),
    )
    await bench.ship_all()
    assert await bench.reasons() == []
    (shown,) = await traced_calls.show_traced(bench.pool, "c1", reader="dispatch", reason="case 12")
    assert shown == record("c1")
    views = await service.list_cdrs(bench.pool, CdrQuery())
    assert {view.cdr.call_id: (view.cdr.network_number, view.cdr.decisions) for view in views} == {
        "c1": ("withheld", "withheld by the caller"),
        "c2": (CALLER, ""),
        "c3": (CALLER, ""),
    }
    found = await service.list_cdrs(bench.pool, CdrQuery(cli="01632960123"))
    assert sorted(view.cdr.call_id for view in found) == ["c2", "c3"]
