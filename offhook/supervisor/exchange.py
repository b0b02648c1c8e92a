"""The whole exchange in the foreground: what `offhook up` runs.

Start: the lock, PostgreSQL, the schema, the edge, the relay, the browsers' process, the process for traces, the switch,
voicemail, billing, the portal.
Stop: the switch first (it refuses new calls, ends and settles the live ones, flushes and ships while PostgreSQL is
still there), then the process for traces, the portal, billing, voicemail, the browsers' process, the relay and the
edge, then PostgreSQL. A part that crashes is started again by itself; the others go on. After a crash of the machine
the switch does not wait for PostgreSQL longer than PATIENCE_S: phones and emergency calls need only its checkpoint.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import structlog

from offhook.control_client import ask
from offhook.database import external_dsn_problem, reason
from offhook.exit_codes import CommandError, ExitCode
from offhook.paths import DataDir, write_secret
from offhook.postgres.embedded import EmbeddedPostgres
from offhook.supervisor.part import Part, PartPlan
from offhook.supervisor.plans import (
    billing_plan,
    browser_plan,
    edge_plan,
    portal_plan,
    postgres_plan,
    relay_plan,
    switch_plan,
    traces_plan,
    voicemail_plan,
)
from offhook.supervisor.schema import RETRY_S, SAY_EVERY_S, prepare_schema
from provisioning.service import UNREACHABLE
from switch.conf_voicemail import switch_addresses
from switch.config import Conf

# PostgreSQL starts and is migrated in half of this, unless it has a crash to recover from. Phones do not wait for
# that: a checkpoint is at most 60 s old, and what it lacks follows.
PATIENCE_S = 1.5
READY_POLL_S = 0.1
# One Ctrl-C or one `timeout` often arrives twice at the same moment; a person's second thought comes later.
IMPATIENT_AFTER_S = 1.0

log = structlog.get_logger("offhook.supervisor")


class UpPlan(msgspec.Struct, frozen=True):
    """What to run. `dsn` empty: the embedded PostgreSQL."""

    data: DataDir
    conf_dir: Path
    conf: Conf
    dsn: str


class Exchange:
    """The parts of one exchange and their order. Built, run once, done."""

    __slots__ = ("_embedded", "_ended", "_on_ready", "_parts", "_plan", "_tasks")

    def __init__(self, plan: UpPlan, *, on_ready: Callable[[], None]) -> None:
        self._plan = plan
        self._on_ready = on_ready
        self._embedded = None if plan.dsn else EmbeddedPostgres(plan.data)
        self._parts: dict[str, Part] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ended: asyncio.Queue[asyncio.Task[Any]] = asyncio.Queue()

    async def run(self, stop: asyncio.Event) -> None:
        """Returns after a clean stop. Raises CommandError when the exchange cannot start or go on."""
        stopping = asyncio.create_task(stop.wait(), name="stop")
        stopping.add_done_callback(self._ended.put_nowait)
        self._watch(self._start(), name="start")
        try:
            while not stopping.done():
                task = await self._ended.get()
                task.result()  # raises what ended it
        finally:
            stopping.cancel()
            await self._stop_in_order()

    def kill(self) -> None:
        """The second Ctrl-C: no more waiting for calls to end."""
        for name in ("switch", "traces", "portal", "billing", "voicemail", "browser", "relay", "edge"):
            if name in self._parts:
                self._parts[name].kill()

    def _watch(self, work: Coroutine[Any, Any, None], *, name: str) -> "asyncio.Task[None]":
        """Starts a task whose end `run` hears of, and whose failure ends the exchange."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended.put_nowait)
        self._tasks.append(task)
        return task

    async def _start(self) -> None:
        plan = self._plan
        has_checkpoint = plan.data.checkpoint.exists()
        if self._embedded is not None:
            await asyncio.to_thread(self._embedded.prepare)
            self._launch(postgres_plan(self._embedded))
            if has_checkpoint:  # then phones are served without it, however often it fails to start
                self._mark_served("postgres")
        dsn = plan.dsn or (self._embedded.dsn if self._embedded is not None else "")
        write_secret(plan.data.dsn_file, dsn)
        write_secret(plan.data.conf_file, str(plan.conf_dir))
        database = self._watch(self._prepare_database(dsn), name="database")
        await asyncio.wait([database], timeout=PATIENCE_S if has_checkpoint else None)
        if not database.done():
            log.warning("starting_without_database", waited_s=PATIENCE_S)
        elif database.exception() is not None:
            return  # run() raises it
        # Also without a listener of its own: trunks over TCP and TLS are reached through it.
        self._launch(edge_plan(plan.data, plan.conf_dir))
        if plan.conf.media.relay:
            self._launch(relay_plan(plan.data, plan.conf_dir, plan.conf.media, voicemail=plan.conf.voicemail.sip))
            self._launch_browsers()
        self._launch_traces()
        self._launch(switch_plan(plan.data, conf_dir=plan.conf_dir, dsn=dsn))
        await self._wait_for_switch()
        self._launch_voicemail()
        self._launch_billing(dsn)
        self._launch_portal(dsn)
        self._on_ready()

    def _launch_browsers(self) -> None:
        """However often it fails to start (its libraries may not run here), telephones are served."""
        plan = self._plan
        if plan.conf.media.browsers and plan.conf.listen.has_websockets:
            self._launch(browser_plan(plan.data, plan.conf.media))
            self._mark_served("browser")

    def _launch_traces(self) -> None:
        """However often it fails to start, phones are served; traces wait for it in the switch."""
        if self._plan.conf.trace.ring_mb:
            self._launch(traces_plan(self._plan.data))
            self._mark_served("traces")

    def _launch_voicemail(self) -> None:
        """However often it fails to start (a port in use), phones are served."""
        plan = self._plan
        switches = switch_addresses(plan.conf.voicemail, plan.conf.listen)
        if switches and plan.conf.voicemail.run:
            self._launch(voicemail_plan(plan.data, conf_dir=plan.conf_dir, switches=switches))
            self._mark_served("voicemail")

    def _launch_billing(self, dsn: str) -> None:
        """However often it fails to start (its file is wrong, its address in use), phones are served."""
        plan = self._plan
        if (plan.conf_dir / "billing.toml").exists():
            self._launch(billing_plan(plan.data, conf_dir=plan.conf_dir, dsn=dsn))
            self._mark_served("billing")

    def _launch_portal(self, dsn: str) -> None:
        """However often it fails to start (its file is wrong), phones are served."""
        plan = self._plan
        if (plan.conf_dir / "portal.toml").exists():
            self._launch(portal_plan(plan.data, conf_dir=plan.conf_dir, dsn=dsn))
            self._mark_served("portal")

    async def _prepare_database(self, dsn: str) -> None:
        """PostgreSQL up, our role and database there, the schema current."""
        if self._embedded is not None:
            await self._prepare_embedded(self._embedded)
        await prepare_schema(dsn)

    async def _prepare_embedded(self, embedded: EmbeddedPostgres) -> None:
        while True:
            await embedded.wait_until_ready()
            try:
                await embedded.ensure_database()
            except UNREACHABLE as problem:  # it ended again; its part starts it again, or gives up
                log.warning("postgres_unreachable", problem=reason(problem))
                await asyncio.sleep(RETRY_S)
            else:
                self._parts["postgres"].mark_served()
                return

    async def _wait_for_switch(self) -> None:
        """Until it serves. Says every few seconds what it is waiting for."""
        said = time.monotonic()
        while (missing := await asyncio.to_thread(switch_lacks, self._plan.data)) is not None:
            if missing:
                self._mark_served("switch", "edge", "relay")
            if time.monotonic() - said >= SAY_EVERY_S:
                said = time.monotonic()
                log.warning("switch_not_ready", reason=missing or "it does not answer yet")
            await asyncio.sleep(READY_POLL_S)
        self._mark_served("switch", "edge", "relay")

    def _mark_served(self, *names: str) -> None:
        for name in names:
            if name in self._parts:
                self._parts[name].mark_served()

    def _launch(self, plan: PartPlan) -> None:
        part = Part(plan)
        self._parts[plan.name] = part
        self._watch(part.run(), name=plan.name)

    async def _stop_in_order(self) -> None:
        """Nothing may start any more; then each part in turn, the next one when the last has ended."""
        for task in self._tasks:
            if task.get_name() in ("start", "database"):
                task.cancel()
        for name in ("switch", "traces", "portal", "billing", "voicemail", "browser", "relay", "edge", "postgres"):
            if name in self._parts:
                await self._parts[name].stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._plan.data.dsn_file.unlink(missing_ok=True)
        if self._embedded is not None:
            self._embedded.forget_socket()


async def run_exchange(plan: UpPlan, *, on_ready: Callable[[], None]) -> None:
    """Runs until SIGTERM or SIGINT. A second one, later, stops waiting for calls to end."""
    if plan.dsn and (problem := external_dsn_problem(plan.dsn)):
        raise CommandError(problem, ExitCode.INVALID)
    exchange = Exchange(plan, on_ready=on_ready)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    first_asked = 0.0

    def on_signal() -> None:
        nonlocal first_asked
        now = time.monotonic()
        if not stop.is_set():
            first_asked = now
            stop.set()
        elif now - first_asked >= IMPATIENT_AFTER_S:
            exchange.kill()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    with contextlib.ExitStack() as undo:
        for number in (signal.SIGTERM, signal.SIGINT):
            undo.callback(loop.remove_signal_handler, number)
        await exchange.run(stop)


def switch_lacks(data: DataDir) -> str | None:
    """None: the switch serves. Else what it is waiting for, or "" when it does not answer."""
    try:
        status = ask(data, "status")
    except CommandError:
        return ""
    ready = status.get("ready") if isinstance(status, dict) else None
    return None if ready in (None, "yes") else str(ready)
