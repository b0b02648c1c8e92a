"""The whole job at a rate: load, settle, CPU time, and whether PostgreSQL then holds what it must.

A figure whose calls are not all recorded and charged in PostgreSQL is void. CPU time is read when the records have
arrived, so nothing is left to do after the clock stops; the idle cost of the same seconds is in it.
"""

import time
from pathlib import Path

import msgspec

from bench.plan import Plan
from bench.program import until
from bench.sipp import LOOPBACK, Caller, Delays, Load, SippResult, run_callers, write_callers
from bench.subject import DIALLED, TALK_MS, Books, Subject

BOOKS_WAIT_S = 20.0
BOOKS_POLL_S = 0.5
IDLE_WAIT_S = 45.0  # longer than any transaction lives (64*T1)
SUSTAINED_SHARE = 0.9  # of the asked rate; below it SIPp was held up, and the rate is not the one it says
SETUP_SHARE_S = TALK_MS / 1000 + 0.1  # the last call's talk and ring come after the last new call


class Desk(msgspec.Struct, frozen=True):
    """The bench's own side: SIPp's port, its injection file, a directory for its output."""

    port: int
    callers: Path
    directory: Path


class JobFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the whole job. CPU in milliseconds a completed call, by part."""

    subject: str
    rate_asked: float
    rate: float
    completed: int
    failed: int
    retransmissions: int
    cpu_ms: dict[str, float]
    void: str
    ring_delay: Delays
    answer_delay: Delays
    unexpected: str

    @property
    def total_ms(self) -> float:
        return sum(self.cpu_ms.values())

    @property
    def postgres_ms(self) -> float:
        return self.cpu_ms.get("postgres", 0.0)

    @property
    def is_clean(self) -> bool:
        return not self.failed and not self.void

    @property
    def is_sustained(self) -> bool:
        return self.is_clean and self.rate >= self.rate_asked * SUSTAINED_SHARE


def make_desk(directory: Path, callers: list[Caller], *, port: int) -> Desk:
    path = directory / "callers.csv"
    write_callers(path, callers)
    return Desk(port=port, callers=path, directory=directory)


def call_load(subject: Subject, desk: Desk, *, rate: float, total: int, talk_ms: int = TALK_MS) -> Load:
    domain = f"{LOOPBACK}:{subject.port}"
    return Load(
        scenario="line_calls_trunk",
        target=domain,
        port=desk.port,
        rate=rate,
        total=total,
        keys={"domain": domain, "dialled": DIALLED},
        auth_uri=f"{DIALLED}@{domain}",
        talk_ms=talk_ms,
    )


def run_job(subject: Subject, desk: Desk, *, rate: float, load_s: float, settle_s: float) -> JobFigures:
    """Never raises for failed calls: they are in the figures."""
    books_before = subject.books()
    cpu_before = subject.cpu()
    result = run_callers(
        call_load(subject, desk, rate=rate, total=int(rate * load_s)), desk.callers, desk.directory
    )
    time.sleep(settle_s)
    cpu = subject.cpu()
    problem = (subject.books() - books_before).lacks(result.successful)
    if problem and not result.failed:
        late = _wait_for_books(subject, books_before, result.successful)
        problem = late or ""
        cpu = subject.cpu()
    return JobFigures(
        subject=subject.name,
        rate_asked=rate,
        rate=_rate_of(result),
        completed=result.successful,
        failed=result.failed,
        retransmissions=result.retransmissions,
        cpu_ms={
            part: (cpu[part] - cpu_before[part]).total_s * 1000 / max(1, result.successful)
            for part in sorted(cpu)
        },
        void=""
        if result.failed
        else problem,  # a failed call explains it, and the figure does not count anyway
        ring_delay=result.delays.get("1", NO_DELAYS),
        answer_delay=result.delays.get("2", NO_DELAYS),
        unexpected=result.unexpected if result.failed else "",
    )


def search_highest_rate(subject: Subject, desk: Desk, plan: Plan, *, known_good: float) -> list[JobFigures]:
    """Runs at growing rates until calls fail, then once in the middle. The answer is the best sustained one."""
    good, bad = known_good, 0.0
    runs: list[JobFigures] = []
    deadline = time.monotonic() + plan.search_max_s
    for _ in range(plan.search_steps_max):
        if time.monotonic() > deadline:
            break
        rate = good * plan.search_growth if not bad else (good + bad) / 2
        run = run_job(subject, desk, rate=round(rate), load_s=plan.search_load_s, settle_s=plan.settle_s)
        runs.append(run)
        if run.is_sustained:
            good = rate
        elif bad:
            break
        else:
            bad = rate
            until(subject.is_idle, timeout_s=IDLE_WAIT_S, poll_s=BOOKS_POLL_S)
        if bad and bad / good < 1.1:
            break
    return runs


NO_DELAYS = Delays(0, 0.0, 0.0, 0.0, 0.0)


def _wait_for_books(subject: Subject, before: Books, calls: int) -> str:
    """What is still not right after waiting, or ""."""
    until(lambda: not (subject.books() - before).lacks(calls), timeout_s=BOOKS_WAIT_S, poll_s=BOOKS_POLL_S)
    return (subject.books() - before).lacks(calls)


def _rate_of(result: SippResult) -> float:
    """New calls a second while they were made."""
    return (result.successful + result.failed) / max(0.1, result.seconds - SETUP_SHARE_S)
