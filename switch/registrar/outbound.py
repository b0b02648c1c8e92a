"""What a REGISTER says of the way back to the phone: Path (RFC 3327), outbound's flows (RFC 5626).

- PATH is a list of proxies that requests to the phone shall pass, and becomes their Route set. It never says where
  they are sent: that is the flow that the REGISTER came from, which is the proxy's where there is one in front. So
  a phone that writes a Path of its own points nobody anywhere.
- OUTBOUND is done for a phone that asks for it and names its instance and a reg-id, over a connection. Over UDP its
  keep-alives would be STUN, which nobody answers here. Where a proxy is in front, its Path must have `ob`. If not,
  the phone is registered without (the 200 does not require outbound, and its reg-id counts for nothing): section 6
  wants 439, after which phones in the field never register again.
- SERVICE-ROUTE (RFC 3608) is not sent: there is nothing behind us that a phone's requests would have to pass.
"""

from typing import Final

from switch.sip.errors import SipParseError
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.sip.option_tags import OUTBOUND, names
from switch.sip.uri import SipUri, parse_name_addr

# A phone is behind one or two edge proxies; each REGISTER would make all of them a header of each call.
PATH_HOPS_MAX: Final = 8
PATH_CHARS_MAX: Final = 1024
REG_ID_MAX: Final = 2**31 - 1
# What a phone on TCP would do by itself (4.4.1). The edge holds a silent connection far longer.
FLOW_TIMER_S: Final = 120


def read_path(request: Request) -> tuple[str, ...]:
    """The Path, next hop first. Raises SipParseError (400) for what is malformed, too long or no loose router."""
    headers = request.headers
    if "path" not in headers:
        return ()
    values = headers.values("path")
    if len(values) > PATH_HOPS_MAX or sum(map(len, values)) > PATH_CHARS_MAX:
        raise SipParseError(400, "Path Too Long")
    for value in values:
        uri = parse_name_addr(value).parsed_uri
        if not isinstance(uri, SipUri) or "lr" not in uri.params:
            raise SipParseError(400, "Path Needs SIP URIs With lr")
    return tuple(value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for value in values)


def does_outbound(request: Request, flow: Flow, path: tuple[str, ...]) -> bool:
    """Whether the flows of phones are told apart by reg-id here."""
    if not supports(request, OUTBOUND):
        return False
    if path:
        # The last is of the proxy that the phone speaks to: each one writes itself before those that are there.
        uri = parse_name_addr(path[-1]).parsed_uri
        return isinstance(uri, SipUri) and "ob" in uri.params
    return flow.is_reliable and len(request.headers.values("via")) == 1


def supports(request: Request, tag: str) -> bool:
    return names(request.headers, "supported", tag)


def read_reg_id(text: str | None) -> int:
    """0 for none, and for what is no number from 1 to 2**31 - 1."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 10):
        return 0
    reg_id = int(text)
    return reg_id if reg_id <= REG_ID_MAX else 0
