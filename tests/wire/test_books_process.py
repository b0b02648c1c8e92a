"""The books process as the switch sees it: with PostgreSQL up, down, slow, killed and cut off in the middle.

The other side is a real PostgreSQL and a real journal file; only the switch is played by the test.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from provisioning import service
from provisioning.books.link import BooksLink
from provisioning.books.messages import (
    Begin,
    Changes,
    Checkpointed,
    CreditMark,
    DatabaseDown,
    DatabaseUp,
    FromBooks,
    Resume,
    Shipped,
    SnapshotReady,
    Stop,
    decode_from_books,
    encode_message,
)
from provisioning.books.snapshot import read_checkpoint
from provisioning.model import Credited, CreditRow, LineChanged, Snapshot
from rating.journal.frames import FrameSplitter
from tests.postgres import PostgresServer, server
from tests.provisioning.databases import add_prepaid
from tests.provisioning.records import Journal, cdr, usage

pytestmark = pytest.mark.wire

DEADLINE_S = 60.0  # for a machine that does many other things; nothing here takes more than a few seconds
OPENING = 10_000_000
COST = 12_400
REALM = "sip.example.com"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with server() as running:
        yield running


@pytest.fixture
def dsn(postgres: PostgresServer) -> Iterator[str]:
    fresh = postgres.new_database()
    yield fresh
    postgres.drop_database(fresh)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal")
    yield made
    made.close()


class Switch:
    """Plays the switch: keeps what the books say and where it stands."""

    def __init__(self, dsn: str, journal: Journal, tmp_path: Path) -> None:
        self.heard: list[FromBooks] = []
        self.checkpoint = tmp_path / "checkpoint"
        self.resume: Resume | None = None
        self.credits: list[CreditRow] = []
        self._heard_more = asyncio.Event()
        self.link = BooksLink(
            dsn=dsn,
            journal=journal.path,
            checkpoint=self.checkpoint,
            on_message=self._hear,
            resume=lambda: self.resume,
        )

    def _hear(self, message: FromBooks) -> None:
        self.heard.append(message)
        self._heard_more.set()
        if isinstance(message, SnapshotReady):
            snapshot = read_checkpoint(Path(message.path))
            assert snapshot is not None
            marks = [CreditMark(balance.account_id, balance.credit_seq) for balance in snapshot.balances]
            self.resume = Resume(snapshot.change_seq, marks)
        if isinstance(message, Changes):
            assert self.resume is not None
            known = {mark.account_id: mark.credit_seq for mark in self.resume.credit_marks}
            for change in message.changes:
                if isinstance(change, Credited):
                    assert change.credit.credit_seq == known.get(change.credit.account_id, 0) + 1
                    known[change.credit.account_id] = change.credit.credit_seq
                    self.credits.append(change.credit)
            self.resume = Resume(message.seq, [CreditMark(*mark) for mark in known.items()])

    async def hears(self, is_it: Callable[[FromBooks], bool]) -> FromBooks:
        """The first message that is the one asked for, among those not asked for yet."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for place, message in enumerate(self.heard):
                    if is_it(message):
                        del self.heard[: place + 1]
                        return message
                self._heard_more.clear()
                await self._heard_more.wait()

    async def hears_a(self, kind: type[FromBooks]) -> FromBooks:
        return await self.hears(lambda message: isinstance(message, kind))

    async def hears_credits(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.credits) < count:
                self._heard_more.clear()
                await self._heard_more.wait()

    async def shipped(self, batch: int) -> None:
        await self.hears(lambda message: isinstance(message, Shipped) and message.batch >= batch)

    def snapshot(self) -> Snapshot:
        snapshot = read_checkpoint(self.checkpoint)
        assert snapshot is not None
        return snapshot


@contextlib.asynccontextmanager
async def switch(dsn: str, journal: Journal, tmp_path: Path) -> AsyncIterator[Switch]:
    playing = Switch(dsn, journal, tmp_path)
    playing.link.start()
    try:
        yield playing
    finally:
        await playing.link.stop(is_flushed=False)


