"""The process that stores traces: the link to the switch, one writer of the files, and the way to Homer.

Files are written in a thread, a bunch at a time and one after the other, while the loop reads the link and sends to
Homer. The switch gives no more than it has been told to be stored, so nothing piles up here.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar, cast

import structlog

from provisioning.message_frames import FrameError, encode_frames
from provisioning.socket_path import listen_at
from traces.call_trace import CallTrace
from traces.homer import Homer
from traces.messages import (
    FromSwitch,
    FromTraces,
    Hello,
    Keep,
    Mirrored,
    NotStored,
    Settings,
    StoreCounts,
    Stored,
    reader_of_switch,
)
from traces.store import TraceStore, TraceStoreProblem

# One transaction. The switch has some hundreds on their way at most.
BUNCH_MAX: Final = 256
# More than the switch gives before it hears of them: somebody else's end.
QUEUE_MAX: Final = 4096
COUNTS_EVERY_S: Final = 2.0
EXPIRE_EVERY_S: Final = 60.0
# A switch that does not read is hung; what it is told is small.
LINK_OCTETS_MAX: Final = 4 * 1024 * 1024

Done = TypeVar("Done")

log = structlog.get_logger("traces")


class TracesProcess:
    """`serve` until stopped."""

    def __init__(self, store: TraceStore) -> None:
        self._store = store
        self._queue: asyncio.Queue[CallTrace] = asyncio.Queue(QUEUE_MAX)
        self._switch: _SwitchProtocol | None = None
        self._homer: Homer | None = None
        self._settings: Settings | None = None
        self._counts = StoreCounts()
        # One: adding and removing never meet, and a connection of SQLite stays in its thread.
        self._thread = ThreadPoolExecutor(1, "files of traces")

    async def _in_thread(self, work: Callable[..., Done], *arguments: object) -> Done:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def serve(self, path: Path, stop: asyncio.Event) -> None:
        """Until `stop`; what was given by then is stored. Raises OSError when it cannot listen."""
        loop = asyncio.get_running_loop()
        listener = listen_at(path, "process for traces")
        server = await loop.create_unix_server(lambda: _SwitchProtocol(self), sock=listener)
        tasks = [loop.create_task(each) for each in (self._write(), self._expire(), self._tell_counts())]
        try:
            await stop.wait()
            await self._queue.join()
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._switch is not None:
                self._switch.cut_off()
            if self._homer is not None:
                self._homer.close()
            await self._in_thread(self._store.close)
            self._thread.shutdown()
            path.unlink(missing_ok=True)

    # The link

    def attached(self, switch: "_SwitchProtocol") -> None:
        """The newest switch is the one."""
        if self._switch is not None:
            self._switch.cut_off()
        self._switch = switch
        self._tell(Hello())

    def detached(self, switch: "_SwitchProtocol") -> None:
        if self._switch is switch:
            self._switch = None

    def hear(self, messages: list[FromSwitch]) -> None:
        mirrored = []
        for message in messages:
            match message:
                case Keep(trace=trace):
                    self._take(trace)
                case Mirrored():
                    mirrored.append(message)
                case Settings():
                    self._use(message)
        if mirrored and self._homer is not None:
            self._homer.send(mirrored)
        elif mirrored:
            self._counts.mirror_failed += len(mirrored)

    def _take(self, trace: CallTrace) -> None:
        try:
            self._queue.put_nowait(trace)
        except asyncio.QueueFull:
            self._tell(NotStored([trace.call_id], "more than can be written"))
            self._counts.not_stored += 1

    def _use(self, settings: Settings) -> None:
        if settings == self._settings:
            return
        self._settings = settings
        self._store.days = settings.days
        self._store.disk_bytes = settings.disk_bytes
        if self._homer is not None:
            self._homer.close()
            self._homer = None
        if settings.homer_host:
            try:
                self._homer = Homer(settings)
            except OSError as problem:
                log.error("homer_cannot_be_reached", problem=str(problem))
        log.info("settings_taken_over", days=settings.days, disk_bytes=settings.disk_bytes)

    def _tell(self, *messages: FromTraces) -> None:
        if self._switch is not None:
            self._switch.say(list(messages))

    # The files

    async def _write(self) -> None:
        while True:
            bunch = [await self._queue.get()]
            while len(bunch) < BUNCH_MAX and not self._queue.empty():
                bunch.append(self._queue.get_nowait())
            try:
                await self._store_bunch(bunch)
            finally:
                for _ in bunch:
                    self._queue.task_done()

    async def _store_bunch(self, bunch: list[CallTrace]) -> None:
        call_ids = [trace.call_id for trace in bunch]
        damaged = self._store.damaged
        try:
            try:
                await self._in_thread(self._store.add, bunch)
            except TraceStoreProblem as problem:
                if not problem.is_full:
                    raise
                await self._make_room()
                await self._in_thread(self._store.add, bunch)
        except TraceStoreProblem as problem:
            self._note_problem(str(problem))
            self._counts.not_stored += len(bunch)
            self._tell(NotStored(call_ids, str(problem)))
        except Exception as bug:  # the border: one bunch, not the process
            log.exception("bug_while_storing", traces=len(bunch))
            self._note_problem(repr(bug))
            self._counts.not_stored += len(bunch)
            self._tell(NotStored(call_ids, "a bug"))
        else:
            self._note_problem("")
            self._counts.stored += len(bunch)
            self._tell(Stored(call_ids))
        if self._store.damaged > damaged:
            log.error("trace_file_damaged", folder=str(self._store.folder), files=self._store.damaged)

    async def _expire(self) -> None:
        while True:
            try:
                await self._make_room()
            except TraceStoreProblem as problem:
                self._note_problem(str(problem))
            await asyncio.sleep(EXPIRE_EVERY_S)

    async def _make_room(self) -> None:
        """Raises TraceStoreProblem."""
        removed = await self._in_thread(self._store.expire, time.time_ns() // 1000)
        self._counts.days_removed += len(removed.days)
        self._counts.traces_removed += removed.traces
        for day in removed.days:
            log.info("traces_removed", day=day)
        if removed.traces:
            log.warning("traces_removed_for_room", traces=removed.traces)

    def _note_problem(self, problem: str) -> None:
        if problem and problem != self._counts.problem:
            log.error("traces_not_stored", problem=problem)
        self._counts.problem = problem

    async def _tell_counts(self) -> None:
        while True:
            counts = self._counts
            counts.disk_bytes = await self._in_thread(self._store.used_bytes)
            counts.days = len(self._store.stored_days())
            counts.damaged_files = self._store.damaged
            if self._homer is not None:
                counts.mirrored, counts.mirror_failed = self._homer.sent, self._homer.failed
            self._tell(counts)
            await asyncio.sleep(COUNTS_EVERY_S)


class _SwitchProtocol(asyncio.Protocol):
    """One connection of a switch."""

    def __init__(self, process: TracesProcess) -> None:
        self._process = process
        self._reader = reader_of_switch()
        self._transport: asyncio.Transport | None = None

    def say(self, messages: list[FromTraces]) -> None:
        transport = self._transport
        if transport is None:
            return
        if transport.get_write_buffer_size() > LINK_OCTETS_MAX:
            log.error("switch_does_not_read")
            transport.abort()
            return
        transport.write(encode_frames(messages))

    def cut_off(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._process.attached(self)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except FrameError as problem:
            log.error("switch_link_broken", problem=str(problem))
            assert self._transport is not None
            self._transport.abort()
            return
        self._process.hear(messages)

    def connection_lost(self, exc: Exception | None) -> None:
        self._process.detached(self)
