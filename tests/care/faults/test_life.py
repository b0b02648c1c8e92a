"""A fault in the books, from the report to its close, and who has looked."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from billing.customers import set_customer
from care import faults
from care.faults import FaultKind, FaultState, NewFault, Place, Priority, entry
from care.looks import list_looks, note_look, note_looks
from provisioning import service
from provisioning.cdr_row import CDR_COLUMNS, row_from_cdr
from provisioning.problems import InvalidValue, Refused
from provisioning.utc import ms_from_time
from rating.records import Cdr
from tests.provisioning.databases import add_prepaid, in_database
from tests.provisioning.records import cdr

pytestmark = pytest.mark.wire

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CUT_OFF = NewFault(
    reporter="The office", contact="07700 900123", account="Shop", time_code="10:15", cli="01632 960001",
    ddi="020 7946 0123", kind=FaultKind.CUT_OFF, words="it cut off",
)  # fmt: skip


async def store(db: asyncpg.Pool, *calls: Cdr) -> None:
    async with db.acquire() as connection:
        await connection.copy_records_to_table(
            "cdrs", records=[row_from_cdr(each) for each in calls], columns=CDR_COLUMNS
        )


def call(call_id: str, minutes_ago: int) -> Cdr:
    return cdr(call_id, setup_at_ms=ms_from_time(NOW - timedelta(minutes=minutes_ago)), account_id=1)


def test_n10_a_report_with_time_code_clid_and_ddi_finds_its_call_and_attaches_it(dsn: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        await store(db, call("c1", 105), call("c2", 300))
        opened = await faults.open_with_calls(db, CUT_OFF, staff="sam", now=NOW)
        assert [each.call_id for each in opened.candidates] == ["c1"]
        assert [each.value for each in opened.details.calls] == ["c1"]
        found = await faults.find_fault(db, opened.details.fault.reference.lower())
        assert (found.fault.time_code, found.fault.cli, found.fault.ddi) == (
            "10:15",
            "01632 960001",
            "020 7946 0123",
        )
        assert (found.fault.account, found.fault.state) == ("Shop", FaultState.OPEN)

    body(dsn)


def test_several_calls_are_proposed_and_none_is_attached(dsn: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        await store(db, call("c1", 105), call("c2", 100))
        opened = await faults.open_with_calls(db, CUT_OFF, staff="sam", now=NOW)
        assert [each.call_id for each in opened.candidates] == ["c2", "c1"]
        assert opened.details.calls == []
        reference = opened.details.fault.reference
        attached = await faults.add(db, reference, entry.call("c1", "The phone hung up."), staff="sam")
        assert [(each.value, each.words) for each in attached.calls] == [("c1", "The phone hung up.")]
        for again in ("c1", "nowhere", "a\0"):
            with pytest.raises(Refused):
                await faults.add(db, reference, entry.call(again), staff="sam")

    body(dsn)


def test_c12_a_fault_is_taken_at_any_hour_and_kept_with_who_reported_it_and_where_he_is_reached(
    dsn: str,
) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        sunday_night = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
        opened = await faults.open_fault(db, CUT_OFF, staff="sam", now=sunday_night)
        (listed,) = await faults.list_faults(db)
        assert listed == opened
        assert (listed.fault.reporter, listed.fault.contact) == ("The office", "07700 900123")
        clock = faults.clock_of(
            listed.fault, listed.events, faults.PLAIN_TERMS[Priority.NORMAL], ms_from_time(NOW)
        )
        assert clock.open_ms == 9 * 3_600_000
        assert clock.is_answered_late  # of eight hours, night or not

    body(dsn)


def test_c13_checks_are_asked_for_and_no_fault_is_closed_without_where_it_lay(dsn: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        reference = (await faults.open_fault(db, CUT_OFF, staff="sam", now=NOW)).fault.reference
        asked = await faults.add(db, reference, entry.check("Switch SIP ALG off in the router"), staff="sam")
        waiting = await faults.add(db, reference, entry.state(FaultState.WAITING), staff="sam")
        assert waiting.fault.answered_at_ms is not None
        check = asked.checks[0].id
        answered = await faults.add(db, reference, entry.checked(check, "It was on"), staff="kit")
        assert [(each.words, each.answer) for each in answered.checks] == [
            ("Switch SIP ALG off in the router", "It was on")
        ]
        for number in (check, check + 1, 999_999):
            with pytest.raises(Refused):
                await faults.add(db, reference, entry.checked(number, "again"), staff="kit")
        with pytest.raises(Refused, match="where the fault lay"):
            await faults.add(db, reference, entry.state(FaultState.CLOSED), staff="sam")
        with pytest.raises(InvalidValue):
            await faults.add(db, reference, *entry.closing(Place.UNKNOWN), staff="sam")
        closed = await faults.add(
            db, reference, *entry.closing(Place.EQUIPMENT, "The router's ALG."), staff="sam"
        )
        assert (closed.fault.state, closed.fault.place) == (FaultState.CLOSED, Place.EQUIPMENT)
        assert await faults.list_faults(db) == []
        with pytest.raises(Refused, match="closed already"):
            await faults.add(db, reference, *entry.closing(Place.EQUIPMENT), staff="sam")
        again = await faults.add(db, reference, entry.state(FaultState.OPEN, "It is back"), staff="sam")
        assert (again.fault.closed_at_ms, again.fault.restored_at_ms) == (None, None)

    body(dsn)


def test_what_is_recorded_together_is_recorded_whole_or_not_at_all(dsn: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        reference = (await faults.open_fault(db, CUT_OFF, staff="sam", now=NOW)).fault.reference
        with pytest.raises(Refused, match="open already"):
            await faults.add(
                db, reference, entry.place(Place.EQUIPMENT), entry.state(FaultState.OPEN), staff="sam"
            )
        found = await faults.find_fault(db, reference)
        assert (found.events, found.fault.place) == ([], Place.UNKNOWN)

    body(dsn)


def test_n20_customers_with_needs_on_record_come_first(dsn: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        for name in ("Shop", "Neighbour"):
            await add_prepaid(db, name)
        await set_customer(db, "Neighbour", has_priority_repair=True)
        first = await faults.open_fault(db, NewFault(account="Shop", is_urgent=True), staff="sam", now=NOW)
        await faults.open_fault(db, NewFault(account="Shop"), staff="sam", now=NOW - timedelta(days=1))
        needs = await faults.open_fault(db, NewFault(account="Neighbour"), staff="sam", now=NOW)
        assert needs.fault.priority is Priority.NEEDS
        listed = [each.fault.priority for each in await faults.list_faults(db)]
        assert listed == [Priority.NEEDS, Priority.URGENT, Priority.NORMAL]
        raised = await faults.add(db, first.fault.reference, entry.priority(Priority.NORMAL), staff="sam")
        assert raised.fault.priority is Priority.NORMAL
        assert [each.fault.account for each in await faults.list_faults(db, account="neighbour")] == [
            "Neighbour"
        ]

    body(dsn)


def test_what_was_said_and_who_has_looked_can_be_neither_altered_nor_removed(dsn: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        reference = (await faults.open_fault(db, CUT_OFF, staff="sam")).fault.reference
        await faults.add(db, reference, entry.note("two\nlines", to_customer=True), staff="sam")
        await note_look(db, staff="sam", what="call", account_id=1, call_id="c1", why=reference)
        for table in ("fault_events", "looks"):
            for statement in (
                f"DELETE FROM {table}",
                f"UPDATE {table} SET staff = 'nobody'",
                f"TRUNCATE {table} CASCADE",
            ):
                with pytest.raises(asyncpg.PostgresError):
                    await db.execute(statement)

    body(dsn)


def test_looks_name_the_account_and_are_found_by_it(dsn: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        await store(db, call("c1", 5), cdr("c2", account_id=None, line=""), cdr("c2", 1, account_id=1))
        await note_looks(db, staff="sam", what="found", call_ids=["c1", "c2", "c3"], why="F-7K3Q9")
        await note_look(db, staff="kit", what="search")
        assert [(each.staff, each.call_id, each.account) for each in await list_looks(db)] == [
            ("kit", "", ""), ("sam", "c3", ""), ("sam", "c2", "Shop"), ("sam", "c1", "Shop"),
        ]  # fmt: skip
        assert [each.call_id for each in await list_looks(db, account="shop")] == ["c2", "c1"]
        assert [each.call_id for each in await list_looks(db, staff="kit")] == [""]
        assert [each.what for each in await list_looks(db, call_id="c1")] == ["found"]
        for staff, why in (("", ""), (" ", ""), ("a\x1b", ""), ("sam", "b\n"), ("sam", "x" * 201)):
            with pytest.raises(InvalidValue):
                await note_look(db, staff=staff, what="call", why=why)
        assert len(await list_looks(db)) == 4

    body(dsn)


@pytest.mark.parametrize(
    "new",
    [
        NewFault(),
        NewFault(words="  "),
        NewFault(words="a\x1b[2J"),
        NewFault(words="x" * 4_001),
        NewFault(words="x", reporter="a\nb"),
        NewFault(words="x", cli="y" * 201),
        NewFault(words="x", account="Nobody"),
        NewFault(words="x", line="nobody"),
    ],
)
def test_a_report_that_cannot_be_kept_is_refused(dsn: str, new: NewFault) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        with pytest.raises((InvalidValue, Refused)):
            await faults.open_fault(db, new, staff="sam")
        assert await db.fetchval("SELECT count(*) FROM faults") == 0

    body(dsn)


def test_a_time_that_cannot_be_read_opens_nothing_yet(dsn: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        with pytest.raises(InvalidValue):
            await faults.open_with_calls(
                db, NewFault(time_code="when it rained", cli="01632 960001"), staff="sam"
            )
        assert await db.fetchval("SELECT count(*) FROM faults") == 0
        opened = await faults.open_with_calls(db, NewFault(words="noise", time_code="often"), staff="sam")
        assert opened.candidates == []  # a time alone is everybody's

    body(dsn)


def test_the_account_is_the_lines(dsn: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        await service.add_line(db, "alice", account_name="Shop", realm="example.com")
        assert (await faults.open_fault(db, NewFault(line="alice"), staff="sam")).fault.account == "Shop"

    body(dsn)
