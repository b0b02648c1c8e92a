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
RANDOM_KILLS = 3
KILLS_WHILE_RECOVERING = 2
FREEZE_S = 1.5
OUTAGE_S = 2.5


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
    with drill.load():
        drill.kill_at(point, Part.SWITCH, count=3)


@pytest.mark.parametrize("part", [Part.JOURNAL, Part.POSTGRES], ids=lambda part: part.name.lower())
@pytest.mark.parametrize("points", [POINTS[:4], POINTS[4:]], ids=" ".join)
def test_calls_go_on_and_nothing_is_lost_when_a_neighbour_dies_at(
    points: list[str], part: Part, drill: Drill
) -> None:
    with drill.load():
        for point in points:
            drill.kill_at(point, part, count=2)


def test_nothing_is_lost_in_random_kills(drill: Drill) -> None:
    with drill.load():
        for _ in range(RANDOM_KILLS):
            drill.kill_at_random()


def test_an_orderly_stop_under_load_ends_settles_and_ships_everything(drill: Drill) -> None:
    with drill.load():
        drill.stop_under_load()


def test_a_recovery_that_is_killed_again_and_again_comes_to_the_same(
    drill: Drill,
) -> None:
    with drill.load():
        drill.kill_while_recovering(KILLS_WHILE_RECOVERING)


def test_an_answer_that_cannot_be_recorded_is_not_passed_on(drill: Drill) -> None:
    with drill.load():
        assert drill.freeze_journal(FREEZE_S) == 0
        assert drill.answered_during(1.0) > 0


def test_calls_go_on_without_the_database_and_their_records_arrive_later(
    drill: Drill,
) -> None:
    with drill.load(), drill.without_postgres():
        assert drill.answered_during(OUTAGE_S) > OUTAGE_S


def test_registered_phones_go_on_calling_after_the_machine_failed_and_the_database_did_not_come_back(
    drill: Drill,
) -> None:
    drill.restart()  # an orderly stop writes a checkpoint, which now knows the lines
    with drill.load():
        drill.top_up()  # after the checkpoint: only the journal knows of it when PostgreSQL is away
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
