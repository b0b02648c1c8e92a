"""Diverts in the books: set, taken back, heard of by the running exchange, and never half."""

import re
from pathlib import Path

import asyncpg
import msgspec
import pytest
import typer.testing

from offhook.__main__ import app
from provisioning import service
from provisioning.books.changes import Position, read_changes
from provisioning.books.snapshot import load_snapshot, read_checkpoint, write_checkpoint
from provisioning.divert_rules import Destination, Filter
from provisioning.diverts import WHEN_NOT_TAKEN
from provisioning.model import Divert, DivertCondition, DivertKind, LineChanged
from provisioning.service import InvalidValue, ProvisioningProblem, Refused
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
        "('1001', 'busy', 0, 'number', '', 0)",
        "('1001', 'busy', 0, 'number', '999', 0)",
        "('1001', 'busy', 0, 'number', '+441632960001', 0, 4)",
        "('1001', 'busy', 0, 'number', '+441632960001', 0, 0, array_fill('x'::text, ARRAY[21]))",
        "('1001', 'busy', 0, 'number', '+441632960001', 0, 0, '{}', '{}', 'No name')",
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
    assert "'sometimes': expected all, busy" in refused("divert", "set", "1001", "sometimes")
    warned = run("divert", "set", "1001", "busy", "--in-hours", "office", "--conf", "/nowhere")
    assert "warning: the time set office is not in /nowhere/time-sets.toml: it is never that time" in warned
    assert "expected a prompt of the exchange" in refused("divert", "set", "1001", "--to", "announcement:colsed")
    assert "diverts no calls" in run("divert", "clear", "1001")
    assert msgspec.json.decode(run("divert", "clear", "1001", "--json")) == {"line": "1001", "diverts": []}


# Destinations, filters and their order

NUMBER, LINE, PLAN, ANNOUNCEMENT = DivertKind.NUMBER, DivertKind.LINE, DivertKind.PLAN, DivertKind.ANNOUNCEMENT
MOBILE = "+447700900123"
PLAN_TEXT = 'start = "message"\n[message]\nannounce = "closed"\n'


def to_number(text: str, answer_s: int = 0) -> list[Destination]:
    return [Destination(NUMBER, text, answer_s)]


@in_database
async def test_destinations_of_a_condition_stay_in_their_order_each_with_its_time(db: asyncpg.Pool) -> None:
    await a_line(db)
    await service.import_plan(db, "account of 1001", "evening", PLAN_TEXT)
    wanted = [*to_number("07700 900123", 20), Destination(PLAN, "evening"), Destination(ANNOUNCEMENT, "own.closed")]
    view = await service.set_diverts(db, "1001", [BUSY, DECLINED], destinations=wanted)
    assert view.diverts == [
        Divert(condition, kind, to, answer_s=answer_s)
        for condition in (BUSY, DECLINED)
        for kind, to, answer_s in ((NUMBER, MOBILE, 20), (PLAN, "evening", 0), (ANNOUNCEMENT, "own.closed", 0))
    ]
    with pytest.raises(Refused, match="line '1001' diverts calls to plan 'evening'"):
        await service.delete_plan(db, "account of 1001", "evening")
    await service.clear_diverts(db, "1001")
    await service.delete_plan(db, "account of 1001", "evening")


@in_database
async def test_what_is_for_some_calls_replaces_only_itself_and_goes_before_what_is_for_all(db: asyncpg.Pool) -> None:
    await a_line(db)
    await service.assign_number(db, "01632960001", "1001")
    await service.set_diverts(db, "1001", [BUSY])
    some = Filter(("0163296*", "withheld"), ("01632960001",), "office")
    await service.set_diverts(db, "1001", [BUSY], destinations=to_number("07700900001"), only=some)
    view = await service.set_diverts(db, "1001", [BUSY], destinations=to_number("07700900002"), only=some)
    first, last = view.diverts
    assert first == Divert(
        BUSY, NUMBER, "+447700900002", 0, 0, ("+44163296*", "withheld"), ("+441632960001",), "office"
    )
    assert last == Divert(BUSY, VOICEMAIL)
    view = await service.clear_diverts(db, "1001", [BUSY], only=some)
    assert view.diverts == [Divert(BUSY, VOICEMAIL)]


