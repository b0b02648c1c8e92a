"""The callee's side of an attempt, a phone's or the carrier's: it rings and does what the plan says, and notes in the
truth what it sent and heard, and when.
"""

import asyncio
import time
from collections.abc import Callable

from tests.wire.kill.port import BACKSTOP_S, T1_S, T2_S, TRANSACTION_S, Heard, Requests, Socket
from tests.wire.kill.sip_text import SDP, Message, new_branch, response_to, tag_of, write_message
from tests.wire.kill.truth import Attempt, CalleeTruth

# A refusal whose ACK was lost with the switch; a real phone would go on for 64*T1.
REFUSAL_PATIENCE_S = 3.0
ATTEMPT_HEADER = "x-attempt"


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
