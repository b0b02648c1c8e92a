"""`python -m tests.wire.kill [points] [random] ...`: the long kill test, all steps unless some are named.

points: each named point of a call, with each victim, once a seed.
random: 50 kills at random moments, some with a top-up on its way.
orderly: SIGTERM while calls are up.
recovery: the switch killed again and again while it recovers.
outage: ten minutes without PostgreSQL.
machine: every process killed at once, and started again while PostgreSQL cannot start.

Exit code 1 when a record or a penny is missing, with all that was wrong.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
STEPS = ("points", "random", "orderly", "recovery", "outage", "machine")
VICTIMS = (Part.SWITCH, Part.JOURNAL, Part.POSTGRES)


class LongTest:
    """The steps on one exchange. A step that fails is counted, and the next one is taken."""

    def __init__(self, drill: Drill, arguments: argparse.Namespace, *, seed: int) -> None:
        self._drill = drill
        self._arguments = arguments
        self._seed = seed
        self.failures = 0

    def run(self) -> None:
        for name in self._arguments.steps or STEPS:
            {
                "points": self._points,
                "random": self._random_kills,
                "orderly": self._orderly,
                "recovery": self._recovery,
                "outage": self._outage,
                "machine": self._machine_fails,
            }[name]()

    @contextmanager
    def _audited(self, what: str) -> Iterator[None]:
        _say(what)
        try:
            with self._drill.load():
                yield
        except AuditFailed as failure:
            self.failures += 1
            _say(f"FAILED: {failure}")

    def _points(self) -> None:
        for index, point in enumerate(sorted(NAMES)):
            for victim in VICTIMS:
                with self._audited(f"{victim.name.lower()} dies at {point}"):
                    self._drill.kill_at(point, victim, count=1 + (self._seed + index) % 7)

    def _random_kills(self) -> None:
        kills = -(-self._arguments.random_kills // self._arguments.seeds)
        for first in range(0, kills, KILLS_BETWEEN_AUDITS):
            last = min(first + KILLS_BETWEEN_AUDITS, kills)
            with self._audited(f"random kills {first + 1} to {last}"):
                for _ in range(first, last):
                    self._drill.kill_at_random()

    def _orderly(self) -> None:
        with self._audited("an orderly stop"):
            self._drill.stop_under_load()

    def _recovery(self) -> None:
        with self._audited(f"the switch dies, and {KILLS_WHILE_RECOVERING} times more while it recovers"):
            self._drill.kill_while_recovering(KILLS_WHILE_RECOVERING)

    def _outage(self) -> None:
        seconds = self._arguments.outage
        if self._seed != self._arguments.seed:
            return
        with self._audited(f"PostgreSQL away for {seconds:.0f} s"), self._drill.without_postgres():
            _say(f"  {self._drill.answered_during(seconds)} calls answered meanwhile")

    def _machine_fails(self) -> None:
        self._drill.restart()
        with self._audited("every process dies; PostgreSQL cannot start"):
            self._drill.top_up()
            self._drill.kill_everything()
            with self._drill.without_postgres():
                self._drill.start_again()
                _say(f"  {self._drill.answered_during(CHECKPOINT_S)} calls answered from the checkpoint")


def main() -> int:
    arguments = _parse_arguments()
    started = time.monotonic()
    failures = 0
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        with tempfile.TemporaryDirectory(prefix="offhook-kill-") as directory:
            _say(f"seed {seed}")
            with Drill(Path(directory), seed=seed, say=_say).open() as drill:
                test = LongTest(drill, arguments, seed=seed)
                test.run()
                failures += test.failures
    took_s = time.monotonic() - started
    verdict = f"{failures} steps failed" if failures else "every record and every penny was found"
    _say(f"{verdict}, in {took_s:.0f} s")
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
    parser.add_argument("--outage", type=float, default=OUTAGE_S, help="seconds, with the first seed")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
