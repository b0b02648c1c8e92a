"""What the door refuses before a request reaches a transaction: RFC 3261 8.2.2, 16.3, 20; RFC 7332.

Order: version (505), fields that every request has (400), URI scheme (416), Max-Forwards (483). After it,
every property of the request that it forces can be read without surprise. Left out: methods (405, 501) and
extensions (420), which the TU knows; message size (513) and line syntax, which parser.py knows.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from switch.sip.errors import SipParseError
from switch.sip.fields import parse_delta_seconds
from switch.sip.message import SIP_VERSION, Request, Response
from switch.sip.quirks import EXPIRES_AS_DATE, HEADERS_IN_ADDRESS, LOST_FROM_TAG, NO_CONTACT_IN_2XX
from switch.sip.uri import OtherUri, SipUri, parse_name_addr

# Requests that end here whatever their Max-Forwards says (11, 10.3): they are answered, not passed on.
ENDS_HERE: Final = frozenset({"ACK", "CANCEL", "OPTIONS", "REGISTER"})
# urn:service:sos (RFC 5031) is how newer phones dial 999.
_OTHER_SCHEMES: Final = frozenset({"urn"})
# Requests whose Contact becomes a remote target or a binding (12.1.1, 10.3). In others nobody reads it, and a
# BYE must not fail, and leave a call running, for the sake of such a field.
CONTACT_MATTERS: Final = frozenset({"INVITE", "NOTIFY", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"})
_ROUTING_FIELDS: Final[tuple[str, ...]] = ("route", "record-route", "path")
# RFC 2543's form of Expires, which old phones may still send and nobody here obeys.
_sip_date: Final = re.compile(
    r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
).fullmatch


class DoorRefusal(msgspec.Struct, frozen=True):
    """The final response that ends the matter. An ACK is dropped instead of answered."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


def door_refusal(request: Request, *, ends_here: frozenset[str] = ENDS_HERE) -> DoorRefusal | None:
    """None when the request may enter. `ends_here`: methods that are answered here even with no hops left."""
    if request.version != SIP_VERSION:
        return DoorRefusal(505, "Version Not Supported")
    try:
        _check_fields(request)
        return _check_request_uri(request) or _check_hops(request, ends_here)
    except SipParseError as error:
        return DoorRefusal(error.status, error.reason)


def response_problem(response: Response) -> str | None:
    """Why a response is to be dropped, as none is ever answered (8.1.3), or None when it is sound."""
    try:
        _ = response.call_id
        method, sender = response.cseq.method, response.from_
        quirks = response.top_via.quirks | sender.quirks | response.to.quirks
        if sender.params.get("tag") is None:
            quirks |= LOST_FROM_TAG
        # A refusal makes no dialog; whoever follows its Contacts reads each by itself.
        if method in CONTACT_MATTERS and response.status < 300:
            quirks |= _check_addresses(response)
            if method == "INVITE" and not response.contacts and response.is_success:
                quirks |= NO_CONTACT_IN_2XX
        response.quirks |= quirks
    except SipParseError as error:
        return str(error)
    return None


def _check_fields(request: Request) -> None:
    """8.1.1: the fields of every request (RFC 2543 had no Max-Forwards), then those in use."""
    via, _, sender, to = request.top_via, request.call_id, request.from_, request.to
    quirks = via.quirks | sender.quirks | to.quirks
    if to.params.get("tag") is None:  # ";tag" without a value is none
        # Who calls and who is called is asked at the start of a dialog; inside one, only the tags are.
        quirks |= sender.parsed_uri.quirks | to.parsed_uri.quirks
    if request.cseq.method != request.method:
        raise SipParseError(400, "CSeq Method Differs From Request Method", found=request.cseq.method)
    if request.method in CONTACT_MATTERS:
        quirks |= _check_addresses(request)
    expires = request.headers.get("expires")
    if expires is not None:
        if _sip_date(expires):
            quirks |= EXPIRES_AS_DATE
        else:
            parse_delta_seconds(expires)
    request.quirks |= quirks


def _check_addresses(message: Request | Response) -> int:
    """The quirks met in them. A Contact or a Route may have headers in its URI (19.1.1, table 1)."""
    quirks = 0
    for contact in message.contacts:
        quirks |= contact.quirks | contact.parsed_uri.quirks
    for name in _ROUTING_FIELDS:
        if name in message.headers:
            for value in message.headers.values(name):
                address = parse_name_addr(value)
                quirks |= address.quirks | address.parsed_uri.quirks
    return quirks & ~HEADERS_IN_ADDRESS


def _check_request_uri(request: Request) -> DoorRefusal | None:
    uri = request.request_uri
    request.quirks |= uri.quirks
    if isinstance(uri, OtherUri) and uri.scheme not in _OTHER_SCHEMES:
        return DoorRefusal(416, "Unsupported URI Scheme")
    if isinstance(uri, SipUri) and uri.headers:
        # 19.1.1 and RFC 4475 3.1.2.11: header components have no place in a Request-URI.
        return DoorRefusal(400, "Header Components in Request-URI")
    return None


def _check_hops(request: Request, ends_here: frozenset[str]) -> DoorRefusal | None:
    """A request inside a dialog ends here, at the leg: only what would be sent on is refused (RFC 7332)."""
    if request.max_forwards == 0 and request.method not in ends_here and request.to_tag is None:
        return DoorRefusal(483, "Too Many Hops")
    return None
