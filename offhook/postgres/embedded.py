"""The embedded PostgreSQL: makes its files, says how to start it, and when it is ready.

No TCP, one Unix socket in a directory that only its user can enter, peer authentication for the one user that
runs the exchange. It starts nothing by itself: the supervisor runs `command()` as a part like any other. It
leaves out upgrades from another major version: `offhook backup` and `restore` do those.
"""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import asyncpg
import structlog

from offhook.exit_codes import CommandError, ExitCode
from offhook.paths import OWNER_ONLY, DataDir, make_postgres_socket_dir
from offhook.postgres import settings
from offhook.postgres.binaries import MAJOR_VERSION, make_usable_by, program
from offhook.postgres.passage import open_passage
from offhook.postgres.system_user import ServerUser, server_user

PORT = 5432  # only a part of the socket's name
INITDB_TIMEOUT_S = 300.0
# A server left behind by a killed supervisor is asked to stop; its own checkpoint can take this long.
LEFTOVER_STOP_S = 60.0
POLL_S = 0.1
PROGRESS_EVERY_S = 5.0
CONNECT_TIMEOUT_S = 10.0
READY_STATUS = "ready"
STATUS_LINE = 7  # of postmaster.pid (miscadmin.h, LOCK_FILE_LINE_PM_STATUS)

log = structlog.get_logger("offhook.postgres")


def embedded_dsn(socket_dir: Path, *, role: str = settings.ROLE, database: str = settings.DATABASE) -> str:
    return f"postgresql://{role}@/{database}?host={quote(str(socket_dir), safe='')}&port={PORT}"


