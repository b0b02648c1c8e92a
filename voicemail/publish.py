"""How many messages wait, told to the switch: PUBLISH with Event: message-summary (RFC 3903 4, RFC 3842 3.5).

The switch keeps the counts in memory only. So each mailbox is told after every change, all of them at the start, and
all of them again to another life of the switch: it asks by OPTIONS all the time whether we are there, and the Call-ID
of these is one for its whole life. Pure but for the stack: `now` comes in.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from switch.sip.flow import Flow
from switch.sip.headers import Headers
from switch.sip.host import host_port
from switch.sip.message import Request, Response
from switch.sip.timers import Timer, TimerQueue
from switch.sip.tokens import Tokens
from switch.sip.uri import escape_user
from voicemail.counts import VoicemailCounts
from voicemail.mailbox import Counts

if TYPE_CHECKING:
    from switch.sip.stack import ClientTransaction, Stack

CONTENT_TYPE: Final = "application/simple-message-summary"
EXPIRES_S: Final = 3600
# The switch is on this machine: what it has not answered by now it will not.
ANSWER_WAIT_S: Final = 3.0
# At most so many at once, so that a start with ten thousand mailboxes is no burst.
UNANSWERED_MAX: Final = 20
# One mailbox each so often when there is nothing to tell: what mends a count that the switch refused. Each leaves a
# transaction there for half a minute.
ROUND_S: Final = 60.0


class Publisher:
    """`changed(user)` when a count may have changed; `counts_of` is asked when it is told, in the loop."""

    __slots__ = (
        "_contact_host",
        "_counts",
        "_flow",
        "_known",
        "_life",
        "_pending",
        "_switch",
        "_timers",
        "_tokens",
        "_unanswered",
        "_user_agent",
        "is_away",
        "stack",
    )

    def __init__(
        self,
        flow: Flow,
        *,
        own_host: str,
        tokens: Tokens,
        timers: TimerQueue,
        counts: VoicemailCounts,
        user_agent: str,
    ) -> None:
        """`flow` is the way to the switch, `user_agent` tells it which life of ours speaks."""
        self.stack: Stack
        self._flow = flow
        self._switch = host_port(flow.remote_host, flow.remote_port)
        self._contact_host = own_host
        self._tokens = tokens
        self._timers = timers
        self._counts = counts
        self._user_agent = user_agent
        self._life = ""  # the switch's
        # What was last known of each mailbox, the one told longest ago first.
        self._known: OrderedDict[str, Counts] = OrderedDict()
        self._pending: OrderedDict[str, None] = OrderedDict()
        self._unanswered: dict[str, _Told] = {}
        self.is_away = False

    @property
    def mailboxes(self) -> int:
        return len(self._known)

    def totals(self) -> tuple[int, int]:
        """(new, old) of all mailboxes."""
        return sum(each.new for each in self._known.values()), sum(each.old for each in self._known.values())

    def start(self, now: float) -> None:
        self._timers.start(now, ROUND_S, self._next_round)

    def found(self, user: str, counts: Counts, now: float) -> None:
        """What the disk says now; told if it differs, or if nothing was told yet."""
        if self._known.get(user) != counts or user in self._unanswered:
            self._known[user] = counts
            self._pending[user] = None
            self._tell(now)

    def heard_switch(self, life: str, now: float) -> None:
        """It has asked whether we are there; `life` is another one after each of its starts."""
        if life != self._life:
            # The first to speak is the one that is being told of everything anyway.
            if self._life:
                self._pending.update(dict.fromkeys(self._known))
            self._life = life
        self._tell(now)

    def _next_round(self, now: float) -> None:
        self._timers.start(now, ROUND_S, self._next_round)
        if not self._pending and not self._unanswered and self._known:
            self._pending[next(iter(self._known))] = None
        self._tell(now)

    def _tell(self, now: float) -> None:
        """While the switch is away, one at a time asks whether it is back."""
        allowed = 1 if self.is_away else UNANSWERED_MAX
        for user in list(self._pending):
            if len(self._unanswered) >= allowed:
                return
            if user in self._unanswered:
                continue  # its answer first, so that an older count cannot overtake a newer one
            del self._pending[user]
            self._known.move_to_end(user)
            told = _Told(self, user)
            self._unanswered[user] = told
            told.timer = self._timers.start(now, ANSWER_WAIT_S, told.give_up)
            self.stack.send_request(self._request(user, self._known[user]), self._flow, told, now)

    def _request(self, user: str, counts: Counts) -> Request:
        uri = f"sip:{escape_user(user)}@{self._switch}"
        headers = Headers(
            (
                ("Max-Forwards", "70"),
                ("From", f"<sip:voicemail@{self._contact_host}>;tag={self._tokens.tag()}"),
                ("To", f"<{uri}>"),
                ("Call-ID", self._tokens.call_id()),
                ("CSeq", "1 PUBLISH"),
                ("User-Agent", self._user_agent),
                ("Event", "message-summary"),
                ("Expires", str(EXPIRES_S)),
                ("Content-Type", CONTENT_TYPE),
            )
        )
        return Request("PUBLISH", uri, headers, summary(uri, counts))

    def answered(self, told: _Told, status: int, now: float) -> None:
        if not self._take(told):
            return
        if status >= 500:
            self._counts.lamp("refused")
            self._went_away(told.user)
            return
        self._counts.lamp("delivered" if status < 300 else "refused")
        if self.is_away:
            self.is_away = False
            self._pending.update(dict.fromkeys(self._known))
        self._tell(now)

    def unanswered(self, told: _Told, now: float) -> None:
        if self._take(told):
            self._counts.lamp("unanswered")
            self._went_away(told.user)

    def _take(self, told: _Told) -> bool:
        """False for one that was given up: its late answer says nothing of the one that followed it."""
        if self._unanswered.get(told.user) is not told:
            return False
        del self._unanswered[told.user]
        return True

    def _went_away(self, user: str) -> None:
        self.is_away = True
        self._pending[user] = None


class _Told:
    """One PUBLISH on its way. Implements switch.sip.user.ClientUser."""

    __slots__ = ("_publisher", "timer", "user")

    def __init__(self, publisher: Publisher, user: str) -> None:
        self._publisher = publisher
        self.user = user
        self.timer: Timer | None = None

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if response.status >= 200:
            self._stop()
            self._publisher.answered(self, response.status, now)

    def on_timeout(self, transaction: ClientTransaction, now: float) -> None:
        self.give_up(now)

    def on_transport_error(self, transaction: ClientTransaction, now: float) -> None:
        self.give_up(now)

    def give_up(self, now: float) -> None:
        self._stop()
        self._publisher.unanswered(self, now)

    def _stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


def summary(account: str, counts: Counts) -> bytes:
    """The body (RFC 3842 5.2)."""
    return (
        f"Messages-Waiting: {'yes' if counts.new else 'no'}\r\n"
        f"Message-Account: {account}\r\n"
        f"Voice-Message: {counts.new}/{counts.old} ({counts.new_urgent}/{counts.old_urgent})\r\n"
    ).encode()
