"""Tables, ratios and the verdicts on the bars, from figures of which some are void, failed or not there."""

import json
import math
from pathlib import Path

import msgspec
import pytest

from bench import results as results_module
from bench.media import MediaFigures
from bench.memory import MemoryFigures
from bench.phones import Registered
from bench.registrations import RegistrationFigures
from bench.report import pair_ratios, rates_of, report, total_ms
from bench.results import (
    MEMORY_BAR_BYTES,
    HistogramFigures,
    LoopFigures,
    Results,
    this_machine,
    write_results,
)
from bench.sipp import Delays
from bench.whole_job import JobFigures
from tests.bench.figures import job, results

COMPILED = "offhook compiled"


def section(text: str, title: str) -> list[str]:
    """The lines of the table with this title, heads first; [] when it is not there."""
    for part in text.split("\n\n"):
        lines = part.splitlines()
        if lines[0].startswith(title):
            return lines[2:]
    return []


def bars(found: Results) -> list[tuple[str, str, str]]:
    """Name, figure and verdict of each bar."""
    rows = section(report(found), "Bars")[1:]
    cells = [[cell for cell in row.split("  ") if cell.strip()] for row in rows]
    return [(name.strip(), figure.strip(), verdict.strip()) for name, figure, verdict in cells]


def memory(switch_bytes: int, **changes: object) -> MemoryFigures:
    figures = MemoryFigures(
        lines=100_000,
        registered=Registered(100_000, 50.0, 0),
        live_calls=1000,
        failed_calls=0,
        known_bytes={"switch": 100},
        registered_bytes={"switch": 200},
        live_bytes={"switch": switch_bytes, "edge": 20 * 1024 * 1024},
    )
    return msgspec.structs.replace(figures, **changes)


# Media


def media(subject: str, cpu_us: float, *, lost: int = 0) -> MediaFigures:
    return MediaFigures(subject, 500, 1000, 1000 - lost, cpu_us, 0.5, 2.0)


@pytest.mark.parametrize(
    ("cpu_us", "lost", "verdicts"),
    [(9.0, 0, ["met", "met"]), (10.4, 0, ["missed", "met"]), (9.0, 1, ["met", "missed"])],
)
def test_the_relay_has_a_bar_for_its_packets_and_one_for_its_losses(
    cpu_us: float, lost: int, verdicts: list[str]
) -> None:
    rounds = [
        media("relay", cpu_us),
        media("bare forwarder", 20.0, lost=9),
        media("relay", cpu_us, lost=lost),
    ]
    found = Results(machine=this_machine(), is_quick=False, media=rounds)
    assert [verdict for _, _, verdict in bars(found)] == verdicts
    rows = section(report(found), "Media")
    assert [row.split()[0] for row in rows[1:]] == ["relay", "bare"]


def test_a_forwarder_that_is_not_there_is_named() -> None:
    found = Results(
        machine=this_machine(), is_quick=False, media_missing=["RTPProxy's engine was not measured: x"]
    )
    assert "RTPProxy's engine was not measured: x" in report(found)


# Ratios


def test_ratios_are_taken_round_by_round() -> None:
    jobs = [job("offhook", 2.0), job("kamailio", 1.0), job("offhook", 3.0), job("kamailio", 2.0)]
    assert pair_ratios(jobs, "offhook", 200) == [2.0, 1.5]
    assert pair_ratios(jobs, COMPILED, 200) == []
    assert pair_ratios(jobs, "offhook", 400) == []


@pytest.mark.parametrize(
    "spoilt",
    [
        [job("offhook", 2.0, failed=1), job("kamailio", 1.0)],
        [job("offhook", 2.0), job("kamailio", 1.0, failed=1)],
        [job("offhook", 2.0, void="one record too few"), job("kamailio", 1.0)],
        [job("offhook", 2.0), job("kamailio", 0.0)],
    ],
)
def test_a_round_that_does_not_count_leaves_its_partner_out_but_not_the_next_pair(
    spoilt: list[JobFigures],
) -> None:
    jobs = [*spoilt, job("offhook", 3.0), job("kamailio", 2.0)]
    assert pair_ratios(jobs, "offhook", 200) == [1.5]


