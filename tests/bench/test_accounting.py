"""CPU time by part, from a control group of either version or from /proc; here the kernel's files are made up."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import accounting
from bench.accounting import (
    TICKS_PER_SECOND,
    CpuSeconds,
    Meter,
    command_line,
    metered,
    process_tree,
    read_stat,
    resident_bytes,
)

NO_SUCH_PID = 2**22 + 1  # above the kernel's largest


class GroupV2(type(Path())):  # type: ignore[misc]
    """A cgroup directory: the kernel fills a new one with files and lets a full one go."""

    accounts_for_cpu = True

    def mkdir(self, *args: object, **kwargs: object) -> None:
        super().mkdir()
        (self / "cgroup.procs").write_text("")
        if self.accounts_for_cpu:
            (self / "cpu.stat").write_text("usage_usec 0\nuser_usec 0\nsystem_usec 0\n")

    def rmdir(self) -> None:
        for file in self.iterdir():
            if not file.is_dir():
                file.unlink()
        super().rmdir()


class GroupWithoutCpu(GroupV2):
    accounts_for_cpu = False


class GroupV1(GroupV2):
    def mkdir(self, *args: object, **kwargs: object) -> None:
        super().mkdir()
        (self / "cpu.stat").unlink()
        (self / "cpuacct.usage").write_text("0")


@pytest.fixture
def roots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Sets where control groups are looked for: nowhere, unless told."""

    def set_roots(*v2: Path, v1: Path = tmp_path / "none") -> None:
        monkeypatch.setattr(accounting, "CGROUP_V2_ROOTS", v2)
        monkeypatch.setattr(accounting, "CGROUP_V1_ROOT", v1)

    set_roots()
    return set_roots


@pytest.fixture
def proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A /proc of the test's own."""
    fake = tmp_path / "proc"
    fake.mkdir()
    monkeypatch.setattr(accounting, "Path", lambda text: Path(str(text).replace("/proc", str(fake), 1)))
    return fake


def add_process(
    proc: Path,
    pid: int,
    *,
    parent: int,
    ticks: tuple[int, int, int, int] = (0, 0, 0, 0),
    name: str = "python",
) -> None:
    (proc / str(pid)).mkdir()
    before = f"S {parent} 1 1 0 -1 4194304 100 0 0 0"
    times = " ".join(map(str, ticks))
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) {before} {times} 20 0 1 0 12345 0 0\n")


# /proc


def test_a_process_counts_with_the_children_it_has_waited_for(proc: Path) -> None:
    add_process(proc, 10, parent=1, ticks=(100, 20, 50, 5))
    stat = read_stat(10)
    assert stat is not None
    assert stat.parent == 1
    assert (stat.user_s, stat.system_s) == (150 / TICKS_PER_SECOND, 25 / TICKS_PER_SECOND)


@pytest.mark.parametrize("name", ["tmux: server", "a) S 7 (b", "(((", "näme"])
def test_a_command_may_be_called_anything(proc: Path, name: str) -> None:
    add_process(proc, 10, parent=4, ticks=(1, 2, 3, 4), name=name)
    stat = read_stat(10)
    assert stat is not None
    assert stat.parent == 4
    assert stat.system_s == 6 / TICKS_PER_SECOND


def test_a_tree_is_told_parents_first_and_without_what_is_left_out(proc: Path) -> None:
    for pid, parent in ((1, 0), (10, 1), (11, 10), (12, 10), (13, 12), (20, 1)):
        add_process(proc, pid, parent=parent)
    (proc / "self").mkdir()
    (proc / "meminfo").write_text("")
    assert sorted(process_tree(10)) == [10, 11, 12, 13]
    assert process_tree(10)[0] == 10
    assert process_tree(10).index(12) < process_tree(10).index(13)
    assert process_tree(10, without=[12]) == [10, 11]


def test_a_process_that_has_ended_is_nothing() -> None:
    assert read_stat(NO_SUCH_PID) is None
    assert command_line(NO_SUCH_PID) == []
    assert resident_bytes(NO_SUCH_PID) == 0
    assert process_tree(NO_SUCH_PID) == [NO_SUCH_PID]


def test_the_real_kernel_is_read_the_same_way() -> None:
    stat = read_stat(os.getpid())
    assert stat is not None
    assert stat.parent == os.getppid()
    assert 0 < stat.user_s + stat.system_s <= sum(os.times()[:4]) + 0.1
    assert os.getpid() in process_tree(os.getppid())
    assert command_line(os.getpid())
    assert resident_bytes(os.getpid()) > 1024 * 1024


def test_a_kernel_thread_has_no_resident_memory(proc: Path) -> None:
    add_process(proc, 10, parent=2)
    (proc / "10" / "status").write_text("Name:\tkworker\nPid:\t10\n")
    assert resident_bytes(10) == 0
    add_process(proc, 11, parent=2)
    (proc / "11" / "status").write_text("Name:\tpython\nVmRSS:\t    2048 kB\nRssAnon:\t 100 kB\n")
    assert resident_bytes(11) == 2048 * 1024


