"""A plan from a file through PostgreSQL into the running switch, as `offhook route explain` sees it there."""

from pathlib import Path

import pytest

from demo.free_ports import free_ports
from sipp_scenarios.exchange import ExchangeConf, RunningExchange

pytestmark = pytest.mark.wire

PLAN = """# of the shop
start = "opening"
fallback = "box"

[opening]
hours = "holidays"
then = "closed"
else = "desk"

[desk]
line = "2001"
ring = 15
else = "mobile"

[mobile]
number = "07700 900456"

[closed]
announce = "not-available"

[box]
voicemail = "2001"
"""
TIME_SETS = '[holidays]\ndates = ["Dec 25"]\n'
WAIT_S = 60.0


def test_a_plan_is_imported_followed_changed_and_survives_a_restart(tmp_path: Path) -> None:
    sip_port, metrics_port, carrier_port = free_ports(3)
    conf = ExchangeConf(sip_port=sip_port, metrics_port=metrics_port, carrier_port=carrier_port)
    exchange = RunningExchange(tmp_path, conf)
    (exchange.conf_dir / "time-sets.toml").write_text(TIME_SETS)
    file = tmp_path / "shop.toml"

    def steps(at: str, *conditions: str) -> list[str]:
        asked = ["--from", "2002", "--to", "01632 960002", "--at", at]
        found: list[str] = exchange.command("route", "explain", *asked, *conditions)["steps"]
        return found

    def moves(at: str, *conditions: str) -> list[str]:
        return [step.removeprefix("move: ") for step in steps(at, *conditions) if step.startswith("move: ")]

    def imported(text: str) -> object:
        file.write_text(text)
        return exchange.command("plan", "import", str(file), "--account", "shop")["version"]

    exchange.start()
    try:
        exchange.command("account", "add", "shop", "--credit", "5")
        for user in ("2001", "2002"):
            exchange.command("line", "add", user, "--account", "shop")
        exchange.command("number", "assign", "01632 960002", "--line", "2001")
        assert imported(PLAN) == 1
        assert exchange.command("plan", "assign", "01632 960002", "shop")["plan"] == "shop"
        at = "2026-12-24 10:15"
        exchange.wait_for(
            lambda: any("leads to plan 'shop'" in step for step in steps(at)), "the plan", WAIT_S
        )
        # No phone is there, and no media server.
        assert moves(at) == ["ring number +447700900456 for 20 s"]
        assert {
            "passed over: line 2001: no phone is registered on the called line",
            "then: no_answer",
            "passed over: plan shop: voicemail cannot be reached",
            "end: the caller is told 480, cause 31 (plan_ended): the plan has nowhere left to go",
        }.issubset(steps(at))
        assert steps(at, "--if", "number=answered")[-1] == "then: it is answered"
        assert "plan: [closed] announce: 'not-available'" in steps("2026-12-25 10:15")
        note = "plan: [opening] hours: 'holidays' says no at Thu 24 Dec 2026 10:15 -> desk"
        assert note in steps(at)

        assert imported(PLAN.replace("ring = 15", "ring = 30")) == 2
        exchange.wait_for(lambda: "plan: [desk] line 2001 for 30 s" in steps(at), "the next version", WAIT_S)
        refused = exchange.run("plan", "delete", "shop", "--account", "shop")
        assert (refused.returncode, "still has +441632960002" in refused.stderr) == (1, True)
        assert exchange.run("plan", "export", "shop", "--account", "shop").stdout == file.read_text()

        exchange.stop()
        exchange.start()
        assert "plan: [desk] line 2001 for 30 s" in steps(at)
        exchange.command("plan", "assign", "01632 960002", "--none")
        exchange.wait_for(lambda: moves(at) == [], "the number to ring its line", WAIT_S)
        exchange.command("plan", "delete", "shop", "--account", "shop")
        assert exchange.command("plan", "list") == []
    finally:
        exchange.kill()
