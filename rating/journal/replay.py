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
from rating.records import BundleUse, OutboxRecord, UsageEntry

BUSY_TIMEOUT_S: Final = 5.0
CHARGE_TAGS: Final = ("usage", "bundle_use")

_SELECT_BATCHES: Final = (
    "SELECT batch, last_seq, at_ms, checksum, packed FROM outbox WHERE batch > ? ORDER BY batch"
)
_outbox_records: Final = msgspec.msgpack.Decoder(list[OutboxRecord])
_charge: Final = msgspec.msgpack.Decoder(UsageEntry | BundleUse)


class JournalMismatchError(Exception):
    """The journal and the books do not fit together: one of them is a copy from another time."""


class JournalContents(msgspec.Struct):
    """What a starting switch needs. `usage_after_mark`: an account's usage above the mark (negative); `usage_by_day`
    the same as charges (positive), by account and London day. `bundle_uses`: the seconds and carried-over seconds that
    were drawn from a bundle above the mark, by its id and the number called ("" where that does not matter)."""

    epoch: str
    last_seq: int
    last_batch: int
    state: dict[str, bytes]
    usage_after_mark: dict[int, int]
    usage_by_day: dict[tuple[int, int], int] = {}
    bundle_uses: dict[tuple[int, str], tuple[int, int]] = {}


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
    bundles: dict[tuple[int, str], tuple[int, int]] = {}
    newest = mark
    for batch, packed in _batches(connection, path, after=mark):
        for entry in _charges_of(batch, packed, path):
            if isinstance(entry, BundleUse):
                seconds, carried_s = bundles.get((entry.bundle_id, entry.number), (0, 0))
                bundles[entry.bundle_id, entry.number] = seconds + entry.seconds, carried_s + entry.carried_s
                continue
            usage[entry.account_id] = usage.get(entry.account_id, 0) + entry.amount_micros
            key = (entry.account_id, london_day(entry.at_ms))
            by_day[key] = by_day.get(key, 0) - entry.amount_micros
        newest = batch
    if newest != last_batch:
        raise JournalMismatchError(f"{path}: batches {newest + 1} to {last_batch} are missing")
    return JournalContents(epoch, last_seq, last_batch, _read_state(connection, path), usage, by_day, bundles)


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


def _charges_of(batch: int, packed: bytes, path: Path) -> list[UsageEntry | BundleUse]:
    try:
        records = _outbox_records.decode(packed)
    except msgspec.DecodeError:
        return _charges_among_strangers(batch, packed, path)
    return [record for record in records if isinstance(record, (UsageEntry, BundleUse))]


def _charges_among_strangers(batch: int, packed: bytes, path: Path) -> list[UsageEntry | BundleUse]:
    """A newer program may have written records that we do not know. Money among them must be readable."""
    entries: list[UsageEntry | BundleUse] = []
    place = "its array"
    try:
        for index, record in enumerate(unpack_records(packed)):
            place = f"record {index}"
            fields: Any = msgspec.msgpack.decode(record)
            if fields[0] in CHARGE_TAGS:
                entries.append(_charge.decode(record))
    except (msgspec.DecodeError, TypeError, LookupError) as error:
        raise JournalDamagedError(f"{path}: outbox batch {batch}: {place} cannot be read: {error}") from error
    return entries
