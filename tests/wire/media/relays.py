"""The relay as a process for tests, the switch's end of its socket, and peers on addresses of 127.0.0.0/8 and ::1."""

import contextlib
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from media.relay.messages import (
    Aim,
    Ask,
    Attach,
    Bridge,
    Close,
    Figures,
    Format,
    FromRelay,
    FromSwitch,
    Granted,
    Hello,
    Latched,
    Open,
    RelayCounts,
    reader_of_relay,
)
from media.rtp import RtpPacket, format_packet, parse_packet
from provisioning.message_frames import encode_frames
from provisioning.socket_path import short_socket_path

WAIT_S = 10.0
HOST = "127.0.0.1"
PCMA = Format(8, "PCMA", 8000)
EVENT = Format(101, "telephone-event", 8000)
M = TypeVar("M", bound=FromRelay)


def until(condition: Callable[[], object], what: str = "") -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what or condition}"
        time.sleep(0.002)


class RelayProcess:
    """`python -m media.relay` with a range of ports of its own."""

    def __init__(self, directory: Path, *, listen: tuple[str, ...] = (HOST,), pairs: int = 300) -> None:
        self.socket = directory / "relay.sock"
        self.listen = listen
        # Below the ports of exchanges that other tests have running.
        first = random.randrange(10_000, 20_000 - 2 * pairs, 2)
        self.first, self.last = first, first + 2 * pairs - 1
        self.log = directory / "relay.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "media.relay", "--socket", str(self.socket),
                    "--listen", *self.listen, "--ports", f"{self.first}-{self.last}",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def kill(self) -> int:
        return self.stop(signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(WAIT_S)


class Switch:
    """The switch's end: says what it is told to say, keeps what it hears."""

    def __init__(self, relay: RelayProcess, *, epoch: str = "e1", first_number: int = 1) -> None:
        self.epoch = epoch
        self.heard: list[FromRelay] = []
        self._reader = reader_of_relay()
        self._last_number = first_number - 1
        deadline = time.monotonic() + WAIT_S
        while True:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                with short_socket_path(relay.socket) as short:
                    self._socket.connect(short)
                break
            except OSError:
                self._socket.close()
                assert time.monotonic() < deadline, relay.log.read_text()
                time.sleep(0.01)
        self._socket.setblocking(False)
        self.say(Attach(epoch))

    def say(self, *messages: FromSwitch) -> None:
        self._socket.setblocking(True)
        self._socket.sendall(encode_frames(messages))
        self._socket.setblocking(False)

    def say_raw(self, data: bytes) -> None:
        self._socket.sendall(data)

    def listen(self, wait_s: float = 0.0) -> bool:
        """Whether the connection is still there."""
        readable, _, _ = select.select([self._socket], [], [], wait_s)
        if readable:
            try:
                data = self._socket.recv(1 << 20)
            except OSError:
                return False
            if not data:
                return False
            self.heard += self._reader.feed(data)
        return True

    def hear(self, kind: type[M], matches: Callable[[M], bool] = lambda _: True) -> M:
        """The first such message, taken out of what was heard."""
        deadline = time.monotonic() + WAIT_S
        while True:
            for index, message in enumerate(self.heard):
                if isinstance(message, kind) and matches(message):
                    del self.heard[index]
                    return message
            assert time.monotonic() < deadline, f"waited for {kind.__name__}, heard {self.heard[-5:]}"
            self.listen(0.05)

    def port(self, host: str = HOST) -> int:
        """The next granted port."""
        while True:
            granted = self.hear(Granted, lambda one: one.host == host)
            if granted.ports:
                self.heard.insert(0, Granted(host, granted.ports[1:]))
                return granted.ports[0]

    def open(self, host: str = HOST, *, is_rtp: bool = True) -> tuple[int, tuple[str, int]]:
        """A new endpoint: its number and its address."""
        self._last_number += 1
        port = self.port(host)
        self.say(Open(self._last_number, host, port, f"call {self._last_number}", is_rtp))
        return self._last_number, (host, port)

    def aim(
        self,
        endpoint: int,
        peer: tuple[str, int],
        *,
        sources: tuple[str, ...] | None = None,
        version: int = 1,
        rtcp_port: int | None = None,
        formats: tuple[Format, ...] = (PCMA, EVENT),
        may_be_silent: bool = False,
        latched: tuple[str, int, int] | None = None,
    ) -> None:
        self.say(
            Aim(
                endpoint,
                version,
                peer[0],
                peer[1],
                rtcp_port if rtcp_port is not None else peer[1] + 1,
                sources if sources is not None else (peer[0],),
                formats,
                may_be_silent,
                latched,
            )
        )

    def figures(self, endpoint: int) -> Figures:
        """Asked for now: everything that was sent before has been looked at."""
        self.say(Ask((endpoint,)))
        return self.hear(Figures, lambda one: one.endpoint == endpoint)

    def wait_seen(self, endpoint: int, count: int) -> Figures:
        """Until so many packets of anybody have been looked at on this endpoint's ports."""
        last = self.figures(endpoint)
        deadline = time.monotonic() + WAIT_S
        while _seen(last) < count:
            assert time.monotonic() < deadline, f"waited for {count} packets: {last}"
            last = self.figures(endpoint)
        return last

    def counts(self) -> RelayCounts:
        return self.hear(RelayCounts)

    def close_call(self, *endpoints: int) -> list[Figures]:
        self.say(*(Close(endpoint) for endpoint in endpoints))
        return [self.hear(Figures, lambda one, e=endpoint: one.endpoint == e) for endpoint in endpoints]

    def latched(self, endpoint: int) -> Latched:
        return self.hear(Latched, lambda one: one.endpoint == endpoint)

    def disconnect(self) -> None:
        self._socket.close()


def _seen(figures: Figures) -> int:
    """A packet that was taken and went no further counts in both."""
    taken = ("not_bridged", "no_address", "played_over")
    return figures.packets + sum(count for reason, count in figures.dropped.items() if reason not in taken)


class Peer:
    """A phone's RTP socket."""

    def __init__(self, host: str = HOST, *, ssrc: int | None = None, port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.socket.setblocking(False)
        self.address: tuple[str, int] = self.socket.getsockname()[:2]
        self.ssrc = ssrc if ssrc is not None else random.getrandbits(32)
        self.sequence = random.getrandbits(16)
        self.timestamp = random.getrandbits(32)

    def packet(
        self, payload: bytes = b"\xd5" * 160, *, payload_type: int = 8, is_marked: bool = False
    ) -> bytes:
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + 160) & 0xFFFFFFFF
        return format_packet(
            RtpPacket(payload_type, self.sequence, self.timestamp, self.ssrc, payload, is_marked=is_marked)
        )

    def send(self, to: tuple[str, int], count: int = 1, payload: bytes = b"\xd5" * 160) -> None:
        for _ in range(count):
            self.socket.sendto(self.packet(payload), to)

    def send_raw(self, to: tuple[str, int], data: bytes) -> None:
        self.socket.sendto(data, to)

    def received(self) -> list[bytes]:
        """Everything that is there now."""
        packets: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                packets.append(self.socket.recv(65536))
        return packets

    def receive(self, count: int = 1) -> list[bytes]:
        """Waits for so many packets."""
        packets: list[bytes] = []
        until(lambda: packets.extend(self.received()) or len(packets) >= count, f"{count} packets")
        return packets

    def payloads(self, count: int) -> list[bytes]:
        return [parse_packet(data).payload for data in self.receive(count)]

    def close(self) -> None:
        self.socket.close()


class Call:
    """Two endpoints in a bridge, and their peers, whose SDP says where they really are unless told otherwise."""

    def __init__(self, switch: Switch, hosts: tuple[str, str] = (HOST, HOST)) -> None:
        self.switch = switch
        self.caller, self.callee = Peer(hosts[0]), Peer(hosts[1])
        self.a, self.a_address = switch.open("::1" if ":" in hosts[0] else HOST)
        self.b, self.b_address = switch.open("::1" if ":" in hosts[1] else HOST)
        switch.say(Bridge(self.a, self.b))

    def aim(self) -> None:
        self.switch.aim(self.a, self.caller.address)
        self.switch.aim(self.b, self.callee.address)
        self.settle()

    def settle(self) -> None:
        """The relay has done what it was told."""
        self.switch.figures(self.b)

    def aim_behind_nat(self) -> None:
        """Both name a private address in their SDP; what they send comes from another one."""
        self.switch.aim(self.a, ("192.168.1.10", 4000), sources=(self.caller.address[0],))
        self.switch.aim(self.b, ("10.0.0.7", 4002), sources=(self.callee.address[0],))
        self.settle()

    def talk(self, count: int = 1) -> None:
        """Both hear each other."""
        self.caller.send(self.a_address, count)
        self.callee.send(self.b_address, count)
        self.callee.receive(count)
        self.caller.receive(count)

    def close(self) -> None:
        self.caller.close()
        self.callee.close()


@contextlib.contextmanager
def relay_and_switch(
    directory: Path, *, listen: tuple[str, ...] = (HOST,), pairs: int = 300
) -> Iterator[tuple[RelayProcess, Switch]]:
    relay = RelayProcess(directory, listen=listen, pairs=pairs)
    relay.start()
    try:
        switch = Switch(relay)
        switch.hear(Hello)
        try:
            yield relay, switch
        finally:
            switch.disconnect()
    finally:
        relay.stop()


def sender_report(ssrc: int, ntp: int, *, answers: tuple[int, int] | None = None) -> bytes:
    """An SR whose NTP time has `ntp` in the middle, with a block that answers (last_sr, delay)."""
    blocks = b"" if answers is None else struct.pack("!IIIIII", 1, 0, 0, 0, *answers)
    body = struct.pack("!IIIIII", ssrc, ntp >> 16, (ntp & 0xFFFF) << 16, 0, 0, 0) + blocks
    return struct.pack("!BBH", 0x80 | bool(blocks), 200, len(body) // 4) + body
