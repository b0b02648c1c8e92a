"""An exchange with subscribers and two carriers for the phone tests; and what each test must leave: nothing.

Numbers are Ofcom's for drama. The carriers are softphones of ours on known ports of the loopback address.
"""

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from demo.exchange import HOST, ConfFiles, ExchangeError, LocalExchange
from demo.free_ports import free_port
from demo.phone import Phone
from demo.phone_messages import PhoneSettings
from media.wav import format_wav
from offhook.control_client import ask
from offhook.exit_codes import CommandError
from tests.media.spectrum import sine

PASSWORD = "correct-horse-7"
OPENING_CREDIT = "100.00"
MICROS_PER_MINUTE = {"landline": 120_000, "mobile": 600_000}

# A landline costs 12p a minute by the second after a 1p fee; a mobile 60p, first 6 s and then every 3 s.
TARIFF_CSV = """\
prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until
+442079460,UK landline,0.01,0.12,1,1,2020-01-01,
+447700900,UK mobile,0,0.60,6,3,2020-01-01,
"""
MAIN = """
[registrar]
ping_interval_s = 5

[calls]
no_answer_timeout_s = 5
reaction_timeout_s = 2
session_expires_s = 90
"""
# Refusals by their code at once; in words they take half a minute (test_diverts.py has those).
SILENT_REFUSALS = "announcements_max = 0\n"
TRUNKS = """
[trunk.carrier_a]
addresses = ["127.0.0.1:{a}"]
number_format = "e164"
inbound_number_format = "e164"
answer_timeout_s = 2

[trunk.carrier_b]
addresses = ["127.0.0.1:{b}"]
number_format = "e164_plus"
identity = "rpid"
"""
ROUTING = """
[emergency]
trunks = ["carrier_a"]

[routes]
"+4420" = ["carrier_a", "carrier_b"]
"+447700" = ["carrier_b"]
"""
LINES = {
    "alice": "+441632960001",
    "bob": "+441632960002",
    "carol": "+441632960003",
    "dave": "+441632960004",
    "both": "+441632960005",
    "sha": "+441632960006",
}
# What is heard on hold, so that phones can tell it from all else.
MUSIC_HZ = 1500
MUSIC_RATE = 16_000
DIGEST = {"both": "both", "sha": "sha256"}

CALLS_END_TIMEOUT_S = 5.0
CHANGE_TIMEOUT_S = 5.0
SETTLING_S = 0.5
# Timers H, J and L keep an ended transaction for 64*T1 = 32 s, so that a late repeat finds it.
TRANSACTIONS_END_TIMEOUT_S = 40.0
RECORDS_TIMEOUT_S = 10.0
POLL_S = 0.03
RESTART_TIMEOUT_S = 15.0


class Resources(msgspec.Struct, frozen=True):
    """How many files and sockets each process holds."""

    switch: dict[str, int]
    edge: dict[str, int]


