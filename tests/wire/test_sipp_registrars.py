"""SIPp as a carrier's registrar, in other people's scenarios: one takes us, one refuses, one errs."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.exchange import ConfFiles, LocalExchange
from demo.free_ports import free_port
from sipp_scenarios.sipp import is_bound, sipp_program

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpora" / "sipp"
TIMEOUT_S = 30.0
POLL_S = 0.05
USERNAME = "offhook42"

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(sipp_program() is None, reason="sipp is not installed: apt-get install sip-tester"),
    pytest.mark.skipif(not CORPUS.exists(), reason=f"the shared corpora are not at {CORPUS}"),
]

CONF = ConfFiles(
    tariff_name="retail",
    tariff_csv="prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until\n"
    "+44,UK,0,0.012,60,6,2020-01-01,\n",
    routing='[emergency]\ntrunks = ["carrier"]\n[routes]\n"+44" = ["carrier"]\n',
)


class Exchange(LocalExchange):
    """One trunk, to be registered with whoever is at its port. Nobody is there yet, and so it is not asked for."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, CONF)
        self.registrar_port = free_port()
        self.write_trunks(register=False)

    def write_trunks(self, *, register: bool) -> None:
        (self.conf / "trunks.toml").write_text(
            f'[trunk.carrier]\naddresses = ["127.0.0.1:{self.registrar_port}"]\nusername = "{USERNAME}"\n'
            f"register = {'true' if register else 'false'}\n",
            encoding="utf-8",
        )
        secrets = self.conf / "trunk_secrets.toml"
        secrets.touch(mode=0o600)
        secrets.write_text('[trunk.carrier]\npassword = "battery-staple-9"\n', encoding="utf-8")

    def registration(self) -> dict[str, Any]:
        view: dict[str, Any] = self.status()["trunks"]["carrier"].get("registration", {})
        return view


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    made = Exchange(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def play(exchange: Exchange, scenario: str, expected: str, tmp_path: Path, *, ends: bool = True) -> str:
    """SIPp plays while the trunk registers, until it is in this state; the messages of both sides."""
    program = sipp_program()
    assert program is not None
    messages = tmp_path / "messages"
    with (tmp_path / "screen").open("wb") as screen:
        sipp = subprocess.Popen(
            [
                program, "-sf", str(CORPUS / scenario), "-i", "127.0.0.1", "-p", str(exchange.registrar_port),
                "-m", "1", "-nostdin", "-timeout", f"{TIMEOUT_S:g}s", "-timeout_error",
                "-trace_msg", "-message_file", str(messages),
            ],
            stdin=subprocess.DEVNULL, stdout=screen, stderr=subprocess.STDOUT, cwd=tmp_path,
        )  # fmt: skip
    try:
        wait_until(lambda: is_bound(exchange.registrar_port), "SIPp at its port")
        exchange.write_trunks(register=True)
        exchange.run("reload")
        wait_until(
            lambda: exchange.registration().get("state") == expected, f"{expected}: {exchange.registration()}"
        )
        if ends:
            assert sipp.wait(TIMEOUT_S) == 0, (tmp_path / "screen").read_text(errors="replace")[-2000:]
    finally:
        sipp.kill()
        sipp.wait()
    return messages.read_text(errors="replace")


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(POLL_S)


def test_a_registrar_that_challenges_once_and_takes_us(exchange: Exchange, tmp_path: Path) -> None:
    """fs-reg: 401 without qop, then 200 whose Contact is the registrar's own and whose Expires is 60."""
    messages = play(exchange, "freeswitch_mod_sofia/uas_register.xml", "registered", tmp_path)
    assert messages.count("REGISTER sip:127.0.0.1 SIP/2.0") == 2
    assert messages.count("Authorization: Digest") == 1
    view = exchange.registration()
    assert 59_000 <= view["expires_at_ms"] - view["since_at_ms"] <= 61_000


def test_a_registrar_that_refuses_is_left_alone(exchange: Exchange, tmp_path: Path) -> None:
    """fs-reg-403: 403 to the credentials. No second try follows, and the operator sees why."""
    messages = play(exchange, "freeswitch_mod_sofia/uas_register_403.xml", "refused", tmp_path)
    assert messages.count("REGISTER sip:127.0.0.1 SIP/2.0") == 2
    view = exchange.registration()
    assert view["last_error"] == "403 Forbidden"
    now_ms = time.time() * 1000
    assert view["next_try_at_ms"] - now_ms > 3_500_000


def test_a_challenge_without_a_nonce_is_not_answered(exchange: Exchange, tmp_path: Path) -> None:
    """p-uas-auth: `digest realm="test",stale=true` and no nonce (RFC 7616 3.3 wants one). An answer to that would be
    good for ever for whoever overhears it, so the trunk counts as refused."""
    messages = play(exchange, "pjproject_tests/scripts-sipp/uas-auth.xml", "refused", tmp_path, ends=False)
    assert messages.count("REGISTER sip:127.0.0.1 SIP/2.0") == 1
    assert "Authorization:" not in messages
    assert exchange.registration()["last_error"] == "401 Unauthorized"
