"""The relay's loop: sockets, timers and the switch's connection round the core, in one thread.

A bare epoll loop, level-triggered, and one packet of each ready socket a round: no coroutine and no callback object per
packet, no read that only finds that there is no more, and a flood on one port delays the others by one packet of it.
"""

from __future__ import annotations

import contextlib
import math
import select
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import structlog

from media.relay.addresses import Reach
from media.relay.core import RelayCore
from media.relay.endpoint import Endpoint
from media.relay.limits import (
    COUNTS_EVERY_S,
    ENDPOINTS_MAX,
    GRANT_AFTER_S,
    GRANT_AT_ONCE,
    GRANTED_MAX,
    SWEEP_EVERY_S,
)
from media.relay.messages import Attach, FromSwitch, Granted, Open, Release
from media.relay.playing import Prompts
from media.relay.port_pool import PortPool
from media.relay.sockets import RECEIVE_BYTES, Pair, Port, is_local
from media.relay.switch_link import SwitchLink

# Of one round: the timers are looked at between two rounds.
EVENTS_MAX: Final = 512
# A pool whose ports others hold is not searched through at once.
BIND_TRIES_MAX: Final = 64

log = structlog.get_logger("media.relay")


class RelayProcess:
    """Everything that the process owns. `run` until SIGTERM or SIGINT."""

    __slots__ = (
        "_alone_since", "_core", "_counts_due", "_epoll", "_grant_from", "_granted", "_granted_of", "_is_stopping",
        "_link", "_listen", "_pools", "_ports", "_sweep_due",
    )  # fmt: skip

    def __init__(
        self,
        link: SwitchLink,
        prompts: Prompts,
        *,
        listen: Sequence[str],
        ports: tuple[int, int],
        shuffle: Callable[[list[int]], None],
        random_bits: Callable[[int], int],
    ) -> None:
        first, last = ports
        reach = Reach(listen, first, last, is_local=is_local)
        self._core = RelayCore(reach, prompts, random_bits=random_bits)
        self._link = link
        self._listen = tuple(listen)
        self._pools = {host: PortPool(first, last, shuffle=shuffle) for host in listen}
        self._granted: dict[tuple[str, int], Pair] = {}
        self._granted_of: Counter[str] = Counter()
        self._ports: dict[int, Port] = {}
        self._epoll = select.epoll()
        self._is_stopping = False
        now = time.monotonic()
        self._alone_since: float | None = now
        self._grant_from = math.inf
        self._sweep_due = now + SWEEP_EVERY_S
        self._counts_due = now + COUNTS_EVERY_S

    def run(self) -> None:
        """Raises OSError for an address that is not this machine's: said now and not at the first call."""
        with self._stop_on_signals():
            self._epoll.register(self._link.listener.fileno(), select.EPOLLIN)
            for host in self._listen:
                if not is_local(host):
                    raise OSError(f"{host} is not an address of this machine")
                log.info("relay_listening", host=host, pairs=self._pools[host].ports_max)
            while not self._is_stopping:
                self._round()
            self._close()

    def _round(self) -> None:
        """Waits for packets until something is due, passes them on, and sees to the rest."""
        core, ports = self._core, self._ports
        forwarding, monotonic = core.forwarding, time.monotonic
        for descriptor, happened in self._epoll.poll(self._wait_s(monotonic()), EVENTS_MAX):
            port = ports.get(descriptor)
            if port is None:
                self._other(descriptor, happened)
                continue
            try:
                data, source = port.receive(RECEIVE_BYTES)
            except OSError:  # an ICMP error, or a packet with a wrong checksum that is gone again
                continue
            endpoint = port.endpoint
            if endpoint is None:
                continue
            if port.is_rtcp:
                forwarding.rtcp(endpoint, data, source, monotonic())
                continue
            target = forwarding.rtp(endpoint, data, source, monotonic())
            if target is None:
                continue
            try:
                target.send_rtp(data, target.latch.destination)
            except OSError:
                core.send_errors += 1
        self._after(monotonic())

    def _wait_s(self, now: float) -> float:
        due = min(self._sweep_due, self._counts_due)
        play_due = self._core.play_due
        if play_due is not None and play_due < due:
            due = play_due
        return max(0.0, due - now)

    def _after(self, now: float) -> None:
        """What is due, and what the round has left behind."""
        core = self._core
        play_due = core.play_due
        if play_due is not None and now >= play_due:
            core.play_tick(now)
        if now >= self._sweep_due:
            self._sweep_due = now + SWEEP_EVERY_S
            core.sweep(now, alone_since=self._alone_since)
            self._grant_all(now)
        if now >= self._counts_due:
            self._counts_due = now + COUNTS_EVERY_S
            self._tell_counts()
        if core.outbox:
            self._send_all()
        if core.closed:
            self._close_all(now)
        if core.events:
            self._link.say(core.events)
            core.events.clear()
        if self._link.has_output:
            self._flush()

    def _send_all(self) -> None:
        core = self._core
        for endpoint, is_rtcp, data, destination in core.outbox:
            pair = endpoint.owner
            if not isinstance(pair, Pair):
                continue
            port = pair.rtcp if is_rtcp else pair.rtp
            try:
                port.send(data, destination)
            except OSError:
                core.send_errors += 1
        core.outbox.clear()

    # The switch

    def _other(self, descriptor: int, happened: int) -> None:
        """Anything but a media port: the signals' socket, a new switch, the switch that is there."""
        link = self._link
        if descriptor == link.listener.fileno():
            self._accept()
        elif link.connection is not None and descriptor == link.connection.fileno():
            messages = link.read() if happened & ~select.EPOLLOUT else []
            if messages is None:
                self._lose_switch()
            else:
                self._handle_all(messages)

    def _accept(self) -> None:
        if self._link.is_connected:
            log.warning("switch_replaced")
            self._lose_switch()
        connection = self._link.accept()
        if connection is not None:
            self._epoll.register(connection.fileno(), select.EPOLLIN)
            self._alone_since = None
            log.info("switch_connected")

    def _lose_switch(self) -> None:
        log.warning("switch_disconnected")
        assert self._link.connection is not None
        self._epoll.unregister(self._link.connection.fileno())
        self._link.cut_off()
        self._alone_since = time.monotonic()

    def _flush(self) -> None:
        link = self._link
        if link.connection is None:
            return
        if not link.flush():
            self._lose_switch()
            return
        wanted = select.EPOLLIN | (select.EPOLLOUT if link.has_output else 0)
        self._epoll.modify(link.connection.fileno(), wanted)

    def _handle_all(self, messages: list[FromSwitch]) -> None:
        core, now = self._core, time.monotonic()
        for message in messages:
            match message:
                case Attach(epoch=epoch):
                    self._attach(epoch, now)
                case Release():
                    core.release(now)
                case Open():
                    self._open(message, now)
                case _:
                    core.handle(message, now)
        self._grant_all(now)

    def _attach(self, epoch: str, now: float) -> None:
        is_other = self._core.attach(epoch)
        log.info("switch_attached", epoch=epoch, is_other=is_other)
        self._link.attached(is_same=not is_other)
        for pair in self._granted.values():
            pair.close()
            self._pools[pair.host].give_back(pair.port, now)
        self._granted.clear()
        self._granted_of.clear()
        # One that has had a switch before knows all ports in use: a restarted switch has calls at once.
        self._grant_from = now + GRANT_AFTER_S if self._grant_from == math.inf else now
        self._tell_counts()

    # Ports

    def _grant_all(self, now: float) -> None:
        """Tops up what the switch may use, one handful after the other."""
        if not self._link.is_connected or now < self._grant_from:
            return
        for host in self._listen:
            while self._granted_of[host] <= GRANTED_MAX - GRANT_AT_ONCE:
                pairs = self._open_pairs(host, GRANT_AT_ONCE, now)
                if not pairs:
                    break
                self._link.say([Granted(host, tuple(pair.port for pair in pairs))])

    def _open_pairs(self, host: str, count: int, now: float) -> list[Pair]:
        pairs: list[Pair] = []
        pool = self._pools[host]
        for _ in range(BIND_TRIES_MAX):
            port = pool.take(now) if len(pairs) < count else None
            if port is None:
                break
            try:
                pair = Pair(host, port)
            except OSError:  # somebody else has it; after its rest it is tried again
                pool.give_back(port, now)
                continue
            self._granted[host, port] = pair
            self._granted_of[host] += 1
            pairs.append(pair)
        return pairs

    def _open(self, message: Open, now: float) -> None:
        """Uses a granted pair, or opens the one that is named, as after a restart of the relay."""
        core, place = self._core, (message.host, message.port)
        known = core.current.get(message.endpoint)
        if known is not None:
            if (known.host, known.port) != place:
                core.refuse(message.endpoint, "the number is in use")
            return
        pair = self._granted.pop(place, None)
        if pair is not None:
            self._granted_of[message.host] -= 1
        else:
            reason, pair = self._open_named(message.host, message.port)
            if pair is None:
                core.refuse(message.endpoint, reason)
                return
        endpoint = core.open(message, now)
        endpoint.owner = pair
        endpoint.send_rtp = pair.rtp.send
        for port in (pair.rtp, pair.rtcp):
            stale = port.drain()
            if stale:
                endpoint.dropped["stale"] = endpoint.dropped.get("stale", 0) + stale
            port.endpoint = endpoint
            self._ports[port.descriptor] = port
            self._epoll.register(port.descriptor, select.EPOLLIN)

    def _open_named(self, host: str, port: int) -> tuple[str, Pair | None]:
        pool = self._pools.get(host)
        if pool is None:
            return "the relay does not listen on this address", None
        if not 0 < port < 65_535 or port % 2:
            return "not an even port", None
        if pool.is_taken(port):
            return "the port is in use", None
        if len(self._ports) >= 2 * ENDPOINTS_MAX:
            return "too many endpoints", None
        try:
            pair = Pair(host, port)
        except OSError as error:
            return f"the port cannot be opened: {error.strerror}", None
        pool.take_this(port)
        return "", pair

    def _close_all(self, now: float) -> None:
        for endpoint in self._core.closed:
            self._close_pair(endpoint, now)
        self._core.closed.clear()

    def _close_pair(self, endpoint: Endpoint, now: float) -> None:
        pair = endpoint.owner
        assert isinstance(pair, Pair), "it was opened with one"
        endpoint.owner = None
        for port in (pair.rtp, pair.rtcp):
            del self._ports[port.descriptor]
            self._epoll.unregister(port.descriptor)
        pair.close()
        self._pools[pair.host].give_back(pair.port, now)

    def _tell_counts(self) -> None:
        if not self._link.is_connected:
            return
        counts = self._core.counts()
        counts.ports_free = sum(pool.free for pool in self._pools.values())
        counts.ports_max = sum(pool.ports_max for pool in self._pools.values())
        self._link.say([counts])

    # The end

    @contextlib.contextmanager
    def _stop_on_signals(self) -> Iterator[None]:
        """A signal writes to a socket that the loop waits for; its handler alone would not end the wait."""
        wake, woken = socket.socketpair()
        with wake, woken:
            for end in (wake, woken):
                end.setblocking(False)
            self._epoll.register(woken.fileno(), select.EPOLLIN)
            signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
            try:
                yield
            finally:
                signal.set_wakeup_fd(-1)

    def _stop(self, *_: object) -> None:
        self._is_stopping = True

    def _close(self) -> None:
        """Says the last figures of everything."""
        core, now = self._core, time.monotonic()
        log.info("relay_stopping", endpoints=len(core.current))
        for pair in self._granted.values():
            pair.close()
        core.end(now)
        self._close_all(now)
        self._link.say(core.events)
        self._link.close()
        self._epoll.close()
