"""The portal process: web pages for staff. It decides nothing, and no call needs it."""

import asyncio
import contextlib
import datetime
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import structlog
import uvicorn

from billing.process import bound
from care.gathering import HouseTraces
from care.lines.story import SwitchLines
from care.live import SwitchCalls
from portal.app import make_app
from portal.care_desk import CareDesk
from portal.conf import PortalConf, load_pair
from portal.counts import PortalCollector, PortalCounts
from portal.desk import DatabaseAway, Desk
from portal.fault_files import FaultFiles
from portal.login import LoginDesk
from portal.passwords import Passwords
from portal.sessions import remove_ended
from provisioning.metrics_port import serve_metrics
from provisioning.service import UNREACHABLE
from switch.conf_values import Address

# A page asks one question after another; twenty members of staff are rarely in the same second.
CONNECTIONS_MAX: Final = 8
CONNECT_TIMEOUT_S: Final = 10.0
# No question of a page takes a tenth of it; a page that does is better told than waited for.
COMMAND_TIMEOUT_S: Final = 20.0
RETRY_S: Final = 2.0
STOP_WITHIN_S: Final = 5.0
CONNECTIONS_AT_DOOR_MAX: Final = 200
# Another exchange of this machine, or a run before this one that still ends.
LISTEN_RETRY_S: Final = 5.0
CLEAN_UP_EVERY_S: Final = 600.0
CERTIFICATE_EVERY_S: Final = 30.0

log = structlog.get_logger("portal")


class SystemClock:
    """The machine's."""

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class PortalProcess:
    """Built, run until it is stopped, done."""

    __slots__ = ("_clock", "_conf", "_conf_dir", "_data_dir", "_db", "_dsn", "_server", "_tasks", "counts")

    def __init__(self, *, dsn: str, conf_dir: Path, data_dir: Path, conf: PortalConf) -> None:
        self._dsn = dsn
        self._conf_dir = conf_dir
        self._data_dir = data_dir
        self._conf = conf
        self._clock = SystemClock()
        self._db: asyncpg.Pool | None = None
        self._server: uvicorn.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.counts = PortalCounts()

    async def run(self, stop: asyncio.Event) -> None:
        metrics = self._conf.door.metrics
        if metrics is not None:
            serve_metrics(PortalCollector(self.counts), metrics.host, metrics.port)
        if self._conf.door.listen is not None:
            self._tasks.append(asyncio.create_task(self._serve(self._conf.door.listen), name="door"))
        self._tasks.append(asyncio.create_task(self._keep_books(), name="books"))
        self._tasks.append(asyncio.create_task(self._renew_certificate(), name="certificate"))
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            # Each of them goes on for ever: one that ends has a bug, and the supervisor starts us again.
            done, _ = await asyncio.wait([stopping, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            stopping.cancel()
            await self._stop()

    def db(self) -> asyncpg.Pool:
        """Raises DatabaseAway."""
        if self._db is None:
            raise DatabaseAway
        return self._db

    async def _keep_books(self) -> None:
        await self._connect()
        while True:
            await asyncio.sleep(CLEAN_UP_EVERY_S)
            with contextlib.suppress(asyncpg.UndefinedTableError, *UNREACHABLE):
                await remove_ended(self.db(), self._conf.sessions.times, self._clock.now())

    async def _connect(self) -> None:
        """PostgreSQL may still start; until then each page says so."""
        while True:
            try:
                self._db = await asyncpg.create_pool(
                    self._dsn,
                    min_size=1,
                    max_size=CONNECTIONS_MAX,
                    timeout=CONNECT_TIMEOUT_S,
                    command_timeout=COMMAND_TIMEOUT_S,
                )
                return
            except (
                *UNREACHABLE,
                asyncpg.InvalidCatalogNameError,
                asyncpg.InvalidAuthorizationSpecificationError,
            ):
                await asyncio.sleep(RETRY_S)

    async def _serve(self, address: Address) -> None:
        door = await self._bound(address)
        desk = Desk(
            db=self.db,
            conf=self._conf,
            care=await asyncio.to_thread(self._care),
            login=LoginDesk(await asyncio.to_thread(Passwords), self.counts),
            clock=self._clock,
            counts=self.counts,
        )
        conf = uvicorn.Config(
            make_app(desk),
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="off",
            limit_concurrency=CONNECTIONS_AT_DOOR_MAX,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=16 * 1024,
            ssl_certfile=self._path(self._conf.door.certificate),
            ssl_keyfile=self._path(self._conf.door.key),
        )
        self._server = _QuietServer(conf)
        log.info("portal_serves", listen=str(address), https=self._conf.door.is_https)
        await self._server.serve(sockets=[door])

    def _path(self, name: str) -> str | None:
        return str(self._conf_dir / name) if name else None

    def _care(self) -> CareDesk:
        traces = HouseTraces(self._data_dir / "traces", self._data_dir / "control.sock")
        files = FaultFiles(self._conf_dir, shipped_conf())
        files.tables()  # what is wrong in them is said at once
        control = self._data_dir / "control.sock"
        live, lines = SwitchCalls(control), SwitchLines(control)
        return CareDesk(traces=traces, tables=files.tables, live=live, lines=lines)

    async def _bound(self, address: Address) -> socket.socket:
        """Phones are served whoever has the address; it is said once."""
        is_said = False
        while True:
            try:
                return bound(address)
            except OSError as problem:
                if not is_said:
                    log.error("portal_cannot_listen", listen=str(address), problem=str(problem))
                    is_said = True
                await asyncio.sleep(LISTEN_RETRY_S)

    async def _renew_certificate(self) -> None:
        """Files that have changed hold for new connections. One that cannot be used is said, and the old one holds."""
        door, marks = self._conf.door, self._marks()
        while True:
            await asyncio.sleep(CERTIFICATE_EVERY_S)
            context = (
                self._server.config.ssl if self._server is not None and self._server.config.loaded else None
            )
            if context is None or (now := self._marks()) == marks:
                continue
            marks = now
            try:
                load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), door, self._conf_dir)
                load_pair(context, door, self._conf_dir)
                log.info("portal_certificate_renewed")
            except OSError as problem:
                log.error("portal_certificate_refused", problem=str(problem))

    def _marks(self) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for name in (self._conf.door.certificate, self._conf.door.key):
            with contextlib.suppress(OSError):
                status = (self._conf_dir / name).stat()
                found.append((status.st_mtime_ns, status.st_size))
        return found

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
            doors = [task for task in self._tasks if task.get_name() == "door"]
            await asyncio.wait(doors, timeout=STOP_WITHIN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._db is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._db.close(), STOP_WITHIN_S)


def shipped_conf() -> Path:
    """The files that came with offhook: inside the installed package, or beside it in a working copy."""
    root = Path(__file__).parents[1]
    packaged = root / "offhook" / "default_conf"
    return packaged if packaged.is_dir() else root / "conf"


class _QuietServer(uvicorn.Server):
    """Signals are the process' own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
