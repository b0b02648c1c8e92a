"""What a packet costs in the relay: CPU, loss and delay of G.711 calls, beside a bare forwarder and RTPProxy's engine.

    python -m bench.media        alone, without the other tables of `make bench` (QUICK=1: short)

All of them forward the same load (media_load.py) in turn, on a core of their own; the load has the other one. CPU time
is what the scheduler charged to all threads of the process (/proc/PID/task/*/schedstat).
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import msgspec

from bench.program import BenchError, Program
from media.relay.messages import (
    Aim,
    Ask,
    Attach,
    Bridge,
    Figures,
    Format,
    FromRelay,
    FromSwitch,
    Granted,
    Open,
    reader_of_relay,
)
from provisioning.message_frames import encode_frames

HOST = "127.0.0.1"
RELAY_PORTS = (20_000, 26_999)
BARE_FIRST_PORT = 27_000
LOAD_FIRST_PORT = 30_100
LOAD_SOCKETS = 16
PACKETS_PER_CALL_S = 100  # 20 ms a packet, both ways
WAIT_S = 30.0
CPU_BAR_US = 10.0
PRIORITY = -15  # nice(2); root's alone
RTPPROXY_PYTHON = Path("build/rtpproxy/venv/bin/python")
COMPILED_PYTHON = Path("build/fast/venv/bin/python")
PCMA = Format(8, "PCMA", 8000)

# [port of the load, port of the subject], a stream each; the two of a call are neighbours.
Streams = list[tuple[int, int]]


class MediaPlan(msgspec.Struct, frozen=True):
    calls: int
    seconds: float
    rounds: int


FULL_MEDIA = MediaPlan(calls=500, seconds=6.0, rounds=3)
QUICK_MEDIA = MediaPlan(calls=500, seconds=4.0, rounds=1)


class MediaFigures(msgspec.Struct, frozen=True):
    """One round of one subject."""

    subject: str
    calls: int
    sent: int
    received: int
    cpu_us_per_packet: float
    p50_ms: float
    p99_ms: float


class Subject:
    """Something that forwards, running, and told of all calls."""

    def __init__(self, name: str, program: Program, streams: Streams) -> None:
        self.name = name
        self.program = program
        self.streams = streams

    def cpu_us(self) -> float:
        tasks = Path(f"/proc/{self.program.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1000


class RelaySwitch:
    """As much of a switch as opens calls."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(WAIT_S)
        self._socket.connect(str(path))
        self._reader = reader_of_relay()
        self._heard: list[FromRelay] = []
        self._ports: list[int] = []
        self.say([Attach("bench")])

    def say(self, messages: Sequence[FromSwitch]) -> None:
        self._socket.sendall(encode_frames(messages))

    def port(self) -> int:
        while not self._ports:
            self._listen()
            self._ports = [port for one in self._heard if isinstance(one, Granted) for port in one.ports]
            self._heard.clear()
        return self._ports.pop(0)

    def settle(self, endpoint: int) -> None:
        """Everything that was said has been done."""
        self.say([Ask((endpoint,))])
        while not any(isinstance(one, Figures) for one in self._heard):
            self._listen()

    def _listen(self) -> None:
        data = self._socket.recv(1 << 20)
        if not data:
            raise BenchError("the relay has closed its link")
        self._heard += self._reader.feed(data)

    def close(self) -> None:
        self._socket.close()


def load_ports(calls: int) -> list[tuple[int, int]]:
    """Caller's and callee's port of each call; calls share them."""
    half = LOAD_SOCKETS // 2
    return [(LOAD_FIRST_PORT + call % half, LOAD_FIRST_PORT + half + call % half) for call in range(calls)]


@contextlib.contextmanager
def relay(directory: Path, plan: MediaPlan, *, python: str, name: str) -> Iterator[Subject]:
    path = directory / "relay.sock"
    command = [python, "-P", "-m", "media.relay", "--socket", str(path), "--listen", HOST]
    command += ["--ports", f"{RELAY_PORTS[0]}-{RELAY_PORTS[1]}"]
    with Program(name, command, log=directory / "relay.log") as program:
        program.wait_until(path.exists, timeout_s=WAIT_S, what="listening")
        switch = RelaySwitch(path)
        streams: Streams = []
        for call, peers in enumerate(load_ports(plan.calls)):
            a, b = 2 * call + 1, 2 * call + 2
            for endpoint, peer in ((a, peers[0]), (b, peers[1])):
                port = switch.port()
                aim = Aim(endpoint, 1, HOST, peer, peer, (HOST,), (PCMA,))
                switch.say([Open(endpoint, HOST, port, f"call {call}"), aim])
                streams.append((peer, port))
            switch.say([Bridge(a, b)])
        switch.settle(2 * plan.calls)
        yield Subject(name, program, streams)
        switch.close()


