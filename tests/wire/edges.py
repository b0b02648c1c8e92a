"""The edge for tests: as a process with files of its own, or in this process with limits short enough to be waited for;
the switch's own link as its other end, and peers that connect."""

import asyncio
import contextlib
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

from demo.free_ports import free_port
from switch.conf_edge import WebSocket
from switch.edge.certificates import TlsIdentity
from switch.edge.edge import Edge
from switch.edge.limits import EdgeLimits
from switch.sip.flow import TCP, Flow
from switch.transport.edge_link import EdgeLink

WAIT_S = 10.0
MESSAGE = (
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK%d\r\n"
    b"Content-Length: 3\r\n\r\nabc"
)


class Switch:
    """What a switch would see, through its own link."""

    def __init__(self, path: Path) -> None:
        self.messages: list[tuple[bytes, Flow]] = []
        self.closed: list[Flow] = []
        self.failed: list[Flow] = []
        self.restarts = 0
        self.link = EdgeLink(
            path,
            received=lambda data, flow: self.messages.append((data, flow)),
            closed=self.closed.append,
            failed=self.failed.append,
            edge_restarted=self._restarted,
        )
        self._task = asyncio.create_task(self.link.run())

    def _restarted(self) -> None:
        self.restarts += 1

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


class Peer:
    """A phone's TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read_some(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(65536), WAIT_S)

    def close(self) -> None:
        self.writer.close()

    async def closed(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)


class EdgeProcess:
    def __init__(self, directory: Path, *options: str) -> None:
        self.path = directory / "edge.sock"
        self.conf = directory / "conf"
        self.port = free_port()
        self.conf.mkdir(exist_ok=True)
        self.ports = {name: free_port() for name in ("tls", "ws", "wss")}
        listen = ["udp = []", f'tcp = ["127.0.0.1:{self.port}"]', 'metrics = ""']
        listen += [option.format(**self.ports) for option in options]
        (self.conf / "offhook.toml").write_text("\n".join(["[listen]", *listen, ""]))
        self._peers: list[Peer] = []
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "switch.edge", "--socket", str(self.path), "--conf", str(self.conf),
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        code = await self._end(signal.SIGTERM)
        for peer in self._peers:
            await peer.closed()
        return code

    async def _end(self, number: int) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await asyncio.wait_for(self._process.wait(), WAIT_S)

    async def connect(self) -> Peer:
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    self._peers.append(Peer(*await asyncio.open_connection("127.0.0.1", self.port)))
                    return self._peers[-1]
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def edge_and_switch(directory: Path, *options: str) -> AsyncIterator[tuple[EdgeProcess, Switch]]:
    edge = EdgeProcess(directory, *options)
    await edge.start()
    switch = Switch(edge.path)
    try:
        await asyncio.wait_for(switch.link.wait_until_connected(), WAIT_S)
        yield edge, switch
    finally:
        await switch.stop()
        await edge.stop()


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), WAIT_S * 4))


class EdgeHere:
    """An edge in this process, with limits short enough to be waited for; no switch unless one attaches."""

    def __init__(
        self,
        limits: EdgeLimits,
        *,
        transport: str = TCP,
        identity: TlsIdentity | None = None,
        websocket: WebSocket | None = None,
    ) -> None:
        self.transport = transport
        self.edge = Edge(
            limits, epoch="test", loop=asyncio.get_running_loop(), identity=identity, websocket=websocket
        )
        self.port = 0
        self._peers: list[Peer] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "EdgeHere":
        self._server = await asyncio.get_running_loop().create_server(
            partial(self.edge.inbound, self.transport), "127.0.0.1", 0
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.edge.close()
        for peer in self._peers:
            await peer.closed()

    async def connect(self, tls: ssl.SSLContext | None = None, name: str | None = None) -> Peer:
        streams = await asyncio.open_connection("127.0.0.1", self.port, ssl=tls, server_hostname=name)
        self._peers.append(Peer(*streams))
        return self._peers[-1]


async def is_cut_off(peer: Peer) -> bool:
    try:
        return await peer.read_some() == b""
    except ConnectionError:
        return True
