"""Diverts in the books: set, taken back, heard of by the running exchange, and never half."""

from pathlib import Path

import asyncpg
import msgspec
import pytest
import typer.testing

from offhook.__main__ import app
from provisioning import service
from provisioning.books.changes import Position, read_changes
from provisioning.books.snapshot import load_snapshot, read_checkpoint, write_checkpoint
from provisioning.diverts import WHEN_NOT_TAKEN
from provisioning.model import Divert, DivertCondition, DivertKind, LineChanged
from provisioning.service import InvalidValue, Refused
from tests.provisioning.databases import add_prepaid, in_database

pytestmark = pytest.mark.wire

REALM = "sip.example.com"
ALL, BUSY, NO_REPLY, UNREACHABLE, DECLINED = DivertCondition
VOICEMAIL = DivertKind.VOICEMAIL


async def a_line(db: asyncpg.Pool, user: str = "1001") -> None:
    await add_prepaid(db, f"account of {user}")
    await service.add_line(db, user, account_name=f"account of {user}", realm=REALM)


@in_database
async def test_voicemail_is_three_diverts_and_15_seconds_unless_said_otherwise(db: asyncpg.Pool) -> None:
    await a_line(db)
    view = await service.set_diverts(db, "1001")
    assert view.diverts == [
        Divert(BUSY, VOICEMAIL),
        Divert(NO_REPLY, VOICEMAIL, ring_s=15),
        Divert(UNREACHABLE, VOICEMAIL),
    ]
    assert (await service.show_line(db, "1001")).diverts == view.diverts


@in_database
async def test_what_is_not_named_stays(db: asyncpg.Pool) -> None:
    await a_line(db)
    await service.set_diverts(db, "1001", [BUSY, NO_REPLY], ring_s=20)
    await service.set_diverts(db, "1001", [ALL, NO_REPLY], ring_s=5)
    view = await service.clear_diverts(db, "1001", [BUSY, UNREACHABLE])
    assert view.diverts == [Divert(ALL, VOICEMAIL), Divert(NO_REPLY, VOICEMAIL, ring_s=5)]
    assert (await service.clear_diverts(db, "1001")).diverts == []
    assert (await service.clear_diverts(db, "1001")).diverts == []


@in_database
async def test_what_cannot_be_is_refused_in_words(db: asyncpg.Pool) -> None:
    await a_line(db)
    for ring_s in (4, 121, 0, -15):
        with pytest.raises(InvalidValue, match="expected 5 to 120 s"):
            await service.set_diverts(db, "1001", [NO_REPLY], ring_s=ring_s)
    for user in ("nobody", "", "a\0b", "\udc80"):
        with pytest.raises(Refused, match="there is no line"):
            await service.set_diverts(db, user)
        with pytest.raises(Refused, match="there is no line"):
            await service.clear_diverts(db, user)
    assert (await service.show_line(db, "1001")).diverts == []


@pytest.mark.parametrize(
    "row",
    [
        "('1001', 'no_reply', 0, 'voicemail', '', 4)",
        "('1001', 'no_reply', 0, 'voicemail', '', 121)",
        "('1001', 'busy', 0, 'voicemail', '', 15)",
        "('1001', 'busy', 0, 'voicemail', '1002', 0)",
        "('1001', 'sometimes', 0, 'voicemail', '', 0)",
        "('1001', 'busy', 0, 'moon', '', 0)",
        "('nobody', 'busy', 0, 'voicemail', '', 0)",
    ],
)
def test_the_table_has_the_last_word(dsn: str, row: str) -> None:
    @in_database
    async def insert(db: asyncpg.Pool) -> None:
        await a_line(db)
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await db.execute(f"INSERT INTO diverts VALUES {row}")

    insert(dsn)


