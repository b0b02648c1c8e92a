"""One subscription, as its notifier sees it (RFC 6665 4.2): a dialog, an expiry, and the NOTIFYs.

One NOTIFY is on its way at a time: what changes meanwhile is told when it is answered, once. The last one, which says
that it is over, waits for nobody. Left out: the pending state, as whoever may watch may do so at once.
"""

from typing import TYPE_CHECKING, Final

from switch.events.package import EventPackage
from switch.sip.dialog import Dialog
from switch.sip.event_fields import ENDS_SUBSCRIPTION, Event, SubscriptionState
from switch.sip.message import Response

if TYPE_CHECKING:
    from switch.events.notifier import Notifier
    from switch.sip.flow import Flow
    from switch.sip.stack import ClientTransaction
    from switch.sip.timers import Timer

# Subscription-State reasons (RFC 6665 4.1.3).
TIMEOUT: Final = "timeout"
REJECTED: Final = "rejected"
PROBATION: Final = "probation"
NO_RESOURCE: Final = "noresource"


class Subscription:
    """`watcher` and `resource` are users of lines. `is_at_binding`: the phone subscribed where it was registered."""

    __slots__ = (
        "_is_due",
        "_is_on_its_way",
        "_notifier",
        "_pause",
        "_sent_at",
        "_told",
        "dialog",
        "event",
        "expires_at",
        "expiry",
        "is_at_binding",
        "is_over",
        "notifies",
        "package",
        "resource",
        "watcher",
    )

    def __init__(
        self,
        notifier: "Notifier",
        *,
        watcher: str,
        resource: str,
        package: EventPackage,
        event: Event,
        dialog: Dialog,
        expires_at: float,
        is_at_binding: bool,
    ) -> None:
        self._notifier = notifier
        self.watcher = watcher
        self.resource = resource
        self.package = package
        self.event = event
        self.dialog = dialog
        self.expires_at = expires_at
        self.expiry: Timer | None = None
        self.is_at_binding = is_at_binding
        self.is_over = False
        self.notifies = 0
        self._is_on_its_way = False
        self._is_due = False
        self._pause: Timer | None = None
        self._sent_at = float("-inf")
        self._told = 0  # the state last told, as a hash

    @property
    def is_waiting(self) -> bool:
        """A NOTIFY is due, but there is no way to the phone at the moment, or the last one is not answered."""
        return self._is_due

    def notify(self, now: float) -> None:
        """Tell the state, at once or after the NOTIFY that is on its way."""
        self._stop_pause()
        flow = self._notifier.flow_of(self, now)
        if self._is_on_its_way or flow is None:
            self._is_due = True
            return
        self._is_due = False
        line = self._notifier.watched(self)
        if line is None:
            self._notifier.end(self, REJECTED, now)
            return
        state = SubscriptionState("active", expires_s=max(0, round(self.expires_at - now)))
        document = self.package.document(line, self.dialog.local_cseq, now)
        self._told = hash(self.package.document(line, 0, now))
        self._sent_at = now
        self._is_on_its_way = True
        self._send(state, document.content_type, document.content, flow, now)

    def notify_change(self, at: float, now: float) -> None:
        """Something may have changed: tell it at `at`, but no sooner than the package's interval allows."""
        if self._pause is not None or self._is_due:
            return
        wait_s = max(at, self._sent_at + self.package.interval_s) - now
        if wait_s > 0:
            self._pause = self._notifier.board.timers.start(now, wait_s, self._after_pause)
        else:
            self._after_pause(now)

    def restored(self, at: float, now: float) -> None:
        """The switch was away: whatever has changed, tell it at `at`."""
        self._pause = self._notifier.board.timers.start(now, at - now, self._after_restart)

    def say_goodbye(self, reason: str, retry_after_s: int | None, now: float) -> None:
        """The last NOTIFY, with the state where the subscription just ran out (a poll asks for nothing else)."""
        self._stop_pause()
        self.is_over = True
        flow = self._notifier.flow_of(self, now)
        if flow is None:
            return
        state = SubscriptionState("terminated", reason=reason, retry_after_s=retry_after_s)
        line = self._notifier.watched(self) if reason == TIMEOUT else None
        if line is None:
            self._send(state, "", b"", flow, now)
        else:
            document = self.package.document(line, self.dialog.local_cseq, now)
            self._send(state, document.content_type, document.content, flow, now)

    def expire(self, now: float) -> None:
        """Nobody has renewed it."""
        self.expiry = None
        self._notifier.end(self, TIMEOUT, now)

    def stop(self) -> None:
        """Nothing more is sent."""
        self._stop_pause()
        self.is_over = True

    # What becomes of a NOTIFY

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if response.status < 200:
            return
        self._is_on_its_way = False
        counts = self._notifier.counts
        if response.status < 300:
            counts.notifies["accepted"] += 1
            self.dialog.refresh_target(response.contact)
        else:
            counts.notifies["refused"] += 1
        if self.is_over:
            return
        if response.status in ENDS_SUBSCRIPTION:
            self._notifier.forget(self, "notify_refused")
        elif self._is_due:
            self.notify(now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        self._is_on_its_way = False
        self._notifier.counts.notifies["silence"] += 1
        if not self.is_over:
            self._notifier.forget(self, "notify_unanswered")

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        """A connection broke. The phone will register over a new one, and expects its lamps there."""
        self._is_on_its_way = False
        self._notifier.counts.notifies["unreachable"] += 1
        if self.is_over:
            return
        if self.is_at_binding and transaction.flow.is_reliable:
            self._is_due = True
        else:
            self._notifier.forget(self, "unreachable")

    def _send(
        self, state: SubscriptionState, content_type: str, content: bytes, flow: "Flow", now: float
    ) -> None:
        board = self._notifier.board
        self.dialog.flow = flow
        notify = self.dialog.create_request("NOTIFY", contact=board.contact_of(flow))
        headers = notify.headers
        headers.add("event", str(self.event))
        headers.add("subscription-state", str(state))
        if content:
            headers.add("content-type", content_type)
            notify.body = content
        self.notifies += 1
        board.stack.send_request(notify, flow, self, now)

    def _after_pause(self, now: float) -> None:
        """Most registrations are renewed as they were: what says nothing new is not said."""
        self._pause = None
        if self._is_on_its_way:
            self._is_due = True
            return
        line = self._notifier.watched(self)
        if line is None or hash(self.package.document(line, 0, now)) != self._told:
            self.notify(now)

    def _after_restart(self, now: float) -> None:
        self._pause = None
        self._notifier.keep(self, now)
        self.notify(now)

    def _stop_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
