"""The notifier of RFC 6665 4.2: every subscription to this exchange, and what SUBSCRIBE asks of it.

A SUBSCRIBE outside a dialog begins a subscription, one inside renews or ends it. Refusals come in a fixed order: not
here (404), no such package (489), no document that the phone can read (406), not yours to watch (403), too brief (423),
no way back (400), full (503). The line has been authenticated before. What is kept is in the journal, too (stored.py).
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec

from provisioning.model import Line
from provisioning.storable import storable
from switch.calls.attempt import is_for_us
from switch.calls.call_records import storable_state
from switch.calls.own_answers import answer_options, refuse_extensions
from switch.calls.switchboard import USER_AGENT, Switchboard
from switch.events import limits
from switch.events.addressing import line_named
from switch.events.counts import EventCounts
from switch.events.expiry import asked_expires_s, too_brief
from switch.events.package import EventPackage
from switch.events.stored import SUBSCRIPTION_KEY, StoredSubscription, decode_subscription, encode
from switch.events.subscription import NO_RESOURCE, PROBATION, REJECTED, TIMEOUT, Subscription
from switch.sip.dialog import Dialog
from switch.sip.errors import SipParseError
from switch.sip.event_fields import Event, event_of
from switch.sip.flow import Flow
from switch.sip.media_types import accepts
from switch.sip.message import Request, Response, make_response
from switch.sip.uri import SipUri

if TYPE_CHECKING:
    from switch.sip.stack import ServerTransaction

K = TypeVar("K")


class Notifier:
    """Owner of all subscriptions. Found by dialog, by the line that watches, and by what is watched."""

    def __init__(self, board: Switchboard, packages: Iterable[EventPackage], counts: EventCounts) -> None:
        self.board = board
        self.counts = counts
        self.packages: dict[str, EventPackage] = {package.name: package for package in packages}
        self.subscriptions: dict[tuple[str, str], Subscription] = {}
        self.of_package = dict.fromkeys(self.packages, 0)  # how many; another thread may ask
        # Of a line, the one that was renewed longest ago first.
        self._of_watcher: dict[str, dict[Subscription, None]] = {}
        self._watching: dict[tuple[str, str], dict[Subscription, None]] = {}
        self._free_at = 0.0  # when the next of the changes that many are told may go out

    @property
    def allow_events(self) -> str:
        return ", ".join(self.packages)

    # SUBSCRIBE

    def subscribe(
        self, transaction: "ServerTransaction", request: Request, line: Line, flow: Flow, now: float
    ) -> None:
        """A SUBSCRIBE outside a dialog, from a line that has proven who it is. Raises SipParseError."""
        refused = self._refusal(request, line)
        if isinstance(refused, Response):
            self._answer(transaction, refused, now)
            return
        package, event, resource = refused
        expires_s = asked_expires_s(request)
        brief = too_brief(request, expires_s)
        if brief is not None:
            self._answer(transaction, brief, now)
            return
        dialog = _dialog_for(request, self.board.tokens.tag(), flow)
        if expires_s and len(self.subscriptions) >= limits.SUBSCRIPTIONS_MAX:
            full = make_response(request, 503)
            full.headers.add("retry-after", str(limits.RETRY_AFTER_S))
            self._answer(transaction, full, now)
            return
        subscription = Subscription(
            self,
            watcher=line.user,
            resource=resource.user,
            package=package,
            event=event,
            dialog=dialog,
            expires_at=now + expires_s,
            is_at_binding=self._is_binding(line.user, flow, now),
        )
        self._accept(transaction, request, subscription, expires_s, now)
        if expires_s:
            self._make_room(line.user, now)
            self._add(subscription)
            self._renew(subscription, expires_s, now)
            subscription.notify(now)
        else:
            subscription.say_goodbye(TIMEOUT, None, now)  # a poll (4.4.3)

    def find(self, request: Request) -> Subscription | None:
        """The subscription whose dialog an in-dialog request belongs to: all three ids must match."""
        found = self.subscriptions.get((request.call_id, request.to_tag or ""))
        return found if found is not None and found.dialog.remote_tag == request.from_tag else None

    def on_request(
        self,
        transaction: "ServerTransaction",
        request: Request,
        subscription: Subscription,
        flow: Flow,
        now: float,
    ) -> None:
        """A request in the dialog of a subscription, from where that phone is. Raises SipParseError."""
        status = subscription.dialog.accept_request(request)
        if status is not None:
            transaction.respond(make_response(request, status), now)
        elif (refused := refuse_extensions(request)) is not None:
            transaction.respond(refused, now)
        elif request.method == "SUBSCRIBE":
            self._resubscribe(transaction, request, subscription, flow, now)
        elif request.method == "OPTIONS":
            transaction.respond(answer_options(request), now)
        else:
            transaction.respond(make_response(request, 481), now)  # no call is in this dialog

    def _resubscribe(
        self,
        transaction: "ServerTransaction",
        request: Request,
        subscription: Subscription,
        flow: Flow,
        now: float,
    ) -> None:
        event = event_of(request.headers)
        if event != subscription.event:
            # 4.5.2: a dialog is not shared; what else is to be watched gets one of its own.
            self._answer(transaction, make_response(request, 403, "One Subscription For Each Dialog"), now)
            return
        expires_s = asked_expires_s(request)
        brief = too_brief(request, expires_s)
        if brief is not None:
            self._answer(transaction, brief, now)
            return
        contact = request.contact
        if contact is not None and len(contact.uri) <= limits.DIALOG_CHARS_MAX:
            subscription.dialog.refresh_target(contact)
        subscription.dialog.flow = flow
        subscription.is_at_binding = self._is_binding(subscription.watcher, flow, now)
        self._accept(transaction, request, subscription, expires_s, now)
        if expires_s:
            self._renew(subscription, expires_s, now)
            subscription.notify(now)
        else:
            self.end(subscription, TIMEOUT, now)

    def _refusal(self, request: Request, line: Line) -> Response | tuple[EventPackage, Event, Line]:
        if not is_for_us(request, self.board):
            return make_response(request, 404)
        event = event_of(request.headers)
        package = self.packages.get(event.package) if event is not None else None
        if event is None or package is None:
            response = make_response(request, 489)
            response.headers.add("allow-events", self.allow_events)
            return response
        if not accepts(request, package.content_type):
            response = make_response(request, 406)
            response.headers.add("accept", package.content_type)
            return response
        resource = line_named(request, self.board)
        if resource is None or not package.may_watch(line, resource):
            # One answer for a stranger's line and for no line: who exists is nobody else's business.
            return make_response(request, 403, "Not Yours To Watch")
        return package, event, resource

    def _accept(
        self,
        transaction: "ServerTransaction",
        request: Request,
        subscription: Subscription,
        expires_s: int,
        now: float,
    ) -> None:
        dialog = subscription.dialog
        response = make_response(request, 200, to_tag=dialog.local_tag)
        response.headers.add("contact", self.board.contact_of(dialog.flow))
        response.headers.add("expires", str(expires_s))
        response.headers.add("allow-events", self.allow_events)
        response.headers.add("server", USER_AGENT)
        self._answer(transaction, response, now)

    def _answer(self, transaction: "ServerTransaction", response: Response, now: float) -> None:
        self.counts.subscribes[str(response.status)] += 1
        transaction.respond(response, now)

    # The tables

    def _add(self, subscription: Subscription) -> None:
        dialog = subscription.dialog
        self.subscriptions[(dialog.call_id, dialog.local_tag)] = subscription
        self._of_watcher.setdefault(subscription.watcher, {})[subscription] = None
        self.of_package[subscription.package.name] += 1
        if subscription.package.follows_calls:
            self.board.line_calls.watch(subscription.resource)
        place = (subscription.package.name, subscription.resource)
        self._watching.setdefault(place, {})[subscription] = None

    def _remove(self, subscription: Subscription) -> None:
        dialog = subscription.dialog
        del self.subscriptions[(dialog.call_id, dialog.local_tag)]
        self.of_package[subscription.package.name] -= 1
        if subscription.package.follows_calls:
            self.board.line_calls.unwatch(subscription.resource)
        _discard(self._of_watcher, subscription.watcher, subscription)
        _discard(self._watching, (subscription.package.name, subscription.resource), subscription)
        if subscription.expiry is not None:
            subscription.expiry.cancel()
            subscription.expiry = None
        self.board.record([(SUBSCRIPTION_KEY + dialog.local_tag, None)])

    def _renew(self, subscription: Subscription, expires_s: float, now: float) -> None:
        """From now on for so long."""
        if subscription.expiry is not None:
            subscription.expiry.cancel()
        subscription.expires_at = now + expires_s
        subscription.expiry = self.board.timers.start(now, expires_s, subscription.expire)
        of_watcher = self._of_watcher[subscription.watcher]
        del of_watcher[subscription]  # to the end: the others were renewed longer ago
        of_watcher[subscription] = None
        self.keep(subscription, now)

    def _make_room(self, user: str, now: float) -> None:
        """At the limit the one renewed longest ago ends: most likely its phone has forgotten it. To refuse the new
        one instead would lock out the phone that has just come back."""
        of_watcher = self._of_watcher.get(user, {})
        if len(of_watcher) >= limits.SUBSCRIPTIONS_PER_LINE_MAX:
            self.end(next(iter(of_watcher)), PROBATION, now, retry_after_s=limits.PROBATION_S)

    def end(
        self, subscription: Subscription, reason: str, now: float, *, retry_after_s: int | None = None
    ) -> None:
        """Over, and the phone is told so."""
        self._remove(subscription)
        self.counts.subscriptions_ended[reason] += 1
        subscription.say_goodbye(reason, retry_after_s, now)

    def forget(self, subscription: Subscription, reason: str) -> None:
        """Over, and there is nobody to tell."""
        self._remove(subscription)
        self.counts.subscriptions_ended[reason] += 1
        subscription.stop()

    # What has changed

    def changed(self, package: str, resource: str, now: float) -> None:
        """The state of a resource may be another: its watchers are told, in turn."""
        for subscription in tuple(self._watching.get((package, resource), ())):
            subscription.notify_change(self.next_turn(now), now)

    def line_registered(self, user: str, now: float) -> None:
        """A phone of this line came back: what could not be told it is told now."""
        for subscription in tuple(self._of_watcher.get(user, ())):
            if subscription.is_waiting:
                subscription.notify(now)

    def line_removed(self, user: str, now: float) -> None:
        """Its own subscriptions end, and those to it."""
        for subscription in tuple(self._of_watcher.get(user, ())):
            self.end(subscription, REJECTED, now)
        for name in self.packages:
            for subscription in tuple(self._watching.get((name, user), ())):
                self.end(subscription, NO_RESOURCE, now)

    def watched(self, subscription: Subscription) -> Line | None:
        """The line that is watched, as long as the watcher may."""
        lines = self.board.books.lines
        watcher, resource = lines.get(subscription.watcher), lines.get(subscription.resource)
        if watcher is None or resource is None or not subscription.package.may_watch(watcher, resource):
            return None
        return resource

    def next_turn(self, now: float) -> float:
        """When the next of what many are told may go out."""
        at = max(now, self._free_at)
        self._free_at = at + 1 / limits.NOTIFY_RATE_MAX
        return at

    # Where phones are

    def is_told_at(self, package: str, resource: str, flow: Flow, now: float) -> bool:
        """Whether a subscription to this tells the phone at this flow."""
        subscriptions = self._watching.get((package, resource), ())
        return any(self.flow_of(subscription, now) == flow for subscription in subscriptions)

    def flow_of(self, subscription: Subscription, now: float) -> Flow | None:
        """Where its NOTIFYs go: where the SUBSCRIBE came from, or, if that phone has moved with its registration, to
        its new place. None while a connection is lost and the phone has not come back."""
        flow = subscription.dialog.flow
        if not subscription.is_at_binding:
            return flow
        live = [
            binding for binding in self.board.bindings.of(subscription.watcher, now) if not binding.is_dead
        ]
        if any(binding.flow == flow for binding in live):
            return flow
        target = subscription.dialog.remote_target
        at_home = [binding for binding in live if binding.flow.remote_host == flow.remote_host]
        for chosen in ([binding for binding in live if binding.contact == target], at_home, live):
            if len(chosen) == 1:
                return chosen[0].flow
        return None if flow.is_reliable else flow

    def _is_binding(self, user: str, flow: Flow, now: float) -> bool:
        return any(binding.flow == flow for binding in self.board.bindings.of(user, now))

    # The journal

    def keep(self, subscription: Subscription, now: float) -> None:
        """Write it down as it is."""
        state = storable_state(subscription.dialog)
        event_id = subscription.event.id
        stored = StoredSubscription(
            subscription.watcher,
            subscription.resource,
            subscription.package.name,
            None if event_id is None else storable(event_id),
            state,
            self.board.clock.ms(subscription.expires_at),
            subscription.is_at_binding,
        )
        self.board.record([(SUBSCRIPTION_KEY + state.local_tag, encode(stored))])

    def restore(self, state: Mapping[str, bytes], now: float) -> None:
        """Take over what the journal kept. Everybody is told the state again, in turn, and each row is written again
        when its NOTIFY goes out. A wall clock that was set back must not make one eternal."""
        for key, value in state.items():
            if not key.startswith(SUBSCRIPTION_KEY):
                continue
            stored = decode_subscription(value)
            package = self.packages.get(stored.package) if stored is not None else None
            left_s = 0.0 if stored is None else self._left_s(stored.expires_ms, now)
            if stored is None or package is None or left_s <= 0:
                self.board.record([(key, None)])
                continue
            number = stored.dialog.local_cseq + limits.CSEQ_AFTER_RESTART
            subscription = Subscription(
                self,
                watcher=stored.watcher,
                resource=stored.resource,
                package=package,
                event=Event(stored.package, stored.event_id),
                dialog=Dialog.from_state(msgspec.structs.replace(stored.dialog, local_cseq=number)),
                expires_at=now + left_s,
                is_at_binding=stored.is_at_binding,
            )
            self._add(subscription)
            subscription.expiry = self.board.timers.start(now, left_s, subscription.expire)
            subscription.restored(self.next_turn(now), now)

    def _left_s(self, expires_ms: int, now: float) -> float:
        return min((expires_ms - self.board.clock.ms(now)) / 1000, limits.EXPIRES_MAX_S)


def _dialog_for(request: Request, local_tag: str, flow: Flow) -> Dialog:
    """Raises SipParseError (400) without a Contact that a NOTIFY can be sent to, or with more text than is kept."""
    dialog = Dialog.from_request(request, local_tag, flow)
    contact = request.contact
    if contact is None or not isinstance(contact.parsed_uri, SipUri):
        raise SipParseError(400, "Contact Is No SIP URI", request)
    texts = (dialog.call_id, dialog.remote_tag or "", dialog.local, dialog.remote, dialog.remote_target)
    if sum(map(len, (*texts, *dialog.route_set))) > limits.DIALOG_CHARS_MAX:
        raise SipParseError(400, "Addresses Too Long", request)
    dialog.is_early = False
    return dialog


def _discard(table: dict[K, dict[Subscription, None]], key: K, subscription: Subscription) -> None:
    found = table[key]
    del found[subscription]
    if not found:
        del table[key]
