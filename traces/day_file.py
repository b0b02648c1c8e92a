"""The traces of one day (UTC, by the start of the call): one SQLite file, DATA/traces/YYYY-MM-DD.sqlite, mode 0600.

One process writes; whoever may read the file reads it at any time (write-ahead log: neither waits for the other). A
trace that comes again replaces what was there, unless it is less.
"""

import os
import re
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from traces.call_trace import CallTrace
from traces.packing import DICTIONARY, pack_trace, unpack_trace

FILE_MODE: Final = 0o600  # who called whom, and what their telephones said
# How long a reader or writer waits for the other at the few moments when SQLite needs the file for itself.
BUSY_TIMEOUT_S: Final = 5.0

_NAME: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.sqlite")
_SCHEMA: Final = """
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS traces (
        id INTEGER PRIMARY KEY, call_id TEXT NOT NULL UNIQUE, started_at_us INTEGER NOT NULL,
        ended_at_us INTEGER NOT NULL, why TEXT NOT NULL, messages INTEGER NOT NULL, dropped INTEGER NOT NULL,
        dictionary INTEGER NOT NULL, packed BLOB NOT NULL
    );
"""
_ADD: Final = """
    INSERT INTO traces (call_id, started_at_us, ended_at_us, why, messages, dropped, dictionary, packed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (call_id) DO UPDATE SET
        started_at_us = excluded.started_at_us, ended_at_us = excluded.ended_at_us, why = excluded.why,
        messages = excluded.messages, dropped = excluded.dropped, dictionary = excluded.dictionary,
        packed = excluded.packed
    WHERE excluded.messages >= traces.messages
"""


class TraceSummary(msgspec.Struct, frozen=True):
    """What is known of a trace without reading it. `octets` is what it takes on the disk."""

    call_id: str
    started_at_us: int
    ended_at_us: int
    why: str
    messages: int
    dropped: int
    octets: int


def day_of(at_us: int) -> str:
    """Raises OverflowError and ValueError outside the years 1 to 9999."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%d")


def day_of_file(name: str) -> str:
    """ "" for a file that is none of these."""
    match = _NAME.fullmatch(name)
    return match[1] if match else ""


def file_name(day: str) -> str:
    return f"{day}.sqlite"


class DayFile:
    """One file, open for writing by the one process that does. Every method raises sqlite3.Error."""

    __slots__ = ("_db", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        # SQLite would make it readable for everybody; its own files beside it take over the mode of this one.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
        self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            self._db.executescript(_SCHEMA)
            # A power cut may cost the last seconds, never the file: a trace is no money.
            self._db.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error:
            self._db.close()
            raise

    def add(self, traces: Sequence[CallTrace]) -> None:
        """All of them or, when it raises, none."""
        rows = [
            (
                trace.call_id, trace.started_at_us, trace.ended_at_us, trace.why, len(trace.messages), trace.dropped,
                DICTIONARY, pack_trace(trace),
            )
            for trace in traces
        ]  # fmt: skip
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(_ADD, rows)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def remove_oldest(self, count: int) -> int:
        """How many were removed. What they took is given back to the disk."""
        removed = self._db.execute(
            "DELETE FROM traces WHERE id IN (SELECT id FROM traces ORDER BY id LIMIT ?)", (count,)
        ).rowcount
        # A script is run to its end; a statement would free one page only, as these rows have no columns.
        self._db.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")
        return removed

    def count(self) -> int:
        found: int = self._db.execute("SELECT count(*) FROM traces").fetchone()[0]
        return found

    def close(self) -> None:
        self._db.close()


def find_in(path: Path, call_id: str) -> CallTrace | None:
    """Raises sqlite3.Error and DamagedTrace."""
    db = _reading(path)
    try:
        row = db.execute("SELECT dictionary, packed FROM traces WHERE call_id = ?", (call_id,)).fetchone()
    finally:
        db.close()
    return None if row is None else unpack_trace(row[1], row[0])


def summaries_in(path: Path, limit: int) -> list[TraceSummary]:
    """The latest first. Raises sqlite3.Error."""
    db = _reading(path)
    try:
        rows = db.execute(
            "SELECT call_id, started_at_us, ended_at_us, why, messages, dropped, length(packed)"
            " FROM traces ORDER BY started_at_us DESC, id DESC LIMIT ?",
            (limit,),
        ).fetchall()
    finally:
        db.close()
    return [TraceSummary(*row) for row in rows]


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