def play(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


async def prepare(dsn: str) -> None:
    async with service.connect(dsn) as db:
        await add_prepaid(db, credit_micros=OPENING)


async def mark_reaches(dsn: str, batch: int) -> None:
    """For tests in which the message that says so may be lost with the process."""
    connection = await asyncpg.connect(dsn)
    async with asyncio.timeout(DEADLINE_S):
        while await connection.fetchval("SELECT batch FROM journal_marks") != batch:
            await asyncio.sleep(0.05)
    await connection.close()


async def assert_every_call_once(dsn: str, calls: int, *, credit_micros: int = 0) -> None:
    balance = OPENING + credit_micros - calls * COST
    connection = await asyncpg.connect(dsn)
    try:
        assert await connection.fetchval("SELECT count(*) FROM cdrs") == calls
        assert await connection.fetchval("SELECT count(*) FROM ledger WHERE kind = 'usage'") == calls
        assert await connection.fetchval("SELECT balance_micros FROM account_balances") == balance
        assert await connection.fetchval("SELECT sum(amount_micros) FROM ledger") == balance
        assert await connection.fetch("SELECT reason FROM quarantine") == []
    finally:
        await connection.close()


def append_calls(journal: Journal, first: int, count: int) -> int:
    """One batch a call; the last batch's number."""
    for number in range(first, first + count):
        journal.append(cdr(f"c{number:05}"), usage(f"c{number:05}"))
    return journal.store.last_batch


def test_a_switch_that_starts_gets_the_books_and_what_happens_afterwards(
    dsn: str, journal: Journal, tmp_path: Path
) -> None:
    async def body() -> None:
        await prepare(dsn)
        async with switch(dsn, journal, tmp_path) as playing:
            ready = await playing.hears_a(SnapshotReady)
            assert ready == SnapshotReady(str(playing.checkpoint), is_old=False)
            assert playing.snapshot().balances[0].balance_micros == OPENING
            await playing.hears_a(DatabaseUp)
            async with service.connect(dsn) as db:
                await service.top_up(db, "Shop", 5_000)
                added = await service.add_line(db, "alice", account_name="Shop", realm=REALM)
            await playing.hears(
                lambda message: isinstance(message, Changes) and LineChanged(added.line) in message.changes
            )
            assert playing.credits == [CreditRow(1, 2, 5_000)]

    play(body())


def test_records_are_shipped_as_they_become_durable(dsn: str, journal: Journal, tmp_path: Path) -> None:
    async def body() -> None:
        await prepare(dsn)
        append_calls(journal, 0, 3)
        async with switch(dsn, journal, tmp_path) as playing:
            await playing.shipped(3)
            append_calls(journal, 3, 4)
            playing.link.durable(7)
            await playing.shipped(7)
        await assert_every_call_once(dsn, 7)

    play(body())


def test_a_journal_that_is_made_later_is_found(dsn: str, tmp_path: Path) -> None:
    class NotYet:
        path = tmp_path / "journal"

    async def body() -> None:
        await prepare(dsn)
        async with switch(dsn, NotYet, tmp_path) as playing:  # type: ignore[arg-type]
            await playing.hears_a(DatabaseUp)
            journal = Journal(tmp_path / "journal")
            append_calls(journal, 0, 2)
            await playing.shipped(2)
            journal.close()
        await assert_every_call_once(dsn, 2)

    play(body())


def test_a_killed_books_process_comes_back_and_nothing_is_lost_or_doubled(
    dsn: str, journal: Journal, tmp_path: Path
) -> None:
    async def body() -> None:
        await prepare(dsn)
        async with switch(dsn, journal, tmp_path) as playing, service.connect(dsn) as db:
            await playing.hears_a(DatabaseUp)
            batch = 0
            for turn in range(6):
                batch = append_calls(journal, batch, 150)
                playing.link.durable(batch)
                await asyncio.sleep(0.05 * turn)
                pid = playing.link.process_id
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
                await service.top_up(db, "Shop", 1_000 + turn)
                await playing.hears_a(DatabaseDown)
                while playing.link.process_id == pid:
                    await asyncio.sleep(0.01)
            await mark_reaches(dsn, batch)
            await playing.hears_credits(6)
            # The opening credit was in the snapshot; Switch itself asserts that none comes twice or out of order.
            assert [credit.amount_micros for credit in playing.credits] == [1_000 + turn for turn in range(6)]
        await assert_every_call_once(dsn, 900, credit_micros=sum(1_000 + turn for turn in range(6)))

    play(body())


def test_a_crash_of_postgresql_while_shipping_loses_and_doubles_nothing(
    postgres: PostgresServer, dsn: str, journal: Journal, tmp_path: Path
) -> None:
    async def body() -> None:
        await prepare(dsn)
        async with switch(dsn, journal, tmp_path) as playing:
            await playing.hears_a(DatabaseUp)
            for turn in range(4):
                batch = append_calls(journal, 400 * turn, 400)
                playing.link.durable(batch)
                await asyncio.sleep(0.02 * turn)
                await asyncio.to_thread(postgres.stop, "immediate")
                await playing.hears_a(DatabaseDown)
                await asyncio.to_thread(postgres.start)
                await playing.hears_a(DatabaseUp)
            await mark_reaches(dsn, 1_600)
        await assert_every_call_once(dsn, 1_600)

    play(body())


class Cutter:
    """A way to PostgreSQL that can lose the answer to a COMMIT: it arrives, and nobody ever hears of it."""

    def __init__(self, server_socket: str) -> None:
        self._server_socket = server_socket
        self.cuts_left = 0
        self.cuts_made = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._server_socket)
        answering = asyncio.create_task(self._answer(server_reader, writer))
        try:
            while data := await reader.read(65536):
                if b"COMMIT" in data and self.cuts_left:
                    self.cuts_left -= 1
                    answering.cancel()
                    await asyncio.wait((answering,))
                    server_writer.write(data)
                    await server_reader.read(1)  # it is committed
                    self.cuts_made += 1
                    return
                server_writer.write(data)
        except ConnectionError:
            return
        finally:
            answering.cancel()
            writer.close()
            server_writer.close()

    @staticmethod
    async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()


