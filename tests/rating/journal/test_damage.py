"""Broken files: a torn end is dropped, anything acknowledged that is broken is refused with its place."""

import random
import re
from pathlib import Path

import pytest

from rating.journal.damage import FRAME_HEADER_BYTES, WAL_HEADER_BYTES, JournalDamagedError
from rating.journal.replay import JournalMismatchError, read_journal
from rating.journal.store import PAGE_BYTES, Store, StoreUnusableError
from tests.rating.journal.files import commit_numbers, crash_copy, numbers_in

FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES
COMMITS = 12


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A journal of twelve commits of which all are still in the log only."""
    path = tmp_path / "journal.sqlite"
    store = Store.open(path)
    commit_numbers(store, COMMITS, state_bytes=3000)
    copy = crash_copy(path, tmp_path / "crashed")
    store.close()
    return copy


def log_of(path: Path) -> Path:
    return Path(f"{path}-wal")


def transactions(log: bytes) -> list[tuple[int, int]]:
    """The first byte and the end of each transaction in the log."""
    spans, start = [], WAL_HEADER_BYTES
    for frame in range(WAL_HEADER_BYTES, len(log), FRAME_BYTES):
        if any(log[frame + 4 : frame + 8]):
            spans.append((start, frame + FRAME_BYTES))
            start = frame + FRAME_BYTES
    return spans


def flip(path: Path, offset: int, *, bit: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes((byte ^ 1 << bit,)))


def reopened(path: Path) -> list[int]:
    Store.open(path).close()
    return numbers_in(path)


def test_an_intact_log_is_recovered_whole(crashed: Path) -> None:
    assert reopened(crashed) == list(range(1, COMMITS + 1))


def test_a_log_torn_anywhere_leaves_whole_commits_in_front_of_the_tear(crashed: Path, tmp_path: Path) -> None:
    log = log_of(crashed).read_bytes()
    spans = transactions(log)
    chance = random.Random(2)
    cuts = [0, 1, WAL_HEADER_BYTES, len(log) - 1, *(chance.randrange(len(log)) for _ in range(25))]
    for index, cut in enumerate(cuts):
        copy = crash_copy(crashed, tmp_path / f"cut{index}")
        log_of(copy).write_bytes(log[:cut])
        whole = sum(end <= cut for _, end in spans)
        setup = len(spans) - COMMITS
        assert reopened(copy) == list(range(1, whole - setup + 1)) if whole > setup else True


def test_a_tear_that_left_holes_in_the_last_commit_only_drops_it(crashed: Path) -> None:
    """The kernel may write the pages of one commit in any order before the power goes."""
    log = log_of(crashed).read_bytes()
    start, end = transactions(log)[-1]
    assert end - start >= 2 * FRAME_BYTES
    log_of(crashed).write_bytes(log[:start] + bytes(FRAME_BYTES) + log[start + FRAME_BYTES :])
    assert reopened(crashed) == list(range(1, COMMITS))


def test_a_flipped_bit_in_an_acknowledged_commit_is_refused_with_its_byte(
    crashed: Path, tmp_path: Path
) -> None:
    log = log_of(crashed).read_bytes()
    acknowledged_end = transactions(log)[-2][0]
    chance = random.Random(1)
    for index in range(40):
        offset = chance.randrange(WAL_HEADER_BYTES, acknowledged_end)
        copy = crash_copy(crashed, tmp_path / f"flip{index}")
        flip(log_of(copy), offset, bit=chance.randrange(8))
        frame = (offset - WAL_HEADER_BYTES) // FRAME_BYTES
        place = f"{log_of(copy)}: byte {WAL_HEADER_BYTES + frame * FRAME_BYTES}: frame {frame + 1} "
        with pytest.raises(JournalDamagedError, match=re.escape(place)):
            Store.open(copy)


def test_refusing_leaves_the_files_as_they_are(crashed: Path) -> None:
    flip(log_of(crashed), WAL_HEADER_BYTES + FRAME_HEADER_BYTES + 5)
    before = crashed.read_bytes(), log_of(crashed).read_bytes()
    for _ in range(2):
        with pytest.raises(JournalDamagedError):
            Store.open(crashed)
    assert (crashed.read_bytes(), log_of(crashed).read_bytes()) == before


@pytest.mark.parametrize("offset", [1, 9, 13, 17, 25])
def test_a_damaged_header_of_the_log_is_refused(crashed: Path, offset: int) -> None:
    flip(log_of(crashed), offset)
    with pytest.raises(JournalDamagedError, match="byte 0: the log's header is damaged"):
        Store.open(crashed)


def test_frames_left_over_from_an_older_round_of_the_log_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    store = Store.open(path)
    commit_numbers(store, 20, state_bytes=3000)
    store._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    commit_numbers(store, 3)
    copy = crash_copy(path, tmp_path / "crashed")
    store.close()
    assert reopened(copy) == list(range(1, 24))


def closed_journal(tmp_path: Path, commits: int = 40) -> Path:
    path = tmp_path / "journal.sqlite"
    store = Store.open(path)
    commit_numbers(store, commits, state_bytes=600)
    store.close()
    assert not log_of(path).exists()
    return path


def test_a_flipped_bit_in_a_state_value_is_refused_with_its_key_and_byte(tmp_path: Path) -> None:
    path = closed_journal(tmp_path)
    value = (40).to_bytes(8, "big") * 75
    offset = path.read_bytes().index(value)
    flip(path, offset + 300)
    with pytest.raises(
        JournalDamagedError, match=rf"byte {offset}: state 'key/5' does not match its checksum"
    ):
        read_journal(path, epoch_mark=None)


def test_a_flipped_bit_in_a_batch_is_refused_with_its_number_and_byte(tmp_path: Path) -> None:
    path = closed_journal(tmp_path)
    offset = path.read_bytes().index(b"call-17")
    flip(path, offset + 6)
    with pytest.raises(JournalDamagedError, match=r"byte \d+: outbox batch 17 does not match its checksum"):
        read_journal(path, epoch_mark=None)


def test_a_batch_that_the_books_have_is_not_read_again(tmp_path: Path) -> None:
    path = closed_journal(tmp_path)
    epoch = read_journal(path, epoch_mark=None).epoch
    flip(path, path.read_bytes().index(b"call-17") + 6)
    assert read_journal(path, epoch_mark=(epoch, 17)).usage_after_mark == {1: -sum(range(18, 41))}


def test_a_broken_page_is_refused_with_its_byte(tmp_path: Path) -> None:
    path = closed_journal(tmp_path)
    page = path.read_bytes().index(b"call-17") // PAGE_BYTES
    with path.open("r+b") as file:
        file.seek(page * PAGE_BYTES)
        file.write(b"\xff" * 64)
    with pytest.raises(JournalDamagedError, match=rf"byte {page * PAGE_BYTES}: .*[Pp]age {page + 1}\b"):
        read_journal(path, epoch_mark=None)


def test_no_flipped_bit_anywhere_changes_what_is_read_without_a_word(tmp_path: Path) -> None:
    """Either the file reads as it was, or it is refused. (Free space and unused fields do not matter.)"""
    path = closed_journal(tmp_path)
    intact, original = path.read_bytes(), read_journal(path, epoch_mark=None)
    chance = random.Random(3)
    refused = 0
    for _ in range(300):
        offset = chance.randrange(len(intact))
        flip(path, offset, bit=chance.randrange(8))
        try:
            assert read_journal(path, epoch_mark=None) == original
        except (JournalDamagedError, JournalMismatchError, StoreUnusableError):
            refused += 1
        path.write_bytes(intact)
    assert refused > 50


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"not a journal at all, " * 500)
    with pytest.raises(JournalDamagedError, match="not a database"):
        read_journal(path, epoch_mark=None)
