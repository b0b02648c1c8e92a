"""A message to the outside: by the trunks of the route that take texts, one after the other.

Numbers and identity are written as for calls, a challenge is answered with the trunk's password, and the answers that
let a call go on to the next trunk let a message do so. A trunk that says nothing in its `answer_timeout_s` is left
for the next; should it take the message all the same, that counts, unless another has taken it before.

The seam for another way out (SMPP, the protocol of message centres) is `Done`: whoever is given a message says once
what became of it, with the answer for the sender and by whom. Numbers come as E.164, the body as it was typed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from switch.calls.carrier_challenge import CarrierChallenge
from switch.calls.hunt import fails_over
from switch.calls.identity import Caller
from switch.calls.invitation import invitation_for
from switch.calls.passing import NO_BODY, Fields
from switch.calls.switchboard import Switchboard
from switch.calls.target import TrunkTarget
from switch.messaging.admission import Admitted
from switch.messaging.text import Text, request_of
from switch.sip.message import Request, Response

if TYPE_CHECKING:
    from switch.sip.stack import ClientTransaction
    from switch.sip.timers import Timer

# Told once: what the trunk said (None: nothing in time), and which one.
Done = Callable[[Response | None, TrunkTarget | None, float], None]


class TrunkDelivery:
    """One message on its way over `stages`, one target each."""

    __slots__ = ("_admission", "_board", "_caller", "_done", "_is_decided", "_next", "_refusal", "_request", "_stages",
                 "_timer", "text", "tried")  # fmt: skip

    def __init__(
        self,
        board: Switchboard,
        request: Request,
        text: Text,
        admitted: Admitted,
        caller: Caller,
        done: Done,
    ) -> None:
        self._board = board
        self._request = request
        self._admission = admitted.admission
        self._stages = admitted.stages
        self._caller = caller
        self._done = done
        self._next = 0
        self._is_decided = False
        self._refusal: Response | None = None
        self._timer: Timer | None = None
        self.text = text
        self.tried: TrunkTarget | None = None

    def try_next(self, now: float) -> None:
        """The next trunk, or the end."""
        self._stop_timer()
        if self._is_decided:
            return
        if self._next >= len(self._stages):
            self._decide(self._refusal, self.tried, now)
            return
        target = self._stages[self._next][0]
        self._next += 1
        assert isinstance(target, TrunkTarget)
        self.tried = target
        self._board.trunks.try_begins(target, now)
        self._timer = self._board.timers.start(now, target.trunk.answer_timeout_s, self._on_silence)
        _Try(self, target).send(now, [])

    def give_up(self, now: float) -> None:
        """The sender waits no longer."""
        self._stop_timer()
        self._decide(None, None, now)

    def send(self, target: TrunkTarget, attempt: "_Try", credentials: Fields, cseq: int, now: float) -> None:
        board, text = self._board, self.text
        written = invitation_for(self._admission, self._request, NO_BODY, target, self._caller, board)
        outgoing = msgspec.structs.replace(
            text, from_=written.from_, to=written.to, call_id=attempt.call_id, fields=[]
        )
        fields = [*written.fields, *credentials]
        request = request_of(outgoing, written.request_uri, fields, attempt.tag, is_late=False)
        request.headers.set("cseq", f"{cseq} MESSAGE")
        board.stack.send_request(request, target.flow, attempt, now)

    def challenge_of(self, target: TrunkTarget) -> tuple[CarrierChallenge, str, str]:
        """Whose password it is, a Call-ID and a tag of its own."""
        tokens = self._board.tokens
        return CarrierChallenge(target.trunk, tokens), self._board.new_leg_call_id(), tokens.tag()

    def answered(self, target: TrunkTarget, response: Response, now: float) -> None:
        if response.status < 300:
            self._stop_timer()
            self._decide(response, target, now)
            return
        if target is not self.tried or self._is_decided:
            return  # one that was left before
        self._refusal = response
        if fails_over(target.trunk, response.status):
            self.try_next(now)
        else:
            self._stop_timer()
            self._decide(response, target, now)

    def unanswered(self, target: TrunkTarget, now: float) -> None:
        if target is self.tried:
            self.try_next(now)

    def _on_silence(self, now: float) -> None:
        """The last trunk may take the time that the sender has."""
        self._timer = None
        if self.tried is not None and self.tried.breaker is not None:
            self.tried.breaker.silent(now)
        if self._next < len(self._stages):
            self.try_next(now)

    def _decide(self, response: Response | None, target: TrunkTarget | None, now: float) -> None:
        if not self._is_decided:
            self._is_decided = True
            self._done(response, target, now)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Try:
    """The message at one trunk."""

    __slots__ = ("_challenge", "_cseq", "_delivery", "_target", "call_id", "tag")

    def __init__(self, delivery: TrunkDelivery, target: TrunkTarget) -> None:
        self._delivery = delivery
        self._target = target
        self._challenge, self.call_id, self.tag = delivery.challenge_of(target)
        self._cseq = 0

    def send(self, now: float, credentials: Fields) -> None:
        self._cseq += 1
        self._delivery.send(self._target, self, credentials, self._cseq, now)

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        breaker = self._target.breaker
        if breaker is not None:
            breaker.heard(now)
        if response.status < 200:
            return
        credentials = self._challenge.answer(transaction.request, response)
        if credentials is not None:
            self.send(now, credentials)
        else:
            self._delivery.answered(self._target, response, now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        self._delivery.unanswered(self._target, now)

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        if self._target.breaker is not None:
            self._target.breaker.silent(now)
        self._delivery.unanswered(self._target, now)
