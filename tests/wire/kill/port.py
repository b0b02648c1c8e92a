"""A phone's UDP port, and requests with patience: they are repeated until they are answered, as RFC 3261 17 has it,
because the exchange they go to is being killed. What is heard is stamped by the kernel.
"""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from tests.wire.kill.sip_text import (
    Message,
    credentials,
    new_branch,
    read_message,
    response_to,
    write_message,
)

HOST = "127.0.0.1"
T1_S = 0.5
T2_S = 4.0
TRANSACTION_S = 32.0  # 64*T1
# How much longer than planned the side that does not hang up stays: long enough to be hung up on after a restart.
BACKSTOP_S = 40.0
RECEIVE_BYTES = 65_535
SO_TIMESTAMPNS = 35  # not in every Python's socket module


@dataclass(slots=True)
class Heard:
    """A message, and when the kernel had it."""

    message: Message
    at: float


class Crew:
    """Tasks that somebody waits for in the end, and what went wrong in the first that failed."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and self._failure is None:
            self._failure = task.exception()

    async def settle(self) -> None:
        """Until all are done. Raises the first failure."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._failure is not None:
            raise self._failure

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


class Socket:
    """One UDP port. Messages go to the conversation of their Call-ID; a new INVITE begins one."""

    def __init__(self, exchange_port: int, port: int = 0) -> None:
        self._exchange = (HOST, exchange_port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        self._socket.setblocking(False)
        self._socket.bind((HOST, port))
        self.port: int = self._socket.getsockname()[1]
        self._conversations: dict[str, asyncio.Queue[Heard]] = {}
        self.calls = Crew()
        self.on_call: Callable[[Socket, Heard, asyncio.Queue[Heard]], Coroutine[Any, Any, None]] | None = None
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._receive)

    @property
    def contact(self) -> str:
        return f"sip:phone@{HOST}:{self.port}"

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self.calls.cancel()
        self._socket.close()

    def send(self, data: bytes) -> float:
        """Returns when. While the exchange is down there is nobody at its port: that is for the repeats."""
        now = time.time()
        with contextlib.suppress(OSError):
            self._socket.sendto(data, self._exchange)
        return now

    def converse(self, call_id: str) -> asyncio.Queue[Heard]:
        return self._conversations.setdefault(call_id, asyncio.Queue())

    def forget(self, call_id: str) -> None:
        self._conversations.pop(call_id, None)

    def via(self, branch: str) -> tuple[str, str]:
        return "Via", f"SIP/2.0/UDP {HOST}:{self.port};branch={branch};rport"

    def _receive(self) -> None:
        while True:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(RECEIVE_BYTES, 64)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of an earlier send
            self._hear(Heard(read_message(data), _stamp(ancillary)))

    def _hear(self, heard: Heard) -> None:
        message = heard.message
        queue = self._conversations.get(message.call_id)
        if queue is not None:
            queue.put_nowait(heard)
        elif message.method == "OPTIONS" and not message.is_response:
            self.send(response_to(message, 200, "OK", tag="x"))
        elif message.method == "INVITE" and not message.is_response and self.on_call is not None:
            queue = self.converse(message.call_id)
            self.calls.begin(self._take_call(heard, queue))
        elif message.method != "ACK" and not message.is_response:
            self.send(response_to(message, 481, "Call/Transaction Does Not Exist", tag="x"))

    async def _take_call(self, heard: Heard, queue: "asyncio.Queue[Heard]") -> None:
        assert self.on_call is not None
        try:
            await self.on_call(self, heard, queue)
        finally:
            self.forget(heard.message.call_id)


class Requests:
    """Requests of one dialog side, each repeated until it is answered."""

    def __init__(self, port: Socket, queue: "asyncio.Queue[Heard]") -> None:
        self.port = port
        self.queue = queue

    async def hear(self, timeout_s: float) -> Heard | None:
        try:
            return await asyncio.wait_for(self.queue.get(), timeout_s)
        except TimeoutError:
            return None

    async def ask(
        self,
        data: bytes,
        branch: str,
        *,
        method: str,
        patience_s: float,
        on_other: Callable[[Heard], bool],
        on_provisional: Callable[[Heard], None] | None = None,
        repeats_after_provisional: bool,
    ) -> Heard | None:
        """Send and repeat until the final response; None when patience ends or `on_other` says that all is over.

        `on_other` gets whatever else comes in the meantime.
        """
        loop = asyncio.get_running_loop()
        self.port.send(data)
        interval_s, is_repeating = T1_S, True
        next_at = loop.time() + interval_s
        deadline = loop.time() + patience_s
        while (now := loop.time()) < deadline:
            heard = await self.hear(max(0.0, min(next_at if is_repeating else deadline, deadline) - now))
            if heard is None:
                if is_repeating and loop.time() >= next_at:
                    self.port.send(data)
                    interval_s = min(2 * interval_s, T2_S)
                    next_at = loop.time() + interval_s
                continue
            message = heard.message
            if not (message.is_response and message.branch == branch and message.method == method):
                if on_other(heard):
                    return None
            elif message.status < 200:
                is_repeating = is_repeating and repeats_after_provisional
                if on_provisional is not None:
                    on_provisional(heard)
            else:
                return heard
        return None


async def register(port: Socket, *, user: str, password: str, exchange_port: int) -> None:
    """Register for an hour. Raises RuntimeError when the registrar refuses."""
    uri = f"sip:{HOST}:{exchange_port}"
    call_id = f"reg-{user}-{new_branch()}"
    requests = Requests(port, port.converse(call_id))
    authorization: list[tuple[str, str]] = []
    for cseq in (1, 2):
        branch = new_branch()
        headers = [
            port.via(branch),
            ("Max-Forwards", "70"),
            ("From", f"<sip:{user}@{HOST}>;tag={user}"),
            ("To", f"<sip:{user}@{HOST}>"),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} REGISTER"),
            ("Contact", f"<{port.contact}>;expires=3600"),
            *authorization,
        ]
        data = write_message(f"REGISTER {uri} SIP/2.0", headers)
        heard = await requests.ask(
            data,
            branch,
            method="REGISTER",
            patience_s=TRANSACTION_S,
            on_other=lambda _: False,
            repeats_after_provisional=True,
        )
        if heard is None or heard.message.status not in (200, 401):
            raise RuntimeError(f"{user} cannot register: {heard}")
        if heard.message.status == 200:
            port.forget(call_id)
            return
        challenge = heard.message.get("www-authenticate")
        answer = credentials(challenge, user=user, password=password, method="REGISTER", uri=uri)
        authorization = [("Authorization", answer)]
    raise RuntimeError(f"{user} cannot register: challenged twice")


def _stamp(ancillary: list[tuple[int, int, bytes]]) -> float:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("qq", data)
            return float(seconds + nanoseconds / 1e9)
    return time.time()
