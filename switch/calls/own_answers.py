"""What the exchange answers by itself, in a dialog or not: OPTIONS, and what it lacks (RFC 3261 8.2)."""

from typing import Final

from switch.calls.switchboard import ALLOW
from switch.sip.counts import METHODS, OTHER_METHOD
from switch.sip.message import Request, Response, make_response
from switch.sip.option_tags import SUPPORTED_VALUE, lacking

# The packages of switch/events/service.py.
ALLOW_EVENTS: Final = "presence, message-summary, reg, dialog, as-feature-event"
KNOWN_METHODS: Final = frozenset(METHODS) - {OTHER_METHOD}


def answer_options(request: Request) -> Response:
    response = make_response(request, 200)
    response.headers.add("allow", ALLOW)
    response.headers.add("allow-events", ALLOW_EVENTS)
    response.headers.add("accept", "application/sdp")
    response.headers.add("supported", SUPPORTED_VALUE)
    return response


def refuse_method(request: Request) -> Response:
    """8.2.1: 405 for a method that we know and do not serve here, 501 for any other."""
    response = make_response(request, 405 if request.method in KNOWN_METHODS else 501)
    response.headers.add("allow", ALLOW)
    return response


def refuse_extensions(request: Request) -> Response | None:
    """8.2.2.3, for a request with Require or Proxy-Require: 420 with what is lacking, None when nothing is."""
    tags = lacking(request)
    if not tags:
        return None
    response = make_response(request, 420)
    response.headers.add("unsupported", ", ".join(tags))
    return response
