"""A real exchange in a directory of its own, seen from outside only: commands, control socket, metrics, database.

`offhook up` runs as an operator would run it, on free ports of the loopback address and with the embedded PostgreSQL.
Whatever happens, no process of it outlives `stop`.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sipp_scenarios.prices import tariff_text

HOST = "127.0.0.1"
READY_TIMEOUT_S = 120.0  # a first start makes a database cluster, on a machine that may be busy
STOP_TIMEOUT_S = 60.0
COMMAND_TIMEOUT_S = 60.0
POLL_S = 0.05
LOG_TAIL_BYTES = 6000


class ExchangeConf(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from the default configuration.

    `trunk_username` and `trunk_password` are what the carrier knows us by, if it asks. With a `reserve_port` calls to
    London (+4420) go to a second carrier there when the first one fails.
    """

    sip_port: int
    metrics_port: int
    carrier_port: int
    reserve_port: int = 0
    trunk_username: str = ""
    trunk_password: str = ""
    no_answer_timeout_s: int = 5
    reserve_ahead_s: int = 10
    renew_before_s: int = 5
    pass_headers: Sequence[str] = ()
    relay: bool = False  # the scenarios look at bodies, and say themselves where sound goes

    def write(self, folder: Path) -> None:
        """The configuration directory."""
        texts = {
            "offhook.toml": f"""
[listen]
udp = ["{HOST}:{self.sip_port}"]
tcp = ["{HOST}:{self.sip_port}"]
metrics = "{HOST}:{self.metrics_port}"

[calls]
no_answer_timeout_s = {self.no_answer_timeout_s}

[media]
relay = {"true" if self.relay else "false"}
listen = ["{HOST}"]

[voicemail]
sip = ""

[prepaid]
reserve_ahead_s = {self.reserve_ahead_s}
renew_before_s = {self.renew_before_s}

[tariffs.retail]
vat = "inc_vat"
""",
            "trunks.toml": f"""
[trunk.carrier]
addresses = ["{HOST}:{self.carrier_port}"]
pass_headers = {msgspec.json.encode(list(self.pass_headers)).decode()}
username = "{self.trunk_username}"
{self._reserve_trunk}""",
            "trunk_secrets.toml": f"""
[trunk.carrier]
password = "{self.trunk_password}"
"""
            if self.trunk_password
            else "",
            "routing.toml": f"""
[emergency]
trunks = ["carrier"]

[routes]
"+44" = ["carrier"]
{'"+4420" = ["carrier", "reserve"]' if self.reserve_port else ""}
""",
            "tariffs/retail.csv": tariff_text(),
        }
        (folder / "tariffs").mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        (folder / "trunk_secrets.toml").chmod(0o600)

    @property
    def _reserve_trunk(self) -> str:
        if not self.reserve_port:
            return ""
        return f"""
[trunk.reserve]
addresses = ["{HOST}:{self.reserve_port}"]
"""


class ExchangeError(Exception):
    """The exchange did not do what it was asked; the text has the end of its log."""


