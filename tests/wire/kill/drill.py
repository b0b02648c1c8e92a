"""One exchange, its load, and what is done to it: kills at named points and at random, outages, restarts, audits."""

import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from demo.free_ports import free_ports
from sipp_scenarios.exchange import ExchangeConf, RunningExchange
from sipp_scenarios.prices import micros_of
from switch.failpoints import ENVIRONMENT
from tests.wire.kill import victims
from tests.wire.kill.audit import Evidence, audit, overall, read_books
from tests.wire.kill.load import Load, LoadThread, Subscriber
from tests.wire.kill.truth import Attempt, Kill
from tests.wire.kill.victims import Part

CALLERS = 10
CALLEES = 10
# The poor one runs out while it talks.
CREDITS = {"rich": "500.00", "modest": "300.00", "poor": "0.40"}
TOP_UP = "1.00"
CALLS_PER_S = 20.0
TOP_UP_SHARE = 0.3
WARM_UP_S = 0.8
AFTER_S = 0.7  # of load on what has come back, before the audit
POINT_TIMEOUT_S = 20.0
# The supervisor's and the books' back-offs after several deaths in a row, on a machine that is busy.
RECOVERY_TIMEOUT_S = 60.0
QUIET_TIMEOUT_S = 60.0
# The first restarts come after 0.2, 0.4, 0.8 s ...: a fresh start now and then keeps the test short.
DEATHS_BEFORE_RESTART = 3
WARNINGS_SHOWN = 30
PASSING_S = 0.1  # what was durable when the journal froze may still be on its way
REFUSAL_TIMEOUT_S = 30.0
BROKEN_SETTING = "this is no setting, so this server cannot start\n"


class AuditFailed(AssertionError):  # noqa: N818 - the verdict of a test
    """What was not found, one a line."""


