"""The process that stores traces and the switch's end of its link, over a real socket: kept, waited for, sent on."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from switch.calls.switchboard import WallClock
from switch.conf_trace import Keep, Trace
from switch.conf_values import Address
from switch.sip.flow import Flow
from switch.sip.parser import parse_message
from switch.trace_link import TraceLink
from switch.tracing.tracer import Tracer
from tests.traces.made import AT_US
from traces import hep
from traces.hep import read_hep
from traces.process import TracesProcess
from traces.store import TraceStore

pytestmark = pytest.mark.wire

WAIT_S = 20.0
FLOW = Flow("UDP", "192.0.2.1", 5060, "198.51.100.1", 5060)
CLOCK = WallClock(AT_US / 1_000_000)


def invite(call_id: str) -> bytes:
    return (
        f"INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nCall-ID: {call_id}\r\n"
        'Authorization: Digest username="a", response="0123456789"\r\nContent-Length: 0\r\n\r\n'
    ).encode()


class Bench:
    """A tracer with its link, and the process at the other end while it is there."""

    def __init__(self, folder: Path, settings: Trace) -> None:
        self.tracer = Tracer(settings, CLOCK)
        self.store = TraceStore(folder / "traces", disk_reserve_bytes=0)
        self.socket = folder / "traces.sock"
        self.link = TraceLink(self.socket, self.tracer, lambda: CLOCK.offset_s)
        self._stop: asyncio.Event | None = None
        self._serving: asyncio.Task[None] | None = None

    def call(self, name: str) -> None:
        """One that has ended and is kept."""
        data = invite(name)
        self.tracer.tap.received(parse_message(data), data, FLOW, 1.0)
        self.tracer.begin(f"call-{name}", name, "alice", 1.0)
        self.tracer.tap.sent([(FLOW, data.replace(b"INVITE sip", b"BYE sip"))], 1.5)
        self.tracer.enter()
        log = self.tracer.ring.live[f"call-{name}"]
        log.ended_at = 2.0
        log.add_why("failed")
        self.tracer.ring.settle(log, is_kept=True)

    def begin(self) -> None:
        """The process comes up."""
        self._stop = asyncio.Event()
        self._serving = asyncio.create_task(TracesProcess(self.store).serve(self.socket, self._stop))

    async def end(self) -> None:
        assert self._stop is not None and self._serving is not None
        self._stop.set()
        await self._serving

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                await asyncio.sleep(0.01)


def at_the_bench(tmp_path: Path, body: Callable[[Bench], Awaitable[None]], **settings: object) -> None:
    async def run() -> None:
        bench = Bench(tmp_path, Trace(**settings))
        bench.link.start()
        try:
            await body(bench)
        finally:
            await bench.link.stop()

    asyncio.run(run())


def test_what_is_kept_is_stored_redacted_and_no_longer_waits(tmp_path: Path) -> None:
    async def body(bench: Bench) -> None:
        bench.begin()
        for number in range(100):
            bench.call(f"c{number}")
        await bench.until(lambda: not bench.tracer.ring.waiting)
        assert bench.tracer.stored == 100
        trace = bench.store.find("call-c7").trace
        assert trace is not None
        assert (trace.why, [message.is_sent for message in trace.messages]) == ("failed", [False, True])
        assert trace.started_at_us == AT_US + 1_000_000
        assert b"0123456789" not in trace.messages[0].data
        await bench.until(lambda: bench.link.counts.stored == 100)
        await bench.end()

    at_the_bench(tmp_path, body, keep=Keep.ALL)


def test_while_the_process_is_away_traces_wait_and_are_given_when_it_is_back(tmp_path: Path) -> None:
    async def body(bench: Bench) -> None:
        bench.call("before")
        bench.link.give()
        assert list(bench.tracer.ring.waiting) == ["call-before"]
        bench.begin()
        await bench.until(lambda: not bench.tracer.ring.waiting)
        await bench.end()
        await bench.until(lambda: not bench.link.is_here)
        bench.call("meanwhile")
        bench.begin()
        await bench.until(lambda: not bench.tracer.ring.waiting)
        assert bench.store.find("call-meanwhile").trace is not None
        assert bench.link.reconnects == 1
        await bench.end()

    at_the_bench(tmp_path, body)


def test_what_the_disk_does_not_take_is_counted_and_does_not_wait_for_ever(tmp_path: Path) -> None:
    async def body(bench: Bench) -> None:
        bench.store._disk_reserve_bytes = 1 << 62
        bench.begin()
        bench.call("c")
        await bench.until(lambda: bench.tracer.not_stored)
        assert not bench.tracer.ring.waiting
        assert bench.tracer.find("call-c") is not None, "in memory it still is"
        await bench.until(lambda: "nearly full" in bench.link.counts.problem)
        bench.store._disk_reserve_bytes = 0
        bench.call("d")
        await bench.until(lambda: bench.tracer.stored)
        await bench.until(lambda: not bench.link.counts.problem)
        await bench.end()

    at_the_bench(tmp_path, body)


def test_settings_reach_the_process_at_once_and_when_they_change(tmp_path: Path) -> None:
    async def body(bench: Bench) -> None:
        bench.begin()
        await bench.until(lambda: (bench.store.days, bench.store.disk_bytes) == (7, 11 * 1024 * 1024))
        bench.tracer.take_over(Trace(days=9, disk_mb=1))
        await bench.until(lambda: (bench.store.days, bench.store.disk_bytes) == (9, 1024 * 1024))
        await bench.end()

    at_the_bench(tmp_path, body, days=7, disk_mb=11)


def test_homer_is_sent_every_message_without_its_secrets(tmp_path: Path) -> None:
    homer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    homer.bind(("127.0.0.1", 0))
    homer.settimeout(WAIT_S)

    async def body(bench: Bench) -> None:
        bench.begin()
        await bench.until(lambda: bench.link.is_here)
        bench.call("c")
        first, second = [read_hep(await asyncio.to_thread(homer.recv, 4096)) for _ in range(2)]
        assert first[hep.PAYLOAD].startswith(b"INVITE")
        assert second[hep.PAYLOAD].startswith(b"BYE")
        assert (first[hep.CORRELATION_ID], second[hep.CORRELATION_ID]) == (b"c", b"call-c")
        assert {each[hep.PASSWORD] for each in (first, second)} == {b"hush"}
        assert int.from_bytes(first[hep.SECONDS]) == AT_US // 1_000_000 + 1
        assert b"0123456789" not in first[hep.PAYLOAD] + second[hep.PAYLOAD]
        await bench.until(lambda: bench.link.counts.mirrored == 2)
        await bench.end()

    try:
        at_the_bench(tmp_path, body, homer=Address("127.0.0.1", homer.getsockname()[1]), homer_password="hush")
    finally:
        homer.close()