def test_a_commit_whose_answer_is_lost_counts_once(
    postgres: PostgresServer, dsn: str, journal: Journal, tmp_path: Path
) -> None:
    async def body() -> None:
        await prepare(dsn)
        cutter = Cutter(str(postgres.directory / ".s.PGSQL.5432"))
        through = dsn.partition("?")[0] + f"?host={tmp_path}"
        listener = await asyncio.start_unix_server(cutter.serve, path=tmp_path / ".s.PGSQL.5432")
        async with listener, switch(through, journal, tmp_path) as playing:
            await playing.hears_a(DatabaseUp)
            cutter.cuts_left = 3
            for turn in range(3):
                append_calls(journal, 50 * turn, 50)
                await playing.hears_a(DatabaseDown)
                await playing.hears_a(DatabaseUp)
            append_calls(journal, 150, 50)
            await mark_reaches(dsn, 200)
            assert cutter.cuts_made == 3
        await assert_every_call_once(dsn, 200)

    play(body())


def test_a_switch_starts_from_the_last_checkpoint_while_postgresql_is_down(
    postgres: PostgresServer, dsn: str, journal: Journal, tmp_path: Path
) -> None:
    async def body() -> None:
        await prepare(dsn)
        append_calls(journal, 0, 2)
        async with switch(dsn, journal, tmp_path) as playing:
            await playing.shipped(2)
            assert await playing.link.stop(is_flushed=True)
        assert playing.snapshot().journal_batch == 2
        assert playing.snapshot().balances[0].balance_micros == OPENING - 2 * COST
        async with service.connect(dsn) as db:
            await service.top_up(db, "Shop", 777)
            added = await service.add_line(db, "alice", account_name="Shop", realm=REALM)
        await asyncio.to_thread(postgres.stop)
        async with switch(dsn, journal, tmp_path) as playing:
            await playing.hears_a(DatabaseDown)
            assert await playing.hears_a(SnapshotReady) == SnapshotReady(str(playing.checkpoint), is_old=True)
            append_calls(journal, 2, 3)
            await asyncio.to_thread(postgres.start)
            await playing.hears_a(DatabaseUp)
            await playing.hears(
                lambda message: isinstance(message, Changes) and LineChanged(added.line) in message.changes
            )
            assert playing.credits == [CreditRow(1, 2, 777)]
            append_calls(journal, 5, 1)
            await playing.shipped(6)
            assert not any(isinstance(message, SnapshotReady) for message in playing.heard)

    play(body())


def test_without_postgresql_and_without_a_checkpoint_the_switch_waits_for_the_books(
    postgres: PostgresServer, dsn: str, journal: Journal, tmp_path: Path
) -> None:
    async def body() -> None:
        await prepare(dsn)
        await asyncio.to_thread(postgres.stop)
        (tmp_path / "checkpoint").write_bytes(b"torn")
        async with switch(dsn, journal, tmp_path) as playing:
            await playing.hears_a(DatabaseDown)
            await asyncio.to_thread(postgres.start)
            assert await playing.hears_a(SnapshotReady) == SnapshotReady(
                str(playing.checkpoint), is_old=False
            )

    play(body())


