"""From where a call was diverted on its way here: Diversion (RFC 5806) and History-Info (RFC 7044), passed on.

A carrier is believed: its call keeps its history on the way to a line, and to a trunk that asks for it in the one
form or the other. What a line claims is dropped, or anybody could pretend to be called on somebody else's behalf. Who
diverted and wants to be private is left out (RFC 5806 10.1, RFC 7044 10.1.2). Nothing is translated from one form to
the other.
"""

import re
from typing import TYPE_CHECKING, Final

from switch.calls.passing import Fields
from switch.conf_trunks import DiversionHeader
from switch.sip.errors import SipParseError
from switch.sip.message import Request
from switch.sip.uri import parse_name_addr

if TYPE_CHECKING:
    from switch.config import Trunk

# Diversions of one call (ITU-T Q.732.2 gives the network's limit); the latest come first in the field.
DIVERSIONS_MAX: Final = 5
# A history has an entry for each retargeting, so some more; one cut in the middle would be wrong, a longer one is
# left.
HISTORY_MAX: Final = 20
VALUE_CHARS_MAX: Final = 512

DIVERSION: Final = "diversion"
HISTORY_INFO: Final = "history-info"
# How an entry of a history tells that the call was sent on: to there, and why (RFC 4458), or away from there (RFC 7044
# 10.2, as of old). What proxies only route has neither.
_CAUSE: Final = ";cause="
_REASON: Final = "reason="
_INDEX: Final = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){0,40}")
COUNTER_DIGITS_MAX: Final = 2  # RFC 5806 4
_PRIVATE: Final = frozenset({"history", "header", "session"})
_NAME_OF: Final = {DiversionHeader.DIVERSION: DIVERSION, DiversionHeader.HISTORY_INFO: HISTORY_INFO}


def times_diverted(request: Request) -> int:
    """How often the call has been sent on before it came here. Each of the two headers tells all of it, so that the one
    that says more counts; a Diversion may stand for several (counter). Private ones count, too."""
    headers = request.headers
    told = sum(map(_counter, headers.values(DIVERSION))) if DIVERSION in headers else 0
    if HISTORY_INFO in headers:
        entries = [value.lower() for value in headers.values(HISTORY_INFO)]
        away = sum(_REASON in entry.partition("?")[2] for entry in entries)
        told = max(told, away, sum(_CAUSE in entry for entry in entries))
    return told


def _counter(value: str) -> int:
    try:
        digits = (parse_name_addr(value).params.get("counter") or "").strip('"')
    except SipParseError:
        return 1
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= COUNTER_DIGITS_MAX
    return max(int(digits), 1) if is_number else 1


def diversions_to_line(request: Request) -> Fields:
    """What a called line is told of a carrier's call."""
    return [*_diversion(request), *_history(request)]


def diversions_to_trunk(request: Request, trunk: "Trunk") -> Fields:
    """What a trunk is told of another trunk's call, in the form it takes."""
    name = _NAME_OF.get(trunk.diversion)
    if name is None:
        return []
    return _diversion(request) if name == DIVERSION else _history(request)


def last_index(value: str) -> str:
    """Where a history has come to: the index of this entry, "" for one that has none."""
    try:
        index = parse_name_addr(value).params.get("index") or ""
    except SipParseError:
        return ""
    return index if _INDEX.fullmatch(index) else ""


def _diversion(request: Request) -> Fields:
    if DIVERSION not in request.headers:
        return []
    values = [value for value in request.headers.values(DIVERSION) if _is_open(value)]
    return [(DIVERSION, value) for value in values[:DIVERSIONS_MAX]]


def _is_open(value: str) -> bool:
    try:
        address = parse_name_addr(value)
        _ = address.parsed_uri
    except SipParseError:
        return False
    privacy = (address.params.get("privacy") or "off").strip('"').lower()
    return privacy == "off" and len(value) <= VALUE_CHARS_MAX


def _history(request: Request) -> Fields:
    headers = request.headers
    if HISTORY_INFO not in headers:
        return []
    wanted = (headers.get("privacy") or "").lower().replace(",", ";").replace(" ", "").split(";")
    values = headers.values(HISTORY_INFO)
    if len(values) > HISTORY_MAX or not _PRIVATE.isdisjoint(wanted):
        return []
    return [(HISTORY_INFO, value) for value in values if _is_open_entry(value)]


def _is_open_entry(value: str) -> bool:
    """An entry asks for privacy in the header part of its URI: <sip:user@host?Privacy=history>;index=1."""
    try:
        address = parse_name_addr(value)
    except SipParseError:
        return False
    _, _, uri_headers = address.uri.partition("?")
    return "privacy=" not in uri_headers.lower() and len(value) <= VALUE_CHARS_MAX