def test_without_control_groups_each_part_is_a_tree_and_none_counts_twice(
    roots: Callable[..., None], proc: Path
) -> None:
    add_process(proc, 10, parent=1, ticks=(100, 0, 0, 0))
    add_process(proc, 11, parent=10, ticks=(200, 0, 0, 0))
    add_process(proc, 12, parent=11, ticks=(400, 0, 0, 0))
    meter = Meter("test")
    assert meter.source == "/proc/PID/stat"
    meter.add("supervisor", 10, without=[11])
    meter.add("switch", 11)
    assert meter.read() == {
        "supervisor": CpuSeconds(100 / TICKS_PER_SECOND, 0.0),
        "switch": CpuSeconds(600 / TICKS_PER_SECOND, 0.0),
    }
    meter.close()


# Control groups


def test_cgroup_v2_gives_user_and_system_time_in_microseconds(
    roots: Callable[..., None], tmp_path: Path, proc: Path
) -> None:
    add_process(proc, 10, parent=1)
    root = tmp_path / "unified"
    root.mkdir()
    (root / "cgroup.controllers").write_text("cpu memory")
    roots(GroupV2(root))
    with metered("test") as meter:
        assert meter.source == "cgroup v2 cpu.stat"
        meter.add("switch", 10)
        [group] = root.glob("offhook-bench-*-test/switch")
        assert (group / "cgroup.procs").read_text() == "10"
        (group / "cpu.stat").write_text(
            "usage_usec 3500000\nuser_usec 2500000\nsystem_usec 1000000\nnr_periods 0\n"
        )
        assert meter.read() == {"switch": CpuSeconds(2.5, 1.0)}
        assert meter.read()["switch"].total_s == 3.5
    assert not list(root.glob("offhook-bench-*"))


def test_cgroup_v1_gives_the_sum_in_nanoseconds(
    roots: Callable[..., None], tmp_path: Path, proc: Path
) -> None:
    add_process(proc, 10, parent=1)
    root = tmp_path / "cpuacct"
    root.mkdir()
    (root / "cpuacct.usage").write_text("123")
    roots(v1=GroupV1(root))
    with metered("test") as meter:
        assert meter.source == "cgroup v1 cpuacct"
        meter.add("switch", 10)
        [group] = root.glob("offhook-bench-*-test/switch")
        (group / "cpuacct.usage").write_text("1250000000\n")
        assert meter.read() == {"switch": CpuSeconds(1.25, 0.0)}
    assert not list(root.glob("offhook-bench-*"))


def test_a_part_of_several_programs_is_one_group(
    roots: Callable[..., None], tmp_path: Path, proc: Path
) -> None:
    add_process(proc, 10, parent=1)
    add_process(proc, 20, parent=1)
    (tmp_path / "unified").mkdir()
    (tmp_path / "unified" / "cgroup.controllers").write_text("")
    roots(GroupV2(tmp_path / "unified"))
    with metered("test") as meter:
        meter.add("postgres", 10)
        meter.add("postgres", 20)
        assert list(meter.read()) == ["postgres"]


def test_a_group_that_accounts_for_nothing_is_not_used(roots: Callable[..., None], tmp_path: Path) -> None:
    """In some containers a group can be made, but its CPU time is kept from us."""
    root = tmp_path / "unified"
    root.mkdir()
    (root / "cgroup.controllers").write_text("")
    roots(GroupWithoutCpu(root))
    assert Meter("test").source == "/proc/PID/stat"
    assert not list(root.glob("offhook-bench-*"))


@pytest.mark.parametrize(
    "content", ["", "usage_usec 5\n", "user_usec\nsystem_usec 1\n", "user_usec x\nsystem_usec 1\n"]
)
def test_nonsense_in_cpu_stat_is_an_error_and_never_a_zero(tmp_path: Path, content: str) -> None:
    (tmp_path / "cpu.stat").write_text(content)
    with pytest.raises((KeyError, ValueError)):
        accounting._read_group(tmp_path)


def test_a_root_where_nothing_may_be_made_is_passed_over(roots: Callable[..., None], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.mkdir()
    (file / "cgroup.controllers").write_text("")

    class ReadOnly(GroupV2):
        def mkdir(self, *args: object, **kwargs: object) -> None:
            raise PermissionError("read-only")

    roots(ReadOnly(file))
    assert Meter("test").source == "/proc/PID/stat"


def test_cpu_times_subtract_to_the_time_between() -> None:
    spent = CpuSeconds(5.0, 2.0) - CpuSeconds(1.5, 0.5)
    assert spent == CpuSeconds(3.5, 1.5)
    assert spent.total_s == 5.0
