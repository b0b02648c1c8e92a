"""Settings in the books: set by command, heard of by the running exchange, kept across releases."""

from pathlib import Path

import asyncpg
import msgspec
import pytest
import typer.testing

from offhook.__main__ import app
from provisioning import service
from provisioning.books.changes import Position, read_changes
from provisioning.books.snapshot import load_snapshot, read_checkpoint, write_checkpoint
from provisioning.model import AccountChanged, LineChanged
from provisioning.service import InvalidValue, Refused
from provisioning.settings import AccountSettings, LineSettings
from tests.provisioning.databases import add_prepaid, in_database

pytestmark = pytest.mark.wire

REALM = "sip.example.com"


async def a_line(db: asyncpg.Pool, user: str = "1001") -> None:
    await add_prepaid(db, "Shop")
    await service.add_line(db, user, account_name="Shop", realm=REALM)


@in_database
async def test_one_setting_changes_and_the_others_stay(db: asyncpg.Pool) -> None:
    await a_line(db)
    await service.set_line(db, "1001", settings=["does_not_disturb=yes", "speed_dials=7:1002"])
    await service.set_line(db, "1001", settings=["blocked_callers+=01632960001"])
    await service.set_line(db, "1001", calls_max=3)
    assert (await service.show_line(db, "1001")).settings == LineSettings(
        does_not_disturb=True, speed_dials={"7": "1002"}, blocked_callers=("+441632960001",)
    )
    await service.set_line(db, "1001", settings=["does_not_disturb=no", "speed_dials=", "blocked_callers="])
    assert await db.fetchval("SELECT settings::text FROM lines") == "{}"


@in_database
async def test_one_wrong_setting_and_nothing_is_changed(db: asyncpg.Pool) -> None:
    await a_line(db)
    with pytest.raises(InvalidValue, match="does_not_disturb"):
        await service.set_line(db, "1001", calls_max=3, settings=["bars_incoming=yes", "does_not_disturb=?"])
    with pytest.raises(Refused, match="there is no line"):
        await service.set_line(db, "1009", settings=["bars_incoming=yes"])
    view = await service.show_line(db, "1001")
    assert (view.settings, view.calls_max) == (LineSettings(), 0)


@in_database
async def test_what_a_newer_release_has_set_stays(db: asyncpg.Pool) -> None:
    await a_line(db)
    await db.execute("""UPDATE lines SET settings = '{"of_next_year": [1, 2], "does_not_disturb": true}'""")
    await service.set_line(db, "1001", settings=["does_not_disturb=no", "bars_incoming=yes"])
    kept = msgspec.json.decode(await db.fetchval("SELECT settings::text FROM lines"))
    assert kept == {"of_next_year": [1, 2], "bars_incoming": True}


@in_database
async def test_a_value_that_nobody_can_read_does_not_keep_the_exchange_from_starting(
    db: asyncpg.Pool,
) -> None:
    await a_line(db)
    await db.execute("""UPDATE lines SET settings = '{"speed_dials": 3, "bars_incoming": true}'""")
    async with db.acquire() as connection:
        snapshot = await load_snapshot(connection, "")
    assert snapshot.lines[0].settings == LineSettings(bars_incoming=True)


@in_database
async def test_a_running_exchange_hears_of_them_and_of_nothing_that_did_not_change(db: asyncpg.Pool) -> None:
    await a_line(db)
    async with db.acquire() as connection:
        position = Position.of_snapshot(await load_snapshot(connection, ""))

        async def heard() -> list[LineSettings | AccountSettings]:
            changes = await read_changes(connection, position)
            if changes is None:
                return []
            position.advance(changes)
            return [
                change.line.settings if isinstance(change, LineChanged) else change.account.settings
                for change in changes.changes
                if isinstance(change, LineChanged | AccountChanged)
            ]

        await service.set_line(db, "1001", settings=["rejects_anonymous=yes"])
        assert await heard() == [LineSettings(rejects_anonymous=True)]
        await service.set_line(db, "1001", settings=["rejects_anonymous=yes"])
        assert await heard() == []
        await service.set_account(db, "shop", settings=["daily_cap=5"])
        assert await heard() == [AccountSettings(daily_cap_micros=5_000_000)]
        await service.set_account(db, "shop", settings=["daily_cap=5.00"])
        assert await heard() == []


@pytest.mark.parametrize("table", ["lines", "accounts"])
@pytest.mark.parametrize("value", ["[]", "null", "3", '{"x": "' + "y" * 32768 + '"}'])
def test_the_table_has_the_last_word(dsn: str, table: str, value: str) -> None:
    @in_database
    async def change(db: asyncpg.Pool) -> None:
        await a_line(db)
        with pytest.raises(asyncpg.CheckViolationError):
            await db.execute(f"UPDATE {table} SET settings = $1", value)

    change(dsn)


def test_the_checkpoint_holds_them_and_one_without_them_is_read(dsn: str, tmp_path: Path) -> None:
    @in_database
    async def check(db: asyncpg.Pool) -> None:
        await a_line(db)
        await service.set_line(db, "1001", settings=["bars=premium@night", "speed_dials=1:1002"])
        await service.set_account(db, "Shop", settings=["opted_in=country:CU"])
        async with db.acquire() as connection:
            snapshot = await load_snapshot(connection, "")
        write_checkpoint(tmp_path / "new", snapshot)
        found = read_checkpoint(tmp_path / "new")
        assert found is not None and (found.lines, found.accounts) == (snapshot.lines, snapshot.accounts)
        assert found.lines[0].settings.bars[0].time_set == "night"
        old = msgspec.to_builtins(snapshot)
        for row in (*old["lines"], *old["accounts"]):
            del row["settings"]
        (tmp_path / "old").write_bytes(msgspec.msgpack.encode(old))
        found = read_checkpoint(tmp_path / "old")
        assert found is not None and found.lines[0].settings == LineSettings()

    check(dsn)


def test_the_commands(dsn: str) -> None:
    @in_database
    async def prepare(db: asyncpg.Pool) -> None:
        await a_line(db)

    def run(*arguments: str, exit_code: int = 0) -> str:
        ran = typer.testing.CliRunner().invoke(app, [*arguments, "--dsn", dsn])
        assert ran.exit_code == exit_code or (exit_code and ran.exception), (ran.output, ran.exception)
        return f"{ran.output}{ran.exception or ''}"

    prepare(dsn)
    assert "as for everybody" in run("line", "show", "1001")
    shown = run(
        "line", "set", "1001", "does_not_disturb=yes", "blocked_callers+=01632960001", "--max-calls", "2"
    )
    assert "does_not_disturb=yes; blocked_callers=+441632960001" in shown
    found = msgspec.json.decode(run("line", "show", "1001", "--json"))
    assert found["settings"] == {"does_not_disturb": True, "blocked_callers": ["+441632960001"]}
    assert (found["calls_max"], found["user"]) == (2, "1001")
    wrong = run("line", "set", "1001", "speed_dials=x", exit_code=2)
    assert "speed_dials 'x': expected CODE:NUMBER" in wrong
    assert "daily_cap=£12.50" in run("account", "set", "Shop", "daily_cap=12.50", "--max-calls", "4")
    found = msgspec.json.decode(run("account", "show", "Shop", "--json"))
    assert found["view"]["account"]["settings"] == {"daily_cap_micros": 12_500_000}
    assert "expected one of bars, operator_bars" in run("account", "set", "Shop", "cap=1", exit_code=2)
