"""A PostgreSQL for tests: the wheel's programs on a directory of its own, one Unix socket, no TCP, no fsync.

`server()` is for one pytest session; `new_database()` gives each test a fresh copy of a migrated database, so tests
never see each other's rows. As root the server runs as the user that `offhook up` would give it.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg

from offhook.postgres.binaries import make_usable_by, program
from offhook.postgres.system_user import ServerUser, server_user
from provisioning.schema.migrate import migrate

ROLE = "offhook"
TEMPLATE = "offhook_template"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
# Nothing here outlives the test run, so nothing has to reach a disk.
SETTINGS = (
    "listen_addresses=",
    "unix_socket_permissions=0777",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=40",
    "io_method=sync",
    "jit=off",
    "timezone=UTC",
    "log_min_messages=warning",
)


class PostgresServer:
    """One server on one directory. It can be stopped and started again, also the hard way."""

    def __init__(self, directory: Path, user: ServerUser) -> None:
        self.directory = directory
        self.user = user
        self.files = directory / "files"
        self.process: subprocess.Popen[bytes] | None = None
        self._databases = itertools.count(1)

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://{ROLE}@/{database}?host={quote(str(self.directory), safe='')}"

    def make(self) -> None:
        self._run([
            program("initdb"), "-D", str(self.files), "--username", ROLE, "--auth", "trust", "--encoding", "UTF8",
            "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C",
            "--no-sync", "--no-instructions",
        ])  # fmt: skip

    def start(self, *more_settings: str) -> None:
        command = [
            program("postgres"),
            "-D",
            str(self.files),
            "-c",
            f"unix_socket_directories={self.directory}",
        ]
        for setting in (*SETTINGS, *more_settings):
            command += ["-c", setting]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **self._as_user())  # type: ignore[call-overload]
        self._wait_until_ready()

    def stop(self, mode: str = "fast") -> None:
        """`fast` ends sessions and writes everything; `immediate` is a crash."""
        if self.process is None:
            return
        self.process.send_signal({"fast": 2, "immediate": 3}[mode])  # SIGINT, SIGQUIT
        self.process.wait(STOP_TIMEOUT_S)
        self.process = None

    def process_ids(self) -> list[int]:
        """The postmaster and all its children."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(
            encoding="ascii"
        )
        return [self.process.pid, *map(int, children.split())]

    def new_database(self, *, template: str = TEMPLATE) -> str:
        """The DSN of a fresh copy of the migrated template."""
        name = f"test_{next(self._databases)}"
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.dsn(name)

    def drop_database(self, dsn: str) -> None:
        """Each is some megabytes; without this a long session fills and then slowly empties the disk."""
        name = dsn.partition("@/")[2].partition("?")[0]
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def make_template(self) -> None:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
        migrate(self.dsn(TEMPLATE))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.dsn()).close()
                return
            except psycopg.OperationalError:
                assert self.process is not None
                if self.process.poll() is not None or time.monotonic() > deadline:
                    log = (self.directory / "log").read_text(encoding="utf-8", errors="replace")
                    raise RuntimeError(f"PostgreSQL did not start: {log[-2000:]}") from None
                time.sleep(0.05)

    def _run(self, command: list[str]) -> None:
        subprocess.run(command, check=True, capture_output=True, timeout=START_TIMEOUT_S, **self._as_user())  # type: ignore[call-overload]

    def _as_user(self) -> dict[str, object]:
        own: dict[str, object] = {"cwd": "/", "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}}
        if not self.user.is_other:
            return own
        return {**own, "user": self.user.uid, "group": self.user.gid, "extra_groups": []}


@contextlib.contextmanager
def server() -> Iterator[PostgresServer]:
    """A started server with a migrated template database; its files are gone afterwards."""
    user = server_user()
    # Not pytest's own directory: it may lie so deep that the socket's path is longer than the kernel allows.
    directory = Path(tempfile.mkdtemp(prefix="offhook-pg-"))
    if user.is_other:
        make_usable_by(user)
        os.chown(directory, pwd.getpwnam(user.name).pw_uid, user.gid)
    postgres = PostgresServer(directory, user)
    try:
        postgres.make()
        postgres.start()
        postgres.make_template()
        yield postgres
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            postgres.stop("immediate")
        shutil.rmtree(directory, ignore_errors=True)
