"""What is read of a running exchange, and the configuration that it is measured with."""

from pathlib import Path

import pytest

from bench import exchange
from bench.exchange import Histogram, Metrics, offhook_command
from bench.program import BenchError
from bench.sipp import Caller
from bench.subject import DIALLED, PRICE_MICROS, TALK_MS, Books, number_of
from rating.charge import charge
from switch.config import load_conf

PAGE = """\
# HELP offhook_event_loop_lag_seconds How late the loop's own timer fires
# TYPE offhook_event_loop_lag_seconds histogram
offhook_event_loop_lag_seconds_bucket{le="0.001"} 90.0
offhook_event_loop_lag_seconds_bucket{le="0.01"} 99.0
offhook_event_loop_lag_seconds_bucket{le="+Inf"} 1e+02
offhook_event_loop_lag_seconds_count 100.0
offhook_event_loop_lag_seconds_sum 0.5
offhook_event_loop_lag_seconds_more_bucket{le="0.001"} 7.0
"""
INF = float("inf")
YEAR_2026_MS = 1_790_000_000_000


def test_a_histogram_is_read_off_the_metrics_page() -> None:
    found = Metrics(PAGE).histogram("offhook_event_loop_lag_seconds")
    assert found == Histogram([0.001, 0.01, INF], [90, 99, 100])
    assert found.count == 100


@pytest.mark.parametrize("page", ["", "<html>", 'offhook_event_loop_lag_seconds_bucket{le="0.001"}'])
def test_a_page_without_the_histogram_has_an_empty_one(page: str) -> None:
    found = Metrics(page).histogram("offhook_event_loop_lag_seconds")
    assert (found.count, found.below_s(0.5), found.below_s(1.0)) == (0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("share", "bound"), [(0.0, 0.001), (0.5, 0.001), (0.9, 0.001), (0.91, 0.01), (0.99, 0.01), (1.0, INF)]
)
def test_a_share_of_all_values_is_below_a_bound(share: float, bound: float) -> None:
    assert Histogram([0.001, 0.01, INF], [90, 99, 100]).below_s(share) == bound


def test_between_two_readings_only_what_was_new_counts() -> None:
    before, after = Histogram([0.1, INF], [5, 5]), Histogram([0.1, INF], [6, 9])
    assert after - before == Histogram([0.1, INF], [1, 4])
    assert (after - Histogram([], [])).counts == [6, 9]  # the first page had none yet
    assert (after - after).below_s(0.5) == 0.0


def test_the_parts_of_an_exchange_are_told_by_their_command_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {
        1: ["python", "-P", "-m", "offhook", "up"],
        2: ["/opt/pg/bin/postgres", "-D", "files"],
        3: ["postgres: checkpointer", ""],
        4: ["python", "-m", "switch.edge", "--tcp", "127.0.0.1:5060"],
        5: ["python", "-m", "switch", "--journal", "x"],
        6: ["python", "-m", "rating.journal"],
        7: ["python", "-m", "provisioning.books"],
        8: [],
    }
    monkeypatch.setattr(exchange, "process_tree", lambda root: list(lines))
    monkeypatch.setattr(exchange, "command_line", lines.__getitem__)
    assert exchange._find_parts(1) == {
        "supervisor": 1, "postgres": 2, "edge": 4, "switch": 5, "journal": 6, "books": 7,
    }  # fmt: skip
    del lines[6], lines[2]
    with pytest.raises(BenchError, match="runs without journal, postgres"):
        exchange._find_parts(1)


def test_the_configuration_under_load_is_valid_and_has_the_price_of_the_job(tmp_path: Path) -> None:
    exchange._write_conf(tmp_path, port=5060, metrics_port=9464, trunk_port=5080)
    conf = load_conf(tmp_path)
    assert [address.port for address in conf.trunks["carrier"].addresses] == [5080]
    assert conf.routing.targets(DIALLED) == ("carrier",)
    rate = conf.tariffs["retail"].rate_for(DIALLED, YEAR_2026_MS)
    assert rate is not None
    assert charge(rate, TALK_MS).total_micros == PRICE_MICROS
    assert not conf.media.relay
    exchange._write_conf(tmp_path / "relayed", port=5060, metrics_port=9464, trunk_port=5080, has_relay=True)
    assert load_conf(tmp_path / "relayed").media.relay


def test_as_many_lines_have_a_number_as_there_are_drama_numbers(tmp_path: Path) -> None:
    callers = [Caller(f"line{index}", "secret", "a") for index in range(1001)]
    exchange._write_lines(tmp_path / "lines.csv", callers)
    rows = (tmp_path / "lines.csv").read_text().splitlines()
    assert rows[0] == "user,account,password,numbers"
    assert rows[1000] == f"line999,a,secret,{number_of(999)}"
    assert rows[1001] == "line1000,a,secret,"
    assert number_of(999) == "+441632960999"


def test_the_compiled_exchange_runs_on_its_own_python() -> None:
    assert offhook_command(is_compiled=True)[0].endswith("build/fast/venv/bin/python")
    for is_compiled in (True, False):
        assert offhook_command(is_compiled=is_compiled)[1:] == ["-P", "-m", "offhook"]


def test_a_command_that_fails_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"offhook status failed \(3\):\n.*no exchange"):
        exchange.run_offhook(["sh", "-c", "echo no exchange >&2; exit 3"], tmp_path, "status")


@pytest.mark.parametrize(
    ("books", "calls", "complains"),
    [
        (Books(10, 10 * PRICE_MICROS, 0), 10, False),
        (Books(0, 0, 0), 0, False),
        (Books(9, 9 * PRICE_MICROS, 0), 10, True),
        (Books(11, 11 * PRICE_MICROS, 0), 10, True),
        (Books(10, 10 * PRICE_MICROS - 1, 0), 10, True),
        (Books(10, 10 * PRICE_MICROS, 1), 10, True),
    ],
)
def test_books_must_hold_every_call_at_its_price(books: Books, calls: int, *, complains: bool) -> None:
    said = books.lacks(calls)
    assert bool(said) is complains
    if complains:
        assert str(books.calls) in said and str(books.charged_micros) in said


def test_books_subtract_to_what_came_between() -> None:
    assert Books(10, 100, 1) - Books(4, 40, 1) == Books(6, 60, 0)
