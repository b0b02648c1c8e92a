"""The browsers' process: gates kept ready, those in use, and the link to the switch. Thin round gate.py.

Gates outlive the switch's connection: a switch of the same epoch finds them again, one of another has hung up their
calls. With no switch for a minute everything in use is closed.
"""

import asyncio
import itertools
from pathlib import Path
from typing import Final, cast

import structlog
from aioice.ice import get_host_addresses
from aiortc.rtcdtlstransport import RTCCertificate

from media.browser.gate import BrowserGate, GateCounts
from media.browser.messages import (
    Aim,
    Attach,
    BrowserCounts,
    Close,
    Connect,
    Connected,
    FromBrowsers,
    FromSwitch,
    Gate,
    Granted,
    Hello,
    Lost,
    Take,
    reader_of_switch,
)
from provisioning.message_frames import FrameError, encode_frames
from provisioning.socket_path import listen_at

# Calls of browsers that begin before the process has had a turn.
READY: Final = 16
# A packet costs some 20 us here, so a browser in a call 0.2 % of a core, and twice that when packets come one by one;
# past this all of them would stutter.
GATES_MAX: Final = 200
REFILL_RETRY_S: Final = 1.0
COUNTS_EVERY_S: Final = 2.0
ALONE_MAX_S: Final = 60.0
# A switch that does not read is hung; what it is told is small.
LINK_OCTETS_MAX: Final = 4 * 1024 * 1024
HASH: Final = "sha-256"
WILDCARDS: Final = {"0.0.0.0": 4, "::": 6}  # noqa: S104 - recognised, never bound

log = structlog.get_logger("media.browser")


def addresses_to_bind(listen: list[str]) -> list[str]:
    """ICE binds each address by itself: one that stands for all is replaced by those of this machine."""
    found: dict[str, None] = {}
    for address in listen:
        family = WILDCARDS.get(address)
        if family is None:
            found[address] = None
            continue
        own = get_host_addresses(use_ipv4=family == 4, use_ipv6=family == 6)
        found.update(dict.fromkeys(own or ["127.0.0.1" if family == 4 else "::1"]))
    return [*found]


