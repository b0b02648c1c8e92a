"""OPTIONS to the addresses of trunks: whether they are alive, asked now and then (RFC 3261 11). Pure.

Any final response is a sign of life but 408 and 503, by which a border says that nothing behind it works. What that
means is the breaker's (breaker.py).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from switch.sip.flow import Flow
from switch.sip.headers import Headers
from switch.sip.message import Request, Response
from switch.sip.timers import Timer, TimerQueue
from switch.sip.tokens import Tokens
from switch.trunks.breaker import Breaker
from switch.trunks.locate import Endpoint

if TYPE_CHECKING:
    from switch.sip.stack import ClientTransaction, Stack
    from switch.trunks.carrier import Carrier

OUT_OF_SERVICE: Final = frozenset({408, 503})
# Four repeats (Timer E) have gone out by then: whoever has not answered is no way for a call.
SILENT_AFTER_S: Final = 8.0


class _Network(Protocol):
    @property
    def domain(self) -> str: ...

    def contact_of(self, flow: Flow) -> str: ...


class Health:
    """Who is asked when. One question an address at a time."""

    __slots__ = (
        "_asking", "_due_at", "_is_stopped", "_network", "_random", "_stack", "_timers", "_tokens", "sent",
    )  # fmt: skip

    def __init__(
        self,
        *,
        stack: "Stack",
        timers: TimerQueue,
        tokens: Tokens,
        network: _Network,
        random: Callable[[], float],
    ) -> None:
        self._stack = stack
        self._timers = timers
        self._tokens = tokens
        self._network = network
        self._random = random
        self._due_at: dict[tuple[str, Endpoint], float] = {}
        self._asking: set[tuple[str, Endpoint]] = set()
        self._is_stopped = False
        self.sent = 0

    def stop(self) -> None:
        self._is_stopped = True

    def run(self, carrier: "Carrier", now: float) -> None:
        """Ask whoever of this trunk is due: every interval, and an open breaker when it may be tried again."""
        if self._is_stopped:
            return
        interval_s = carrier.trunk.options_interval_s
        for endpoint, breaker in carrier.breakers.items():
            key = (carrier.trunk.name, endpoint)
            # The first questions are spread, so that a start does not ask all trunks in one second.
            due_at = self._due_at.setdefault(key, now + self._random() * min(interval_s, 5.0))
            if key in self._asking or (now < due_at and not breaker.is_retry_due(now)):
                continue
            self._due_at[key] = now + interval_s * (0.9 + self._random() / 5)
            self._asking.add(key)
            breaker.try_begins(now)
            self._ask(endpoint, key, breaker, carrier, now)
        for key in [key for key in self._due_at if key[0] == carrier.trunk.name]:
            if key[1] not in carrier.breakers:
                del self._due_at[key]

    def _ask(
        self, endpoint: Endpoint, key: tuple[str, Endpoint], breaker: Breaker, carrier: "Carrier", now: float
    ) -> None:
        target = carrier.target_at(endpoint)
        flow = target.flow
        host = target.host or f"{flow.remote_host}:{flow.remote_port}"
        headers = Headers.from_lines(
            [
                "Max-Forwards: 70",
                f"From: <sip:{self._network.domain}>;tag={self._tokens.tag()}",
                f"To: <sip:{host}>",
                f"Call-ID: {self._tokens.call_id()}",
                "CSeq: 1 OPTIONS",
                f"Contact: {self._network.contact_of(flow)}",
                "User-Agent: Offhook",
            ]
        )
        self.sent += 1
        probe = _Probe(breaker, lambda: self._asking.discard(key))
        probe.timer = self._timers.start(now, SILENT_AFTER_S, probe.on_silence)
        self._stack.send_request(Request("OPTIONS", f"sip:{host}", headers), flow, probe, now)


class _Probe:
    """One OPTIONS in flight. Its outcome counts once; an answer that comes late is a sign of life all the same."""

    __slots__ = ("_breaker", "_is_done", "_on_done", "timer")

    def __init__(self, breaker: Breaker, on_done: Callable[[], None]) -> None:
        self._breaker = breaker
        self._on_done = on_done
        self._is_done = False
        self.timer: Timer | None = None

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if response.status < 200:
            return
        if response.status not in OUT_OF_SERVICE:
            self._breaker.heard(now)
            self._done()
        elif self._done():
            self._breaker.silent(now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        self.on_silence(now)

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        self.on_silence(now)

    def on_silence(self, now: float) -> None:
        if self._done():
            self._breaker.silent(now)

    def _done(self) -> bool:
        """Whether this was the first word of it."""
        was_done, self._is_done = self._is_done, True
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if not was_done:
            self._on_done()
        return not was_done
