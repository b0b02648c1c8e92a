"""One SIPp process: one scenario file, one call, one exit code."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from sipp_scenarios.exchange import HOST
from switch.sip.host import host_port

SCENARIOS = Path(__file__).parent
CALL_TIMEOUT_S = 30
BIND_TIMEOUT_S = 10.0
POLL_S = 0.02


class SippError(Exception):
    """A SIPp saw something else than its scenario expects; the text has what it wrote about it."""


class Sipp(msgspec.Struct, kw_only=True):
    """What one SIPp is told. `keys` are the [words] of the scenario; `call_id` is the Call-ID of its call.

    `folder` has the scenario's file, `host` is the address that it plays at ("::1": the exchange is there, too), and
    `words` are further arguments.
    """

    xml: str
    port: int
    exchange_port: int
    folder: Path = SCENARIOS
    host: str = HOST
    timeout_s: int = CALL_TIMEOUT_S
    words: Sequence[str] = ()
    user: str = ""
    password: str = ""
    call_id: str = ""
    keys: Mapping[str, str] = {}

    def command(self, program: str, directory: Path) -> list[str]:
        # Over IPv4 it may play at another address of the loopback network than the exchange's.
        exchange = host_port(self.host if ":" in self.host else HOST, self.exchange_port)
        command = [
            program, exchange, "-sf", str(self.folder / f"{self.xml}.xml"),
            "-i", self.host, "-p", str(self.port), "-m", "1", "-l", "1", "-nostdin",
            "-timeout", f"{self.timeout_s}s", "-timeout_error",
            "-trace_err", "-error_file", str(directory / f"{self.xml}.errors"),
            "-trace_msg", "-message_file", str(directory / f"{self.xml}.messages"),
            "-key", "user", self.user, "-au", self.user, "-ap", self.password, *self.words,
        ]  # fmt: skip
        if ":" in self.host:  # by itself it leaves the brackets out
            command += ["-auth_uri", exchange]
        if self.call_id:
            command += ["-cid_str", self.call_id]
        for name, value in self.keys.items():
            command += ["-key", name, value]
        return command


class SippRun:
    """A started SIPp. Use as a context manager: it does not outlive the block."""

    def __init__(self, sipp: Sipp, directory: Path) -> None:
        program = sipp_program()
        if program is None:
            raise SippError("sipp is not installed: on Debian, apt-get install sip-tester")
        self._sipp = sipp
        self._directory = directory
        with (directory / f"{sipp.xml}.screen").open("wb") as screen:
            self._process = subprocess.Popen(
                sipp.command(program, directory),
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                cwd=directory,
            )

    def __enter__(self) -> "SippRun":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    def wait_until_bound(self) -> None:
        """It hears its port: from now on a call can come."""
        deadline = time.monotonic() + BIND_TIMEOUT_S
        while not is_bound(self._sipp.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SippError(f"{self._sipp.xml} did not start: {self.said()}")
            time.sleep(POLL_S)

    def finish(self) -> None:
        """Wait for its end; raises SippError unless its one call went as the scenario says."""
        code = self.exit_code()
        if code != 0:
            raise SippError(f"{self._sipp.xml} failed ({code}): {self.said()}")

    def exit_code(self) -> int:
        """Wait for its end: 0 when its one call went as the scenario says. Raises SippError if it hangs."""
        try:
            return self._process.wait(self._sipp.timeout_s + 10)
        except subprocess.TimeoutExpired:
            raise SippError(f"{self._sipp.xml} does not end: {self.said()}") from None

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def said(self) -> str:
        """What it wrote about its errors, else the end of its screen."""
        for ending in ("errors", "screen"):
            with contextlib.suppress(OSError):
                text = (self._directory / f"{self._sipp.xml}.{ending}").read_text("utf-8", "replace").strip()
                if text:
                    return text[-3000:]
        return "nothing"


def sipp_program() -> str | None:
    return shutil.which("sipp")


def is_bound(port: int) -> bool:
    """Whether somebody hears this UDP port."""
    wanted = f":{port:04X}"
    tables = [Path(f"/proc/net/{name}").read_text(encoding="ascii") for name in ("udp", "udp6")]
    return any(row.split()[1].endswith(wanted) for table in tables for row in table.splitlines()[1:])
