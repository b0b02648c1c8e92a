"""Phones and a carrier on real sockets, with patience: they repeat what is not answered, as RFC 3261 17 has it, because
the exchange they talk to is being killed. Each notes in the truth what it sent and heard, and when.
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
    SDP,
    Message,
    credentials,
    new_branch,
    read_message,
    response_to,
    tag_of,
    write_message,
)
from tests.wire.kill.truth import Attempt, CalleeTruth

HOST = "127.0.0.1"
T1_S = 0.5
T2_S = 4.0
TRANSACTION_S = 32.0  # 64*T1
# After this without a final answer a person hangs up; also how long a call may hang whose switch has died.
CALLER_PATIENCE_S = 4.0
# How much longer than planned the side that does not hang up stays: long enough to be hung up on after a restart.
BACKSTOP_S = 40.0
CLOSING_LOOK_S = 0.1
# A refusal whose ACK was lost with the switch; a real phone would go on for 64*T1.
REFUSAL_PATIENCE_S = 3.0
CHALLENGES_MAX = 8  # each restart of the exchange costs one
RECEIVE_BYTES = 65_535
SO_TIMESTAMPNS = 35  # not in every Python's socket module
ATTEMPT_HEADER = "x-attempt"


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
            on_other=_ignore,
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


class CallerSide:
    """One attempt, from the caller's phone, or from the carrier, which has no password. Once `closing` is set it hangs up at once."""

    def __init__(
        self,
        port: Socket,
        attempt: Attempt,
        *,
        password: str,
        exchange_port: int,
        closing: asyncio.Event,
    ) -> None:
        self._port = port
        self._closing = closing
        self._attempt = attempt
        self._password = password
        self._uri = f"sip:{attempt.plan.dials}@{HOST}:{exchange_port}"
        self._from = f"<sip:{attempt.user}@{HOST}>;tag=a{attempt.number}"
        self._to = f"<{self._uri}>"
        self._target = self._uri
        self._cseq = 0
        self._is_giving_up = False
        self._requests = Requests(port, port.converse(attempt.call_id))

    async def run(self) -> None:
        attempt = self._attempt
        try:
            if await self._invite():
                await self._talk()
        finally:
            attempt.is_over = True
            if attempt.answered_at is not None and attempt.ended_at is None:
                attempt.ended_at = time.time()
            self._port.forget(attempt.call_id)

    async def _invite(self) -> bool:
        """True once the call is answered and acknowledged."""
        authorization: list[tuple[str, str]] = []
        for _ in range(CHALLENGES_MAX):
            self._cseq += 1
            branch = new_branch()
            data = self._request("INVITE", branch, authorization, body=SDP)
            is_identified = bool(authorization) or not self._password
            self._attempt.tries += is_identified
            heard = await self._requests.ask(
                data,
                branch,
                method="INVITE",
                patience_s=self._patience_s(is_identified=is_identified),
                on_other=self._on_request,
                on_provisional=self._on_provisional,
                repeats_after_provisional=False,
            )
            if heard is None:
                return await self._give_up(branch)
            message = heard.message
            if message.status in (401, 407):
                self._port.send(self._ack_refusal(branch, message))
                challenge = message.get("proxy-authenticate") or message.get("www-authenticate")
                answer = credentials(
                    challenge,
                    user=self._attempt.user,
                    password=self._password,
                    method="INVITE",
                    uri=self._uri,
                )
                authorization = [("Proxy-Authorization", answer)]
                continue
            self._on_provisional(heard)
            self._attempt.final_status = message.status
            if message.status >= 300:
                self._port.send(self._ack_refusal(branch, message))
                return False
            self._answered(heard)
            return True
        self._attempt.problem = "challenged again and again"
        return False

    def _patience_s(self, *, is_identified: bool) -> float:
        cancels_after_s = self._attempt.plan.cancels_after_s
        return cancels_after_s if is_identified and cancels_after_s is not None else CALLER_PATIENCE_S

    def _on_provisional(self, heard: Heard) -> None:
        self._attempt.admitted.setdefault(self._cseq, heard.at)

    def _answered(self, heard: Heard) -> None:
        attempt, message = self._attempt, heard.message
        attempt.answered_at = heard.at
        self._to = message.get("to")
        self._target = message.contact_uri
        attempt.acked_at = self._acknowledge()

    def _acknowledge(self) -> float:
        return self._port.send(self._request("ACK", new_branch(), cseq=self._cseq))

    async def _talk(self) -> None:
        """Until the plan or the other side ends it."""
        plan, attempt = self._attempt.plan, self._attempt
        assert attempt.answered_at is not None
        talk_s = 0.0 if self._is_giving_up else plan.talk_s
        if plan.callee_hangs_up and not self._is_giving_up:
            talk_s += BACKSTOP_S
        until = attempt.answered_at + talk_s
        while (left_s := until - time.time()) > 0 and not self._closing.is_set():
            heard = await self._requests.hear(min(left_s, CLOSING_LOOK_S))
            if heard is not None and self._on_request(heard):
                return
        await self._hang_up()

    async def _hang_up(self) -> None:
        attempt = self._attempt
        attempt.ended_at = time.time()
        self._cseq += 1
        branch = new_branch()
        heard = await self._requests.ask(
            self._request("BYE", branch),
            branch,
            method="BYE",
            patience_s=TRANSACTION_S,
            on_other=self._on_request_while_ending,
            repeats_after_provisional=True,
        )
        if heard is None and not attempt.was_hung_up:
            attempt.problem = "nobody answered the caller's BYE"

    def _on_request(self, heard: Heard) -> bool:
        """True when it is a BYE: the call is over, whatever was going on."""
        message = heard.message
        if message.is_response:
            if message.method == "INVITE" and 200 <= message.status < 300 and self._attempt.answered_at:
                self._acknowledge()
            return False
        if message.method == "BYE":
            self._port.send(response_to(message, 200, "OK"))
            self._attempt.was_hung_up = True
            self._attempt.ended_at = self._attempt.ended_at or heard.at
            return True
        self._port.send(response_to(message, 200, "OK"))
        return False

    def _on_request_while_ending(self, heard: Heard) -> bool:
        self._on_request(heard)
        return False

    async def _give_up(self, branch: str) -> bool:
        """CANCEL. True when an answer crossed it: that is taken, and hung up at once (RFC 3261 9.1)."""
        if self._attempt.was_hung_up:  # a BYE came instead of a final answer
            return False
        finals: list[Heard] = []

        def on_other(heard: Heard) -> bool:
            message = heard.message
            if message.is_response and message.branch == branch and message.status >= 200:
                finals.append(heard)
                return False
            return self._on_request(heard)

        answer = await self._requests.ask(
            self._request("CANCEL", branch),
            branch,
            method="CANCEL",
            patience_s=TRANSACTION_S,
            on_other=on_other,
            repeats_after_provisional=True,
        )
        is_final_due = answer is not None and answer.message.status == 200
        until = time.time() + CALLER_PATIENCE_S
        while is_final_due and not finals and (left_s := until - time.time()) > 0:
            heard = await self._requests.hear(left_s)
            if heard is not None and on_other(heard):
                return False
        if not finals:
            return False
        self._on_provisional(finals[0])
        self._attempt.final_status = finals[0].message.status
        if finals[0].message.status >= 300:
            self._port.send(self._ack_refusal(branch, finals[0].message))
            return False
        self._answered(finals[0])
        self._is_giving_up = True
        return True

    def _request(
        self,
        method: str,
        branch: str,
        more: list[tuple[str, str]] | None = None,
        *,
        cseq: int | None = None,
        body: str = "",
    ) -> bytes:
        headers = [
            self._port.via(branch),
            ("Max-Forwards", "70"),
            ("From", self._from),
            ("To", self._to),
            ("Call-ID", self._attempt.call_id),
            ("CSeq", f"{self._cseq if cseq is None else cseq} {method}"),
            ("Contact", f"<{self._port.contact}>"),
            ("X-Attempt", str(self._attempt.number)),
            *(more or []),
        ]
        target = self._uri if method in ("INVITE", "CANCEL") else self._target
        return write_message(f"{method} {target} SIP/2.0", headers, body)

    def _ack_refusal(self, branch: str, response: Message) -> bytes:
        headers = [
            self._port.via(branch),
            ("Max-Forwards", "70"),
            ("From", self._from),
            ("To", response.get("to")),
            ("Call-ID", self._attempt.call_id),
            ("CSeq", f"{self._cseq} ACK"),
        ]
        return write_message(f"ACK {self._uri} SIP/2.0", headers)


