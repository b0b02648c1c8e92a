"""What the switch wants with an INVITE, by its Request-URI, and what it says of the call (RFC 3261 8.2.2.1).

sip:deposit.USER@...                        somebody leaves a message for a line
sip:retrieve.USER@...                       the line calls itself
sip:retrieve@...                            from elsewhere: number and PIN are asked for
sip:announce.NAME@...;status=404;cause=1    a prompt, then that status with Reason: Q.850;cause=1
sip:announce@...;words=a.b;status=...       several words instead (words.py)

The rest is in service_target.py.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from provisioning.storable import storable
from switch.sip.errors import SipParseError
from switch.sip.message import Request
from switch.sip.uri import NameAddr, SipUri, TelUri, parse_name_addr
from voicemail.mailbox import plain_number
from voicemail.service_target import ServiceTarget, service_target_of, words_of
from voicemail.store import is_user
from voicemail.words import Word, WordKind, Words

# Names of prompts, as media/prompts has them.
_PROMPT: Final = re.compile(r"[a-z0-9-]{1,64}")
_NUMBER: Final = re.compile(r"[0-9]{1,3}")
_POSITION: Final = re.compile(rb"position=([0-9]{1,3})")
# A host for a From without one, as a tel URI is.
NOWHERE: Final = "anonymous.invalid"
QUEUE_TYPE: Final = "application/offhook-queue"
STATUS_DEFAULT: Final = 480
# A display name is one line of a phone.
NAME_CHARS_MAX: Final = 64
_ANONYMOUS: Final = frozenset({"anonymous", "unavailable", "restricted", "withheld"})
_REASONS: Final = frozenset({"user-busy", "no-answer", "unavailable", "unconditional"})


class DepositFor(NamedTuple):
    user: str


class RetrievalBy(NamedTuple):
    """None: from elsewhere."""

    user: str | None


class AnnouncementOf(NamedTuple):
    words: Words
    status: int
    cause: int


Target = DepositFor | RetrievalBy | AnnouncementOf | ServiceTarget


def target_of(request: Request) -> Target | None:
    """None: nothing that is done here, 404."""
    uri = request.request_uri
    if not isinstance(uri, SipUri):
        return None
    what, _, rest = uri.unescaped_user.partition(".")
    match what:
        case "deposit" if is_user(rest):
            return DepositFor(rest)
        case "retrieve" if not rest:
            return RetrievalBy(None)
        case "retrieve" if is_user(rest):
            return RetrievalBy(rest)
        case "announce":
            words = _announced(rest, uri)
            if not words:
                return None
            status = _number(uri.params.get("status"))
            is_final = status is not None and 400 <= status <= 699
            return AnnouncementOf(
                words,
                status if status is not None and is_final else STATUS_DEFAULT,
                _number(uri.params.get("cause")) or 0,
            )
        case _:
            return service_target_of(uri)


def _announced(name: str, uri: SipUri) -> Words:
    if not name:
        return words_of(uri.params)
    return (Word(WordKind.PROMPT, name),) if _PROMPT.fullmatch(name) else ()


def switch_host_of(request: Request) -> str:
    """The host of From, which is what the switch knows itself by."""
    uri = request.from_.parsed_uri
    return host_of(uri) if isinstance(uri, SipUri) else NOWHERE


def host_of(uri: SipUri) -> str:
    """With the port, if one was written."""
    return uri.host if uri.port is None else f"{uri.host}:{uri.port}"


def queue_position_of(request: Request) -> int | None:
    """What an INFO says of the place in a queue; None for another one."""
    kind = (request.headers.get("content-type") or "").partition(";")[0].strip(" \t").lower()
    found = _POSITION.fullmatch(request.body.strip(b" \t\r\n")) if kind == QUEUE_TYPE else None
    return None if found is None else int(found[1])


def caller_of(request: Request) -> tuple[str, str]:
    """(number, name) of From; ("", "") when they are withheld."""
    address = request.from_
    number = _user_of(address)
    if not number or number.lower() in _ANONYMOUS or address.uri.lower().endswith("anonymous.invalid"):
        return "", ""
    name = "" if address.display.lower() in _ANONYMOUS else address.display
    return shown_text(number), shown_text(name)


def called_number(request: Request) -> str:
    """The number in To as it would be keyed in, "" for a name."""
    return plain_number(_user_of(request.to))


def reason_of(request: Request) -> str:
    """Why the call was diverted here: the latest Diversion (RFC 5806 9.1), "" for none that we know."""
    value = request.headers.first_value("diversion")
    if value is None:
        return ""
    try:
        reason = (parse_name_addr(value).params.get("reason") or "").strip('"').lower()
    except SipParseError:
        return ""
    return reason if reason in _REASONS else "other"


def shown_text(text: str) -> str:
    """Fit for a file, a page and a mail: storable, one line, and of a length that somebody reads."""
    return storable(" ".join(text.split()))[:NAME_CHARS_MAX]


def _user_of(address: NameAddr) -> str:
    try:
        uri = address.parsed_uri
    except SipParseError:
        return ""
    if isinstance(uri, SipUri):
        return uri.unescaped_user.partition(";")[0]
    return uri.digits if isinstance(uri, TelUri) else ""


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None