def test_a_round_that_kamailio_did_not_make_has_no_ratio() -> None:
    jobs = [job("offhook", 2.0), job("kamailio", 1.0), job("offhook", 9.0)]
    assert pair_ratios(jobs, "offhook", 200) == [2.0]


def test_the_total_is_the_median_of_the_clean_rounds() -> None:
    jobs = [job("offhook", 1.0), job("offhook", 9.0), job("offhook", 2.0), job("offhook", 100.0, failed=1)]
    assert total_ms(jobs, "offhook", 200) == 2.0
    assert total_ms([job("offhook", 1.0, void="x")], "offhook", 200) is None
    assert total_ms([], "offhook", 200) is None
    assert rates_of([job("offhook", 1.0, rate=400), *jobs]) == [200, 400]


# Bars


@pytest.mark.parametrize(
    ("ours", "theirs", "verdicts"),
    [
        (0.9, 1.2, ["met", "met"]),
        (0.9, 0.8, ["met", "missed"]),
        (1.1, 1.2, ["missed", "met"]),
        (1.1, 0.5, ["missed", "missed"]),
        (1.0, 1.0, ["met", "met"]),  # at the bar is met
    ],
)
def test_both_bars_of_a_call_have_a_verdict(ours: float, theirs: float, verdicts: list[str]) -> None:
    found = bars(results(job("offhook", ours), job("kamailio", theirs, part="kamailio")))
    assert [verdict for _, _, verdict in found] == verdicts
    assert found[0][:2] == ("offhook, whole job at 200 calls/s: at most 1 ms", f"{ours:.2f} ms")
    assert found[1][:2] == ("at most Kamailio's, 1 pairs", f"x {ours / theirs:.2f}")


def test_without_kamailio_only_the_absolute_bar_is_judged_and_the_reason_said() -> None:
    found = results(job("offhook", 0.9))
    found.kamailio_missing = "kamailio is not installed (Debian: kamailio)"
    assert [verdict for _, _, verdict in bars(found)] == ["met"]
    assert "Kamailio was not measured: kamailio is not installed (Debian: kamailio)" in report(found)


def test_each_subject_and_rate_is_judged_by_itself() -> None:
    found = bars(
        results(
            job("offhook", 2.0), job(COMPILED, 0.9), job("kamailio", 1.0),
            job("offhook", 1.5, rate=400), job(COMPILED, 0.5, rate=400), job("kamailio", 1.0, rate=400),
        )
    )  # fmt: skip
    assert [(name.partition(",")[0], figure) for name, figure, _ in found[::2]] == [
        ("offhook", "2.00 ms"), ("offhook", "1.50 ms"), (COMPILED, "0.90 ms"), (COMPILED, "0.50 ms"),
    ]  # fmt: skip
    assert [figure for _, figure, _ in found[1::2]] == ["x 2.00", "x 1.50", "x 0.90", "x 0.50"]


@pytest.mark.parametrize(
    "spoilt", [job("offhook", 0.5, failed=3), job("offhook", 0.5, void="a record too few")]
)
def test_a_figure_that_does_not_count_misses_its_bar_however_good_it_looks(spoilt: JobFigures) -> None:
    assert bars(results(spoilt)) == [("offhook, whole job at 200 calls/s", "no valid figure", "missed")]


@pytest.mark.parametrize(
    ("size", "verdict"), [(MEMORY_BAR_BYTES, "met"), (MEMORY_BAR_BYTES + 1, "missed"), (0, "met")]
)
def test_memory_has_a_bar_of_its_own(size: int, verdict: str) -> None:
    found = results()
    found.memory = memory(size)
    assert [row[2] for row in bars(found)] == [verdict]


def test_a_quick_run_has_too_few_lines_to_judge_memory() -> None:
    found = results(is_quick=True)
    found.memory = memory(1)
    assert bars(found) == []
    assert section(report(found), "Memory")


# Tables


def test_nothing_measured_is_a_short_report_and_no_error() -> None:
    text = report(results())
    assert text.startswith("a processor, 2 cores, Linux 6.1, Python 3.11.2, load 0.2 before\n")
    assert "CPU time from nowhere" in text
    assert section(text, "Whole job") == section(text, "Bars") == []


