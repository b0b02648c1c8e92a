"""The results as text: one table a question, the bars at the end. Medians over the rounds, ratios by pairs."""

from collections.abc import Iterable, Sequence
from statistics import median

from bench.media import CPU_BAR_US, MEDIA_HEADS, PACKETS_PER_CALL_S, media_rows
from bench.results import CALL_CPU_BAR_MS, MEMORY_BAR_BYTES, Results
from bench.whole_job import JobFigures

PARTS = ("switch", "journal", "books", "edge", "supervisor", "kamailio", "postgres")
SUBJECTS = ("offhook", "offhook compiled", "kamailio")
MIB = 1024 * 1024


def report(results: Results) -> str:
    sections = [
        _heading(results),
        _whole_job(results),
        _highest(results),
        _registrations(results),
        _loop(results),
        _memory(results),
        _media(results),
        _bars(results),
        _problems(results),
    ]
    return "\n\n".join(section for section in sections if section)


def rates_of(jobs: Sequence[JobFigures]) -> list[float]:
    return sorted({job.rate_asked for job in jobs})


def runs_of(jobs: Sequence[JobFigures], subject: str, rate: float) -> list[JobFigures]:
    return [job for job in jobs if job.subject == subject and job.rate_asked == rate]


def pair_ratios(jobs: Sequence[JobFigures], subject: str, rate: float) -> list[float]:
    """CPU of the exchange over Kamailio's, round by round. Rounds with failed or unrecorded calls are left out."""
    ours, theirs = runs_of(jobs, subject, rate), runs_of(jobs, "kamailio", rate)
    return [
        our.total_ms / their.total_ms
        for our, their in zip(ours, theirs, strict=False)
        if our.is_clean and their.is_clean and their.total_ms
    ]


def total_ms(jobs: Sequence[JobFigures], subject: str, rate: float) -> float | None:
    """The median of the clean rounds; None when there is none."""
    totals = [job.total_ms for job in runs_of(jobs, subject, rate) if job.is_clean]
    return median(totals) if totals else None


def _heading(results: Results) -> str:
    machine = results.machine
    return (
        f"{machine.processor}, {machine.cores} cores, Linux {machine.kernel}, Python {machine.python}, "
        f"load {machine.load_before:.1f} before{', quick' if results.is_quick else ''}\n"
        f"CPU time from {results.cpu_source or 'nowhere'}; all load on the loopback, so wall times tell little"
    )


def _whole_job(results: Results) -> str:
    jobs = results.jobs
    rows = []
    for rate in rates_of(jobs):
        for subject in SUBJECTS:
            runs = runs_of(jobs, subject, rate)
            if runs:
                rows.append(_job_row(runs))
    shown = [part for part in PARTS if any(part in job.cpu_ms for job in jobs)]
    heads = ["", "calls/s", "completed", "failed", *shown, "total", "void"]
    return _table(
        "Whole job: CPU, milliseconds a completed call", heads, [_select(row, heads) for row in rows]
    )


def _job_row(runs: Sequence[JobFigures]) -> dict[str, str]:
    clean = [run for run in runs if run.is_clean] or runs
    row = {
        "": runs[0].subject,
        "calls/s": f"{runs[0].rate_asked:g}",
        "completed": str(sum(run.completed for run in runs)),
        "failed": str(sum(run.failed for run in runs)),
        "total": f"{median(run.total_ms for run in clean):.2f}",
        "void": str(sum(1 for run in runs if run.void)),
    }
    for part in clean[0].cpu_ms:
        row[part] = f"{median(run.cpu_ms[part] for run in clean):.2f}"
    return row


def _highest(results: Results) -> str:
    rows = []
    for subject in SUBJECTS:
        runs = [run for run in [*results.jobs, *results.search] if run.subject == subject]
        good = [run for run in runs if run.is_sustained]
        if not runs:
            continue
        best = max(good, key=lambda run: run.rate_asked, default=None)
        above = sorted(run.rate_asked for run in runs if best and run.rate_asked > best.rate_asked)
        if best is None:
            rows.append([subject, "none", "", "", ""])
        else:
            tried = f"{above[0]:g}" if above else "not reached"
            rows.append([subject, f"{best.rate_asked:g}", f"{best.rate:.0f}", f"{best.total_ms:.2f}", tried])
    heads = ["", "calls/s", "achieved", "ms a call", "first failure at"]
    return _table("Highest rate without a failed call (SIPp on the same cores)", heads, rows)


def _registrations(results: Results) -> str:
    rows = [
        [
            run.subject,
            str(run.completed),
            str(run.failed),
            f"{sum(run.cpu_ms.values()):.3f}",
            f"{run.cpu_ms.get('postgres', 0.0):.3f}",
            f"{run.per_cpu_second:.0f}",
        ]
        for run in results.registrations
    ]
    heads = ["", "completed", "failed", "ms each", "of it postgres", "per CPU second"]
    return _table("Registrations (challenged)", heads, rows)


