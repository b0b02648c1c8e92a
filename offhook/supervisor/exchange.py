"""The whole exchange in the foreground: what `offhook up` runs.

Start: the lock, PostgreSQL, the schema, the edge, the switch. Stop: the switch first (it refuses new calls,
ends and settles the live ones, flushes and ships while PostgreSQL is still there), then the edge, then
PostgreSQL. A part that crashes is started again by itself; the others go on. After a crash of the machine the
switch does not wait for PostgreSQL longer than PATIENCE_S: phones and emergency calls need only its
checkpoint.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from offhook.control_client import ask
from offhook.database import external_dsn_problem, prepare_schema, without_password
from offhook.exit_codes import CommandError, ExitCode
from offhook.paths import DataDir, write_secret
from offhook.postgres.embedded import EmbeddedPostgres
from offhook.supervisor.part import Part, PartPlan
from switch.config import Conf

# A checkpoint is at most 60 s old, so a restart does well without PostgreSQL; a moment's wait avoids even
# that.
PATIENCE_S = 10.0
# The switch ends its calls and ships their records; with PostgreSQL gone it gives up shipping before this.
SWITCH_STOP_S = 60.0
EDGE_STOP_S = 5.0
# A fast shutdown writes out what is in memory; past this an immediate one is as safe and recovers at the next
# start.
POSTGRES_STOP_S = 60.0
READY_POLL_S = 0.1
CHECKPOINT_PATTERN = "*checkpoint*"

log = structlog.get_logger("offhook.supervisor")


class UpPlan(msgspec.Struct, frozen=True):
    """What to run. `dsn` empty: the embedded PostgreSQL."""

    data: DataDir
    conf_dir: Path
    conf: Conf
    dsn: str


class Exchange:
    """The parts of one exchange and their order. Built, run once, done."""

    __slots__ = ("_embedded", "_on_ready", "_parts", "_plan", "_tasks")

    def __init__(self, plan: UpPlan, *, on_ready: Callable[[], None]) -> None:
        self._plan = plan
        self._on_ready = on_ready
        self._embedded = None if plan.dsn else EmbeddedPostgres(plan.data)
        self._parts: dict[str, Part] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Returns after a clean stop. Raises CommandError when the exchange cannot start or go on."""
        start = asyncio.create_task(self._start(), name="start")
        self._tasks.append(start)
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await self._until_stop_or_failure(stopping)
        finally:
            stopping.cancel()
            start.cancel()
            await self._stop_in_order()

    def kill(self) -> None:
        """The second Ctrl-C: no more waiting for calls to end."""
        for name in ("switch", "edge"):
            if name in self._parts:
                self._parts[name].kill()

    async def _until_stop_or_failure(self, stopping: "asyncio.Task[bool]") -> None:
        while not stopping.done():
            watched = [task for task in self._tasks if not task.done()]
            await asyncio.wait([stopping, *watched], return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in self._tasks if task.done()]:
                self._tasks.remove(task)
                task.result()  # raises what ended it

    async def _start(self) -> None:
        plan = self._plan
        has_run_before = any(plan.data.root.glob(CHECKPOINT_PATTERN))
        if self._embedded is not None:
            await asyncio.to_thread(self._embedded.prepare)
            self._launch(self._postgres_plan(self._embedded))
        dsn = plan.dsn or (self._embedded.dsn if self._embedded is not None else "")
        write_secret(plan.data.dsn_file, dsn)
        write_secret(plan.data.conf_file, str(plan.conf_dir))
        database = asyncio.create_task(self._prepare_database(dsn), name="database")
        self._tasks.append(database)
        await asyncio.wait([database], timeout=PATIENCE_S if has_run_before else None)
        if not database.done():
            log.warning("starting_without_database", waited_s=PATIENCE_S)
        elif database.exception() is not None:
            return  # run() raises it
        if plan.conf.listen.tcp:
            self._launch(self._edge_plan())
        self._launch(self._switch_plan(dsn))
        await self._wait_for_switch()
        self._parts["switch"].mark_served()
        if "edge" in self._parts:
            self._parts["edge"].mark_served()
        self._on_ready()

    async def _prepare_database(self, dsn: str) -> None:
        """PostgreSQL up, our role and database there, the schema current."""
        if self._embedded is not None:
            await self._embedded.wait_until_ready()
            await self._embedded.ensure_database()
            self._parts["postgres"].mark_served()
        await prepare_schema(dsn)

    async def _wait_for_switch(self) -> None:
        while True:
            try:
                await asyncio.to_thread(ask, self._plan.data, "status")
            except CommandError as problem:
                if problem.code is not ExitCode.UNREACHABLE:
                    return  # it answers; what it thinks of the question does not matter here
            else:
                return
            await asyncio.sleep(READY_POLL_S)

    def _launch(self, plan: PartPlan) -> None:
        part = Part(plan)
        self._parts[plan.name] = part
        self._tasks.append(asyncio.create_task(part.run(), name=plan.name))

    async def _stop_in_order(self) -> None:
        for name in ("switch", "edge", "postgres"):
            if name in self._parts:
                await self._parts[name].stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._plan.data.dsn_file.unlink(missing_ok=True)

    def _postgres_plan(self, embedded: EmbeddedPostgres) -> PartPlan:
        user = embedded.user
        return PartPlan(
            name="postgres",
            command=embedded.command(),
            environment=embedded.environment(),
            directory="/",
            stop_signal=signal.SIGINT,  # fast shutdown: ends sessions, writes a checkpoint
            stop_wait_s=POSTGRES_STOP_S,
            last_resort_signal=signal.SIGQUIT,  # immediate shutdown: recovers at the next start
            uid=user.uid if user.is_other else None,
            gid=user.gid if user.is_other else None,
            logs_stderr=True,
        )

    def _edge_plan(self) -> PartPlan:
        data = self._plan.data
        command = [*_python("switch.edge"), "--socket", str(data.edge_socket)]
        for address in self._plan.conf.listen.tcp:
            command += ["--tcp", str(address)]
        return PartPlan(
            name="edge",
            command=command,
            environment=_environment(),
            directory=str(data.root),
            stop_wait_s=EDGE_STOP_S,
        )

    def _switch_plan(self, dsn: str) -> PartPlan:
        """The password goes by the environment, which only this user can read; a command line is public."""
        plan = self._plan
        public_dsn, password = without_password(dsn)
        environment = _environment()
        if password:
            environment["PGPASSWORD"] = password
        command = [*_python("switch"), "--data", str(plan.data.root), "--conf", str(plan.conf_dir)]
        command += ["--dsn", public_dsn]
        if plan.conf.listen.tcp:
            command += ["--edge-socket", str(plan.data.edge_socket)]
        return PartPlan(
            name="switch",
            command=command,
            environment=environment,
            directory=str(plan.data.root),
            stop_wait_s=SWITCH_STOP_S,
        )


async def run_exchange(plan: UpPlan, *, on_ready: Callable[[], None]) -> None:
    """Runs until SIGTERM or SIGINT. A second one stops waiting for calls to end."""
    if plan.dsn and (problem := external_dsn_problem(plan.dsn)):
        raise CommandError(problem, ExitCode.INVALID)
    exchange = Exchange(plan, on_ready=on_ready)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            exchange.kill()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    with contextlib.ExitStack() as undo:
        for number in (signal.SIGTERM, signal.SIGINT):
            undo.callback(loop.remove_signal_handler, number)
        await exchange.run(stop)


def _python(module: str) -> list[str]:
    """-P: a directory named `switch` where the operator happens to stand must not be imported instead."""
    return [sys.executable, "-P", "-m", module]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1"}
