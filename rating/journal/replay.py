"""Reading the journal back when a switch starts: state, and the usage the books do not know yet. Read-only.

A switch reads after its journal process has said Ready: then the predecessor is gone and the file stands
still. Every row that is used is verified; a row that does not match its checksum, a page that SQLite finds
malformed or a batch that is missing ends in an error with the exact place, never in a smaller answer.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from rating.journal.damage import (
    JournalDamagedError,
    batch_checksum,
    damaged_page,
    damaged_row,
    is_corruption,
    locate_damage,
    state_checksum,
)
from rating.journal.frames import unpack_records
from rating.journal.store import read_epoch, read_marks
from rating.london_day import london_day
from rating.records import OutboxRecord, UsageEntry

BUSY_TIMEOUT_S: Final = 5.0
USAGE_TAG: Final = "usage"

_SELECT_BATCHES: Final = (
    "SELECT batch, last_seq, at_ms, checksum, packed FROM outbox WHERE batch > ? ORDER BY batch"
)
_outbox_records: Final = msgspec.msgpack.Decoder(list[OutboxRecord])
_usage_entry: Final = msgspec.msgpack.Decoder(UsageEntry)


class JournalMismatchError(Exception):
    """The journal and the books do not fit together: one of them is a copy from another time."""


class JournalContents(msgspec.Struct):
    """What a starting switch needs. `usage_after_mark`: an account's usage above the mark (negative); `usage_by_day`
    the same as charges (positive), by account and London day."""

    epoch: str
    last_seq: int
    last_batch: int
    state: dict[str, bytes]
    usage_after_mark: dict[int, int]
    usage_by_day: dict[tuple[int, int], int] = {}


def open_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection. Read each statement to its end at once: an open one holds back check-points."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no journal")
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S
    )


def read_journal(path: Path, *, epoch_mark: tuple[str, int] | None) -> JournalContents:
    """Everything at one moment. `epoch_mark`: the epoch and the last batch that the books already contain.

    A mark of another epoch says nothing about this file. Raises JournalDamagedError, JournalMismatchError,
    StoreUnusableError or FileNotFoundError.
    """
    with closing(open_reader(path)) as connection:
        try:
            connection.execute("BEGIN")
            return _read(connection, path, epoch_mark)
        except (sqlite3.Error, TypeError, ValueError) as error:
            if is_corruption(error):
                raise locate_damage(path, error) from error
            raise


def _read(connection: sqlite3.Connection, path: Path, epoch_mark: tuple[str, int] | None) -> JournalContents:
    epoch = read_epoch(connection, path)
    last_batch, last_seq = read_marks(connection)
    mark = epoch_mark[1] if epoch_mark and epoch_mark[0] == epoch else 0
    if mark > last_batch:
        raise JournalMismatchError(
            f"{path}: the books contain batch {mark} of this journal, which ends at {last_batch}:"
            " it is an older copy"
        )
    usage: dict[int, int] = {}
    by_day: dict[tuple[int, int], int] = {}
    newest = mark
    for batch, packed in _batches(connection, path, after=mark):
        for entry in _usage_of(batch, packed, path):
            usage[entry.account_id] = usage.get(entry.account_id, 0) + entry.amount_micros
            key = (entry.account_id, london_day(entry.at_ms))
            by_day[key] = by_day.get(key, 0) - entry.amount_micros
        newest = batch
    if newest != last_batch:
        raise JournalMismatchError(f"{path}: batches {newest + 1} to {last_batch} are missing")
    return JournalContents(epoch, last_seq, last_batch, _read_state(connection, path), usage, by_day)


def _read_state(connection: sqlite3.Connection, path: Path) -> dict[str, bytes]:
    finding = connection.execute("PRAGMA quick_check('state')").fetchone()[0]
    if finding != "ok":
        raise damaged_page(path, finding)
    state: dict[str, bytes] = {}
    for key, checksum, value in connection.execute("SELECT key, checksum, value FROM state"):
        if state_checksum(key, value) != checksum:
            raise damaged_row(path, f"state {key!r}", value)
        state[key] = value
    return state


def _batches(connection: sqlite3.Connection, path: Path, *, after: int) -> Iterator[tuple[int, bytes]]:
    """Number and packed records of each batch above `after`, verified, without a gap."""
    expected = after + 1
    for batch, last_seq, at_ms, checksum, packed in connection.execute(_SELECT_BATCHES, (after,)):
        if batch != expected:
            raise JournalMismatchError(
                f"{path}: batches {expected} to {batch - 1} are missing; the books have those up to {after}"
            )
        if batch_checksum(batch, last_seq, at_ms, packed) != checksum:
            raise damaged_row(path, f"outbox batch {batch}", packed)
        yield batch, packed
        expected += 1


def _usage_of(batch: int, packed: bytes, path: Path) -> list[UsageEntry]:
    try:
        records = _outbox_records.decode(packed)
    except msgspec.DecodeError:
        return _usage_among_strangers(batch, packed, path)
    return [record for record in records if isinstance(record, UsageEntry)]


def _usage_among_strangers(batch: int, packed: bytes, path: Path) -> list[UsageEntry]:
    """A newer program may have written records that we do not know. Money among them must be readable."""
    entries = []
    place = "its array"
    try:
        for index, record in enumerate(unpack_records(packed)):
            place = f"record {index}"
            fields: Any = msgspec.msgpack.decode(record)
            if fields[0] == USAGE_TAG:
                entries.append(_usage_entry.decode(record))
    except (msgspec.DecodeError, TypeError, LookupError) as error:
        raise JournalDamagedError(f"{path}: outbox batch {batch}: {place} cannot be read: {error}") from error
    return entries
