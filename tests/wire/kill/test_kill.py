"""The short kill test: each named point once with each victim, some random kills, PostgreSQL away, everything killed.

`python -m tests.wire.kill` is the long one. After each test every record and every penny is looked for (audit.py).
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from switch.failpoints import NAMES
from tests.wire.kill.drill import Drill
from tests.wire.kill.victims import Part

pytestmark = pytest.mark.wire

SEED = 20261122
POINTS = sorted(NAMES)
RANDOM_KILLS = 4
OUTAGE_S = 6.0


@pytest.fixture(scope="module")
def drill() -> Iterator[Drill]:
    # Not pytest's own directory: a second pytest closes that to PostgreSQL's user while the first one runs.
    with (
        tempfile.TemporaryDirectory(prefix="offhook-kill-") as directory,
        Drill(Path(directory), seed=SEED, say=print).open() as opened,
    ):
        yield opened


@pytest.mark.parametrize("point", POINTS)
def test_nothing_is_lost_when_the_switch_dies_at(point: str, drill: Drill) -> None:
    drill.restart_if_slow()
    with drill.load():
        drill.kill_at(point, Part.SWITCH, count=3)


@pytest.mark.parametrize("part", [Part.JOURNAL, Part.POSTGRES], ids=lambda part: part.name.lower())
@pytest.mark.parametrize("points", [POINTS[:4], POINTS[4:]], ids=" ".join)
def test_calls_go_on_and_nothing_is_lost_when_a_neighbour_dies_at(
    points: list[str], part: Part, drill: Drill
) -> None:
    drill.restart()
    with drill.load():
        for point in points:
            drill.kill_at(point, part, count=2)


def test_nothing_is_lost_in_random_kills(drill: Drill) -> None:
    drill.restart()
    with drill.load():
        for _ in range(RANDOM_KILLS):
            drill.kill_at_random()


def test_calls_go_on_without_the_database_and_their_records_arrive_later(drill: Drill) -> None:
    drill.restart()
    with drill.load(), drill.without_postgres():
        assert drill.answered_during(OUTAGE_S) > OUTAGE_S


def test_registered_phones_go_on_calling_after_the_machine_failed_and_the_database_did_not_come_back(
    drill: Drill,
) -> None:
    drill.restart()
    with drill.load():
        drill.kill_everything()
        with drill.without_postgres():
            drill.start_again()
            assert drill.answered_during(OUTAGE_S) > OUTAGE_S


def test_a_second_switch_on_the_same_data_refuses_to_start(drill: Drill) -> None:
    refused = drill.second_switch()
    assert refused.returncode == 3
    assert "only one switch may run on it" in refused.stderr
    again = drill.exchange.run("up")
    assert again.returncode == 1
    assert "already running" in again.stderr
    drill.audit()
