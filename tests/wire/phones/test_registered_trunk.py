"""A carrier that knows us by registration, played by Kamailio: calls in and out, renewal, the end; a wrong password."""

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.free_ports import free_port
from demo.phone import Phone
from demo.phone_messages import CallState
from sipp_scenarios.exchange import descendants, kill_all, started_at
from sipp_scenarios.sipp import is_bound
from tests.wire.phones.calling import connect, hang_up, received
from tests.wire.phones.records import records_of
from tests.wire.phones.town import POLL_S, Town

PROGRAM = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
CONFIGURATION = Path(__file__).parents[1] / "kamailio_registrar.cfg"
LONDON = "02079460123"
USERNAME, PASSWORD = "offhook42", "battery-staple-9"
TIMEOUT_S = 30.0
TRUNKS = f"""
[trunk.carrier_a]
addresses = ["127.0.0.1:{{a}}"]
username = "{USERNAME}"
register = true
register_domain = "carrier.example"
register_expires_s = 60
needs_registration = true

[trunk.carrier_b]
addresses = ["127.0.0.1:{{b}}"]
"""

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="kamailio is not installed: apt-get install kamailio")


class RegisteredTown(Town):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.answers_at = free_port()
        ports = self.carrier_ports
        trunks = TRUNKS.format(a=ports["carrier_a"], b=ports["carrier_b"])
        (self.conf / "trunks.toml").write_text(trunks, encoding="utf-8")
        self.set_password(PASSWORD)

    def set_password(self, password: str) -> None:
        secrets = self.conf / "trunk_secrets.toml"
        secrets.touch(mode=0o600)
        secrets.write_text(f'[trunk.carrier_a]\npassword = "{password}"\n', encoding="utf-8")

    def registration(self) -> dict[str, Any]:
        view: dict[str, Any] = self.status()["trunks"]["carrier_a"]["registration"]
        return view

    def wait_for_state(self, state: str) -> None:
        wait_until(
            lambda: self.registration()["state"] == state, lambda: f"{state}; it is {self.registration()}"
        )