class Drill:
    """An exchange with everything on record since it was made."""

    def __init__(self, root: Path, *, seed: int, say: Callable[[str], None]) -> None:
        self._random = random.Random(seed)
        self._seed = seed
        self._say = say
        self._point = root / "point"
        sip_port, metrics_port, carrier_port = free_ports(3)
        conf = ExchangeConf(
            sip_port=sip_port,
            metrics_port=metrics_port,
            carrier_port=carrier_port,
            reserve_ahead_s=10,
            renew_before_s=9,  # the first renewal comes a second after the answer
            pass_headers=("X-Attempt",),
        )
        self.exchange = RunningExchange(root, conf, environment={ENVIRONMENT: str(self._point)})
        self.kills: list[Kill] = []
        self.credits = {name: micros_of(pounds) for name, pounds in CREDITS.items()}
        self._deaths: Counter[Part] = Counter()
        self._epoch = ""
        self._told: set[str] = set()
        self._thread: LoadThread
        self._load: Load

    @contextmanager
    def open(self) -> Iterator["Drill"]:
        self._thread = LoadThread()
        try:
            self.exchange.start()
            self._set_up()
            yield self
        finally:
            self._close()

    @property
    def attempts(self) -> Sequence[Attempt]:
        return self._load.attempts

    def _set_up(self) -> None:
        accounts = list(CREDITS)
        for name, pounds in CREDITS.items():
            self.exchange.command("account", "add", name, "--prepaid", "--credit", pounds)
        lines = [
            Subscriber(
                f"{2000 + index}",
                f"+441632960{100 + index}",
                accounts[index % len(accounts)],
                f"secret-{index}",
            )
            for index in range(CALLERS + CALLEES)
        ]
        rows = [f"{line.user},{line.account},{line.password},{line.number}" for line in lines]
        file = self.exchange.data.parent / "lines.csv"
        file.write_text("\n".join(["user,account,password,numbers", *rows, ""]), encoding="utf-8")
        self.exchange.command("line", "import", str(file))
        self.exchange.wait_for(
            lambda: self.exchange.try_status().get("lines") == len(lines),
            "the lines to be known",
            10.0,
        )
        self._epoch = self.exchange.try_status()["journal_epoch"]
        conf = self.exchange.conf

        async def make_load() -> Load:
            return Load(
                exchange_port=conf.sip_port,
                carrier_port=conf.carrier_port,
                callers=lines[:CALLERS],
                callees=lines[CALLERS:],
                seed=self._seed,
            )

        self._load = self._thread.run(make_load())
        self._thread.run(self._load.register_all())

    def _close(self) -> None:
        if hasattr(self, "_load"):
            self._thread.run(self._load.close())
        self._thread.close()
        self.exchange.kill()

    # The load

    @contextmanager
    def load(self) -> Iterator[None]:
        """Calls come and go inside the block; after it every attempt is over and everything is audited."""
        self._restart_if_slow()
        self._thread.run(self._load.begin(CALLS_PER_S))
        try:
            time.sleep(WARM_UP_S)
            yield
            time.sleep(AFTER_S)
        finally:
            self._thread.run(self._load.end())
        self.audit()

    # Deaths

    def kill_at(self, point: str, part: Part, *, count: int) -> None:
        """The switch stops at the point, and in this very moment the part dies. Returns when it has recovered."""
        victims.arm(self._point, point, count)
        switch = victims.await_stop(self.exchange, self._point, POINT_TIMEOUT_S)
        pid = victims.kill(self.exchange, part, RECOVERY_TIMEOUT_S)
        self._note(part, takes_journal=False)
        if part is not Part.SWITCH:
            victims.go_on(switch)
        self._recover(part, pid)

    def kill(self, *parts: Part) -> None:
        """All of them at one moment."""
        pids = [victims.await_part(self.exchange, part, RECOVERY_TIMEOUT_S) for part in parts]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                os.kill(pid, number)
        takes_journal = Part.SWITCH in parts and Part.JOURNAL in parts
        self._note(*parts, takes_journal=takes_journal)
        for part, pid in zip(parts, pids, strict=True):
            self._recover(part, pid)

    def kill_at_random(self) -> None:
        """After a moment of load, one of the three that matter dies, or the switch together with another."""
        time.sleep(self._random.uniform(0.0, 2.0))
        draw = self._random.random()
        parts = [self._random.choice((Part.SWITCH, Part.JOURNAL, Part.POSTGRES))]
        if draw < 0.2:
            parts = [Part.SWITCH, self._random.choice((Part.JOURNAL, Part.POSTGRES))]
        elif draw < 0.3:
            parts = [self._random.choice((Part.BOOKS, Part.EDGE))]
        self._say(f"  killing {' and '.join(part.name.lower() for part in parts)}")
        with self._top_up_meanwhile() if self._random.random() < TOP_UP_SHARE else nullcontext():
            self.kill(*parts)

    def kill_while_recovering(self, times: int) -> None:
        """The switch dies, and each that follows it dies within its first moments; the last one lives."""
        self._note(Part.SWITCH, takes_journal=False)
        pid = victims.kill(self.exchange, Part.SWITCH, RECOVERY_TIMEOUT_S)
        for _ in range(times):
            victims.await_another(self.exchange, Part.SWITCH, pid, RECOVERY_TIMEOUT_S)
            time.sleep(self._random.uniform(0.0, 1.5))
            pid = victims.kill(self.exchange, Part.SWITCH, RECOVERY_TIMEOUT_S)
        self._recover(Part.SWITCH, pid)
        self._deaths[Part.SWITCH] += times

    def freeze_journal(self, seconds: float) -> int:
        """The disk takes nothing for a while. Returns how many billable answers were passed on: none may be."""
        pid = victims.await_part(self.exchange, Part.JOURNAL, RECOVERY_TIMEOUT_S)
        os.kill(pid, signal.SIGSTOP)
        frozen = Kill("JOURNAL", time.time())
        self.kills.append(frozen)
        try:
            time.sleep(seconds)
        finally:
            thawed_at = time.time()
            os.kill(pid, signal.SIGCONT)
        self.exchange.wait_for(
            lambda: self.exchange.try_status().get("journal") == "ok",
            "the journal to commit again",
            10.0,
        )
        frozen.until = time.time()
        return sum(
            frozen.at + PASSING_S < attempt.answered_at < thawed_at
            for attempt in list(self.attempts)
            if attempt.answered_at is not None and attempt.account
        )

    @contextmanager
    def _top_up_meanwhile(self) -> Iterator[None]:
        """Somebody pays while it happens. The payment has a key, so it may be repeated until it is confirmed."""
        payment = ("account", "topup", "modest", TOP_UP, "--key", secrets.token_hex(8))
        payer = threading.Thread(target=self.exchange.run, args=payment, name="payer")
        payer.start()
        time.sleep(self._random.uniform(0.0, 1.0))
        yield
        payer.join()
        self.exchange.command(*payment)
        self.credits["modest"] += micros_of(TOP_UP)
        self._say("  topped up meanwhile")

    def top_up(self) -> None:
        self.exchange.command("account", "topup", "modest", TOP_UP)
        self.credits["modest"] += micros_of(TOP_UP)

    def kill_everything(self) -> None:
        """Every process of the exchange at one moment, as when the machine fails."""
        self.kills.append(Kill("everything", time.time(), ends_calls=True, takes_journal=True))
        self.exchange.kill()
        self._deaths.clear()

    def restart(self) -> None:
        """In good order, by SIGTERM."""
        code = self.exchange.stop()
        if code != 0:
            raise AuditFailed(f"the exchange stopped with exit code {code}: {self.exchange.log_tail()}")
        self.exchange.start()
        self._deaths.clear()

    def stop_under_load(self) -> None:
        """SIGTERM while calls are up: it ends and settles them, ships everything, and is started again."""
        stop = Kill("everything, in good order", time.time(), ends_calls=True, is_orderly=True)
        self.kills.append(stop)
        code = self.exchange.stop()
        if code != 0:
            raise AuditFailed(f"the exchange stopped with exit code {code}: {self.exchange.log_tail()}")
        self.exchange.start()
        stop.until = time.time()
        self._deaths.clear()

    def _restart_if_slow(self) -> None:
        """The more deaths, the longer the supervisor waits with the next start; that is right, and long here."""
        if max(self._deaths[Part.SWITCH], self._deaths[Part.POSTGRES]) >= DEATHS_BEFORE_RESTART:
            self.restart()

    def start_again(self) -> None:
        """After `kill_everything`. Returns when calls are taken."""
        self.exchange.start()
        self.kills[-1].until = time.time()

    def _note(self, *parts: Part, takes_journal: bool) -> None:
        self._deaths.update(parts)
        self.kills.append(
            Kill(
                " ".join(part.name for part in parts),
                time.time(),
                ends_calls=Part.SWITCH in parts,
                takes_journal=takes_journal,
            )
        )

    def _recover(self, part: Part, old_pid: int) -> None:
        def is_back() -> bool:
            pid = victims.find(self.exchange, part)
            if pid is None or pid == old_pid:
                return False
            status = self.exchange.try_status()
            match part:
                case Part.SWITCH:
                    return status.get("ready") == "yes"
                case Part.JOURNAL:
                    return status.get("journal") == "ok"
                case Part.EDGE:
                    return status.get("edge") == "connected"
                case Part.BOOKS | Part.POSTGRES:
                    return status.get("database") == "up"

        # When the switch dies its children end with it, and new ones come with the new one.
        self.exchange.wait_for(is_back, f"the {part.name.lower()} to come back", RECOVERY_TIMEOUT_S)
        self.kills[-1].until = time.time()

    # PostgreSQL away

    @contextmanager
    def without_postgres(self) -> Iterator[None]:
        """Inside the block the database is dead and cannot start: an operator's slip in its settings."""
        self.break_postgres()
        if self.exchange.is_running:
            victims.kill(self.exchange, Part.POSTGRES, RECOVERY_TIMEOUT_S)
            self.exchange.wait_for(
                lambda: str(self.exchange.try_status().get("database")).startswith("down"),
                "the switch to notice that the database is down",
                RECOVERY_TIMEOUT_S,
            )
        try:
            yield
        finally:
            self.mend_postgres()
        self.exchange.wait_for(
            lambda: self.exchange.try_status().get("database") == "up",
            "the database to come back",
            RECOVERY_TIMEOUT_S,
        )

    def break_postgres(self) -> None:
        self._settings_file.write_text(BROKEN_SETTING, encoding="utf-8")

    def mend_postgres(self) -> None:
        self._settings_file.write_text("", encoding="utf-8")

    @property
    def _settings_file(self) -> Path:
        return self.exchange.data / "postgres" / "operator.conf"

    def answered_during(self, seconds: float) -> int:
        """How many of the attempts made in the next seconds are answered."""
        first = len(self.attempts)
        time.sleep(seconds)
        return self._load.answered_since(first)

    # A second switch

    def second_switch(self) -> subprocess.CompletedProcess[str]:
        """Started by hand on the same data: it must refuse."""
        return subprocess.run(
            [
                sys.executable, "-P", "-m", "switch", "--data", str(self.exchange.data),
                "--conf", str(self.exchange.conf_dir), "--dsn", self.exchange.dsn,
            ],
            capture_output=True,
            text=True,
            timeout=REFUSAL_TIMEOUT_S,
            check=False,
        )  # fmt: skip

    # The audit

    def audit(self) -> None:
        """Raises AuditFailed unless every record and every penny is found."""
        self._wait_until_quiet()
        status = self.exchange.try_status()
        evidence = Evidence(
            attempts=self.attempts,
            kills=self.kills,
            books=read_books(self.exchange.dsn),
            credits=self.credits,
            live_balances={
                name: self.exchange.ask("account", name=name)["balance_micros"] for name in CREDITS
            },
            epoch=self._epoch,
            stalls=self._load.stalls,
        )
        found = [*audit(evidence), *self._problems_of_process(status)]
        # Each is told once: what one test broke must not fail those after it.
        problems = [problem for problem in found if problem not in self._told]
        self._told.update(problems)
        self._say(f"  {overall(self.attempts, evidence.books)}")
        if problems:
            shown = problems[:20]
            raise AuditFailed("\n".join([f"{len(problems)} problems:", *shown, *self._warnings()]))

    def _wait_until_quiet(self) -> None:
        """No call, no reservation, nothing that waits for the database; seen twice, because records take a moment."""
        seen = 0
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        idle = {
            "live_calls": 0,
            "reservations": 0,
            "unshipped_batches": 0,
            "database": "up",
        }
        while seen < 2:
            status = self.exchange.try_status()
            busy = {name: status.get(name) for name, value in idle.items() if status.get(name) != value}
            seen = 0 if busy else seen + 1
            if time.monotonic() > deadline:
                raise AuditFailed(
                    f"not quiet after {QUIET_TIMEOUT_S:.0f} s: {busy}: {self.exchange.log_tail()}"
                )
            time.sleep(0.2)

    def _warnings(self) -> list[str]:
        """What the exchange itself had to complain about last."""
        lines = self.exchange.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if "level=error" in line or "level=warning" in line][-WARNINGS_SHOWN:]

    def _problems_of_process(self, status: dict[str, Any]) -> Iterator[str]:
        if status["journal_epoch"] != self._epoch:
            yield f"the journal's epoch is {status['journal_epoch']}, it was {self._epoch}"
        if status["bugs"]:
            yield f"{status['bugs']} exceptions were caught"
        log = self.exchange.log.read_text(encoding="utf-8", errors="replace")
        if "Traceback" in log:
            yield f"a traceback in the log: {log[log.index('Traceback') :][:3000]}"
