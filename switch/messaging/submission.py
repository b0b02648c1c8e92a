"""One message of one sender, from its admission to the answer: who is tried, what is charged, what is on record.

The money is reserved before anything is sent. It is charged when the message is accepted: a phone or a carrier has
taken it, or it is kept and the journal has it; a text is paid for when it is sent, as everybody in the UK knows it.
Nothing is charged for one that was refused, or of which nobody said anything.
"""

import enum
from typing import TYPE_CHECKING

from rating.engine import Reservation, Settlement
from switch.calls import refusal
from switch.calls.line_targets import line_targets
from switch.calls.target import TrunkTarget
from switch.messaging import limits
from switch.messaging.admission import NO_ROOM, Admitted, refusal_response
from switch.messaging.records import Outcome, message_records
from switch.messaging.text import Text, encode_text
from switch.messaging.to_line import LineDelivery
from switch.messaging.to_trunk import TrunkDelivery
from switch.messaging.verdict import Verdict, answer_for_sender
from switch.messaging.waiting import WITHDRAWN
from switch.sip.message import Request, Response, make_response

if TYPE_CHECKING:
    from switch.calls.attempt import Attempt
    from switch.messaging.service import Messaging
    from switch.sip.stack import ServerTransaction
    from switch.sip.timers import Timer

SILENCE = "silence"  # in place of a status: nobody said anything
# An event has no duration; the engine charges the connect fee of whatever lasted at all.
EVENT_MS = 1


class State(enum.Enum):
    OPEN = "open"
    KEEPING = "being kept"  # the journal has not said yet that it has it
    DONE = "done"


