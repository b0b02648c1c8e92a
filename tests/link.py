"""Stacks joined by a link that can lose, double, reorder and delay datagrams, the same for the same seed.

Each end is anything with `receive(data, flow, now)` and a list `outgoing` of (flow, data), with its timers.
The link owns the clock: it moves it to the next delivery or timer and never sleeps. Streams (TCP flows) are
delayed and never lose anything. Datagrams to nobody vanish.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple, Protocol

from switch.sip.flow import Flow
from switch.sip.timers import TimerQueue
from tests.clock import HandClock

Address = tuple[str, int]

OVERTAKING_S = 0.3  # how much longer a reordered datagram travels
STEPS_MAX = 1_000_000  # a test that needs more runs in a circle


class End(Protocol):
    """A stack, or what stands in for one."""

    outgoing: list[tuple[Flow, bytes]]

    def receive(self, data: bytes, flow: Flow, now: float) -> None: ...


class Datagram(NamedTuple):
    """One copy on its way, or lost."""

    sent_at: float
    source: Address
    destination: Address
    data: bytes
    is_lost: bool

    @property
    def start_line(self) -> str:
        return self.data.split(b"\r\n", 1)[0].decode()


class Link:
    """`loss`, `duplication` and `reorder` are probabilities for each datagram; `delay_s` is one way."""

    def __init__(
        self,
        clock: HandClock,
        *,
        seed: int = 0,
        loss: float = 0.0,
        duplication: float = 0.0,
        reorder: float = 0.0,
        delay_s: float = 0.01,
    ) -> None:
        self.clock = clock
        self.loss = loss
        self.duplication = duplication
        self.reorder = reorder
        self.delay_s = delay_s
        self.copies = 2  # of a datagram that is doubled
        self.is_lost: Callable[[Datagram], bool] = lambda datagram: (
            False
        )  # a test's own loss, beside the random one
        self.sent: list[Datagram] = []
        self.delivered: list[tuple[Address, bytes]] = []  # each copy that has reached somebody
        self._random = Random(seed)
        self._ends: dict[Address, tuple[End, TimerQueue]] = {}
        self._deliveries: list[tuple[float, int, Flow, bytes]] = []
        self._sequence = 0

    def attach(self, end: End, timers: TimerQueue, address: Address) -> None:
        """Datagrams to `address` reach `end`."""
        self._ends[address] = (end, timers)

    def detach(self, address: Address) -> None:
        """From here on the address is a black hole and its timers stand still."""
        del self._ends[address]

    def flow(self, source: Address, destination: Address, transport: str = "UDP") -> Flow:
        """The flow by which `source` reaches `destination`."""
        return Flow(transport, *destination, *source, "" if transport == "UDP" else "1")

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.clock.now + seconds
        self._run_until(end)
        self.clock.move_to(end)

    def run_until_idle(self, seconds_max: float = 1000.0) -> None:
        """Go on until nothing is in flight and no timer runs."""
        self._run_until(self.clock.now + seconds_max)
        assert self._next_at() is None, f"still busy after {seconds_max} s"

    def start_lines(self) -> list[str]:
        """The first line of all that was sent, lost or not."""
        return [datagram.start_line for datagram in self.sent]

    def _run_until(self, end: float) -> None:
        for _ in range(STEPS_MAX):
            self._collect()
            at = self._next_at()
            if at is None or at > end:
                return
            now = self.clock.move_to(max(at, self.clock.now))
            while self._deliveries and self._deliveries[0][0] <= now:
                self._deliver(heappop(self._deliveries), now)
            for _, timers in list(self._ends.values()):
                timers.run(now)
        raise AssertionError("the link never comes to rest")

    def _next_at(self) -> float | None:
        times = [self._deliveries[0][0]] if self._deliveries else []
        times += [at for _, timers in self._ends.values() if (at := timers.next_deadline()) is not None]
        return min(times, default=None)

    def _deliver(self, delivery: tuple[float, int, Flow, bytes], now: float) -> None:
        _, _, sent_on, data = delivery
        found = self._ends.get((sent_on.remote_host, sent_on.remote_port))
        if found is not None:
            self.delivered.append(((sent_on.remote_host, sent_on.remote_port), data))
            transport, remote_host, remote_port, local_host, local_port, connection = sent_on
            found[0].receive(
                data, Flow(transport, local_host, local_port, remote_host, remote_port, connection), now
            )

    def _collect(self) -> None:
        for end, _ in list(self._ends.values()):
            outgoing = end.outgoing  # once: an exchange notes what leaves when it is asked
            for flow, data in outgoing:
                self._send(flow, data)
            outgoing.clear()

    def _send(self, flow: Flow, data: bytes) -> None:
        source, destination = (flow.local_host, flow.local_port), (flow.remote_host, flow.remote_port)
        datagram = Datagram(self.clock.now, source, destination, data, is_lost=False)
        is_lost = self.is_lost(datagram) or (not flow.is_reliable and self._random.random() < self.loss)
        self.sent.append(datagram._replace(is_lost=is_lost))
        if is_lost:
            return
        self._put(flow, data)
        if not flow.is_reliable and self._random.random() < self.duplication:
            for _ in range(self.copies - 1):
                self._put(flow, data)

    def _put(self, flow: Flow, data: bytes) -> None:
        delay_s = self.delay_s
        if not flow.is_reliable and self._random.random() < self.reorder:
            delay_s += self._random.uniform(0, OVERTAKING_S)
        self._sequence += 1
        heappush(self._deliveries, (self.clock.now + delay_s, self._sequence, flow, data))
