"""Reading the journal beside its writer."""

import sqlite3
from pathlib import Path

import pytest

from provisioning.books import outbox as outbox_file
from provisioning.books.outbox import Outbox, is_full
from tests.provisioning.records import Journal, cdr


def test_a_journal_that_is_not_there_yet_has_no_epoch(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "journal")
    assert outbox.epoch() == ""
    assert not (tmp_path / "journal").exists()


def test_batches_above_the_mark_are_read_in_order_while_the_writer_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    outbox = Outbox(journal.path)
    for number in range(3):
        journal.append(cdr(f"c{number}"))
        assert [batch.batch for batch in outbox.read(0)] == list(range(1, number + 2))
    assert [batch.batch for batch in outbox.read(2)] == [3]
    assert outbox.read(3) == []
    assert outbox.epoch() == journal.store.epoch
    outbox.close()
    journal.close()


def test_a_journal_whose_writer_has_ended_is_read_all_the_same(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(cdr("c1"))
    journal.close()
    outbox = Outbox(journal.path)
    assert len(outbox.read(0)) == 1
    outbox.close()


def test_a_path_with_odd_characters_is_one_path(tmp_path: Path) -> None:
    directory = tmp_path / "a?b%20c#d"
    directory.mkdir()
    journal = Journal(directory / "journal")
    journal.append(cdr("c1"))
    outbox = Outbox(journal.path)
    assert len(outbox.read(0)) == 1
    outbox.close()
    journal.close()


def test_a_chunk_ends_at_its_limits_but_holds_one_batch_at_least(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "journal")
    for number in range(6):
        journal.append(cdr(f"c{number}"))
    outbox = Outbox(journal.path)
    monkeypatch.setattr(outbox_file, "CHUNK_BATCHES_MAX", 4)
    chunk = outbox.read(0)
    assert (len(chunk), is_full(chunk)) == (4, True)
    chunk = outbox.read(4)
    assert (len(chunk), is_full(chunk)) == (2, False)
    monkeypatch.setattr(outbox_file, "CHUNK_BYTES_MAX", 10)
    chunk = outbox.read(0)
    assert (len(chunk), is_full(chunk)) == (1, True)
    outbox.close()
    journal.close()


def test_a_damaged_batch_is_read_and_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(cdr("c1"))
    journal.append(cdr("c2"))
    journal.close()
    with sqlite3.connect(journal.path) as connection:
        connection.execute("UPDATE outbox SET packed = packed || x'ff' WHERE batch = 1")
    connection.close()
    outbox = Outbox(journal.path)
    assert [batch.is_sound for batch in outbox.read(0)] == [False, True]
    outbox.close()


def test_after_an_error_the_file_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"")  # being made at this moment: no table yet
    outbox = Outbox(path)
    with pytest.raises(sqlite3.Error):
        outbox.epoch()
    path.unlink()
    journal = Journal(path)
    journal.append(cdr("c1"))
    assert outbox.epoch() == journal.store.epoch
    assert len(outbox.read(0)) == 1
    outbox.close()
    journal.close()
