"""The load: phones on lines of a few accounts, a carrier, and attempts of every kind at a steady random rate."""

import asyncio
import random
import secrets
import threading
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.wire.kill.callee import CalleeSide, attempt_number
from tests.wire.kill.caller import CallerSide
from tests.wire.kill.port import Crew, Heard, Socket, register
from tests.wire.kill.truth import Attempt, Plan

Result = TypeVar("Result")

WORK_TIMEOUT_S = 120.0
RINGS_S = (0.02, 0.4)
TALKS_S = (0.05, 4.0)
LONG_TALKS_S = (6.0, 10.0)
STALL_LOOK_S = 0.05
OUTSIDE = "01632960999"
MOBILE = "07700900123"
CARRIERS_CUSTOMER = "+441632960999"  # who calls in from outside
# How often an attempt is of a kind; the rest are answered, and most of them hung up by the caller.
BUSY_SHARE = 0.07
CANCELLED_SHARE = 0.07
LONG_SHARE = 0.10
CALLEE_HANGS_UP_SHARE = 0.25
INBOUND_SHARE = 0.1
ON_NET_SHARE = 0.45
MOBILE_SHARE = 0.10


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A line, as the operator set it up."""

    user: str
    number: str
    account: str
    password: str


class LoadThread:
    """An event loop of its own for the phones, so that whoever kills and audits may wait without making them deaf."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="load")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of `work`, done in that loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WORK_TIMEOUT_S)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Load:
    """All phones of one exchange. Attempts are never forgotten: they are the truth."""

    def __init__(
        self,
        *,
        exchange_port: int,
        carrier_port: int,
        callers: Sequence[Subscriber],
        callees: Sequence[Subscriber],
        seed: int,
    ) -> None:
        self.attempts: list[Attempt] = []
        self._exchange_port = exchange_port
        self._callers = callers
        self._callees = callees
        self._random = random.Random(seed)
        self._carrier = Socket(exchange_port, carrier_port)
        self._sockets = {line.user: Socket(exchange_port) for line in (*callers, *callees)}
        self._carrier.on_call = self._take_call
        for line in callees:
            self._sockets[line.user].on_call = self._take_call
        self._calls = Crew()
        self._closing = asyncio.Event()
        self.stalls: list[tuple[float, float]] = []
        self._watch = asyncio.get_running_loop().create_task(self._watch_stalls())
        self._arrivals: asyncio.Task[None] | None = None

    async def register_all(self) -> None:
        await asyncio.gather(
            *(
                register(
                    self._sockets[line.user],
                    user=line.user,
                    password=line.password,
                    exchange_port=self._exchange_port,
                )
                for line in (*self._callers, *self._callees)
            )
        )

    async def begin(self, calls_per_s: float) -> None:
        self._closing.clear()
        self._arrivals = asyncio.get_running_loop().create_task(self._arrive(calls_per_s))

    async def end(self) -> None:
        """No new attempts; whoever talks hangs up, and every attempt is over."""
        self._closing.set()
        if self._arrivals is not None:
            self._arrivals.cancel()
            await asyncio.gather(self._arrivals, return_exceptions=True)
            self._arrivals = None
        await self._calls.settle()
        for socket in (self._carrier, *self._sockets.values()):
            await socket.calls.settle()

    async def _watch_stalls(self) -> None:
        """Note when this loop was late, and by how much."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + STALL_LOOK_S
            await asyncio.sleep(STALL_LOOK_S)
            if (late_s := loop.time() - due) > STALL_LOOK_S:
                self.stalls.append((time.time(), late_s))

    async def close(self) -> None:
        self._watch.cancel()
        if self._arrivals is not None:
            self._arrivals.cancel()
        self._calls.cancel()
        for socket in (self._carrier, *self._sockets.values()):
            socket.close()

    def answered_since(self, number: int) -> int:
        """How many of the attempts from this number on have been answered."""
        return sum(attempt.answered_at is not None for attempt in self.attempts[number:])

    async def _arrive(self, calls_per_s: float) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time()
        while True:
            at += self._random.expovariate(calls_per_s)
            await asyncio.sleep(max(0.0, at - loop.time()))
            self._calls.begin(self._call(self._next_attempt()))

    def _next_attempt(self) -> Attempt:
        number = len(self.attempts)
        call_id = f"{number}-{secrets.token_hex(8)}@phones"
        if self._random.random() < INBOUND_SHARE:
            attempt = Attempt(number, "", CARRIERS_CUSTOMER, call_id, self._plan(is_inbound=True))
        else:
            line = self._random.choice(self._callers)
            attempt = Attempt(number, line.account, line.user, call_id, self._plan(is_inbound=False))
        self.attempts.append(attempt)
        return attempt

    def _plan(self, *, is_inbound: bool) -> Plan:
        draw = self._random
        where = draw.random()
        if is_inbound or where < ON_NET_SHARE:
            dials = draw.choice(self._callees).number
        else:
            dials = MOBILE if where < ON_NET_SHARE + MOBILE_SHARE else OUTSIDE
        how = draw.random()
        ring_s = draw.uniform(*RINGS_S)
        is_cancelled = BUSY_SHARE <= how < BUSY_SHARE + CANCELLED_SHARE
        return Plan(
            dials=dials,
            ring_s=ring_s,
            talk_s=draw.uniform(*(LONG_TALKS_S if draw.random() < LONG_SHARE else TALKS_S)),
            answers_with=486 if how < BUSY_SHARE else 200,
            # Now and then at the moment of the answer, so that the two cross.
            cancels_after_s=draw.uniform(0.02, ring_s + 0.05) if is_cancelled else None,
            callee_hangs_up=draw.random() < CALLEE_HANGS_UP_SHARE,
        )

    async def _call(self, attempt: Attempt) -> None:
        line = next((line for line in self._callers if line.user == attempt.user), None)
        side = CallerSide(
            self._carrier if line is None else self._sockets[line.user],
            attempt,
            password="" if line is None else line.password,
            exchange_port=self._exchange_port,
            closing=self._closing,
        )
        await side.run()

    async def _take_call(self, socket: Socket, invite: Heard, queue: "asyncio.Queue[Heard]") -> None:
        number = attempt_number(invite.message)
        assert number is not None, f"an INVITE that belongs to no attempt: {invite.message}"
        await CalleeSide(socket, invite, queue, self.attempts[number]).run()
