"""How long a caller is willing to wait for an answer: Expires of an INVITE (RFC 3261 13.3.1, 20.19)."""

from typing import Final

from switch.sip.errors import SipParseError
from switch.sip.fields import parse_delta_seconds
from switch.sip.message import Request

LEAST_S: Final = 1  # an invitation that has expired on arrival rings nowhere; nobody means that


def expires_of(request: Request) -> int | None:
    """Seconds, None without Expires or with one as a date (RFC 2543), which nobody here obeys."""
    value = request.headers.get("expires")
    if value is None:
        return None
    try:
        return max(parse_delta_seconds(value), LEAST_S)
    except SipParseError:
        return None
