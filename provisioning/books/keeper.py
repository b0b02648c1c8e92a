"""Keeps books and switch in step: ships, tells changes, writes checkpoints, and comes back after PostgreSQL.

Two connections, so that a long COPY never delays a top-up on its way to a live call. PostgreSQL being down is
normal: everything waits in the journal, and the switch starts from the last checkpoint. It decides nothing
about rows; `shipper`, `changes` and `snapshot` do.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, Final

import asyncpg
import structlog

from provisioning.books.changer import Changer
from provisioning.books.changes import CHANNEL, BooksWentBackError, Position, read_changes, refuse_older_books
from provisioning.books.channel import Channel
from provisioning.books.messages import (
    Begin,
    ChangeAsked,
    Checkpointed,
    DatabaseDown,
    DatabaseUp,
    Durable,
    Resume,
    Shipped,
    SnapshotReady,
    Stop,
)
from provisioning.books.outbox import Outbox
from provisioning.books.shipper import MarkMovedError, Shipper
from provisioning.books.snapshot import load_snapshot, read_checkpoint, write_checkpoint
from provisioning.registration_row import HISTORY_DAYS
from provisioning.registration_search import forget_old

# A transaction costs about a millisecond of CPU whatever it carries. Half a second of calls shares one, and a
# record still arrives well within the second in which somebody may look for it.
SHIP_SPACING_S: Final = 0.5
POLL_S: Final = 1.0  # the notification is a hint, this is the truth: a change is heard within a second
CHECKPOINT_INTERVAL_S: Final = 50.0  # with the time to write it, a checkpoint is never older than 60 s
# A snapshot of a hundred thousand lines takes so long; a PostgreSQL that answers nothing is not waited for longer.
OLD_CHECKPOINT_AFTER_S: Final = 1.0
FLUSH_PATIENCE_S: Final = 5.0  # at a stop with PostgreSQL away; the journal keeps what is left
FLUSH_RETRY_S: Final = 0.5
BACK_OFF_FIRST_S: Final = 0.25
BACK_OFF_MAX_S: Final = 5.0
CONNECT_TIMEOUT_S: Final = 10.0
# A server that answers nothing for so long is treated as gone; a lock held by somebody is waited for until
# then.
COMMAND_TIMEOUT_S: Final = 60.0

# The history of registrations is swept so often, over a connection of its own, in pieces that take milliseconds each.
SWEEP_INTERVAL_S: Final = 3600.0
SWEEP_ROWS: Final = 2_000
SWEEP_PAUSE_S: Final = 1.0

# PostgreSQL is away, is not ready, refuses, or has no such table yet: all of it is worth trying again.
DATABASE_TROUBLE: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    BooksWentBackError,
)

log = structlog.get_logger("provisioning.books")


class Keeper:
    """The books process but for its wiring. `run` returns when the switch says Stop or is gone."""

    def __init__(
        self, dsn: str, *, outbox: Outbox, checkpoint: Path, channel: Channel, history_days: int = HISTORY_DAYS
    ) -> None:
        self._dsn = dsn
        self._history_days = history_days
        self._outbox = outbox
        self._checkpoint = checkpoint
        self._channel = channel
        self._changer = Changer(dsn, channel.send)
        self._position: Position | None = None
        self._records_hint = asyncio.Event()
        self._changes_hint = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stopping_at = 0.0
        self._trouble_hint = asyncio.Event()
        self._journal_trouble = ""
        self._written: tuple[int, str, int] | None = None
        self._down_reason = ""

    async def run(self) -> None:
        begin = await self._channel.receive()
        if not isinstance(begin, Begin):  # the switch was gone before it spoke
            return
        if begin.resume is not None:
            self._position = _resumed(begin.resume)
        keeping = asyncio.create_task(self._keep())
        listening = asyncio.create_task(self._listen(keeping))
        offering = asyncio.create_task(self._offer_old_checkpoint())
        changing = asyncio.create_task(self._changer.run())
        try:
            await asyncio.wait((keeping, listening), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(listening, offering, changing, keeping)
        for task in (keeping, listening):
            if task.done() and not task.cancelled():
                task.result()

    async def _listen(self, keeping: asyncio.Task[None]) -> None:
        """Hear the switch; return when there is nothing left to do for it."""
        while True:
            match await self._channel.receive():
                case Durable():
                    self._records_hint.set()
                case ChangeAsked() as asked:
                    await self._changer.ask(asked)
                case Stop(is_flushed=True):
                    self._stopping_at = asyncio.get_running_loop().time()
                    self._stopping.set()
                    self._records_hint.set()
                    await asyncio.wait((keeping,))
                    return
                case (
                    _
                ):  # Stop at once, or the switch is gone: it has a journal, and its successor other books
                    return

    async def _offer_old_checkpoint(self) -> None:
        """Let a switch start without PostgreSQL, from what an earlier run left: at once where it cannot be reached."""
        if self._position is not None:
            return
        await _hinted(self._trouble_hint, OLD_CHECKPOINT_AFTER_S)
        snapshot = read_checkpoint(self._checkpoint)
        if self._position is None and snapshot is not None:
            self._position = Position.of_snapshot(snapshot)
            await self._channel.send(SnapshotReady(str(self._checkpoint), is_old=True))

    async def _keep(self) -> None:
        back_off_s = BACK_OFF_FIRST_S
        while True:
            try:
                async with self._connections() as (shipping, following):
                    back_off_s = BACK_OFF_FIRST_S
                    await self._work(shipping, following)
                    return
            except DATABASE_TROUBLE as error:
                await self._say_down(error)
            if self._patience_is_over():
                log.warning("stopped_unshipped", reason=self._down_reason)
                return
            if self._stopping.is_set():
                await asyncio.sleep(FLUSH_RETRY_S)
            else:
                await _hinted(self._stopping, back_off_s)
                back_off_s = min(2 * back_off_s, BACK_OFF_MAX_S)

    async def _work(self, shipping: asyncpg.Connection, following: asyncpg.Connection) -> None:
        """Until the connection breaks (raises), or everything is flushed at a stop (returns)."""
        if self._position is None:
            await self._begin_with_snapshot(following)
        assert self._position is not None
        await refuse_older_books(following, self._position)
        await following.add_listener(CHANNEL, self._on_notification)
        await self._say_up()
        shipper = Shipper(shipping, self._outbox)
        await _first_of(self._ship(shipper), self._follow(following, self._position), self._sweep())
        await self._write_checkpoint(following)

    async def _begin_with_snapshot(self, db: asyncpg.Connection) -> None:
        snapshot = await load_snapshot(db, self._journal_epoch())
        if self._position is not None:  # the old checkpoint was offered meanwhile; changes lead on from it
            return
        write_checkpoint(self._checkpoint, snapshot)
        self._position = Position.of_snapshot(snapshot)
        self._written = (snapshot.change_seq, snapshot.journal_epoch, snapshot.journal_batch)
        await self._channel.send(SnapshotReady(str(self._checkpoint), is_old=False))
        await self._channel.send(Checkpointed(snapshot.journal_epoch, snapshot.journal_batch))

    async def _ship(self, shipper: Shipper) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._records_hint.clear()
            is_stopping = self._stopping.is_set()
            started_at = loop.time()
            shipped = await self._ship_next(shipper)
            if shipped is not None:
                await self._channel.send(shipped)
                if not shipper.is_behind and not is_stopping:
                    await asyncio.sleep(max(0.0, started_at + SHIP_SPACING_S - loop.time()))
            elif is_stopping:
                return
            else:
                await _hinted(self._records_hint, POLL_S)

    async def _ship_next(self, shipper: Shipper) -> Shipped | None:
        """The next chunk; None also when it has to wait for something that is not PostgreSQL's fault."""
        trouble = ""
        try:
            return await shipper.ship_next()
        except sqlite3.Error as error:
            trouble = f"the journal {self._outbox.path} cannot be read: {error}"
        except MarkMovedError as error:
            shipper.find_mark_again()
            trouble = f"somebody else ships this journal: {error}"
        finally:
            if trouble != self._journal_trouble:  # said once, not every second
                self._journal_trouble = trouble
                log.error("not_shipping", reason=trouble) if trouble else log.info("shipping_again")
        return None

    async def _follow(self, db: asyncpg.Connection, position: Position) -> None:
        loop = asyncio.get_running_loop()
        checkpoint_at = loop.time() + CHECKPOINT_INTERVAL_S
        while True:
            self._changes_hint.clear()
            changes = await read_changes(db, position)
            if changes is not None:
                await self._channel.send(changes)
                position.advance(changes)
                continue
            if loop.time() >= checkpoint_at:
                await self._write_checkpoint(db)
                checkpoint_at = loop.time() + CHECKPOINT_INTERVAL_S
            await _hinted(self._changes_hint, POLL_S)

    async def _sweep(self) -> None:
        """Registrations' history that is older than it is to be kept."""
        while True:
            sweeping = await self._connect("sweeping")
            try:
                while await forget_old(sweeping, self._history_days, SWEEP_ROWS) == SWEEP_ROWS:
                    await asyncio.sleep(SWEEP_PAUSE_S)
            finally:
                sweeping.terminate()
            await asyncio.sleep(SWEEP_INTERVAL_S)

    async def _write_checkpoint(self, db: asyncpg.Connection) -> None:
        """Write the checkpoint if the books have changed since the last one."""
        epoch = self._journal_epoch()
        latest = await db.fetchrow(
            "SELECT (SELECT coalesce(max(seq), 0) FROM changes) AS seq,"
            " (SELECT batch FROM journal_marks WHERE epoch = $1) AS batch",
            epoch,
        )
        if self._written == (latest["seq"], epoch, latest["batch"] or 0):
            return
        snapshot = await load_snapshot(db, epoch)
        try:
            write_checkpoint(self._checkpoint, snapshot)
        except OSError as error:  # the disk's trouble, not the database's; the older file stays whole
            log.error("checkpoint_failed", path=str(self._checkpoint), error=str(error))
            return
        self._written = (snapshot.change_seq, snapshot.journal_epoch, snapshot.journal_batch)
        await self._channel.send(Checkpointed(snapshot.journal_epoch, snapshot.journal_batch))

    def _journal_epoch(self) -> str:
        try:
            return self._outbox.epoch()
        except sqlite3.Error:
            return ""  # it is being made at this moment

    @contextlib.asynccontextmanager
    async def _connections(self) -> AsyncIterator[tuple[asyncpg.Connection, asyncpg.Connection]]:
        shipping = await self._connect("shipping")
        try:
            following = await self._connect("following")
            try:
                yield shipping, following
            finally:
                following.terminate()
        finally:
            shipping.terminate()

    async def _connect(self, what: str) -> asyncpg.Connection:
        return await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings={"application_name": f"offhook books {what}"},
        )

    def _on_notification(self, *_: object) -> None:
        self._changes_hint.set()

    async def _say_up(self) -> None:
        self._down_reason = ""
        await self._channel.send(DatabaseUp())

    async def _say_down(self, error: BaseException) -> None:
        reason = str(error) or type(error).__name__
        if reason != self._down_reason:
            self._down_reason = reason
            log.warning("database_down", reason=reason)
            await self._channel.send(DatabaseDown(reason))
        self._trouble_hint.set()  # after the reason, which the switch then logs with the old checkpoint

    def _patience_is_over(self) -> bool:
        waited_s = asyncio.get_running_loop().time() - self._stopping_at
        return self._stopping.is_set() and waited_s > FLUSH_PATIENCE_S


def _resumed(resume: Resume) -> Position:
    return Position(resume.change_seq, {mark.account_id: mark.credit_seq for mark in resume.credit_marks})


async def _hinted(hint: asyncio.Event, timeout_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(hint.wait(), timeout_s)


async def _first_of(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run them side by side until one returns or raises; then end the others."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _end(*tasks)
    for task in done:
        task.result()


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
