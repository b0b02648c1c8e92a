"""The folder of traces: kept, found, bounded by days and octets, and what a crash or a bad disk leaves of it."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import traces.store as store_module
from tests.traces.made import AT_US, DAY_US, message, trace
from traces.call_trace import CallTrace
from traces.store import TraceStore, TraceStoreProblem


@pytest.fixture
def store(tmp_path: Path) -> TraceStore:
    return TraceStore(tmp_path / "traces", disk_reserve_bytes=0)


def test_what_was_added_is_found_by_whoever_reads(store: TraceStore) -> None:
    store.add([trace("c1"), trace("c2", messages=3)])
    reader = TraceStore(store.folder)
    assert reader.find("c1").trace == trace("c1")
    assert reader.find("c2").trace == trace("c2", messages=3)
    assert reader.find("c3").trace is None
    assert not reader.find("c3").problems


def test_each_call_lies_in_the_file_of_its_day(store: TraceStore) -> None:
    store.add([trace("old", started_at_us=AT_US - 1), trace("new"), trace("odd", started_at_us=10**18)])
    assert store.stored_days() == ["1970-01-01", "2025-12-31", "2026-01-01"]
    for call_id in ("old", "new", "odd"):
        assert store.find(call_id).trace is not None


def test_the_day_that_a_call_id_names_is_looked_at_first(
    store: TraceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = f"{AT_US // 1000:012x}-0123456789abcdef"
    store.add([trace(f"c{day}", started_at_us=AT_US + day * DAY_US) for day in range(5)] + [trace(call_id)])
    looked = []
    find_in = store_module.find_in

    def find_in_noted(path: Path, wanted: str) -> CallTrace | None:
        looked.append(path.name)
        return find_in(path, wanted)

    monkeypatch.setattr(store_module, "find_in", find_in_noted)
    assert store.find(call_id).trace is not None
    assert looked == ["2026-01-01.sqlite"]
    assert store.find("ffffffffffff-1").trace is None


def test_nobody_else_on_the_machine_reads_them(store: TraceStore) -> None:
    before = os.umask(0)
    try:
        store.add([trace("c1")])
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in store.folder.iterdir()} == {0o600}
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def test_a_trace_that_comes_again_replaces_a_shorter_one_and_never_a_longer(store: TraceStore) -> None:
    store.add([trace("c1", messages=2)])
    store.add([trace("c1", messages=3, why="failed, asked")])
    store.add([trace("c1", messages=1)])
    found = store.find("c1").trace
    assert found is not None
    assert (len(found.messages), found.why) == (3, "failed, asked")
    assert [(each.call_id, each.messages) for each in store.summaries()] == [("c1", 3)]


def test_the_latest_are_listed_first_over_days(store: TraceStore) -> None:
    store.add([trace(f"c{day}", started_at_us=AT_US + day * DAY_US) for day in range(4)])
    assert [each.call_id for each in store.summaries(3)] == ["c3", "c2", "c1"]


def test_days_go_when_their_time_has_come(store: TraceStore) -> None:
    store.days = 2
    store.add([trace(f"c{day}", started_at_us=AT_US + day * DAY_US) for day in range(5)])
    assert store.expire(AT_US + 4 * DAY_US).days == ["2026-01-01", "2026-01-02"]
    assert store.stored_days() == ["2026-01-03", "2026-01-04", "2026-01-05"]
    assert not store.expire(AT_US + 4 * DAY_US).days


def test_too_many_octets_cost_whole_days_first_and_then_the_oldest_of_the_last(store: TraceStore) -> None:
    def noisy(call_id: str, day: int) -> None:
        made = trace(call_id, started_at_us=AT_US + day * DAY_US + int(call_id[1:]))
        made.messages = [message(0, data=os.urandom(20_000))]
        store.add([made])

    for number in range(10):
        noisy(f"a{number}", 0)
    for number in range(600):
        noisy(f"b{number}", 1)
    store.disk_bytes = 8_000_000
    removed = store.expire(AT_US + DAY_US)
    assert removed.days == ["2026-01-01"]
    assert 0 < removed.traces < 600
    assert store.used_bytes() <= store.disk_bytes
    left = [each.call_id for each in store.summaries(1000)]
    assert left == [f"b{number}" for number in range(599, removed.traces - 1, -1)]
    noisy("b600", 1)  # and there is room again
    assert store.find("b600").trace is not None


def test_a_damaged_file_is_put_aside_by_name_and_the_day_goes_on(store: TraceStore) -> None:
    store.add([trace("c1")])
    store.close()
    path = store.folder / "2026-01-01.sqlite"
    path.write_bytes(b"\xff" * 8192)
    problems = store.find("c1").problems
    assert len(problems) == 1
    assert "2026-01-01.sqlite" in problems[0]
    store.add([trace("c2")])
    assert store.damaged == 1
    assert store.find("c2").trace == trace("c2")
    assert (store.folder / "2026-01-01.sqlite.damaged").exists()
    store.expire(AT_US + 100 * DAY_US)
    assert not list(store.folder.iterdir())


def test_a_trace_that_cannot_be_unpacked_is_told_of_and_others_are_found(store: TraceStore) -> None:
    store.add([trace("c1"), trace("c2")])
    with sqlite3.connect(store.folder / "2026-01-01.sqlite") as db:
        db.execute("UPDATE traces SET packed = x'00' WHERE call_id = 'c1'")
    db.close()
    found = store.find("c1")
    assert found.trace is None
    assert "2026-01-01" in found.problems[0]
    assert store.find("c2").trace == trace("c2")


def test_the_disk_keeps_what_the_rest_of_the_machine_needs(store: TraceStore) -> None:
    full = TraceStore(store.folder, disk_reserve_bytes=1 << 62)
    store.add([trace("c0", started_at_us=AT_US - DAY_US), trace("c1")])
    with pytest.raises(TraceStoreProblem) as problem:
        full.add([trace("c2")])
    assert problem.value.is_full
    assert full.expire(AT_US).days == ["2025-12-31"]  # all that is ours to give, but for the last day
    assert store.find("c1").trace is not None


_FILLER = """
import resource, signal, sys
from pathlib import Path
import traces.store as store_module
from tests.traces.made import message, trace
from traces.store import TraceStore, TraceStoreProblem
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
store = TraceStore(Path(sys.argv[1]), disk_reserve_bytes=0)
import os
for number in range(1000):
    made = trace(f"c{number}")
    made.messages = [message(0, data=os.urandom(10_000))]
    try:
        store.add([made])
    except TraceStoreProblem as problem:
        print(number, problem.is_full, problem)
        break
