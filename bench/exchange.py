"""Offhook as an operator runs it: `offhook up` on a fresh data directory, accounts and lines by its commands.

Everything is measured from outside: the command line, SIP, PostgreSQL and the metrics page. CPU time is split into
the processes that the exchange consists of; together they are the whole of it.
"""

import contextlib
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import psycopg

from bench.accounting import CpuSeconds, Meter, command_line, metered, process_tree, resident_bytes
from bench.program import BenchError, Program
from bench.sipp import LOOPBACK, Caller
from bench.subject import PREFIX, PRICE_MICROS, Books, number_of

PLAIN = "offhook"
COMPILED = "offhook compiled"  # the same source with its call path compiled, by `make fast`
COMPILED_READY = Path("build") / "fast" / ".ready"
COMPILED_PYTHON = Path("build") / "fast" / "venv" / "bin" / "python"

START_S = 120.0
COMMAND_S = 300.0  # importing 100,000 lines takes the longest
METRICS_S = 10.0
METRICS_TRIES = 20
METRICS_AGAIN_S = 0.2
CREDIT_POUNDS = "1000000.00"
SETTLE_AFTER_START_S = 1.0  # the first checkpoint and the changes of the import are over by then

# Which process a command line belongs to; the first that fits.
PARTS = (
    ("journal", "rating.journal"),
    ("books", "provisioning.books"),
    ("edge", "switch.edge"),
    ("traces", "traces"),
    ("switch", "switch"),
)
# What an exchange may be without: it keeps no traces where the operator wants none.
OPTIONAL_PARTS = {"traces"}

OFFHOOK_TOML = """\
[listen]
udp = ["{host}:{port}"]
tcp = ["{host}:{port}"]
metrics = "{host}:{metrics_port}"
[calls]
calls_max = 20000
calls_per_account_max = 20000
calls_per_line_max = 1000
[media]
relay = {relay}
[voicemail]
sip = ""
[tariffs.retail]
vat = "inc_vat"
"""
# As it is shipped, but for this: the calls of the bench talk for a moment, and are good.
TRACING = """\
[trace]
short_call_s = 0
"""
TRUNKS_TOML = """\
[trunk.carrier]
addresses = ["{host}:{trunk_port}"]
calls_max = 20000
"""
ROUTING_TOML = """\
[routes]
"{prefix}" = ["carrier"]
"""
TARIFF_CSV = """\
prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until
{prefix},UK,0,{price},60,60,2020-01-01,
"""

Command = list[str]


class Histogram(msgspec.Struct, frozen=True):
    """A Prometheus histogram between two moments: counts below each bound, in seconds, the last bound being inf."""

    bounds_s: list[float]
    counts: list[int]

    @property
    def count(self) -> int:
        return self.counts[-1] if self.counts else 0

    def below_s(self, share: float) -> float:
        """The bound below which `share` of all values are."""
        for bound, count in zip(self.bounds_s, self.counts, strict=True):
            if self.count and count >= share * self.count:
                return bound
        return 0.0

    def __sub__(self, other: "Histogram") -> "Histogram":
        earlier = other.counts or [0] * len(self.counts)
        return Histogram(self.bounds_s, [now - then for now, then in zip(self.counts, earlier, strict=True)])


class Status(msgspec.Struct, frozen=True):
    """What is needed of `offhook status --json`."""

    live_calls: int
    registrations: int
    bugs: int


class Metrics:
    """One reading of the metrics page."""

    def __init__(self, text: str) -> None:
        self._text = text

    def histogram(self, name: str) -> Histogram:
        pattern = rf'^{re.escape(name)}_bucket\{{le="([^"]+)"\}} ([0-9.eE+-]+)$'
        rows = re.findall(pattern, self._text, re.MULTILINE)
        return Histogram([float(bound) for bound, _ in rows], [int(float(count)) for _, count in rows])


class Exchange:
    """A running exchange."""

    def __init__(
        self,
        *,
        name: str,
        command: Command,
        data: Path,
        port: int,
        metrics_port: int,
        meter: Meter,
        pids: dict[str, int],
    ) -> None:
        self.name = name
        self.port = port
        self.meter = meter
        self.pids = pids
        self._command = command
        self._data = data
        self._metrics = f"http://{LOOPBACK}:{metrics_port}/metrics"

    def cpu(self) -> dict[str, CpuSeconds]:
        return self.meter.read()

    def books(self) -> Books:
        dsn = (self._data / "run" / "dsn").read_text(encoding="utf-8").strip()
        with psycopg.connect(dsn) as db:
            row = db.execute(BOOKS_SQL, {"price": PRICE_MICROS, "pounds": CREDIT_POUNDS}).fetchone()
        assert row is not None
        calls, cost, wrong, ledger, balances, quarantined = row
        if not cost == ledger == balances:
            wrong += 1  # the records, the ledger and the balances must tell the same
        return Books(calls=calls, charged_micros=cost, wrong=wrong + quarantined)

    def is_idle(self) -> bool:
        return self.status().live_calls == 0

    def status(self) -> Status:
        return msgspec.json.decode(run_offhook(self._command, self._data, "status", "--json"), type=Status)

    def metrics(self) -> Metrics:
        """Raises BenchError when the page cannot be had in several tries."""
        for _ in range(METRICS_TRIES):
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(self._metrics, timeout=METRICS_S) as answer,
            ):
                return Metrics(answer.read().decode())
            time.sleep(METRICS_AGAIN_S)
        raise BenchError(f"{self._metrics} does not answer")

    def resident_bytes(self) -> dict[str, int]:
        """By process, PostgreSQL apart: its processes share most of what they have."""
        return {part: resident_bytes(pid) for part, pid in self.pids.items() if part != "postgres"}


