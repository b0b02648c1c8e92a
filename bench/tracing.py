"""`python -m bench.tracing`: what it costs that the messages of every call are noted.

Exchanges of one build on one machine, two with [trace] as it is shipped and two with ring_mb = 0, take the same load in
turn, round by round, each round in the other order. Two of each, because the same exchange started twice differs from
itself by up to 4 %, and goes on doing so. Compared is CPU time a completed call, of everything but PostgreSQL, whose
work is the same; the median of the rounds' ratios is the figure, as one noisy moment spoils one round. The compiled
build where `make fast` has been. QUICK=1 measures fewer rounds. Exit code 1 when a run was void or the bar is missed.
"""

import contextlib
import os
import statistics
import sys
import tempfile
from pathlib import Path

import msgspec

from bench.exchange import TRACING, Exchange, has_compiled, running_exchange
from bench.ports import free_ports
from bench.program import BenchError
from bench.sipp import find_sipp, make_callers, start_trunk
from bench.subject import LINES
from bench.whole_job import Desk, JobFigures, make_desk, run_job

BAR_PERCENT = 5.0
RATE = 100
LOAD_S = 8.0
SETTLE_S = 9.0  # a call is judged five seconds after its end, which belongs to what it costs
ROUNDS = 5
QUICK_ROUNDS = 2
COPIES = 2
OFF = "[trace]\nring_mb = 0\n"


class Round(msgspec.Struct, frozen=True):
    """CPU in milliseconds a call, by part: the mean of the exchanges with and of those without."""

    on: dict[str, float]
    off: dict[str, float]

    def ratio(self, *parts: str) -> float:
        """Of these parts, or of all but PostgreSQL."""
        return _sum(self.on, parts) / _sum(self.off, parts)


def _sum(cpu_ms: dict[str, float], parts: tuple[str, ...]) -> float:
    chosen = parts or tuple(part for part in cpu_ms if part != "postgres")
    return sum(cpu_ms.get(part, 0.0) for part in chosen)


def measure(directory: Path, rounds: int) -> list[Round]:
    """Raises BenchError when a run is void."""
    find_sipp()
    kinds = [(" tracing", TRACING), (" not tracing", OFF)] * COPIES
    trunk_port, *desk_ports = free_ports(1 + len(kinds))
    callers = make_callers(LINES)
    with contextlib.ExitStack() as stack:
        stack.enter_context(start_trunk(trunk_port, directory))
        exchanges: list[tuple[Exchange, Desk]] = []
        for number, ((title, sections), desk_port) in enumerate(zip(kinds, desk_ports, strict=True)):
            port, metrics_port = free_ports(2)
            place = directory / str(number)
            exchange = running_exchange(
                place,
                port=port,
                metrics_port=metrics_port,
                trunk_port=trunk_port,
                callers=callers,
                is_compiled=has_compiled(),
                sections=sections,
                title=f"{title} {number}",
            )
            exchanges.append((stack.enter_context(exchange), make_desk(place, callers, port=desk_port)))
        found = []
        for number in range(rounds + 1):
            order = exchanges if number % 2 else exchanges[::-1]
            runs = {id(each): _run(*each) for each in order}
            if number:  # the first round warms up
                figures = [runs[id(each)].cpu_ms for each in exchanges]
                found.append(Round(_mean(figures[::2]), _mean(figures[1::2])))
                sys.stderr.write(f"round {number}: {_percent(found[-1].ratio())}\n")
        return found


def _mean(figures: list[dict[str, float]]) -> dict[str, float]:
    return {part: statistics.fmean(each[part] for each in figures) for part in figures[0]}


def _run(exchange: Exchange, desk: Desk) -> JobFigures:
    figures = run_job(exchange, desk, rate=RATE, load_s=LOAD_S, settle_s=SETTLE_S)
    if not figures.is_clean:
        raise BenchError(
            f"{exchange.name}: {figures.failed} calls failed; {figures.void}{figures.unexpected}"
        )
    return figures


def _percent(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+.1f} %"


def _median(rounds: list[Round], *parts: str) -> float:
    return statistics.median(each.ratio(*parts) for each in rounds)


def report(rounds: list[Round]) -> str:
    build = "compiled" if has_compiled() else "plain Python"
    switch_on = statistics.median(each.on["switch"] for each in rounds)
    switch_off = statistics.median(each.off["switch"] for each in rounds)
    traces = statistics.median(each.on.get("traces", 0.0) for each in rounds)
    ratios = sorted(each.ratio() for each in rounds)
    return (
        f"Tracing, {build}, {len(rounds)} rounds at {RATE} calls/s, {COPIES} exchanges with and {COPIES} without:\n"
        f"  CPU a call, all but PostgreSQL: {_percent(_median(rounds))}"
        f" (from {_percent(ratios[0])} to {_percent(ratios[-1])}; the bar is +{BAR_PERCENT:.0f} %)\n"
        f"  switch alone: {_percent(_median(rounds, 'switch'))}"
        f" ({switch_off:.3f} ms without, {switch_on:.3f} ms with)\n"
        f"  process for traces: {traces:.3f} ms a call\n"
    )


def main() -> int:
    rounds = QUICK_ROUNDS if os.environ.get("QUICK") else ROUNDS
    try:
        with tempfile.TemporaryDirectory(prefix="offhook-bench-") as directory:
            found = measure(Path(directory), rounds)
    except BenchError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(report(found))
    return 0 if (_median(found) - 1) * 100 <= BAR_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
