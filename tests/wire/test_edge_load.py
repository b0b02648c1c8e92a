"""Two thousand idle connections and a slow loris disturb nobody: a registered pair goes on calling meanwhile."""

import asyncio
import contextlib
import importlib.util
import resource
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.exchange import HOST
from demo.phone import Phone
from demo.phone_messages import Transport
from tests.wire.phones.calling import connect, hang_up
from tests.wire.phones.town import Town

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(importlib.util.find_spec("pjsua2") is None, reason="pjsua2 is not installed"),
]

IDLE = 2_000
LORISES = 50
CALLS = 15  # one a second: longer than the 10 s after which half a message is cut
CONNECT_AT_ONCE = 100
TIMEOUT_S = 30.0
LISTEN = "connections_per_source_max = 3000\n"
OPTIONS = (
    "OPTIONS sip:127.0.0.1 SIP/2.0\r\n"
    "Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{number}\r\n"
    "From: <sip:idle@example.com>;tag={number}\r\n"
    "To: <sip:127.0.0.1>\r\n"
    "Call-ID: idle-{number}\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "Max-Forwards: 70\r\n"
    "Content-Length: 0\r\n\r\n"
)

TRICKLE_S = 0.3

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def leave(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


class Crowd:
    """Everybody who is connected without calling, in a thread with a loop of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._idle: list[Streams] = []
        self._lorises: list[asyncio.Task[None]] = []
        self.cut = 0

    def __enter__(self) -> "Crowd":
        self._thread.start()
        self._do(self._come())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._go())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def count_answers(self) -> int:
        """How many of the idle are still there: each sends a ping (RFC 5626 4.4.1) and waits for its pong."""
        return sum(self._do(self._ping()))

    def _do(self, work):  # type: ignore[no-untyped-def]
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)

    async def _come(self) -> None:
        for first in range(0, IDLE, CONNECT_AT_ONCE):
            numbers = range(first, first + CONNECT_AT_ONCE)
            self._idle += await asyncio.gather(*(self._greet(number) for number in numbers))
        self._lorises = [self._loop.create_task(self._dawdle()) for _ in range(LORISES)]

    async def _greet(self, number: int) -> Streams:
        """Connect, ask one question, and fall silent."""
        reader, writer = await asyncio.open_connection(HOST, self._port)
        writer.write(OPTIONS.format(number=number).encode())
        await reader.readuntil(b"\r\n\r\n")
        return reader, writer

    async def _dawdle(self) -> None:
        """A byte of a message now and then, and again from the beginning when somebody loses patience."""
        while True:
            reader, writer = await asyncio.open_connection(HOST, self._port)
            try:
                await self._trickle(reader, writer)
            finally:
                await leave(writer)
            self.cut += 1

    async def _trickle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            for byte in OPTIONS.format(number="loris").encode():
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(TRICKLE_S)
                if reader.at_eof():
                    return

    async def _ping(self) -> list[bool]:
        return await asyncio.gather(*(self._answers(*streams) for streams in self._idle))

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"\r\n\r\n")
        return await reader.readexactly(2) == b"\r\n"

    async def _go(self) -> None:
        for task in self._lorises:
            task.cancel()
        await asyncio.gather(*self._lorises, return_exceptions=True)
        for _, writer in self._idle:
            await leave(writer)


@pytest.fixture
def crowded_town(tmp_path: Path) -> Iterator[Town]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * IDLE:
        pytest.skip(f"only {hard} open files are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    town = Town(tmp_path, listen=LISTEN)
    try:
        town.start()
        town.populate()
        yield town
    finally:
        town.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def metric(town: Town, name: str) -> float:
    with urllib.request.urlopen(f"http://{HOST}:{town.metrics_port}/metrics", timeout=TIMEOUT_S) as answer:
        lines = answer.read().decode().split("\n")
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))


def registered(town: Town, user: str, transport: Transport) -> Phone:
    phone = Phone.start(town.settings(user, transport=transport))
    phone.register()
    return phone


def test_a_pair_calls_once_a_second_among_two_thousand_idle_and_a_slow_loris(crowded_town: Town) -> None:
    town = crowded_town
    alice, bob = registered(town, "alice", Transport.TCP), registered(town, "bob", Transport.UDP)
    try:
        with Crowd(town.port) as crowd:
            begun = time.monotonic()
            for number in range(CALLS):
                call, theirs = connect(town, alice, "01632960002", bob)
                hang_up(call, theirs)
                time.sleep(max(0.0, begun + number + 1 - time.monotonic()))
            assert crowd.count_answers() == IDLE
            town.wait_until("loris cut off", lambda: crowd.cut >= LORISES)
            town.wait_until(
                "count of the cut",
                lambda: metric(town, 'offhook_edge_closed_total{reason="half_message"}') >= LORISES,
            )
            assert metric(town, 'offhook_edge_connections{transport="tcp"}') >= IDLE
            assert town.registrations("alice")[0]["is_dead"] is False
    finally:
        alice.stop()
        bob.stop()
    town.check_calls_over()
    assert len(town.query("SELECT 1 FROM cdrs WHERE outcome = 'answered' AND leg = 0")) == CALLS
