"""MESSAGE: a text to the phones of a line, or to the outside by a trunk (RFC 3428), in pager mode. Inside a call it
goes across it.

From a line that has proven who it is, or from a trunk with `messages = true` to a number assigned here. Each phone
that is registered gets a copy, and the sender is told 200 as soon as one has taken it. For a line that is away, or
whose phones say nothing for some seconds, it is kept (waiting.py), and the sender is told 202 when the journal has
it. What it says is passed on unread, with the sender's number as it would be shown in a call, and is never logged.
"""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from provisioning.storable import storable
from switch.calls.attempt import read_attempt
from switch.calls.identity import Caller, LineCaller
from switch.calls.invitation import MAX_FORWARDS, invitation_for
from switch.calls.passing import NO_BODY, Fields, body_of
from switch.calls.refusal import Refusal
from switch.calls.switchboard import Switchboard
from switch.calls.target import LineTarget
from switch.calls.tracing import note_attempt
from switch.messaging import limits
from switch.messaging.admission import EMERGENCY, TOO_FAST, Admitted, admit_message, refusal_response
from switch.messaging.submission import Submission
from switch.messaging.text import Text
from switch.messaging.waiting import Waiting
from switch.sip.errors import SipParseError
from switch.sip.fields import parse_delta_seconds
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.token_bucket import TokenBucket

if TYPE_CHECKING:
    from switch.calls.attempt import Attempt
    from switch.sip.stack import ServerTransaction

NO_FIELDS: Fields = []
TRUNK_PACE = "trunk "  # before a trunk's name in the table of paces: no line's name has a space


class Messaging:
    """One a process. `counts` are by what a MESSAGE came to, `charged_micros` what all of them cost."""

    def __init__(self, board: Switchboard) -> None:
        self.board = board
        self.waiting = Waiting(board)
        self.counts: Counter[str] = Counter()
        self.charged_micros = 0
        self._paces: dict[str, TokenBucket] = {}

    def deliver(self, transaction: "ServerTransaction", request: Request, caller: Caller, now: float) -> None:
        """A MESSAGE outside a dialog. Raises SipParseError."""
        attempt = read_attempt(request, caller, self.board, now)
        note_attempt(attempt, self.board)
        admitted = admit_message(request, attempt, self.board, now)
        # What is refused counts, too: names and numbers are not to be tried out at any pace.
        if admitted is not EMERGENCY and not self._may_send(caller, now):
            admitted = TOO_FAST
        if isinstance(admitted, Refusal):
            self.finish(transaction, refusal_response(request, admitted), now)
            return
        text = self._text(request, attempt, admitted, transaction.flow, now)
        Submission(self, transaction, request, attempt, admitted, text).begin(now)

    def finish(self, transaction: "ServerTransaction", response: Response, now: float) -> None:
        """Answer the sender, and count it."""
        self.counts[str(response.status)] += 1
        transaction.respond(response, now)

    # What else happens

    def line_registered(self, user: str, now: float) -> None:
        """A line's bindings have changed."""
        self.waiting.line_registered(user, now)

    def line_removed(self, user: str) -> None:
        self.waiting.line_removed(user)

    def restore(self, state: Mapping[str, bytes], now: float) -> None:
        """What the journal kept; the bindings are known by now."""
        self.waiting.restore(state, now)

    # Steps

    def _text(self, request: Request, attempt: "Attempt", admitted: Admitted, flow: Flow, now: float) -> Text:
        """What a recipient here is told of the sender, and how, is what an INVITE would say."""
        board, line = self.board, admitted.line
        from_, to, fields = "", "", NO_FIELDS
        if line is not None:
            target = LineTarget(line, flow, "", None)
            written = invitation_for(admitted.admission, request, NO_BODY, target, attempt.caller, board)
            from_, to, fields = written.from_, written.to, written.fields
        hops = request.max_forwards
        body = body_of(request)
        sent_ms = board.clock.ms(now)
        return Text(
            id=f"{sent_ms:012x}-{board.tokens.tag()}",
            user=line.user if line is not None else "",
            sender=_sender_of(attempt.caller),
            from_=storable(from_),
            to=to,
            number=admitted.number,
            call_id=board.tokens.call_id(),
            max_forwards=MAX_FORWARDS - 1 if hops is None else max(hops - 1, 0),
            sent_ms=sent_ms,
            expires_ms=sent_ms + 1000 * kept_s(request),
            fields=_short(fields),
            body_fields=[(name, storable(value)) for name, value in body.headers],
            content=body.content,
        )

    def _may_send(self, caller: Caller, now: float) -> bool:
        sender = _sender_of(caller)
        pace = self._paces.get(sender)
        if pace is None:
            if len(self._paces) >= limits.SENDERS_MAX:
                self._paces.clear()
            is_line = isinstance(caller, LineCaller)
            per_second = limits.MESSAGES_PER_SECOND if is_line else limits.TRUNK_MESSAGES_PER_SECOND
            burst = limits.MESSAGES_BURST if is_line else limits.TRUNK_MESSAGES_BURST
            pace = self._paces[sender] = TokenBucket(per_second, burst, now)
        return pace.take(now)


def kept_s(request: Request) -> int:
    """For how long the sender wants it to count (RFC 3428 5, 10): 0 is now or never."""
    value = request.headers.get("expires")
    if value is None:
        return limits.KEPT_S_MAX
    try:
        return min(parse_delta_seconds(value), limits.KEPT_S_MAX)
    except SipParseError:
        return limits.KEPT_S_MAX


def _sender_of(caller: Caller) -> str:
    return caller.line.user if isinstance(caller, LineCaller) else f"{TRUNK_PACE}{caller.trunk.name}"


def _short(fields: Fields) -> Fields:
    """As many of them, in order, as may be kept."""
    kept: Fields = []
    left = limits.PASSED_CHARS_MAX
    for name, value in fields:
        left -= len(name) + len(value)
        if left < 0:
            break
        kept.append((storable(name), storable(value)))
    return kept
