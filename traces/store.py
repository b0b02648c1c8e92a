"""The traces that were kept: a folder with one file a day (day_file.py), bounded by days and by octets of disk.

Everything here blocks and belongs into a process or thread of its own. A damaged file is put aside under another name
and a new one begun: a fault of the disk costs one day's traces, and is told by name, never a call.
"""

import re
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from traces.call_trace import CallTrace
from traces.day_file import DayFile, TraceSummary, day_of, day_of_file, file_name, find_in, summaries_in
from traces.packing import DamagedTrace
from traces.redaction import redacted_trace

# What the rest of the machine keeps: the journal of the switch may live on the same disk, and calls come first.
DISK_RESERVE_BYTES: Final = 256 * 1024 * 1024
DAYS_DEFAULT: Final = 30
DISK_BYTES_DEFAULT: Final = 4 * 1024 * 1024 * 1024
DAMAGED: Final = ".damaged"
# Within the last day so many go at once: each time costs a checkpoint of the file.
REMOVED_AT_ONCE: Final = 256
_US_PER_DAY: Final = 86_400_000_000
# What SQLite keeps beside a file while it is open.
_BESIDE: Final = ("", "-wal", "-shm", "-journal")


class TraceStoreProblem(Exception):  # noqa: N818 - the disk's, said as a sentence
    """Traces could not be written; `is_full` when only room is missing."""

    def __init__(self, words: str, *, is_full: bool) -> None:
        super().__init__(words)
        self.is_full = is_full


class Found(msgspec.Struct, frozen=True):
    """A trace, or None; `problems` are files that could not be read, in words."""

    trace: CallTrace | None
    problems: list[str] = []


class Removed(msgspec.Struct, frozen=True):
    """What made room: whole days by name, and traces of the last day."""

    days: list[str]
    traces: int


