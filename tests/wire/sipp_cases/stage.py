"""One exchange for many cases at the same time, each with an account, lines, numbers and a trunk of its own."""

import asyncio
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from demo.free_ports import free_ports
from provisioning import service
from provisioning.model import AccountKind
from rating.money import VatMode
from sipp_scenarios.exchange import HOST, RunningExchange
from sipp_scenarios.prices import micros_of
from sipp_scenarios.records import Record
from sipp_scenarios.sipp import Sipp, SippError, SippRun, sipp_program
from switch.config import Trunk
from tests.wire.sipp_cases.case import Case, Part, Seat
from tests.wire.sipp_cases.conf import (
    CALLED_CARRIERS,
    CALLING_CARRIERS,
    REGISTER_KEY,
    CasesConf,
    ddi_number,
    outside_number,
)
from tests.wire.sipp_cases.edits import each, with_login
from tests.wire.sipp_cases.trace import Message, read_trace

CORPUS = Path(__file__).parents[4] / "shared" / "corpora" / "sipp"
HELPERS = Path(__file__).parent
REALM = "offhook"
PLAYED_AT_ONCE = 14  # most of their time is pauses of the scripts
TRUNK_USERNAME = "offhook42"
NO_ANSWER_TIMEOUT_S = 13  # longer than the 10 s for which one callee is silent
KNOWN_TIMEOUT_S = 20.0
CALL_ENDS_TIMEOUT_S = 10.0
RECORDS_TIMEOUT_S = 30.0
TRANSACTIONS_TIMEOUT_S = 60.0  # 64*T1 and a machine that may be busy
IDLE = ("live_calls", "reservations", "transactions")
REGISTRAR_TIMEOUT_S = 120  # it waits while the exchange starts
POLL_S = 0.1


LEAVES = Part(
    file="drachtio-server/uac-register-with-star-in-contact.xml",
    login="REGISTER",
    edits=(each("[service]", "@USER@"),),
)


def scenario_text(file: str) -> str:
    """ISO 8859-1, so that every octet stays as it is. A name without a dot is one of SIPp's own scenarios."""
    if "." not in file:
        shown = subprocess.run([sipp_program() or "sipp", "-sd", file], capture_output=True, check=False)
        return shown.stdout.decode("latin-1")
    return (CORPUS / file if "/" in file else HELPERS / file).read_bytes().decode("latin-1")


class PartPlayed(msgspec.Struct, kw_only=True):
    """How a SIPp ended: its exit code (None: ended by us), what it said of errors, what it sent and received."""

    exit: int | None
    said: str
    messages: list[Message]


class Played(msgspec.Struct, kw_only=True):
    """What came of a case. `problems` are those seen while it played; the rest is judged afterwards."""

    case: Case
    index: int
    user: str = ""
    callee_user: str = ""
    caller: PartPlayed | None = None
    callees: list[PartPlayed] = msgspec.field(default_factory=list)
    registrar: PartPlayed | None = None
    bound: list[dict[str, object]] = msgspec.field(default_factory=list)
    problems: list[str] = msgspec.field(default_factory=list)
    records: list[Record] = msgspec.field(default_factory=list)
    balance_micros: int = 0

    @property
    def sip_call_id(self) -> str:
        return f"case-{self.index}@example.com"

    @property
    def account(self) -> str:
        return f"case {self.index}"


