"""conf/prometheus and conf/grafana name nothing but what a running exchange exports, and are loaded as they are."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.core import Metric

from billing.counts import BillingCollector, BillingCounts
from offhook.lazy_commands import PLACES
from offhook.paths import DataDir
from offhook.supervisor.conf_home import conf_dir_for, packaged_conf
from portal.counts import PortalCollector, PortalCounts
from switch.calls.counts import EMERGENCY_OUTCOMES
from switch.conf_safety import FraudRule
from switch.config import conf_fingerprint, load_conf
from switch.metrics import SwitchCollector
from switch.trunks.endings import IN, OUT
from switch.watch_metrics import WINDOWS
from tests.switch.calls.test_relayed_calls import talking
from tests.switch.house import House, make_conf, make_line, make_trunk
from tests.switch.test_operator_surface import Running
from tests.switch.voicemail_stand_in import StandIn, voicemail_conf

CONF = packaged_conf()
ALERTS = CONF / "prometheus" / "alerts.yml"
DASHBOARD = CONF / "grafana" / "offhook.json"
RULE_TESTS = Path(__file__).parent / "alerts_test.yml"

# Of the process that stores traces, which Running does not have: its labels.
ELSEWHERE: dict[str, set[str]] = {"offhook_trace_disk_failing": set()}
# What Prometheus itself adds to every sample.
ADDED = {"instance", "job"}
# Values of labels that come from tables of ours.
VALUES: dict[tuple[str, str], set[str]] = {
    ("offhook_emergency_calls_ended_total", "outcome"): set(EMERGENCY_OUTCOMES),
    ("offhook_trunk_cause_load", "window"): set(WINDOWS),
    ("offhook_trunk_cause_load", "direction"): {IN, OUT},
    ("offhook_trunk_cause_load", "cause"): {str(cause) for cause in range(1, 128)},
    ("offhook_alarms_total", "rule"): {rule.value for rule in FraudRule},
    ("offhook_relay_ports", "state"): {"free", "max", "granted"},
}
NAME = re.compile(r"\b(offhook_[a-z0-9_]+)(\{[^}]*\})?")
MATCHER = re.compile(r'([a-z_]+)(=~|!~|!=|=)"([^"]*)"')
GROUPED = re.compile(r"\b(?:by|ignoring|on|without)\s*\(([^)]*)\)")
SHOWN = re.compile(r"\$labels\.([a-z_]+)")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def families() -> Iterator[Metric]:
    """Of a house with trunks, one with the relay in use, one with voicemail; and billing's."""
    house, *_ = talking()
    StandIn(with_voicemail := House(conf=voicemail_conf(), lines=[make_line("alice")]))
    with_trunks = House(
        conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")]), lines=[make_line("alice")]
    )
    for each in (house, with_voicemail, with_trunks):
        yield from SwitchCollector(Running(each)).collect()  # type: ignore[arg-type]
    yield from BillingCollector(BillingCounts()).collect()
    yield from PortalCollector(PortalCounts()).collect()