@in_database
async def test_a_code_leaves_the_mailbox_behind_what_it_sets(db: asyncpg.Pool) -> None:
    await a_line(db)
    await service.set_diverts(db, "1001")
    for number in ("07700900001", "07700900123"):
        view = await service.set_diverts(
            db, "1001", [NO_REPLY], destinations=to_number(number), ring_s=20, keeps_others=True
        )
    assert [divert for divert in view.diverts if divert.condition is NO_REPLY] == [
        Divert(NO_REPLY, NUMBER, MOBILE, 20),
        Divert(NO_REPLY, VOICEMAIL, ring_s=15),
    ]
    view = await service.switch_diverts(db, "1001", [NO_REPLY], is_enabled=False, by_code=True)
    assert [divert.is_enabled for divert in view.diverts if divert.condition is NO_REPLY] == [False, True]
    view = await service.switch_diverts(db, "1001", [NO_REPLY], is_enabled=True, by_code=True)
    assert all(divert.is_enabled for divert in view.diverts)
    view = await service.clear_diverts(db, "1001", by_code=True)
    assert {divert.kind for divert in view.diverts} == {VOICEMAIL} and len(view.diverts) == 3
    with pytest.raises(Refused, match="no such divert that could be switched on"):
        await service.switch_diverts(db, "1001", [ALL], is_enabled=True)


@pytest.mark.parametrize(
    ("kind", "to", "words"),
    [
        (NUMBER, "999", "emergency number '999'"),
        (NUMBER, "112", "emergency number"),
        (NUMBER, "18000", "emergency number"),
        (NUMBER, "+44999", "emergency number"),
        (NUMBER, "0909 8790123", "premium rate number"),
        (NUMBER, "+449098790123", "premium rate number"),
        (NUMBER, "118500", "directory enquiries"),
        (NUMBER, "0044118500", "directory enquiries"),
        (NUMBER, "960123", "expected a telephone number such as"),
        (NUMBER, "0163", "expected a telephone number"),
        (NUMBER, "04123456789", "expected 10 digits"),
        (NUMBER, "", "expected a telephone number"),
        (NUMBER, "\x1b[2J", "x1b[2J'"),
        (NUMBER, "01632960001", "is the line's own"),
        (NUMBER, "01632960003", "takes no diverted calls"),
        (LINE, "1001", "cannot be diverted to itself"),
        (LINE, "2001", "there is no line '2001' of the same account"),
        (LINE, "1009", "there is no line '1009' of the same account"),
        (LINE, "1003", "takes no diverted calls: its owner has refused them"),
        (PLAN, "", "no plan ''"),
        (PLAN, "evening", "the line's account has no plan 'evening'"),
        (PLAN, "\x1b[2J", "x1b[2J'"),
        (ANNOUNCEMENT, "x" * 65, "announcement"),
        (ANNOUNCEMENT, "a;status=200", "announcement 'a;status=200'"),
        (ANNOUNCEMENT, "colsed", 'a prompt of the exchange, or "own.NAME"'),
        (VOICEMAIL, "1002", "the line's own mailbox"),
    ],
)
def test_where_calls_cannot_be_diverted_to(dsn: str, kind: DivertKind, to: str, words: str) -> None:
    @in_database
    async def check(db: asyncpg.Pool) -> None:
        await a_line(db)
        await a_line(db, "2001")
        await service.import_plan(db, "account of 2001", "evening", PLAN_TEXT)
        await service.add_line(db, "1003", account_name="account of 1001", realm=REALM)
        await service.set_line(db, "1003", settings=["refuses_diverts=yes"])
        await service.assign_number(db, "01632960001", "1001")
        await service.assign_number(db, "01632960003", "1003")
        with pytest.raises(ProvisioningProblem) as caught:
            wanted = [Destination(kind, to)]
            await service.set_diverts(db, "1001", [ALL], destinations=wanted, prompts={"closed"})
        assert words in str(caught.value) and str(caught.value).isprintable()
        assert (await service.show_line(db, "1001")).diverts == []

    check(dsn)