class CalleeSide:
    """One INVITE that reached a phone or the carrier; it does what the attempt's plan says."""

    def __init__(
        self,
        port: Socket,
        invite: Heard,
        queue: "asyncio.Queue[Heard]",
        attempt: Attempt,
    ) -> None:
        self._port = port
        self._invite = invite.message
        self._attempt = attempt
        self._requests = Requests(port, queue)
        self._tag = f"b{attempt.number}-{len(attempt.callees)}"
        self.truth = CalleeTruth(invite.message.call_id, invite.at)
        attempt.callees.append(self.truth)

    async def run(self) -> None:
        self._port.send(self._response(180, "Ringing"))
        if not await self._wait(self._attempt.plan.ring_s):
            return
        if self._attempt.plan.answers_with != 200:
            await self._refuse(self._attempt.plan.answers_with, "Busy Here")
            return
        self.truth.final_status = 200
        if await self._answer():
            await self._talk()
        elif self.truth.ended_at is None:
            await self._hang_up()  # RFC 3261 13.3.1.4: the ACK never came

    async def _wait(self, seconds: float) -> bool:
        """False when the caller gave up meanwhile."""
        until = time.time() + seconds
        while (left_s := until - time.time()) > 0:
            heard = await self._requests.hear(left_s)
            if heard is None:
                return True
            if heard.message.method == "CANCEL":
                self._port.send(response_to(heard.message, 200, "OK", tag=self._tag))
                await self._refuse(487, "Request Terminated")
                return False
            if heard.message.method == "INVITE":
                self._port.send(self._response(180, "Ringing"))
        return True

    async def _refuse(self, status: int, reason: str) -> None:
        self.truth.final_status = status
        data = self._response(status, reason)
        await self._repeat_until(data, lambda message: message.method == "ACK", REFUSAL_PATIENCE_S)

    async def _answer(self) -> bool:
        """True when the ACK came, False when it did not, or BYE came instead."""
        data = self._response(200, "OK", body=SDP)
        self.truth.answered_at = time.time()
        heard = await self._repeat_until(data, lambda message: message.method in ("ACK", "BYE"))
        if heard is None:
            return False
        if heard.message.method == "BYE":
            self._on_bye(heard)
            return False
        self.truth.acked_at = heard.at
        return True

    async def _repeat_until(
        self,
        data: bytes,
        is_it: Callable[[Message], bool],
        patience_s: float = TRANSACTION_S,
    ) -> Heard | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        interval_s = T1_S
        while loop.time() < deadline:
            self._port.send(data)
            next_at = loop.time() + interval_s
            interval_s = min(2 * interval_s, T2_S)
            while (left_s := next_at - loop.time()) > 0:
                heard = await self._requests.hear(left_s)
                if heard is None:
                    break
                if is_it(heard.message):
                    return heard
                if heard.message.method == "CANCEL":  # it crossed our final answer
                    self._port.send(response_to(heard.message, 200, "OK", tag=self._tag))
        return None

    async def _talk(self) -> None:
        plan, truth = self._attempt.plan, self.truth
        assert truth.answered_at is not None
        talk_s = plan.talk_s if plan.callee_hangs_up else plan.talk_s + BACKSTOP_S
        while (left_s := truth.answered_at + talk_s - time.time()) > 0:
            heard = await self._requests.hear(left_s)
            if heard is not None and heard.message.method == "BYE":
                self._on_bye(heard)
                return
        if not plan.callee_hangs_up:
            self._attempt.problem = "the callee never got its BYE"
        await self._hang_up()

    def _on_bye(self, heard: Heard) -> None:
        self._port.send(response_to(heard.message, 200, "OK"))
        self.truth.ended_at = self.truth.ended_at or heard.at

    async def _hang_up(self) -> None:
        self.truth.ended_at = time.time()
        branch = new_branch()
        request = self._invite
        headers = [
            self._port.via(branch),
            ("Max-Forwards", "70"),
            ("From", f"{request.get('to')};tag={self._tag}"),
            ("To", request.get("from")),
            ("Call-ID", request.call_id),
            ("CSeq", "1 BYE"),
        ]
        heard = await self._requests.ask(
            write_message(f"BYE {request.contact_uri} SIP/2.0", headers),
            branch,
            method="BYE",
            patience_s=TRANSACTION_S,
            on_other=self._on_other_while_ending,
            repeats_after_provisional=True,
        )
        if heard is None:
            self._attempt.problem = "nobody answered the callee's BYE"

    def _on_other_while_ending(self, heard: Heard) -> bool:
        if heard.message.method == "BYE" and not heard.message.is_response:
            self._port.send(response_to(heard.message, 200, "OK"))
        return False

    def _response(self, status: int, reason: str, *, body: str = "") -> bytes:
        return response_to(
            self._invite,
            status,
            reason,
            tag=self._tag,
            contact=self._port.contact,
            body=body,
        )


def attempt_number(invite: Message) -> int | None:
    """Which attempt an INVITE belongs to: a header that the exchange passes on."""
    text = invite.get(ATTEMPT_HEADER)
    return int(text) if text.isdigit() and not tag_of(invite.get("to")) else None


def _ignore(_: Heard) -> bool:
    return False


def _stamp(ancillary: list[tuple[int, int, bytes]]) -> float:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("qq", data)
            return float(seconds + nanoseconds / 1e9)
    return time.time()
