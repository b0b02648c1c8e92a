"""The exchange on which calls go wrong on purpose: who has lines there, which carriers it knows, and its records.

Numbers are Ofcom's for drama. Every carrier is a SIPp of its own on the loopback address, named after what it does.
"""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from demo.exchange import HOST, ConfFiles, LocalExchange
from demo.free_ports import free_port
from demo.phone import Phone
from demo.phone_messages import PhoneSettings
from media.wav import format_wav
from provisioning import service
from provisioning.divert_rules import Destination
from provisioning.diverts import set_diverts
from provisioning.model import AccountKind, DivertCondition, DivertKind
from rating.money import VatMode
from sipp_scenarios.sipp import Sipp, SippRun, is_bound
from tests.media.spectrum import sine
from tests.wire.faults import scripts
from tests.wire.phones.town import kill_part

PASSWORD: Final = "correct-horse-7"
REALM: Final = "offhook"
CALLING_CARRIERS: Final = "127.0.0.2"
LINES_KNOWN_TIMEOUT_S: Final = 15.0
RECORDS_TIMEOUT_S: Final = 20.0
FIGURES_S: Final = 3.0
POLL_S: Final = 0.1
CARRIER_CALLS_MAX: Final = "100000"

TARIFF_CSV = """\
prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until
+442079460,UK landline,0,0.60,1,1,2020-01-01,
+447700900,UK mobile,0,0.60,1,1,2020-01-01,
"""
MAIN = """
[registrar]
ping_interval_s = 5
min_expires_s = 2
expires_jitter_percent = 0

[calls]
no_answer_timeout_s = 36
session_expires_s = 90
calls_per_line_max = 300

[security]
login_failures_max = 1000

[prepaid]
reserve_ahead_s = 10
renew_before_s = 4
warning_s = 2
"""
# Refusals by their code at once; in words each takes half a minute.
VOICEMAIL = "announcements_max = 0\n"

# What each carrier does with a call. "silent" hears everything and says nothing.
CARRIERS: Final[dict[str, str]] = {
    "takes": scripts.scenario(
        scripts.is_called(),
        scripts.answers(180, "Ringing"),
        scripts.pause(0.3),
        scripts.takes_call(),
        scripts.is_hung_up(),
    ),
    "early": scripts.scenario(
        scripts.is_called(),
        scripts.answers(183, "Session Progress", body=scripts.sdp()),
        scripts.pause(0.8),
        scripts.takes_call(),
        scripts.is_hung_up(),
    ),
    "says_503": scripts.scenario(scripts.is_called(), scripts.refuses_call(503, "Service Unavailable")),
    "says_500": scripts.scenario(scripts.is_called(), scripts.refuses_call(500, "Server Internal Error")),
    "says_404": scripts.scenario(
        scripts.is_called(),
        scripts.refuses_call(404, "Not Found", headers='Reason: Q.850;cause=1;text="Unallocated number"\n'),
    ),
    "says_403": scripts.scenario(scripts.is_called(), scripts.refuses_call(403, "Forbidden")),
    "says_congestion": scripts.scenario(
        scripts.is_called(),
        scripts.refuses_call(503, "Service Unavailable", headers="Reason: Q.850;cause=34\n"),
    ),
    "busy": scripts.scenario(
        scripts.is_called(), scripts.refuses_call(486, "Busy Here", headers="Reason: Q.850;cause=17\n")
    ),
    "rings_late": scripts.scenario(
        scripts.is_called(),
        scripts.answers(100, "Trying"),
        scripts.pause(12.5),
        scripts.answers(180, "Ringing"),
        scripts.pause(0.5),
        scripts.takes_call(),
        scripts.is_hung_up(),
    ),
    "only_tries": scripts.scenario(
        scripts.is_called(), scripts.answers(100, "Trying"), scripts.is_cancelled()
    ),
    "silent": "",
}  # fmt: skip
ROUTES: Final[dict[str, tuple[str, ...]]] = {
    **{name: (name,) for name in CARRIERS},
    "both_fail": ("says_503", "silent"),
    "one_fails": ("says_503", "takes"),
}
ROUTE_NUMBERS: Final = {name: f"+442079460{index:02}" for index, name in enumerate(ROUTES)}
UNROUTED: Final = "+442079460990"


# RTP and RTCP in pairs, some calls at once; below what exchanges and their tests take.
SOUND_PORTS: Final = range(6400, 9400, 12)
_sound_ports: Final = itertools.cycle(random.sample(SOUND_PORTS, len(SOUND_PORTS)))


def sound_port() -> int:
    """Where a phone hears from: no other call of the same time, here or in another program's tests, sends there."""
    for port in itertools.islice(_sound_ports, len(SOUND_PORTS)):
        if not any(is_bound(port + more) for more in range(4)):
            return port
    raise OSError("no ports for sound are free")


