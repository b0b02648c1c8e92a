"""What SIPp's files say of a run, whole, broken and missing; and what it is told."""

from pathlib import Path

import pytest

from bench import sipp
from bench.program import BenchError
from bench.sipp import Caller, Delays, SippResult, find_sipp, summarise, write_callers

# As SIPp 3.6.1 writes them: a semicolon at the end of each line, and times as date, time and seconds.
HEAD = (
    "StartTime;LastResetTime;CurrentTime;SuccessfulCall(P);SuccessfulCall(C);FailedCall(P);FailedCall(C);"
    "Retransmissions(C);"
)
STARTED = "2026-11-22\t04:32:23.938594\t1795321943.938594"
FIRST = f"{STARTED};{STARTED};2026-11-22\t04:32:24.942284\t1795321944.942284;2;2;0;0;0;"
LAST = f"{STARTED};{STARTED};2026-11-22\t04:32:25.943594\t1795321945.943594;1;3;1;1;4;"


class Ended:
    """A SIPp that has ended."""

    name = "sipp x"

    @staticmethod
    def log_tail() -> str:
        return "it said this"


def read(place: Path) -> SippResult:
    return sipp._read_result(place, Ended())  # type: ignore[arg-type]


def test_the_last_line_of_the_statistics_is_the_sum_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "stat.csv").write_text("\n".join([HEAD, FIRST, LAST, ""]))
    result = read(tmp_path)
    assert (result.successful, result.failed, result.retransmissions) == (3, 1, 4)
    assert result.seconds == pytest.approx(2.005)
    assert result.rate == pytest.approx(3 / 2.005)
    assert (result.delays, result.unexpected) == ({}, "")


@pytest.mark.parametrize("content", [None, "", HEAD + "\n"])
def test_no_statistics_are_an_error_that_tells_what_sipp_said(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "stat.csv").write_text(content)
    with pytest.raises(BenchError, match=r"sipp x left no statistics:\nit said this"):
        read(tmp_path)


@pytest.mark.parametrize("length", [5, 60, len(LAST) // 2, len(LAST) - 7])
def test_a_line_that_sipp_could_not_finish_does_not_count(tmp_path: Path, length: int) -> None:
    (tmp_path / "stat.csv").write_text("\n".join([HEAD, FIRST, LAST[:length]]))
    assert read(tmp_path).successful == 2
    (tmp_path / "stat.csv").write_text("\n".join([HEAD, LAST[:length]]))
    with pytest.raises(BenchError, match="left no statistics"):
        read(tmp_path)


def test_statistics_of_another_sipp_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "stat.csv").write_text("Calls;Failed;\n3;1;\n")
    with pytest.raises(BenchError, match="left no statistics"):
        read(tmp_path)


def test_response_times_are_kept_by_their_name_and_damaged_lines_left_out(tmp_path: Path) -> None:
    (tmp_path / "stat.csv").write_text("\n".join([HEAD, LAST]))
    (tmp_path / "scenario_1_rtt.csv").write_text(
        "Date_ms;response_time_ms;rtd_no\n336.001;4;1\n668.001;60;2\n"
    )
    (tmp_path / "scenario_2_rtt.csv").write_text("Date_ms;response_time_ms;rtd_no\n1004;8;1\n1340;9\n\n")
    delays = read(tmp_path).delays
    assert delays == {"1": Delays(2, 8.0, 8.0, 8.0, 8.0), "2": Delays(1, 60.0, 60.0, 60.0, 60.0)}


def test_only_the_beginning_of_the_error_log_is_kept(tmp_path: Path) -> None:
    (tmp_path / "stat.csv").write_text("\n".join([HEAD, LAST]))
    (tmp_path / "errors").write_bytes(b"\xff Aborting call" + b"." * 10_000)
    unexpected = read(tmp_path).unexpected
    assert unexpected.startswith("� Aborting call...")
    assert len(unexpected) == sipp.UNEXPECTED_CHARS


def test_a_run_without_time_has_no_rate() -> None:
    assert SippResult(5, 0, 0, 0.0, {}, "").rate == 0.0


@pytest.mark.parametrize(
    ("delays", "expected"),
    [
        ([], Delays(0, 0.0, 0.0, 0.0, 0.0)),
        ([7.0], Delays(1, 7.0, 7.0, 7.0, 7.0)),
        ([3.0, 1.0, 2.0], Delays(3, 2.0, 3.0, 3.0, 3.0)),
        ([float(n) for n in range(100)], Delays(100, 50.0, 95.0, 99.0, 99.0)),
        ([float(n) for n in range(1000)], Delays(1000, 500.0, 950.0, 990.0, 999.0)),
    ],
)
def test_delays_are_summarised_by_rank(delays: list[float], expected: Delays) -> None:
    assert summarise(delays) == expected
    assert summarise(list(reversed(delays))) == expected


def test_each_line_of_the_injection_file_carries_its_own_credentials(tmp_path: Path) -> None:
    write_callers(tmp_path / "callers.csv", [Caller("1001", "secret", "a"), Caller("1002", "other", "a")])
    assert (tmp_path / "callers.csv").read_text() == (
        "SEQUENTIAL\n"
        "1001;[authentication username=1001 password=secret];\n"
        "1002;[authentication username=1002 password=other];\n"
    )


def test_without_sipp_the_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchError, match="sip-tester"):
        find_sipp()


def test_every_scenario_that_the_bench_names_is_there() -> None:
    for name in ("line_calls_trunk", "line_registers", "trunk_answers"):
        assert (sipp.SCENARIOS / f"{name}.xml").exists()
