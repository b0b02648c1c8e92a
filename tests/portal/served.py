"""A portal on a loopback port, in a thread with a loop of its own, for a browser of somebody else's."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from billing.process import bound
from portal.conf import PortalConf
from provisioning import service
from switch.conf_values import Address
from tests.portal.visitors import House

T = TypeVar("T")


class Served:
    """`address` is where it listens; `run` does something in its loop."""

    def __init__(self, house: House, address: str, loop: asyncio.AbstractEventLoop) -> None:
        self.house = house
        self.address = address
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def served(dsn: str, folder: Path, fill: Callable[[House], Awaitable[None]]) -> Iterator[Served]:
    """It is filled before it serves."""
    ready, found, stop = threading.Event(), list[Served](), list[_Server]()

    async def serve() -> None:
        async with service.connect(dsn) as db:
            house = House(db, PortalConf(), folder)
            await fill(house)
            door = bound(Address("127.0.0.1", 0))
            conf = uvicorn.Config(house.app, log_config=None, access_log=False, ws="none", lifespan="off")
            server = _Server(conf)
            stop.append(server)
            port = door.getsockname()[1]
            found.append(Served(house, f"http://127.0.0.1:{port}", asyncio.get_running_loop()))
            ready.set()
            await server.serve(sockets=[door])

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="portal")
    thread.start()
    try:
        assert ready.wait(60) and found, "the portal serves"
        yield found[0]
    finally:
        for server in stop:
            server.should_exit = True
        thread.join(30)