@in_database
async def test_a_running_exchange_hears_of_them_and_of_nothing_that_did_not_change(db: asyncpg.Pool) -> None:
    await a_line(db)
    async with db.acquire() as connection:
        position = Position.of_snapshot(await load_snapshot(connection, ""))

        async def heard() -> tuple[Divert, ...] | None:
            changes = await read_changes(connection, position)
            if changes is None:
                return None
            position.advance(changes)
            (change,) = changes.changes
            assert isinstance(change, LineChanged)
            return change.line.diverts

        await service.set_diverts(db, "1001", [BUSY])
        assert await heard() == (Divert(BUSY, VOICEMAIL),)
        await service.set_diverts(db, "1001", [BUSY])
        assert await heard() is None
        await service.clear_diverts(db, "1001", [ALL])
        assert await heard() is None
        await service.set_line(db, "1001", calls_max=3)
        assert await heard() == (Divert(BUSY, VOICEMAIL),)
        await service.clear_diverts(db, "1001")
        assert await heard() == ()
        # also what somebody writes by hand
        await connection.execute("INSERT INTO diverts VALUES ('1001', 'all', 0, 'voicemail')")
        assert await heard() == (Divert(ALL, VOICEMAIL),)
        for statement in ("UPDATE diverts SET condition = 'busy'", "TRUNCATE diverts"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await connection.execute(statement)


@in_database
async def test_they_go_with_their_line(db: asyncpg.Pool) -> None:
    await a_line(db)
    await service.set_diverts(db, "1001")
    await service.remove_line(db, "1001")
    assert await db.fetchval("SELECT count(*) FROM diverts") == 0


@in_database
async def test_the_list_has_every_line_that_diverts(db: asyncpg.Pool) -> None:
    for user in ("1001", "1002", "1003"):
        await a_line(db, user)
    await service.set_diverts(db, "1003", [ALL])
    await service.set_diverts(db, "1001", [UNREACHABLE, BUSY])
    rows = [(view.line, view.divert.condition) for view in await service.list_diverts(db)]
    assert rows == [("1001", BUSY), ("1001", UNREACHABLE), ("1003", ALL)]


def test_the_checkpoint_holds_them_and_one_without_them_is_read(dsn: str, tmp_path: Path) -> None:
    @in_database
    async def check(db: asyncpg.Pool) -> None:
        await a_line(db)
        await service.set_diverts(db, "1001", WHEN_NOT_TAKEN, ring_s=30)
        async with db.acquire() as connection:
            snapshot = await load_snapshot(connection, "")
        write_checkpoint(tmp_path / "new", snapshot)
        found = read_checkpoint(tmp_path / "new")
        assert found is not None and found.lines == snapshot.lines
        assert found.lines[0].diverts[1] == Divert(NO_REPLY, VOICEMAIL, ring_s=30)
        old = msgspec.to_builtins(snapshot)
        for line in old["lines"]:
            del line["diverts"]
        (tmp_path / "old").write_bytes(msgspec.msgpack.encode(old))
        found = read_checkpoint(tmp_path / "old")
        assert found is not None and found.lines[0].diverts == ()

    check(dsn)


def test_the_command(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    @in_database
    async def prepare(db: asyncpg.Pool) -> None:
        await a_line(db)

    def run(*arguments: str) -> str:
        ran = typer.testing.CliRunner().invoke(app, [*arguments, "--dsn", dsn])
        assert ran.exit_code == 0, (ran.output, ran.exception)
        return ran.output

    def refused(*arguments: str) -> str:
        ran = typer.testing.CliRunner().invoke(app, [*arguments, "--dsn", dsn])
        assert ran.exit_code != 0
        return f"{ran.output}{ran.exception}"

    prepare(dsn)
    assert "No line diverts" in run("divert", "list")
    assert "no reply" in run("divert", "set", "1001", "busy", "no_reply", "--ring-s", "25")
    row = msgspec.json.decode(run("divert", "list", "--json"))[0]
    assert (row["line"], row["divert"]["condition"], row["divert"]["kind"]) == ("1001", "busy", "voicemail")
    assert "busy: voicemail; no reply after 25 s: voicemail" in " ".join(run("line", "show", "1001").split())
    assert msgspec.json.decode(run("line", "show", "1001", "--json"))["diverts"][1]["ring_s"] == 25
    assert "--ring-s is for no_reply" in refused("divert", "set", "1001", "busy", "--ring-s", "20")
    assert "there is no line" in refused("divert", "set", "1009")
    for wrong in ("4", "121", "1_0", "+15", "\u0661\u0665"):
        refused("divert", "set", "1001", "--ring-s", wrong)
    refused("divert", "set", "1001", "sometimes")
    assert "diverts no calls" in run("divert", "clear", "1001")
    assert msgspec.json.decode(run("divert", "clear", "1001", "--json")) == {"line": "1001", "diverts": []}
