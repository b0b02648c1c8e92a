"""Runs scenarios on one exchange: sets up what they need, lets SIPps play, and judges the outcome.

A scenario passes when both SIPps saw what their files expect, the records say what the scenario says, the account has
exactly what is left, and the exchange is as idle as before: no live call, no reservation, no bug counted.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from demo.free_ports import free_ports
from provisioning import service
from provisioning.model import AccountKind
from rating.money import VatMode
from sipp_scenarios.exchange import HOST, ExchangeConf, RunningExchange
from sipp_scenarios.prices import micros_of
from sipp_scenarios.records import Record, cost_micros, problems_of_records
from sipp_scenarios.scenarios import SCENARIOS, Scenario
from sipp_scenarios.sipp import Sipp, SippError, SippRun

RECORDS_TIMEOUT_S = 15.0
QUIET_TIMEOUT_S = 10.0
TRANSACTIONS_TIMEOUT_S = 60.0
KNOWN_TIMEOUT_S = 10.0
# The exchange repeats a refusal until it is acknowledged, and BYE until it is answered: what is up after this is stuck.
IDLE = ("live_calls", "reservations")
SILENT = "silent"
TARIFF = "retail"
TRUNK_USERNAME = "offhook42"
REFUSED_PHONES = {"wrong_password": "a wrong password", "no_such_user": "no such line"}


class ScenarioFailed(Exception):  # noqa: N818 - the outcome of a test, not an error of the runner
    """One or more things were not as expected; one a line."""


class Cast(msgspec.Struct, frozen=True, kw_only=True):
    """The account, lines and numbers of one scenario."""

    account: str
    caller: str
    callee: str
    caller_number: str
    callee_number: str
    password: str


class Stage:
    """An exchange, and the accounts and lines that the chosen scenarios need on it.

    `answers_at` is the port where SIPp plays the carrier when somebody else's proxy stands on `carrier_port`.
    """

    def __init__(self, root: Path, *, answers_at: int = 0) -> None:
        self.sip_port, self.carrier_port, self._reserve_port, metrics_port = free_ports(4)
        self.trunk_password = secrets.token_hex(8)
        self.answers_at = answers_at or self.carrier_port
        self._root = root
        self._casts: dict[str, Cast] = {}
        self.exchange = RunningExchange(
            root,
            ExchangeConf(
                sip_port=self.sip_port,
                metrics_port=metrics_port,
                carrier_port=self.carrier_port,
                reserve_port=self._reserve_port,
                trunk_username=TRUNK_USERNAME,
                trunk_password=self.trunk_password,
            ),
        )

    @contextmanager
    def open(self, scenarios: Sequence[Scenario] = SCENARIOS) -> Iterator["Stage"]:
        """The exchange is up inside the block, and has been ended in good order after it."""
        self.exchange.start()
        try:
            self._set_up(scenarios)
            files = self.exchange.open_files()
            yield self
            self._wait_until_nothing_is_left(files)
        except BaseException:
            self.exchange.kill()
            raise
        code = self.exchange.stop()
        if code != 0:
            raise ScenarioFailed(f"the exchange ended with exit code {code}: {self.exchange.log_tail()}")
        self._check_log()

    def run(self, scenario: Scenario) -> None:
        """Raises ScenarioFailed or SippError."""
        directory = self._root / scenario.name
        directory.mkdir(exist_ok=True)
        before = {name: self.exchange.metric(name) for name in scenario.must_grow}
        if scenario.is_call:
            self._run_call(scenario, directory)
        else:
            self._run_phone(scenario, directory)
        problems = self._problems_of_state(scenario)
        problems += [
            f"{name} did not grow" for name, value in before.items() if self.exchange.metric(name) <= value
        ]
        if problems:
            raise ScenarioFailed(f"{scenario.name}:\n  " + "\n  ".join(problems))

    # Setting up

    def _set_up(self, scenarios: Sequence[Scenario]) -> None:
        """One account a scenario, and all lines with their numbers in one import."""
        rows = ["user,account,password,numbers"]
        for index, scenario in enumerate(scenarios):
            cast = Cast(
                account=scenario.name.replace("_", " "),
                caller=f"{2000 + 2 * index}",
                callee=f"{2001 + 2 * index}",
                caller_number=f"+441632960{100 + index}",
                callee_number=f"+441632960{200 + index}",
                password=secrets.token_hex(8),
            )
            self._casts[scenario.name] = cast
            rows.append(f"{cast.caller},{cast.account},{cast.password},{cast.caller_number}")
            rows.append(f"{cast.callee},{cast.account},{cast.password},{cast.callee_number}")
        asyncio.run(self._add_accounts(scenarios))
        file = self._root / "lines.csv"
        file.write_text("\n".join([*rows, ""]), encoding="utf-8")
        self.exchange.command("line", "import", str(file))
        known = 2 * len(scenarios)
        self.exchange.wait_for(
            lambda: self.exchange.try_status().get("lines") == known,
            "the switch to know the new lines",
            KNOWN_TIMEOUT_S,
        )

    async def _add_accounts(self, scenarios: Sequence[Scenario]) -> None:
        """Not by the command, which takes the better part of a second for each."""
        async with service.connect(self.exchange.dsn) as db:
            for scenario in scenarios:
                await service.add_account(
                    db,
                    self._casts[scenario.name].account,
                    kind=AccountKind.PREPAID,
                    vat=VatMode.INC_VAT,
                    tariff=TARIFF,
                    opening_credit_micros=micros_of(scenario.credit),
                )

    # Playing

    def _run_phone(self, scenario: Scenario, directory: Path) -> None:
        cast = self._casts[scenario.name]
        user = "nobody" if scenario.name == "no_such_user" else cast.caller
        password = cast.password[::-1] if scenario.name in REFUSED_PHONES else cast.password
        (port,) = free_ports(1)
        _play(self._sipp(scenario.caller, port, user, password), directory)
        registered = [row for row in self.exchange.command("registrations") if row["user"] == user]
        if scenario.caller != "phone_registers":
            if registered:
                raise ScenarioFailed(f"{scenario.name}: {user} is registered: {registered}")
            return
        source = f"udp:{HOST}:{port}"
        if [row["source"] for row in registered] != [source]:
            raise ScenarioFailed(f"{scenario.name}: registered are {registered}, expected one from {source}")
        _play(self._sipp("phone_leaves", port, user, password), directory)
        if any(row["user"] == user for row in self.exchange.command("registrations")):
            raise ScenarioFailed(f"{scenario.name}: {user} is still registered after it left")

    def _run_call(self, scenario: Scenario, directory: Path) -> None:
        cast = self._casts[scenario.name]
        call_id = f"{scenario.name}-{secrets.token_hex(4)}"
        caller_port, callee_port = free_ports(2)
        if scenario.has_carrier_callee:
            callee_port = self.answers_at
        elif scenario.callee:
            _play(self._sipp("phone_registers", callee_port, cast.callee, cast.password), directory)
        with ExitStack() as playing:
            callees = []
            if scenario.callee == SILENT:
                playing.enter_context(_phone_that_must_stay_silent(callee_port))
            elif scenario.callee:
                callees.append(self._sipp(scenario.callee, callee_port, cast.callee, cast.password))
            if scenario.reserve:
                callees.append(self._sipp(scenario.reserve, self._reserve_port, cast.callee, cast.password))
            runs = [playing.enter_context(SippRun(sipp, directory)) for sipp in callees]
            for run in runs:
                run.wait_until_bound()
            caller_sipp = self._caller(scenario, cast, caller_port, call_id)
            with SippRun(caller_sipp, directory) as caller:
                caller.finish()
            for run in runs:
                run.finish()
        self._check_records(scenario, cast, call_id)

    def _caller(self, scenario: Scenario, cast: Cast, port: int, call_id: str) -> Sipp:
        dials = scenario.dials.replace(" ", "") or cast.callee_number
        user, password = cast.caller, cast.password
        if scenario.has_carrier_caller:
            user, password, port = "+441632960999", "", self.carrier_port
        return self._sipp(scenario.caller, port, user, password, call_id=call_id, dials=dials)

    def _sipp(
        self, xml: str, port: int, user: str, password: str, *, call_id: str = "", dials: str = ""
    ) -> Sipp:
        keys = {"dialled": dials} if dials else {}
        if xml.startswith("carrier_"):
            keys |= {"trunk_user": TRUNK_USERNAME, "trunk_password": self.trunk_password}
        return Sipp(
            xml=xml,
            port=port,
            exchange_port=self.sip_port,
            user=user,
            password=password,
            call_id=call_id,
            keys=keys,
        )

    # Judging

    def _check_records(self, scenario: Scenario, cast: Cast, call_id: str) -> None:
        records = self._wait_for_records(call_id, len(scenario.legs))
        problems = problems_of_records(scenario, records)
        problems += self._problems_of_identity(scenario, cast, records)
        left = micros_of(scenario.credit) - cost_micros(records)
        shown = self.exchange.command("account", "show", cast.account)
        if shown["view"]["balance_micros"] != left:
            problems.append(f"the balance is {shown['view']['balance_micros']}, expected {left}")
        moved = sum(row["amount_micros"] for row in shown["movements"])
        if moved != left:
            problems.append(f"the ledger adds up to {moved}, expected {left}")
        after = records[0]["balance_after_micros"] if records else None
        if cost_micros(records) and after != left:
            problems.append(f"the record says {after} was left, expected {left}")
        if problems:
            raise ScenarioFailed(f"{scenario.name}:\n  " + "\n  ".join(problems))

    def _wait_for_records(self, call_id: str, count: int) -> list[Record]:
        """All legs of the call whose caller used this SIP Call-ID, in order."""
        deadline = time.monotonic() + RECORDS_TIMEOUT_S
        while True:
            rows: list[Record] = self.exchange.command("cdr", "list", "--limit", "100")
            ours = {row["call_id"] for row in rows if row["leg"] == 0 and row["sip_call_id"] == call_id}
            found = sorted((row for row in rows if row["call_id"] in ours), key=lambda row: row["leg"])
            if len(found) >= count or time.monotonic() > deadline:
                return found

    def _problems_of_identity(self, scenario: Scenario, cast: Cast, records: Sequence[Record]) -> list[str]:
        """Who called whom, as the caller's record has it."""
        if not records:
            return []
        expected = {
            "network_number": "+441632960999" if scenario.has_carrier_caller else cast.caller_number,
            "line": "" if scenario.has_carrier_caller else cast.caller,
            "trunk": "carrier" if scenario.has_carrier_caller else "",
            "ddi": "" if scenario.dials else cast.callee_number,
        }
        return [
            f"{name} is {records[0][name]!r}, expected {value!r}"
            for name, value in expected.items()
            if records[0][name] != value
        ]

    def _problems_of_state(self, scenario: Scenario) -> list[str]:
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        while True:
            status = self.exchange.try_status()
            busy = {name: status.get(name) for name in IDLE if status.get(name) != 0}
            if not busy or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        problems = [f"{name} is still {value}" for name, value in busy.items()]
        if status.get("bugs") != 0:
            problems.append(f"{status.get('bugs')} bugs counted: {self.exchange.log_tail()}")
        return problems

    def _wait_until_nothing_is_left(self, files: int) -> None:
        """After the last transaction's timers (64*T1) the exchange is as it was before the first scenario."""
        deadline = time.monotonic() + TRANSACTIONS_TIMEOUT_S
        while True:
            status = self.exchange.try_status()
            left = {name: status.get(name) for name in (*IDLE, "transactions") if status.get(name) != 0}
            left |= {"dialogs": self.exchange.metric("offhook_legs")}
            left |= {"open files": self.exchange.open_files() - files}
            left = {name: value for name, value in left.items() if value != 0}
            if not left:
                return
            if time.monotonic() > deadline:
                raise ScenarioFailed(f"left over: {left}")
            time.sleep(0.5)

    def _check_log(self) -> None:
        text = self.exchange.log.read_text(encoding="utf-8", errors="replace")
        if "Traceback" in text:
            raise ScenarioFailed(f"a traceback in the log: {text[text.index('Traceback') :][:3000]}")


def _play(sipp: Sipp, directory: Path) -> None:
    with SippRun(sipp, directory) as run:
        run.finish()


@contextmanager
def _phone_that_must_stay_silent(port: int) -> Iterator[None]:
    """A registered phone to which nothing may come."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((HOST, port))
        yield
        phone.setblocking(False)
        try:
            heard = phone.recv(65_535)
        except BlockingIOError:
            return
        raise SippError(f"the callee's phone heard {heard[:200]!r}")
