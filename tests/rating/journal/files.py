"""Journals on disk for the tests: batches by the dozen, and the files as a crash would leave them."""

import shutil
from pathlib import Path

import msgspec

from rating.journal.frames import unpack_records
from rating.journal.group_commit import Batch
from rating.journal.replay import open_reader
from rating.journal.store import Store
from rating.records import OutboxRecord, UsageEntry

SUFFIXES = ("", "-wal", "-shm")


def usage(account_id: int, amount_micros: int, *, call_id: str = "c1") -> bytes:
    record: OutboxRecord = UsageEntry(account_id, call_id, 1, amount_micros, 1_700_000_000_000)
    return msgspec.msgpack.encode(record)


def number(seq: int) -> bytes:
    """A record that only says which one it is."""
    return usage(1, -seq, call_id=f"call-{seq}")


def commit_numbers(store: Store, count: int, *, state_bytes: int = 100) -> None:
    """`count` batches of one frame: a record and a state value each."""
    for _ in range(count):
        seq = store.last_seq + 1
        value = seq.to_bytes(8, "big") * (state_bytes // 8)
        store.commit(Batch(1, seq, {f"key/{seq % 7}": value}, [number(seq)]), at_ms=seq)


def crash_copy(path: Path, to: Path) -> Path:
    """The files of an open journal as they are now, without the index that a restart does not keep."""
    to.mkdir(exist_ok=True)
    for suffix in SUFFIXES[:2]:
        source = Path(f"{path}{suffix}")
        if source.exists():
            shutil.copyfile(source, to / source.name)
    return to / path.name


def numbers_in(path: Path) -> list[int]:
    """The numbers of all records in the journal, in the order of its batches."""
    reader = open_reader(path)
    try:
        rows = reader.execute("SELECT packed FROM outbox ORDER BY batch").fetchall()
    finally:
        reader.close()
    records = [record for (packed,) in rows for record in unpack_records(packed)]
    return [-msgspec.msgpack.decode(record, type=UsageEntry).amount_micros for record in records]


def first_batch(path: Path) -> int:
    reader = open_reader(path)
    try:
        return int(reader.execute("SELECT coalesce(min(batch), 1) FROM outbox").fetchone()[0])
    finally:
        reader.close()
