"""The browsers' process without a browser: two gates as each other's browser, strangers, and what breaks a link."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from aiortc.rtcdtlstransport import RTCCertificate

from media.browser.gate import BrowserGate, GateCounts
from media.browser.messages import (
    Aim,
    Attach,
    BrowserCounts,
    Close,
    Connect,
    Gate,
    Granted,
    Hello,
    Lost,
    Take,
    reader_of_browsers,
)
from media.browser.process import READY
from provisioning.message_frames import encode_frames

pytestmark = pytest.mark.wire

HOST = "127.0.0.1"
PORTS = range(31_000, 31_999)
WAIT_S = 20.0
RTP = bytes([0x80, 8]) + bytes(10) + b"sound" * 8
NEXT_RTP = bytes([0x80, 8, 0, 1]) + RTP[4:]
RTCP = bytes([0x80, 201, 0, 1]) + bytes(4)


def without_ssrc(packet: bytes) -> bytes:
    """Each gate sends under one of its own."""
    return packet[:4] + packet[8:] if packet[1] in range(192, 224) else packet[:8] + packet[12:]


class Peer(asyncio.DatagramProtocol):
    """The relay's endpoint of a gate."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.heard.put_nowait(data)


class Side:
    """A gate, what it grants, and the two ports that its inner side is aimed at."""

    def __init__(self) -> None:
        self.counts = GateCounts()
        self.certificate = RTCCertificate.generateCertificate()
        self.connected = asyncio.Event()
        self.lost: asyncio.Queue[str] = asyncio.Queue()
        self.gate = BrowserGate(
            1,
            addresses=[HOST],
            ports=PORTS,
            inner_host=HOST,
            certificate=self.certificate,
            counts=self.counts,
            on_connected=lambda _: self.connected.set(),
            on_lost=lambda _, reason: self.lost.put_nowait(reason),
        )

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self.granted: Gate = await self.gate.open()
        (_, self.rtp), (_, self.rtcp) = [
            await loop.create_datagram_endpoint(Peer, local_addr=(HOST, 0)) for _ in range(2)
        ]
        self.gate.aim(Aim(1, HOST, self.rtp.port, self.rtcp.port))

    @property
    def fingerprint(self) -> tuple[str, str]:
        first = self.certificate.getFingerprints()[0]
        return first.algorithm, first.value

    def find(self, other: "Side", *, leads: bool, fingerprint: tuple[str, str] | None = None) -> None:
        granted = other.granted
        self.gate.connect(
            Connect(
                1,
                granted.username,
                granted.password,
                fingerprint or other.fingerprint,
                is_dtls_client=leads,
                is_controlling=leads,
                candidates=granted.candidates if leads else (),
            )
        )

    async def close(self) -> None:
        await self.gate.close()
        for peer in (self.rtp, self.rtcp):
            peer.transport.close()


async def joined() -> tuple[Side, Side]:
    one, other = Side(), Side()
    await one.open()
    await other.open()
    other.find(one, leads=False)  # it is told of no address, and finds the other by its checks
    one.find(other, leads=True)
    async with asyncio.timeout(WAIT_S):
        await one.connected.wait()
        await other.connected.wait()
    return one, other


def test_sound_and_reports_cross_two_gates_both_ways() -> None:
    async def run() -> None:
        one, other = await joined()
        async with asyncio.timeout(WAIT_S):
            for source, sink in ((one, other), (other, one)):
                source.rtp.transport.sendto(RTP, (HOST, source.granted.port))
                source.rtcp.transport.sendto(RTCP, (HOST, source.granted.port + 1))
                assert without_ssrc(await sink.rtp.heard.get()) == without_ssrc(RTP)
                assert without_ssrc(await sink.rtcp.heard.get()) == without_ssrc(RTCP)
        await one.close()
        await other.close()

    asyncio.run(run())


def test_what_comes_from_elsewhere_is_dropped_on_both_sides() -> None:
    async def run() -> None:
        one, other = await joined()
        _, stranger = await asyncio.get_running_loop().create_datagram_endpoint(Peer, local_addr=(HOST, 0))
        [outer] = other.granted.candidates
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.sendto(b"", outer)
        for junk in (
            b"",
            b"\x80",
            RTP,
            bytes(1500),
            b"\x16" + bytes(40),
            b"\x00\x01" + os.urandom(60),
            b"\x80\xc8",
        ):
            stranger.transport.sendto(junk, outer)
            stranger.transport.sendto(junk, (HOST, other.granted.port))
            stranger.transport.sendto(junk, (HOST, one.granted.port + 1))
            one.rtp.transport.sendto(junk, (HOST, one.granted.port))
        async with asyncio.timeout(WAIT_S):
            assert without_ssrc(await other.rtp.heard.get()) == without_ssrc(RTP)  # the one that its own relay sent
            one.rtp.transport.sendto(NEXT_RTP, (HOST, one.granted.port))
            assert without_ssrc(await other.rtp.heard.get()) == without_ssrc(NEXT_RTP)
        assert stranger.heard.empty()
        assert one.lost.empty() and other.lost.empty()
        assert other.counts.dropped["empty"] == 1
        assert other.counts.dropped["stranger"] == 4
        assert other.counts.dropped["from elsewhere"] >= 4
        stranger.transport.close()
        await one.close()
        await other.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "fingerprint", [("sha-256", ":".join(["00"] * 32)), ("md5", "00"), ("sha-256", "nonsense")]
)
def test_a_browser_with_another_certificate_is_not_heard(fingerprint: tuple[str, str]) -> None:
    async def run() -> None:
        one, other = Side(), Side()
        await one.open()
        await other.open()
        other.find(one, leads=False, fingerprint=fingerprint)
        one.find(other, leads=True)
        async with asyncio.timeout(WAIT_S):
            assert await other.lost.get() == "handshake failed"
        assert not other.connected.is_set()
        other.rtp.transport.sendto(RTP, (HOST, other.granted.port))
        await asyncio.sleep(0)
        assert one.rtp.heard.empty()
        await one.close()
        await other.close()

    asyncio.run(run())


