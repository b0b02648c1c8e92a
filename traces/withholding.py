"""A withheld caller's number taken out of the messages of his call, for everybody who may not see it.

His identity stands where a direction puts it: in From of what comes from him, in To and the Request-URI of what goes to
him, and in the fields of RFC 3325, Remote-Party-ID, RFC 5806 and RFC 7044 on his side. The digits themselves are
covered wherever else they stand, however they are written. Who reads a malicious-call trace
sees the messages as they were.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from traces.call_trace import CallTrace, TraceMessage

WITHHELD: Final = b"withheld"
# A shorter number (a short code, an extension) would cover half of a message's other numbers.
DIGITS_MIN: Final = 6
# What stands before a national number is the country's or a trunk prefix: the last digits are the same in all.
NATIONAL_DIGITS: Final = 9

_FIELDS: Final = (
    rb"p-asserted-identity|p-preferred-identity|remote-party-id|diversion|history-info|referred-by|b"
)
_FROM: Final = rb"from|f"
_TO: Final = rb"to|t"
_CONTACT: Final = rb"contact|m"
_user: Final = re.compile(rb"(sips?:|tel:)([^@>;,\s\"]*)(?=[@>;,\s\"]|$)", re.IGNORECASE)
_display: Final = re.compile(rb"(^|,)[ \t]*(?:\"(?:[^\"\\]|\\.)*\"|[^<\",:]*)[ \t]*<")
_request_uri: Final = re.compile(rb"^([\r\n]*[A-Z]+ )(\S+)")


def _field(names: bytes) -> "re.Pattern[bytes]":
    return re.compile(
        rb"(\r\n(?:" + names + rb")[ \t]*:[ \t]*)([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", re.IGNORECASE
    )


_from_side: Final = _field(_FROM + b"|" + _FIELDS)
_from_only: Final = _field(_FROM)
_to_only: Final = _field(_TO)
_to_side: Final = _field(_TO + b"|" + _FIELDS)
_identity: Final = _field(rb"identity|y")  # a token that says the number, unreadable to people only (RFC 8224)
_contact: Final = _field(_CONTACT)


def without_caller(trace: CallTrace, numbers: Iterable[str] = ()) -> CallTrace:
    """`numbers` are the caller's, E.164 or as he presents them: whatever of his may be in the messages."""
    digits = _patterns_of(numbers)
    messages = [_without_caller(message, digits) for message in trace.messages]
    return msgspec.structs.replace(trace, messages=messages)


def _without_caller(message: TraceMessage, digits: "Sequence[re.Pattern[bytes]]") -> TraceMessage:
    data = message.data
    end = data.find(b"\r\n\r\n")
    head, body = (data, b"") if end < 0 else (data[: end + 2], data[end + 2 :])
    is_callers_leg = message.leg <= 0
    is_from_callers_side = is_callers_leg != message.is_sent
    is_response = data.lstrip(b"\r\n").startswith(b"SIP/2.0")
    if is_from_callers_side != is_response:  # a request of his, or the response to one
        head = (_from_side if not is_response else _from_only).sub(_withheld_field, head)
    else:
        head = (_to_side if is_response else _to_only).sub(_withheld_field, head)
        if not is_response:
            head = _request_uri.sub(_withheld_uri, head, count=1)
    head = _identity.sub(rb"\1" + WITHHELD, head)
    if is_callers_leg and not message.is_sent:
        head = _contact.sub(_withheld_field, head)
    data = head + body
    for pattern in digits:
        data = pattern.sub(_covered_digits, data)
    return msgspec.structs.replace(message, data=data)


def _withheld_field(match: "re.Match[bytes]") -> bytes:
    value = _display.sub(rb"\1<", match[2])
    return match[1] + _user.sub(_withheld_user, value)


def _withheld_uri(match: "re.Match[bytes]") -> bytes:
    return match[1] + _user.sub(_withheld_user, match[2])


def _withheld_user(match: "re.Match[bytes]") -> bytes:
    """A URI that has a host only stays."""
    followed_by = match.string[match.end() : match.end() + 1]
    is_user = followed_by == b"@" or match[1].lower() == b"tel:" or match[2].lstrip(b"+").isdigit()
    return match[1] + WITHHELD if is_user else match[0]


def _patterns_of(numbers: Iterable[str]) -> "list[re.Pattern[bytes]]":
    """The last digits of each, with what people and telephones put between and before them."""
    patterns = []
    for number in sorted(set(numbers)):
        digits = "".join(character for character in number if character in "0123456789")
        if len(digits) < DIGITS_MIN:
            continue
        last = digits[-NATIONAL_DIGITS:]
        between = rb"(?:[ ().\t-]|%20){0,3}".join(digit.encode() for digit in last)
        # What stands before is not of another number: a longer run of digits is something else.
        patterns.append(re.compile(rb"(?:\+|%2[bB])?[0-9 ().-]{0,6}" + between + rb"(?![0-9])"))
    return patterns


def _covered_digits(match: "re.Match[bytes]") -> bytes:
    return re.sub(rb"[0-9+]", b"x", match[0])
