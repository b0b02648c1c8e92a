"""A carrier whose border is Kamailio: it challenges our INVITE and BYE (407), checks the answers, and proxies the call.

Kamailio is somebody else's digest server and somebody else's record-routing proxy; behind it SIPp takes the call. The
records and the money are judged as for every SIPp scenario.
"""

import contextlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from demo.free_ports import free_ports
from sipp_scenarios.exchange import HOST, descendants, kill_all, started_at
from sipp_scenarios.runner import TRUNK_USERNAME, Stage
from sipp_scenarios.scenarios import OUTSIDE, Leg, Scenario, scenario
from sipp_scenarios.sipp import is_bound, sipp_program

PROGRAM = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
CONFIGURATION = Path(__file__).with_name("kamailio_carrier.cfg")
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
POLL_S = 0.02

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(sipp_program() is None, reason="sipp is not installed: apt-get install sip-tester"),
    pytest.mark.skipif(PROGRAM is None, reason="kamailio is not installed: apt-get install kamailio"),
]

TALKS = [
    msgspec.structs.replace(scenario("to_trunk"), name=f"kamailio_{algorithm}")
    for algorithm in ("MD5", "SHA-256")
]
REFUSED = Scenario(
    name="kamailio_refuses_us",
    caller="caller_hears_failure",
    dials=OUTSIDE,
    legs=(
        Leg(outcome="failed", sip_status=500, cause=21, ended_by="callee", rate="+441632"),
        Leg(outcome="failed", sip_status=407, cause=21, ended_by="callee"),
    ),
)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    (answers_at,) = free_ports(1)
    with (
        tempfile.TemporaryDirectory(prefix="offhook-kamailio-") as directory,
        Stage(Path(directory), answers_at=answers_at).open([*TALKS, REFUSED]) as opened,
    ):
        yield opened


@contextmanager
def kamailio(stage: Stage, directory: Path, *, algorithm: str = "MD5", password: str = "") -> Iterator[Path]:
    """Kamailio on the carrier's port; what it logs."""
    text = CONFIGURATION.read_text(encoding="ascii")
    for name, value in {
        "LISTEN": f"{HOST}:{stage.carrier_port}",
        "ANSWERS_AT": f"{HOST}:{stage.answers_at}",
        "EXCHANGE_PORT": str(stage.sip_port),
        "ALGORITHM": algorithm,
        "USERNAME": TRUNK_USERNAME,
        "PASSWORD": password or stage.trunk_password,
    }.items():
        text = text.replace(f"@{name}@", value)
    configuration, log = directory / "kamailio.cfg", directory / "kamailio.log"
    configuration.write_text(text, encoding="ascii")
    assert PROGRAM is not None
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PROGRAM, "-f", configuration, "-DD", "-E", "-m", "32", "-Y", directory, "-w", directory],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not is_bound(stage.carrier_port):
            assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")
            assert time.monotonic() < deadline, "Kamailio did not start"
            time.sleep(POLL_S)
        yield log
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """It ends its workers and itself; those that it leaves behind are ended by their own pids."""
    workers = [(pid, started_at(pid)) for pid in descendants(process.pid)]
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT_S)
    process.kill()
    process.wait()
    kill_all([pid for pid, started in workers if started and started_at(pid) == started])


def words(log: Path) -> list[str]:
    """What it decided, in order: "challenged INVITE", "accepted BYE" ..."""
    return re.findall(r"\b(?:challenged|accepted) \w+", log.read_text(encoding="utf-8", errors="replace"))


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_kamailio_takes_our_credentials_for_the_invite_and_for_the_bye(
    stage: Stage, tmp_path: Path, algorithm: str
) -> None:
    with kamailio(stage, tmp_path, algorithm=algorithm) as log:
        stage.run(next(talk for talk in TALKS if talk.name.endswith(algorithm)))
        assert words(log) == ["challenged INVITE", "accepted INVITE", "challenged BYE", "accepted BYE"]
        answers = [line for line in log.read_text(encoding="utf-8").splitlines() if "accepted" in line]
    assert len(answers) == 2
    for answer in answers:
        assert re.search(rf"\balgorithm={algorithm}\b", answer)
        assert re.search(r"\bqop=auth, nc=00000001\b", answer)


def test_a_password_that_kamailio_does_not_know_is_tried_once_and_the_call_fails(
    stage: Stage, tmp_path: Path
) -> None:
    with kamailio(stage, tmp_path, password="another") as log:
        stage.run(REFUSED)
        assert words(log) == ["challenged INVITE", "challenged INVITE"]