# The caller's leg carries the charge, the trunk's leg must be there beside it.
BOOKS_SQL = """
SELECT count(*) FILTER (WHERE leg = 0),
       coalesce(sum(cost_micros), 0)::bigint,
       count(*) FILTER (WHERE leg = 0 AND (cost_micros <> %(price)s OR billed_s <> 60 OR account_id IS NULL))
       + abs(count(*) FILTER (WHERE leg = 0) - count(*) FILTER (WHERE leg = 1)),
       (SELECT coalesce(-sum(amount_micros), 0)::bigint FROM ledger WHERE kind = 'usage'),
       (SELECT count(*) * (%(pounds)s::numeric * 1000000)::bigint - coalesce(sum(balance_micros), 0)
        FROM account_balances)::bigint,
       (SELECT count(*) FROM quarantine)
FROM cdrs WHERE answered_at IS NOT NULL
"""


@contextlib.contextmanager
def running_exchange(
    directory: Path,
    *,
    port: int,
    metrics_port: int,
    trunk_port: int,
    callers: Sequence[Caller],
    is_compiled: bool = False,
    has_relay: bool = False,
    sections: str = TRACING,
    title: str = "",
) -> Iterator[Exchange]:
    """Sets up a fresh exchange under `directory` with its accounts and lines, and ends it.

    `sections` are more of offhook.toml, `title` is for two of one build.
    """
    data, conf = directory / "data", directory / "conf"
    data.mkdir(parents=True)
    _write_conf(conf, port=port, metrics_port=metrics_port, trunk_port=trunk_port, has_relay=has_relay)
    with (conf / "offhook.toml").open("a", encoding="utf-8") as file:
        file.write(sections)
    with contextlib.ExitStack() as stack:
        name = (COMPILED if is_compiled else PLAIN) + title
        meter = stack.enter_context(metered(name.replace(" ", "-")))
        command = offhook_command(is_compiled=is_compiled)
        up_command = [*command, "up", "--data", str(data), "--conf", str(conf)]
        up = stack.enter_context(Program(f"{name} up", up_command, log=directory / "offhook.log"))
        ready = f"http://{LOOPBACK}:{metrics_port}/readyz"
        up.wait_until(lambda: _answers(ready), timeout_s=START_S, what="ready")
        for account in sorted({caller.account for caller in callers}):
            run_offhook(command, data, "account", "add", account, "--prepaid", "--credit", CREDIT_POUNDS)
        lines = directory / "lines.csv"
        _write_lines(lines, callers)
        run_offhook(command, data, "line", "import", str(lines))
        time.sleep(SETTLE_AFTER_START_S)
        pids = _find_parts(up.pid)
        for part, pid in pids.items():
            meter.add(part, pid, without=[other for other in pids.values() if other != pid])
        yield Exchange(
            name=name,
            command=command,
            data=data,
            port=port,
            metrics_port=metrics_port,
            meter=meter,
            pids=pids,
        )


def has_compiled() -> bool:
    """Whether `make fast` has been here."""
    return COMPILED_READY.exists()


def offhook_command(*, is_compiled: bool) -> Command:
    """-P: without it the source in the working directory is imported in place of what was compiled."""
    return [str(COMPILED_PYTHON.absolute()) if is_compiled else sys.executable, "-P", "-m", "offhook"]


def run_offhook(command: Command, data: Path, *arguments: str) -> str:
    done = subprocess.run(
        [*command, *arguments, "--data", str(data)],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=COMMAND_S,
    )
    if done.returncode != 0:
        raise BenchError(f"offhook {' '.join(arguments)} failed ({done.returncode}):\n{done.stderr[-1000:]}")
    return done.stdout


def _find_parts(supervisor: int) -> dict[str, int]:
    """The first process of each part. Raises BenchError when one is missing."""
    parts = {"supervisor": supervisor}
    for pid in process_tree(supervisor)[1:]:
        arguments = command_line(pid)
        if arguments and Path(arguments[0]).name == "postgres":
            parts.setdefault("postgres", pid)
        for part, module in PARTS:
            if module in arguments:
                parts.setdefault(part, pid)
                break
    missing = {"postgres", *(part for part, _ in PARTS)} - set(parts) - OPTIONAL_PARTS
    if missing:
        raise BenchError(f"the exchange runs without {', '.join(sorted(missing))}")
    return parts


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=METRICS_S) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _write_conf(
    conf: Path, *, port: int, metrics_port: int, trunk_port: int, has_relay: bool = False
) -> None:
    (conf / "tariffs").mkdir(parents=True)
    price = f"{PRICE_MICROS // 1_000_000}.{PRICE_MICROS % 1_000_000:06d}"
    for name, text in {
        "offhook.toml": OFFHOOK_TOML.format(
            host=LOOPBACK, port=port, metrics_port=metrics_port, relay=str(has_relay).lower()
        ),
        "trunks.toml": TRUNKS_TOML.format(host=LOOPBACK, trunk_port=trunk_port),
        "routing.toml": ROUTING_TOML.format(prefix=PREFIX),
        "tariffs/retail.csv": TARIFF_CSV.format(prefix=PREFIX, price=price),
    }.items():
        (conf / name).write_text(text, encoding="utf-8")


def _write_lines(path: Path, callers: Sequence[Caller]) -> None:
    """The first thousand lines get a number each; there are no more drama numbers in one exchange."""
    rows = ["user,account,password,numbers"]
    for index, caller in enumerate(callers):
        number = number_of(index) if index < 1000 else ""
        rows.append(f"{caller.user},{caller.account},{caller.password},{number}")
    path.write_text("\n".join([*rows, ""]), encoding="ascii")