def test_the_whole_job_is_told_by_part_with_the_clean_rounds_only() -> None:
    found = results(
        job("offhook", 3.0, postgres_ms=1.0),
        job("offhook", 50.0, postgres_ms=1.0, failed=2, unexpected="a 503 came"),
        job("kamailio", 2.0, part="kamailio", void="a record too few"),
    )
    heads, ours, theirs = section(report(found), "Whole job")
    assert heads.split() == [
        "calls/s",
        "completed",
        "failed",
        "switch",
        "kamailio",
        "postgres",
        "total",
        "void",
    ]
    assert ours.split() == ["offhook", "200", "1998", "2", "2.00", "1.00", "3.00", "0"]
    assert theirs.split() == ["kamailio", "200", "1000", "0", "2.00", "0.00", "2.00", "1"]
    assert "void, kamailio at 200 calls/s: a record too few" in report(found)
    assert "offhook at 200 calls/s, SIPp says: a 503 came" in report(found)


def test_the_highest_rate_is_the_best_sustained_one_of_rounds_and_search() -> None:
    found = results(job("offhook", 1.0, rate=200), job("kamailio", 1.0, rate=200, failed=1))
    found.search = [
        job("offhook", 1.1, rate=520, achieved=510),
        job("offhook", 1.2, rate=676, failed=1),
        job("offhook", 1.2, rate=598, achieved=300),
        job(COMPILED, 1.0, rate=520),
    ]
    _, plain, compiled, kamailio = section(report(found), "Highest rate")
    assert plain.split() == ["offhook", "520", "510", "1.10", "598"]
    assert compiled.split() == ["offhook", "compiled", "520", "520", "1.00", "not", "reached"]
    assert kamailio.split() == ["kamailio", "none"]


def test_registrations_delays_and_memory_have_their_tables() -> None:
    found = results(job("offhook", 1.0, delays=Delays(9, 1.0, 2.0, 3.25, 4.0)))
    found.registrations = [
        RegistrationFigures(
            subject="offhook", completed=10, failed=0, cpu_ms={"switch": 0.4, "postgres": 0.1}, unexpected=""
        )
    ]
    bound = HistogramFigures(100, 1.0, 10.0, math.inf)
    found.loop = [LoopFigures("offhook", 200.0, bound, Delays(9, 0.1, 0.2, 0.3, 0.4), bound)]
    found.memory = memory(512 * 1024 * 1024)
    text = report(found)
    assert section(text, "Registrations")[1].split() == ["offhook", "10", "0", "0.500", "0.100", "2000"]
    delays = section(text, "Delays")
    assert delays[1].split()[-6:] == ["<", "1", "<", "10", "<", "inf"]
    assert delays[2].split()[-3:] == ["0.1", "0.3", "0.4"]
    assert delays[4].split()[-3:] == ["1.0", "3.2", "4.0"]
    assert section(text, "Memory, resident MiB: 100000 lines, 100000 registered in 50 s, 1000 calls alive")
    assert [row.split() for row in section(text, "Memory")[1:]] == [
        ["switch", "0", "0", "512"],
        ["edge", "0", "0", "20"],
    ]


def test_problems_are_told_at_the_end() -> None:
    found = results()
    found.problems.append("the exchange did not start")
    assert report(found).endswith("the exchange did not start")


# The file


def test_every_figure_is_written_as_json_that_anybody_reads(tmp_path: Path) -> None:
    found = results(job("offhook", 1.0))
    found.memory = memory(1)
    bound = HistogramFigures(1, 1.0, 1.0, math.inf)
    found.loop = [LoopFigures("offhook", 200.0, bound, Delays(0, 0.0, 0.0, 0.0, 0.0), bound)]
    file = tmp_path / "build" / "bench.json"
    write_results(file, found)
    content = json.loads(file.read_text())
    assert content["jobs"][0]["cpu_ms"] == {"switch": 1.0, "postgres": 0.0}
    assert content["memory"]["lines"] == 100_000
    assert content["loop"][0]["switch_lag"]["all_below_ms"] is None  # JSON has no infinity


def test_this_machine_is_described() -> None:
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.processor
    assert machine.python.startswith("3.")


def test_a_machine_that_does_not_name_its_processor_is_described_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(results_module, "Path", lambda _: tmp_path / "nothing")
    assert this_machine().processor