class BrowserProcess:
    """One per machine, for one switch."""

    def __init__(self, *, epoch: str, listen: list[str], ports: range, inner_host: str) -> None:
        self._epoch = epoch
        self._listen = listen
        self._ports = ports
        self._inner_host = inner_host
        self._certificate = RTCCertificate.generateCertificate()
        self._counts = GateCounts()
        self._numbers = itertools.count(1)
        self._gates: dict[int, BrowserGate] = {}
        self._ready: dict[int, Gate] = {}
        self._switch: _SwitchProtocol | None = None
        self._switch_epoch = ""
        self._is_attached = False
        self._alone: asyncio.TimerHandle | None = None
        self._wanted = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()

    async def serve(self, path: Path, stop: asyncio.Event) -> None:
        """Until `stop`. Raises OSError when it cannot listen."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_bug)
        listener = listen_at(path, "browsers' process")
        server = await loop.create_unix_server(lambda: _SwitchProtocol(self), sock=listener)
        tasks = [loop.create_task(self._keep_ready()), loop.create_task(self._tell_counts())]
        try:
            await stop.wait()
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            if self._switch is not None:
                self._switch.cut_off()
            await asyncio.gather(*(gate.close() for gate in self._gates.values()), *self._closing)
            path.unlink(missing_ok=True)

    # The link

    def attached(self, switch: "_SwitchProtocol") -> None:
        """The newest switch is the one."""
        if self._switch is not None:
            self._switch.cut_off()
        self._switch = switch
        self._is_attached = False
        fingerprint = next(each for each in self._certificate.getFingerprints() if each.algorithm == HASH)
        self._tell(Hello(self._epoch, (HASH, fingerprint.value)))

    def detached(self, switch: "_SwitchProtocol") -> None:
        if self._switch is switch:
            self._switch = None
            self._is_attached = False
            self._alone = asyncio.get_running_loop().call_later(ALONE_MAX_S, self._close_taken, set())

    def hear(self, message: FromSwitch) -> None:
        match message:
            case Attach():
                self._greet(message)
            case Take(gate=number):
                if self._ready.pop(number, None) is not None:
                    self._gates[number].is_taken = True
                    self._wanted.set()
            case Aim() if message.gate in self._gates:
                self._gates[message.gate].aim(message)
            case Connect() if message.gate in self._gates:
                self._gates[message.gate].connect(message)
            case Close(gate=number):
                self._close(number)
            case _:
                pass  # of a gate that was lost meanwhile

    def _greet(self, message: Attach) -> None:
        if self._alone is not None:
            self._alone.cancel()
            self._alone = None
        self._close_taken(set(message.in_use) if message.epoch == self._switch_epoch else set())
        self._switch_epoch = message.epoch
        self._is_attached = True
        self._tell(Granted(tuple(self._ready.values())))
        log.info("switch_attached", gates=len(self._gates) - len(self._ready))

    def _tell(self, *messages: FromBrowsers) -> None:
        if self._switch is not None:
            self._switch.say(list(messages))

    # Gates

    async def _keep_ready(self) -> None:
        while True:
            self._wanted.clear()
            while len(self._ready) < READY and len(self._gates) < GATES_MAX + READY:
                try:
                    gate = await self._open()
                except OSError as problem:
                    log.error("no_gate", problem=str(problem))
                    await asyncio.sleep(REFILL_RETRY_S)
                    continue
                self._ready[gate.number] = gate
                if self._is_attached:
                    self._tell(Granted((gate,)))
            await self._wanted.wait()

    async def _open(self) -> Gate:
        gate = BrowserGate(
            next(self._numbers),
            addresses=addresses_to_bind(self._listen),
            ports=self._ports,
            inner_host=self._inner_host,
            certificate=self._certificate,
            counts=self._counts,
            on_connected=lambda gate: self._tell(Connected(gate.number)),
            on_lost=self._on_lost,
        )
        granted = await gate.open()
        self._gates[gate.number] = gate
        return granted

    def _on_lost(self, gate: BrowserGate, reason: str) -> None:
        self._tell(Lost(gate.number, reason))
        self._close(gate.number)

    def _close(self, number: int) -> None:
        gate = self._gates.pop(number, None)
        self._ready.pop(number, None)
        if gate is not None:
            task = asyncio.get_running_loop().create_task(gate.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._wanted.set()

    def _close_taken(self, except_for: set[int]) -> None:
        for number in [number for number, gate in self._gates.items() if gate.is_taken]:
            if number not in except_for:
                self._close(number)

    async def _tell_counts(self) -> None:
        while True:
            await asyncio.sleep(COUNTS_EVERY_S)
            counts = self._counts
            self._tell(
                BrowserCounts(
                    gates=len(self._gates) - len(self._ready),
                    gates_max=GATES_MAX,
                    packets_in=counts.packets_in,
                    packets_out=counts.packets_out,
                    connected=counts.connected,
                    lost=dict(counts.lost),
                    dropped=dict(counts.dropped),
                )
            )


class _SwitchProtocol(asyncio.Protocol):
    def __init__(self, process: BrowserProcess) -> None:
        self._process = process
        self._reader = reader_of_switch()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._process.attached(self)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except FrameError as problem:
            log.error("switch_link_broken", problem=str(problem))
            self.cut_off()
            return
        for message in messages:
            self._process.hear(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._process.detached(self)

    def say(self, messages: list[FromBrowsers]) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > LINK_OCTETS_MAX:
            self.cut_off()
        else:
            self._transport.write(encode_frames(messages))

    def cut_off(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _log_bug(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """The libraries meet hostile packets in callbacks: what they raise there concerns one gate."""
    problem = context.get("exception")
    log.warning("callback_failed", kind=type(problem).__name__ if problem is not None else "unknown")
