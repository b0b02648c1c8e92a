"""Plans in the books: imported whole or not at all, given to numbers, heard of by the running exchange."""

from pathlib import Path

import asyncpg
import msgspec
import pytest

from provisioning import service
from provisioning.books.changes import Position, read_changes
from provisioning.books.snapshot import load_snapshot, read_checkpoint, write_checkpoint
from provisioning.model import AccountPlan, Change, Number, NumberChanged, PlanChanged, PlanRemoved
from provisioning.plans import keeping
from provisioning.plans.plan_text import PlanProblems, read_plan
from provisioning.service import InvalidValue, Refused
from tests.provisioning.databases import add_prepaid, in_database

pytestmark = pytest.mark.wire

REALM = "sip.example.com"
DAY = '# the day\nstart = "desk"\n[desk]\nline = "1001"\nelse = "night"\n[night]\nplan = "night"\n'
NIGHT = 'start = "box"\n[box]\nvoicemail = "1001"\n'


async def shop(db: asyncpg.Pool, name: str = "Shop", user: str = "1001") -> None:
    await add_prepaid(db, name)
    await service.add_line(db, user, account_name=name, realm=REALM)


async def told(db: asyncpg.Pool, name: str, text: str, **options: object) -> list[str]:
    """What import says no with."""
    with pytest.raises(PlanProblems) as found:
        await service.import_plan(db, "Shop", name, text, **options)  # type: ignore[arg-type]
    return [str(problem) for problem in found.value.problems]


@in_database
async def test_a_plan_is_kept_as_it_was_written_and_versions_count_its_changes(db: asyncpg.Pool) -> None:
    await shop(db)
    await service.import_plan(db, "shop", "night", NIGHT)
    view = await service.import_plan(db, "Shop", "day", DAY)
    assert (view.text, view.version, view.plan, view.numbers) == (DAY, 1, read_plan(DAY), [])
    assert (await service.import_plan(db, "Shop", "day", DAY)).version == 1
    assert (await service.import_plan(db, "Shop", "day", DAY + "# more\n")).version == 2
    assert (await service.show_plan(db, "Shop", "day")).text == DAY + "# more\n"
    assert [view.name for view in await service.list_plans(db)] == ["day", "night"]
    assert [view.name for view in await service.list_plans(db, "shop")] == ["day", "night"]


@in_database
async def test_what_it_names_must_be_there_and_be_the_accounts_own(db: asyncpg.Pool) -> None:
    await shop(db)
    await shop(db, "Other", "2001")
    await service.import_plan(db, "Other", "night", NIGHT.replace("1001", "2001"))
    assert await told(db, "day", DAY) == [
        "[night] plan: found 'night', expected another plan of the account, imported before"
    ]
    text = 'start = "a"\n[a]\ngroup = ["line 2001", "line 3001"]\nelse = "b"\n[b]\nannounce = "nothing"\n'
    assert await told(db, "day", text, prompts={"closed"}) == [
        "[a]: found line '2001', expected a line of the account",
        "[a]: found line '3001', expected a line of the account",
        "[b]: found the prompt 'nothing', expected a prompt of the exchange, or \"own.NAME\"",
    ]
    assert len(await told(db, "day", 'start = "x"\n' + text.partition("\n")[2])) == 3
    own = 'start = "a"\n[a]\nannounce = "own.nothing"\n'
    assert (await service.import_plan(db, "Shop", "own", own, prompts={"closed"})).version == 1
    assert [view.name for view in await service.list_plans(db, "Shop")] == ["own"]


@in_database
async def test_plans_in_a_circle_are_refused(db: asyncpg.Pool) -> None:
    await shop(db)
    await service.import_plan(db, "Shop", "night", NIGHT)
    await service.import_plan(db, "Shop", "day", DAY)
    circle = 'start = "p"\n[p]\nplan = "{}"\n'
    (problem,) = await told(db, "night", circle.format("day"))
    assert problem.startswith("found plans that lead back to this one: night to day to night")
    (problem,) = await told(db, "self", circle.format("self"))
    assert problem.startswith("[p]: found plans that lead back to this one: self to self")


@in_database
async def test_a_name_that_is_none_and_an_account_that_is_none(db: asyncpg.Pool) -> None:
    await shop(db)
    for name in ("", "Day", "a b", "a" * 41, "a\0b", "\udc80"):
        with pytest.raises(InvalidValue):
            await service.import_plan(db, "Shop", name, NIGHT)
        with pytest.raises(Refused):
            await service.show_plan(db, "Shop", name)
    for account in ("", "nobody", "a\0b"):
        with pytest.raises(Refused, match="there is no account"):
            await service.import_plan(db, account, "day", NIGHT)


@in_database
async def test_an_account_has_so_many_plans_and_no_more(db: asyncpg.Pool) -> None:
    await shop(db)
    for n in range(keeping.PLANS_PER_ACCOUNT_MAX):
        await service.import_plan(db, "Shop", f"p{n}", NIGHT)
    with pytest.raises(Refused, match="as many as it may have"):
        await service.import_plan(db, "Shop", "more", NIGHT)
    assert (await service.import_plan(db, "Shop", "p0", NIGHT + "#\n")).version == 2


