"""Event notification as the exchange sees it: the packages wired together, and where SUBSCRIBE and PUBLISH go.

Whoever adds a package adds it to the table here. What legs do comes by way of switch/calls/line_calls.py.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from provisioning.model import Line
from switch.calls.switchboard import Switchboard
from switch.events.counts import EventCounts
from switch.events.dialogs import DIALOG, Dialogs
from switch.events.features import FEATURES, Features
from switch.events.lamps import Lamps
from switch.events.mailboxes import PACKAGE, PublishedMailboxes
from switch.events.message_summary import MessageSummary
from switch.events.notifier import Notifier
from switch.events.presence import Presence
from switch.events.publications import PRESENCE, Publications
from switch.events.registrations import Registrations
from switch.events.subscription import Subscription
from switch.sip.flow import Flow
from switch.sip.message import Request, Response

if TYPE_CHECKING:
    from switch.sip.stack import ServerTransaction

# Asks for the login of a request inside a dialog: the line's user, or the challenge.
Login = Callable[[Request, Flow, float], str | Response]


class Events:
    """One a process."""

    def __init__(self, board: Switchboard, login: Login) -> None:
        self.counts = EventCounts()
        self.mailboxes = PublishedMailboxes(board, self.counts)
        summary = MessageSummary(self.mailboxes, board.domain)
        self.publications = Publications(board, self.counts, self._presence_changed)
        self._board = board
        self._login = login
        packages = (
            Presence(self.publications, board.bindings, board.line_calls, board.domain),
            summary,
            Registrations(board.bindings, board.domain),
            Dialogs(board.line_calls, board.domain),
            Features(),
        )
        self.notifier = Notifier(board, packages, self.counts)
        self.lamps = Lamps(board, self.notifier, summary, self.counts)
        self.mailboxes.on_changed = self._mailbox_changed
        board.line_calls.on_changed = self.line_calls_changed

    def serve(
        self, transaction: "ServerTransaction", request: Request, line: Line, flow: Flow, now: float
    ) -> None:
        """SUBSCRIBE or PUBLISH outside a dialog, from a line that has proven who it is."""
        if request.method == "SUBSCRIBE":
            self.notifier.subscribe(transaction, request, line, flow, now)
        else:
            self.publications.publish(transaction, request, line, now)

    def serve_in_dialog(
        self, transaction: "ServerTransaction", request: Request, flow: Flow, now: float
    ) -> bool:
        """A request in a dialog that is no call's; False when it is no subscription's either.

        The tags prove enough from the host where that phone is; from elsewhere it must log in again.
        """
        subscription = self.notifier.find(request)
        if subscription is None:
            return False
        if not self._is_at_home(subscription, flow):
            verdict = self._login(request, flow, now)
            if isinstance(verdict, Response):
                transaction.respond(verdict, now)
                return True
            if verdict != subscription.watcher:
                return False
        self.notifier.on_request(transaction, request, subscription, flow, now)
        return True

    def line_registered(self, user: str, now: float) -> None:
        """A line's bindings have changed."""
        notifier = self.notifier
        if notifier.subscriptions:
            notifier.line_registered(user, now)
            notifier.changed("reg", user, now)
            notifier.changed(PRESENCE, user, now)
        self.lamps.line_registered(user, now)

    def line_calls_changed(self, user: str, now: float) -> None:
        """A call of a line that is watched began, rings, is up or has ended."""
        self.notifier.changed(DIALOG, user, now)
        self.notifier.changed(PRESENCE, user, now)

    def line_changed(self, user: str, now: float) -> None:
        """The books have it otherwise."""
        self.notifier.changed(FEATURES, user, now)
        line = self._board.books.lines.get(user)
        if line is not None and line.settings.divert_hint:
            self._mailbox_changed(user, now)

    def line_removed(self, user: str, now: float) -> None:
        self.publications.line_removed(user)
        self.mailboxes.line_removed(user)
        self.lamps.line_removed(user)
        self.notifier.line_removed(user, now)

    def restore(self, state: Mapping[str, bytes], now: float) -> None:
        """Before the first request: what the journal kept."""
        self.publications.restore(state, now)
        self.notifier.restore(state, now)

    @staticmethod
    def _is_at_home(subscription: Subscription, flow: Flow) -> bool:
        known = subscription.dialog.flow
        return flow.remote_host == known.remote_host

    def _mailbox_changed(self, user: str, now: float) -> None:
        self.notifier.changed(PACKAGE, user, now)
        self.lamps.changed(user, now)

    def _presence_changed(self, user: str, now: float) -> None:
        self.notifier.changed(PRESENCE, user, now)
