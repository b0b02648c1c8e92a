"""The billing process: news of providers, mails, daily work, low balances, automatic top-ups. It decides nothing.

Each kind of work is a loop of its own, and a border: what goes wrong in one is logged and counted, and it goes on. All
of it may be killed at any moment and is done again. The exchange needs none of it for a call.
"""

import asyncio
import contextlib
import datetime
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import structlog
import uvicorn

from billing.complaints.conf import FILE as COMPLAINTS_FILE
from billing.complaints.conf import ComplaintsConf, load_complaints
from billing.complaints.due import count_complaints
from billing.conf import BILLING_FILE, BillingConf, load_billing
from billing.conf_payments import SECRETS_FILE, load_secrets
from billing.counts import WAITING_SQL, BillingCollector, BillingCounts
from billing.due import run_all_due
from billing.line_notices import tell_of_lines
from billing.mail_pdf import pdf_of
from billing.mail_sender import send_next
from billing.payments.auto_top_up import top_up_low_accounts
from billing.payments.events import apply_news, store_news
from billing.payments.low_balance import tell_low_balances
from billing.payments.provider import News, Provider
from billing.payments.providers import make_providers
from billing.payments.refund import carry_on_all, cleared_by_exchange
from billing.payments.requests import LOOK_AT_PENDING_EVERY_S, poll, poll_pending
from billing.webhooks.app import Desk, make_app
from provisioning.metrics_port import serve_metrics
from provisioning.service import UNREACHABLE
from switch.conf_files import ConfProblems
from switch.conf_values import Address

ZONE: Final = ZoneInfo("Europe/London")
# Each kind of work holds one or two, for as long as a provider or a mail server takes; the door must find one free.
CONNECTIONS_MAX: Final = 12
CONNECT_TIMEOUT_S: Final = 10.0
COMMAND_TIMEOUT_S: Final = 300.0  # a month's invoices are one area's work, statement by statement
RETRY_S: Final = 2.0
STOP_WITHIN_S: Final = 5.0
# Of connections to the door at once: providers use a handful.
CONNECTIONS_AT_DOOR_MAX: Final = 200

NEWS_EVERY_S: Final = 5.0
REFUNDS_EVERY_S: Final = 30.0
POLL_EVERY_S: Final = 60.0
DUE_LOOK_S: Final = 30.0
MAIL_EVERY_S: Final = 5.0
BALANCES_EVERY_S: Final = 10.0
LINES_EVERY_S: Final = 15.0
WAITING_EVERY_S: Final = 15.0
CONF_EVERY_S: Final = 5.0

Fingerprint = tuple[tuple[int, int, int] | None, ...]

log = structlog.get_logger("billing")


class Loaded(msgspec.Struct, frozen=True):
    """The files as they were read last, and the providers that follow from them."""

    conf: BillingConf
    providers: dict[str, Provider]
    complaints: ComplaintsConf
    fingerprint: Fingerprint


def load(conf_dir: Path) -> Loaded:
    """Raises ConfProblems and NoBillingFile."""
    fingerprint = fingerprint_of(conf_dir)
    conf = load_billing(conf_dir)
    providers = make_providers(conf.payments, load_secrets(conf_dir))
    return Loaded(conf, providers, load_complaints(conf_dir), fingerprint)


def fingerprint_of(conf_dir: Path) -> Fingerprint:
    marks: list[tuple[int, int, int] | None] = []
    for name in (BILLING_FILE, SECRETS_FILE, COMPLAINTS_FILE):
        try:
            status = (conf_dir / name).stat()
        except OSError:
            marks.append(None)
        else:
            marks.append((status.st_mtime_ns, status.st_size, status.st_mode))
    return tuple(marks)