def _loop(results: Results) -> str:
    rows = []
    for loop in results.loop:
        lag, idle, dial = loop.switch_lag, loop.idle_lag, loop.post_dial_delay
        rate = f"{loop.rate:g}"
        rows.append([f"{loop.subject}: loop lag at {rate} calls/s", *_bounds(lag)])
        rows.append(["idle loop's lag, same seconds", *_delays(idle.p50_ms, idle.p99_ms, idle.max_ms)])
        rows.append([f"{loop.subject}: INVITE to 18x by its own histogram", *_bounds(dial)])
    for run in results.jobs:
        if run.rate_asked == min(job.rate_asked for job in results.jobs):
            ring, answer = run.ring_delay, run.answer_delay
            name = f"{run.subject}, SIPp at {run.rate_asked:g} calls/s"
            rows.append([f"{name}: INVITE to 180", *_delays(ring.p50_ms, ring.p99_ms, ring.max_ms)])
            rows.append(
                [f"{name}: first INVITE to 200", *_delays(answer.p50_ms, answer.p99_ms, answer.max_ms)]
            )
    title = "Delays in milliseconds (SIPp's clock ticks every 4 ms; the trunk rings for 50 ms)"
    return _table(title, ["", "p50", "p99", "max"], rows)


def _bounds(figures: object) -> list[str]:
    return [f"< {getattr(figures, name):g}" for name in ("p50_below_ms", "p99_below_ms", "all_below_ms")]


def _delays(*values: float) -> list[str]:
    return [f"{value:.1f}" for value in values]


def _memory(results: Results) -> str:
    memory = results.memory
    if memory is None:
        return ""
    rows = [
        [part, *(f"{sizes.get(part, 0) / MIB:.0f}" for sizes in
                 (memory.known_bytes, memory.registered_bytes, memory.live_bytes))]
        for part in memory.live_bytes
    ]  # fmt: skip
    title = (
        f"Memory, resident MiB: {memory.lines} lines, {memory.registered.lines} registered in "
        f"{memory.registered.seconds:.0f} s, {memory.live_calls} calls alive, {memory.failed_calls} failed"
    )
    return _table(title, ["", "lines known", "registered", "and calls alive"], rows)


def _media(results: Results) -> str:
    title = f"Media: G.711 calls, {PACKETS_PER_CALL_S} packets a second each, one core"
    return _table(title, MEDIA_HEADS, media_rows(results.media))


def _media_bars(results: Results) -> list[list[str]]:
    rows = []
    for name, _, _, lost, cpu_us, *_ in media_rows(results.media):
        if name.startswith("relay"):
            rows.append(
                [
                    f"{name}: at most {CPU_BAR_US:g} us a packet",
                    f"{cpu_us} us",
                    _met(float(cpu_us) <= CPU_BAR_US),
                ]
            )
            rows.append([f"{name}: no packet lost", lost, _met(lost == "0")])
    return rows


def _bars(results: Results) -> str:
    rows = []
    for subject in SUBJECTS[:-1]:
        for rate in rates_of(results.jobs):
            if runs_of(results.jobs, subject, rate):
                rows += _call_bars(results.jobs, subject, rate)
    memory = results.memory
    if memory is not None and not results.is_quick:
        size = memory.live_bytes.get("switch", 0)
        rows.append(
            [f"{memory.lines} lines and {memory.live_calls} calls in one switch: at most 1 GiB",
             f"{size / MIB:.0f} MiB", _met(size <= MEMORY_BAR_BYTES)]
        )  # fmt: skip
    rows += _media_bars(results)
    return _table("Bars", ["", "found", ""], rows)


def _call_bars(jobs: Sequence[JobFigures], subject: str, rate: float) -> list[list[str]]:
    name = f"{subject}, whole job at {rate:g} calls/s"
    ours = total_ms(jobs, subject, rate)
    if ours is None:
        return [[name, "no valid figure", "missed"]]
    rows = [[f"{name}: at most {CALL_CPU_BAR_MS:g} ms", f"{ours:.2f} ms", _met(ours <= CALL_CPU_BAR_MS)]]
    ratios = pair_ratios(jobs, subject, rate)
    if ratios:
        ratio = median(ratios)
        rows.append([f"  at most Kamailio's, {len(ratios)} pairs", f"x {ratio:.2f}", _met(ratio <= 1.0)])
    return rows


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"


def _problems(results: Results) -> str:
    lines = [*results.problems, *results.media_missing]
    if results.kamailio_missing:
        lines.append(f"Kamailio was not measured: {results.kamailio_missing}")
    for job in results.jobs:
        if job.void:
            lines.append(f"void, {job.subject} at {job.rate_asked:g} calls/s: {job.void}")
        if job.unexpected:
            lines.append(f"{job.subject} at {job.rate_asked:g} calls/s, SIPp says: {job.unexpected}")
    return "\n".join(lines)


def _select(row: dict[str, str], heads: Sequence[str]) -> list[str]:
    return [row.get(head, "") for head in heads]


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Plain text: the first column to the left, all others to the right."""
    lines = [list(heads), *[list(row) for row in rows]]
    if len(lines) == 1:
        return ""
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    text = [
        "  ".join(cell.rjust(width) if index else cell.ljust(width)
                  for index, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in lines
    ]  # fmt: skip
    return "\n".join([title, "-" * len(title), *text])
