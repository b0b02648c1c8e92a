"""How many messages wait for each line, as the voicemail server last said: PUBLISH with Event: message-summary.

Taken from the voicemail server's own address and from nobody else (RFC 3903 asks who may publish; here it is one
machine's word to itself). Kept in memory only: voicemail tells every mailbox again when it starts and when the switch
has been away, so a journal would know nothing that is not told within a second. Expiry is not looked at, but for 0:
messages do not go away because nobody speaks of them.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from switch.calls.switchboard import USER_AGENT, Switchboard
from switch.events.counts import EventCounts
from switch.events.expiry import asked_expires_s
from switch.events.message_summary import CONTENT_TYPE, MessageCount
from switch.sip.event_fields import event_of
from switch.sip.media_types import content_type
from switch.sip.message import Request, Response, make_response
from switch.sip.uri import SipUri

if TYPE_CHECKING:
    from switch.sip.stack import ServerTransaction

PACKAGE: Final = "message-summary"
# RFC 3842 5.2 with every class of message and some headers; ours has a tenth of it.
SUMMARY_BYTES_MAX: Final = 1024
# A million messages are no mailbox.
_VOICE_MESSAGE: Final = re.compile(
    rb"(?im)^voice-message[ \t]*:[ \t]*([0-9]{1,6})/([0-9]{1,6})(?:[ \t]*\(([0-9]{1,6})/([0-9]{1,6})\))?[ \t]*\r?$"
)
_NO_MESSAGES: Final = re.compile(rb"(?i)^messages-waiting[ \t]*:[ \t]*no[ \t]*\r?\n")


def read_summary(body: bytes) -> MessageCount | None:
    """The voice messages of a simple-message-summary; None for what is none."""
    if len(body) > SUMMARY_BYTES_MAX:
        return None
    found = _VOICE_MESSAGE.search(body)
    if found is not None:
        return MessageCount(*(int(digits or b"0") for digits in found.groups()))
    return MessageCount(0, 0) if _NO_MESSAGES.match(body) else None


class PublishedMailboxes:
    """The counts by line: at most one for each line of the books. `on_changed(user, now)` is told of each change."""

    __slots__ = ("_board", "_count_of", "_counts", "on_changed")

    def __init__(self, board: Switchboard, counts: EventCounts) -> None:
        self._board = board
        self._counts = counts
        self._count_of: dict[str, MessageCount] = {}
        self.on_changed: Callable[[str, float], None] = _nobody

    def __len__(self) -> int:
        return len(self._count_of)

    def totals(self) -> tuple[int, int]:
        """(new, old) of all lines; another thread may ask."""
        counts = list(self._count_of.values())
        return sum(count.new for count in counts), sum(count.old for count in counts)

    def count(self, user: str) -> MessageCount | None:
        return self._count_of.get(user)

    def publish(self, transaction: "ServerTransaction", request: Request, now: float) -> None:
        """From the voicemail server."""
        response = self._published(request, now)
        self._counts.mailbox_publishes[str(response.status)] += 1
        transaction.respond(response, now)

    def line_removed(self, user: str) -> None:
        self._count_of.pop(user, None)

    def _published(self, request: Request, now: float) -> Response:
        event = event_of(request.headers)
        if event is None or event.package != PACKAGE:
            response = make_response(request, 489)
            response.headers.add("allow-events", PACKAGE)
            return response
        uri = request.request_uri
        user = uri.unescaped_user if isinstance(uri, SipUri) else ""
        if user not in self._board.books.lines:
            return make_response(request, 404)
        if content_type(request) != CONTENT_TYPE:
            response = make_response(request, 415)
            response.headers.add("accept", CONTENT_TYPE)
            return response
        count = read_summary(request.body)
        if count is None:
            return make_response(request, 400, "Not A Message Summary")
        expires_s = asked_expires_s(request)
        self._set(user, count if expires_s else None, now)
        response = make_response(request, 200)
        response.headers.add("sip-etag", self._board.tokens.tag())
        response.headers.add("expires", str(expires_s))
        response.headers.add("server", USER_AGENT)
        return response

    def _set(self, user: str, count: MessageCount | None, now: float) -> None:
        if count == self._count_of.get(user):
            return
        if count is None:
            del self._count_of[user]
        else:
            self._count_of[user] = count
        self.on_changed(user, now)


def _nobody(user: str, now: float) -> None:
    """Until somebody wants to know."""
