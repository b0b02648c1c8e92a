"""The whole relay without sockets: two endpoints, their peers, and what is said to the switch."""

from collections.abc import Sequence
from typing import TypeVar

from media.latch import SocketAddress, socket_address
from media.relay.addresses import Reach
from media.relay.core import Command, RelayCore
from media.relay.endpoint import Endpoint
from media.relay.messages import Aim, Bridge, Figures, Format, FromRelay, Open
from media.rtp import RtpPacket, format_packet

FRAME_S = 0.020
PCMA = Format(8, "PCMA", 8000)
PCMU = Format(0, "PCMU", 8000)
EVENT = Format(101, "telephone-event", 8000)
CALLER = ("192.0.2.10", 4000)
CALLEE = ("198.51.100.20", 5000)
STRANGE = ("203.0.113.66", 6000)
M = TypeVar("M", bound=FromRelay)


class Sounds:
    """A catalogue of one sound in PCMA and PCMU, of three frames."""

    def frames(self, name: str, codec: str) -> Sequence[bytes] | None:
        if name != "busy" or codec not in ("PCMA", "PCMU"):
            return None
        return [f"{codec} {number}".encode() for number in range(3)]


class RelayBench:
    """Endpoint 1 is the caller's, 2 the callee's. What leaves is kept as (endpoint, is RTCP, octets, to)."""

    def __init__(self, *, opens: bool = True, is_rtp: bool = True) -> None:
        self.now = 100.0
        reach = Reach(["0.0.0.0"], 20_000, 29_999, is_local=lambda host: host == "192.0.2.1")
        self.core = RelayCore(reach, Sounds(), random_bits=lambda bits: 1 << (bits - 1))
        self.core.attach("e1")
        self.sent: list[tuple[int, bool, bytes, SocketAddress]] = []
        self.said: list[FromRelay] = []
        self.sequences: dict[tuple[SocketAddress, int], int] = {}
        if opens:
            self.a, self.b = self.open(1, is_rtp=is_rtp), self.open(2, is_rtp=is_rtp)
            self.aim(1, CALLER)
            self.aim(2, CALLEE)
            self.tell(Bridge(1, 2))

    def open(self, number: int, *, is_rtp: bool = True) -> Endpoint:
        return self.core.open(
            Open(number, "0.0.0.0", 20_000 + 2 * number, f"call {number}", is_rtp), self.now
        )

    def tell(self, message: Command) -> None:
        self.core.handle(message, self.now)
        self.collect()

    def aim(
        self,
        number: int,
        peer: SocketAddress,
        *sources: str,
        version: int = 1,
        rtcp_port: int | None = None,
        formats: tuple[Format, ...] = (PCMA, EVENT),
        may_be_silent: bool = False,
        latched: tuple[str, int, int] | None = None,
    ) -> None:
        rtcp = peer[1] + 1 if rtcp_port is None else rtcp_port
        self.tell(
            Aim(
                number,
                version,
                peer[0],
                peer[1],
                rtcp,
                sources or (peer[0],),
                formats,
                may_be_silent,
                latched,
            )
        )

    def collect(self) -> None:
        self.sent += [
            (endpoint.number, is_rtcp, data, to) for endpoint, is_rtcp, data, to in self.core.outbox
        ]
        self.core.outbox.clear()
        self.said += self.core.events
        self.core.events.clear()

    def rtp(
        self,
        number: int,
        source: SocketAddress,
        payload: bytes = b"sound",
        *,
        payload_type: int = 8,
        ssrc: int = 7,
        sequence: int | None = None,
        timestamp: int | None = None,
    ) -> bool:
        """A packet of a peer; whether it was passed on."""
        if sequence is None:
            sequence = self.sequences.get((source, ssrc), 0) + 1
        self.sequences[source, ssrc] = sequence
        if timestamp is None:
            timestamp = sequence * 160
        packet = RtpPacket(payload_type, sequence, timestamp, ssrc, payload, is_marked=False)
        return self.raw(number, source, format_packet(packet))

    def raw(self, number: int, source: SocketAddress, data: bytes) -> bool:
        self.now += FRAME_S
        endpoint = self.core.current[number]
        target = self.core.forwarding.rtp(endpoint, data, socket_address(source[0], source[1]), self.now)
        if target is not None:
            assert target.latch.destination is not None
            self.core.outbox.append((target, False, data, target.latch.destination))
        self.collect()
        return target is not None

    def rtcp(self, number: int, source: SocketAddress, data: bytes) -> bool:
        before = len(self.sent)
        self.core.forwarding.rtcp(self.core.current[number], data, source, self.now)
        self.collect()
        return len(self.sent) > before

    def talk(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.rtp(1, CALLER)
            assert self.rtp(2, CALLEE, ssrc=8)

    def wait(self, seconds: float, *, alone_since: float | None = None) -> None:
        """Time passes in sweeps of 250 ms, and sounds are played."""
        until = self.now + seconds
        while self.now < until:
            due = self.core.play_due
            self.now = min(until, self.now + 0.25) if due is None else min(until, max(due, self.now + 0.001))
            self.core.play_tick(self.now)
            self.core.sweep(self.now, alone_since=alone_since)
            self.collect()

    def heard(self, kind: type[M]) -> list[M]:
        return [message for message in self.said if isinstance(message, kind)]

    def figures(self, number: int) -> Figures:
        return self.core.current[number].figures(self.now, is_closed=False)

    def receivers(self) -> set[SocketAddress]:
        return {to for _, _, _, to in self.sent}
