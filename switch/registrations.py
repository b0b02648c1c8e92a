"""What a REGISTER comes to, and where phones are kept: the registrar's answer, the journal, the calls of a phone that
has another connection.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from switch.calls.attempt import is_for_us
from switch.registrar.bindings import RegistrarLimits
from switch.registrar.pings import PingLimits
from switch.registrar.stored_bindings import decode_bindings, encode_bindings
from switch.sip.message import Request, make_response

if TYPE_CHECKING:
    from switch.calls.switchboard import Put, Switchboard
    from switch.config import Conf
    from switch.events.service import Events
    from switch.keepalive import Keepalive
    from switch.messaging.service import Messaging
    from switch.registrar.bindings import Binding
    from switch.registrar.registrar import Registrar
    from switch.registration_events import RegistrationEvents
    from switch.sip.flow import Flow
    from switch.sip.stack import ServerTransaction

BINDING_KEY: Final = "b/"


class Registrations:
    """One an exchange."""

    __slots__ = ("_bindings", "_board", "_events", "_history", "_keepalive", "_messaging", "_registrar")

    def __init__(
        self,
        board: "Switchboard",
        registrar: "Registrar",
        keepalive: "Keepalive",
        events: "Events",
        messaging: "Messaging",
        history: "RegistrationEvents",
    ) -> None:
        self._board = board
        self._bindings = board.bindings
        self._registrar = registrar
        self._keepalive = keepalive
        self._events = events
        self._messaging = messaging
        self._history = history

    def restore(self, state: Mapping[str, bytes], now: float) -> None:
        """What the journal kept of them lives on."""
        offset_ms = _offset_ms(self._board)
        expired: list[Binding] = []
        for key, value in state.items():
            if key.startswith(BINDING_KEY):
                kept = decode_bindings(key[len(BINDING_KEY) :], value, offset_ms)
                expired += [binding for binding in kept if binding.expires_at <= now]
                for binding in self._bindings.restore(kept, now):
                    self._keepalive.watch(binding, now)
        self._history.restore(state, expired, now)

    def take_over(self, conf: "Conf") -> None:
        self._bindings.limits = self._registrar.limits = registrar_limits(conf)
        self._keepalive.schedule.limits = ping_limits(conf)

    def register(
        self, transaction: "ServerTransaction", request: Request, user: str, flow: "Flow", now: float
    ) -> None:
        """By a phone of the line, which has logged in."""
        board = self._board
        if not is_for_us(request, board):
            response = make_response(request, 404)
            self._history.refused.note(response.reason, user, request, flow, now)
        else:
            if self._bindings.gone:
                self._history.take_gone(now)
            lost = [b.flow for b in self._bindings.of(user, now) if b.is_dead and b.flow.is_reliable]
            result = self._registrar.register(request, user, flow, now)
            if lost and board.of_line[user]:
                self._take_calls_along(user, lost, flow, now)
            response = make_response(request, result.status, result.reason)
            for name, value in result.headers:
                response.headers.add(name, value)
            self._history.registered(result, user, request, flow, now)
            if result.changed:
                self._record(user, now)
        board.counts.registrations[str(response.status)] += 1
        transaction.respond(response, now)

    def expire(self, now: float) -> "list[Put]":
        """What the journal has to know of the bindings whose time is over."""
        puts = []
        for user in self._bindings.expire(now):
            puts.append(binding_put(self._board, user, now))
            self._events.line_registered(user, now)
        return puts

    def remove(self, user: str, now: float) -> None:
        """The line is gone."""
        if self._bindings.remove_user(user):
            self._board.record([(BINDING_KEY + user, None)])
        self._history.line_removed(user, now)

    def flow_lost(self, flow: "Flow", now: float) -> None:
        """Its phones are dead until they register again; one that has another connection goes on by that."""
        for binding in self._bindings.flow_lost(flow):
            self._go_on_by_other_flow(binding, now)

    def _take_calls_along(self, user: str, lost: "list[Flow]", flow: "Flow", now: float) -> None:
        """A phone that registered over a new connection in place of a lost one is reached there in its calls, too."""
        left = {binding.flow for binding in self._bindings.of(user, now)}
        replaced = [old for old in lost if old not in left]
        for leg in self._board.legs.values():
            if leg.flow in replaced:
                leg.move(flow)

    def _go_on_by_other_flow(self, lost: "Binding", now: float) -> None:
        """The calls of a phone that has another connection; behind a proxy the flow is everybody's and says nothing."""
        other = self._bindings.other_flow(lost, now)
        if other is None or lost.path:
            return
        for leg in self._board.legs.values():
            if leg.flow == lost.flow:
                leg.move(other)

    def _record(self, user: str, now: float) -> None:
        self._board.record([binding_put(self._board, user, now)])
        self._events.line_registered(user, now)
        self._messaging.line_registered(user, now)


def binding_put(board: "Switchboard", user: str, now: float) -> "Put":
    """What the journal keeps of a line's phones."""
    live = board.bindings.of(user, now)
    return BINDING_KEY + user, encode_bindings(live, _offset_ms(board)) if live else None


def _offset_ms(board: "Switchboard") -> int:
    return int(board.clock.offset_s * 1000)


def registrar_limits(conf: "Conf") -> RegistrarLimits:
    settings = conf.registrar
    return RegistrarLimits(
        min_expires_s=settings.min_expires_s,
        max_expires_s=settings.max_expires_s,
        default_expires_s=settings.max_expires_s,
        expires_jitter_percent=settings.expires_jitter_percent,
        bindings_per_aor_max=settings.bindings_per_aor_max,
    )


def ping_limits(conf: "Conf") -> PingLimits:
    settings = conf.registrar
    return PingLimits(settings.ping_interval_s, settings.ping_rate_max, settings.ping_failures_max)
