"""Everything one run of the bench found out, as written to build/bench.json."""

import os
import platform
from pathlib import Path

import msgspec

from bench.media import MediaFigures
from bench.memory import MemoryFigures
from bench.registrations import RegistrationFigures
from bench.sipp import Delays
from bench.whole_job import JobFigures

CALL_CPU_BAR_MS = 1.0
MEMORY_BAR_BYTES = 1024**3


class Machine(msgspec.Struct, frozen=True):
    """What it was measured on."""

    processor: str
    cores: int
    kernel: str
    python: str
    load_before: float


class HistogramFigures(msgspec.Struct, frozen=True):
    """Upper bounds in milliseconds, from the switch's own histogram."""

    count: int
    p50_below_ms: float
    p99_below_ms: float
    all_below_ms: float


class LoopFigures(msgspec.Struct, frozen=True):
    """Beside the idle loop's exact lags of the same seconds."""

    subject: str
    rate: float
    switch_lag: HistogramFigures
    idle_lag: Delays
    post_dial_delay: HistogramFigures


class Results(msgspec.Struct, kw_only=True):
    """Filled while measuring, so that what was found is kept when something later fails."""

    machine: Machine
    is_quick: bool
    cpu_source: str = ""
    kamailio_missing: str = ""
    registrations: list[RegistrationFigures] = []
    jobs: list[JobFigures] = []
    search: list[JobFigures] = []
    loop: list[LoopFigures] = []
    memory: MemoryFigures | None = None
    media: list[MediaFigures] = []
    media_missing: list[str] = []
    problems: list[str] = []


def this_machine() -> Machine:
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 0,
        kernel=platform.release(),
        python=platform.python_version(),
        load_before=os.getloadavg()[0],
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n"):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def write_results(path: Path, results: Results) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
