"""The journal's file: what a commit leaves in it, and that nothing else changes it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rating.journal.group_commit import Batch
from rating.journal.replay import read_journal
from rating.journal.store import CHECKPOINT_PAGES, FORGET_ROWS_MAX, Store, StoreUnusableError
from tests.rating.journal.files import commit_numbers, crash_copy, first_batch, number, numbers_in


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store.open(path)
    yield store
    store.close()


def outbox_rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        count: int = connection.execute("SELECT count(*) FROM outbox").fetchone()[0]
    return count


def test_each_new_file_has_a_random_epoch_of_64_bits(tmp_path: Path) -> None:
    epochs = set()
    for name in ("a", "b", "c"):
        store = Store.open(tmp_path / name)
        epochs.add(store.epoch)
        store.close()
    assert len(epochs) == 3
    assert all(len(bytes.fromhex(epoch)) == 8 for epoch in epochs)


def test_the_epoch_and_the_marks_survive_reopening(path: Path) -> None:
    store = Store.open(path)
    commit_numbers(store, 3)
    store.close()
    again = Store.open(path)
    assert (again.epoch, again.last_seq, again.last_batch) == (store.epoch, 3, 3)
    again.close()


def test_a_batch_without_records_has_no_row_but_moves_the_sequence(path: Path, store: Store) -> None:
    store.commit(Batch(4, 4, {"heartbeat": b"1"}, []), at_ms=1)
    assert (store.last_seq, store.last_batch) == (4, 0)
    store.commit(Batch(1, 5, {}, [number(5)]), at_ms=2)
    store.commit(Batch(2, 7, {"heartbeat": b"2"}, []), at_ms=3)
    assert outbox_rows(path) == 1
    contents = read_journal(path, epoch_mark=None)
    assert (contents.last_seq, contents.last_batch) == (7, 1)


def test_state_is_replaced_under_its_key_and_deleted(path: Path, store: Store) -> None:
    store.commit(Batch(1, 1, {"a": b"1", "b": b"1", "c": b""}, []), at_ms=1)
    store.commit(Batch(1, 2, {"a": b"2", "b": None, "never there": None}, []), at_ms=2)
    assert read_journal(path, epoch_mark=None).state == {"a": b"2", "c": b""}


def test_records_keep_their_order_over_batches(path: Path, store: Store) -> None:
    store.commit(Batch(2, 2, {}, [number(1), number(2)]), at_ms=1)
    store.commit(Batch(3, 5, {}, [number(3), number(4), number(5)]), at_ms=2)
    assert numbers_in(path) == [1, 2, 3, 4, 5]


def test_forgetting_goes_in_bites_and_stops_at_the_batch_named(path: Path, store: Store) -> None:
    commit_numbers(store, FORGET_ROWS_MAX + 10)
    assert store.forget(FORGET_ROWS_MAX + 5)
    assert outbox_rows(path) == 10
    assert not store.forget(FORGET_ROWS_MAX + 5)
    assert first_batch(path) == FORGET_ROWS_MAX + 6


def test_the_newest_batch_is_never_forgotten_so_that_numbers_do_not_return(path: Path, store: Store) -> None:
    commit_numbers(store, 3)
    assert not store.forget(3)
    assert outbox_rows(path) == 1
    store.close()
    again = Store.open(path)
    assert (again.last_seq, again.last_batch) == (3, 3)
    again.close()


def test_the_log_does_not_grow_without_end(path: Path, store: Store) -> None:
    for _ in range(3 * CHECKPOINT_PAGES // 25):
        commit_numbers(store, 1, state_bytes=80_000)
        store.checkpoint_if_due()
    assert Path(f"{path}-wal").stat().st_size < 2 * CHECKPOINT_PAGES * 4200


def test_a_reader_sees_commits_while_the_writer_has_the_file(path: Path, store: Store) -> None:
    commit_numbers(store, 2)
    assert numbers_in(path) == [1, 2]
    commit_numbers(store, 1)
    assert numbers_in(path) == [1, 2, 3]


def test_a_file_of_another_schema_version_is_refused(path: Path) -> None:
    Store.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE meta SET schema_version = 99")
        connection.commit()
    with pytest.raises(StoreUnusableError, match="schema version 99, this program knows 1"):
        Store.open(path)


def test_a_file_that_was_removed_is_noticed_at_the_next_check_point(path: Path, store: Store) -> None:
    commit_numbers(store, 1)
    path.unlink()
    commit_numbers(store, 60, state_bytes=200_000)
    with pytest.raises(StoreUnusableError, match="removed or replaced"):
        for _ in range(CHECKPOINT_PAGES):
            commit_numbers(store, 1)
            store.checkpoint_if_due()


def test_what_was_recovered_is_in_the_file_itself_before_anybody_is_told(path: Path, tmp_path: Path) -> None:
    """Its log pages may be in the kernel's memory only, if a failed sync ended the predecessor."""
    store = Store.open(path)
    commit_numbers(store, 5)
    crashed = crash_copy(path, tmp_path / "crashed")
    store.close()
    recovered = Store.open(crashed)
    alone = tmp_path / "alone.sqlite"
    alone.write_bytes(crashed.read_bytes())
    recovered.close()
    assert numbers_in(alone) == [1, 2, 3, 4, 5]


def test_every_commit_is_synced_in_full(store: Store) -> None:
    synchronous = store._connection.execute("PRAGMA synchronous").fetchone()[0]
    mode = store._connection.execute("PRAGMA journal_mode").fetchone()[0]
    assert (synchronous, mode) == (2, "wal")
