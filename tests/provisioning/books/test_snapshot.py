"""One moment of the books, and the file that keeps it."""

import asyncio
import os
from pathlib import Path

import asyncpg
import msgspec
import pytest

from provisioning import service
from provisioning.books.outbox import Outbox
from provisioning.books.shipper import Shipper
from provisioning.books.snapshot import load_snapshot, read_checkpoint, write_checkpoint
from provisioning.model import AccountBalance, Number, Snapshot
from tests.provisioning.databases import add_prepaid, in_database
from tests.provisioning.records import Journal, usage

EMPTY = Snapshot(1, 2, "00ff", 3, [], [], [], [])


@pytest.mark.wire
@in_database
async def test_a_snapshot_holds_all_that_the_switch_starts_from(db: asyncpg.Pool) -> None:
    view = await add_prepaid(db, credit_micros=500)
    added = await service.add_line(db, "alice", account_name="Shop", realm="example.com")
    for number in ("01632 960009", "01632 960001"):
        await service.assign_number(db, number, "alice")
    async with db.acquire() as connection:
        await connection.execute(
            "INSERT INTO journal_marks (epoch, batch) VALUES ('00ff', 12), ('other', 99)"
        )
        snapshot = await load_snapshot(connection, "00ff")
        assert (await load_snapshot(connection, "new")).journal_batch == 0
    assert snapshot.accounts == [view.account]
    assert snapshot.balances == [AccountBalance(1, 500, 1)]
    assert snapshot.lines == [added.line]
    # In the order of assignment: the first is what the line presents.
    assert snapshot.numbers == [Number("+441632960009", "alice"), Number("+441632960001", "alice")]
    assert (snapshot.journal_epoch, snapshot.journal_batch) == ("00ff", 12)
    assert snapshot.change_seq == await db.fetchval("SELECT max(seq) FROM changes")


@pytest.mark.wire
def test_balances_and_mark_are_of_one_moment_while_usage_is_being_shipped(dsn: str, tmp_path: Path) -> None:
    """The balance lacks exactly the usage of the batches up to the mark, at whatever moment the snapshot is taken."""
    journal = Journal(tmp_path / "journal")
    for number in range(60):
        journal.append(usage(f"c{number}", amount_micros=-1))

    async def ship_one_by_one(db: asyncpg.Pool) -> None:
        outbox = Outbox(journal.path)
        async with db.acquire() as connection:
            shipper = Shipper(connection, outbox)
            while await shipper.ship_next() is not None:
                await asyncio.sleep(0)
        outbox.close()

    async def run() -> None:
        async with service.connect(dsn) as db:
            await add_prepaid(db, credit_micros=1_000)
            shipping = asyncio.create_task(ship_one_by_one(db))
            seen = set()
            async with db.acquire() as connection:
                while not shipping.done():
                    snapshot = await load_snapshot(connection, journal.store.epoch)
                    assert snapshot.balances[0].balance_micros == 1_000 - snapshot.journal_batch
                    seen.add(snapshot.journal_batch)
            await shipping
            assert len(seen) > 3

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("provisioning.books.outbox.CHUNK_BATCHES_MAX", 1)
        asyncio.run(run())
    journal.close()


def test_a_checkpoint_is_read_as_it_was_written_and_only_by_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    write_checkpoint(path, EMPTY)
    assert read_checkpoint(path) == EMPTY
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["checkpoint"]


def test_a_file_that_is_no_checkpoint_is_none(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    assert read_checkpoint(path) is None
    encoded = msgspec.msgpack.encode(EMPTY)
    for content in (b"", b"\xc1", encoded[:-1], encoded[1:], encoded.replace(b"00ff", b"00f\xff"), b"\x80"):
        path.write_bytes(content)
        assert read_checkpoint(path) is None


def test_a_checkpoint_that_cannot_be_written_leaves_the_older_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint"
    write_checkpoint(path, EMPTY)

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        write_checkpoint(path, msgspec.structs.replace(EMPTY, change_seq=9))
    assert read_checkpoint(path) == EMPTY
