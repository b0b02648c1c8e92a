"""A run of the whole job at a made-up subject: what makes a figure void, and how the highest rate is looked for."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bench import registrations, whole_job
from bench.accounting import CpuSeconds
from bench.plan import FULL, QUICK, Plan
from bench.registrations import RegistrationFigures, run_registrations
from bench.sipp import Delays, SippResult
from bench.subject import PRICE_MICROS, Books
from bench.whole_job import Desk, JobFigures, run_job, search_highest_rate
from tests.bench.figures import job

DESK = Desk(port=5070, callers=Path("callers.csv"), directory=Path("."))


class Counter:
    """A subject that spends 4 ms a call in the switch and 1 ms in PostgreSQL; its books are those it is given."""

    name = "offhook"
    port = 5060

    def __init__(self, calls: int, *books: Books) -> None:
        self._books = [Books(5, 5 * PRICE_MICROS, 0), *books]
        self._cpu = [0.0, float(calls)]
        self.asked = 0

    def cpu(self) -> dict[str, CpuSeconds]:
        calls = self._cpu[0] if len(self._cpu) == 1 else self._cpu.pop(0)
        return {
            "switch": CpuSeconds(calls * 0.003 + 2, calls * 0.001),
            "postgres": CpuSeconds(calls * 0.001, 0),
        }

    def books(self) -> Books:
        self.asked += 1
        return self._books[0] if len(self._books) == 1 else self._books.pop(0)

    def is_idle(self) -> bool:
        return True


def recorded(calls: int) -> Books:
    return Books(5 + calls, (5 + calls) * PRICE_MICROS, 0)


@pytest.fixture
def sipp_says(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What SIPp will have counted; nothing is started and nobody waits."""
    monkeypatch.setattr(whole_job, "BOOKS_WAIT_S", 0.0)
    monkeypatch.setattr(whole_job, "BOOKS_POLL_S", 0.0)
    monkeypatch.setattr(whole_job, "IDLE_WAIT_S", 0.0)

    def say(successful: int, failed: int = 0, *, seconds: float = 10.0, unexpected: str = "") -> None:
        delays = {"1": Delays(1, 1.0, 1.0, 1.0, 1.0), "2": Delays(1, 2.0, 2.0, 2.0, 2.0)}
        result = SippResult(successful, failed, 0, seconds, delays, unexpected)
        for module in (whole_job, registrations):
            monkeypatch.setattr(module, "run_callers", lambda *_: result)

    return say


def run(subject: Counter, rate: float = 100) -> JobFigures:
    return run_job(subject, DESK, rate=rate, load_s=10, settle_s=0)


def test_cpu_time_is_told_by_part_and_call(sipp_says: Callable[..., None]) -> None:
    sipp_says(1000, seconds=11.1)
    figures = run(Counter(1000, recorded(1000)))
    assert figures.cpu_ms == {"postgres": pytest.approx(1.0), "switch": pytest.approx(4.0)}
    assert figures.total_ms == pytest.approx(5.0)
    assert figures.postgres_ms == pytest.approx(1.0)
    assert figures.rate == pytest.approx(100.0)  # the last call's second of talk is no time of new calls
    assert (figures.ring_delay.p50_ms, figures.answer_delay.p50_ms) == (1.0, 2.0)
    assert figures.is_clean and figures.is_sustained


def test_records_that_come_late_count_and_those_that_never_come_void_the_figure(
    sipp_says: Callable[..., None],
) -> None:
    sipp_says(1000)
    late = Counter(1000, recorded(990), recorded(1000))
    assert run(late).void == ""
    assert late.asked > 2
    figures = run(Counter(1000, recorded(999)))
    assert "1000 calls completed, but PostgreSQL has 999 records" in figures.void
    assert not figures.is_clean and not figures.is_sustained


def test_failed_calls_explain_missing_records_and_keep_sipps_words(sipp_says: Callable[..., None]) -> None:
    sipp_says(998, 2, unexpected="a 503 came")
    figures = run(Counter(1000, recorded(998)))
    assert (figures.failed, figures.void, figures.unexpected) == (2, "", "a 503 came")
    assert not figures.is_clean


def test_what_sipp_says_of_a_clean_run_is_not_kept(sipp_says: Callable[..., None]) -> None:
    sipp_says(1000, unexpected="a repeated 200 came")
    assert run(Counter(1000, recorded(1000))).unexpected == ""


def test_a_run_without_one_call_divides_by_nothing(sipp_says: Callable[..., None]) -> None:
    sipp_says(0, 1000, seconds=0.0)
    figures = run(Counter(0, recorded(0)))
    assert figures.completed == 0
    assert figures.total_ms == pytest.approx(0.0)
    assert not figures.is_sustained


@pytest.mark.parametrize(("achieved", "is_sustained"), [(400, True), (360, True), (359, False)])
def test_a_rate_that_sipp_could_not_make_is_not_sustained(achieved: float, *, is_sustained: bool) -> None:
    assert job("offhook", 1.0, rate=400, achieved=achieved).is_sustained is is_sustained


def test_a_figure_without_postgresql_has_none_in_it() -> None:
    assert msgspec.structs.replace(job("offhook", 1.0), cpu_ms={"switch": 1.0}).postgres_ms == 0.0


# The highest rate


def search(monkeypatch: pytest.MonkeyPatch, limit: float, plan: Plan = FULL) -> list[JobFigures]:
    def attempt(subject: Counter, desk: Desk, *, rate: float, load_s: float, settle_s: float) -> JobFigures:
        return job("offhook", 1.0, rate=rate, failed=int(rate > limit))

    monkeypatch.setattr(whole_job, "run_job", attempt)
    monkeypatch.setattr(whole_job, "IDLE_WAIT_S", 0.0)
    return search_highest_rate(Counter(0), DESK, plan, known_good=400)


def test_the_rate_grows_until_calls_fail_and_then_the_middle_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = search(monkeypatch, limit=700)
    assert [(run.rate_asked, run.is_sustained) for run in runs] == [
        (520, True), (676, True), (879, False), (777, False),
    ]  # fmt: skip


def test_a_search_that_nothing_stops_is_stopped_by_its_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(search(monkeypatch, limit=1e9)) == FULL.search_steps_max
    assert len(search(monkeypatch, limit=1e9, plan=QUICK)) == QUICK.search_steps_max
    out_of_time = msgspec.structs.replace(FULL, search_max_s=-1.0)
    assert search(monkeypatch, limit=1e9, plan=out_of_time) == []


def test_a_search_ends_when_good_and_bad_are_close(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = msgspec.structs.replace(FULL, search_growth=1.05)
    assert [run.is_sustained for run in search(monkeypatch, limit=401, plan=plan)] == [False]


# Registrations


def test_registrations_are_told_by_cpu_second(sipp_says: Callable[..., None]) -> None:
    sipp_says(1000)
    plan = msgspec.structs.replace(QUICK, settle_s=0.0)
    figures = run_registrations(Counter(1000), DESK, plan)
    assert figures.cpu_ms == {"postgres": pytest.approx(1.0), "switch": pytest.approx(4.0)}
    assert figures.per_cpu_second == pytest.approx(200.0)
    assert figures.unexpected == ""


def test_registrations_that_cost_nothing_were_not_measured() -> None:
    figures = RegistrationFigures(subject="offhook", completed=0, failed=5, cpu_ms={}, unexpected="")
    assert figures.per_cpu_second == 0.0