@in_database
async def test_a_filter_that_cannot_be_is_refused(db: asyncpg.Pool) -> None:
    await a_line(db)
    for only, words in (
        (Filter(sources=("every",)), "caller 'every': expected a number"),
        (Filter(ddis=("01632960001",)), "is no number of line '1001'"),
        (Filter(time_set="Office hours"), "time set 'Office hours'"),
        (Filter(sources=tuple(f"0163296{n:02}*" for n in range(21))), "at most 20"),
    ):
        with pytest.raises(ProvisioningProblem, match=re.escape(words)):
            await service.set_diverts(db, "1001", [ALL], only=only)
    with pytest.raises(InvalidValue, match="5 to 120 s, or 0"):
        await service.set_diverts(db, "1001", [ALL], destinations=to_number(MOBILE, 3))


@in_database
async def test_a_line_has_so_many_and_no_more(db: asyncpg.Pool) -> None:
    await a_line(db)
    for n in range(20):
        await service.set_diverts(db, "1001", [ALL], only=Filter(sources=(f"01632960{n:03}",)))
    with pytest.raises(InvalidValue, match="expected at most 20"):
        await service.set_diverts(db, "1001", [BUSY])
    await service.set_diverts(db, "1001", [ALL], only=Filter(sources=("01632960001",)))
    assert len((await service.clear_diverts(db, "1001", [ALL])).diverts) == 0


def test_the_command_of_many_words(dsn: str) -> None:
    @in_database
    async def prepare(db: asyncpg.Pool) -> None:
        await a_line(db)
        await service.add_line(db, "1002", account_name="account of 1001", realm=REALM)

    def run(*arguments: str) -> str:
        ran = typer.testing.CliRunner().invoke(app, ["divert", *arguments, "--dsn", dsn])
        return f"{ran.output}{ran.exception or ''}"

    def diverts() -> list[object]:
        found = msgspec.json.decode(run("list", "--line", "1001", "--json"))["diverts"]
        return [(one["condition"], one["kind"], one["destination"], one["answer_s"]) for one in found]

    prepare(dsn)
    shown = run(
        "set", "1001", "busy", "--to", "number", "07700900123", "--from", "+44163296*", "--in-hours", "office",
        "--after", "20",
    )  # fmt: skip
    assert f"number {MOBILE}" in shown and "+44163296*" in shown and "office" in shown
    assert diverts() == [("busy", "number", MOBILE, 20)]
    run("clear", "1001", "busy", "--from", "0163296*", "--in-hours", "office")
    assert diverts() == []
    run("set", "1001", "all", "--to", "line:1002@25", "--to", "number:07700900123", "--to", "voicemail@30")
    assert diverts() == [
        ("all", "line", "1002", 25), ("all", "number", MOBILE, 0), ("all", "voicemail", "", 30),
    ]  # fmt: skip
    assert "off" in run("switch", "1001", "--off", "all")
    assert run("list", "--line", "1001").count(" off") == 3
    assert "which one? number:WHAT" in run("set", "1001", "all", "--to", "number")
    assert "expected voicemail, number, line" in run("set", "1001", "all", "--to", "moon")
    assert "is not a whole number" in run("set", "1001", "all", "--to", "line:1002@x")
    assert "emergency number" in run("set", "1001", "all", "--to", "number", "999")
    assert "'1003': expected all, busy" in run("set", "1001", "all", "1003", "--to", "voicemail")
