"""How long a SUBSCRIBE or a PUBLISH asks for (RFC 6665 4.2.1.1, RFC 3903 6)."""

from switch.events.limits import EXPIRES_MAX_S, EXPIRES_MIN_S
from switch.sip.errors import SipParseError
from switch.sip.fields import parse_delta_seconds
from switch.sip.message import Request, Response, make_response


def asked_expires_s(request: Request) -> int:
    """Seconds, up to the maximum; the maximum where nothing is asked for, or a date, as RFC 2543 had it."""
    value = request.headers.get("expires")
    if value is None:
        return EXPIRES_MAX_S
    try:
        return min(parse_delta_seconds(value), EXPIRES_MAX_S)
    except SipParseError:
        return EXPIRES_MAX_S


def too_brief(request: Request, expires_s: int) -> Response | None:
    """423 for less than the minimum, but 0 is a word of its own."""
    if expires_s == 0 or expires_s >= EXPIRES_MIN_S:
        return None
    response = make_response(request, 423)
    response.headers.add("min-expires", str(EXPIRES_MIN_S))
    return response
