"""Kamailio doing the whole job, on the same PostgreSQL programs and settings as the exchange's.

Its tables are those of its Debian package; kamailio.sql adds what charging needs. cnxcc keeps the credit, the CDR
carries the charge. It leaves out what the exchange does besides (a second leg's record, a ledger with balances,
records of refused calls, a journal that survives PostgreSQL): the comparison leans Kamailio's way.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg

from bench.accounting import CpuSeconds, Meter, metered, process_tree
from bench.program import Program, until
from bench.sipp import LOOPBACK, Caller
from bench.subject import MINUTE_S, PREFIX, PRICE_MICROS, Books
from offhook.paths import DataDir
from offhook.postgres import settings
from offhook.postgres.embedded import PORT, EmbeddedPostgres

HERE = Path(__file__).parent
PACKAGE_SQL = Path("/usr/share/kamailio/postgres")
PACKAGE_TABLES = ("standard", "acc", "auth_db", "usrloc")
MODULE_PLACES = ("/usr/lib/x86_64-linux-gnu/kamailio/modules", "/usr/lib/aarch64-linux-gnu/kamailio/modules",
                 "/usr/lib64/kamailio/modules", "/usr/lib/kamailio/modules")  # fmt: skip
NEEDED_MODULES = ("db_postgres", "auth_db", "dialog", "acc", "cnxcc", "mtree", "usrloc", "registrar")
PACKAGES = "kamailio kamailio-postgres-modules kamailio-extra-modules kamailio-cnxcc-modules"
CHILDREN = (
    4  # each waits for PostgreSQL in turn, so fewer bound the rate; eight cost 10 % more CPU on two cores
)
SHARED_MEMORY_MB = 512
PRIVATE_MEMORY_MB = 16
START_S = 60.0
FORKED_AFTER_S = 1.0  # its timer processes follow its workers; there is no word of "all started"
CREDIT_POUNDS = "1000000"


def missing_for_kamailio() -> str:
    """What keeps Kamailio from being measured here, or ""."""
    if shutil.which("kamailio") is None and not Path("/usr/sbin/kamailio").exists():
        return f"kamailio is not installed (Debian: {PACKAGES})"
    modules = _modules()
    missing = [name for name in NEEDED_MODULES if modules is None or not (modules / f"{name}.so").exists()]
    if missing:
        return f"Kamailio's modules {', '.join(missing)} are not installed (Debian: {PACKAGES})"
    if not (PACKAGE_SQL / "standard-create.sql").exists():
        return f"Kamailio's tables are missing in {PACKAGE_SQL} (Debian: kamailio-postgres-modules)"
    return ""


class Kamailio:
    """A running Kamailio with its PostgreSQL."""

    name = "kamailio"

    def __init__(self, *, port: int, dsn: str, meter: Meter) -> None:
        self.port = port
        self.meter = meter
        self._dsn = dsn

    def cpu(self) -> dict[str, CpuSeconds]:
        return self.meter.read()

    def books(self) -> Books:
        with psycopg.connect(self._dsn) as db:
            row = db.execute(
                "SELECT count(*), coalesce(sum(cost_micros), 0)::bigint, "
                "count(*) FILTER (WHERE account = '' OR caller = '' OR cost_micros <> %s) FROM acc_cdrs",
                (PRICE_MICROS,),
            ).fetchone()
        assert row is not None
        return Books(calls=row[0], charged_micros=row[1], wrong=row[2])

    def is_idle(self) -> bool:
        return True  # its dialogs end with their calls or not at all; nothing later depends on them


@contextlib.contextmanager
def running_kamailio(
    directory: Path, *, port: int, trunk_port: int, callers: Sequence[Caller]
) -> Iterator[Kamailio]:
    """Sets up PostgreSQL and Kamailio under `directory`, and ends both."""
    data = DataDir(directory)
    data.make()
    postgres = EmbeddedPostgres(data)
    postgres.prepare()
    user = postgres.user
    with contextlib.ExitStack() as stack:
        meter = stack.enter_context(metered("kamailio"))
        server = stack.enter_context(
            Program(
                "postgres", postgres.command(), log=directory / "postgres.log", environment=postgres.environment(),
                directory="/", uid=user.uid if user.is_other else None, gid=user.gid if user.is_other else None,
                stop_signal=signal_fast_shutdown(),
            )
        )  # fmt: skip
        server.wait_until(postgres.is_ready, timeout_s=START_S, what="ready")
        asyncio.run(postgres.ensure_database())
        _make_tables(postgres.dsn, callers)
        meter.add("postgres", server.pid)
        environment = {**os.environ, "PGHOST": str(postgres.socket_dir), "PGPORT": str(PORT)}
        configuration = _write_configuration(directory, port=port, trunk_port=trunk_port)
        program = stack.enter_context(
            Program("kamailio", _command(configuration, directory), log=directory / "kamailio.log",
                    environment=environment)
        )  # fmt: skip
        program.wait_until((directory / "ctl.sock").exists, timeout_s=START_S, what="ready")
        until(lambda: len(process_tree(program.pid)) > CHILDREN, timeout_s=START_S)
        time.sleep(FORKED_AFTER_S)
        meter.add("kamailio", program.pid)
        yield Kamailio(port=port, dsn=postgres.dsn, meter=meter)


def signal_fast_shutdown() -> signal.Signals:
    """What makes PostgreSQL end its sessions instead of waiting for them."""
    return signal.SIGINT


def _modules() -> Path | None:
    return next((Path(place) for place in MODULE_PLACES if Path(place).is_dir()), None)


def _command(configuration: Path, directory: Path) -> list[str]:
    """In the foreground, with the fastest of its memory allocators for both kinds of memory."""
    return [
        shutil.which("kamailio") or "/usr/sbin/kamailio", "-f", str(configuration), "-DD", "-E",
        "-x", "tlsf", "-X", "tlsf", "-m", str(SHARED_MEMORY_MB), "-M", str(PRIVATE_MEMORY_MB),
        "-Y", str(directory), "-w", str(directory),
    ]  # fmt: skip


def _write_configuration(directory: Path, *, port: int, trunk_port: int) -> Path:
    text = (HERE / "kamailio.cfg.template").read_text(encoding="ascii")
    for name, value in {
        "CHILDREN": str(CHILDREN),
        "LISTEN": f"{LOOPBACK}:{port}",
        "DOMAIN": f"{LOOPBACK}:{port}",
        "MODULES": str(_modules()),
        "RUN": str(directory),
        "DB_URL": f"postgres://{settings.ROLE}@/{settings.DATABASE}",
        "TRUNK": f"{LOOPBACK}:{trunk_port}",
    }.items():
        text = text.replace(f"@{name}@", value)
    path = directory / "kamailio.cfg"
    path.write_text(text, encoding="ascii")
    return path


def _make_tables(dsn: str, callers: Sequence[Caller]) -> None:
    with psycopg.connect(dsn) as db:
        for table in PACKAGE_TABLES:
            db.execute((PACKAGE_SQL / f"{table}-create.sql").read_bytes())
        db.execute((HERE / "kamailio.sql").read_bytes())
        db.execute("INSERT INTO rates (tprefix, tvalue) VALUES (%s, %s)", (PREFIX, _price()))
        with db.cursor().copy("COPY subscriber (username, domain, ha1, account, credit) FROM STDIN") as rows:
            for caller in callers:
                ha1 = hashlib.md5(f"{caller.user}:{LOOPBACK}:{caller.password}".encode()).hexdigest()
                rows.write_row((caller.user, LOOPBACK, ha1, caller.account, CREDIT_POUNDS))


def _price() -> str:
    """Micros a minute for the CDR, pounds a second for cnxcc."""
    return f"{PRICE_MICROS}:{PRICE_MICROS / MINUTE_S / 1e6:.6f}"