class CasesStage:
    """The exchange and its accounts. `play` may be called from several threads."""

    def __init__(self, root: Path, cases: Sequence[Case]) -> None:
        self._root = root
        self.played = [
            Played(case=case, index=index, user=f"{3000 + 2 * index}", callee_user=f"{3001 + 2 * index}")
            for index, case in enumerate(cases)
        ]
        self.password = secrets.token_hex(8)
        self.sip_port, metrics_port, *trunk_ports = free_ports(2 + len(cases))
        self._trunk_ports = trunk_ports
        self._registrars: dict[int, tuple[SippRun, Sipp]] = {}
        self._asking = threading.Lock()  # the control socket takes few clients at once
        self.exchange = RunningExchange(
            root,
            CasesConf(
                sip_port=self.sip_port,
                metrics_port=metrics_port,
                carrier_port=0,
                trunk_ports=trunk_ports,
                registering=[played.index for played in self._registering],
                carrier_username=TRUNK_USERNAME,
                carrier_password=self.password,
                no_answer_timeout_s=NO_ANSWER_TIMEOUT_S,
            ),
        )

    @property
    def _registering(self) -> list[Played]:
        """Cases of a carrier that we register with, where a trunk can."""
        if REGISTER_KEY not in Trunk.__struct_fields__:
            return []
        return [played for played in self.played if played.case.registrar is not None]

    @contextmanager
    def open(self) -> Iterator["CasesStage"]:
        with ExitStack() as listening:
            self._start_registrars(listening)
            self.exchange.start()
            try:
                self._set_up()
                yield self
            except BaseException:
                self.exchange.kill()
                raise

    def _start_registrars(self, listening: ExitStack) -> None:
        """They must hear us from the first moment on: the exchange registers when it starts."""
        for played in self._registering:
            directory = self._directory(played)
            part = played.case.registrar
            assert part is not None
            sipp = self._sipp(played, directory, "registrar", part, port=self._trunk_ports[played.index])
            run = listening.enter_context(SippRun(sipp, directory))
            run.wait_until_bound()
            self._registrars[played.index] = run, sipp

    def play_all(self) -> None:
        """Every case, the longest first, many at the same time; then what is on record of them."""
        by_length = sorted(self.played, key=lambda played: -played.case.timeout_s)
        with ThreadPoolExecutor(PLAYED_AT_ONCE) as pool:
            list(pool.map(self._play, by_length))
        self._fetch_records()

    def left_over(self) -> dict[str, object]:
        """What the exchange still holds once the last transaction's timers have run out; {} is right.

        A registrar that was played is gone by now; what is on its way to one is not left over.
        """
        deadline = time.monotonic() + TRANSACTIONS_TIMEOUT_S
        while True:
            status = self.exchange.try_status()
            left: dict[str, object] = {name: status.get(name) for name in IDLE}
            left["legs"] = self.exchange.metric("offhook_legs")
            if left["transactions"] == _registers_on_their_way(status):
                left["transactions"] = 0
            left = {name: value for name, value in left.items() if value != 0}
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(POLL_S)

    # Setting up

    def _set_up(self) -> None:
        asyncio.run(self._add_accounts())
        known = 2 * len(self.played)
        self.exchange.wait_for(
            lambda: self.exchange.try_status().get("lines") == known,
            "the switch to know the new lines",
            KNOWN_TIMEOUT_S,
        )

    async def _add_accounts(self) -> None:
        rows = ["user,account,password,numbers"]
        async with service.connect(self.exchange.dsn) as db:
            for played in self.played:
                await service.add_account(
                    db,
                    played.account,
                    kind=AccountKind.PREPAID,
                    vat=VatMode.INC_VAT,
                    tariff="retail",
                    opening_credit_micros=micros_of(played.case.credit),
                )
                rows.append(f"{played.user},{played.account},{self.password},+447700900{played.index:03}")
                rows.append(
                    f"{played.callee_user},{played.account},{self.password},{ddi_number(played.index)}"
                )
            await service.import_lines(db, "\n".join([*rows, ""]), realm=REALM)

    # Playing

    def _directory(self, played: Played) -> Path:
        directory = self._root / f"case-{played.index}"
        directory.mkdir(exist_ok=True)
        return directory

    def _play(self, played: Played) -> None:
        directory = self._directory(played)
        try:
            with ExitStack() as playing:
                self._play_in(played, directory, playing)
        except (SippError, OSError, ValueError, LookupError) as error:
            played.problems.append(f"{type(error).__name__}: {error}")
        self._end_call(played)

    def _play_in(self, played: Played, directory: Path, playing: ExitStack) -> None:
        case = played.case
        if case.bound_before:
            (port,) = free_ports(1)
            self._at_registrar("phone_registers", directory, port, played.user)
        callees = []
        for number, part in enumerate(case.callees):
            sipp = self._callee(played, directory, number, part)
            callees.append((part, sipp, playing.enter_context(SippRun(sipp, directory))))
        for _, _, run in callees:
            run.wait_until_bound()
        if case.caller is not None:
            sipp = self._sipp(played, directory, "caller", case.caller)
            with SippRun(sipp, directory) as run:
                played.caller = self._outcome(run, sipp, directory, case.caller)
        for part, sipp, run in callees:
            if part.exits is None:
                self._wait_until_call_ends(played)
            played.callees.append(self._outcome(run, sipp, directory, part))
            if part.registers:  # with such a Contact it would be pinged until it expires
                leaves = self._sipp(played, directory, "callee_leaves", LEAVES)
                with SippRun(leaves, directory) as leaving:
                    leaving.finish()
        if case.registrar is not None:
            if played.index not in self._registrars:
                raise LookupError("no trunk registers with anybody here")
            run, sipp = self._registrars[played.index]
            played.registrar = self._outcome(run, sipp, directory, case.registrar)
        if case.bindings is not None:
            played.bound = self._bound(played.user)

    def _callee(self, played: Played, directory: Path, number: int, part: Part) -> Sipp:
        port = self._trunk_ports[played.index]
        if part.seat is Seat.LINE:
            (port,) = free_ports(1)
            if part.registers:
                itself = msgspec.structs.replace(part, edits=part.registers, login="REGISTER")
                name = f"callee_{number}_registers"
                with SippRun(self._sipp(played, directory, name, itself, port=port), directory) as run:
                    run.finish()
            else:
                self._at_registrar("phone_registers", directory, port, played.callee_user)
        return self._sipp(played, directory, f"callee_{number}", part, port=port)

    def _at_registrar(self, xml: str, directory: Path, port: int, user: str) -> None:
        """A phone of our own scenarios comes or goes."""
        sipp = Sipp(xml=xml, port=port, exchange_port=self.sip_port, user=user, password=self.password)
        with SippRun(sipp, directory) as run:
            run.finish()

    def _sipp(self, played: Played, directory: Path, name: str, part: Part, *, port: int = 0) -> Sipp:
        """The scenario's copy is written, and what it is played with."""
        case = played.case
        text = scenario_text(part.file)
        for edit in part.edits:
            text = edit.applied(text)
        user = played.callee_user if name.startswith("callee") else played.user
        if part.login:
            text = with_login(text, part.login)
        words = self._words(played, user, directory, name, part)
        text = self._filled(text, user)
        (directory / f"{name}.xml").write_bytes(text.encode("latin-1"))
        if not port:
            (port,) = free_ports(1)
        return Sipp(
            xml=name,
            folder=directory,
            host=self._host(name, part),
            port=port,
            exchange_port=self.sip_port,
            timeout_s=max(case.timeout_s, REGISTRAR_TIMEOUT_S) if name == "registrar" else case.timeout_s,
            user=user,
            password=self.password,
            call_id=played.sip_call_id if name == "caller" else "",
            words=words,
        )

    def _host(self, name: str, part: Part) -> str:
        if part.seat is not Seat.CARRIER:
            return HOST
        return CALLING_CARRIERS if name == "caller" else CALLED_CARRIERS

    def _filled(self, text: str, user: str) -> str:
        """What an edit could not know: this exchange's port, this line's password."""
        return (
            text.replace("@PORT@", str(self.sip_port))
            .replace("@PASSWORD@", self.password)
            .replace("@USER@", user)
        )

    def _words(self, played: Played, user: str, directory: Path, name: str, part: Part) -> list[str]:
        words = ["-s", self._service(played), "-d", "1000", *part.words]
        if part.csv:
            file = directory / f"{name}.csv"
            file.write_text(f"SEQUENTIAL\n{self._filled(part.csv, user)}\n", encoding="ascii")
            words += ["-inf", str(file)]
        return [self._filled(word, user) for word in words]

    def _service(self, played: Played) -> str:
        """What the caller dials; a registering phone's own name."""
        case = played.case
        if case.service:
            return case.service.replace("@USER@", played.user)
        if case.callees and case.callees[0].seat is Seat.CARRIER:
            return outside_number(played.index)
        return ddi_number(played.index)

    def _outcome(self, run: SippRun, sipp: Sipp, directory: Path, part: Part) -> PartPlayed:
        code = None
        if part.exits is not None or run.has_ended:
            code = run.exit_code()
        said = run.said() if code else ""
        run.__exit__()
        return PartPlayed(exit=code, said=said, messages=read_trace(directory / f"{sipp.xml}.messages"))

    # Looking

    def _ask(self, command: str, **arguments: str) -> list[dict[str, object]]:
        with self._asking:
            rows: list[dict[str, object]] = self.exchange.ask(command, **arguments)
        return rows

    def _bound(self, user: str) -> list[dict[str, object]]:
        return self._ask("registrations", user=user)

    def _live(self, played: Played) -> list[str]:
        """The ids of this case's calls that are still up."""
        return [
            str(row["call_id"])
            for row in self._ask("calls")
            if row["caller"] == played.user or row["dialled"] == self._service(played)
        ]

    def _wait_until_call_ends(self, played: Played) -> bool:
        deadline = time.monotonic() + CALL_ENDS_TIMEOUT_S
        while self._live(played):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _end_call(self, played: Played) -> None:
        """A call that is up when both sides are gone is a finding, and is ended so that it disturbs no other."""
        if self._wait_until_call_ends(played):
            return
        for call_id in self._live(played):
            played.problems.append(
                f"the call {call_id} was still up {CALL_ENDS_TIMEOUT_S:.0f} s after both SIPps ended"
            )
            self._ask("end_call", call_id=call_id)

    def _fetch_records(self) -> None:
        """Records reach the books a moment after the calls: wait until all expected ones are there."""
        deadline = time.monotonic() + RECORDS_TIMEOUT_S
        while True:
            rows: list[Record] = self.exchange.command("cdr", "list", "--limit", "10000")
            for played in self.played:
                ours = {
                    row["call_id"]
                    for row in rows
                    if row["leg"] == 0 and row["sip_call_id"] == played.sip_call_id
                }
                ours |= {row["call_id"] for row in rows if row["leg"] == 0 and row["line"] == played.user}
                played.records = sorted(
                    (row for row in rows if row["call_id"] in ours),
                    key=lambda row: (row["call_id"], row["leg"]),
                )
            if all(len(played.records) >= len(played.case.legs) for played in self.played):
                break
            if time.monotonic() > deadline:
                break
        balances = {
            row["account"]["name"]: row["balance_micros"] for row in self.exchange.command("account", "list")
        }
        for played in self.played:
            played.balance_micros = balances[played.account]


def _registers_on_their_way(status: dict[str, Any]) -> int:
    """Trunks that wait for their registrar's answer and for no next try."""
    registrations = [trunk["registration"] for trunk in status.get("trunks", {}).values() if "registration" in trunk]
    return sum(one["next_try_at_ms"] is None for one in registrations)