class Submission:
    """Answers its sender once."""

    __slots__ = ("_admitted", "_attempt", "_flow", "_is_reserved", "_messaging", "_request", "_state", "_timer",
                 "_transaction", "text")  # fmt: skip

    def __init__(
        self,
        messaging: "Messaging",
        transaction: "ServerTransaction",
        request: Request,
        attempt: "Attempt",
        admitted: Admitted,
        text: Text,
    ) -> None:
        self._messaging = messaging
        self._transaction = transaction
        self._flow = transaction.flow
        self._request = request
        self._attempt = attempt
        self._admitted = admitted
        self._is_reserved = False
        self._state = State.OPEN
        self._timer: Timer | None = None
        self.text = text

    def begin(self, now: float) -> None:
        price, board = self._admitted.price, self._messaging.board
        if price.rate is not None and not price.rate.is_free and price.account_id is not None:
            reserved = board.engine.reserve(self.text.id, price.account_id, price.rate, initial_ahead_s=1)
            if not isinstance(reserved, Reservation):
                self._refuse_by_rule(refusal.of_shortage(reserved), now)
                return
            self._is_reserved = True
        if self._admitted.line is not None:
            self._to_line(now)
        else:
            self._to_trunk(now)

    # To a line

    def _to_line(self, now: float) -> None:
        board, line = self._messaging.board, self._admitted.line
        assert line is not None
        if self._may_be_kept and self._messaging.waiting.has_any(line.user):
            self._keep_or_refuse(None, now)  # behind those that wait
            return
        targets = line_targets(line, board, now)
        if not targets:
            self._keep_or_refuse(make_response(self._request, 480), now)
            return
        LineDelivery(board, self.text, targets, self._on_line, now, is_late=False)
        if self._state is State.OPEN:
            self._timer = board.timers.start(now, limits.REACTION_S, self._on_no_reaction)

    @property
    def _may_be_kept(self) -> bool:
        return not self._admitted.is_fleeting and self.text.expires_ms > self.text.sent_ms

    def _on_line(self, verdict: Verdict, refused: Response | None, now: float) -> None:
        """What the line's phones made of it, before the sender was answered or after."""
        if self._state is not State.OPEN:
            self._messaging.waiting.report(self.text, verdict, refused, now)
        if self._state is State.DONE:
            return
        if verdict is Verdict.TAKEN:
            self._accept(make_response(self._request, 200), "delivered", None, now)
        elif verdict is Verdict.REFUSED and refused is not None:
            self._refuse(answer_for_sender(self._request, refused), None, now)
        elif self._state is State.OPEN:
            self._keep_later(refused, now)

    def _keep_later(self, refused: Response | None, now: float) -> None:
        """The phones will be asked again."""
        answer = answer_for_sender(self._request, refused) if refused is not None else None
        if self._keep(now, is_on_its_way=True):
            self._messaging.waiting.report(self.text, Verdict.LATER, refused, now)
        elif answer is not None:
            self._refuse(answer, None, now)
        else:
            self._fall_silent(now)

    def _on_no_reaction(self, now: float) -> None:
        """The sender does not wait for phones that say nothing; they may yet take it."""
        self._timer = None
        if self._state is State.OPEN:
            self._keep(now, is_on_its_way=True)

    def _keep_or_refuse(self, instead: Response | None, now: float) -> None:
        if self._may_be_kept and self._keep(now, is_on_its_way=False):
            return
        if self._may_be_kept or instead is None:
            self._refuse_by_rule(NO_ROOM, now)
        else:
            self._refuse(instead, None, now)

    def _keep(self, now: float, *, is_on_its_way: bool) -> bool:
        """Whether there is room, and a journal. The sender hears of it when it is durable."""
        messaging, board, text = self._messaging, self._messaging.board, self.text
        if not self._may_be_kept or board.journal.is_failed:
            return False
        if not messaging.waiting.has_room(text.user, text.sender):
            return False
        self._stop_timer()
        self._state = State.KEEPING
        messaging.waiting.add(text, now, is_on_its_way=is_on_its_way)
        seq = board.record([(text.key, encode_text(text))], is_urgent=True)
        self._timer = board.timers.start(now, limits.DURABLE_S, self._on_not_durable)
        board.await_durable(seq, self)
        return True

    def on_durable(self, now: float) -> None:
        """The journal has it: the sender may believe that it will arrive."""
        if self._state is State.KEEPING:
            self._accept(make_response(self._request, 202), "kept", None, now)

    def _on_not_durable(self, now: float) -> None:
        self._timer = None
        if self._state is State.KEEPING:
            self._messaging.board.journal.answer_lost()
            self._messaging.waiting.withdraw(self.text, WITHDRAWN, now)
            self._refuse(make_response(self._request, 500), None, now)

    # To a trunk

    def _to_trunk(self, now: float) -> None:
        admitted, board = self._admitted, self._messaging.board
        delivery = TrunkDelivery(
            board, self._request, self.text, admitted, self._attempt.caller, self._on_trunk
        )
        self._timer = board.timers.start(now, limits.DEADLINE_S, delivery.give_up)
        delivery.try_next(now)

    def _on_trunk(self, response: Response | None, target: TrunkTarget | None, now: float) -> None:
        """The last word of the route's trunks."""
        if response is None:
            self._refuse(make_response(self._request, 504), target, now)
        elif response.status < 300:
            self._accept(make_response(self._request, response.status), "delivered", target, now)
        else:
            self._refuse(answer_for_sender(self._request, response), target, now)

    # The end

    def _accept(self, response: Response, label: str, target: TrunkTarget | None, now: float) -> None:
        settlement = None
        if self._is_reserved:
            settlement = self._messaging.board.engine.settle(self.text.id, duration_ms=EVENT_MS)
            self._messaging.charged_micros += settlement.charge.total_micros
        words = "kept for when a phone registers" if label == "kept" else "a phone took it"
        if target is not None:
            words = f"trunk {target.name} took it"
        ended_by = "exchange" if label == "kept" else "callee"
        self._end(Outcome(label, response.status, words, ended_by), settlement, target, now)
        self._messaging.finish(self._transaction, response, now)

    def _refuse(self, response: Response, target: TrunkTarget | None, now: float) -> None:
        self._messaging.board.engine.release(self.text.id)
        label = "failed" if response.status >= 500 and response.status < 600 else "refused"
        self._end(Outcome(label, response.status, response.reason, "callee"), None, target, now)
        self._messaging.finish(self._transaction, response, now)

    def _refuse_by_rule(self, refused: refusal.Refusal, now: float) -> None:
        self._messaging.board.engine.release(self.text.id)
        self._end(Outcome(refused.label, refused.status, refused.words, "exchange"), None, None, now)
        self._messaging.finish(self._transaction, refusal_response(self._request, refused), now)

    def _fall_silent(self, now: float) -> None:
        """Silence of every phone is silence here: 408 to a non-INVITE is never sent (RFC 4320 4.2)."""
        self._messaging.board.engine.release(self.text.id)
        self._messaging.counts[SILENCE] += 1
        self._end(Outcome("failed", 408, "no phone said anything", "exchange"), None, None, now)

    def _end(
        self, outcome: Outcome, settlement: Settlement | None, target: TrunkTarget | None, now: float
    ) -> None:
        self._stop_timer()
        self._state = State.DONE
        if self._admitted.is_fleeting:
            return
        board = self._messaging.board
        records = message_records(
            self.text.id,
            self._request,
            self._attempt,
            self._admitted,
            outcome,
            settlement,
            target,
            self._flow,
            sent_ms=self.text.sent_ms,
            at_ms=board.engine.period.stamp_ms(board.clock.ms(now)),
            routing_version=board.conf.routing.version,
        )
        board.record([], records)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
