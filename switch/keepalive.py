"""OPTIONS pings on the wire: sent to whom the schedule says, and its answers reported back.

The schedule decides (switch/registrar/pings.py); any response is a sign of life, silence or an unreachable address is a
failure.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from switch.registrar.bindings import Binding
from switch.registrar.pings import PingSchedule
from switch.sip.flow import Flow
from switch.sip.headers import Headers
from switch.sip.message import Request, Response
from switch.sip.tokens import Tokens

if TYPE_CHECKING:
    from switch.sip.stack import ClientTransaction, Stack


class _Names(Protocol):
    @property
    def domain(self) -> str: ...

    def contact_of(self, flow: Flow) -> str: ...


class Keepalive:
    """Owner of the pings in flight; how many there are is bounded by the schedule's rate times Timer F."""

    __slots__ = ("_names", "_stack", "_tokens", "failures", "on_back", "on_silent", "schedule", "sent")

    def __init__(self, schedule: PingSchedule, stack: "Stack", tokens: Tokens, names: _Names) -> None:
        self.schedule = schedule
        self._stack = stack
        self._tokens = tokens
        self._names = names
        self.sent = 0
        self.failures = 0
        self.on_silent: Callable[[Binding, float], None] = _nobody_listens
        self.on_back: Callable[[Binding, float], None] = _nobody_listens

    def watch(self, binding: Binding, now: float) -> None:
        self.schedule.watch(binding, now)

    def run(self, now: float) -> None:
        """Ping whoever is due. Called several times a second."""
        for binding in self.schedule.due(now):
            self._stack.send_request(self._options(binding), binding.flow, _Ping(self, binding), now)
            self.sent += 1

    def answered(self, binding: Binding, now: float) -> None:
        binding.has_answered = True
        self.schedule.answered(binding)
        if binding.is_missed:
            self.on_back(binding, now)

    def failed(self, binding: Binding, now: float) -> None:
        self.failures += 1
        if self.schedule.failed(binding) and binding.has_answered:
            self.on_silent(binding, now)

    def _options(self, binding: Binding) -> Request:
        domain = self._names.domain
        headers = Headers()
        headers.add("max-forwards", "70")
        headers.add("from", f"<sip:{domain}>;tag={self._tokens.tag()}")
        headers.add("to", f"<sip:{binding.user}@{domain}>")
        headers.add("call-id", self._tokens.call_id())
        headers.add("cseq", "1 OPTIONS")
        headers.add("contact", self._names.contact_of(binding.flow))
        return Request("OPTIONS", binding.contact, headers)


def _nobody_listens(binding: Binding, now: float) -> None:
    """Until somebody keeps a history."""


class _Ping:
    """One OPTIONS in flight."""

    __slots__ = ("_binding", "_keepalive")

    def __init__(self, keepalive: Keepalive, binding: Binding) -> None:
        self._keepalive = keepalive
        self._binding = binding

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        self._keepalive.answered(self._binding, now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        self._keepalive.failed(self._binding, now)

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        self._keepalive.failed(self._binding, now)
