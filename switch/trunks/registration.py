"""Registering with a carrier: the client side of RFC 3261 10.2, with the back-off of RFC 5626 4.5.

One registration a trunk. It asks the addresses of its registrars in turn until one says 200, renews in good time, and
waits longer after each round in which all failed. A registrar that says no (403, a password that it does not take) is
left alone for an hour: asking again at once would only lock the account. Everything that can change a registration is
in this file; what it needs of the exchange arrives as `Surroundings`. Nothing of it is kept: a new process registers
anew.

What the 200 says of outgoing requests (Service-Route, RFC 3608) is kept as long as the registration; Path says only how
calls reach us and is the registrar's own business (RFC 3327 5.3).
"""

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from switch.calls.carrier_challenge import CarrierChallenge
from switch.calls.passing import Fields
from switch.sip.errors import SipParseError
from switch.sip.flow import Flow
from switch.sip.headers import Headers
from switch.sip.message import Request, Response
from switch.sip.timers import Timer, TimerQueue
from switch.sip.tokens import Tokens
from switch.sip.uri import SipUri, parse_name_addr
from switch.trunks.locate import Endpoint

if TYPE_CHECKING:
    from switch.config import Trunk
    from switch.sip.stack import ClientTransaction, Stack

# RFC 5626 4.5: the first wait when every address failed, doubling up to the longest.
BACKOFF_BASE_S: Final = 30.0
BACKOFF_MAX_S: Final = 1800.0
# After a plain no. Long enough that no carrier's guard against guessing minds, short enough that an account which the
# carrier unlocks at night works in the morning; `offhook reload` with another password tries at once.
REFUSED_WAIT_S: Final = 3600.0
RETRY_AFTER_MAX_S: Final = 86_400.0  # whoever says more may mean it, but nobody would see it
EXPIRES_MAX_S: Final = 604_800  # a week, as the registrar here allows its phones
NAME_WAIT_S: Final = 2.0  # until the name of a registrar is looked up, that is
# Renewed at a random point of this part of what was granted: two refusals by time-out (32 s each) fit behind it
# where the carrier grants minutes.
RENEW_FROM: Final = 0.6
RENEW_TO: Final = 0.8
MIN_EXPIRES_TRIES: Final = 2  # 423 upon 423 is a registrar that cannot be pleased
ROUTES_MAX: Final = 8  # a Service-Route has one or two; it goes into every INVITE
ROUTE_CHARS_MAX: Final = 256
REASON_CHARS_MAX: Final = 60

# Another try at once could fare no better with these; others of the 4xx say that our request is not wanted at all.
_PASSING: Final = frozenset({408, 429, 480, 491})

log = structlog.get_logger(__name__)


class RegistrationState(enum.Enum):
    WAITING = "waiting"  # for an address, or for the next try
    REGISTERING = "registering"
    REGISTERED = "registered"
    REFUSED = "refused"
    LEAVING = "leaving"
    LEFT = "left"


class Surroundings(Protocol):
    """What a registration has to know of the exchange."""

    @property
    def domain(self) -> str: ...

    def contact_of(self, flow: Flow) -> str:
        """Our Contact on this flow, in angle brackets."""