class LineMade(msgspec.Struct, frozen=True):
    """A line to be, of which account, and what is set for it (settings_text.py)."""

    user: str
    account: str = "shop"
    settings: tuple[str, ...] = ()
    calls_max: int | None = None


class AccountMade(msgspec.Struct, frozen=True):
    name: str
    credit_micros: int = 1_000_000_000
    settings: tuple[str, ...] = ()
    is_suspended: bool = False
    calls_max: int = 0


class Desk(LocalExchange):
    """The running exchange and everybody around it."""

    def __init__(self, directory: Path, accounts: list[AccountMade], lines: list[LineMade]) -> None:
        self.accounts = accounts
        self.numbers = {line.user: f"+441632960{index:03}" for index, line in enumerate(lines)}
        self._lines = lines
        self._files = 0
        self.carrier_ports = {name: free_port() for name in CARRIERS}
        trunks = [
            f'[trunk.{name}]\naddresses = ["{HOST}:{port}"]\n'
            f"answer_timeout_s = {20 if name == 'rings_late' else 3}\nbreaker_failures = 100\n"
            for name, port in self.carrier_ports.items()
        ]
        trunks.append(
            f'[trunk.brings]\naddresses = ["{CALLING_CARRIERS}:5060"]\nsources = ["{CALLING_CARRIERS}"]\n'
        )
        routes = [f'"{number}" = {list(ROUTES[route])}' for route, number in ROUTE_NUMBERS.items()]
        conf = ConfFiles(
            tariff_name="retail",
            tariff_csv=TARIFF_CSV,
            main=MAIN,
            media='hold_music = "music.wav"\n',
            voicemail=VOICEMAIL,
            hosts=(HOST, "[::1]"),
            trunks="\n".join(trunks),
            routing="\n".join(["[emergency]", 'trunks = ["takes"]', "", "[routes]", *routes, ""]),
        )
        super().__init__(directory, conf)
        (self.conf / "music.wav").write_bytes(format_wav(sine(1500, 16_000, 1.0), 16_000))
        # What a SIPp says: ten seconds of G.711 A-law silence, which is sound to everybody who counts packets.
        (directory / "sound.alaw").write_bytes(b"\xd5" * 80_000)

    # Setting up

    def populate(self) -> None:
        asyncio.run(self._populate())
        deadline = time.monotonic() + LINES_KNOWN_TIMEOUT_S
        while self.status()["lines"] != len(self._lines):
            assert time.monotonic() < deadline, "the switch does not know the new lines"
            time.sleep(POLL_S)

    async def _populate(self) -> None:
        async with service.connect(self.dsn) as db:
            for account in self.accounts:
                await service.add_account(
                    db,
                    account.name,
                    kind=AccountKind.PREPAID,
                    vat=VatMode.INC_VAT,
                    tariff="retail",
                    opening_credit_micros=account.credit_micros,
                    calls_max=account.calls_max,
                )
                if account.settings:
                    await service.set_account(db, account.name, settings=account.settings)
                if account.is_suspended:
                    await service.suspend_account(db, account.name)
            rows = [
                f"{line.user},{line.account},{PASSWORD},{self.numbers[line.user]}" for line in self._lines
            ]
            await service.import_lines(
                db, "\n".join(["user,account,password,numbers", *rows, ""]), realm=REALM
            )
            for line in self._lines:
                if line.settings or line.calls_max is not None:
                    await service.set_line(db, line.user, settings=line.settings, calls_max=line.calls_max)

    def divert(
        self,
        user: str,
        *conditions: DivertCondition,
        to: str,
        kind: DivertKind = DivertKind.NUMBER,
        ring_s: int = 5,
    ) -> None:
        """Before the line is called."""

        async def change() -> None:
            async with service.connect(self.dsn) as db:
                await set_diverts(db, user, conditions, destinations=[Destination(kind, to)], ring_s=ring_s)

        asyncio.run(change())

    @property
    def dsn(self) -> str:
        return self.data.dsn_file.read_text(encoding="utf-8")

    # Carriers

    @contextlib.contextmanager
    def carriers(self) -> Iterator[None]:
        """Each hears its port until the end."""
        with contextlib.ExitStack() as running:
            for name, script in CARRIERS.items():
                if not script:
                    continue
                run = running.enter_context(
                    self._run(
                        name,
                        script,
                        port=self.carrier_ports[name],
                        words=("-m", CARRIER_CALLS_MAX, "-rtp_echo"),
                        seconds=900,
                    )
                )
                run.wait_until_bound()
            yield

    def behind(self, route: str) -> str:
        """A number that this route carries, as a caller dials it."""
        return "0" + ROUTE_NUMBERS[route].removeprefix("+44") + "5"

    # Phones

    def number(self, user: str) -> str:
        """As a caller dials it."""
        return "0" + self.numbers[user].removeprefix("+44")

    def uri(self, dialled: str) -> str:
        return f"sip:{dialled}@{self.address}"

    @contextlib.contextmanager
    def phone(self, user: str, *, is_registered: bool = True, **settings: Any) -> Iterator[Phone]:
        """A pjsua2 phone. `settings` are fields of PhoneSettings."""
        password = settings.pop("password", PASSWORD)
        log = str(self.directory / f"{user}-{time.monotonic_ns()}.log")
        phone = Phone.start(
            PhoneSettings(
                name=user,
                user=user,
                server=self.address,
                log=log,
                password=password,
                sound_port=sound_port(),
                **settings,
            )
        )
        try:
            if is_registered:
                phone.register()
            yield phone
        finally:
            phone.stop()

    def sipp(
        self,
        name: str,
        *steps: str,
        user: str = "alice",
        dialled: str = "",
        call_id: str = "",
        host: str = HOST,
        port: int = 0,
        calls: int = 1,
        at_once: int = 1,
        seconds: int = 150,
        echoes: bool = False,
    ) -> SippRun:
        """A SIPp that plays these steps; use it as a context manager. `call_id` with %u in it counts its calls."""
        words = ["-m", str(calls), "-l", str(at_once), "-r", "10", *(["-rtp_echo"] if echoes else [])]
        return self._run(
            name,
            scripts.scenario(*steps),
            user=user,
            dialled=dialled,
            call_id=call_id,
            host=host,
            port=port or free_port(),
            words=tuple(words),
            seconds=seconds,
        )

    @contextlib.contextmanager
    def sipp_phone(
        self, user: str, *steps: str, calls: int = 1, echoes: bool = True, host: str = HOST
    ) -> Iterator[SippRun]:
        """A registered SIPp phone that plays these steps when it is called."""
        port = free_port()
        with self.sipp(
            f"{user}-registers", scripts.registers(600), user=user, port=port, host=host
        ) as registering:
            registering.finish()
        with self.sipp(
            user, *steps, user=user, port=port, calls=calls, at_once=calls, echoes=echoes, host=host
        ) as run:
            run.wait_until_bound()
            yield run

    def _run(
        self,
        name: str,
        script: str,
        *,
        port: int,
        words: tuple[str, ...],
        seconds: int,
        user: str = "",
        dialled: str = "",
        call_id: str = "",
        host: str = HOST,
    ) -> SippRun:
        self._files += 1
        file = f"{name}-{self._files}-{port}"
        (self.directory / f"{file}.xml").write_text(script, encoding="utf-8")
        sipp = Sipp(
            xml=file,
            folder=self.directory,
            host=host,
            port=port,
            exchange_port=self.port,
            timeout_s=seconds,
            user=user or name,
            password=PASSWORD,
            call_id=call_id,
            # Other programs' calls may still send to the ports that SIPp takes by itself.
            words=("-mi", host, "-mp", str(sound_port()), "-max_invite_retrans", "12", *words),
            keys={"dialled": dialled},
        )
        return SippRun(sipp, self.directory)

    # Records

    def call_id(self, sip_call_id: str) -> str:
        """Our id of the call that its caller knows by this Call-ID, once its records are in the books."""
        deadline = time.monotonic() + RECORDS_TIMEOUT_S
        while True:
            rows = self.query("SELECT call_id FROM cdrs WHERE sip_call_id = %s AND leg = 0", sip_call_id)
            if rows:
                return str(rows[0]["call_id"])
            assert time.monotonic() < deadline, f"no record of {sip_call_id} after {RECORDS_TIMEOUT_S:g} s"
            time.sleep(POLL_S)

    def call_id_of_line(self, user: str) -> str:
        """Ours, of the last call that came to this line's phone."""
        rows = self.query(
            "SELECT call_id FROM cdrs WHERE line = %s AND leg > 0 ORDER BY setup_at DESC LIMIT 1", user
        )
        return str(rows[0]["call_id"])

    def call_ids(self) -> list[str]:
        """Ours, of every call on record, the earliest first."""
        rows = self.query("SELECT call_id FROM cdrs WHERE leg = 0 ORDER BY setup_at")
        return [str(row["call_id"]) for row in rows]

    def wait_for_figures(self) -> None:
        """Until the sound's figures and the traces of the last calls are kept: they follow the records."""
        time.sleep(FIGURES_S)

    def kill_switch(self) -> None:
        """kill -9, until the next one serves."""

        def is_back(killed: int) -> bool:
            try:
                return self.part_id("switch") != killed and self.status()["ready"] == "yes"
            except Exception:  # noqa: BLE001 - whatever an exchange without a switch answers
                return False

        kill_part(self, "switch", is_back)  # type: ignore[arg-type]