@contextlib.contextmanager
def bare_forwarder(directory: Path, plan: MediaPlan) -> Iterator[Subject]:
    log = directory / "bare.log"
    streams = [
        (peer, BARE_FIRST_PORT + index)
        for index, peer in enumerate(port for peers in load_ports(plan.calls) for port in peers)
    ]
    given = json.dumps([[port, HOST, peer] for peer, port in streams])
    command = [sys.executable, "-m", "bench.bare_forwarder"]
    with Program("bare forwarder", command, log=log, given=given) as program:
        program.wait_until(lambda: "ready" in log.read_text(), timeout_s=WAIT_S, what="ready")
        yield Subject("bare forwarder", program, streams)


@contextlib.contextmanager
def rtpproxy(directory: Path, plan: MediaPlan) -> Iterator[Subject]:
    log = directory / "rtpproxy.log"
    peers = load_ports(plan.calls)
    command = [str(RTPPROXY_PYTHON), "-m", "bench.rtpproxy_engine"]
    with Program("RTPProxy", command, log=log, given=json.dumps(peers)) as program:
        program.wait_until(lambda: _ports_line(log) != "", timeout_s=WAIT_S, what="ready")
        ports = json.loads(_ports_line(log))
        streams = [(peer, port) for pair, theirs in zip(peers, ports, strict=True)
                   for peer, port in zip(pair, theirs, strict=True)]  # fmt: skip
        yield Subject("RTPProxy (rtp.io)", program, streams)


def _ports_line(log: Path) -> str:
    return next((line for line in log.read_text(errors="replace").split("\n") if line.startswith("[[")), "")


def run_load(subject: Subject, plan: MediaPlan) -> MediaFigures:
    """One round: every stream sends for `seconds`."""
    cores = sorted(os.sched_getaffinity(0))
    for task in Path(f"/proc/{subject.program.pid}/task").iterdir():
        _settle(int(task.name), cores[0])
    given = json.dumps([[peer, HOST, port] for peer, port in subject.streams])
    command = [sys.executable, "-m", "bench.media_load", f"{plan.seconds}"]
    command += [str(plan.calls * PACKETS_PER_CALL_S)]
    _warm_up(subject)
    before = subject.cpu_us()
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=plan.seconds + WAIT_S,
        preexec_fn=lambda: _settle(0, cores[-1]),
    )
    used = subject.cpu_us() - before
    if done.returncode:
        raise BenchError(f"the media load failed: {done.stderr[-500:]}")
    found = json.loads(done.stdout)
    return MediaFigures(
        subject=subject.name,
        calls=plan.calls,
        sent=found["sent"],
        received=found["received"],
        cpu_us_per_packet=used / max(found["received"], 1),
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
    )


def _settle(task: int, core: int) -> None:
    """On a core of its own, before the other work of the machine where that is allowed."""
    os.sched_setaffinity(task, {core})
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, task, PRIORITY)


def _warm_up(subject: Subject) -> None:
    """Its start is no part of the figure."""
    last = -1.0
    while (now := subject.cpu_us()) - last > 1000:
        last = now
        time.sleep(0.1)


def measure_media(directory: Path, plan: MediaPlan) -> list[MediaFigures]:
    """Every subject in each round, in turn. Those that are not there are left out; `missing_media` says why."""
    figures = []
    for number in range(plan.rounds):
        place = directory / f"media{number}"
        place.mkdir()
        contexts = [
            relay(place, plan, python=sys.executable, name="relay"),
            bare_forwarder(place, plan),
        ]
        if COMPILED_PYTHON.exists():
            contexts.append(
                relay(place, plan, python=str(COMPILED_PYTHON.absolute()), name="relay, compiled")
            )
        if RTPPROXY_PYTHON.exists():
            contexts.append(rtpproxy(place, plan))
        for context in contexts:
            with context as subject:
                figures.append(run_load(subject, plan))
    return figures


def missing_media() -> list[str]:
    reasons = []
    if not RTPPROXY_PYTHON.exists():
        reasons.append("RTPProxy's engine was not measured: the wheel rtp.io could not be installed")
    return reasons


def media_rows(figures: Sequence[MediaFigures]) -> list[list[str]]:
    """Medians of the rounds, a row a subject."""
    rows = []
    for name in dict.fromkeys(one.subject for one in figures):
        runs = [one for one in figures if one.subject == name]
        lost = sum(one.sent - one.received for one in runs)
        rows.append(
            [
                name,
                str(runs[0].calls),
                str(sum(one.sent for one in runs)),
                str(lost),
                f"{median(one.cpu_us_per_packet for one in runs):.1f}",
                f"{median(one.p50_ms for one in runs):.2f}",
                f"{median(one.p99_ms for one in runs):.2f}",
            ]
        )
    return rows


MEDIA_HEADS = ["", "calls", "packets", "lost", "us a packet", "delay p50 ms", "p99 ms"]


def main() -> int:
    plan = QUICK_MEDIA if os.environ.get("QUICK", "0") not in ("", "0") else FULL_MEDIA
    with tempfile.TemporaryDirectory(prefix="offhook-media-") as name:
        rows = [MEDIA_HEADS, *media_rows(measure_media(Path(name), plan))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(MEDIA_HEADS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    print("\n".join(missing_media()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