store.close()
"""


def test_a_disk_that_takes_no_more_is_told_of_and_what_was_kept_is_read(store: TraceStore) -> None:
    """A limit to the size of a file stands for it: SQLite's write fails in the same place."""
    ran = _python(_FILLER, store.folder)
    assert ran.returncode == 0, ran.stderr
    number = ran.stdout.split()[0]
    assert number.isdigit()
    assert store.find("c0").trace is not None
    assert store.find(f"c{number}").trace is None
    store.add([trace("later")])
    assert store.find("later").trace is not None


_KILLED = """
import os, sys
from pathlib import Path
import traces.store as store_module
from tests.traces.made import message, trace
from traces.store import TraceStore
store = TraceStore(Path(sys.argv[1]), disk_reserve_bytes=0)
for number in range(100_000):
    store.add([trace(f"c{number}a"), trace(f"c{number}b")])
    print(number, flush=True)
"""


def test_killed_while_writing_it_has_whole_bunches_only(store: TraceStore) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(store.folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "20":
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    kept = {each.call_id for each in store.summaries(1_000_000)}
    assert {f"c{number}{part}" for number in range(21) for part in "ab"} <= kept
    for call_id in kept:
        assert store.find(call_id).trace is not None
        assert {f"{call_id[:-1]}a", f"{call_id[:-1]}b"} <= kept
    store.add([trace("later")])
    assert store.find("later").trace is not None


def _python(code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
