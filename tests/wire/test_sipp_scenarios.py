"""SIPp plays phones and carriers against a real exchange; each scenario's records and money are checked."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipp_scenarios.runner import Stage
from sipp_scenarios.scenarios import SCENARIOS, Scenario
from sipp_scenarios.sipp import SCENARIOS as SCENARIO_FILES
from sipp_scenarios.sipp import sipp_program

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(sipp_program() is None, reason="sipp is not installed: apt-get install sip-tester"),
]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    # Not pytest's own directory: a second pytest closes that to PostgreSQL's user while the first one runs.
    with (
        tempfile.TemporaryDirectory(prefix="offhook-sipp-") as directory,
        Stage(Path(directory)).open() as opened,
    ):
        yield opened


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario_ends_as_expected_and_is_on_record(scenario: Scenario, stage: Stage) -> None:
    stage.run(scenario)


def test_every_scenario_file_is_played_by_some_scenario() -> None:
    played = {
        name for scenario in SCENARIOS for name in (scenario.caller, scenario.callee, scenario.reserve)
    } | {"phone_leaves"}
    assert {file.stem for file in SCENARIO_FILES.glob("*.xml")} == played - {"", "silent"}
