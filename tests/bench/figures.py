"""Figures of a bench run, made up for tests: a job is one line, everything else has a default."""

from bench.results import Machine, Results
from bench.sipp import Delays
from bench.whole_job import NO_DELAYS, JobFigures


def job(
    subject: str,
    ms: float,
    *,
    rate: float = 200,
    achieved: float | None = None,
    failed: int = 0,
    void: str = "",
    postgres_ms: float = 0.0,
    part: str = "switch",
    unexpected: str = "",
    delays: Delays = NO_DELAYS,
) -> JobFigures:
    """A round in which each call took `ms` milliseconds of CPU, `postgres_ms` of them in PostgreSQL."""
    return JobFigures(
        subject=subject,
        rate_asked=rate,
        rate=rate if achieved is None else achieved,
        completed=1000 - failed,
        failed=failed,
        retransmissions=0,
        cpu_ms={part: ms - postgres_ms, "postgres": postgres_ms},
        void=void,
        ring_delay=delays,
        answer_delay=delays,
        unexpected=unexpected,
    )


def results(*jobs: JobFigures, is_quick: bool = False) -> Results:
    machine = Machine(processor="a processor", cores=2, kernel="6.1", python="3.11.2", load_before=0.25)
    return Results(machine=machine, is_quick=is_quick, jobs=list(jobs))
