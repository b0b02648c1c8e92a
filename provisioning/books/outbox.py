"""The journal's outbox, read only: batches after a mark, in order, each with its checksum compared.

The journal process writes the file (`rating/journal/store.py` has its tables); SQLite lets readers in beside
it. Every read is one short statement, because an open one would keep the write-ahead log from being folded
back.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import msgspec

from rating.journal.damage import batch_checksum

# One transaction's worth: some thousand records. A single larger batch is still read, alone.
CHUNK_BYTES_MAX = 1024 * 1024
CHUNK_BATCHES_MAX = 1024
BUSY_TIMEOUT_S = 5.0  # only recovery after a crash ever keeps a reader waiting

_READ = "SELECT batch, last_seq, at_ms, checksum, packed FROM outbox WHERE batch > ? ORDER BY batch LIMIT ?"


class OutboxBatch(msgspec.Struct, frozen=True):
    """One group commit's records, packed. `is_sound`: the bytes are those that were written."""

    batch: int
    packed: bytes
    is_sound: bool


class Outbox:
    """The file, opened when it is there. Methods raise sqlite3.Error, and the next call opens it anew."""

    __slots__ = ("_connection", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    def epoch(self) -> str:
        """The journal's identity; "" while there is no file."""
        if self._connection is None and not self.path.exists():
            return ""
        rows = self._fetch("SELECT epoch FROM meta", ())
        return rows[0][0].decode() if rows else ""

    def read(self, after_batch: int) -> list[OutboxBatch]:
        """The next chunk of batches above the mark; empty when there is none. See `is_full`."""
        connection = self._open()
        try:
            cursor = connection.execute(_READ, (after_batch, CHUNK_BATCHES_MAX))
            try:
                return list(_chunk(cursor))
            finally:
                cursor.close()
        except sqlite3.Error:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            uri = f"file:{quote(str(self.path))}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            # Without this a damaged row could raise before it is judged.
            self._connection.text_factory = bytes
        return self._connection

    def _fetch(self, statement: str, arguments: tuple[int, ...]) -> list[tuple[bytes]]:
        try:
            return self._open().execute(statement, arguments).fetchall()
        except sqlite3.Error:
            self.close()
            raise


def is_full(batches: Sequence[OutboxBatch]) -> bool:
    """Whether a chunk ended because of its size, so that more is waiting."""
    return len(batches) >= CHUNK_BATCHES_MAX or sum(len(batch.packed) for batch in batches) >= CHUNK_BYTES_MAX


def _chunk(rows: Iterator[tuple[int, int, int, int, bytes]]) -> Iterator[OutboxBatch]:
    size = 0
    for batch, last_seq, at_ms, checksum, packed in rows:
        size += len(packed)
        yield OutboxBatch(batch, packed, batch_checksum(batch, last_seq, at_ms, packed) == checksum)
        if size >= CHUNK_BYTES_MAX:
            return