class Registration:
    """`endpoints()` are the registrars' addresses, in the order of trying, and `flow_to` makes a flow of one.

    `on_change(now)` is called when calls may go another way from now on.
    """

    __slots__ = (
        "_call_id",
        "_challenge",
        "_cseq",
        "_endpoints",
        "_expires_s",
        "_expiry",
        "_failures",
        "_flow_to",
        "_from_tag",
        "_min_expires_tries",
        "_network",
        "_on_change",
        "_pending",
        "_random",
        "_retry_after_s",
        "_stack",
        "_timer",
        "_timers",
        "_transaction",
        "endpoint",
        "expires_at",
        "failures",
        "flow",
        "granted_s",
        "last_error",
        "next_try_at",
        "service_route",
        "since",
        "state",
        "successes",
        "token",
        "trunk",
    )  # fmt: skip

    def __init__(
        self,
        trunk: "Trunk",
        *,
        stack: "Stack",
        timers: TimerQueue,
        tokens: Tokens,
        network: Surroundings,
        random: Callable[[], float],
        endpoints: Callable[[], tuple[Endpoint, ...]],
        flow_to: Callable[[Endpoint], Flow],
        on_change: Callable[[float], None],
        now: float,
    ) -> None:
        self.trunk = trunk
        # Nobody but the carrier can know it: a call to it is the carrier's.
        self.token = tokens.tag()
        self.state = RegistrationState.WAITING
        self.since = now
        self.expires_at: float | None = None
        self.granted_s = 0
        self.next_try_at: float | None = now
        self.last_error = ""
        self.endpoint: Endpoint | None = None
        self.flow: Flow | None = None
        self.service_route: tuple[str, ...] = ()
        self.successes = 0
        self.failures = 0
        self._stack = stack
        self._timers = timers
        self._network = network
        self._random = random
        self._endpoints = endpoints
        self._flow_to = flow_to
        self._on_change = on_change
        self._challenge = CarrierChallenge(trunk, tokens)
        self._call_id = tokens.call_id()
        self._from_tag = tokens.tag()
        self._cseq = 0
        self._expires_s = trunk.register_expires_s
        self._min_expires_tries = 0
        self._failures = 0  # rounds in which every address failed, in a row
        self._retry_after_s = 0.0
        self._pending: list[Endpoint] = []  # of this round, still to be tried
        self._transaction: ClientTransaction | None = None
        self._timer: Timer | None = None
        self._expiry: Timer | None = None

    def is_registered(self, now: float) -> bool:
        """Whether the carrier knows where we are; a renewal that fails does not change that before the time is up."""
        return self.expires_at is not None and now < self.expires_at

    # What makes it move

    def start(self, now: float) -> None:
        """Try now, from the first address on. While a request is under way nothing changes."""
        if self._transaction is not None or self.is_leaving:
            return
        self._pending = list(self._endpoints())
        if self.endpoint in self._pending and self.is_registered(now):
            self._pending.remove(self.endpoint)
            self._pending.insert(0, self.endpoint)
        if not self._pending:
            self._note_failure("no address of the registrar is known yet", now)
            self._wait(NAME_WAIT_S, now)
            return
        self._retry_after_s = 0.0
        self._min_expires_tries = 0
        self._try_next(now)

    def flow_lost(self, flow: Flow, now: float) -> None:
        """The connection is gone over which the carrier would call us: register over a new one, at once."""
        if (
            self.flow is None
            or not flow.is_reliable
            or self.flow[:3] != flow[:3]
            or not self.is_registered(now)
        ):
            return
        self._note_failure("the connection was lost", now)
        self._forget(now)
        self._wait(1.0 + self._random(), now)  # not before the rest of this turn, and not all trunks at once

    @property
    def is_begun(self) -> bool:
        return self._transaction is not None or self._timer is not None or self.is_leaving

    @property
    def waits_for_address(self) -> bool:
        """Whether a name that was just found is what it needs."""
        return self.endpoint is None and self._transaction is None

    @property
    def is_gone(self) -> bool:
        return self.state is RegistrationState.LEFT

    @property
    def is_leaving(self) -> bool:
        return self.state in (RegistrationState.LEAVING, RegistrationState.LEFT)

    def leave(self, now: float) -> None:
        """Take the registration away: the exchange closes down, or the trunk is no longer ours. Asked once."""
        if self.is_leaving:
            return
        self._stop_timer()
        # A REGISTER that is on its way may yet be granted.
        may_be_known = self.is_registered(now) or self._transaction is not None
        self._forget(now)
        if not may_be_known or self.endpoint is None:
            self._enter(RegistrationState.LEFT, now)
            return
        self._enter(RegistrationState.LEAVING, now)
        self._send(0, now)

    # What the registrar says

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        if transaction is not self._transaction or response.status < 200:
            return
        credentials = self._challenge.answer(transaction.request, response)
        if credentials is not None:
            self._send(0 if self.is_leaving else self._expires_s, now, credentials)
            return
        self._transaction = None
        if self.is_leaving:
            self._enter(RegistrationState.LEFT, now)
        elif response.status < 300:
            self._accept(response, now)
        elif response.status == 423 and self._asks_longer(response):
            self._send(self._expires_s, now)
        elif 400 <= response.status < 500 and response.status not in _PASSING and response.status != 423:
            self._refuse(response, now)
        else:
            self._retry_after_s = max(self._retry_after_s, _retry_after(response))
            self._fail(_words_of(response), now)

    def on_timeout(self, transaction: "ClientTransaction", now: float) -> None:
        self._lose(transaction, "no answer", now)

    def on_transport_error(self, transaction: "ClientTransaction", now: float) -> None:
        self._lose(transaction, "the address cannot be reached", now)

    def _lose(self, transaction: "ClientTransaction", words: str, now: float) -> None:
        if transaction is not self._transaction:
            return
        self._transaction = None
        if self.is_leaving:
            self._enter(RegistrationState.LEFT, now)
        else:
            self._fail(words, now)

    def _accept(self, response: Response, now: float) -> None:
        granted_s = self._granted(response)
        if granted_s <= 0:
            self._fail("200 without a registration of ours", now)
            return
        was_registered = self.state is RegistrationState.REGISTERED
        self.expires_at = now + granted_s
        self.granted_s = granted_s
        self.last_error = ""
        self.successes += 1
        self._failures = 0
        self._expires_s = max(self.trunk.register_expires_s, self._expires_s)
        self.service_route = _service_route(response)
        self._stop_expiry()
        self._expiry = self._timers.start(now, granted_s, self._on_expiry)
        self._enter(RegistrationState.REGISTERED, now)
        if not was_registered:
            log.info(
                "trunk_registered", trunk=self.trunk.name, registrar=str(self.endpoint), expires_s=granted_s
            )
        spread = RENEW_FROM + (RENEW_TO - RENEW_FROM) * self._random()
        self._wait(max(1.0, granted_s * spread), now)
        self._on_change(now)

    def _granted(self, response: Response) -> int:
        """The seconds of our own Contact in the 200, else of its Expires, else what was asked for (10.2.4)."""
        asked = self._expires_s
        granted = _seconds(response.headers.get("expires"))
        try:
            contacts = response.contacts
        except SipParseError:
            contacts = []
        for contact in contacts:
            uri = contact.parsed_uri if isinstance(contact.parsed_uri, SipUri) else None
            if uri is not None and uri.user == self.token:
                granted = _seconds(contact.params.get("expires")) if "expires" in contact.params else granted
        return asked if granted is None else min(granted, asked, EXPIRES_MAX_S)

    def _asks_longer(self, response: Response) -> bool:
        """423: ask for what the registrar wants at least."""
        least = _seconds(response.headers.get("min-expires"))
        self._min_expires_tries += 1
        if least is None or not self._expires_s < least <= EXPIRES_MAX_S:
            return False
        if self._min_expires_tries > MIN_EXPIRES_TRIES:
            return False
        self._expires_s = least
        return True

    def _refuse(self, response: Response, now: float) -> None:
        """No. The other addresses are the same carrier's; the same password would be wrong there, too."""
        self._note_failure(_words_of(response), now)
        self._forget(now)
        self._pending = []
        self._enter(RegistrationState.REFUSED, now)
        log.error("trunk_registration_refused", trunk=self.trunk.name, error=self.last_error)
        self._wait(max(REFUSED_WAIT_S * (1 + self._random() / 4), _retry_after(response)), now)

    def _fail(self, words: str, now: float) -> None:
        """This address did not work: the next one, or a pause."""
        self._note_failure(f"{self.endpoint}: {words}", now)
        if self._pending:
            self._try_next(now)
            return
        wait_s = min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        if self._failures == 1:
            log.warning("trunk_registration_failed", trunk=self.trunk.name, error=self.last_error)
        self._wait(max(wait_s * (0.5 + self._random() / 2), self._retry_after_s), now)

    # Steps

    def _try_next(self, now: float) -> None:
        self.endpoint = self._pending.pop(0)
        self.flow = self._flow_to(self.endpoint)
        self._stop_timer()
        if not self.is_registered(now):
            self._enter(RegistrationState.REGISTERING, now)
        self._send(self._expires_s, now)

    def _send(self, expires_s: int, now: float, credentials: Fields | None = None) -> None:
        assert self.flow is not None
        assert self.endpoint is not None
        self._cseq += 1
        domain = self.trunk.registrar_domain or _host_of(self.endpoint)
        aor = f"<sip:{self.trunk.username}@{domain}>"
        headers = Headers.from_lines(
            [
                "Max-Forwards: 70",
                f"From: {aor};tag={self._from_tag}",
                f"To: {aor}",
                f"Call-ID: {self._call_id}",
                f"CSeq: {self._cseq} REGISTER",
                f"Contact: {self.contact_on(self.flow)};expires={expires_s}",
                f"Expires: {expires_s}",
                "Supported: path",
                "User-Agent: Offhook",
            ]
        )
        for field in credentials or ():
            headers.add(*field)
        request = Request("REGISTER", f"sip:{domain}", headers)
        self._transaction = self._stack.send_request(request, self.flow, self, now)

    def contact_on(self, flow: Flow) -> str:
        """Our Contact with the token as its user."""
        return self._network.contact_of(flow).replace("<sip:", f"<sip:{self.token}@", 1)

    def _wait(self, delay_s: float, now: float) -> None:
        self._stop_timer()
        self.next_try_at = now + delay_s
        self._timer = self._timers.start(now, delay_s, self._on_timer)
        if not self.is_registered(now) and self.state is not RegistrationState.REFUSED:
            self._enter(RegistrationState.WAITING, now)

    def _on_timer(self, now: float) -> None:
        self._timer = None
        self.start(now)

    def _on_expiry(self, now: float) -> None:
        """No renewal came through in time; a try that is under way goes on."""
        self._expiry = None
        in_flight = self._transaction
        self._forget(now)
        self._transaction = in_flight
        state = RegistrationState.WAITING if in_flight is None else RegistrationState.REGISTERING
        self._enter(state, now)
        log.warning("trunk_registration_expired", trunk=self.trunk.name, error=self.last_error)

    def _note_failure(self, words: str, now: float) -> None:
        self.failures += 1
        self.last_error = words

    def _forget(self, now: float) -> None:
        """The carrier does not know us any more, or shall not."""
        self._stop_expiry()
        had_any = self.expires_at is not None
        self.expires_at = None
        self.service_route = ()
        self._transaction = None
        if had_any:
            self._on_change(now)

    def _enter(self, state: RegistrationState, now: float) -> None:
        if state is not self.state:
            self.state = state
            self.since = now

    def _stop_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _stop_timer(self) -> None:
        self.next_try_at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _words_of(response: Response) -> str:
    """For people, in logs and on terminals: what cannot be printed is not."""
    reason = "".join(mark if mark.isprintable() else "?" for mark in response.reason[:REASON_CHARS_MAX])
    return f"{response.status} {reason}"


def _host_of(endpoint: Endpoint) -> str:
    return f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host


def _seconds(text: str | None) -> int | None:
    """delta-seconds of at most ten ASCII digits; None for anything else."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text)


def _retry_after(response: Response) -> float:
    """Seconds, 0 where none are named. A comment or parameters may follow (20.33)."""
    value = response.headers.get("retry-after") or ""
    digits = value.partition(";")[0].partition("(")[0].strip(" \t")
    return min(float(_seconds(digits) or 0), RETRY_AFTER_MAX_S)


def _service_route(response: Response) -> tuple[str, ...]:
    """The Routes for requests of ours while registered (RFC 3608 6.2); none where one of them cannot be used."""
    routes = response.headers.values("service-route")
    if len(routes) > ROUTES_MAX:
        return ()
    for route in routes:
        try:
            uri = parse_name_addr(route).parsed_uri if len(route) <= ROUTE_CHARS_MAX else None
        except SipParseError:
            uri = None
        if not isinstance(uri, SipUri) or "lr" not in uri.params:
            return ()
    return tuple(routes)
