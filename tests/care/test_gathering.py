"""What is gathered of one call: all of it, in order, and words where something is missing."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from care.explanation import explain, load_patterns
from care.gathering import NOT_KEPT, StoredTraces, gather
from care.switch_asking import SwitchSilentError
from offhook.supervisor.conf_home import packaged_conf
from provisioning.cdr_row import CDR_COLUMNS, row_from_cdr
from provisioning.registration_row import REGISTRATION_COLUMNS, row_from_registration
from provisioning.settings import WITHHELD
from provisioning.utc import time_from_ms
from rating.records import Cdr, MediaFigures, RegistrationEvent
from tests.care.search.test_find import media
from tests.provisioning.databases import add_prepaid, in_database
from tests.provisioning.records import AT_MS, cdr
from tests.traces.made import message, trace
from traces.call_trace import CallTrace
from traces.store import TraceStore

HOUR_MS = 3_600_000


class Traces:
    """What is there, by call id."""

    def __init__(self, *traces: CallTrace) -> None:
        self.traces = {each.call_id: each for each in traces}
        self.asked: list[str] = []

    async def find(self, call_id: str) -> tuple[CallTrace | None, str]:
        self.asked.append(call_id)
        found = self.traces.get(call_id)
        return found, "" if found else "the switch is away"


async def insert(db: asyncpg.Pool, *cdrs: Cdr) -> None:
    marks = ", ".join(f"${place}" for place in range(1, len(CDR_COLUMNS) + 1))
    await db.executemany(
        f"INSERT INTO cdrs ({', '.join(CDR_COLUMNS)}) VALUES ({marks})", [row_from_cdr(each) for each in cdrs]
    )


async def register(db: asyncpg.Pool, line: str, at_ms: int, event: str = "registered") -> None:
    event_ = RegistrationEvent(
        f"{line}-{at_ms}", at_ms, event, line, 1, "", "192.0.2.1:5060", "UDP", "", "", ""
    )
    marks = ", ".join(f"${place}" for place in range(1, len(REGISTRATION_COLUMNS) + 1))
    await db.execute(
        f"INSERT INTO registration_events ({', '.join(REGISTRATION_COLUMNS)}) VALUES ({marks})",
        *row_from_registration(event_),
    )


@pytest.mark.wire
@in_database
async def test_a_story_has_all_legs_their_trace_registrations_and_alarms(db: asyncpg.Pool) -> None:
    await insert(db, cdr("c1", 1, line="bob", account_id=2), cdr("c1", 0), cdr("c2", 0))
    for line, at_ms in (
        ("alice", AT_MS - 25 * HOUR_MS),
        ("bob", AT_MS - HOUR_MS),
        ("alice", AT_MS - 2 * HOUR_MS),
        ("carol", AT_MS),
        ("bob", AT_MS + HOUR_MS),
        ("bob", AT_MS + 2 * HOUR_MS),
    ):
        await register(db, line, at_ms)
    for key, account, at_ms in (
        ("x", 1, AT_MS),
        ("y", 3, AT_MS),
        ("z", 2, AT_MS - 30 * HOUR_MS),
        ("w", 2, AT_MS),
    ):
        await db.execute(
            "INSERT INTO alarms VALUES ($1, $2, 'spend', $3, 'words', NULL)",
            key,
            account,
            time_from_ms(at_ms),
        )
    traces = Traces(trace("c1"))
    story = await gather(db, "c1", traces=traces)
    assert story is not None
    assert story.call_id == "c1"
    assert [view.cdr.leg for view in story.legs] == [0, 1]
    assert story.trace == trace("c1")
    assert traces.asked == ["c1"]
    assert [(each.line, (each.at_ms - AT_MS) // HOUR_MS) for each in story.registrations] == [
        ("alice", -25),
        ("alice", -2),
        ("bob", -1),
        ("bob", 1),
    ]
    assert {alarm.id for alarm in story.alarms} == {"w", "x"}


@pytest.mark.wire
@in_database
async def test_a_call_that_is_not_in_the_books_has_no_story(db: asyncpg.Pool) -> None:
    assert await gather(db, "c1", traces=Traces()) is None


@pytest.mark.wire
@in_database
async def test_without_a_trace_the_story_says_why(db: asyncpg.Pool) -> None:
    await insert(db, cdr("c1"))
    story = await gather(db, "c1", traces=Traces())
    assert story is not None
    assert (story.trace, story.no_trace) == (None, "the switch is away")


@pytest.mark.wire
@in_database
async def test_the_line_that_a_number_leads_to_is_looked_at_though_no_leg_reached_it(
    db: asyncpg.Pool,
) -> None:
    await add_prepaid(db)
    await db.execute(
        "INSERT INTO lines (user_part, account_id, realm, ha1_md5, ha1_sha256, digest, cli, emergency_number,"
        " emergency_address, withholds_cli, calls_max) SELECT 'bob', id, 'r', '', '', 'both', '', '', '', false, 0"
        " FROM accounts"
    )
    await db.execute("INSERT INTO numbers (e164, line) VALUES ('+441632960009', 'bob')")
    await insert(db, cdr("c1", destination="+441632960009", line=""), cdr("c2", destination="bob", line=""))
    await register(db, "bob", AT_MS - HOUR_MS, "expired")
    for call_id in ("c1", "c2"):
        story = await gather(db, call_id, traces=Traces())
        assert story is not None
        assert [each.event for each in story.registrations] == ["expired"]


@pytest.mark.wire
@in_database
async def test_a_withheld_number_is_withheld(db: asyncpg.Pool) -> None:
    await insert(db, cdr("c1", privacy="id"), cdr("c2", privacy="id", is_emergency=True))
    for call_id, is_hidden in (("c1", True), ("c2", False)):
        kept = trace(call_id)
        kept.messages = [message(0, data=b"INVITE sip:b@h SIP/2.0\r\nFrom: <sip:01632960001@h>\r\n\r\n")]
        story = await gather(db, call_id, traces=Traces(kept))
        assert story is not None
        assert story.trace is not None
        assert (story.legs[0].cdr.network_number == WITHHELD) is is_hidden
        assert (b"960001" not in story.trace.messages[0].data) is is_hidden


async def _find(source: StoredTraces, call_id: str) -> tuple[CallTrace | None, str]:
    return await source.find(call_id)


def test_stored_traces_are_found_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    store = TraceStore(tmp_path, disk_reserve_bytes=0)
    store.add([trace("c1")])
    store.close()
    source = StoredTraces(tmp_path)
    assert asyncio.run(_find(source, "c1")) == (trace("c1"), "")
    assert asyncio.run(_find(source, "c2")) == (None, NOT_KEPT)
    (tmp_path / "2026-01-01.sqlite").write_bytes(b"no database" * 1000)
    found, words = asyncio.run(_find(source, "c1"))
    assert found is None
    assert "2026-01-01.sqlite" in words


@pytest.mark.wire
@in_database
async def test_a_phone_that_left_days_ago_is_known_to_be_gone_since_then(db: asyncpg.Pool) -> None:
    await insert(db, cdr("c1", destination="bob", outcome="not_registered", sip_status=480))
    await register(db, "bob", AT_MS - 100 * HOUR_MS)
    await register(db, "bob", AT_MS - 80 * HOUR_MS, "left")
    await register(db, "bob", AT_MS - 60 * HOUR_MS, "refused")
    story = await gather(db, "c1", traces=Traces())
    assert story is not None
    assert [each.event for each in story.registrations] == ["left"]
    explained = explain(story, load_patterns(packaged_conf()))
    assert explained.findings[0].name == "phone-switched-off"
    assert "unregistered itself" in explained.paragraph


class Live:
    """One call that is up, with its sound so far."""

    def __init__(self, *rows: Cdr, is_silent: bool = False) -> None:
        self.rows = list(rows)
        self.is_silent = is_silent

    async def records(self, *, call_id: str = "", **_rest: object) -> list[list[Cdr]]:
        if self.is_silent:
            raise SwitchSilentError("the switch is away")
        return [self.rows] if self.rows and self.rows[0].call_id == call_id else []

    async def media(self, call_id: str) -> list[MediaFigures]:
        return [media(call_id, 1)]


@pytest.mark.wire
@in_database
async def test_a_call_that_is_up_has_a_story_too(db: asyncpg.Pool) -> None:
    account = (await add_prepaid(db)).account.id
    facts = {"outcome": "open", "privacy": "id", "account_id": account, "payer_account_id": account}
    live = Live(cdr("c1", **facts), cdr("c1", 1, **facts))
    await register(db, "alice", AT_MS - HOUR_MS)
    kept = trace("c1")
    kept.messages = [message(0, data=b"INVITE sip:b@h SIP/2.0\r\nFrom: <sip:01632960001@h>\r\n\r\n")]
    story = await gather(db, "c1", traces=Traces(kept), live=live)
    assert story is not None and story.trace is not None
    assert story.is_live and story.account_id == account
    assert [(view.cdr.network_number, view.account) for view in story.legs] == [(WITHHELD, "Shop")] * 2
    assert [len(view.media) for view in story.legs] == [0, 1]
    assert b"960001" not in story.trace.messages[0].data
    assert [each.event for each in story.registrations] == ["registered"]
    assert await gather(db, "c2", traces=Traces(), live=live) is None
    assert await gather(db, "c1", traces=Traces(), live=Live(is_silent=True)) is None
    await insert(db, cdr("c1"))
    story = await gather(db, "c1", traces=Traces(), live=live)
    assert story is not None and not story.is_live