def exported() -> dict[str, set[str]]:
    """Every name of a sample, and its labels."""
    found = dict(ELSEWHERE)
    for family in families():
        labels = set(family._labelnames)
        for suffix in SUFFIXES[family.type]:
            found[family.name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


def alerts() -> dict[str, str]:
    """The text of each rule, by its name."""
    blocks = re.split(r"^ +- alert: ", ALERTS.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {block.split("\n", 1)[0]: block for block in blocks}


def dashboard() -> Any:
    return json.loads(DASHBOARD.read_text("utf-8"))


def panels() -> list[Any]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return found + [
        variable["definition"] for variable in dashboard()["templating"]["list"] if "definition" in variable
    ]


EXPORTED = exported()
QUERIES = [*alerts().values(), *expressions()]


def selected(query: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each metric of a query with its matchers, label and pattern of values."""
    for name, matchers in NAME.findall(query):
        yield name, [(label, value) for label, _, value in MATCHER.findall(matchers)]


def test_the_files_name_something() -> None:
    assert len(alerts()) > 30
    assert len(expressions()) > 40
    assert len({name for query in QUERIES for name, _ in selected(query)}) > 40


@pytest.mark.parametrize("query", QUERIES)
def test_every_metric_and_label_is_exported(query: str) -> None:
    known = set(ADDED)
    for name, matchers in selected(query):
        assert name in EXPORTED, f"nobody exports {name}"
        known |= EXPORTED[name]
        for label, value in matchers:
            assert label in EXPORTED[name] | ADDED, f"{name} has no label {label}"
            table = VALUES.get((name, label))
            if table is not None:
                assert set(value.split("|")) <= table, f"{name} never has {label} {value}"
    for group in GROUPED.findall(query):
        assert {label.strip() for label in group.split(",")} <= known


@pytest.mark.parametrize("rule", alerts().values(), ids=alerts())
def test_a_rule_says_who_is_wanted_what_happened_and_what_to_do(rule: str) -> None:
    assert re.search(r"^ +labels: \{severity: (page|ticket)\}$", rule, re.MULTILINE)
    assert "          summary: " in rule
    assert "          action: " in rule
    text = rule[: rule.index("annotations:")]
    labels = {label for name, _ in selected(text) for label in EXPORTED[name]}
    groups = [
        {label.strip() for label in group.split(",")} for group in re.findall(r"\bby \(([^)]*)\)", text)
    ]
    kept = set.intersection(*groups) if groups else labels
    assert set(SHOWN.findall(rule)) <= (kept | ADDED if not groups else kept)


@pytest.mark.parametrize("rule", alerts().values(), ids=alerts())
def test_a_command_that_a_rule_names_is_there(rule: str) -> None:
    for command in re.findall(r"`offhook ([a-z]+)", rule):
        assert command in PLACES


def test_promtool_takes_the_rules() -> None:
    run_promtool("check", "rules", str(ALERTS))


def test_the_rules_fire_when_they_should_and_not_otherwise() -> None:
    run_promtool("test", "rules", str(RULE_TESTS))


def run_promtool(*arguments: str) -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# Grafana


def test_every_panel_has_a_number_of_its_own_a_place_and_words() -> None:
    numbers = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(numbers)) == len(numbers)
    cells: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert panel["title"]
        assert place["x"] + place["w"] <= 24
        taken = set(covered(place))
        assert not taken & cells, f"{panel['title']} lies on another panel"
        cells |= taken


def covered(place: dict[str, int]) -> Iterable[tuple[int, int]]:
    return (
        (x, y)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    )


def test_every_query_asks_the_data_source_that_was_chosen() -> None:
    variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    asked = [*panels(), *(target for panel in panels() for target in panel["targets"])]
    asked += [variable for name, variable in variables.items() if name != "datasource"]
    assert all(each["datasource"] == {"type": "prometheus", "uid": "${datasource}"} for each in asked)
    used = {name for query in expressions() for name in re.findall(r"\$([a-z]\w*)", query)}
    assert used == set(variables) - {"datasource"}
    for panel in panels():
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters)


@pytest.mark.parametrize("query", expressions())
def test_brackets_of_a_query_close(query: str) -> None:
    for opening, closing in ("()", "{}", "[]"):
        assert query.count(opening) == query.count(closing)


def test_prometheus_takes_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = "groups:\n  - name: dashboard\n    rules:\n"
    for number, query in enumerate(expressions()):
        if query.startswith("label_values"):
            continue
        plain = query.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$trunk", ".*")
        rules += f"      - record: panel:{number}\n        expr: {json.dumps(plain)}\n"
    (tmp_path / "dashboard.yml").write_text(rules)
    run_promtool("check", "rules", str(tmp_path / "dashboard.yml"))


# Beside the configuration


def test_the_files_come_with_a_first_configuration_and_are_no_part_of_it(tmp_path: Path) -> None:
    chosen = conf_dir_for(DataDir(tmp_path), named=None)
    before = conf_fingerprint(chosen)
    for name in ("prometheus/alerts.yml", "grafana/offhook.json"):
        assert (chosen / name).is_file()
        (chosen / name).write_text("nonsense: [")
    assert conf_fingerprint(chosen) == before
    load_conf(chosen)
