"""Registrations per CPU second: challenged REGISTERs, the lines in turn, at a steady rate."""

import time

import msgspec

from bench.plan import Plan
from bench.sipp import LOOPBACK, Load, run_callers
from bench.subject import Subject
from bench.whole_job import Desk


class RegistrationFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One run. CPU in milliseconds a registration (two REGISTERs), by part."""

    subject: str
    completed: int
    failed: int
    cpu_ms: dict[str, float]
    unexpected: str

    @property
    def per_cpu_second(self) -> float:
        total_ms = sum(self.cpu_ms.values())
        return 1000 / total_ms if total_ms else 0.0


def run_registrations(subject: Subject, desk: Desk, plan: Plan) -> RegistrationFigures:
    domain = f"{LOOPBACK}:{subject.port}"
    load = Load(
        scenario="line_registers",
        target=domain,
        port=desk.port,
        rate=plan.registration_rate,
        total=plan.registrations,
        keys={"domain": domain},
    )
    before = subject.cpu()
    result = run_callers(load, desk.callers, desk.directory)
    time.sleep(plan.settle_s)
    cpu = subject.cpu()
    return RegistrationFigures(
        subject=subject.name,
        completed=result.successful,
        failed=result.failed,
        cpu_ms={
            part: (cpu[part] - before[part]).total_s * 1000 / max(1, result.successful)
            for part in sorted(cpu)
        },
        unexpected=result.unexpected if result.failed else "",
    )