@in_database
async def test_numbers_lead_to_plans_of_their_own_account(db: asyncpg.Pool) -> None:
    await shop(db)
    await shop(db, "Other", "2001")
    await service.import_plan(db, "Shop", "night", NIGHT)
    await service.assign_numbers(db, "02079460100-02079460102", "1001")
    await service.assign_number(db, "01632 960001", "2001")
    views = await service.assign_plan(db, "020 7946 0100-102", "night")
    assert [(view.line, view.plan) for view in views] == [("1001", "night")] * 3
    with pytest.raises(Refused, match="account 'Other' has no plan 'night'"):
        await service.assign_plan(db, "01632 960001", "night")
    with pytest.raises(Refused, match="is not assigned"):
        await service.assign_plan(db, "01632 960009", "night")
    with pytest.raises(Refused, match=r"still has \+442079460100, \+442079460101, \+442079460102"):
        await service.delete_plan(db, "Shop", "night")
    await service.unassign_numbers(db, "02079460100-02079460102")
    with pytest.raises(Refused, match="plan 'night' names line '1001'"):
        await service.remove_line(db, "1001")
    assert (await service.delete_plan(db, "Shop", "night")).name == "night"
    await service.remove_line(db, "1001")
    # whoever writes
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await db.execute("UPDATE numbers SET plan_id = 1")
    await shop(db, "Third", "3001")
    await service.import_plan(db, "Third", "x", NIGHT.replace("1001", "3001"))
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="is not of the account"):
        await db.execute("UPDATE numbers SET plan_id = (SELECT id FROM plans WHERE name = 'x')")


@in_database
async def test_a_plan_that_others_lead_to_stays(db: asyncpg.Pool) -> None:
    await shop(db)
    await service.import_plan(db, "Shop", "night", NIGHT)
    await service.import_plan(db, "Shop", "day", DAY)
    with pytest.raises(Refused, match="plan 'day' leads to plan 'night'"):
        await service.delete_plan(db, "Shop", "night")
    await service.delete_plan(db, "Shop", "day")
    await service.delete_plan(db, "Shop", "night")
    with pytest.raises(Refused, match="has no plan"):
        await service.delete_plan(db, "Shop", "night")


@in_database
async def test_a_running_exchange_hears_of_plans_before_the_numbers_that_lead_to_them(
    db: asyncpg.Pool,
) -> None:
    await shop(db)
    await service.assign_number(db, "01632 960001", "1001")
    account_id = await db.fetchval("SELECT id FROM accounts")
    plan = read_plan(NIGHT)
    async with db.acquire() as connection:
        position = Position.of_snapshot(await load_snapshot(connection, ""))

        async def heard() -> list[Change]:
            changes = await read_changes(connection, position)
            if changes is None:
                return []
            position.advance(changes)
            return changes.changes

        await service.import_plan(db, "Shop", "night", NIGHT)
        await service.assign_plan(db, "01632 960001", "night")
        assert await heard() == [
            PlanChanged(AccountPlan(account_id, "night", 1, plan)),
            NumberChanged(Number("+441632960001", "1001", "night")),
        ]
        await service.import_plan(db, "Shop", "night", NIGHT)
        await service.assign_plan(db, "01632 960001", "night")
        assert await heard() == []
        await service.import_plan(db, "Shop", "night", NIGHT + "#\n")
        assert await heard() == [PlanChanged(AccountPlan(account_id, "night", 2, plan))]
        await service.assign_plan(db, "01632 960001", None)
        assert await heard() == [NumberChanged(Number("+441632960001", "1001"))]
        await service.delete_plan(db, "Shop", "night")
        assert await heard() == [PlanRemoved(account_id, "night")]
        with pytest.raises(asyncpg.RestrictViolationError):
            await connection.execute("TRUNCATE plans CASCADE")


def test_the_checkpoint_holds_them_and_one_without_them_is_read(dsn: str, tmp_path: Path) -> None:
    @in_database
    async def check(db: asyncpg.Pool) -> None:
        await shop(db)
        await service.import_plan(db, "Shop", "night", NIGHT)
        await service.import_plan(db, "Shop", "day", DAY)
        await service.assign_number(db, "01632 960001", "1001")
        await service.assign_plan(db, "01632 960001", "day")
        async with db.acquire() as connection:
            snapshot = await load_snapshot(connection, "")
        write_checkpoint(tmp_path / "new", snapshot)
        found = read_checkpoint(tmp_path / "new")
        assert found is not None and found.plans == snapshot.plans and len(found.plans) == 2
        assert found.numbers == [Number("+441632960001", "1001", "day")]
        old = msgspec.to_builtins(snapshot)
        del old["plans"]
        for number in old["numbers"]:
            del number["plan"]
        (tmp_path / "old").write_bytes(msgspec.msgpack.encode(old))
        found = read_checkpoint(tmp_path / "old")
        assert found is not None and found.plans == [] and found.numbers[0].plan == ""

    check(dsn)
