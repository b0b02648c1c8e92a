"""A real `offhook up` on a directory of its own, and its command line, as an operator has them.

Nothing of the exchange is reached into: processes, commands, the control socket's answers as `--json` shows them, and
the database. Ports are free ones of the loopback address.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row

from demo.free_ports import free_port
from offhook.control_client import ask
from offhook.exit_codes import CommandError
from offhook.paths import DataDir

HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
COMMAND_TIMEOUT_S = 30.0
POLL_S = 0.05


class ExchangeError(Exception):
    """The exchange, or one of its commands, did not do what was expected."""


class ConfFiles(msgspec.Struct, frozen=True):
    """What goes into conf/. `listen` is added to [listen], below UDP and TCP on `hosts`, `main` to offhook.toml below
    that, `voicemail` to [voicemail], `media` to [media]; the rest are whole files."""

    tariff_name: str
    tariff_csv: str
    main: str = ""
    voicemail: str = ""
    media: str = ""
    listen: str = ""
    hosts: tuple[str, ...] = (HOST,)
    trunks: str = ""
    routing: str = ""


class LocalExchange:
    """One exchange under `directory`: conf/, data/ and its log."""

    def __init__(self, directory: Path, conf: ConfFiles) -> None:
        self.directory = directory
        self.data = DataDir(directory / "data")
        self.conf = directory / "conf"
        self.log = directory / "exchange.log"
        self.port = free_port()
        self.metrics_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        _write_conf(self.conf, conf, port=self.port, metrics_port=self.metrics_port)

    @property
    def address(self) -> str:
        """Where phones register, `host:port`, UDP and TCP."""
        return f"{HOST}:{self.port}"

    @property
    def process_id(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it serves. Its log keeps what it said."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [*_offhook(), "up", "--data", str(self.data.root), "--conf", str(self.conf)],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            if self._process.poll() is not None:
                raise ExchangeError(f"the exchange ended with exit status {self._process.returncode}")
            if time.monotonic() > deadline:
                raise ExchangeError(f"the exchange was not ready after {START_TIMEOUT_S:g} s")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """SIGTERM and a clean end; by force, and ExchangeError, when it does not come or is not clean."""
        process, self._process = self._process, None
        if process is None:
            return
        parts = descendants(process.pid)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            for process_id in [*parts, process.pid]:
                _kill(process_id)
            process.wait()
            raise ExchangeError(f"the exchange did not end within {STOP_TIMEOUT_S:g} s of SIGTERM") from None
        left = [process_id for process_id in parts if Path(f"/proc/{process_id}").exists()]
        if status != 0 or left:
            raise ExchangeError(f"the exchange ended with exit status {status} and left processes {left}")

    def run(self, *words: str, stdin: str = "") -> str:
        """One `offhook` command; its output. Raises ExchangeError with what it said."""
        done = subprocess.run(  # noqa: S603
            [*_offhook(), *words, "--data", str(self.data.root)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.strip() or done.stdout.strip()
            raise ExchangeError(f"`offhook {' '.join(words)}` ended with {done.returncode}: {said}")
        return done.stdout

    def run_json(self, *words: str, stdin: str = "") -> Any:
        return msgspec.json.decode(self.run(*words, "--json", stdin=stdin))

    def status(self) -> dict[str, Any]:
        """What `offhook status --json` prints, without starting a command for it."""
        result = ask(self.data, "status")
        assert isinstance(result, dict)
        return result

    def query(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Rows of the exchange's PostgreSQL, by the names of their columns."""
        dsn = self.data.dsn_file.read_text(encoding="utf-8")
        with psycopg.connect(dsn, row_factory=dict_row) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def part_id(self, module: str) -> int:
        """The process of a part, such as `switch` or `switch.edge`."""
        for process_id in descendants(self.process_id):
            words = _command_line(process_id)
            if "-m" in words and words[words.index("-m") + 1] == module:
                return process_id
        raise ExchangeError(f"the exchange has no process {module}")

    def _is_ready(self) -> bool:
        try:
            return bool(self.status()["ready"] == "yes")
        except CommandError:
            return False


def descendants(process_id: int) -> list[int]:
    """All processes below one, children first."""
    found = []
    try:
        text = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii")
    except OSError:
        return []
    for child in map(int, text.split()):
        found += [child, *descendants(child)]
    return found


def _offhook() -> list[str]:
    """The installed command; the module where there is none, in a working copy that is not installed."""
    command = Path(sys.executable).with_name("offhook")
    return [str(command)] if command.exists() else [sys.executable, "-m", "offhook"]


def _write_conf(directory: Path, conf: ConfFiles, *, port: int, metrics_port: int) -> None:
    own = ", ".join(f'"{host}:{port}"' for host in conf.hosts)
    listen = f'udp = [{own}]\ntcp = [{own}]\nmetrics = "{HOST}:{metrics_port}"\n{conf.listen}'
    # Several exchanges may run on one machine: each has ports of its own.
    if "[media]" not in conf.main:
        hosts = ", ".join(f'"{host.strip("[]")}"' for host in conf.hosts)
        listen += f"\n[media]\nlisten = [{hosts}]\n{conf.media}"
    if "[voicemail]" not in conf.main:
        listen += f'\n[voicemail]\nsip = "{HOST}:{free_port()}"\nmetrics = ""\n{conf.voicemail}'
    tariff = f'[tariffs.{conf.tariff_name}]\nvat = "inc_vat"\n'
    files = {
        "offhook.toml": f"[listen]\n{listen}\n{conf.main}\n{tariff}",
        "trunks.toml": conf.trunks,
        "routing.toml": conf.routing,
        f"tariffs/{conf.tariff_name}.csv": conf.tariff_csv,
    }
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _command_line(process_id: int) -> list[str]:
    try:
        return Path(f"/proc/{process_id}/cmdline").read_text(encoding="utf-8").split("\0")
    except OSError:
        return []


def _kill(process_id: int) -> None:
    try:
        os.kill(process_id, signal.SIGKILL)
    except ProcessLookupError:
        return
