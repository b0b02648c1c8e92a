"""CPU time of groups of processes, children that ended included, from the operating system's own accounting.

Where a control group can be made (root, cgroup v2 or v1's cpuacct) each part gets one: exact to the microsecond
and complete. Elsewhere the times in /proc/PID/stat are added up over the tree of a part: utime + stime of those
that live, and cutime + cstime for the children that they have waited for. It leaves out the kernel's work on
interrupts, which is charged to whoever happens to run.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

CGROUP_V2_ROOTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
CGROUP_V1_ROOT = Path("/sys/fs/cgroup/cpuacct")
CGROUP_REMOVE_TRIES = 50  # a process that was just reaped can hold its group for some milliseconds
CGROUP_REMOVE_WAIT_S = 0.02
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

# Fields of /proc/PID/stat after the command's closing bracket (proc(5), counted from state = 0).
STAT_PARENT, STAT_TIMES = 1, slice(11, 15)


class CpuSeconds(msgspec.Struct, frozen=True):
    """CPU time, in seconds. `system_s` is 0 where only the sum is known."""

    user_s: float
    system_s: float

    @property
    def total_s(self) -> float:
        return self.user_s + self.system_s

    def __sub__(self, other: "CpuSeconds") -> "CpuSeconds":
        return CpuSeconds(self.user_s - other.user_s, self.system_s - other.system_s)


class ProcessStat(msgspec.Struct, frozen=True):
    """What /proc/PID/stat says of one process."""

    parent: int
    user_s: float
    system_s: float


def read_stat(pid: int) -> ProcessStat | None:
    """None when the process has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    user, system, children_user, children_system = (int(field) for field in fields[STAT_TIMES])
    return ProcessStat(
        parent=int(fields[STAT_PARENT]),
        user_s=(user + children_user) / TICKS_PER_SECOND,
        system_s=(system + children_system) / TICKS_PER_SECOND,
    )


def process_tree(root: int, *, without: Sequence[int] = ()) -> list[int]:
    """`root` and everything below it, parents first; `without` and what is below them is left out."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := read_stat(int(entry.name))) is not None:
            children.setdefault(stat.parent, []).append(int(entry.name))
    tree = [root]
    for pid in tree:
        tree.extend(child for child in children.get(pid, []) if child not in without)
    return tree


def command_line(pid: int) -> list[str]:
    """The arguments of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def resident_bytes(pid: int) -> int:
    """VmRSS of a process; 0 when it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").split("\n"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


class Meter:
    """CPU time of the named parts of one program. `add` each part's first process; children come along."""

    def __init__(self, name: str) -> None:
        self._root = _make_group(name)
        self._pids: dict[str, list[int]] = {}
        self._groups: dict[str, Path] = {}

    @property
    def source(self) -> str:
        """Where the figures come from, for the report."""
        if self._root is None:
            return "/proc/PID/stat"
        return "cgroup v1 cpuacct" if (self._root / "cpuacct.usage").exists() else "cgroup v2 cpu.stat"

    def add(self, part: str, pid: int, *, without: Sequence[int] = ()) -> None:
        """Counts the tree below `pid` for `part`, except the trees below `without`."""
        self._pids.setdefault(part, []).append(pid)
        if self._root is None:
            return
        group = self._groups.get(part)
        if group is None:
            group = self._groups[part] = self._root / part
            group.mkdir()
        for member in process_tree(pid, without=without):
            with contextlib.suppress(ProcessLookupError):
                (group / "cgroup.procs").write_text(str(member))

    def read(self) -> dict[str, CpuSeconds]:
        """CPU time by part since the part was added (group) or since its processes began (/proc)."""
        if self._root is not None:
            return {part: _read_group(group) for part, group in self._groups.items()}
        roots = [pid for pids in self._pids.values() for pid in pids]
        return {part: self._read_trees(pids, roots) for part, pids in self._pids.items()}

    def close(self) -> None:
        """After the processes have ended."""
        for group in [*self._groups.values(), *([self._root] if self._root is not None else [])]:
            _remove_group(group)

    @staticmethod
    def _read_trees(pids: list[int], roots: list[int]) -> CpuSeconds:
        user_s = system_s = 0.0
        for root in pids:
            for pid in process_tree(root, without=[other for other in roots if other != root]):
                if (stat := read_stat(pid)) is not None:
                    user_s += stat.user_s
                    system_s += stat.system_s
        return CpuSeconds(user_s, system_s)


@contextlib.contextmanager
def metered(name: str) -> Iterator[Meter]:
    meter = Meter(name)
    try:
        yield meter
    finally:
        meter.close()


def _make_group(name: str) -> Path | None:
    candidates = [root for root in CGROUP_V2_ROOTS if (root / "cgroup.controllers").exists()]
    if (CGROUP_V1_ROOT / "cpuacct.usage").exists():
        candidates.append(CGROUP_V1_ROOT)
    for root in candidates:
        group = root / f"offhook-bench-{os.getpid()}-{name}"
        try:
            group.mkdir()
            _read_group(group)
        except (OSError, ValueError, KeyError):
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        return group
    return None


def _read_group(group: Path) -> CpuSeconds:
    v1 = group / "cpuacct.usage"
    if v1.exists():
        return CpuSeconds(int(v1.read_text(encoding="ascii")) / 1e9, 0.0)
    lines = (group / "cpu.stat").read_text(encoding="ascii").splitlines()
    values = dict(line.split() for line in lines)
    return CpuSeconds(int(values["user_usec"]) / 1e6, int(values["system_usec"]) / 1e6)


def _remove_group(group: Path) -> None:
    for _ in range(CGROUP_REMOVE_TRIES):
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(CGROUP_REMOVE_WAIT_S)
        else:
            return
