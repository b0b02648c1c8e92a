"""The lamps of phones that never subscribe to their mailbox: NOTIFY without a subscription.

Many phones expect it, and RFC 3842 leaves it to who is deployed. It goes to each registered phone of a line whose
mailbox is known, right after a change and after the phone has registered anew, unless that phone has a subscription to
its mailbox: then the notifier tells it. A phone that refuses (481, as RFC 6665 asks, 405, 489) is not asked again
until it registers anew; one that says nothing is told at the next change. One NOTIFY to a phone is on its way at a
time, no more than one a second, and all of them together share the pace of the notifier.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.switchboard import Switchboard
from switch.events.counts import EventCounts
from switch.events.mailboxes import PACKAGE
from switch.events.message_summary import CONTENT_TYPE, MessageSummary
from switch.registrar.bindings import Binding
from switch.sip.headers import Headers
from switch.sip.message import Request, Response
from switch.sip.uri import escape_user

if TYPE_CHECKING:
    from switch.events.notifier import Notifier
    from switch.sip.stack import ClientTransaction
    from switch.sip.timers import Timer

# Phones that subscribe do so within a moment of their registration, and need nothing else then.
SETTLE_S: Final = 2.0


class Lamps:
    """Owner of what is known of each phone's lamp: one for each binding of the lines that have something to say."""

    __slots__ = ("_of_line", "_package", "board", "counts", "notifier")

    def __init__(
        self, board: Switchboard, notifier: "Notifier", package: MessageSummary, counts: EventCounts
    ) -> None:
        self.board = board
        self.notifier = notifier
        self.counts = counts
        self._package = package
        self._of_line: dict[str, dict[Binding, Lamp]] = {}

    def __len__(self) -> int:
        return sum(map(len, list(self._of_line.values())))

    def changed(self, user: str, now: float) -> None:
        """Tell every phone of the line."""
        self._take_stock(user, now)
        for lamp in self._of_line.get(user, {}).values():
            lamp.tell(self.notifier.next_turn(now), now)

    def line_registered(self, user: str, now: float) -> None:
        """The line's bindings have changed: who is new, or has started anew, is told after a moment."""
        for lamp in self._take_stock(user, now):
            lamp.tell(max(self.notifier.next_turn(now), now + SETTLE_S), now)

    def line_removed(self, user: str) -> None:
        for lamp in self._of_line.pop(user, {}).values():
            lamp.stop()

    def document(self, user: str, now: float) -> bytes | None:
        """What there is to say; None when the line has no lamp any more."""
        line = self.board.books.lines.get(user)
        if line is None or not self._package.has_lamp(line):
            return None
        return self._package.document(line, 0, now).content

    def _take_stock(self, user: str, now: float) -> list["Lamp"]:
        """The lamps of the line's bindings as they are now; those that are new."""
        line = self.board.books.lines.get(user)
        if line is None or not self._package.has_lamp(line):
            self.line_removed(user)
            return []
        live = self.board.bindings.of(user, now)
        lamps = self._of_line.pop(user, {})
        for binding in [known for known in lamps if known not in live]:
            lamps.pop(binding).stop()
        fresh = []
        for binding in live:
            lamp = lamps.get(binding)
            if lamp is None or lamp.call_id != binding.call_id:
                if lamp is not None:
                    lamp.stop()
                lamp = lamps[binding] = Lamp(self, binding)
                fresh.append(lamp)
        if lamps:
            self._of_line[user] = lamps
        return fresh


class Lamp:
    """One registration of a phone. `call_id` is that of its REGISTERs: a phone that starts anew has another."""

    __slots__ = ("_binding", "_is_due", "_is_on_its_way", "_is_refused", "_lamps", "_sent", "_timer", "_told",
                 "_told_at", "call_id")  # fmt: skip

    def __init__(self, lamps: Lamps, binding: Binding) -> None:
        self._lamps = lamps
        self._binding = binding
        self.call_id = binding.call_id
        self._timer: Timer | None = None
        self._is_on_its_way = False
        self._is_due = False
        self._is_refused = False
        self._told: bytes | None = None
        self._sent = b""
        self._told_at = float("-inf")

    def tell(self, at: float, now: float) -> None:
        """The state, at `at` or as soon as the one before it is answered."""
        if self._is_refused or self._timer is not None:
            return
        if self._is_on_its_way:
            self._is_due = True
            return
        wait_s = max(at, self._told_at + MessageSummary.interval_s) - now
        if wait_s > 0:
            self._timer = self._lamps.board.timers.start(now, wait_s, self._on_turn)
        else:
            self._send(now)

    def stop(self) -> None:
        """Nothing more is sent."""
        self._is_refused = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_turn(self, now: float) -> None:
        self._timer = None
        self._send(now)

    def _send(self, now: float) -> None:
        lamps, binding = self._lamps, self._binding
        content = lamps.document(binding.user, now)
        if content is None or content == self._told or binding.expires_at <= now or not binding.is_callable:
            return
        if lamps.notifier.is_told_at(PACKAGE, binding.user, binding.flow, now):
            return
        self._is_on_its_way = True
        self._told_at = now
        self._sent = content
        lamps.board.stack.send_request(self._notify(content), binding.flow, self, now)

    def _notify(self, content: bytes) -> Request:
        board, binding = self._lamps.board, self._binding
        account = f"<sip:{escape_user(binding.user)}@{board.domain}>"
        headers = Headers()
        for hop in binding.path:
            headers.add("route", hop)
        headers.add("max-forwards", "70")
        headers.add("from", f"{account};tag={board.tokens.tag()}")
        headers.add("to", account)
        headers.add("call-id", board.tokens.call_id())
        headers.add("cseq", "1 NOTIFY")
        headers.add("contact", board.contact_of(binding.flow))
        headers.add("event", PACKAGE)
        # There is no subscription that could be active.
        headers.add("subscription-state", "terminated")
        headers.add("content-type", CONTENT_TYPE)
        return Request("NOTIFY", binding.contact, headers, content)

    # What becomes of it

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if response.status < 200:
            return
        if response.status < 300:
            self._told = self._sent
            self._done("accepted", now)
        else:
            self._is_refused = True
            self._done("refused", now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        self._done("silence", now)

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        self._done("unreachable", now)

    def _done(self, result: str, now: float) -> None:
        self._is_on_its_way = False
        self._lamps.counts.lamps[result] += 1
        if self._is_due:
            self._is_due = False
            self.tell(now, now)
