"""How a listener reads: at once after a silence, every few milliseconds while datagrams keep coming.

The sockets are real and on the loopback, where what was sent can be read at once; the loop is the test's.
"""

import socket
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from switch.sip.flow import UDP, Flow
from switch.transport.udp import DRAIN_MAX, GATHER_S, UdpListener

MESSAGE = b"OPTIONS sip:127.0.0.1 SIP/2.0\r\n\r\n"


class Loop:
    """What the listener asks of an event loop: who reads, and what is to be called when."""

    def __init__(self) -> None:
        self.readers: dict[int, Callable[[], None]] = {}
        self.due: list[tuple[float, Callable[[], None]]] = []

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        self.readers[fd] = callback

    def remove_reader(self, fd: int) -> bool:
        return self.readers.pop(fd, None) is not None

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> "Handle":
        self.due.append((delay_s, callback))
        return Handle(self)

    def call_soon(self, callback: Callable[[], None]) -> "Handle":
        return self.call_later(0.0, callback)

    def run_next(self) -> float:
        """Run what is due; returns how long after it was asked for."""
        if self.due:
            delay_s, callback = self.due.pop()
        else:
            (callback,), delay_s = self.readers.values(), 0.0
        callback()
        return delay_s


class Handle:
    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def cancel(self) -> None:
        self._loop.due.clear()


class Bench:
    """A listener, a peer's socket, and what was received turn by turn."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.loop = Loop()
        self.turns: list[list[tuple[bytes, Flow]]] = []
        self._turn: list[tuple[bytes, Flow]] = []
        self.listener = UdpListener(
            host,
            0,
            received=lambda data, flow: self._turn.append((data, flow)),
            turn_over=self._end_turn,
        )
        self.peer = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.bind((host, 0))
        self.listener.start(cast(Any, self.loop))

    def _end_turn(self) -> None:
        self.turns.append(self._turn)
        self._turn = []

    def send(self, *messages: bytes) -> None:
        for message in messages:
            self.peer.sendto(message, (self.listener.host, self.listener.port))

    def close(self) -> None:
        self.listener.close()
        self.peer.close()

    @property
    def is_woken_by_the_kernel(self) -> bool:
        return bool(self.loop.readers)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def test_the_first_datagram_after_a_silence_is_served_at_once(bench: Bench) -> None:
    bench.send(MESSAGE)
    assert bench.loop.run_next() == 0.0
    host, port = bench.peer.getsockname()
    assert bench.turns == [[(MESSAGE, Flow(UDP, host, port, bench.listener.host, bench.listener.port))]]


def test_what_comes_while_it_is_busy_shares_a_turn(bench: Bench) -> None:
    bench.send(MESSAGE)
    bench.loop.run_next()
    assert not bench.is_woken_by_the_kernel
    bench.send(MESSAGE + b"1", MESSAGE + b"2")
    assert bench.loop.run_next() == GATHER_S
    assert [data for data, _ in bench.turns[1]] == [MESSAGE + b"1", MESSAGE + b"2"]


def test_after_a_silence_the_kernel_wakes_it_again(bench: Bench) -> None:
    bench.send(MESSAGE)
    bench.loop.run_next()
    bench.loop.run_next()
    assert bench.is_woken_by_the_kernel
    assert bench.loop.due == []


def test_more_than_a_turn_may_take_is_looked_at_again_at_once(bench: Bench) -> None:
    bench.send(*[MESSAGE] * (DRAIN_MAX + 1))
    bench.loop.run_next()
    assert bench.loop.run_next() == 0.0
    assert [len(turn) for turn in bench.turns] == [DRAIN_MAX, 1]


def test_every_turn_ends_even_if_a_message_breaks_it(bench: Bench) -> None:
    def broken(data: bytes, flow: Flow) -> None:
        raise RuntimeError("a bug")

    bench.listener._received = broken
    bench.send(MESSAGE)
    with pytest.raises(RuntimeError):
        bench.loop.run_next()
    assert bench.turns == [[]]
    assert bench.is_woken_by_the_kernel or bench.loop.due


def test_keepalives_are_counted_and_go_no_further(bench: Bench) -> None:
    bench.send(b"\r\n\r\n", b"", b"\0")
    bench.loop.run_next()
    assert bench.turns == [[]]
    assert (bench.listener.counts.keepalives, bench.listener.counts.datagrams_in) == (3, 3)


def test_a_peers_flow_is_the_same_object_each_time(bench: Bench) -> None:
    bench.send(MESSAGE, MESSAGE)
    bench.loop.run_next()
    ((_, first), (_, second)) = bench.turns[0]
    assert first is second


def test_a_closed_listener_asks_for_nothing_more(bench: Bench) -> None:
    bench.send(MESSAGE)
    bench.loop.run_next()
    bench.listener.close()
    assert bench.loop.due == []
    assert not bench.is_woken_by_the_kernel


def test_what_the_kernel_does_not_take_is_counted(bench: Bench) -> None:
    assert not bench.listener.send(b"x" * 70_000, "127.0.0.1", 9)
    assert not bench.listener.send(MESSAGE, "127.0.0.1", 99_999)
    assert bench.listener.counts.send_errors == 2


def test_ipv6_has_sockets_of_its_own_and_addresses_in_one_spelling() -> None:
    bench = Bench("::1")
    try:
        bench.send(MESSAGE)
        bench.loop.run_next()
        host, port = bench.peer.getsockname()[:2]
        assert bench.turns == [[(MESSAGE, Flow(UDP, "::1", port, "::1", bench.listener.port))]]
        assert bench.listener.send(b"back", host, port)
        assert bench.peer.recv(100) == b"back"
        assert not bench.listener.send(b"no way", "127.0.0.1", port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as same_port:
            same_port.bind(("127.0.0.1", bench.listener.port))
    finally:
        bench.close()


def test_an_address_of_one_link_is_dropped_and_counted(bench: Bench) -> None:
    assert bench.listener._flow_of(("fe80::1%lo", 5060)) is None
    assert bench.listener.counts.link_local == 1
    assert bench.listener._flow_of(("2001:db8::1", 5060)) is not None
