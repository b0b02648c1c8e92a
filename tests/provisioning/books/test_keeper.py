"""The books process while PostgreSQL is gone: how long it waits, how often it tries, what the switch is offered."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from selectors import SelectorKey
from typing import Any

import asyncpg
import pytest

from provisioning.books import keeper
from provisioning.books.keeper import Keeper
from provisioning.books.messages import Begin, DatabaseDown, FromBooks, Resume, SnapshotReady, Stop, ToBooks
from provisioning.books.outbox import Outbox
from provisioning.books.snapshot import write_checkpoint
from provisioning.model import Snapshot

SNAPSHOT = Snapshot(0, 7, "e1", 3, [], [], [], [])


class JumpingLoop(asyncio.SelectorEventLoop):
    """Its clock stands still while something runs and jumps to the next timer: no test waits."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._select = self._selector.select  # type: ignore[attr-defined]
        self._selector.select = self._jump  # type: ignore[attr-defined]

    def time(self) -> float:
        return self._now

    def _jump(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        assert timeout is not None, "nothing would ever happen any more"
        self._now += timeout
        found: list[tuple[SelectorKey, int]] = self._select(0)
        return found


class Switch:
    """The other end of the channel, with the times at which it heard something."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[ToBooks] = asyncio.Queue()
        self.heard: list[tuple[float, FromBooks]] = []

    async def receive(self) -> ToBooks:
        return await self.says.get()

    async def send(self, message: FromBooks) -> None:
        self.heard.append((asyncio.get_running_loop().time(), message))


class Bench(Keeper):
    """A keeper whose database refuses every connection, or lets it wait for ever."""

    def __init__(self, directory: Path, *, hangs: bool = False) -> None:
        self.switch = Switch()
        self.checkpoint = directory / "checkpoint"
        self.attempts: list[float] = []
        self._hangs = hangs
        super().__init__(
            "postgresql://nobody@nowhere/none",
            outbox=Outbox(directory / "journal.db"),
            checkpoint=self.checkpoint,
            channel=self.switch,  # type: ignore[arg-type]
        )

    async def _connect(self, what: str) -> asyncpg.Connection:
        self.attempts.append(asyncio.get_running_loop().time())
        assert len(self.attempts) < 1000, "it tries without a pause"
        await asyncio.sleep(1e6 if self._hangs else 0)
        raise ConnectionRefusedError("gone")

    def begin(self, resume: Resume | None = None) -> "asyncio.Task[None]":
        self.switch.says.put_nowait(Begin(resume))
        return asyncio.create_task(self.run())


def play(body: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(body)


@pytest.mark.parametrize("down_for_s", [0.1, 1000.0])
def test_a_stop_while_postgresql_is_gone_waits_between_its_attempts(
    tmp_path: Path, down_for_s: float
) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        running = bench.begin(Resume(0, []))
        await asyncio.sleep(down_for_s)
        bench.attempts.clear()
        bench.switch.says.put_nowait(Stop(is_flushed=True))
        await running
        took_s = asyncio.get_running_loop().time() - down_for_s
        assert keeper.FLUSH_PATIENCE_S <= took_s <= keeper.FLUSH_PATIENCE_S + 2 * keeper.FLUSH_RETRY_S
        assert 5 <= len(bench.attempts) <= keeper.FLUSH_PATIENCE_S / keeper.FLUSH_RETRY_S + 2
        assert bench.attempts[0] == pytest.approx(down_for_s, abs=0.01)  # it may be back: tried at once

    play(body())


def test_attempts_become_rarer_while_postgresql_is_gone(tmp_path: Path) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        running = bench.begin(Resume(0, []))
        await asyncio.sleep(100.0)
        pauses = [later - earlier for earlier, later in zip(bench.attempts, bench.attempts[1:], strict=False)]
        assert pauses == pytest.approx(sorted(pauses))
        assert pauses[-1] == pytest.approx(keeper.BACK_OFF_MAX_S)
        assert [message for _, message in bench.switch.heard] == [DatabaseDown("gone")]
        bench.switch.says.put_nowait(Stop(is_flushed=False))
        await running

    play(body())


@pytest.mark.parametrize(("hangs", "after_s"), [(False, 0.0), (True, keeper.OLD_CHECKPOINT_AFTER_S)])
def test_a_switch_that_starts_is_offered_the_old_checkpoint_as_soon_as_postgresql_lets_it_down(
    tmp_path: Path, hangs: bool, after_s: float
) -> None:
    async def body() -> None:
        bench = Bench(tmp_path, hangs=hangs)
        write_checkpoint(bench.checkpoint, SNAPSHOT)
        running = bench.begin()
        await asyncio.sleep(5.0)
        offered = [(at, message) for at, message in bench.switch.heard if isinstance(message, SnapshotReady)]
        assert offered == [
            (pytest.approx(after_s, abs=0.01), SnapshotReady(str(bench.checkpoint), is_old=True))
        ]
        bench.switch.says.put_nowait(Stop(is_flushed=False))
        await running

    play(body())


def test_without_a_checkpoint_nothing_is_offered(tmp_path: Path) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        running = bench.begin()
        await asyncio.sleep(100.0)
        assert [message for _, message in bench.switch.heard] == [DatabaseDown("gone")]
        bench.switch.says.put_nowait(Stop(is_flushed=False))
        await running

    play(body())
