"""Header fields of event notification: Event, Subscription-State (RFC 6665 8.2), entity tags (RFC 3903 11.3).

Each has parse and format, inverse to each other. Left out: Allow-Events, a plain list of tokens, and
Subscription-State parameters of other people's making.
"""

from __future__ import annotations

from typing import Final

from switch.sip.errors import SipParseError, malformed
from switch.sip.fields import parse_delta_seconds
from switch.sip.grammar import WSP, is_token, parse_params
from switch.sip.headers import Headers

# RFC 6665 4.2.2, RFC 5057 5.1: answers to a NOTIFY that end the subscription. Any other refuses just that NOTIFY.
ENDS_SUBSCRIPTION: Final = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})
# An id tells subscriptions of one dialog apart: phones count, libraries take a random word.
EVENT_ID_CHARS_MAX: Final = 64


class Event:
    """8.2.1: the package, a template's name included ("presence.winfo"), and the id or None.

    Packages are told apart octet by octet, so case matters. Other parameters say nothing here and are dropped.
    """

    __slots__ = ("id", "package")

    def __init__(self, package: str, id: str | None = None) -> None:  # noqa: A002 - the RFC's name
        self.package = package
        self.id = id

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return self.package == other.package and self.id == other.id

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.package if self.id is None else f"{self.package};id={self.id}"

    def __repr__(self) -> str:
        return f"<Event {self}>"


def parse_event(text: str) -> Event:
    """event-type *( SEMI event-param ). Raises SipParseError."""
    package, semicolon, rest = text.partition(";")
    package = package.strip(WSP)
    if not is_token(package):
        raise malformed("Event", text)
    if not semicolon:
        return Event(package)
    params = parse_params(semicolon + rest)
    if "id" not in params:
        return Event(package)
    found = params["id"]
    if found is None or not is_token(found) or len(found) > EVENT_ID_CHARS_MAX:
        raise malformed("Event", text)
    return Event(package, found)


def event_of(headers: Headers) -> Event | None:
    """The Event of a message; None without one. Two are malformed: the peers could believe different ones."""
    if "event" not in headers:
        return None
    values = headers.get_all("event")
    if len(values) > 1:
        raise malformed("Event", ", ".join(values))
    return parse_event(values[0])


class SubscriptionState:
    """8.2.3: `state` is active, pending or terminated; the rest is None where it is not said."""

    __slots__ = ("expires_s", "reason", "retry_after_s", "state")

    def __init__(
        self,
        state: str,
        *,
        expires_s: int | None = None,
        reason: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        self.state = state
        self.expires_s = expires_s
        self.reason = reason
        self.retry_after_s = retry_after_s

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SubscriptionState) and str(self) == str(other)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        text = self.state
        if self.reason is not None:
            text += f";reason={self.reason}"
        if self.expires_s is not None:
            text += f";expires={self.expires_s}"
        if self.retry_after_s is not None:
            text += f";retry-after={self.retry_after_s}"
        return text

    def __repr__(self) -> str:
        return f"<SubscriptionState {self}>"


def parse_subscription_state(text: str) -> SubscriptionState:
    """Raises SipParseError. The state is in lower case; reasons are kept as they came."""
    state, semicolon, rest = text.partition(";")
    state = state.strip(WSP)
    if not is_token(state):
        raise malformed("Subscription-State", text)
    params = parse_params(semicolon + rest) if semicolon else {}
    reason = params.get("reason")
    if "reason" in params and (reason is None or not is_token(reason)):
        raise malformed("Subscription-State", text)
    return SubscriptionState(
        state.lower(),
        expires_s=_seconds(params, "expires"),
        reason=reason,
        retry_after_s=_seconds(params, "retry-after"),
    )


def entity_tag_of(headers: Headers) -> str | None:
    """SIP-If-Match: one entity-tag, a token, or None. Raises SipParseError for anything else (11.3.2)."""
    if "sip-if-match" not in headers:
        return None
    values = headers.get_all("sip-if-match")
    if len(values) > 1 or not is_token(values[0]):
        raise SipParseError(400, "Malformed SIP-If-Match", found=", ".join(values))
    return values[0]


def _seconds(params: dict[str, str | None], name: str) -> int | None:
    return parse_delta_seconds(params[name] or "") if name in params else None
