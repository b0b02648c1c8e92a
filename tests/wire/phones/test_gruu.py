"""GRUU (RFC 5627) with linphone, which asks for one and from then on calls itself by it."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.phone import Phone
from demo.phone_messages import CallState
from tests.wire.phones.calling import received
from tests.wire.phones.town import PASSWORD, POLL_S, Town

pytestmark = pytest.mark.skipif(
    shutil.which("linphonec") is None, reason="linphonec is not installed (Debian package linphone-cli)"
)

Registered = Callable[..., Phone]

WAIT_S = 10.0
# Any port; no sound card, no video, no addresses of the outside world.
SETTINGS = """\
[sip]
sip_port=-1
sip_tcp_port=-1
sip_tls_port=-1
use_ipv6=0
[sound]
playback_dev_id=
capture_dev_id=
[net]
nat_policy_ref=
"""


class Linphone:
    """linphonec, told what to do on stdin; what it says on the wire stands in its log."""

    def __init__(self, directory: Path) -> None:
        (directory / ".local/share/linphone").mkdir(parents=True)
        (directory / "linphonerc").write_text(SETTINGS)
        self._log = directory / "linphone.log"
        self._output = (directory / "output").open("w")
        self._process = subprocess.Popen(
            ["linphonec", "-a", "-c", "linphonerc", "-d", "6", "-l", str(self._log)],
            cwd=directory,
            env={**os.environ, "HOME": str(directory)},
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def wait_for(self, pattern: str) -> "re.Match[str]":
        """The last place in its log that matches."""
        deadline = time.monotonic() + WAIT_S
        while True:
            text = self._log.read_text(errors="replace") if self._log.exists() else ""
            found = list(re.finditer(pattern, text))
            if found:
                return found[-1]
            assert time.monotonic() < deadline, f"linphone: no {pattern} within {WAIT_S:g} s"
            time.sleep(POLL_S)

    def stop(self) -> None:
        self.tell("quit")
        try:
            self._process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._output.close()


@pytest.fixture
def carol(town: Town, tmp_path: Path) -> Iterator[Linphone]:
    phone = Linphone(tmp_path)
    host = town.address.partition(":")[0]
    phone.tell(f"register sip:carol@{host} <sip:{town.address};transport=tcp> {PASSWORD}")
    town.wait_until("registration of linphone", lambda: bool(town.registrations("carol")))
    yield phone
    phone.stop()


def test_linphone_is_given_gruus_and_is_reached_by_both(
    town: Town, registered: Registered, carol: Linphone
) -> None:
    alice = registered("alice")
    found = carol.wait_for(r'pub-gruu="sip:([^"]*)";temp-gruu="sip:([^"]*)"')
    for gruu in found.groups():
        user, _, params = gruu.partition(";")
        call = alice.dial(f"<sip:{user.partition('@')[0]}@{town.address};{params}>")
        call.wait_for(CallState.CONFIRMED)
        call.hang_up()
        call.wait_ended()
        town.check_calls_over()


def test_its_calls_are_ended_from_here_though_it_calls_itself_by_its_gruu(
    town: Town, registered: Registered, carol: Linphone
) -> None:
    alice = registered("alice")
    carol.wait_for("pub-gruu=")
    mark = alice.mark()
    carol.tell(f"call sip:alice@{town.address}")
    theirs = alice.expect_call(after=mark)
    theirs.answer()
    theirs.wait_for(CallState.CONFIRMED)
    assert re.search(
        r"(?m)^Contact: <sip:carol@[^>]*;gr=urn:uuid:",
        carol.wait_for(r"INVITE sip:alice[\s\S]*?\n\n").group(),
    )
    assert received(alice, "INVITE")
    theirs.hang_up()
    theirs.wait_ended()
    carol.wait_for(r"BYE sip:carol@[^ ]*;gr=urn:uuid:\S+ SIP/2.0")
    town.check_calls_over()
