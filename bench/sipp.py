"""SIPp as caller and callee: how it is started, and what its statistics say afterwards.

Scenarios are in bench/scenarios. SIPp writes one CSV of counters (the last line is the sum of the run) and one of
single response times. It leaves out SIPp's own percentiles: they are too coarse for a loopback.
"""

import csv
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.program import BenchError, Program
from bench.subject import ACCOUNTS

SCENARIOS = Path(__file__).parent / "scenarios"
LOOPBACK = "127.0.0.1"
SOCKET_BUFFER_BYTES = 4 * 1024 * 1024  # a scheduling pause of the receiver must not become a lost datagram
RECEIVE_TIMEOUT_MS = 10_000
GRACE_S = 45.0  # past the planned length: then SIPp is stuck, and its calls have failed
LIVE_CALLS_PER_RATE = 6  # calls alive at once at most, in seconds of new calls; more is congestion
UNEXPECTED_CHARS = 600
STATISTICS = {"SuccessfulCall(C)", "FailedCall(C)", "Retransmissions(C)", "StartTime", "CurrentTime"}


class Caller(msgspec.Struct, frozen=True):
    """One line as SIPp plays it, and whose it is."""

    user: str
    password: str
    account: str


def make_callers(count: int) -> list[Caller]:
    """The accounts have them in turn."""
    return [
        Caller(f"line{index:06d}", f"secret{index:06d}", f"account{index % ACCOUNTS}") for index in range(count)
    ]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What SIPp is to do: `total` times a scenario, `rate` a second. `keys` fill the scenario's names."""

    scenario: str
    target: str
    port: int
    rate: float
    total: int
    keys: dict[str, str]
    auth_uri: str = ""
    talk_ms: int = 0


class Delays(msgspec.Struct, frozen=True):
    """Response times in milliseconds; all 0 when there were none."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class SippResult(msgspec.Struct, frozen=True):
    """Counters of a finished run. `unexpected` is the beginning of SIPp's error log."""

    successful: int
    failed: int
    retransmissions: int
    seconds: float
    delays: dict[str, Delays]
    unexpected: str

    @property
    def rate(self) -> float:
        return self.successful / self.seconds if self.seconds else 0.0


def find_sipp() -> str:
    path = shutil.which("sipp")
    if path is None:
        raise BenchError("sipp is missing: install Debian's package sip-tester")
    return path


def write_callers(path: Path, callers: Sequence[Caller]) -> None:
    """The injection file: SIPp takes one line for each new call, in order, and begins again at the end.

    The whole authentication keyword is a field: SIPp fills in no field inside of it.
    """
    rows = [
        f"{caller.user};[authentication username={caller.user} password={caller.password}];"
        for caller in callers
    ]
    path.write_text("\n".join(["SEQUENTIAL", *rows, ""]), encoding="ascii")


def run_callers(load: Load, callers: Path, directory: Path) -> SippResult:
    """Runs one load to its end. A failed call is in the result, not an exception."""
    place = Path(tempfile.mkdtemp(prefix="uac-", dir=directory))
    command = [
        *_common(load.scenario, load.port, place),
        "-inf", str(callers), "-m", str(load.total), "-r", f"{load.rate:g}",
        "-l", str(max(50, int(load.rate * LIVE_CALLS_PER_RATE))),
        "-recv_timeout", str(RECEIVE_TIMEOUT_MS), "-timer_resol", "1",
        "-trace_rtt", "-rtt_freq", "1", "-d", str(load.talk_ms),
    ]  # fmt: skip
    for key, value in load.keys.items():
        command += ["-key", key, value]
    if load.auth_uri:
        command += ["-auth_uri", load.auth_uri]
    with Program(
        f"sipp {load.scenario}", [*command, load.target], log=place / "screen", directory=place
    ) as sipp:
        sipp.wait(timeout_s=load.total / load.rate + GRACE_S)
        return _read_result(place, sipp)


def start_trunk(port: int, directory: Path) -> Program:
    """The carrier. It answers until it is stopped."""
    place = Path(tempfile.mkdtemp(prefix="uas-", dir=directory))
    command = [*_common("trunk_answers", port, place), "-timer_resol", "1"]
    return Program("sipp trunk", command, log=place / "screen", directory=place)


def _common(scenario: str, port: int, place: Path) -> list[str]:
    return [
        find_sipp(), "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", LOOPBACK, "-p", str(port), "-t", "u1",
        "-nostdin", "-buff_size", str(SOCKET_BUFFER_BYTES), "-trace_err", "-error_file", str(place / "errors"),
        "-trace_stat", "-stf", str(place / "stat.csv"), "-fd", "1", "-f", "60",
        "-max_log_size", "200000", "-watchdog_minor_threshold", "20000", "-watchdog_major_threshold", "20000",
    ]  # fmt: skip


def _read_result(place: Path, sipp: Program) -> SippResult:
    try:
        with (place / "stat.csv").open(encoding="ascii", errors="replace", newline="") as file:
            # One that was killed leaves half a line, whose missing columns are None.
            rows = [row for row in csv.DictReader(file, delimiter=";") if None not in row.values()]
    except OSError:
        rows = []
    if not rows or not STATISTICS.issubset(rows[-1]):
        raise BenchError(f"{sipp.name} left no statistics:\n{sipp.log_tail()}")
    last = rows[-1]
    return SippResult(
        successful=int(last["SuccessfulCall(C)"]),
        failed=int(last["FailedCall(C)"]),
        retransmissions=int(last["Retransmissions(C)"]),
        seconds=_moment(last["CurrentTime"]) - _moment(last["StartTime"]),
        delays=_read_delays(place),
        unexpected=_unexpected(place),
    )


def _moment(text: str) -> float:
    """The last of "date, time, seconds since 1970", which are separated by tabs."""
    return float(text.rsplit("\t", maxsplit=1)[-1])


def _read_delays(place: Path) -> dict[str, Delays]:
    """By the name that the scenario gave the response time."""
    values: dict[str, list[float]] = {}
    for path in place.glob("*_rtt.csv"):
        with path.open(encoding="ascii", errors="replace", newline="") as file:
            for row in csv.reader(file, delimiter=";"):
                if len(row) >= 3 and row[0][:1].isdigit():
                    values.setdefault(row[2], []).append(float(row[1]))
    return {name: summarise(delays) for name, delays in values.items()}


def summarise(delays_ms: Sequence[float]) -> Delays:
    ordered = sorted(delays_ms)
    if not ordered:
        return Delays(0, 0.0, 0.0, 0.0, 0.0)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return Delays(len(ordered), at(0.5), at(0.95), at(0.99), ordered[-1])


def _unexpected(place: Path) -> str:
    try:
        return (place / "errors").read_text(encoding="utf-8", errors="replace")[:UNEXPECTED_CHARS]
    except OSError:
        return ""