class RunningExchange:
    """One data directory and the `offhook up` that runs on it, if any."""

    def __init__(self, root: Path, conf: ExchangeConf, *, environment: dict[str, str] | None = None) -> None:
        self.conf = conf
        self.data = root / "data"
        self.conf_dir = root / "conf"
        self.log = root / "up.log"
        self._environment = {**os.environ, "OFFHOOK_DATA": str(self.data), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        conf.write(self.conf_dir)

    # The process

    def start(self) -> None:
        """Start and wait until it takes calls."""
        self.launch()
        try:
            self.wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command("up"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self.data.parent,
                start_new_session=True,
            )

    def wait_until_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        self.wait_for(lambda: self.try_status().get("ready") == "yes", "the exchange to be ready", timeout_s)

    def wait_for(
        self, condition: Callable[[], object], what: str, timeout_s: float = READY_TIMEOUT_S
    ) -> None:
        """Raises ExchangeError when it does not come true, at once if the exchange has ended."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self._process is not None and self._process.poll() is not None:
                raise ExchangeError(f"`offhook up` ended ({self._process.returncode}): {self.log_tail()}")
            if time.monotonic() > deadline:
                raise ExchangeError(f"waited {timeout_s:.0f} s for {what}: {self.log_tail()}")
            time.sleep(POLL_S)

    def stop(self) -> int:
        """SIGTERM, as an operator ends it; returns its exit code. Force only if it hangs."""
        process, self._process = self._process, None
        if process is None:
            return 0
        parts = [(pid, started_at(pid)) for pid in descendants(process.pid)]
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            return process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise ExchangeError(f"did not stop in {STOP_TIMEOUT_S:.0f} s: {self.log_tail()}") from None
        finally:
            process.kill()
            process.wait()
            kill_all([pid for pid, started in parts if started and started_at(pid) == started])

    def kill(self) -> None:
        """SIGKILL to every process of it. They are stopped first, so that none sees another die."""
        process, self._process = self._process, None
        if process is None:
            return
        kill_all([process.pid, *descendants(process.pid)])
        process.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None, "not running"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log_tail(self) -> str:
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace")

    # What an operator can do and see

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """One command, whatever comes of it."""
        return subprocess.run(
            [*self._command(words[0]), *words[1:]],
            input=stdin,
            capture_output=True,
            text=True,
            env=self._environment,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def command(self, *words: str, stdin: str = "") -> Any:
        """One command with --json: what it printed. Raises ExchangeError with what it said instead."""
        done = self.run(*words, "--json", stdin=stdin)
        if done.returncode != 0:
            raise ExchangeError(f"offhook {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}")
        return msgspec.json.decode(done.stdout)

    def ask(self, command: str, **arguments: str) -> Any:
        """The control socket's answer. Raises OSError when nobody listens."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5.0)
            connection.connect(str(self.data / "control.sock"))
            connection.sendall(msgspec.json.encode({"command": command, **arguments}) + b"\n")
            answer = bytearray()
            while not answer.endswith(b"\n"):
                data = connection.recv(1 << 16)
                if not data:
                    raise ConnectionResetError("closed in the middle of an answer")
                answer += data
        return msgspec.json.decode(answer)["result"]

    def try_status(self) -> dict[str, Any]:
        """`offhook status`, {} while nobody answers."""
        try:
            status: dict[str, Any] = self.ask("status")
        except (OSError, msgspec.DecodeError, KeyError):
            return {}
        return status

    def metric(self, name: str) -> float:
        """The sum of all samples of one name."""
        url = f"http://{HOST}:{self.conf.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        names = (name + " ", name + "{")
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(names))

    def open_files(self) -> int:
        """File descriptors of the switch."""
        (switch,) = (pid for pid in descendants(self.pid) if module_of(pid) == "switch")
        return len(list(Path(f"/proc/{switch}/fd").iterdir()))

    @property
    def dsn(self) -> str:
        return (self.data / "run" / "dsn").read_text(encoding="utf-8").strip()

    def _command(self, word: str) -> list[str]:
        # -P: the directory somebody stands in must not hide the installed package.
        place = ["--data", str(self.data)]
        if word == "up":
            place += ["--conf", str(self.conf_dir)]
            return [sys.executable, "-P", "-m", "offhook", word, *place]
        return [sys.executable, "-P", "-m", "offhook", word]


def descendants(pid: int) -> list[int]:
    """Every process below `pid`, parents before children. Empty when it is gone."""
    found: list[int] = []
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text(encoding="ascii").split()
        ]
    except OSError:
        return found
    for child in children:
        found += [child, *descendants(child)]
    return found


def started_at(pid: int) -> str:
    """In ticks since boot: tells a process from a later one with its number. "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return ""


def command_line(pid: int) -> list[str]:
    """Its words; [] when it is gone."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return raw.decode("utf-8", "replace").rstrip("\0").split("\0")


def module_of(pid: int) -> str:
    """What Python runs there by -m, or ""."""
    words = command_line(pid)
    return words[words.index("-m") + 1] if "-m" in words[:-1] else ""


def kill_all(pids: Sequence[int]) -> None:
    """SIGKILL to all of them as at one moment."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