def test_a_database_without_our_tables_is_down_with_the_reason(
    postgres: PostgresServer, journal: Journal, tmp_path: Path
) -> None:
    async def body() -> None:
        async with switch(postgres.new_database(template="template0"), journal, tmp_path) as playing:
            down = await playing.hears_a(DatabaseDown)
            assert isinstance(down, DatabaseDown)
            assert "does not exist" in down.reason

    play(body())


def test_a_locked_table_holds_up_the_records_and_not_a_top_up(
    dsn: str, journal: Journal, tmp_path: Path
) -> None:
    async def body() -> None:
        await prepare(dsn)
        connection = await asyncpg.connect(dsn)
        async with switch(dsn, journal, tmp_path) as playing, service.connect(dsn) as db:
            await playing.hears_a(DatabaseUp)
            async with connection.transaction():
                await connection.execute("LOCK TABLE cdrs")
                batch = append_calls(journal, 0, 5)
                playing.link.durable(batch)
                await service.top_up(db, "Shop", 1)
                await playing.hears_credits(1)
                assert not any(isinstance(message, Shipped) for message in playing.heard)
            await playing.shipped(batch)
        await connection.close()

    play(body())


def test_stop_ships_everything_and_writes_the_checkpoint_first(
    dsn: str, journal: Journal, tmp_path: Path
) -> None:
    async def body() -> None:
        await prepare(dsn)
        async with switch(dsn, journal, tmp_path) as playing:
            await playing.hears_a(DatabaseUp)
            batch = append_calls(journal, 0, 3_000)
            assert await playing.link.stop(is_flushed=True)
            assert Checkpointed(journal.store.epoch, batch) in playing.heard
            assert playing.snapshot().journal_batch == batch
        await assert_every_call_once(dsn, 3_000)

    play(body())


def test_stop_with_postgresql_away_does_not_wait_for_it(
    postgres: PostgresServer, dsn: str, journal: Journal, tmp_path: Path
) -> None:
    async def body() -> None:
        await prepare(dsn)
        async with switch(dsn, journal, tmp_path) as playing:
            await playing.hears_a(DatabaseUp)
            await asyncio.to_thread(postgres.stop)
            await playing.hears_a(DatabaseDown)
            append_calls(journal, 0, 2)
            assert await playing.link.stop(is_flushed=True)
        await asyncio.to_thread(postgres.start)
        async with switch(dsn, journal, tmp_path) as playing:  # what was left is shipped by the next run
            await playing.shipped(2)
        await assert_every_call_once(dsn, 2)

    play(body())


def test_a_terminals_signals_do_not_end_it_and_the_end_of_the_switch_does(
    dsn: str, journal: Journal, tmp_path: Path
) -> None:
    async def body() -> None:
        ours, theirs = socket.socketpair()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "provisioning.books", "--fd", str(theirs.fileno()), "--dsn", dsn,
            "--journal", str(journal.path), "--checkpoint", str(tmp_path / "checkpoint"),
            pass_fds=(theirs.fileno(),),
        )  # fmt: skip
        theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(encode_message(Begin(None)))
        splitter = FrameSplitter()
        heard: list[FromBooks] = []

        async def hear_until(message: FromBooks) -> None:
            while message not in heard:
                data = await reader.read(65536)
                assert data, "the process ended"
                heard.extend(decode_from_books(payload) for payload in splitter.feed(data))

        async with asyncio.timeout(DEADLINE_S):
            await hear_until(DatabaseUp())
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                process.send_signal(number)
            journal.append(cdr("c1"))
            await hear_until(Shipped(journal.store.epoch, 1, 1, 0, 0))
            writer.close()
            await writer.wait_closed()
            assert await process.wait() == 0

    play(body())


def test_a_message_that_is_none_ends_the_process_loudly(dsn: str, journal: Journal, tmp_path: Path) -> None:
    """Both ends are ours: there is nothing to negotiate, and going on would hide the bug."""

    async def body() -> None:
        playing = Switch(dsn, journal, tmp_path)
        playing.link.start()
        await playing.hears_a(DatabaseUp)
        playing.link._send(msgspec.structs.replace(Stop(False), is_flushed="perhaps"))
        await playing.hears_a(DatabaseDown)
        await playing.hears_a(DatabaseUp)  # a new one took over
        assert await playing.link.stop(is_flushed=False)

    play(body())