class Town(LocalExchange):
    """The running exchange, its subscribers, and where its carriers are."""

    def __init__(
        self,
        directory: Path,
        *,
        listen: str = "",
        main: str = "",
        voicemail: str = SILENT_REFUSALS,
        hosts: tuple[str, ...] = (HOST,),
    ) -> None:
        """`listen` and `voicemail` are more keys of these sections, `main` more sections of offhook.toml."""
        self.carrier_ports = {"carrier_a": free_port(), "carrier_b": free_port()}
        conf = ConfFiles(
            tariff_name="retail",
            tariff_csv=TARIFF_CSV,
            main=MAIN + main,
            listen=listen,
            media='hold_music = "music.wav"\n',
            voicemail=voicemail,
            hosts=hosts,
            trunks=TRUNKS.format(a=self.carrier_ports["carrier_a"], b=self.carrier_ports["carrier_b"]),
            routing=ROUTING,
        )
        super().__init__(directory, conf)
        music = format_wav(sine(MUSIC_HZ, MUSIC_RATE, 1.0), MUSIC_RATE)
        (self.conf / "music.wav").write_bytes(music)  # the relay's
        (self.conf / "music").mkdir()
        (self.conf / "music" / "hold.wav").write_bytes(music)  # the media server's

    def populate(self) -> None:
        """One rich account with all lines."""
        self.run("account", "add", "shop", "--prepaid", "--credit", OPENING_CREDIT)
        rows = [
            f"{user},shop,{PASSWORD},{number},{DIGEST.get(user, 'md5')}" for user, number in LINES.items()
        ]
        file = self.directory / "lines.csv"
        file.write_text("\n".join(["user,account,password,numbers,digest", *rows]) + "\n", encoding="utf-8")
        self.run("line", "import", str(file))
        self._wait_until_known(lines=len(LINES))

    def add_subscriber(self, user: str, *, account: str, credit: str) -> None:
        """One more line on an account of its own."""
        self.run("account", "add", account, "--prepaid", "--credit", credit)
        known = self.status()["lines"]
        self.run("line", "add", user, "--account", account, "--password-stdin", stdin=PASSWORD)
        self._wait_until_known(lines=known + 1)

    def uri(self, dialled: str) -> str:
        return f"sip:{dialled}@{self.address}"

    def settings(
        self,
        user: str,
        *,
        name: str = "",
        password: str = PASSWORD,
        **others: Any,
    ) -> PhoneSettings:
        """`others` are fields of PhoneSettings."""
        name = name or user
        return PhoneSettings(
            name=name,
            user=user,
            server=self.address,
            log=str(self.directory / f"{name}-{time.monotonic_ns()}.log"),
            password=password,
            **others,
        )

    def start_carrier(self, name: str) -> Phone:
        return Phone.start(self.settings(name, password="", port=self.carrier_ports[name]))

    def balance(self, account: str) -> int:
        """The sum of the account's ledger, micros."""
        rows = self.query(
            "SELECT sum(amount_micros) AS total FROM ledger JOIN accounts ON accounts.id = account_id WHERE name = %s",
            account,
        )
        return int(rows[0]["total"])

    def wait_for_status(self, timeout_s: float, **expected: int) -> None:
        """Until these counts of `offhook status` are as expected."""
        deadline = time.monotonic() + timeout_s
        while True:
            status = self.status()
            found = {name: status[name] for name in expected}
            if found == expected:
                return
            assert time.monotonic() < deadline, f"after {timeout_s:g} s {found}, expected {expected}"
            time.sleep(POLL_S)

    def wait_until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Until something outside is so that a status does not count."""
        deadline = time.monotonic() + CHANGE_TIMEOUT_S
        while not is_so():
            assert time.monotonic() < deadline, f"no {what} after {CHANGE_TIMEOUT_S:g} s"
            time.sleep(POLL_S)

    def check_calls_over(self) -> None:
        """No call and no money held; no bug on the way."""
        self.wait_for_status(CALLS_END_TIMEOUT_S, live_calls=0, reservations=0)
        assert self.status()["bugs"] == 0, "the exchange counted a bug of its own: see its log"

    def check_nothing_left(self, before: Resources) -> None:
        """Everything is back where it started."""
        self.wait_for_status(
            TRANSACTIONS_END_TIMEOUT_S, live_calls=0, reservations=0, registrations=0, transactions=0
        )
        deadline = time.monotonic() + CALLS_END_TIMEOUT_S
        while (left := self.resources()) != before:  # this question's own connection lives a moment longer
            assert time.monotonic() < deadline, f"{left} is left, {before} was there before"
            time.sleep(POLL_S)

    def settled_resources(self) -> Resources:
        """Once two looks agree: questions asked before have closed their connections by then."""
        earlier = self.resources()
        while True:
            time.sleep(SETTLING_S)
            now = self.resources()
            if now == earlier:
                return now
            earlier = now

    def resources(self) -> Resources:
        return Resources(
            switch=_open_files(self.part_id("switch")), edge=_open_files(self.part_id("switch.edge"))
        )

    def registrations(self, user: str) -> list[dict[str, Any]]:
        """What `offhook registrations --json` prints for a line, without starting a command for it."""
        rows: list[dict[str, Any]] = ask(self.data, "registrations", user=user)
        return rows

    def subscriptions(self, user: str) -> list[dict[str, Any]]:
        """What `offhook subscriptions --json` prints for a line."""
        rows: list[dict[str, Any]] = ask(self.data, "subscriptions", user=user)
        return rows

    def live_calls(self) -> list[dict[str, Any]]:
        """What `offhook calls --json` prints."""
        rows: list[dict[str, Any]] = ask(self.data, "calls")
        return rows

    def is_serving_without(self, killed: int) -> bool:
        """Whether a switch serves that is not the killed one."""
        try:
            return self.part_id("switch") != killed and self.status()["ready"] == "yes"
        except (CommandError, ExchangeError):
            return False

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """The switch neither reads nor sends; what phones send meanwhile waits in its sockets."""
        switch = self.part_id("switch")
        os.kill(switch, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(switch, signal.SIGCONT)

    def _wait_until_known(self, *, lines: int) -> None:
        """The switch follows the books within a second."""
        self.wait_for_status(CALLS_END_TIMEOUT_S, lines=lines)


@contextlib.contextmanager
def town_of_its_own(directory: Path) -> Iterator[Town]:
    """Not the others' exchange: this one suffers."""
    town = Town(directory)
    try:
        town.start()
        town.populate()
        yield town
    finally:
        town.stop()


def kill_part(town: Town, part: str, is_back: Callable[[int], bool]) -> None:
    """kill -9, and wait for the next one to serve; `is_back` is told who was killed."""
    killed = town.part_id(part)
    os.kill(killed, signal.SIGKILL)
    deadline = time.monotonic() + RESTART_TIMEOUT_S
    while not is_back(killed):
        assert time.monotonic() < deadline, f"the {part} did not come back"
        time.sleep(POLL_S)


def _open_files(process_id: int) -> dict[str, int]:
    """By kind: `socket`, `anon_inode`, or the file's path."""
    kinds: Counter[str] = Counter()
    for link in Path(f"/proc/{process_id}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            kinds[str(link.readlink()).partition(":")[0]] += 1
    return dict(kinds)
