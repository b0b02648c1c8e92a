"""What of a message crosses from one leg to the other, and what stays at the border.

Between lines every header that is not ours to write passes, in order, known or not. Towards a trunk only those on
the trunk's list do. Identity headers are never passed: they are read at the border and written anew (RFC 3325).
Media headers travel with their body.
"""

from collections.abc import Collection, Iterable
from typing import Final

from switch.sip.message import Request, Response, make_response

OURS: Final = frozenset(
    {
        # the dialog and the transaction are each leg's own
        "via", "from", "to", "call-id", "cseq", "contact", "route", "record-route", "max-forwards", "path",
        "service-route", "timestamp", "date", "expires", "content-length", "max-breadth",
        # authentication is between one peer and us
        "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate",
        "authentication-info", "proxy-authentication-info",
        # what a peer can do concerns us; what we can do is written by us
        "supported", "require", "proxy-require", "unsupported", "allow", "session-expires", "min-se", "rseq",
        "rack", "replaces", "join", "refer-to", "referred-by", "refer-sub", "target-dialog", "retry-after",
        "user-agent", "server", "reason", "priv-answer-mode", "in-reply-to", "warning",
        # identity: consumed and written anew
        "p-asserted-identity", "p-preferred-identity", "remote-party-id", "diversion", "history-info", "privacy",
        "identity", "identity-info", "p-charging-vector", "p-charging-function-addresses",
        "p-access-network-info", "p-visited-network-id", "resource-priority", "geolocation",
        "geolocation-routing", "p-called-party-id", "p-served-user",
        # these travel with the body
        "content-type", "content-encoding", "content-disposition", "content-language", "mime-version",
    }
)  # fmt: skip
BODY_HEADERS: Final[tuple[str, ...]] = (
    "content-type", "content-encoding", "content-disposition", "content-language", "mime-version",
)  # fmt: skip
# Between a peer and us: the other side would take a challenge for one of its own, and without the header that belongs
# to it (RFC 3261 21.4.2) could not even read it.
CHALLENGES: Final = (401, 407)
# Likewise what asks for an extension or a longer session (420, 421, 422, 494): it is about our request, not the
# caller's.
BETWEEN_US: Final = frozenset({*CHALLENGES, 420, 421, 422, 494})


class Body:
    """A message body with the header fields that describe it. Empty content means no body."""

    __slots__ = ("content", "headers")

    def __init__(self, content: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.content = content
        self.headers = headers

    def __bool__(self) -> bool:
        return bool(self.content)

    def with_content(self, content: bytes) -> "Body":
        return Body(content, self.headers)


NO_BODY: Final = Body()
Fields = list[tuple[str, str]]


def body_of(message: Request | Response) -> Body:
    """The body and its describing fields."""
    if not message.body:
        return NO_BODY
    headers = message.headers
    fields = tuple((name, value) for name in BODY_HEADERS if (value := headers.get(name)) is not None)
    return Body(message.body, fields)


def put_body(message: Request | Response, body: Body) -> None:
    """Give a message of ours a body that came from the other leg."""
    message.body = body.content
    for name, value in body.headers:
        message.headers.add(name, value)


def passed_response(request: Request, response: Response) -> Response:
    """The answer to `request` that says what the other leg's peer said, without its fields and body."""
    if response.status in BETWEEN_US:
        return make_response(request, 500)
    return make_response(request, response.status, response.reason)


def passed_fields(message: Request | Response) -> Fields:
    """The fields that may cross to another line, as (name as written, value), in order."""
    keys = message.headers.keys()
    if OURS.issuperset(keys):
        return []
    return [field for key, field in zip(keys, message.headers.items(), strict=True) if key not in OURS]


def only_listed(fields: Iterable[tuple[str, str]], names: Collection[str]) -> Fields:
    """What of those a trunk wants. `names` are lower-case."""
    if not names:
        return []
    return [(name, value) for name, value in fields if name.lower() in names]
