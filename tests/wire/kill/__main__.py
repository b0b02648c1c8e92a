"""`python -m tests.wire.kill [points] [random] ...`: the long kill test, all steps unless some are named.

points: each named point of a call, with each victim, once a seed. random: 50 kills at random moments.
recovery: the switch killed again and again while it recovers. outage: ten minutes without PostgreSQL.
machine: every process killed at once, and started again while PostgreSQL cannot start.
Exit code 1 when a record or a penny is missing, with all that was wrong.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from switch.failpoints import NAMES
from tests.wire.kill.drill import AuditFailed, Drill
from tests.wire.kill.victims import Part

SEEDS = 3
RANDOM_KILLS = 50
KILLS_BETWEEN_AUDITS = 5
OUTAGE_S = 600.0
CHECKPOINT_S = 10.0
KILLS_WHILE_RECOVERING = 5
STEPS = ("points", "random", "recovery", "outage", "machine")
VICTIMS = (Part.SWITCH, Part.JOURNAL, Part.POSTGRES)


def main() -> int:
    arguments = _parse_arguments()
    started = time.monotonic()
    failures = 0
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        is_last = seed == arguments.seed + arguments.seeds - 1
        steps: dict[str, Callable[[Drill], None]] = {
            "points": lambda drill, seed=seed: _points(drill, seed),  # type: ignore[misc]
            "random": lambda drill: _random_kills(drill, -(-arguments.random_kills // arguments.seeds)),
            "outage": lambda drill, is_last=is_last: _outage(drill, arguments.outage if is_last else 0),  # type: ignore[misc]
            "recovery": _recovery,
            "machine": _machine_fails,
        }
        with tempfile.TemporaryDirectory(prefix="offhook-kill-") as directory:
            drill = Drill(Path(directory), seed=seed, say=_say)
            _say(f"seed {seed}")
            with drill.open():
                for name in arguments.steps or STEPS:
                    try:
                        steps[name](drill)
                    except AuditFailed as failure:
                        failures += 1
                        _say(f"FAILED: {failure}")
    took_s = time.monotonic() - started
    _say(
        f"{failures} steps failed"
        if failures
        else f"every record and every penny was found, in {took_s:.0f} s"
    )
    return 1 if failures else 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.wire.kill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("steps", nargs="*", choices=[*STEPS, []])
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many of them")
    parser.add_argument("--random-kills", type=int, default=RANDOM_KILLS, help="over all seeds")
    parser.add_argument("--outage", type=float, default=OUTAGE_S, help="seconds, with the last seed")
    return parser.parse_args()


def _points(drill: Drill, seed: int) -> None:
    for index, point in enumerate(sorted(NAMES)):
        for victim in VICTIMS:
            _say(f"{victim.name.lower()} dies at {point}")
            with drill.load():
                drill.kill_at(point, victim, count=1 + (seed + index) % 7)


def _random_kills(drill: Drill, kills: int) -> None:
    for first in range(0, kills, KILLS_BETWEEN_AUDITS):
        last = min(first + KILLS_BETWEEN_AUDITS, kills)
        _say(f"random kills {first + 1} to {last}")
        with drill.load():
            for _ in range(first, last):
                drill.kill_at_random()


def _recovery(drill: Drill) -> None:
    _say(f"the switch dies, and {KILLS_WHILE_RECOVERING} times more while it recovers")
    with drill.load():
        drill.kill_while_recovering(KILLS_WHILE_RECOVERING)


def _outage(drill: Drill, seconds: float) -> None:
    if not seconds:
        return
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
            _say(f"  {drill.answered_during(CHECKPOINT_S)} calls answered from the checkpoint")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
