"""`python -m tests.wire.kill`: the long kill test. Each named point with each victim and several seeds, 50 kills at
random, ten minutes without PostgreSQL, and the whole exchange killed while PostgreSQL cannot start.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from switch.failpoints import NAMES
from tests.wire.kill.drill import AuditFailed, Drill
from tests.wire.kill.victims import Part

SEEDS = 3
RANDOM_KILLS = 50
KILLS_BETWEEN_AUDITS = 5
OUTAGE_S = 600.0
VICTIMS = (Part.SWITCH, Part.JOURNAL, Part.POSTGRES)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.wire.kill", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many times each point is visited")
    parser.add_argument("--random", type=int, default=RANDOM_KILLS, help="kills at random")
    parser.add_argument("--outage", type=float, default=OUTAGE_S, help="seconds without PostgreSQL")
    arguments = parser.parse_args()
    started = time.monotonic()
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        with tempfile.TemporaryDirectory(prefix="offhook-kill-") as directory:
            drill = Drill(Path(directory), seed=seed, say=_say)
            _say(f"seed {seed}")
            try:
                with drill.open():
                    _points(drill, seed)
                    _random_kills(drill, arguments.random // arguments.seeds)
                    if seed == arguments.seed:
                        _outage(drill, arguments.outage)
                    _machine_fails(drill)
            except AuditFailed as failure:
                _say(f"FAILED: {failure}")
                return 1
    _say(f"every record and every penny was found, in {time.monotonic() - started:.0f} s")
    return 0


def _points(drill: Drill, seed: int) -> None:
    for index, point in enumerate(sorted(NAMES)):
        for victim in VICTIMS:
            _say(f"{victim.name.lower()} dies at {point}")
            drill.restart_if_slow()
            with drill.load():
                drill.kill_at(point, victim, count=1 + (seed + index) % 7)


def _random_kills(drill: Drill, kills: int) -> None:
    for first in range(0, kills, KILLS_BETWEEN_AUDITS):
        drill.restart()
        _say(f"random kills {first + 1} to {min(first + KILLS_BETWEEN_AUDITS, kills)}")
        with drill.load():
            for _ in range(first, min(first + KILLS_BETWEEN_AUDITS, kills)):
                drill.kill_at_random()


def _outage(drill: Drill, seconds: float) -> None:
    drill.restart()
    _say(f"PostgreSQL away for {seconds:.0f} s")
    with drill.load(), drill.without_postgres():
        _say(f"  {drill.answered_during(seconds)} calls answered meanwhile")


def _machine_fails(drill: Drill) -> None:
    drill.restart()
    _say("the whole exchange dies; PostgreSQL cannot start")
    with drill.load():
        drill.kill_everything()
        with drill.without_postgres():
            drill.start_again()
            _say(f"  {drill.answered_during(10.0)} calls answered from the checkpoint")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