class TraceStore:
    """`TraceStore(DATA / "traces")` is enough to read; `days` and `disk_bytes` are for who writes."""

    def __init__(
        self,
        folder: Path,
        *,
        days: int = DAYS_DEFAULT,
        disk_bytes: int = DISK_BYTES_DEFAULT,
        disk_reserve_bytes: int = DISK_RESERVE_BYTES,
    ) -> None:
        self.folder = folder
        self.days = days
        self.disk_bytes = disk_bytes
        self.damaged = 0  # files put aside since the start
        self._disk_reserve_bytes = disk_reserve_bytes
        # The days written last, at most two: calls of both sides of midnight end together.
        self._open: dict[str, DayFile] = {}

    # Reading: any process, any thread

    def find(self, call_id: str) -> Found:
        """The day that the call id names is looked at first."""
        problems = []
        for day in _nearest_first(self.stored_days(), _begun_at_us(call_id)):
            path = self.folder / file_name(day)
            try:
                trace = find_in(path, call_id)
            except (sqlite3.Error, DamagedTrace) as problem:
                if path.exists():  # else its time has just come
                    problems.append(f"the traces of {day} cannot be read ({path}: {problem})")
                continue
            if trace is not None:
                return Found(trace, problems)
        return Found(None, problems)

    def summaries(self, limit: int = 50) -> list[TraceSummary]:
        """The latest first. Raises TraceStoreProblem."""
        found: list[TraceSummary] = []
        for day in reversed(self.stored_days()):
            if len(found) >= limit:
                break
            try:
                found += summaries_in(self.folder / file_name(day), limit - len(found))
            except sqlite3.Error as problem:
                raise TraceStoreProblem(f"the traces of {day}: {problem}", is_full=False) from None
        return found

    def stored_days(self) -> list[str]:
        """The oldest first."""
        try:
            return sorted(filter(None, (day_of_file(path.name) for path in self.folder.iterdir())))
        except FileNotFoundError:
            return []

    def used_bytes(self) -> int:
        """On the disk, damaged files too."""
        used = 0
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            try:
                used += path.stat().st_size
            except FileNotFoundError:  # SQLite comes and goes
                continue
        return used

    # Writing: the one process that does

    def add(self, traces: Sequence[CallTrace]) -> None:
        """One transaction a day, redacted. Raises TraceStoreProblem; what was added before it stays."""
        by_day: dict[str, list[CallTrace]] = {}
        for trace in traces:
            try:
                day = day_of(trace.started_at_us)
            except (OverflowError, ValueError, OSError):  # no day has it: a clock that was never set
                day = day_of(0)
            by_day.setdefault(day, []).append(redacted_trace(trace))
        if by_day and not self._has_disk():
            raise TraceStoreProblem(f"the disk of {self.folder} is nearly full", is_full=True)
        for day, of_day in by_day.items():
            self._add_to(day, of_day)

    def expire(self, now_us: int) -> Removed:
        """Make room: days past their time, then whole days, oldest first, then the oldest of the last day.

        Raises TraceStoreProblem.
        """
        days = self.stored_days()
        keep_from = day_of(now_us - self.days * _US_PER_DAY)
        removed = [day for day in days if day < keep_from]
        for day in removed:
            self._remove_day(day)
        self._remove_damaged(before=keep_from)
        days = days[len(removed) :]
        while len(days) > 1 and (self.used_bytes() > self.disk_bytes or not self._has_disk()):
            removed.append(days.pop(0))
            self._remove_day(removed[-1])
        traces = 0
        if days and self.used_bytes() > self.disk_bytes:
            self._remove_damaged()
            traces = self._thin(days[0])
        return Removed(removed, traces)

    def close(self) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _add_to(self, day: str, traces: list[CallTrace]) -> None:
        try:
            self._file(day).add(traces)
        except (sqlite3.Error, OSError) as problem:
            if _is_full(problem):
                raise TraceStoreProblem(f"{self.folder / file_name(day)}: {problem}", is_full=True) from None
            if not _is_damage(problem):
                raise TraceStoreProblem(f"{self.folder / file_name(day)}: {problem}", is_full=False) from None
            aside = self._put_aside(day)
            words = f"{self.folder / file_name(day)}: {problem}; it is {aside.name} now"
            try:
                self._file(day).add(traces)
            except (sqlite3.Error, OSError) as again:
                words = f"{words}, and the new one fails too: {again}"
                raise TraceStoreProblem(words, is_full=_is_full(again)) from None

    def _file(self, day: str) -> DayFile:
        file = self._open.get(day)
        if file is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            while len(self._open) >= 2:
                self._open.pop(min(self._open)).close()
            file = self._open[day] = DayFile(self.folder / file_name(day))
        return file

    def _put_aside(self, day: str) -> Path:
        self._forget(day)
        self.damaged += 1
        path = self.folder / file_name(day)
        aside = path.with_name(path.name + DAMAGED)  # one a day: the later tells more than two
        for suffix in _BESIDE[1:]:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.replace(aside)
        return aside

    def _remove_day(self, day: str) -> None:
        self._forget(day)
        path = self.folder / file_name(day)
        for suffix in (*_BESIDE, DAMAGED):
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    def _remove_damaged(self, before: str = "9999") -> None:
        for path in self.folder.glob(f"*{DAMAGED}"):
            if path.name < before:
                path.unlink(missing_ok=True)

    def _forget(self, day: str) -> None:
        file = self._open.pop(day, None)
        if file is not None:
            file.close()

    def _thin(self, day: str) -> int:
        """The oldest traces of a day go until there is room for the next ones."""
        traces = 0
        try:
            while self.used_bytes() > self.disk_bytes:
                removed = self._file(day).remove_oldest(REMOVED_AT_ONCE)
                traces += removed
                if not removed:
                    break
        except (sqlite3.Error, OSError) as problem:
            if not _is_damage(problem):
                raise TraceStoreProblem(
                    f"{self.folder / file_name(day)}: {problem}", is_full=_is_full(problem)
                ) from None
            self._put_aside(day)
        return traces

    def _has_disk(self) -> bool:
        folder = self.folder
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return shutil.disk_usage(folder).free > self._disk_reserve_bytes


# A call id of ours begins with the UTC milliseconds of its call (switch/exchange.py).
_minted: Final = re.compile(r"([0-9a-f]{12})-")


def _begun_at_us(call_id: str) -> int | None:
    match = _minted.match(call_id)
    return None if match is None else int.from_bytes(bytes.fromhex(match[1])) * 1000


def _nearest_first(days: list[str], at_us: int | None) -> list[str]:
    """The latest first; where the time is known, its day and then its neighbours before all others."""
    latest = days[::-1]
    if at_us is None:
        return latest
    try:
        near = [day_of(at_us + days_off * _US_PER_DAY) for days_off in (0, -1, 1)]
    except (OverflowError, ValueError, OSError):
        return latest
    return [day for day in near if day in days] + [day for day in latest if day not in near]


def _is_full(problem: Exception) -> bool:
    if isinstance(problem, OSError):
        return True  # no room, or no right: the file is as it was
    return getattr(problem, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def _is_damage(problem: Exception) -> bool:
    return getattr(problem, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
