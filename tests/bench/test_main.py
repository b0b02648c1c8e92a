"""A whole run of the bench with nothing started: without Kamailio it is no failure, with a void figure it is."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import bench.__main__ as main_module
from bench.exchange import Status
from bench.memory import MemoryFigures
from bench.phones import Registered
from bench.plan import QUICK
from bench.program import BenchError
from bench.registrations import RegistrationFigures
from bench.results import Results
from tests.bench.figures import job, results


class Stub:
    """An exchange that is there and says nothing bad."""

    name = "offhook"
    port = 5060
    meter = SimpleNamespace(source="made up")
    bugs = 0

    def status(self) -> Status:
        return Status(live_calls=0, registrations=0, bugs=self.bugs)


MEMORY = MemoryFigures(
    lines=1, registered=Registered(1, 1.0, 0), live_calls=1, failed_calls=0,
    known_bytes={}, registered_bytes={}, live_bytes={"switch": 1},
)  # fmt: skip


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that would start a program."""

    @contextlib.contextmanager
    def there(*_: object, **__: object) -> Iterator[Stub]:
        yield Stub()

    def not_asked(*_: object, **__: object) -> None:
        raise AssertionError("Kamailio was started though it is missing")

    registered = RegistrationFigures(
        subject="offhook", completed=1, failed=0, cpu_ms={"switch": 1}, unexpected=""
    )
    for name, stub in {
        "find_sipp": lambda: "sipp",
        "free_ports": lambda count: list(range(40_000, 40_000 + count)),
        "start_trunk": there,
        "has_compiled": lambda: False,
        "running_exchange": there,
        "running_kamailio": not_asked,
        "missing_for_kamailio": lambda: "kamailio is not installed (Debian: kamailio)",
        "make_desk": lambda *_, **__: SimpleNamespace(directory=Path(".")),
        "run_registrations": lambda *_: registered,
        "run_job": lambda subject, desk, *, rate, load_s, settle_s: job(subject.name, 0.5, rate=rate),
        "search_highest_rate": lambda *_, **__: [],
        "measure_memory": lambda *_: MEMORY,
        "missing_media": list,
        "measure_media": lambda *_: [],
    }.items():
        monkeypatch.setattr(main_module, name, stub)
    monkeypatch.setattr(Stub, "bugs", 0)


@pytest.mark.usefixtures("stubs")
def test_without_kamailio_the_exchange_is_measured_alone_and_the_reason_kept(tmp_path: Path) -> None:
    found = results(is_quick=True)
    main_module.measure(QUICK, found, tmp_path)
    assert found.kamailio_missing == "kamailio is not installed (Debian: kamailio)"
    assert {figures.subject for figures in found.jobs} == {"offhook"}
    assert [figures.rate_asked for figures in found.jobs] == list(QUICK.rates) * QUICK.rounds
    assert found.memory is MEMORY
    assert found.problems == []


@pytest.mark.usefixtures("stubs")
def test_an_exception_that_the_exchange_caught_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Stub, "bugs", 2)
    found = results(is_quick=True)
    main_module.measure(QUICK, found, tmp_path)
    assert found.problems == ["offhook caught 2 exceptions of its own (offhook_bugs)"]


# The exit code


def run_main(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: Results, problem: str = "") -> int:
    def measure(plan: object, into: Results, directory: Path) -> None:
        into.jobs, into.memory, into.kamailio_missing = found.jobs, found.memory, found.kamailio_missing
        if problem:
            raise BenchError(problem)

    monkeypatch.setattr(main_module, "measure", measure)
    monkeypatch.setattr(main_module, "JSON_FILE", tmp_path / "bench.json")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return main_module.main()


def whole() -> Results:
    found = results(job("offhook", 0.5))
    found.memory = MEMORY
    return found


def test_a_run_without_kamailio_is_a_success(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = whole()
    found.kamailio_missing = "kamailio is not installed"
    assert run_main(monkeypatch, tmp_path, found) == 0
    assert "Kamailio was not measured: kamailio is not installed" in capsys.readouterr().out
    assert (tmp_path / "bench.json").exists()


@pytest.mark.parametrize("spoilt", ["failed", "void", "no job", "no memory", "error"])
def test_a_figure_that_is_void_or_missing_is_a_failure_and_what_there_is_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoilt: str
) -> None:
    found = whole()
    if spoilt == "failed":
        found.jobs.append(job("kamailio", 0.5, failed=1))
    elif spoilt == "void":
        found.jobs.append(job("kamailio", 0.5, void="a record too few"))
    elif spoilt == "no job":
        found.jobs = []
    elif spoilt == "no memory":
        found.memory = None
    problem = "sipp is missing" if spoilt == "error" else ""
    assert run_main(monkeypatch, tmp_path, found, problem) == 1
    assert (tmp_path / "bench.json").exists()
    assert problem in capsys.readouterr().out
