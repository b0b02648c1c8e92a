"""`python -m bench.training`: the load that tells the compiler what is hot in the compiled call path (`make fast`).

The wheel that is installed when this runs counts its branches (GCC's -fprofile-generate); each process writes its
counts when it ends. It sees registrations, calls with the relay and without, and sound. The counts are shares and not
times, and counting is slow: so the rates are low, and neither a busy machine nor a failed call does harm. Exit code 1
when the load could not be made at all.
"""

import sys
import tempfile
from pathlib import Path

from bench.exchange import COMPILED_PYTHON, running_exchange
from bench.media import MediaPlan, relay, run_load
from bench.plan import TRAINING
from bench.ports import free_ports
from bench.program import BenchError
from bench.registrations import run_registrations
from bench.sipp import find_sipp, make_callers, start_trunk
from bench.subject import LINES
from bench.whole_job import make_desk, run_job

SOUND = MediaPlan(calls=50, seconds=3.0, rounds=1)


def train(directory: Path) -> None:
    """Raises BenchError when an exchange or its callers cannot be started."""
    find_sipp()
    callers = make_callers(LINES)
    for has_relay in (False, True):
        place = directory / ("relayed" if has_relay else "direct")
        port, metrics_port, trunk_port, desk_port = free_ports(4)
        exchange = running_exchange(
            place,
            port=port,
            metrics_port=metrics_port,
            trunk_port=trunk_port,
            callers=callers,
            is_compiled=True,
            has_relay=has_relay,
        )
        with start_trunk(trunk_port, directory), exchange as subject:
            desk = make_desk(place, callers, port=desk_port)
            run_registrations(subject, desk, TRAINING)
            run_job(subject, desk, rate=TRAINING.rates[0], load_s=TRAINING.load_s, settle_s=TRAINING.settle_s)
    with relay(directory, SOUND, python=str(COMPILED_PYTHON.absolute()), name="relay") as sound:
        run_load(sound, SOUND)


def main() -> int:
    try:
        with tempfile.TemporaryDirectory(prefix="offhook-bench-") as directory:
            train(Path(directory))
    except BenchError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
