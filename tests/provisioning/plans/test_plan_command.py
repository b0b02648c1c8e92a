"""`offhook plan`: checked without a database, imported, exported as it was written, given to numbers."""

from pathlib import Path

import asyncpg
import msgspec
import pytest
import typer.testing

from offhook.__main__ import app
from provisioning import service
from tests.provisioning.databases import in_database
from tests.provisioning.plans.test_keeping import shop

PLAN = """# The shop, ü
start = "opening"
fallback = "box"

[opening]
hours = "office"
then = "desk"
else = "box"

[desk]
group = ["line 1001"]
busy = "box"

[box]
voicemail = "1001"
"""


def run(*arguments: str) -> str:
    ran = typer.testing.CliRunner().invoke(app, list(arguments))
    assert ran.exit_code == 0, (ran.output, ran.exception)
    return ran.output


def refused(*arguments: str) -> str:
    ran = typer.testing.CliRunner().invoke(app, list(arguments))
    assert ran.exit_code != 0
    return f"{ran.output}{ran.exception}"


def test_check_needs_no_database_and_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "time-sets.toml").write_text('[office]\nhours = ["Mon"]\n')
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(PLAN)
    assert run("plan", "check", str(good), "--conf", str(tmp_path)) == "1 plan is valid.\n"
    bad.write_text(
        PLAN.replace('"line 1001"', '"1001"').replace('else = "box"', 'else = "bix"') + "[x]\nring = 3\n"
    )
    told = refused("plan", "check", str(good), str(bad), "--conf", str(tmp_path))
    assert f"{bad}:8: [opening] else: found 'bix', expected perhaps box" in told
    assert f"{bad}:11: [desk] group: found '1001', expected" in told
    assert f"{bad}:16: [x]: found nothing that says what it does" in told
    bad.write_text("start =")
    assert f"{bad}: found a text that is not TOML" in refused(
        "plan", "check", str(bad), "--conf", str(tmp_path)
    )
    bad.write_bytes(b"\xff")
    assert "UTF-8" in refused("plan", "check", str(bad))
    assert "no such file" in refused("plan", "check", str(tmp_path / "none.toml"))


def test_check_warns_of_what_is_unwise_and_refuses_prompts_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(PLAN + '[left]\nannounce = "own.x"\n')
    told = run("plan", "check", str(file), "--conf", str(tmp_path))
    assert "warning" in told and "the time set office is not in" in told
    assert "[left] no call comes to this node" in told
    file.write_text(PLAN + '[left]\nannounce = "no-such-words"\n')
    assert f"{file}:16: [left]: found the prompt 'no-such-words'" in refused("plan", "check", str(file))


@pytest.mark.wire
def test_the_way_of_a_plan(dsn: str, tmp_path: Path) -> None:
    @in_database
    async def prepare(db: asyncpg.Pool) -> None:
        await shop(db)
        await service.assign_numbers(db, "02079460100-02079460101", "1001")

    prepare(dsn)
    file = tmp_path / "day.toml"
    file.write_text(PLAN)
    books = ("--dsn", dsn)
    assert "No account has a plan" in run("plan", "list", *books)
    told = refused("plan", "import", str(file), "--account", "Shop", "--name", "Day", *books)
    assert "plan 'Day': expected a name" in told
    told = run("plan", "import", str(file), "--account", "shop", "--conf", str(tmp_path), *books)
    assert "Plan day of Shop is in force in version 1." in told
    assert "the time set office is not in" in told
    assert "warning: plan day of Shop: [opening] time set office is not in time-sets.toml" in run(
        "check", *books
    )
    assert run("plan", "export", "day", "--account", "Shop", *books) == PLAN
    run("plan", "export", "day", str(tmp_path / "out.toml"), "--account", "Shop", *books)
    assert (tmp_path / "out.toml").read_text() == PLAN
    assert "+442079460100 goes by plan day." in run("plan", "assign", "020 7946 0100", "day", *books)
    shown = run("plan", "show", "day", "--account", "Shop", *books)
    assert "hours office" in shown and "then desk, else box" in shown and "+442079460100" in shown
    assert "group line 1001, together, for 20 s" in shown and "busy box" in shown
    nodes = [line.split()[0] for line in shown.splitlines() if not line.startswith(("plan ", "about ", "NODE"))]
    assert nodes[-3:] == ["opening", "desk", "box"], "in the order in which they were written"
    assert msgspec.json.decode(run("plan", "list", "--json", *books))[0]["numbers"] == ["+442079460100"]
    assert "day" in run("number", "list", *books)
    assert "still has +442079460100" in refused("plan", "delete", "day", "--account", "Shop", *books)
    for wrong in (["020 7946 0100"], ["020 7946 0100", "day", "--none"]):
        assert "name a plan, or say --none" in refused("plan", "assign", *wrong, *books)
    told = run("plan", "assign", "020 7946 0100-101", "--none", *books)
    assert "2 numbers, +442079460100 to +442079460101, ring line 1001." in told
    assert "is gone" in run("plan", "delete", "day", "--account", "Shop", *books)
    file.write_text(PLAN.replace("1001", "1009"))
    told = refused("plan", "import", str(file), "--account", "Shop", *books)
    assert f"{file}:10: [desk]: found line '1009', expected a line of the account" in told


@pytest.mark.wire
def test_what_is_shown_of_a_plan_answers_where_a_key_leads(dsn: str, tmp_path: Path) -> None:
    in_database(shop)(dsn)
    file = tmp_path / "day.toml"
    file.write_text(
        'start = "menu"\n[menu]\nmenu = "welcome"\npress = { 2 = "split", 1 = "team", "*" = "menu" }\nextensions = 4\n'
        'else = "desk"\n[split]\nsplit = { team = 60, desk = 40 }\n[team]\nstrategy = "in_order"\n'
        'group = ["line 1001 for 7 s", "number 07700 900123"]\nring = 12\n[desk]\nline = "1001"\nring = 9\n'
        '[wait]\nqueue = ["line 1001"]\nwaiting_max = 3\nwait_max = 90\n'
    )
    run("plan", "import", str(file), "--account", "Shop", "--dsn", dsn)
    shown = run("plan", "show", "day", "--account", "Shop", "--dsn", dsn)
    for told in (
        "menu welcome, or the 4 digits of an extension",
        "* menu, 1 team, 2 split, else desk",
        "60 % team, 40 % desk",
        "group line 1001 for 7 s, number +447700900123, in_order, for 12 s",
        "line 1001 for 9 s, with its diverts",
        "queue line 1001, longest_idle, for 20 s; 3 callers, 90 s",
    ):
        assert told in shown, shown