def wait_until(is_so: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, f"not {what()}"
        time.sleep(POLL_S)


class Kamailio:
    """On the carrier's port, while the block lasts."""

    def __init__(self, town: RegisteredTown, directory: Path, *, password: str = PASSWORD) -> None:
        self.log = directory / f"kamailio-{time.monotonic_ns()}.log"
        self._port = town.carrier_ports["carrier_a"]
        text = CONFIGURATION.read_text(encoding="ascii")
        for name, value in {
            "LISTEN": f"127.0.0.1:{self._port}",
            "ANSWERS_AT": f"127.0.0.1:{town.answers_at}",
            "EXCHANGE_PORT": str(town.port),
            "USERNAME": USERNAME,
            "PASSWORD": password,
            "EXPIRES": "12",
        }.items():
            text = text.replace(f"@{name}@", value)
        configuration = self.log.with_suffix(".cfg")
        configuration.write_text(text, encoding="ascii")
        assert PROGRAM is not None
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [PROGRAM, "-f", configuration, "-DD", "-E", "-m", "32", "-Y", directory, "-w", directory],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def __enter__(self) -> "Kamailio":
        wait_until(lambda: is_bound(self._port), lambda: f"started: {self.log.read_text(errors='replace')}")
        return self

    def __exit__(self, *_: object) -> None:
        # Its end is no test's subject, and when it is busy a lock may hold it for a minute.
        workers = [(pid, started_at(pid)) for pid in descendants(self._process.pid)]
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()
        kill_all([pid for pid, started in workers if started and started_at(pid) == started])
        wait_until(lambda: not is_bound(self._port), lambda: "ended")

    def words(self) -> list[str]:
        pattern = r"\b(?:challenged|accepted|relayed|routed by|called|found nobody).*"
        return re.findall(pattern, self.log.read_text(encoding="utf-8", errors="replace"))


@pytest.fixture
def town(tmp_path: Path) -> Iterator[RegisteredTown]:
    """Registered with nobody yet: no carrier is there."""
    made = RegisteredTown(tmp_path)
    try:
        made.start()
        made.populate()
        yield made
    finally:
        made.stop()


def test_a_carrier_by_registration_from_its_first_day_to_its_last(
    town: RegisteredTown, tmp_path: Path, started: list[Phone]
) -> None:
    started += [alice := Phone.start(town.settings("alice")), other := town.start_carrier("carrier_b")]
    started.append(subscriber := Phone.start(town.settings("subscriber", password="", port=town.answers_at)))
    alice.register()
    call, theirs = connect(town, alice, LONDON, other)
    hang_up(call, theirs)
    reason = records_of(town, call.sip_call_id, legs=2)[1].leg_reason
    assert reason == "trunk carrier_b: carrier_a is not registered"

    with Kamailio(town, tmp_path) as kamailio:
        town.wait_for_state("registered")  # a repeat of the first REGISTER finds it
        assert kamailio.words()[:2] == ["challenged REGISTER", "accepted REGISTER 60"]
        view = town.registration()
        assert view["registrar"] == f"udp:127.0.0.1:{town.carrier_ports['carrier_a']}"
        assert view["service_route"] == [f"<sip:127.0.0.1:{town.carrier_ports['carrier_a']};lr;orig>"]
        assert 0 < view["expires_at_ms"] - view["since_at_ms"] <= 12_500
        shown = town.run("status")
        assert re.search(
            r"trunks carrier a registration state +registered", shown.replace("carrier_a", "carrier a")
        )

        # out, by the Service-Route; the ACK and the BYE through the Record-Route
        call, theirs = connect(town, alice, LONDON, subscriber)
        hang_up(call, theirs)
        words = kamailio.words()
        assert f"routed by <sip:127.0.0.1:{town.carrier_ports['carrier_a']};lr;orig>" in words
        assert words[-2:] == ["relayed ACK", "relayed BYE"]
        assert records_of(town, call.sip_call_id, legs=2)[1].trunk == "carrier_a"

        # in, to the Contact that we registered, for the number in To
        mark = alice.mark()
        call = subscriber.dial(f"sip:+441632960001@127.0.0.1:{town.carrier_ports['carrier_a']}")
        theirs = alice.expect_call(after=mark)
        theirs.answer()
        call.wait_for(CallState.CONFIRMED)
        hang_up(theirs, call)
        assert _row_of_call_in(town) == {"trunk": "carrier_a", "ddi": "+441632960001"}
        [called] = [word for word in kamailio.words() if word.startswith("called ")]
        assert re.fullmatch(r"called [0-9a-f]{16,}", called)

        # renewed, twice at least, long before the 12 s are up
        wait_until(lambda: kamailio.words().count("accepted REGISTER 60") >= 3, lambda: "renewed")
        assert town.registration()["state"] == "registered"
        town.stop()
        wait_until(lambda: kamailio.words()[-1] == "accepted REGISTER 0", lambda: f"away: {kamailio.words()}")
        assert received(subscriber, "BYE")


def test_a_password_that_the_carrier_does_not_know_is_tried_once(
    town: RegisteredTown, tmp_path: Path
) -> None:
    with Kamailio(town, tmp_path, password="another") as kamailio:
        town.wait_for_state("refused")
        assert town.registration()["last_error"].startswith("401")
        words = kamailio.words()
        assert words == ["challenged REGISTER", "challenged REGISTER"]
    with Kamailio(town, tmp_path, password="right now") as kamailio:
        town.set_password("right now")
        town.run("reload")
        town.wait_for_state("registered")
        assert kamailio.words() == ["challenged REGISTER", "accepted REGISTER 60"]


def _row_of_call_in(town: RegisteredTown) -> dict[str, Any]:
    """The caller's record of the one call that came in."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        rows = town.query("SELECT trunk, ddi FROM cdrs WHERE leg = 0 AND trunk <> ''")
        if rows:
            return rows[0]
        assert time.monotonic() < deadline, "no record of the call"
        time.sleep(POLL_S)