def test_a_browser_that_says_goodbye_is_lost() -> None:
    async def run() -> None:
        one, other = await joined()
        await one.close()
        async with asyncio.timeout(WAIT_S):
            assert await other.lost.get() == "gone"
        await other.close()

    asyncio.run(run())


# The process


class Link:
    """The switch's end of the socket; the fixture closes what a test leaves open."""

    opened: ClassVar[list[socket.socket]] = []

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.opened.append(self.socket)
        self.socket.settimeout(WAIT_S)
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                self.socket.connect(str(path))
            except OSError:
                assert time.monotonic() < deadline, "the process does not listen"
                time.sleep(0.05)
            else:
                break
        self.reader = reader_of_browsers()
        self.heard: list[Any] = []

    def say(self, *messages: Any) -> None:
        self.socket.sendall(encode_frames(messages))

    def wait_for(self, kind: type, count: int = 1) -> list[Any]:
        while len(found := [each for each in self.heard if isinstance(each, kind)]) < count:
            data = self.socket.recv(65_536)
            assert data, "the process has closed the link"
            self.heard += self.reader.feed(data)
        return found

    def gates(self, count: int) -> list[Gate]:
        while True:
            found = [gate for each in self.heard if isinstance(each, Granted) for gate in each.gates]
            if len(found) >= count:
                return found
            self.wait_for(Granted, len([each for each in self.heard if isinstance(each, Granted)]) + 1)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "browser.sock"
    words = ["--socket", str(path), "--listen", HOST, "--ports", "32000-32999"]
    process = subprocess.Popen([sys.executable, "-m", "media.browser", *words])
    yield path
    while Link.opened:
        Link.opened.pop().close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S) == 0
    assert not path.exists()


def test_gates_are_granted_ahead_and_again_after_one_is_taken(path: Path) -> None:
    link = Link(path)
    [hello] = link.wait_for(Hello)
    assert hello.fingerprint[0] == "sha-256"
    link.say(Attach("switch-1"))
    gates = link.gates(READY)
    assert len({gate.port for gate in gates}) == READY
    assert all(gate.port % 2 == 0 and gate.host == HOST for gate in gates)
    assert all(32_000 <= port <= 32_999 for gate in gates for _, port in gate.candidates)
    link.say(Take(gates[0].number))
    assert link.gates(READY + 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_switch_finds_the_gates_of_the_old_one_closed_and_the_same_one_finds_its_own(
    path: Path,
) -> None:
    for epoch, left in (("switch-1", 1), ("switch-2", 0)):
        link = Link(path)
        link.say(Attach("switch-1"))
        number = link.gates(1)[0].number
        link.say(Take(number))
        link.wait_for(BrowserCounts)
        link.socket.close()
        again = Link(path)
        again.say(Attach(epoch, in_use=(number,)))
        assert again.wait_for(BrowserCounts)[0].gates == left
        again.say(Close(number))
        again.socket.close()


@pytest.mark.parametrize("junk", [b"\xff" * 64, b"\x00\x00\x00\x02\x91\xc0", b"GET / HTTP/1.1\r\n\r\n"])
def test_a_broken_link_is_cut_and_the_next_one_served(path: Path, junk: bytes) -> None:
    link = Link(path)
    link.wait_for(Hello)
    link.socket.sendall(junk)
    try:
        while link.socket.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    again = Link(path)
    again.say(Attach("switch-1"))
    assert again.gates(1)


def test_hostile_words_of_a_browser_end_its_gate_only(path: Path) -> None:
    link = Link(path)
    link.say(Attach("switch-1"))
    gates = link.gates(READY)
    hostile = [
        Connect(gates[0].number, "x" * 300, "p", ("sha-256", "00"), True, True, (("127.0.0.1", 9),)),
        Connect(gates[1].number, "\ud7ff\n", "\0", ("", ""), False, False, (("not an address", 70_000),)),
        Connect(999_999, "x", "p", ("sha-256", "00"), True, True, ()),
    ]
    link.say(*(Take(gate.number) for gate in gates[:2]))
    link.say(Aim(999_999, "nowhere", -1, 99_999), Aim(gates[0].number, "nowhere", -1, 99_999), *hostile)
    assert {each.gate for each in link.wait_for(Lost, 2)} == {gates[0].number, gates[1].number}
    assert link.gates(READY + 2)
