"""One try to hand a message to a line: a copy to each phone that is registered, or to its trunk's address.

The first 200 decides. Without one the line is tried again later if any of its phones gave an answer of the moment or
none at all; else its refusal is for good. Where a phone has several flows, or a PBX several addresses, the next one
stands behind the one that fails.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from switch.calls.line_targets import FLOW_FAILED, backup_of, request_uri
from switch.calls.switchboard import Switchboard
from switch.calls.target import LineTarget
from switch.messaging.text import Text, request_of
from switch.messaging.verdict import Verdict, rank, verdict_of
from switch.sip.message import Response

if TYPE_CHECKING:
    from switch.sip.stack import ClientTransaction

SILENCE: Final = 408  # in place of a status: nothing was said
# Told once: the verdict, and the best of the refusals, None where nobody said anything.
Done = Callable[[Verdict, Response | None, float], None]


class LineDelivery:
    """The copies of one message."""

    __slots__ = ("_board", "_done", "_is_decided", "_is_late", "_left", "_may_be_later", "_refusal", "text")

    def __init__(
        self,
        board: Switchboard,
        text: Text,
        targets: Sequence[LineTarget],
        done: Done,
        now: float,
        *,
        is_late: bool,
    ) -> None:
        self._board = board
        self._done = done
        self._is_decided = False
        self._is_late = is_late
        self._left = len(targets)
        self._may_be_later = False
        self._refusal: Response | None = None
        self.text = text
        for target in targets:
            self.send(target, now)

    def send(self, target: LineTarget, now: float) -> None:
        binding = target.binding
        route = [("route", hop) for hop in binding.path] if binding is not None else []
        uri = request_uri(target, self.text.number)
        request = request_of(self.text, uri, route, self._board.tokens.tag(), is_late=self._is_late)
        self._board.stack.send_request(request, target.flow, _Copy(self, target), now)

    def answered(self, target: LineTarget, response: Response, now: float) -> None:
        """A final answer of a phone."""
        verdict = verdict_of(response.status)
        if verdict is Verdict.TAKEN:
            self._decide(Verdict.TAKEN, now)
            return
        binding = target.binding
        if response.status == FLOW_FAILED and binding is not None:
            self._board.bindings.flow_failed(binding)
        if self._went_on(target, response.status, now, is_ours=False):
            return
        self._may_be_later |= verdict is Verdict.LATER
        if self._refusal is None or rank(response.status) < rank(self._refusal.status):
            self._refusal = response
        self._one_done(now)

    def unanswered(self, target: LineTarget, now: float) -> None:
        """No answer, or no way there."""
        if target.binding is not None:
            self._board.binding_failed(target.binding, now)
        if not self._went_on(target, SILENCE, now, is_ours=True):
            self._may_be_later = True
            self._one_done(now)

    def _went_on(self, target: LineTarget, status: int, now: float, *, is_ours: bool) -> bool:
        backup = backup_of(target, status, is_ours=is_ours, has_rung=False)
        if backup is None or self._is_decided:
            return False
        self.send(backup, now)
        return True

    def _one_done(self, now: float) -> None:
        self._left -= 1
        if not self._left:
            self._decide(Verdict.LATER if self._may_be_later else Verdict.REFUSED, now)

    def _decide(self, verdict: Verdict, now: float) -> None:
        if not self._is_decided:
            self._is_decided = True
            self._done(verdict, self._refusal, now)


class _Copy:
    """One of them on its way."""

    __slots__ = ("_delivery", "_target")

    def __init__(self, delivery: LineDelivery, target: LineTarget) -> None:
        self._delivery = delivery
        self._target = target

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if response.status >= 200:
            self._delivery.answered(self._target, response, now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        self._delivery.unanswered(self._target, now)

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        self._delivery.unanswered(self._target, now)