class EmbeddedPostgres:
    """One server on one data directory. `prepare` once, then run `command()`."""

    __slots__ = ("_files", "_socket_dir", "_user", "data")

    def __init__(self, data: DataDir) -> None:
        self.data = data
        self._files = data.postgres
        self._user: ServerUser | None = None
        self._socket_dir: Path | None = None

    @property
    def user(self) -> ServerUser:
        assert self._user is not None, "prepare() first"
        return self._user

    @property
    def socket_dir(self) -> Path:
        assert self._socket_dir is not None, "prepare() first"
        return self._socket_dir

    @property
    def dsn(self) -> str:
        return embedded_dsn(self.socket_dir)

    def prepare(self) -> None:
        """Makes what is missing: the user, the way to the files, the cluster, its configuration.

        Repeatable.
        """
        refuse_other_major_version(self._files)
        self._user = server_user()
        if self._user.is_other:
            make_usable_by(self._user)
        self.open_passages()
        self._make_cluster()
        self._socket_dir = make_postgres_socket_dir(self.data)
        self._own(self._socket_dir)
        self.open_passages()
        self._write("postgresql.conf", settings.SERVER_SETTINGS)
        if not (self._files / settings.OPERATOR_FILE).exists():
            self._write(settings.OPERATOR_FILE, settings.OPERATOR_FILE_START)
        self._write("pg_hba.conf", settings.HOST_BASED_ACCESS)
        self._write("pg_ident.conf", settings.identity_map(pwd.getpwuid(os.geteuid()).pw_name))
        self._stop_leftover()

    def forget_socket(self) -> None:
        """After the server has ended: a socket directory under /tmp was made for this run alone."""
        if self._socket_dir is not None and self._socket_dir.parent != self.data.run:
            shutil.rmtree(self._socket_dir, ignore_errors=True)

    def open_passages(self) -> None:
        """Lets the server's user reach its files and programs. Again before every start: a chmod undoes it."""
        if not self.user.is_other:
            return
        places = [self._files, Path(program("postgres"))]
        if self._socket_dir is not None:
            places.append(self._socket_dir)
        for place in places:
            for directory in open_passage(place, self.user):
                log.info("passage_granted", user=self.user.name, directory=str(directory))

    def command(self) -> list[str]:
        return [
            program("postgres"), "-D", str(self._files),
            "-c", "listen_addresses=",
            "-c", f"unix_socket_directories={_escaped_list_item(str(self.socket_dir))}",
            "-c", "unix_socket_permissions=0700",
            "-c", f"port={PORT}",
            "-c", f"hba_file={self._files / 'pg_hba.conf'}",
            "-c", f"ident_file={self._files / 'pg_ident.conf'}",
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        """Nothing of ours: a PGPORT or a locale of the operator's shell must not change the server."""
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

    def is_ready(self) -> bool:
        return self._postmaster_status() == READY_STATUS

    async def wait_until_ready(self) -> None:
        """Waits without a limit: after a crash recovery takes what it takes.

        Says every few seconds that it waits.
        """
        started = time.monotonic()
        said = started
        while not self.is_ready():
            await asyncio.sleep(POLL_S)
            now = time.monotonic()
            if now - said >= PROGRESS_EVERY_S:
                said = now
                log.info("postgres_recovering", waited_s=round(now - started))

    async def ensure_database(self) -> None:
        """Makes the exchange's role and database when they are missing. The role is no superuser."""
        superuser_dsn = embedded_dsn(self.socket_dir, role=settings.SUPERUSER_ROLE, database="postgres")
        connection = await asyncpg.connect(superuser_dsn, timeout=CONNECT_TIMEOUT_S)
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", settings.ROLE):
                await connection.execute(f"CREATE ROLE {settings.ROLE} LOGIN")
            exists = "SELECT 1 FROM pg_database WHERE datname = $1"
            if not await connection.fetchval(exists, settings.DATABASE):
                await connection.execute(f"CREATE DATABASE {settings.DATABASE} OWNER {settings.ROLE}")
        finally:
            await connection.close()

    def _make_cluster(self) -> None:
        """initdb into a neighbour, then one rename: a half-made cluster is never mistaken for a whole one."""
        if (self._files / "PG_VERSION").exists():
            return
        making = self._files.with_name(self._files.name + ".making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=OWNER_ONLY)
        self._own(making)
        log.info("postgres_initialising", directory=str(self._files), user=self.user.name)
        done = subprocess.run(  # noqa: S603 - our own program, fixed arguments
            [
                program("initdb"), "-D", str(making), "--username", settings.SUPERUSER_ROLE,
                "--auth-local", "peer", "--auth-host", "reject", "--encoding", "UTF8",
                "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C",
                "--no-instructions",
            ],
            check=False, capture_output=True, text=True, errors="replace", timeout=INITDB_TIMEOUT_S,
            env=self.environment(), cwd="/",
            user=self.user.uid if self.user.is_other else None,
            group=self.user.gid if self.user.is_other else None,
            extra_groups=[] if self.user.is_other else None,
        )  # fmt: skip
        if done.returncode != 0:
            shutil.rmtree(making, ignore_errors=True)
            raise CommandError(
                f"initdb failed in {self._files.parent}: {done.stderr.strip()[-1000:]}", ExitCode.UNREACHABLE
            )
        making.rename(self._files)

    def _write(self, name: str, text: str) -> None:
        path = self._files / name
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        path.chmod(0o600)
        self._own(path)

    def _own(self, path: Path) -> None:
        if self.user.is_other:
            os.chown(path, self.user.uid, self.user.gid)

    def _postmaster_lines(self) -> list[str]:
        try:
            return (self._files / "postmaster.pid").read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return []

    def _postmaster_status(self) -> str:
        lines = self._postmaster_lines()
        return lines[STATUS_LINE].strip() if len(lines) > STATUS_LINE else ""

    def _stop_leftover(self) -> None:
        """Stops a server that outlived its supervisor; without this the new one refuses to start for ever."""
        lines = self._postmaster_lines()
        if not lines or not lines[0].strip().isascii() or not lines[0].strip().isdigit():
            return
        pid = int(lines[0])
        deadline = time.monotonic() + LEFTOVER_STOP_S
        if self._is_our_postmaster(pid):
            log.warning("postgres_left_behind", pid=pid)
            os.kill(pid, signal.SIGINT)
        while self._is_our_postmaster(pid):
            if time.monotonic() > deadline:
                raise CommandError(
                    f"an older PostgreSQL (process {pid}) still uses {self._files} and does not stop",
                    ExitCode.UNREACHABLE,
                )
            time.sleep(POLL_S)

    def _is_our_postmaster(self, pid: int) -> bool:
        """A postmaster's working directory is its data directory; a stranger with its pid has another."""
        try:
            return Path(f"/proc/{pid}/cwd").resolve(strict=True) == self._files.resolve()
        except OSError:
            return False


def refuse_other_major_version(files: Path) -> None:
    try:
        found = (files / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return
    if found != MAJOR_VERSION:
        raise CommandError(
            f"{files} was made by PostgreSQL {found[:20]!r}, and this offhook brings PostgreSQL "
            f"{MAJOR_VERSION}, which cannot read it: with the offhook release it was made with, "
            "`offhook backup FILE`; then `offhook restore FILE` into a fresh --data directory with this one"
        )


def _escaped_list_item(text: str) -> str:
    """One item of a comma-separated setting, quoted: a comma or space in a path is no separator."""
    return '"' + text.replace('"', '""') + '"'
