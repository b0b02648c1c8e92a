"""MESSAGE: a text from one line to the phones of another (RFC 3428), in pager mode. Inside a call it goes across it.

Each phone that is registered gets its own copy, and the sender is told 200 as soon as one has taken it. What it says
is passed on unread, with the sender's number as it would be shown in a call, and is neither stored nor logged. It
costs nothing, so it goes to lines of this exchange alone: not to a carrier, whatever the number.
"""

from collections import Counter
from typing import TYPE_CHECKING, Final

from provisioning.model import Line
from switch.calls.attempt import is_for_us, read_attempt
from switch.calls.identity import LineCaller, from_towards_line
from switch.calls.number_plan import E164, Emergency, Short
from switch.calls.passing import body_of, passed_fields, passed_response, put_body
from switch.calls.switchboard import USER_AGENT, Switchboard
from switch.events.limits import MESSAGE_BYTES_MAX, MESSAGES_BURST, MESSAGES_PER_SECOND
from switch.registrar.bindings import Binding
from switch.sip.headers import Headers
from switch.sip.message import Request, Response, make_response
from switch.token_bucket import TokenBucket

if TYPE_CHECKING:
    from switch.calls.attempt import Attempt
    from switch.sip.stack import ClientTransaction, ServerTransaction

MAX_FORWARDS: Final = 70
RETRY_AFTER_S: Final = 10  # a burst's worth of texts is half of it again
SILENCE: Final = "silence"  # in place of a status: no phone said anything
# Senders whose pace is remembered; beyond it all begin anew. They are lines of ours, so there are no more than lines.
SENDERS_MAX: Final = 100_000


class Messaging:
    """One a process. `counts` are by what a MESSAGE came to."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._paces: dict[str, TokenBucket] = {}
        self.counts: Counter[str] = Counter()

    def deliver(
        self, transaction: "ServerTransaction", request: Request, caller: LineCaller, now: float
    ) -> None:
        """A MESSAGE outside a dialog, from a line that has proven who it is. Raises SipParseError."""
        attempt = read_attempt(request, caller, self._board, now)
        called = self._called(request, attempt, caller, now)
        if isinstance(called, Response):
            self.finish(transaction, called, now)
            return
        line, number = called
        bindings = self._board.bindings.contacts_for(line.user, now)
        if not bindings:
            self.finish(transaction, make_response(request, 480), now)
            return
        sender = from_towards_line(
            attempt.caller_id,
            user=caller.line.user,
            domain=self._board.domain,
            shows_name=caller.line.account_id == line.account_id,
        )
        to = f"<sip:{number or line.user}@{self._board.domain}>"
        delivery = _Delivery(self, transaction, request, len(bindings))
        for binding in bindings:
            copy = self._copy(request, binding, sender, to)
            self._board.stack.send_request(copy, binding.flow, delivery, now)

    def _called(
        self, request: Request, attempt: "Attempt", caller: LineCaller, now: float
    ) -> tuple[Line, str] | Response:
        """The line that it goes to and the number that was written to, "" for a user name; or the refusal."""
        board = self._board
        if not is_for_us(request, board):
            return make_response(request, 404)
        if caller.account is None or caller.account.is_suspended:
            return make_response(request, 403)
        if len(request.body) > MESSAGE_BYTES_MAX:
            return make_response(request, 413)
        if not self._may_send(caller.line.user, now):
            response = make_response(request, 480, "Too Many Messages")
            response.headers.add("retry-after", str(RETRY_AFTER_S))
            return response
        if attempt.called_line is not None:
            return attempt.called_line, ""
        match attempt.plan_result.destination:
            case E164(number=number) | Short(number=number):
                assigned = board.books.numbers.get(number)
                line = board.books.lines.get(assigned.line) if assigned is not None else None
                if line is not None:
                    return line, number
                if board.conf.routing.targets(number):
                    return make_response(request, 403, "Messages Go To Lines Of This Exchange")
                return make_response(request, 404)
            case Emergency():
                # Never with a 4xx that a phone might take for "try again later".
                return make_response(request, 403, "Emergency Services Take Calls")
            case _:
                return make_response(request, 404)

    def _copy(self, request: Request, binding: Binding, sender: str, to: str) -> Request:
        hops = request.max_forwards
        headers = Headers()
        headers.add("max-forwards", str(max((MAX_FORWARDS if hops is None else hops) - 1, 0)))
        headers.add("from", f"{sender};tag={self._board.tokens.tag()}")
        headers.add("to", to)
        headers.add("call-id", self._board.tokens.call_id())
        headers.add("cseq", "1 MESSAGE")
        headers.add("user-agent", USER_AGENT)
        for name, value in passed_fields(request):
            headers.add(name, value)
        copy = Request("MESSAGE", binding.contact, headers)
        put_body(copy, body_of(request))
        return copy

    def _may_send(self, user: str, now: float) -> bool:
        pace = self._paces.get(user)
        if pace is None:
            if len(self._paces) >= SENDERS_MAX:
                self._paces.clear()
            pace = self._paces[user] = TokenBucket(MESSAGES_PER_SECOND, MESSAGES_BURST, now)
        return pace.take(now)

    def finish(self, transaction: "ServerTransaction", response: Response, now: float) -> None:
        """Answer the sender, and count it."""
        self.counts[str(response.status)] += 1
        transaction.respond(response, now)


class _Delivery:
    """The copies of one MESSAGE. The first 200 is the sender's answer; without one, the best of the refusals."""

    __slots__ = ("_is_answered", "_left", "_messaging", "_refusal", "_request", "_transaction")

    def __init__(
        self, messaging: Messaging, transaction: "ServerTransaction", request: Request, copies: int
    ) -> None:
        self._messaging = messaging
        self._transaction = transaction
        self._request = request
        self._left = copies
        self._is_answered = False
        self._refusal: Response | None = None

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if response.status < 200:
            return
        if response.status < 300:
            if not self._is_answered:
                self._is_answered = True
                self._messaging.finish(self._transaction, make_response(self._request, 200), now)
        else:
            answer = _for_sender(self._request, response)
            if self._refusal is None or _rank(answer.status) < _rank(self._refusal.status):
                self._refusal = answer
        self._one_done(now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        self._one_done(now)

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        if self._refusal is None:
            self._refusal = make_response(self._request, 480)
        self._one_done(now)

    def _one_done(self, now: float) -> None:
        self._left -= 1
        if self._left or self._is_answered:
            return
        if self._refusal is not None:
            self._messaging.finish(self._transaction, self._refusal, now)
        else:
            # Silence of every phone is silence here: 408 to a non-INVITE is never sent (RFC 4320 4.2).
            self._messaging.counts[SILENCE] += 1


def _for_sender(request: Request, response: Response) -> Response:
    """A redirection is not ours to pass on, and a 503 would say that this exchange is down."""
    if response.status < 400:
        return make_response(request, 480)
    if response.status == 503:
        return make_response(request, 500)
    return passed_response(request, response)


def _rank(status: int) -> int:
    """RFC 3261 16.7 step 6: a 6xx first, then the lowest class."""
    return 0 if status >= 600 else status // 100
