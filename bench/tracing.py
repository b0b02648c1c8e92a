"""`python -m bench.tracing`: what it costs that the messages of every call are noted.

Two exchanges of one build on one machine, one with [trace] as it is shipped and one with ring_mb = 0, take the same
load in turn, pair by pair, each pair in the other order. Compared is CPU time a completed call, of everything but
PostgreSQL, whose work is the same; the median of the pairs' ratios is the figure, as one noisy moment spoils one pair.
The compiled build where `make fast` has been. QUICK=1 measures fewer pairs. Exit code 1 when a run was void or the bar
is missed.
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
from bench.sipp import Caller, find_sipp, start_trunk
from bench.subject import ACCOUNTS, LINES
from bench.whole_job import Desk, JobFigures, make_desk, run_job

BAR_PERCENT = 5.0
RATE = 100
LOAD_S = 8.0
SETTLE_S = 9.0  # a call is judged five seconds after its end, which belongs to what it costs
PAIRS = 9
QUICK_PAIRS = 3
OFF = "[trace]\nring_mb = 0\n"


class Pair(msgspec.Struct, frozen=True):
    """CPU in milliseconds a call, by part."""

    on: dict[str, float]
    off: dict[str, float]

    def ratio(self, *parts: str) -> float:
        """Of these parts, or of all but PostgreSQL."""
        return _sum(self.on, parts) / _sum(self.off, parts)


def _sum(cpu_ms: dict[str, float], parts: tuple[str, ...]) -> float:
    chosen = parts or tuple(part for part in cpu_ms if part != "postgres")
    return sum(cpu_ms.get(part, 0.0) for part in chosen)


def measure(directory: Path, pairs: int) -> list[Pair]:
    """Raises BenchError when a run is void."""
    find_sipp()
    trunk_port, *desk_ports = free_ports(3)
    callers = [Caller(f"line{index:04d}", f"secret{index:04d}") for index in range(LINES)]
    account_of = {caller.user: f"account{index % ACCOUNTS}" for index, caller in enumerate(callers)}
    with contextlib.ExitStack() as stack:
        stack.enter_context(start_trunk(trunk_port, directory))
        exchanges: list[tuple[Exchange, Desk]] = []
        for (title, sections), desk_port in zip(
            ((" tracing", TRACING), (" not tracing", OFF)), desk_ports, strict=True
        ):
            port, metrics_port = free_ports(2)
            place = directory / title.strip().replace(" ", "-")
            exchange = running_exchange(
                place,
                port=port,
                metrics_port=metrics_port,
                trunk_port=trunk_port,
                callers=callers,
                account_of=account_of,
                is_compiled=has_compiled(),
                sections=sections,
                title=title,
            )
            exchanges.append((stack.enter_context(exchange), make_desk(place, callers, port=desk_port)))
        on, off = exchanges
        found = []
        for number in range(pairs + 1):
            first, second = (on, off) if number % 2 else (off, on)
            runs = {id(each): _run(*each) for each in (first, second)}
            if number:  # the first pair warms up
                pair = Pair(runs[id(on)].cpu_ms, runs[id(off)].cpu_ms)
                found.append(pair)
                sys.stderr.write(f"pair {number}: {_percent(pair.ratio())}\n")
        return found


def _run(exchange: Exchange, desk: Desk) -> JobFigures:
    figures = run_job(exchange, desk, rate=RATE, load_s=LOAD_S, settle_s=SETTLE_S)
    if not figures.is_clean:
        raise BenchError(
            f"{exchange.name}: {figures.failed} calls failed; {figures.void}{figures.unexpected}"
        )
    return figures


def _percent(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+.1f} %"


def _median(pairs: list[Pair], *parts: str) -> float:
    return statistics.median(pair.ratio(*parts) for pair in pairs)


def report(pairs: list[Pair]) -> str:
    build = "compiled" if has_compiled() else "plain Python"
    switch_on = statistics.median(pair.on["switch"] for pair in pairs)
    switch_off = statistics.median(pair.off["switch"] for pair in pairs)
    traces = statistics.median(pair.on.get("traces", 0.0) for pair in pairs)
    ratios = sorted(pair.ratio() for pair in pairs)
    return (
        f"Tracing, {build}, {len(pairs)} pairs at {RATE} calls/s:\n"
        f"  CPU a call, all but PostgreSQL: {_percent(_median(pairs))}"
        f" (from {_percent(ratios[0])} to {_percent(ratios[-1])}; the bar is +{BAR_PERCENT:.0f} %)\n"
        f"  switch alone: {_percent(_median(pairs, 'switch'))} ({switch_off:.3f} ms without, {switch_on:.3f} ms with)\n"
        f"  process for traces: {traces:.3f} ms a call\n"
    )


def main() -> int:
    pairs = QUICK_PAIRS if os.environ.get("QUICK") else PAIRS
    try:
        with tempfile.TemporaryDirectory(prefix="offhook-bench-") as directory:
            found = measure(Path(directory), pairs)
    except BenchError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(report(found))
    return 0 if (_median(found) - 1) * 100 <= BAR_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
