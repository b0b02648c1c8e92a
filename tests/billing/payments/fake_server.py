"""A provider of our own making on the loopback: FastAPI and uvicorn in a thread, for as long as a test lasts."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

START_TIMEOUT_S = 20.0


class _Server(uvicorn.Server):
    def __init__(self, app: FastAPI, started: threading.Event) -> None:
        super().__init__(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none"))
        self._told = started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._told.set()


@contextlib.contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The address that it answers at."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    started = threading.Event()
    server = _Server(app, started)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert started.wait(START_TIMEOUT_S), "the fake did not start"
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(START_TIMEOUT_S)
        listener.close()
