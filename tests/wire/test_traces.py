"""`offhook up`, SIPp as phones and carriers, and tshark on the wire: what a trace says is what tshark has seen.

The trace of a call that failed is read from DATA/traces, that of a good one from the switch's memory.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest

from care.gathering import HouseTraces
from sipp_scenarios.exchange import descendants, module_of
from sipp_scenarios.runner import Stage
from sipp_scenarios.scenarios import SCENARIOS, Scenario
from sipp_scenarios.sipp import sipp_program
from traces.call_trace import CallTrace
from traces.redaction import redacted
from traces.store import TraceStore

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(sipp_program() is None, reason="sipp is not installed: apt-get install sip-tester"),
    pytest.mark.skipif(
        shutil.which("tshark") is None, reason="tshark is not installed: apt-get install tshark"
    ),
]

WAIT_S = 90.0
PLAYED = ("answered", "busy", "no_credit", "to_trunk_by_password", "cancelled")
ON_DISK = {"no_credit": "failed"}
CALL_ID = re.compile(rb"\r\nCall-ID: ([^\r\n]+)\r\n", re.IGNORECASE)


class Seen(msgspec.Struct, frozen=True):
    """A datagram as tshark saw it."""

    is_sent: bool  # by the exchange
    data: bytes


class Capture:
    """tshark on the loopback interface, from when it listens until `read`."""

    def __init__(self, port: int, file: Path) -> None:
        self._port, self._file = port, file
        self._process = subprocess.Popen(
            ["tshark", "-i", "lo", "-f", f"udp port {port}", "-w", str(file), "-q"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: file.exists() and file.stat().st_size > 0, "tshark to listen")

    def read(self) -> list[Seen]:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(WAIT_S)
        fields = ["-T", "fields", "-e", "udp.srcport", "-e", "udp.payload"]
        text = subprocess.run(
            ["tshark", "-r", str(self._file), *fields], capture_output=True, check=True, text=True
        ).stdout
        found = []
        for line in text.splitlines():
            source, _, payload = line.partition("\t")
            found.append(Seen(int(source) == self._port, bytes.fromhex(payload.replace(":", ""))))
        return found

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def until(condition: object, what: str) -> None:
    assert callable(condition)
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.05)


class Played:
    """Scenarios that have been played, and what everybody saw of them."""

    def __init__(self, stage: Stage, seen: list[Seen], calls: dict[str, str]) -> None:
        self.stage = stage
        self.seen = seen
        self.calls = calls  # scenario -> call id
        self.folder = stage.exchange.data / "traces"

    def legs(self, call_id: str) -> dict[str, int]:
        """The SIP Call-ID of each leg, from the records."""
        with psycopg.connect(self.stage.exchange.dsn) as db:
            rows = db.execute("SELECT sip_call_id, leg FROM cdrs WHERE call_id = %s", (call_id,)).fetchall()
        return {str(sip_call_id): int(leg) for sip_call_id, leg in rows}

    def trace(self, call_id: str) -> tuple[CallTrace | None, str]:
        source = HouseTraces(self.folder, self.stage.exchange.data / "control.sock")
        return asyncio.run(source.find(call_id))


def _scenario(name: str) -> Scenario:
    return next(scenario for scenario in SCENARIOS if scenario.name == name)


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    scenarios = [_scenario(name) for name in PLAYED]
    with tempfile.TemporaryDirectory(prefix="offhook-traces-") as directory:
        stage = Stage(Path(directory))
        with (stage.exchange.conf_dir / "offhook.toml").open("a") as conf:
            conf.write("\n[trace]\nshort_call_s = 1\n")
        with stage.open(scenarios):
            capture = Capture(stage.sip_port, Path(directory) / "seen.pcapng")
            try:
                calls: dict[str, str] = {}
                for scenario in scenarios:
                    stage.run(scenario)
                    with psycopg.connect(stage.exchange.dsn) as db:
                        ((call_id,),) = db.execute(
                            "SELECT call_id FROM cdrs WHERE leg = 0 AND call_id <> ALL(%s)",
                            (list(calls.values()),),
                        ).fetchall()
                    calls[scenario.name] = call_id
                # Judged when the last message of each is some seconds old.
                until(lambda: stage.exchange.ask("trace_status")["calls"] == 0, "calls to be judged")
                until(lambda: stage.exchange.ask("trace_status")["waiting"] == 0, "traces to be stored")
                seen = capture.read()
            finally:
                capture.kill()
            yield Played(stage, seen, calls)


@pytest.mark.parametrize("name", PLAYED)
def test_a_trace_is_what_was_on_the_wire(played: Played, name: str) -> None:
    call_id = played.calls[name]
    kept, problem = played.trace(call_id)
    assert kept is not None, problem
    assert not kept.dropped
    legs = played.legs(call_id)
    expected = [
        (seen.is_sent, legs[found[1].decode()], redacted(seen.data))
        for seen in played.seen
        if (found := CALL_ID.search(seen.data)) is not None and found[1].decode() in legs
    ]
    assert len(expected) >= 5
    noted = [(each.is_sent, each.leg, each.data) for each in kept.messages]
    assert sorted(noted) == sorted(expected)
    for leg in set(legs.values()):
        for is_sent in (True, False):  # in the order of the wire, where there is one
            way = [each for each in noted if each[:2] == (is_sent, leg)]
            assert way == [each for each in expected if each[:2] == (is_sent, leg)]


def test_what_failed_is_on_the_disk_and_what_went_well_in_memory_only(played: Played) -> None:
    store = TraceStore(played.folder)
    kept = {name: store.find(call_id).trace for name, call_id in played.calls.items()}
    assert {name: trace.why for name, trace in kept.items() if trace is not None} == ON_DISK


def test_no_answer_to_a_challenge_is_in_any_trace(played: Played) -> None:
    password_answers = re.compile(rb'response="?([0-9a-f]{32,})')
    answers = {match[1] for seen in played.seen for match in password_answers.finditer(seen.data)}
    assert len(answers) >= 2
    for call_id in played.calls.values():
        kept, _ = played.trace(call_id)
        assert kept is not None
        octets = b"".join(message.data for message in kept.messages)
        assert not any(answer in octets for answer in answers)
    for file in played.folder.iterdir():
        assert not any(answer in file.read_bytes() for answer in answers)


def test_a_wish_puts_a_good_call_on_the_disk_also_over_the_death_of_who_stores_it(played: Played) -> None:
    exchange = played.stage.exchange
    (pid,) = (pid for pid in descendants(exchange.pid) if module_of(pid) == "traces")
    os.kill(pid, signal.SIGKILL)
    call_id = played.calls["busy"]
    done = exchange.run("call", "keep", call_id, "--data", str(exchange.data))
    assert done.returncode == 0, done.stderr
    store = TraceStore(played.folder)
    until(lambda: store.find(call_id).trace is not None, "the trace to be stored")
    kept = store.find(call_id).trace
    assert kept is not None
    assert kept.why == "asked"
    assert exchange.run("call", "keep", "nobody", "--data", str(exchange.data)).returncode == 1


def test_the_operator_sees_how_it_stands(played: Played) -> None:
    exchange = played.stage.exchange
    status = exchange.try_status()["traces"]
    assert status["octets"] > 0
    assert status["kept"]["failed"] >= 1
    assert exchange.metric("offhook_trace_stored_total") >= 1
    assert exchange.metric("offhook_trace_messages_total") >= 50
    assert exchange.metric("offhook_trace_lost_total") == 0
