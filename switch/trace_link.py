"""The link to the process that stores traces. It takes what is worth keeping there, some at a time, and waits for
nothing: while that process is away traces wait in the ring, within the share that they have there.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

import msgspec
import structlog

from switch.conf_trace import Trace
from switch.sip.flow import Flow
from switch.tracing.exported import flow_of, trace_of
from switch.tracing.messages import MIRROR_STRIDE
from switch.tracing.tracer import Tracer
from switch.transport.part_link import PartLink
from traces.call_trace import TraceMessage
from traces.messages import (
    FromTraces,
    Hello,
    Keep,
    Mirrored,
    NotStored,
    Settings,
    StoreCounts,
    Stored,
    reader_of_traces,
)

# A bunch of this many octets is put together in some milliseconds, ten times a second: 300 calls a second where all
# are kept, and no turn that calls would feel.
EVERY_S: Final = 0.1
# While nothing waits: each look wakes the processor up.
IDLE_S: Final = 1.0
BUNCH_TRACES_MAX: Final = 32
BUNCH_OCTETS_MAX: Final = 1024 * 1024
OCTETS_PER_MB: Final = 1024 * 1024

log = structlog.get_logger("switch.traces")


class TraceLink:
    """`clock_offset_s` is UTC less `now`."""

    def __init__(self, path: Path, tracer: Tracer, clock_offset_s: Callable[[], float]) -> None:
        self._tracer = tracer
        self._offset_s = clock_offset_s
        self._link: PartLink[FromTraces] = PartLink(
            path, "traces", reader_of_traces, received=self._hear, lost=self._lost
        )
        self._told: Trace | None = None  # nothing is given before the process knows its settings
        self._tasks: list[asyncio.Task[None]] = []
        self.counts = StoreCounts()

    @property
    def reconnects(self) -> int:
        return self._link.reconnects

    @property
    def is_here(self) -> bool:
        return self._told is not None

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._link.run(), name="trace link"),
            loop.create_task(self._give_in_turn(), name="traces"),
        ]

    async def stop(self) -> None:
        """What is waiting is given away once more; whether it was stored nobody waits to hear."""
        self.give()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _give_in_turn(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S if self._has_work else IDLE_S)
            try:
                self.give()
            except Exception:  # the border: a trace is not worth the switch
                log.exception("bug_while_giving_traces")

    @property
    def _has_work(self) -> bool:
        return bool(self._tracer.ring.waiting) or self._tracer.messages.mirrored is not None

    def give(self) -> None:
        """What there is to tell, and a bunch of what is waiting."""
        tracer = self._tracer
        if self._told is None or not self._link.has_room:
            mirrored = tracer.messages.mirrored
            if mirrored:
                tracer.messages.mirror_dropped += len(mirrored) // MIRROR_STRIDE
                mirrored.clear()
            return
        messages: list[msgspec.Struct] = []
        if self._told is not tracer.settings:
            messages.append(self._settings())
        messages += self._mirrored()
        messages += [Keep(trace_of(log)) for log in tracer.take_kept(BUNCH_TRACES_MAX, BUNCH_OCTETS_MAX)]
        if messages:
            self._link.send(messages)

    def _settings(self) -> Settings:
        settings = self._told = self._tracer.settings
        homer = settings.homer
        host, port = ("", 0) if homer is None else (homer.host, homer.port)
        return Settings(
            settings.days,
            settings.disk_mb * OCTETS_PER_MB,
            host,
            port,
            settings.homer_id,
            str(settings.homer_password),
        )

    def _mirrored(self) -> list[Mirrored]:
        self._tracer.enter()
        waiting = self._tracer.messages.mirrored
        if not waiting:
            return []
        offset_s = self._offset_s()
        found = []
        for place in range(0, len(waiting), MIRROR_STRIDE):
            call_id, now, code, flow, data = waiting[place : place + MIRROR_STRIDE]
            number = cast(int, code)
            at_us = int((cast(float, now) + offset_s) * 1_000_000)
            message = TraceMessage(at_us, bool(number & 1), number // 2, 0, cast(bytes, data))
            found.append(Mirrored(cast(str, call_id), flow_of(cast(Flow, flow)), message))
        waiting.clear()
        return found

    def _hear(self, messages: list[FromTraces]) -> None:
        tracer = self._tracer
        for message in messages:
            match message:
                case Hello():
                    self._link.send([self._settings()])
                case Stored(call_ids=call_ids):
                    for call_id in call_ids:
                        tracer.note_stored(call_id)
                case NotStored(call_ids=call_ids, problem=problem):
                    log.error("traces_not_stored", traces=len(call_ids), problem=problem)
                    for call_id in call_ids:
                        tracer.note_not_stored(call_id)
                case StoreCounts():
                    self.counts = message

    def _lost(self) -> None:
        self._told = None
        self._tracer.link_lost()
