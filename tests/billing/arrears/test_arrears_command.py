"""`offhook arrears`, on a real database: what an operator types and reads."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from offhook.__main__ import app
from offhook.commands import arrears
from provisioning import service
from tests.billing.arrears.slow_payer import CONF_DIR, SlowPayer, date

pytestmark = pytest.mark.wire

TODAY = date("2026-04-15")


@pytest.fixture
def payer_name(dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Somebody whose dear calls are stopped."""
    monkeypatch.setattr(arrears, "_today", lambda: TODAY)

    async def owe() -> str:
        async with service.connect(dsn) as db:
            payer = await SlowPayer.move_in(db)
            await payer.is_billed("2026-03-02", 90)
            await payer.run_days("2026-03-16", "2026-04-14")
            return payer.name

    return asyncio.run(owe())


def run(dsn: str, tmp_path: Path, *words: str) -> Result:
    place = ["--data", str(tmp_path), "--dsn", dsn]
    if words[0] in ("run", "plan"):
        place += ["--conf", str(CONF_DIR)]
    return CliRunner().invoke(app, ["arrears", *words, *place])


def run_json(dsn: str, tmp_path: Path, *words: str) -> object:
    done = run(dsn, tmp_path, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_list_and_show(dsn: str, tmp_path: Path, payer_name: str) -> None:
    [row] = run_json(dsn, tmp_path, "list")
    assert (row["account"], row["overdue_micros"], row["rung"]) == (
        payer_name,
        90_000_000,
        "premium_and_international",
    )
    told = run(dsn, tmp_path, "list").output
    assert "outgoing on 2026-04-23, warned" in told
    told = run(dsn, tmp_path, "show", payer_name).output
    for words in ("£90.00", "premium_and_international since 2026-04-09", "reminder", "warned", "2026-03-16"):
        assert words in told


def test_a_plan_and_its_release(dsn: str, tmp_path: Path, payer_name: str) -> None:
    told = run(dsn, tmp_path, "plan", payer_name, "--instalments", "3", "--first", "2026-05-01").output
    assert "by 2026-05-01: £30.00" in told and "by 2026-07-01: £30.00" in told
    [row] = run_json(dsn, tmp_path, "list")
    assert (row["overdue_micros"], row["held_micros"], row["restriction"]) == (0, 90_000_000, "")
    again = run(dsn, tmp_path, "plan", payer_name, "--instalments", "2", "--first", "2026-05-01")
    assert "has a payment plan" in str(again.exception)
    assert "1 of its holds and plans ended" in run(dsn, tmp_path, "release", payer_name).output
    [row] = run_json(dsn, tmp_path, "list")
    assert (row["overdue_micros"], row["rung"]) == (90_000_000, "warning")


def test_a_hold_for_a_reason(dsn: str, tmp_path: Path, payer_name: str) -> None:
    done = run(
        dsn,
        tmp_path,
        "hold",
        payer_name,
        "--until",
        "2026-06-01",
        "--reason",
        "difficulty",
        "--note",
        "called",
    )
    assert done.exit_code == 0 and "until 2026-06-01 for all invoices (called)" in done.output
    assert run_json(dsn, tmp_path, "run") == []
    assert "hold for difficulty" in run(dsn, tmp_path, "show", payer_name).output
    for words in (("--until", "soon"), ("--until", "2028-01-01")):
        done = run(dsn, tmp_path, "hold", payer_name, *words, "--reason", "other")
        assert done.exit_code != 0


def test_run_says_what_it_did_and_then_that_nothing_is_due(dsn: str, tmp_path: Path, payer_name: str) -> None:
    assert run(dsn, tmp_path, "run").output.strip() == "Nothing is due."
    assert run_json(dsn, tmp_path, "letters") == []
    assert run(dsn, tmp_path, "letters", "--posted", "7").exit_code != 0


def test_an_unknown_account_is_a_clear_no(dsn: str, tmp_path: Path, payer_name: str) -> None:
    for words in (("show", "Nobody"), ("release", "Nobody")):
        done = run(dsn, tmp_path, *words)
        assert done.exit_code != 0 and "there is no account 'Nobody'" in str(done.exception)


def test_the_restriction_is_lifted_by_a_person(dsn: str, tmp_path: Path, payer_name: str) -> None:
    assert "no restriction any more" in run(dsn, tmp_path, "release", payer_name, "--service").output
    [row] = run_json(dsn, tmp_path, "list")
    assert (row["restriction"], row["rung"]) == ("", "warning")
