"""The caller's side of an attempt: it is challenged, calls, perhaps gives up, talks, hangs up or is hung up on, and
notes in the truth what it sent and heard, and when.
"""

import asyncio
import time

from tests.wire.kill.port import BACKSTOP_S, HOST, TRANSACTION_S, Heard, Requests, Socket
from tests.wire.kill.sip_text import SDP, Message, credentials, new_branch, response_to, write_message
from tests.wire.kill.truth import Attempt

# After this without a final answer a person hangs up; also how long a call may hang whose switch has died.
CALLER_PATIENCE_S = 4.0
CLOSING_LOOK_S = 0.1
CHALLENGES_MAX = 8  # each restart of the exchange costs one


class CallerSide:
    """One attempt, from the caller's phone, or from the carrier, which has no password.

    Once `closing` is set it hangs up at once.
    """

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
