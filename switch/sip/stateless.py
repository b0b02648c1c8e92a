"""An answer of which nothing is kept, made no larger than its request allows.

A datagram's source can be forged, so an answer to a stranger may hit a third party. It has at most SURPLUS_MAX octets
more than the request had: what it copies (8.2.6) was in there, and what we add is bounded. Two challenges with a long
realm, and all that we allow and support, may be more than that for a very short request; then what a peer can do
without is left out. No phone sends so short a request; a program that looks for amplifiers does.
"""

from typing import Final

from switch.sip.message import Response, format_message

SURPLUS_MAX: Final = 400
OCTETS_MAX: Final = 1 << 20  # more than any message we take, and so more than any answer to one
# In the order in which they go; of the challenges the preferred one stays.
_DISPENSABLE: Final[tuple[str, ...]] = (
    "server",
    "allow-events",
    "accept-language",
    "accept-encoding",
    "accept",
    "supported",
    "allow",
)
_CHALLENGES: Final[tuple[str, ...]] = ("www-authenticate", "proxy-authenticate")


def fitting(response: Response, octets_max: int) -> bytes | None:
    """The response on the wire in so many octets; None when it cannot be made so short."""
    data = format_message(response)
    headers = response.headers
    for name in _DISPENSABLE:
        if len(data) <= octets_max:
            return data
        if name in headers:
            headers.remove(name)
            data = format_message(response)
    for name in _CHALLENGES:
        challenges = headers.get_all(name)
        if len(data) > octets_max and len(challenges) > 1:
            headers.set(name, challenges[0])
            data = format_message(response)
    return data if len(data) <= octets_max else None
