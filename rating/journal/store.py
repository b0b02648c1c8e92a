"""The journal's file: SQLite in WAL mode with synchronous=FULL, one transaction and one packed row per batch.

`state` is replaced under its key; `outbox` is appended in batches, numbered without gaps, and deleted
(never its newest row, which carries the last sequence number) when told that it is safe elsewhere. Whoever
opens the file first makes it and gives it a random epoch. Every row carries a checksum. What follows from
an error: a full disk raises DiskFullError and the batch may be tried again; anything else, above all a
failed sync, ends the process (the kernel forgets such an error once it has told it, so a second sync would
report success for pages that were never written).
"""

import secrets
import sqlite3
from pathlib import Path
from typing import Final, Self

from rating.journal.damage import (
    JournalDamagedError,
    batch_checksum,
    check_write_ahead_log,
    epoch_checksum,
    state_checksum,
)
from rating.journal.frames import pack_records
from rating.journal.group_commit import Batch

SCHEMA_VERSION: Final = 1
EPOCH_BYTES: Final = 8
PAGE_BYTES: Final = 4096
# Readers (the shipper) hold the file for single statements; only the check-point at opening ever waits for
# one.
BUSY_TIMEOUT_S: Final = 5.0
# The hot pages are a few leaves; the kernel caches the rest of the file anyway.
CACHE_KIB: Final = 1024
# About one check-point a second at 200 calls a second: up to 4 MB to copy while nothing is committed.
CHECKPOINT_PAGES: Final = 1000
# If a reader holds the log back for long, SQLite tries itself at each commit from here on.
AUTOCHECKPOINT_PAGES: Final = 8 * CHECKPOINT_PAGES
LOG_BYTES_KEPT: Final = 16 * 1024 * 1024
# A bite of the outbox deleted at once: about a millisecond of work between two commits.
FORGET_ROWS_MAX: Final = 32

_DISK_FULL: Final = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE,  # the shared index of the log could not grow: the disk is full as well
}

_SCHEMA: Final = (
    "CREATE TABLE meta (schema_version INTEGER NOT NULL, epoch TEXT NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE marks (last_seq INTEGER NOT NULL)",
    "CREATE TABLE state (key TEXT NOT NULL PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL)",
    "CREATE TABLE outbox (batch INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, packed BLOB NOT NULL)",
)
_PUT: Final = (
    "INSERT INTO state (key, checksum, value) VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET checksum = excluded.checksum, value = excluded.value"
)
_DELETE: Final = "DELETE FROM state WHERE key = ?"
_APPEND: Final = "INSERT INTO outbox (batch, last_seq, at_ms, checksum, packed) VALUES (?, ?, ?, ?, ?)"
_MARK: Final = "UPDATE marks SET last_seq = ?"
_FORGET: Final = (
    "DELETE FROM outbox WHERE batch IN"
    " (SELECT batch FROM outbox WHERE batch <= ? AND batch < ? ORDER BY batch LIMIT ?)"
)


class DiskFullError(Exception):
    """The batch is not written and nothing of it is in the file; it may be tried again."""


class StoreUnusableError(Exception):
    """The file is not a journal of this version, or not the one we opened any more."""