class BillingProcess:
    """Built, run until it is stopped, done."""

    __slots__ = ("_conf_dir", "_control_socket", "_db", "_dsn", "_has_news", "_loaded", "_tasks", "counts")

    def __init__(self, *, dsn: str, conf_dir: Path, control_socket: Path, loaded: Loaded) -> None:
        self._dsn = dsn
        self._conf_dir = conf_dir
        self._control_socket = control_socket
        self._loaded = loaded
        self._has_news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.counts = BillingCounts()

    @property
    def _conf(self) -> BillingConf:
        return self._loaded.conf

    @property
    def _providers(self) -> dict[str, Provider]:
        return self._loaded.providers

    async def run(self, stop: asyncio.Event) -> None:
        """Raises OSError when an address is taken."""
        listen = self._conf.payments.process
        door = None if listen.webhook_listen is None else bound(listen.webhook_listen)
        if listen.metrics_listen is not None:
            metrics = listen.metrics_listen
            serve_metrics(BillingCollector(self.counts), metrics.host, metrics.port)
        if not await self._connect(stop):
            return
        try:
            for name, every_s, work in self._work():
                self._tasks.append(asyncio.create_task(self._loop(name, every_s, work), name=name))
            if door is not None:
                self._tasks.append(asyncio.create_task(self._serve_door(door), name="door"))
            log.info(
                "billing_serves", webhooks=str(listen.webhook_listen or ""), providers=sorted(self._providers)
            )
            await stop.wait()
        finally:
            await self._stop()

    def _work(self) -> Iterator[tuple[str, float, Callable[[], Awaitable[None]]]]:
        yield "news", NEWS_EVERY_S, self._apply_news
        yield "refunds", REFUNDS_EVERY_S, self._refunds
        yield "poll", POLL_EVERY_S, self._poll
        yield "poll_pending", LOOK_AT_PENDING_EVERY_S, self._poll_pending
        yield "due", DUE_LOOK_S, DueOnNewDays(self).look
        yield "mail", MAIL_EVERY_S, self._send_mails
        yield "balances", BALANCES_EVERY_S, self._balances
        yield "lines", LINES_EVERY_S, self._line_notices
        yield "waiting", WAITING_EVERY_S, self._count_waiting
        yield "conf", CONF_EVERY_S, self._reload

    async def _connect(self, stop: asyncio.Event) -> bool:
        """PostgreSQL may still start. False: we were stopped meanwhile."""
        while not stop.is_set():
            try:
                self._db = await asyncpg.create_pool(
                    self._dsn,
                    min_size=1,
                    max_size=CONNECTIONS_MAX,
                    timeout=CONNECT_TIMEOUT_S,
                    command_timeout=COMMAND_TIMEOUT_S,
                )
                if await self._db.fetchval("SELECT to_regclass('payment_events') IS NOT NULL"):
                    return True
                await self._db.close()  # the schema is not there yet
            except (
                *UNREACHABLE,
                asyncpg.InvalidCatalogNameError,
                asyncpg.InvalidAuthorizationSpecificationError,
            ):
                pass
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_S)
        return False

    async def _loop(self, name: str, every_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except UNREACHABLE as problem:
                log.warning("billing_database_unreachable", work=name, problem=type(problem).__name__)
            except Exception as problem:
                self.counts.bugs += 1
                log.error("billing_bug", work=name, problem=type(problem).__name__, exc_info=True)
            if name == "news":
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._has_news.wait(), every_s)
                self._has_news.clear()
            else:
                await asyncio.sleep(every_s)

    async def store(self, news: list[News]) -> int:
        stored = await store_news(self._db, news)
        self._has_news.set()
        return stored

    async def _apply_news(self) -> None:
        while said := await apply_news(self._db, self._conf, self._providers):
            for line in said:
                self.counts.credited += line.endswith("credited")
                log.info("payment_news", said=line)

    async def _refunds(self) -> None:
        clearance = cleared_by_exchange(self._db, self._control_socket)
        for done in await carry_on_all(self._db, self._providers, clearance):
            log.info(
                "refund", id=done.return_id, payment=done.payment_id, state=done.state, problem=done.problem
            )

    async def _poll(self) -> None:
        for settled in await poll(self._db, self._conf, self._providers):
            self.counts.credited += settled.is_credited

    async def _poll_pending(self) -> None:
        for settled in await poll_pending(self._db, self._conf, self._providers):
            self.counts.credited += settled.is_credited

    async def run_due(self, today: datetime.date) -> None:
        for done in await run_all_due(self._db, self._conf, today, self._providers, self._loaded.complaints):
            self.counts.due_failures += bool(done.problem)
            for line in done.lines:
                log.info("billing_due", area=done.area, done=line)
        self.counts.due_finished_at = time.time()

    async def _send_mails(self) -> None:
        while (sent := await send_next(self._db, self._conf.mail, pdf_of(self._conf))) is not None:
            self.counts.mails_sent += not sent.answer
            self.counts.mails_failed += bool(sent.answer)

    async def _balances(self) -> None:
        for told in await tell_low_balances(self._db, self._conf):
            log.info(
                "balance_low", account=told.account, balance_micros=told.balance_micros, mailed=told.has_mail
            )
        for line in await top_up_low_accounts(self._db, self._conf, self._providers, today()):
            log.info("auto_top_up", said=line)

    async def _line_notices(self) -> None:
        for line in await tell_of_lines(self._db, self._conf):
            log.info("line_notice", said=line)

    async def _count_waiting(self) -> None:
        self.counts.waiting = dict(await self._db.fetchrow(WAITING_SQL))
        now = datetime.datetime.now(datetime.UTC)
        self.counts.complaints = await count_complaints(self._db, self._loaded.complaints, now)

    async def _reload(self) -> None:
        """Changed files hold from now on; wrong ones are said once and change nothing. Addresses need a restart."""
        if fingerprint_of(self._conf_dir) == self._loaded.fingerprint:
            return
        try:
            self._loaded = load(self._conf_dir)
            log.info("billing_conf_reloaded", providers=sorted(self._providers))
        except (ConfProblems, Exception) as problem:  # noqa: BLE001 - whatever is wrong with a file, the old one holds
            log.error("billing_conf_invalid", problem=str(problem))
            self._loaded = msgspec.structs.replace(self._loaded, fingerprint=fingerprint_of(self._conf_dir))

    async def _serve_door(self, door: socket.socket) -> None:
        desk = Desk(lambda: self._providers, self.store, self.counts)
        conf = uvicorn.Config(
            make_app(desk),
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="off",
            limit_concurrency=CONNECTIONS_AT_DOOR_MAX,
            timeout_keep_alive=5,
            h11_max_incomplete_event_size=16 * 1024,
        )
        await _QuietServer(conf).serve(sockets=[door])

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._db.close(), STOP_WITHIN_S)


class DueOnNewDays:
    """The daily work: at the start, and when London's calendar shows another day."""

    __slots__ = ("_done_on", "_process")

    def __init__(self, process: BillingProcess) -> None:
        self._process = process
        self._done_on: datetime.date | None = None

    async def look(self) -> None:
        day = today()
        if self._done_on != day:
            await self._process.run_due(day)
            self._done_on = day


class _QuietServer(uvicorn.Server):
    """Signals are the process' own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bound(address: Address) -> socket.socket:
    """Raises OSError."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((address.host, address.port))
        door.listen(128)
    except OSError:
        door.close()
        raise
    return door


def today() -> datetime.date:
    """London's."""
    return datetime.datetime.now(ZONE).date()
