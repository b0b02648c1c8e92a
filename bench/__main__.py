"""`python -m bench`: what a call costs, in at most ten minutes; with QUICK=1, in about two.

Order: both exchanges up; registrations; rounds of the whole job, the exchange and Kamailio in turn, so that a noisy
moment of the machine hits both; the search for the highest rate, which may leave an exchange in pieces; at last the
memory of a fresh one. Prints the tables and writes build/bench.json. Exit code 1 when a figure is void or missing.
"""

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.exchange import Exchange, Histogram, has_compiled, running_exchange
from bench.kamailio import missing_for_kamailio, running_kamailio
from bench.media import FULL_MEDIA, QUICK_MEDIA, measure_media, missing_media
from bench.memory import measure_memory
from bench.plan import FULL, QUICK, Plan
from bench.ports import free_ports
from bench.program import BenchError, Program
from bench.registrations import run_registrations
from bench.report import report
from bench.results import HistogramFigures, LoopFigures, Results, this_machine, write_results
from bench.sipp import find_sipp, make_callers, start_trunk, summarise
from bench.subject import LINES, Subject
from bench.whole_job import Desk, JobFigures, make_desk, run_job, search_highest_rate

JSON_FILE = Path("build") / "bench.json"
LAG_METRIC = "offhook_event_loop_lag_seconds"
DIAL_METRIC = "offhook_post_dial_delay_seconds"


class Bench:
    """One run: the subjects, where results go, and what is said meanwhile."""

    def __init__(self, plan: Plan, desks: dict[str, Desk], results: Results, subjects: list[Subject]) -> None:
        self.plan = plan
        self.desks = desks
        self.results = results
        self.subjects = subjects

    def registrations(self) -> None:
        for subject in self.subjects:
            say(f"registrations, {subject.name}")
            self.results.registrations.append(run_registrations(subject, self.desks[subject.name], self.plan))

    def rounds(self) -> None:
        for number in range(self.plan.rounds):
            for rate in self.plan.rates:
                for subject in self.subjects:
                    say(f"whole job, round {number + 1}, {rate} calls/s, {subject.name}")
                    self.results.jobs.append(self._job(subject, rate))

    def search(self) -> None:
        for subject in self.subjects:
            clean = [
                job.rate_asked
                for job in self.results.jobs
                if job.subject == subject.name and job.is_sustained
            ]
            say(f"highest rate, {subject.name}")
            known_good = max(clean, default=self.plan.rates[0] / self.plan.search_growth)
            self.results.search += search_highest_rate(
                subject, self.desks[subject.name], self.plan, known_good=known_good
            )

    def _job(self, subject: Subject, rate: int) -> JobFigures:
        plan, desk = self.plan, self.desks[subject.name]

        def run() -> JobFigures:
            return run_job(subject, desk, rate=rate, load_s=plan.load_s, settle_s=plan.settle_s)

        if not isinstance(subject, Exchange) or rate != plan.rates[0]:
            return run()
        figures, loop = watch_loop(subject, desk.directory, rate, run)
        self.results.loop.append(loop)
        return figures


def watch_loop(
    exchange: Exchange, directory: Path, rate: float, run: Callable[[], JobFigures]
) -> tuple[JobFigures, LoopFigures]:
    """Runs a job and compares the switch's loop with an idle one in the same seconds."""
    before = exchange.metrics()
    with idle_loop(directory) as idle:
        figures = run()
        idle.stop()
        after = exchange.metrics()
    lags_ms = json.loads(idle.log.read_text(encoding="ascii") or "[]")
    lag = after.histogram(LAG_METRIC) - before.histogram(LAG_METRIC)
    dial = after.histogram(DIAL_METRIC) - before.histogram(DIAL_METRIC)
    return figures, LoopFigures(exchange.name, rate, _bounds(lag), summarise(lags_ms), _bounds(dial))


@contextlib.contextmanager
def idle_loop(directory: Path) -> Iterator[Program]:
    command = [sys.executable, "-m", "bench.idle_loop"]
    with Program("idle loop", command, log=directory / "idle.json") as program:
        yield program


def _bounds(histogram: Histogram) -> HistogramFigures:
    return HistogramFigures(
        histogram.count,
        histogram.below_s(0.5) * 1000,
        histogram.below_s(0.99) * 1000,
        histogram.below_s(1.0) * 1000,
    )


def measure(plan: Plan, results: Results, directory: Path) -> None:
    """Fills `results`. Raises BenchError when something cannot be measured at all."""
    find_sipp()
    kamailio_port, trunk_port, *caller_ports = free_ports(5)
    callers = make_callers(LINES)
    results.kamailio_missing = missing_for_kamailio()
    with contextlib.ExitStack() as stack:
        stack.enter_context(start_trunk(trunk_port, directory))
        exchanges: list[Exchange] = []
        for is_compiled in [False, True] if has_compiled() else [False]:
            say("starting the exchange" + (", compiled" if is_compiled else ""))
            port, metrics_port = free_ports(2)
            exchange = running_exchange(
                directory / ("compiled" if is_compiled else "exchange"),
                port=port,
                metrics_port=metrics_port,
                trunk_port=trunk_port,
                callers=callers,
                is_compiled=is_compiled,
            )
            exchanges.append(stack.enter_context(exchange))
        subjects: list[Subject] = [*exchanges]
        results.cpu_source = exchanges[0].meter.source
        if not results.kamailio_missing:
            say("starting Kamailio")
            kamailio = running_kamailio(
                directory / "kamailio",
                port=kamailio_port,
                trunk_port=trunk_port,
                callers=callers,
            )
            subjects.append(stack.enter_context(kamailio))
        # A port each: an answer that comes late must not land in the next one's calls.
        desks = {
            subject.name: make_desk(directory, callers, port=port)
            for subject, port in zip(subjects, caller_ports, strict=False)
        }
        bench = Bench(plan, desks, results, subjects)
        bench.registrations()
        bench.rounds()
        bench.search()
        for served in exchanges:
            if bugs := served.status().bugs:
                results.problems.append(f"{served.name} caught {bugs} exceptions of its own (offhook_bugs)")
    say(f"memory with {plan.lines_max} lines")
    memory_directory = directory / "memory"
    memory_directory.mkdir()
    results.memory = measure_memory(memory_directory, plan)
    say("media")
    media_plan = QUICK_MEDIA if plan.is_quick else FULL_MEDIA
    results.media_missing = missing_media()
    results.media = measure_media(directory, media_plan)


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def _end_on_signal(number: int, _frame: object) -> None:
    """So that a bench that is told to stop ends what it started."""
    raise KeyboardInterrupt(f"signal {number}")


def main() -> int:
    signal.signal(signal.SIGTERM, _end_on_signal)
    plan = QUICK if os.environ.get("QUICK", "0") not in ("", "0") else FULL
    results = Results(machine=this_machine(), is_quick=plan.is_quick)
    with tempfile.TemporaryDirectory(prefix="offhook-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL's user must get through
        try:
            measure(plan, results, directory)
        except BenchError as problem:
            results.problems.append(str(problem))
    write_results(JSON_FILE, results)
    print(report(results))
    print(f"\nAll figures: {JSON_FILE}")
    is_whole = bool(results.jobs) and results.memory is not None and not results.problems
    return 0 if is_whole and all(job.is_clean for job in results.jobs) else 1


if __name__ == "__main__":
    sys.exit(main())