class Store:
    """The file, opened by its one writer. `last_seq` and `last_batch` are what is durable in it."""

    __slots__ = ("_connection", "_identity", "_log_pages", "_path", "epoch", "last_batch", "last_seq")

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._log_pages = 0
        self.epoch = read_epoch(connection, path)
        self.last_batch, self.last_seq = read_marks(connection)
        self._identity = self._identify()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or make it. Raises JournalDamagedError, StoreUnusableError, DiskFullError or sqlite3.Error."""
        check_write_ahead_log(path)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            _prepare(connection)
            return cls(path, connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                _raise_if_full(error)
            raise

    def commit(self, batch: Batch, *, at_ms: int) -> None:
        """Make a batch durable. Raises DiskFullError, or sqlite3.Error after which the process must end."""
        last_batch = self.last_batch + 1 if batch.outbox else self.last_batch
        pages = 1
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            if batch.puts:
                pages += self._put(batch.puts)
            if batch.outbox:
                packed = pack_records(batch.outbox)
                checksum = batch_checksum(last_batch, batch.last_seq, at_ms, packed)
                connection.execute(_APPEND, (last_batch, batch.last_seq, at_ms, checksum, packed))
                pages += 1 + len(packed) // PAGE_BYTES
            else:
                connection.execute(_MARK, (batch.last_seq,))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo(error)
            raise
        self.last_seq, self.last_batch = batch.last_seq, last_batch
        self._log_pages += pages

    def _put(self, puts: dict[str, bytes | None]) -> int:
        kept = [(key, state_checksum(key, value), value) for key, value in puts.items() if value is not None]
        deleted = [(key,) for key, value in puts.items() if value is None]
        if kept:
            self._connection.executemany(_PUT, kept)
        if deleted:
            self._connection.executemany(_DELETE, deleted)
        # A leaf of the table and one of its index, and what does not fit on a leaf.
        return 2 * len(puts) + sum(len(value) // PAGE_BYTES for _, _, value in kept)

    def _undo(self, error: sqlite3.Error) -> None:
        """Leave nothing half done if the disk is full. After any other error nothing is safe to do."""
        if error_code(error) in _DISK_FULL and self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        _raise_if_full(error)

    def forget(self, up_to_batch: int) -> bool:
        """Delete one bite of old batches. True while there is more. Raises as `commit` does."""
        try:
            cursor = self._connection.execute(_FORGET, (up_to_batch, self.last_batch, FORGET_ROWS_MAX))
        except sqlite3.Error as error:
            self._undo(error)
            raise
        self._log_pages += cursor.rowcount
        return cursor.rowcount == FORGET_ROWS_MAX

    def checkpoint_if_due(self) -> None:
        """Copy the log into the file when enough has been written. Call it when nobody waits for a commit."""
        if self._log_pages < CHECKPOINT_PAGES:
            return
        self._log_pages = 0
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            if error_code(error) not in _DISK_FULL:
                raise
            return  # the log still holds everything; the next one may find room
        if self._identify() != self._identity:
            raise StoreUnusableError(f"{self._path}: the file was removed or replaced while it was in use")

    def _identify(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def close(self) -> None:
        self._connection.close()


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    # Without this a build may map the file, and then an I/O error is a SIGBUS.
    connection.execute("PRAGMA mmap_size = 0")
    # Debian's build would overwrite every deleted page, at twice the writing.
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute(f"PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES_KEPT}")
    _settle_log(connection)
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        _create(connection)


def _settle_log(connection: sqlite3.Connection) -> None:
    """Copy all that was recovered into the file and sync it, before anybody is told that it is durable.

    Without this, after a failed sync, a restarted process would trust log pages that only the kernel's
    memory holds.
    """
    is_busy = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()[0]
    if is_busy:
        raise StoreUnusableError(f"a reader kept the journal busy for {BUSY_TIMEOUT_S:.0f} s")


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        connection.execute(statement)
    epoch = secrets.token_hex(EPOCH_BYTES)
    connection.execute("INSERT INTO meta VALUES (?, ?, ?)", (SCHEMA_VERSION, epoch, epoch_checksum(epoch)))
    connection.execute("INSERT INTO marks VALUES (0)")
    connection.execute("COMMIT")


def read_epoch(connection: sqlite3.Connection, path: Path) -> str:
    row = connection.execute("SELECT schema_version, epoch, checksum FROM meta").fetchone()
    version, epoch, checksum = row
    if version != SCHEMA_VERSION:
        raise StoreUnusableError(
            f"{path}: made by schema version {version}, this program knows {SCHEMA_VERSION}"
        )
    if epoch_checksum(str(epoch)) != checksum:  # under another epoch the books would take every record again
        raise JournalDamagedError(f"{path}: the epoch {epoch!r} does not match its checksum")
    return str(epoch)


def read_marks(connection: sqlite3.Connection) -> tuple[int, int]:
    """The last batch and sequence number. A commit with records leaves its number in its row only."""
    marked: int = connection.execute("SELECT last_seq FROM marks").fetchone()[0]
    newest = connection.execute("SELECT batch, last_seq FROM outbox ORDER BY batch DESC LIMIT 1").fetchone()
    batch, last_seq = newest or (0, 0)
    return batch, max(marked, last_seq)


def error_code(error: sqlite3.Error) -> int:
    """SQLite's extended code; 0 for what Python's module raises itself."""
    return getattr(error, "sqlite_errorcode", 0)


def _raise_if_full(error: sqlite3.Error) -> None:
    if error_code(error) in _DISK_FULL:
        raise DiskFullError(f"the disk is full: {error}") from error
