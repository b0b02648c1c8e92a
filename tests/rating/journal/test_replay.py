"""Reading the journal back at a start: state, and what the books do not know yet."""

from pathlib import Path

import msgspec
import pytest

from rating.journal.damage import JournalDamagedError
from rating.journal.group_commit import Batch
from rating.journal.replay import JournalMismatchError, open_reader, read_journal
from rating.journal.store import Store
from rating.london_day import london_day
from rating.records import BundleUse, EmergencyCall, OutboxRecord
from tests.rating.journal.files import usage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def write(path: Path, *batches: list[bytes]) -> str:
    """One batch of records each; returns the epoch."""
    store = Store.open(path)
    for records in batches:
        store.commit(Batch(1, store.last_seq + 1, {"key": b"value"}, records), at_ms=5)
    store.close()
    return store.epoch


def emergency() -> bytes:
    record: OutboxRecord = EmergencyCall("c9", "alice", "+442079460001", "999", 1, "192.0.2.1:5060")
    return msgspec.msgpack.encode(record)


def test_a_new_journal_is_empty(path: Path) -> None:
    epoch = write(path)
    contents = read_journal(path, epoch_mark=None)
    assert (contents.epoch, contents.last_seq, contents.last_batch) == (epoch, 0, 0)
    assert contents.state == {}
    assert contents.usage_after_mark == {}


def test_usage_above_the_mark_is_summed_by_account(path: Path) -> None:
    epoch = write(
        path, [usage(1, -100), usage(2, -7)], [usage(1, -20), emergency()], [usage(1, -3), usage(3, -1)]
    )
    # mark of the books          -> usage by account
    table: list[tuple[tuple[str, int] | None, dict[int, int]]] = [
        (None, {1: -123, 2: -7, 3: -1}),
        ((epoch, 0), {1: -123, 2: -7, 3: -1}),
        ((epoch, 1), {1: -23, 3: -1}),
        ((epoch, 2), {1: -3, 3: -1}),
        ((epoch, 3), {}),
        (("0123456789abcdef", 3), {1: -123, 2: -7, 3: -1}),  # the mark of another journal
    ]
    for mark, expected in table:
        contents = read_journal(path, epoch_mark=mark)
        assert contents.usage_after_mark == expected
        day = london_day(1_700_000_000_000)
        assert contents.usage_by_day == {(account_id, day): -micros for account_id, micros in expected.items()}


def test_a_mark_beyond_the_end_shows_that_the_file_is_an_old_copy(path: Path) -> None:
    epoch = write(path, [usage(1, -1)])
    with pytest.raises(JournalMismatchError, match=r"contain batch 2 .* ends at 1"):
        read_journal(path, epoch_mark=(epoch, 2))


def test_batches_deleted_above_the_mark_are_a_mismatch(path: Path) -> None:
    epoch = write(path, *([usage(1, -1)] for _ in range(5)))
    store = Store.open(path)
    store.forget(3)
    store.close()
    assert read_journal(path, epoch_mark=(epoch, 3)).usage_after_mark == {1: -2}
    with pytest.raises(JournalMismatchError, match="batches 2 to 3 are missing"):
        read_journal(path, epoch_mark=(epoch, 1))


def test_records_of_a_newer_program_are_passed_over_but_its_usage_counts(path: Path) -> None:
    newer = msgspec.msgpack.encode(["voicemail", "c1", 5])
    longer_usage = msgspec.msgpack.encode(
        ["usage", 1, "c1", 1, -40, 1_700_000_000_000, "a field added later"]
    )
    write(path, [newer, usage(1, -2), longer_usage])
    assert read_journal(path, epoch_mark=None).usage_after_mark == {1: -42}


@pytest.mark.parametrize("bad", [b"\xc1", b"\x91\xa5usage", b"\x80", b"\x90"])
def test_a_record_that_cannot_be_read_is_refused_with_its_place(path: Path, bad: bytes) -> None:
    write(path, [usage(1, -2)], [usage(1, -2), bad])
    with pytest.raises(JournalDamagedError, match=r"outbox batch 2: (record 1|its array)"):
        read_journal(path, epoch_mark=None)


def test_there_must_be_a_journal(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no journal"):
        read_journal(path, epoch_mark=None)


def test_a_reader_cannot_write(path: Path) -> None:
    write(path, [usage(1, -1)])
    reader = open_reader(path)
    with pytest.raises(Exception, match="readonly"):
        reader.execute("DELETE FROM outbox")
    reader.close()


def drawn(bundle_id: int, seconds: int, *, carried_s: int = 0, number: str = "") -> bytes:
    record: OutboxRecord = BundleUse(bundle_id, 1, f"c{seconds}", 0, seconds, carried_s, number, 5)
    return msgspec.msgpack.encode(record)


def test_seconds_of_bundles_above_the_mark_are_summed_by_bundle_and_number(path: Path) -> None:
    epoch = write(
        path,
        [drawn(1, 60), usage(1, -5)],
        [drawn(1, 7, carried_s=2), drawn(2, 9, number="+441632960001")],
        # Among records that this release does not know, they are found all the same.
        [msgspec.msgpack.encode(["of_another_release", 1]), drawn(1, 30), drawn(2, 1, number="+441632960002")],
    )
    contents = read_journal(path, epoch_mark=(epoch, 1))
    assert contents.bundle_uses == {(1, ""): (37, 2), (2, "+441632960001"): (9, 0), (2, "+441632960002"): (1, 0)}
    assert contents.usage_after_mark == {}
    assert read_journal(path, epoch_mark=None).bundle_uses[1, ""] == (97, 2)
    assert read_journal(path, epoch_mark=(epoch, 3)).bundle_uses == {}


def test_a_use_of_a_bundle_that_cannot_be_read_is_an_error_with_its_place(path: Path) -> None:
    """A smaller answer would give the seconds out once more."""
    write(path, [drawn(1, 60), msgspec.msgpack.encode(["bundle_use", "x"])])
    with pytest.raises(JournalDamagedError, match="outbox batch 1: record 1 cannot be read"):
        read_journal(path, epoch_mark=None)
